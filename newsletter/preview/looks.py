"""The looks a pane may have: how a mail is shown, in the words of the page, and how far each is to be believed.

A look that lies is worse than none, so each says what it does and what it cannot show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

PHONE, DESKTOP = 375, 800
WIDTHS: Mapping[str, int] = {"Phone": PHONE, "Desktop": DESKTOP}
NARROWEST, WIDEST = 240, 1600
MOST_PANES = 8
_PANE = re.compile(r"(?P<width>[0-9]{1,5})\.(?P<look>[a-z-]+)", re.ASCII)


class Look(StrEnum):
    """How a pane shows the mail."""

    LIGHT = "light"
    DARK = "dark"
    PARTIAL = "partial"
    FULL = "full"
    OUTLOOK = "outlook"
    UNSTYLED = "unstyled"
    NO_PICTURES = "no-pictures"


class Fidelity(StrEnum):
    """How far a look is to be believed."""

    FAITHFUL = "faithful"
    CLOSE = "close"
    APPROXIMATE = "approximate"


@dataclass(frozen=True, slots=True)
class Profile:
    """A look in words: ``shows`` is what it does, ``lacks`` what it cannot show. ``inverts`` is ``partial`` or
    ``full`` where the colours that a browser computed are turned round."""

    title: str
    fidelity: Fidelity
    shows: str
    lacks: str
    inverts: str = ""


PROFILES: Mapping[Look, Profile] = {
    Look.LIGHT: Profile(
        "Light",
        Fidelity.FAITHFUL,
        "The HTML as it stands, drawn by Chromium. Apple Mail and Samsung Email draw it alike.",
        "The fonts are those of this machine.",
    ),
    Look.DARK: Profile(
        "Dark",
        Fidelity.FAITHFUL,
        "The mail's own dark: its rules for prefers-color-scheme hold. So in Apple Mail and Outlook for Mac.",
        "Clients that ignore these rules invert the colours themselves: see the next two.",
    ),
    Look.PARTIAL: Profile(
        "Partial inversion",
        Fidelity.APPROXIMATE,
        "Light backgrounds become dark and dark words light; what is dark already stays, pictures too. So in "
        "Outlook.com and in Gmail for Android.",
        "No client has published its rule; the shades are ours.",
        inverts="partial",
    ),
    Look.FULL: Profile(
        "Full inversion",
        Fidelity.APPROXIMATE,
        "Every colour but those of pictures is turned round, dark panels become light. So in Gmail for iPhone and "
        "in Outlook for Windows.",
        "No client has published its rule; the shades are ours.",
        inverts="full",
    ),
    Look.OUTLOOK: Profile(
        "Outlook for Windows",
        Fidelity.APPROXIMATE,
        "Comments for Outlook are opened; media queries, background pictures and every property that caniemail says "
        "Word lacks, there or everywhere, are taken out: padding but in cells, widths of paragraphs. Pictures have the "
        "size of their attributes.",
        "Word's own line heights and font fallback are not imitated.",
    ),
    Look.UNSTYLED: Profile(
        "Gmail without styles",
        Fidelity.CLOSE,
        "Every style block is gone, inlined styles stay. So for accounts of other providers in Gmail's app, and where "
        "Gmail drops the block.",
        "Gmail's own fonts around the mail are not shown.",
    ),
    Look.NO_PICTURES: Profile(
        "Pictures off",
        Fidelity.CLOSE,
        "No picture is loaded; its alternative text stands in its place and size.",
        "Clients differ in how they set that text.",
    ),
}


@dataclass(frozen=True, slots=True)
class Pane:
    """One pane: ``width`` in CSS pixels. Written ``375.dark``."""

    width: int = DESKTOP
    look: Look = Look.LIGHT

    def __str__(self) -> str:
        return f"{self.width}.{self.look}"

    @property
    def profile(self) -> Profile:
        return PROFILES[self.look]


PRESETS: Mapping[str, tuple[Pane, ...]] = {
    "One": (Pane(),),
    "Phone and desktop": (Pane(PHONE), Pane(DESKTOP)),
    "Light and dark": (Pane(PHONE), Pane(PHONE, Look.DARK)),
    "Every dark": tuple(Pane(PHONE, look) for look in (Look.LIGHT, Look.DARK, Look.PARTIAL, Look.FULL)),
    "Poor clients": tuple(Pane(640, look) for look in (Look.LIGHT, Look.OUTLOOK, Look.UNSTYLED, Look.NO_PICTURES)),
    "Everything": tuple(Pane(PHONE, look) for look in Look),
}


def panes_of(texts: Iterable[str]) -> tuple[Pane, ...]:
    """The panes that are written so; what cannot be read is left out, and without any it is the usual one."""
    found = []
    for text in texts:
        match = _PANE.fullmatch(text.strip())
        if match and match["look"] in list(Look):
            width = min(max(int(match["width"]), NARROWEST), WIDEST)
            found.append(Pane(width, Look(match["look"])))
    return tuple(found[:MOST_PANES]) or (Pane(),)
