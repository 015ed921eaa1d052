"""Composes one cohort's edition of an occurrence: candidates from the store -> ``select_stories`` -> the store.

Thin. Reading and deciding need no lock. The edition, its reserved articles, the reasons of these and the occurrence's
new state are written in one transaction; the reasons of everything that is not taken, which can be thousands, shortly
before it in small ones. ``compose_preview`` is the same with nothing written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from newsletter.cohort import EVERYBODY, Cohort
from newsletter.compose.collapsing import Likeness, Used
from newsletter.compose.edits import apply_edits, redecided
from newsletter.compose.selecting import Selection, nothing_taken, select_stories, too_few
from newsletter.config.models import Newsletter
from newsletter.errors import StoreError
from newsletter.model import USED_UP, Article, Decision, EditionSection, Edits, OccurrenceState, Reason, Stream
from newsletter.store import (
    Store,
    article_likeness,
    article_merges,
    article_uses,
    articles,
    blocking,
    editions,
    occurrences,
)
from newsletter.store.article_merges import Appearance
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow

MOST_CANDIDATES = 10_000
_FIRST_LOOK_BACK = timedelta(days=7)
_MOST_PASSED_OVER = 2000
_ATTEMPTS = 5
_CHUNK = 500  # reasons a transaction, so that the writer is held well under 100 ms


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an edition would be. ``skip`` is the reason why there would be none (empty, below_minimum), or NONE.

    ``articles`` holds the candidates by id; ``passed_over`` says of further articles why they are none: used, too old.
    The selection has the editors' layer over it; ``composed`` is what its sections were without.
    """

    selection: Selection
    articles: Mapping[int, Article]
    skip: Reason
    passed_over: tuple[Decision, ...] = ()
    composed: tuple[EditionSection, ...] = ()

    @property
    def sections(self) -> tuple[EditionSection, ...]:
        return self.selection.sections

    @property
    def taken(self) -> tuple[Decision, ...]:
        """The decisions on what such an edition uses up: what is in it, and what is dropped."""
        return tuple(decision for decision in self.selection.decisions if decision.reason in USED_UP)


@dataclass(frozen=True, slots=True)
class Composed:
    """What composing came to: the occurrence as it now stands, and its edition for the cohort.

    ``edition`` is None where the occurrence was skipped, or could not be composed (held, cancelled, skipped before);
    ``occurrence.state`` and ``.reason`` say which. ``made`` is False where another process had done it before.
    """

    occurrence: OccurrenceRow
    edition: EditionRow | None
    made: bool


class _Overtaken(Exception):
    """Another edition reserved so many of the chosen articles meanwhile, or an editor changed what is to be in it, that
    we have to choose again."""


def compose(
    store: Store,
    occurrence: OccurrenceRow,
    newsletter_name: str,
    newsletter: Newsletter,
    *,
    cohort: Cohort = EVERYBODY,
    due_at: datetime | None = None,
    now: datetime,
) -> Composed:
    """Compose this cohort's edition of an occurrence, or skip the occurrence with the reason. Blocking.

    What editors changed of the occurrence, as it stands now, is laid over it. Calling it again, or from two processes
    at once, makes nothing twice. A skipped occurrence reserves nothing: its
    articles are candidates for the next. A cohort that has too few goes without an edition, with its reason in place of
    one, and leaves the occurrence to the others. ``due_at`` is the cohort's own time; default: the occurrence's.
    Raises StoreError.
    """
    for _ in range(_ATTEMPTS):
        occurrence = store.read(occurrences.get, occurrence.id) or occurrence
        proposal = compose_preview(
            store,
            newsletter_name,
            newsletter,
            stream=occurrence.stream,
            cohort=str(cohort),
            edits=occurrence.edits,
            now=now,
        )
        untaken = (one for one in proposal.selection.decisions if one.reason not in USED_UP)
        others = [*untaken, *proposal.passed_over]
        for start in range(0, len(others), _CHUNK):
            store.write(_write_reasons, occurrence, str(cohort), others[start : start + _CHUNK])
        try:
            return store.write(_write, occurrence, newsletter, proposal, cohort, due_at or occurrence.due_at, now)
        except _Overtaken:
            continue
    raise StoreError(
        f"other editions took the articles {_ATTEMPTS} times while this one was composed",
        where=str(occurrence.name),
        remedy="Nothing was written; it will be composed again",
    )


def compose_preview(
    store: Store,
    newsletter_name: str,
    newsletter: Newsletter,
    *,
    stream: Stream = Stream.EACH,
    cohort: str = "",
    edits: Edits = Edits(),
    now: datetime,
) -> Proposal:
    """What ``compose`` would make of the articles there are now, with nothing written. Blocking. Raises StoreError."""
    pinned = {pin.article_id for pin in edits.pinned}
    read = store.read(_read, newsletter_name, newsletter, stream, cohort, pinned, now)
    selection = select_stories(
        read.candidates, newsletter, now, read.appearances, blocked=read.blocked, likeness=read.likeness
    )
    known = {article.id: article for article in read.candidates}
    composed = selection.sections
    if edits != Edits():
        known |= store.read(articles.get_many, pinned - known.keys())
        may_stand = {article: one for article, one in known.items() if article not in read.blocked}
        laid = apply_edits(composed, edits, may_stand, names=newsletter.section_names)
        selection = Selection(laid, redecided(selection.decisions, laid, edits))
    others = tuple(Decision(article, reason) for article, reason in read.passed_over.items() if article not in known)
    return Proposal(selection, known, too_few(selection, newsletter), others, composed)


