"""What the rest of a page tells of one of its lines: buttons recur, an author is named again over a box. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from newsletter.collect.captions import is_caption
from newsletter.collect.dump_bylines import is_person
from newsletter.collect.dump_paragraphs import Paragraph, words_in
from newsletter.collect.site_voice import LIKELY, is_label, is_prose, voice_of

_BOX = 4  # lines


def repeated_labels(paragraphs: Sequence[Paragraph]) -> set[int]:
    """Positions of lines of three to six words, no sentences, that recur apart on one page, as its buttons do.

    Not a list of contents, whose neighbouring lines recur as well, and not a caption, which recurs on the next line.
    """
    places: dict[str, list[int]] = {}
    for at, one in enumerate(paragraphs):
        if one.verse or one.bullet or not 3 <= words_in(one.text) <= 6 or is_person(one.text):
            continue
        if (
            is_label(one.text) and not voice_of(one.text).concepts and not is_caption(one.text)
        ):  # those have rules of their own
            places.setdefault(one.text.casefold(), []).append(at)
    again = {key: found for key, found in places.items() if len(found) > 1 and 0 not in found}
    every = {at for found in again.values() for at in found}
    return {
        at
        for found in again.values()
        if all(after - one > 2 for one, after in pairwise(found))
        and not any(at + step in every for at in found for step in (-1, 1))
        for at in found
    }


def repeated_boxes(paragraphs: Sequence[Paragraph]) -> set[int]:
    """Positions of lines of which four or more stand in the same order at two places of one page, one of them plainly
    the site's: a box that the page shows twice. What begins with the page's first line is not taken for one."""
    keys = ["" if one.verse else one.text.casefold() for one in paragraphs]
    places: dict[tuple[str, ...], list[int]] = {}
    for at in range(1, len(keys) - _BOX + 1):
        run = tuple(keys[at : at + _BOX])
        if all(run):
            places.setdefault(run, []).append(at)
    found: set[int] = set()
    for starts in places.values():
        apart = starts[-1] - starts[0] >= _BOX
        lines = paragraphs[starts[0] : starts[0] + _BOX]
        if apart and any(voice_of(one.text).strength() >= LIKELY for one in lines):
            found.update(at + line for at in starts for line in range(_BOX))
    return found


def tells_of(text: str, authors: Sequence[str]) -> bool:
    """Whether ``text`` begins with an author's whole name, to say who that is or where they were."""
    told = text.casefold()
    return any(is_person(author) and told.startswith(f"{author.casefold()} ") for author in authors)


def authors_box(paragraphs: Sequence[Paragraph], authors: Sequence[str]) -> int:
    """Where, below the story, its author is named again on a line alone and then described; the end if nowhere.

    In an interview the author is named so again and again.
    """
    for author in authors:
        lines = [at for at, one in enumerate(paragraphs) if one.text.casefold() == author.casefold()]
        if len(lines) != 1 or lines[0] + 1 >= len(paragraphs) or not is_person(author):
            continue
        after = paragraphs[lines[0] + 1].text
        if after.casefold().startswith(author.casefold()) and any(is_prose(one.text) for one in paragraphs[: lines[0]]):
            return lines[0]
    return len(paragraphs)
