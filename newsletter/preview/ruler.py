"""How many bytes each part of the HTML takes, and what lies beyond the line where Gmail clips. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.preview.numbering import tags_of
from newsletter.render.lint import CLIPPED_BYTES

_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the HTML: the head, one story, the foot. ``start`` and ``bytes`` count decoded bytes."""

    kind: str
    name: str
    start: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cut:
    """Where Gmail stops. ``element`` is the number of the first start tag beyond; ``below`` the headlines it hides."""

    element: int
    below: tuple[str, ...]
    unsubscribe_survives: bool


@dataclass(frozen=True, slots=True)
class Ruler:
    """``size`` and ``limit`` in bytes of decoded HTML; ``styles`` are those of its style blocks; ``cut`` is None where
    all of it is shown."""

    size: int
    limit: int
    styles: int
    parts: tuple[Part, ...]
    cut: Cut | None


def measure(
    document: str, stories: Sequence[tuple[str, str]], unsubscribe_url: str, *, limit: int = CLIPPED_BYTES
) -> Ruler:
    """Measure a document. ``stories`` are (headline, URL) in the order in which they stand."""
    size = len(document.encode("utf-8"))
    styles = sum(len(match[1].encode("utf-8")) for match in _STYLE.finditer(document))
    starts = _starts(document, stories, unsubscribe_url)
    sizes = _bytes_before(document, [at for at, _, _ in starts])
    ends = [*sizes[1:], size]
    parts = tuple(
        Part(kind, name, start, end - start)
        for (_, kind, name), start, end in zip(starts, sizes, ends, strict=True)
        if end > start
    )
    return Ruler(size, limit, styles, parts, _cut(document, parts, unsubscribe_url, limit) if size > limit else None)


def _starts(document: str, stories: Sequence[tuple[str, str]], unsubscribe_url: str) -> list[tuple[int, str, str]]:
    """(index, kind, name) of each part, in order."""
    body = max(document.lower().find("<body"), 0)
    found, after = [(0, "head", "head and masthead")], body
    for headline, url in stories:
        at = document.find(f'"{html.escape(url, quote=True)}"', after)
        if at < 0:
            continue
        row = document.rfind("<tr", after, at)
        found.append((row if row > found[-1][0] else at, "story", headline))
        after = at
    foot = document.find(html.escape(unsubscribe_url, quote=True), after) if unsubscribe_url else -1
    if foot >= 0:
        table = document.rfind("<table", after, foot)
        found.append((table if table > found[-1][0] else foot, "foot", "foot"))
    return found


def _bytes_before(document: str, indexes: Sequence[int]) -> list[int]:
    counted, at, total = [], 0, 0
    for index in indexes:
        total += len(document[at:index].encode("utf-8"))
        counted.append(total)
        at = index
    return counted


def _cut(document: str, parts: Sequence[Part], unsubscribe_url: str, limit: int) -> Cut:
    shown = len(document.encode("utf-8")[:limit].decode("utf-8", "ignore"))
    tags = tags_of(document)
    element = next((number for number, (start, _) in enumerate(tags) if start >= shown), len(tags) - 1)
    below = tuple(part.name for part in parts if part.kind == "story" and part.start + part.bytes > limit)
    link = html.escape(unsubscribe_url, quote=True)
    at = document.find(link) if unsubscribe_url else -1
    return Cut(element, below, at >= 0 and at + len(link) <= shown)
