"""What a finished mail gets wrong, said before anyone receives it.

The decoded HTML and text of one assembled message -> findings. Errors are what a gate may hold an edition for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree
from lxml import html as lxml_html

CLIPPED_BYTES = 100_000
STYLE_WANTED_BYTES = 8_000
STYLE_DROPPED_BYTES = 16_000
_UNFILLED = re.compile(r"\{\{|\}\}|\{%|x[0-9a-f]{24}[a-z]\d+x")


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: ``rule`` names it for machines, ``what`` and ``remedy`` say it to people."""

    severity: Severity
    rule: str
    what: str
    remedy: str


def lint(html: str, text: str, *, unsubscribe_url: str = "", postal_address: str = "") -> list[Finding]:
    """Findings on one message, errors first. ``unsubscribe_url`` and ``postal_address`` are looked for where given;
    without the first, an English mail must at least have the word."""
    found = [*_sizes(html), *_document(html), *_both(html, text, unsubscribe_url, postal_address)]
    return sorted(found, key=lambda finding: finding.severity is not Severity.ERROR)


def _sizes(html: str) -> Iterator[Finding]:
    size = len(html.encode("utf-8"))
    if size >= CLIPPED_BYTES:
        yield _error(
            "size", f"the HTML has {size:,} bytes; Gmail clips at {CLIPPED_BYTES:,}", "Send fewer stories or sections"
        )
    styles = "".join(re.findall(r"<style\b[^>]*>(.*?)</style>", html, re.DOTALL | re.IGNORECASE))
    kept = len(styles.encode("utf-8"))
    if kept > STYLE_DROPPED_BYTES:
        yield _error("style-size", f"<style> keeps {kept:,} bytes; over 16 kB Gmail drops it all", "Shorten block B")
    elif kept > STYLE_WANTED_BYTES:
        yield _warning("style-size", f"<style> keeps {kept:,} bytes; aim under 8 kB", "Shorten block B")


def _document(html: str) -> Iterator[Finding]:
    if not html.lstrip().startswith("<!DOCTYPE html"):
        yield _error("doctype", "the doctype is missing: clients fall into quirks mode", "Begin with <!DOCTYPE html>")
    try:
        root = lxml_html.document_fromstring(html)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        yield _error("html", "the HTML cannot be read", "Look at the design's edition.html")
        return
    wrapped = any(element.get("lang") and element.get("dir") for element in root.iterdescendants())
    if not root.get("lang") or not wrapped:
        yield _warning("lang", "lang and dir stand on <html> and on a wrapper in the body", "Extend shared/base.html")
    for image in root.iter("img"):
        if image.get("alt") is not None:
            continue
        yield _error("alt", f"a picture has no alt text: {image.get('src', '')}", "Write alt, empty if it only adorns")
    for table in root.iter("table"):
        if table.get("role"):
            continue
        yield _warning("role", f"a layout table at line {table.sourceline} has no role", 'Write role="presentation"')
    for element, link in _links(root):
        if link.startswith(("https://", "mailto:", "tel:", "cid:")):
            continue
        if link.startswith("http://"):
            yield _warning("http-link", f"<{element.tag!s}> points at {link}, not over TLS", "Use https")
        elif link.startswith("#") and len(link) > 1:
            continue
        else:
            yield _error(
                "relative-link", f"<{element.tag!s}> points at '{link}', which leads nowhere", "Write https://…"
            )


def _links(root: etree._Element) -> Iterator[tuple[etree._Element, str]]:
    for element in root.iter("a", "img", "link", "area"):
        for name in ("href", "src"):
            link = element.get(name)
            if link is not None:
                yield element, link.strip()


def _both(html: str, text: str, unsubscribe_url: str, postal_address: str) -> Iterator[Finding]:
    texts = lxml_html.document_fromstring(html).itertext() if html.strip() else ()
    shown = " ".join(" ".join(str(piece) for piece in texts).split())
    for part, content in (("HTML", html), ("text", text)):
        if match := _UNFILLED.search(content):
            yield _error("unfilled", f"the {part} part still has '{match[0]}'", "Look at the template that printed it")
    if not text.strip():
        yield _error("text", "the text part is empty", "Look at the design's edition.txt")
    if unsubscribe_url:
        links = set(re.findall(r'href="([^"]*)"', html))
        if unsubscribe_url not in {link.replace("&amp;", "&") for link in links}:
            yield _error("unsubscribe", "the HTML has no unsubscribe link", "Include shared/footer.html")
        if unsubscribe_url not in text:
            yield _error("unsubscribe", "the text has no unsubscribe link", "Print slot.unsubscribe_url() in it")
    elif re.search(r'<html[^>]* lang="en', html) and "unsubscribe" not in html.lower():
        yield _error("unsubscribe", "the HTML has no unsubscribe link", "Include shared/footer.html")
    if postal_address:
        address = " ".join(postal_address.split())
        for part, content in (("HTML", shown), ("text", " ".join(text.split()))):
            if address not in content:
                yield _error(
                    "postal-address", f"the {part} part lacks the postal address", "Include shared/footer.html"
                )


def _error(rule: str, what: str, remedy: str) -> Finding:
    return Finding(Severity.ERROR, rule, what, remedy)


def _warning(rule: str, what: str, remedy: str) -> Finding:
    return Finding(Severity.WARNING, rule, what, remedy)
