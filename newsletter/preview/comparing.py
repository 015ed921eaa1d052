"""Two messages of one newsletter -> what is new, what is gone and what reads differently. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_AROUND = 2
_MOST_LINES = 4000


@dataclass(frozen=True, slots=True)
class Fact:
    """Something both have, before and now."""

    name: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of either; ``sign`` is ``+``, ``-``, `` `` for both, ``…`` where lines that are alike are left out."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class Side:
    """What is compared of one message. ``stories`` are headlines, in order."""

    name: str
    subject: str
    preheader: str
    size: int
    stories: tuple[str, ...]
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Difference:
    """``before`` names the earlier edition; ``facts`` are those that differ."""

    before: str
    facts: tuple[Fact, ...]
    added: tuple[str, ...]
    kept: tuple[str, ...]
    gone: tuple[str, ...]
    text: tuple[DiffLine, ...]
    html: tuple[DiffLine, ...]


def compare(before: Side, now: Side) -> Difference:
    """What became of ``before``."""
    facts = (
        Fact("Subject", before.subject, now.subject),
        Fact("Preheader", before.preheader, now.preheader),
        Fact("Stories", str(len(before.stories)), str(len(now.stories))),
        Fact("HTML", f"{before.size:,} bytes", f"{now.size:,} bytes"),
    )
    return Difference(
        before.name,
        tuple(fact for fact in facts if fact.before != fact.now),
        tuple(story for story in now.stories if story not in before.stories),
        tuple(story for story in now.stories if story in before.stories),
        tuple(story for story in before.stories if story not in now.stories),
        tuple(diff(before.text.splitlines(), now.text.splitlines())),
        tuple(diff(_lines(before.html), _lines(now.html))),
    )


def diff(before: Sequence[str], now: Sequence[str]) -> Iterator[DiffLine]:
    """The lines that differ, with a few around them; nothing where none does."""
    before, now = before[:_MOST_LINES], now[:_MOST_LINES]
    matcher = SequenceMatcher(None, before, now, autojunk=False)
    at = 0
    for group in matcher.get_grouped_opcodes(_AROUND):
        if group[0][3] > at:
            yield DiffLine("…", f"{group[0][3] - at} lines alike")
        for tag, first, last, new_first, new_last in group:
            if tag == "equal":
                yield from (DiffLine(" ", line) for line in now[new_first:new_last])
                continue
            yield from (DiffLine("-", line) for line in before[first:last])
            yield from (DiffLine("+", line) for line in now[new_first:new_last])
        at = group[-1][4]
    if 0 < at < len(now):
        yield DiffLine("…", f"{len(now) - at} lines alike")


def _lines(html: str) -> list[str]:
    """The HTML, a tag's row at a time: our rows hold many tags each."""
    return html.replace("><", ">\n<").splitlines()