@dataclass(frozen=True, slots=True)
class _Read:
    """What the store knows of one edition to be composed."""

    candidates: list[Article]
    passed_over: dict[int, Reason]
    appearances: dict[int, tuple[Appearance, ...]]
    blocked: dict[int, str]
    likeness: Likeness


def _read(
    connection: Connection,
    newsletter_name: str,
    newsletter: Newsletter,
    stream: Stream,
    cohort: str,
    pinned: Collection[int],
    now: datetime,
) -> _Read:
    oldest = now - newsletter.articles.max_age
    candidates = articles.unused_articles(
        connection,
        newsletter=newsletter_name,
        stream=stream,
        cohort=cohort,
        first_seen_after=oldest,
        limit=MOST_CANDIDATES,
    )
    # What was too old when the last edition was composed has been told of then; what became so since is told of now.
    last = editions.last_composed_at(connection, newsletter_name, stream, cohort) or now - _FIRST_LOOK_BACK
    passed_over = article_uses.passed_over(
        connection,
        newsletter=newsletter_name,
        stream=stream,
        cohort=cohort,
        too_old_before=oldest,
        told_before=last - newsletter.articles.max_age,
        limit=_MOST_PASSED_OVER,
    )
    ids = [article.id for article in candidates]
    blocks = blocking.blocked(connection, newsletter_name, {*ids, *pinned})
    likeness = Likeness()
    if newsletter.ranking.collapse:
        likeness = _likeness(connection, newsletter_name, stream, cohort, ids)
    return _Read(
        candidates,
        passed_over,
        article_merges.appearances(connection, ids),
        {article: one.words for article, one in blocks.items()},
        likeness,
    )


def _likeness(
    connection: Connection, newsletter_name: str, stream: Stream, cohort: str, candidates: Sequence[int]
) -> Likeness:
    sharing = article_likeness.sharing(connection, candidates)
    others = {other for several in sharing.values() for other in several} - set(candidates)
    uses = article_uses.of_readers(connection, newsletter_name, stream, cohort, others)
    there = articles.get_many(connection, uses)
    used = {number: Used(there[number], use.words, use.until) for number, use in uses.items() if number in there}
    return Likeness(sharing, used)


def _write_reasons(
    connection: Connection, occurrence: OccurrenceRow, cohort: str, decisions: Sequence[Decision]
) -> None:
    current = occurrences.get(connection, occurrence.id, lock=True)
    done = (
        current is None
        or current.state not in editions.OPEN
        or editions.find(connection, occurrence.id, cohort) is not None
    )
    if not done:
        editions.record_selections(connection, occurrence.id, cohort, decisions)


def _write(
    connection: Connection,
    occurrence: OccurrenceRow,
    newsletter: Newsletter,
    proposal: Proposal,
    cohort: Cohort,
    due_at: datetime,
    now: datetime,
) -> Composed:
    current = occurrences.get(connection, occurrence.id, lock=True)
    if current is None:
        raise StoreError("this occurrence is no longer in the store", where=str(occurrence.name))
    existing = editions.find(connection, occurrence.id, str(cohort))
    if existing is not None or current.state not in editions.OPEN:
        return Composed(current, existing, made=False)
    if current.edited != occurrence.edited:
        raise _Overtaken
    if proposal.skip is not Reason.NONE:
        return _skip(connection, current, newsletter, proposal, cohort, due_at, now)
    edition = editions.create(
        connection,
        current,
        str(cohort),
        cohort.zone,
        cohort.hour,
        due_at,
        proposal.sections,
        proposal.taken,
        now,
        composed=proposal.composed,
    )
    if too_few(Selection(edition.sections, proposal.taken), newsletter) is not Reason.NONE:
        raise _Overtaken
    return Composed(_now(connection, current), edition, made=True)


def _skip(
    connection: Connection,
    occurrence: OccurrenceRow,
    newsletter: Newsletter,
    proposal: Proposal,
    cohort: Cohort,
    due_at: datetime,
    now: datetime,
) -> Composed:
    editions.record_selections(connection, occurrence.id, str(cohort), nothing_taken(proposal.taken))
    if cohort != EVERYBODY:  # the others may have stories: this one goes without, and skips nobody else
        editions.without(connection, occurrence, cohort, due_at, proposal.skip, now)
        return Composed(occurrence, None, made=True)
    number, least = proposal.selection.number, max(1, newsletter.articles.min)
    stories = "1 story" if number == 1 else f"{number} stories"
    occurrences.transition(
        connection,
        occurrence.id,
        OccurrenceState.SKIPPED,
        from_={OccurrenceState.PLANNED},
        reason=proposal.skip,
        detail=f"{stories}, at least {least} needed",
        now=now,
    )
    return Composed(_now(connection, occurrence), None, made=True)


def _now(connection: Connection, occurrence: OccurrenceRow) -> OccurrenceRow:
    return occurrences.get(connection, occurrence.id) or occurrence
