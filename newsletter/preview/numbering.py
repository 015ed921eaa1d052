"""Each element of a shown document by its number, so that a finding, a story or a spoken line can be pointed at.

The numbers are those of start tags in the text of the HTML; the lint's are those of lxml's tree. Where the parser made
elements up, or left some out, the two are brought side by side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from newsletter.render.lint import Mail

MARK = "data-n"
_TOKEN = re.compile(
    r"<!--.*?-->|<(?P<tag>[a-zA-Z][^\s/>]*)(?:[^>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL,
)
_RAW = ("style", "script", "title", "textarea")


def tags_of(document: str) -> list[tuple[int, str]]:
    """(index in the text, name in lower case) of every start tag, in order; none inside comments, styles or titles."""
    found: list[tuple[int, str]] = []
    at = 0
    while match := _TOKEN.search(document, at):
        at = match.end()
        tag = (match["tag"] or "").lower()
        if not tag:
            continue
        found.append((match.start(), tag))
        if tag in _RAW:
            end = document.lower().find(f"</{tag}", at)
            at = end if end >= 0 else len(document)
    return found


def numbered(document: str) -> str:
    """The document with each start tag's number in it."""
    parts, at = [], 0
    for number, (start, tag) in enumerate(tags_of(document)):
        end = start + 1 + len(tag)
        parts.append(f"{document[at:end]} {MARK}={number}")
        at = end
    return "".join([*parts, document[at:]])


def numbers_of(mail: Mail) -> dict[int, int]:
    """The lint's number of an element -> the number of its start tag."""
    theirs = [str(element.tag).lower() for element in mail.elements]
    ours = [tag for _, tag in tags_of(mail.html)]
    if theirs == ours:
        return {number: number for number in range(len(ours))}
    return _side_by_side(theirs, ours)


def _side_by_side(theirs: Sequence[str], ours: Sequence[str]) -> dict[int, int]:
    matcher = SequenceMatcher(None, theirs, ours, autojunk=False)
    return {
        block.a + offset: block.b + offset for block in matcher.get_matching_blocks() for offset in range(block.size)
    }
