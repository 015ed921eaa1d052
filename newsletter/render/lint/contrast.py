"""Rules on what a reader sees and touches: contrast in the light and in the dark, the size of buttons."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from newsletter.render.colour import contrast as ratio_of
from newsletter.render.lint.cascade import Look, Looks
from newsletter.render.lint.findings import Finding, error, warning
from newsletter.render.lint.mail import Mail, has_words, own_text, words

# WCAG 2.2, success criterion 1.4.3; below 3:1 even large type cannot be read.
NORMAL, LARGE = 4.5, 3.0
LARGE_PIXELS, LARGE_BOLD_PIXELS = 24, 18.66
TOUCH_PIXELS = 44
DESKTOP, PHONE = 640, 375


def contrast(mail: Mail, looks: Looks, scheme: str) -> Iterator[Finding]:
    """Text too pale for its background; one finding for each pair of colours and kind of element."""
    said: set[tuple[str | None, ...]] = set()
    for element, look in looks.within_body():
        text = own_text(element)
        if look.hidden or look.colour is None or look.background is None or not has_words(text):
            continue
        ratio, needed = ratio_of(look.colour, look.background), _needed(look)
        about = (look.colour, look.background, str(element.tag), element.get("class") or _outer_class(element))
        if needed is None or ratio >= needed or about in said:
            continue
        said.add(about)
        where = "in the dark, " if scheme == "dark" else ""
        what = f"{where}'{text[:40]}' is {look.colour} on {look.background}: a contrast of {ratio:.2f}, not {needed:g}"
        remedy = (
            "Give it a colour in @media (prefers-color-scheme: dark), with !important"
            if scheme == "dark"
            else "Darken the text or lighten what is behind it"
        )
        yield (error if ratio < LARGE else warning)("contrast", what, remedy, mail.at(element))


def has_dark(mail: Mail) -> bool:
    """Whether the mail brings a dark look of its own."""
    return any(rule.at == "media" and "prefers-color-scheme" in rule.prelude for _, rule in mail.rules)


def dark(mail: Mail) -> Iterator[Finding]:
    """Whether there is a dark look at all."""
    if not has_dark(mail):
        yield warning(
            "dark",
            "there is no dark look of its own: clients invert it as they like",
            "Add @media (prefers-color-scheme: dark) to block B, as shared/kept.css does",
            mail.at(mail.styles[-1][0]) if mail.styles else mail.at(mail.elements[0]),
        )


def buttons(mail: Mail, looks: Looks) -> Iterator[Finding]:
    """Buttons and links with an area of their own that are lower than a finger is wide, on a phone."""
    for element, look in looks.within_body():
        if element.tag != "a" or element.get("href") is None or look.hidden or not has_words(words(element)):
            continue
        height = _touched(element, look, looks)
        if height is not None and height < TOUCH_PIXELS:
            yield warning(
                "touch",
                f"'{words(element)[:40]}' is {height:g} px high, less than {TOUCH_PIXELS} px",
                "Give it more padding above and below",
                mail.at(element),
            )


def _touched(element: etree._Element, link: Look, looks: Looks) -> float | None:
    """How high a button is; None for a link in running text, and where it cannot be known."""
    own = _height(link)
    if link.display in ("block", "inline-block") and (link.painted or link.bordered or any(link.padding or ())):
        return own
    cell = element.getparent()
    if cell is None or cell.tag not in ("td", "th") or len(cell) != 1 or has_words(own_text(cell)):
        return None
    around = looks.by_element[cell]
    if own is None or around.padding is None or not any(around.padding):
        return None
    # A cell in the colour of what is round it is no button.
    stands_out = around.background != looks.by_element[_above(cell)].background
    if not (stands_out or around.bordered):
        return None
    return max(own + sum(around.padding), around.height or 0)


def _above(cell: etree._Element) -> etree._Element:
    parent = cell.getparent()
    assert parent is not None
    return parent


def _height(look: Look) -> float | None:
    if look.line is None or look.padding is None:
        return None
    return max(look.line, look.height or 0) + sum(look.padding)


def _needed(look: Look) -> float | None:
    if look.size is None:
        return LARGE  # what is asked of any size
    large = look.size >= LARGE_PIXELS or (look.bold and look.size >= LARGE_BOLD_PIXELS)
    return LARGE if large else NORMAL


def _outer_class(element: etree._Element) -> str:
    parent = element.getparent()
    return (parent.get("class") or "") if parent is not None else ""
