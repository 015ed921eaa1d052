"""Rules on the document: doctype, language, tables, headings, pictures, preheader."""

from __future__ import annotations

import re
from collections.abc import Iterator

from newsletter.render.lint.cascade import Looks
from newsletter.render.lint.findings import Finding, Spot, error, warning
from newsletter.render.lint.mail import Mail, has_words, line_of, own_text, words

_PIXELS = re.compile(r"[1-9][0-9]*(?:px)?")
_DRAWN = re.compile(r"\.svgz?(?:$|[?#])", re.IGNORECASE)


def document(mail: Mail) -> Iterator[Finding]:
    """Doctype, language and direction, tables, headings."""
    if not mail.html.lstrip().startswith("<!DOCTYPE html"):
        yield error(
            "doctype",
            "the doctype is missing: clients fall into quirks mode",
            "Begin with <!DOCTYPE html>",
            Spot(element=0, line=1),
        )
    if mail.root is None:
        yield error("html", "the HTML cannot be read", "Look at the design's edition.html")
        return
    wrapped = any(element.get("lang") and element.get("dir") for element in mail.elements[1:])
    if not mail.root.get("lang") or not wrapped:
        yield warning(
            "lang",
            "lang and dir stand on <html> and on a wrapper in the body",
            "Extend shared/base.html",
            mail.at(mail.root),
        )
    for table in mail.root.iter("table"):
        if not table.get("role"):
            yield warning("role", "a layout table has no role", 'Write role="presentation"', mail.at(table))
    headings = list(mail.root.iter("h1"))
    if not headings:
        yield warning("headings", "there is no <h1>", "Make the name of the paper, or the headline, an <h1>")
    for heading in headings[1:]:
        yield warning("headings", "there is a second <h1>", "Make it an <h2>", mail.at(heading))


def pictures(mail: Mail) -> Iterator[Finding]:
    """Alternative text, width in pixels, formats that a large client does not show."""
    for image in mail.elements:
        if image.tag != "img":
            continue
        source = image.get("src", "").strip()
        shown = source if len(source) < 120 else source[:100] + "…"
        if image.get("alt") is None:
            yield error(
                "alt", f"a picture has no alt text: {shown}", "Write alt, empty if it only adorns", mail.at(image)
            )
        if not _PIXELS.fullmatch((image.get("width") or "").strip()):
            yield warning(
                "picture-size",
                f"a picture has no width in pixels: {shown}",
                'Write width="…": Outlook for Windows shows it at its full size otherwise',
                mail.at(image),
            )
        if source.startswith("data:") or _DRAWN.search(source):
            kind = "inside the message" if source.startswith("data:") else "as SVG"
            yield warning(
                "picture-format",
                f"a picture comes {kind}: {shown}",
                "Use PNG or JPEG: Gmail shows neither",
                mail.at(image),
            )


def preheader(mail: Mail, looks: Looks) -> Iterator[Finding]:
    """Whether the first words of the body are hidden ones, which an inbox shows beside the subject."""
    for element, look in looks.within_body():
        text = own_text(element)
        if not has_words(text):
            continue
        if look.hidden:
            return
        yield warning(
            "preheader",
            f"there is no preheader: the inbox shows '{words(element)[:60]}'",
            "Say preheader: in schedules.yaml, and begin the body with it, hidden, as shared/base.html does",
            Spot(setting="preheader", line=line_of(element)),
        )
        return
