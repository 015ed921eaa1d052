"""The gates: what is known of an occurrence that is about to go out -> what speaks against it, each with its numbers.

Pure. ``gatekeeping`` gathers the facts; the thresholds are ``gates:`` of the newsletter in ``schedules.yaml``. All that
fail are told, in the order of ``Gate``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from statistics import median

from newsletter.config.layout import Gates
from newsletter.model import EditionName, FailedGate, Gate
from newsletter.render.lint import Finding

LAST_EDITIONS = 10
"""Of so many earlier editions is the usual number of readers the median."""
LEAST_EDITIONS = 3
"""With fewer of them nothing is usual yet."""
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gates judge by.

    ``earlier`` holds the number of readers of the last editions. ``newest`` is when the newest story was published,
    None without a story; ``goes_out_at`` is now, or when it is due where that is later. ``linked`` says of each
    rendered document how many of its stories have an address, and how many of those it links to. ``subjects`` are by
    rendered key, those of the last edition (``last``) too; ``subject_varies``: it is meant to be another each time.
    ``web`` and ``pictures`` say what is wrong with an address; '' and nothing where all answer, or nobody asked.
    """

    name: EditionName
    goes_out_at: datetime
    readers: int = 0
    earlier: Sequence[int] = ()
    newest: datetime | None = None
    linked: Sequence[tuple[int, int]] = ()
    subject_varies: bool = True
    subjects: Mapping[str, str] = field(default_factory=dict)
    last: EditionName | None = None
    last_subjects: Mapping[str, str] = field(default_factory=dict)
    web_url: str = ""
    web: str = ""
    pictures: Mapping[str, str] = field(default_factory=dict)
    lint: Sequence[Finding] = ()


def failed_gates(facts: Facts, gates: Gates) -> list[FailedGate]:
    """Every gate that speaks against sending."""
    return [
        *_readers(facts, gates),
        *_links(facts, gates),
        *_same_subject(facts, gates),
        *_stale(facts, gates),
        *_web(facts, gates),
        *_pictures(facts, gates),
        *_lint(facts, gates),
    ]


def _readers(facts: Facts, gates: Gates) -> Iterator[FailedGate]:
    if gates.readers is None or len(facts.earlier) < LEAST_EDITIONS:
        return
    usual = median(facts.earlier)
    # The larger of the two counts: a list that has lost nearly everybody is not a small list.
    if max(facts.readers, usual) < gates.readers_least:
        return
    off = abs(Fraction(facts.readers) - Fraction(usual))
    # Fractions of what is written: 0.29 of 100 is 29 exactly.
    if off <= Fraction(str(gates.readers)) * Fraction(usual):
        return
    percent = f"{float(100 * off / Fraction(usual)):.0f} % " if usual else ""
    direction = "fewer" if facts.readers < usual else "more"
    yield FailedGate(
        Gate.READERS,
        f"{_number(facts.readers, 'reader')}, {percent}{direction} than the usual {usual:,.0f}"
        f" (median of the last {len(facts.earlier)} editions; {float(gates.readers):.0%} is allowed)",
        "Look for an import, a clean-up or a mass unsubscription that went wrong (`newsletter subscribers list`)",
    )


def _links(facts: Facts, gates: Gates) -> Iterator[FailedGate]:
    without = [stories for stories, linked in facts.linked if stories and not linked]
    if gates.links and without:
        yield FailedGate(
            Gate.LINKS,
            f"the mail has no link to any of its {max(without)} stories"
            if max(without) > 1
            else "its story has no link",
            f"The design should link each story.url: look at it with `newsletter preview {facts.name.newsletter}`",
        )


def _same_subject(facts: Facts, gates: Gates) -> Iterator[FailedGate]:
    if not (gates.same_subject and facts.subject_varies):
        return
    for key, subject in facts.subjects.items():
        if subject and facts.last_subjects.get(key) == subject:
            yield FailedGate(
                Gate.SAME_SUBJECT,
                f"the subject is that of the last edition, {facts.last}: '{subject[:120]}'",
                f"Give it another: `newsletter editions edit {facts.name} --subject TEXT`",
            )
            return


def _stale(facts: Facts, gates: Gates) -> Iterator[FailedGate]:
    if gates.stale_after is None or facts.newest is None:
        return
    age = facts.goes_out_at - facts.newest
    if age > gates.stale_after:
        yield FailedGate(
            Gate.STALE_AFTER,
            f"the newest story will be {_span(age)} old ({facts.newest:%Y-%m-%d %H:%M} UTC), "
            f"and stale_after is {_span(gates.stale_after)}",
            "See whether the sources still bring stories (`newsletter sources list`, `newsletter collect`)",
        )


def _web(facts: Facts, gates: Gates) -> Iterator[FailedGate]:
    if gates.web and facts.web:
        yield FailedGate(
            Gate.WEB,
            f"{facts.web_url} cannot be reached, so links and pictures in the mail would be dead: {facts.web}",
            "Start `newsletter run` or `newsletter web`, and look at the web server before it",
        )


def _pictures(facts: Facts, gates: Gates) -> Iterator[FailedGate]:
    if gates.lead_picture and facts.pictures:
        shown = [f"{address[:160]}: {what}" for address, what in list(facts.pictures.items())[:_NAMED]]
        yield FailedGate(
            Gate.LEAD_PICTURE,
            f"{_number(len(facts.pictures), 'picture')} cannot be fetched: {_and_more(shown, len(facts.pictures))}",
            "See that the files are in the folder `media` of the machine that serves web.url",
        )


def _lint(facts: Facts, gates: Gates) -> Iterator[FailedGate]:
    if gates.lint and facts.lint:
        found = [str(finding) for finding in facts.lint]
        yield FailedGate(
            Gate.LINT,
            _and_more(found[:_NAMED], len(found)),
            f"Mend it; `newsletter lint {facts.name.newsletter}` lists all",
        )


def _and_more(shown: Sequence[str], number: int) -> str:
    more = number - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _number(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _span(time: timedelta) -> str:
    """A length of time in the unit that suits it: 40 min, 9 h, 3 days."""
    minutes = round(time.total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 72 else f"{round(hours / 24)} days"
