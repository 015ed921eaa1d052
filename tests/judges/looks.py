"""How every design looks: phone and desktop, light, its own dark and inverted, from the left and from the right.

    gallery's mails -> Chromium with the tests' own fonts -> pictures -> docs/images (``shots``), or compared with
    references/ (``test_looks_as_before``)

A reference is half as large as the screen, its photographs flat, and compared block by block, so that a browser's way
of smoothing letters and scaling pictures does not count and a line that moved does.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser, Page

from tests.judges.gallery import Gallery
from tests.judges.messages import DESIGNS

REFERENCES = Path(__file__).parent / "references"
WIDTHS = {"phone": 375, "desktop": 800}
Appearance = Literal["light", "dark", "inverted"]
APPEARANCES: tuple[Appearance, ...] = ("light", "dark", "inverted")

INVERTED = (Path(__file__).parent / "inverted.js").read_text(encoding="utf-8")
# In the reference's pixels, and of 255 steps of a colour.
_BLOCK = 8
MOST_IN_A_BLOCK = 12
MOST_IN_ALL = 0.5
MOST_OFF_IN_HEIGHT = 2


@dataclass(frozen=True)
class Look:
    """One way a design is looked at; in words ``weekly-rtl-phone-dark``. ``case`` is '', ``rtl`` or ``blocks``."""

    design: str
    case: str
    screen: str
    appearance: Appearance

    def __str__(self) -> str:
        return "-".join([self.design, *([self.case] if self.case else []), self.screen, self.appearance])

    @property
    def mail(self) -> str:
        """The gallery's mail that shows it."""
        return f"{_CASES[self.case]}-{self.design}"


_CASES = {"": "look", "rtl": "arabic", "blocks": "blocks"}
# Of the usual mail every appearance on both screens; of an Arabic one and of one with every block the light one on
# both, and the dark one on a phone.
LOOKS = tuple(
    Look(design, case, screen, appearance)
    for design in DESIGNS
    for case in _CASES
    for screen in WIDTHS
    for appearance in APPEARANCES
    if not case or appearance == "light" or (screen, appearance) == ("phone", "dark")
)
# What the tests compare: all light ones, and the other colours on a phone (but of Arabic, whose are the same).
COMPARED = tuple(
    look for look in LOOKS if look.appearance == "light" or (look.screen == "phone" and look.case != "rtl")
)


def opened(browser: Browser, shown: Gallery, look: Look) -> Page:
    """The mail as this look has it, in a window as high as it is. Close it."""
    width = WIDTHS[look.screen]
    page = shown.open_mail(browser, look.mail, width=width, scheme="dark" if look.appearance == "dark" else "light")
    if look.appearance == "inverted":
        page.evaluate(INVERTED)
    page.set_viewport_size({"width": width, "height": height_of(page)})
    return page


def picture(page: Page, *, flat: bool = False) -> Image.Image:
    """What the window shows; ``flat``: each picture in it as a grey box."""
    if flat:
        page.add_style_tag(content="img { filter: brightness(0) opacity(0.4) }")
    with Image.open(io.BytesIO(page.screenshot())) as taken:
        return taken.convert("RGB")


def height_of(page: Page) -> int:
    """How high the document is, whatever the window."""
    height: int = page.evaluate("Math.ceil(document.body.getBoundingClientRect().bottom)")
    return height


def reference_of(taken: Image.Image) -> Image.Image:
    """What is kept of a flat picture: half its size, in few colours."""
    return few_colours(_half(taken), 64)


def few_colours(taken: Image.Image, colours: int) -> Image.Image:
    """The picture in its most telling colours. (By median cut alone the accent in a few letters turns grey.)"""
    return taken.quantize(colours, dither=Image.Dither.NONE, kmeans=2)


def difference(taken: Image.Image, reference: Image.Image) -> str:
    """What makes ``taken`` look other than ``reference``, in words; '' where both look the same."""
    now, before = _half(taken), reference.convert("RGB")
    if now.width != before.width or abs(now.height - before.height) > MOST_OFF_IN_HEIGHT:
        return f"it is {now.width} x {now.height} pixels large, and was {before.width} x {before.height}"
    box = (0, 0, now.width, min(now.height, before.height))
    apart = ImageChops.difference(_blocks(now.crop(box)), _blocks(before.crop(box)))
    everywhere = max(ImageStat.Stat(apart).mean)
    if everywhere > MOST_IN_ALL:
        return f"its colours are {everywhere:.1f} steps apart on the whole; {MOST_IN_ALL} may be"
    steps = apart.tobytes()
    worst = max(steps)
    if worst > MOST_IN_A_BLOCK:
        y, x = divmod(steps.index(worst) // 3, apart.width)
        return f"it is {worst} steps apart at {2 * _BLOCK * x}, {2 * _BLOCK * y}; {MOST_IN_A_BLOCK} may be"
    return ""


def _half(taken: Image.Image) -> Image.Image:
    return taken.resize((taken.width // 2, taken.height // 2), Image.Resampling.BOX)


def _blocks(half: Image.Image) -> Image.Image:
    """The mean colour of each block: what is left of a letter is how much of it stands there."""
    return half.resize((max(1, half.width // _BLOCK), max(1, half.height // _BLOCK)), Image.Resampling.BOX)
