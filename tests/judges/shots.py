"""Makes the screenshots of docs/images/ and the references of the tests anew: ``make looks``, where Chromium is.

The demo's mails and pages -> Chromium -> PNGs in few colours; a mail is shown from its top.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.judges.gallery import Gallery, Scheme, gallery
from tests.judges.looks import COMPARED, LOOKS, REFERENCES, few_colours, height_of, opened, picture, reference_of
from tests.judges.messages import ROOT
from tests.support.browser import browser

FOLDER = ROOT / "docs" / "images"
MOST_BYTES = 120_000
SHOWN_HEIGHT = {"phone": 1000, "desktop": 1200}
BLOCKS_HEIGHT = 2400  # down to the first promotion and what follows it

# File name, page, width, appearance. A page is shown whole.
PAGE_SHOTS: tuple[tuple[str, str, int, Scheme], ...] = (
    *(
        (f"{page}-page{'-phone' * (width == 375)}{'-dark' * (scheme == 'dark')}", page, width, scheme)
        for page in ("subscribe", "confirm", "sign-in", "unsubscribe", "preferences", "erase")
        for width in (1280, 375)
        for scheme in ("light", "dark")
    ),
    ("preview-page", "preview", 1280, "light"),
    ("preview-panes-page", "preview-panes", 1920, "light"),
    ("preview-scenario-page", "preview-scenario", 1280, "light"),
    ("preview-headers-page", "preview-headers", 1280, "light"),
)


def main() -> None:
    """Write every screenshot and reference. Takes the folder of a finished gallery as an argument, else makes one."""
    with tempfile.TemporaryDirectory() as made:
        take(gallery(Path(sys.argv[1] if len(sys.argv) > 1 else made)))


def take(shown: Gallery) -> None:
    """Write every screenshot of these mails and pages, and the references."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    REFERENCES.mkdir(exist_ok=True)
    for old in REFERENCES.glob("*.png"):
        old.unlink()
    with browser() as chromium:
        for look in LOOKS:
            page = opened(chromium, shown, look)
            taken = picture(page)
            height = BLOCKS_HEIGHT if look.case == "blocks" else SHOWN_HEIGHT[look.screen]
            if (look.case, look.appearance) != ("blocks", "dark"):  # a reference alone: docs/images stays small
                _write(str(look), taken.crop((0, 0, taken.width, min(taken.height, height))))
            if look in COMPARED:
                reference_of(picture(page, flat=True)).save(REFERENCES / f"{look}.png", optimize=True)
            page.close()
        for name, kept, width, scheme in PAGE_SHOTS:
            page = shown.open_page(chromium, kept, width=width, scheme=scheme)
            page.set_viewport_size({"width": width, "height": max(height_of(page), 480)})
            _write(name, picture(page))
            page.close()
    for folder in (FOLDER, REFERENCES):
        sizes = [path.stat().st_size for path in folder.iterdir()]
        print(f"{folder.relative_to(ROOT)}: {len(sizes)} pictures, {sum(sizes):,} bytes")


def _write(name: str, taken: Image.Image) -> None:
    """The picture in the most colours in which it is small enough; at worst in 16."""
    for colours in (128, 64, 32, 16):
        few_colours(taken, colours).save(FOLDER / f"{name}.png", optimize=True)
        if (FOLDER / f"{name}.png").stat().st_size <= MOST_BYTES:
            break


if __name__ == "__main__":
    main()
