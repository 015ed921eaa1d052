"""The editions of a stream's next occurrence as they stand, each as it was composed or would be now. It writes nothing.

One for everybody, or one for each cohort that readers stand in. Cohorts of equal content come one after the other, so
that they can share a rendering.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.compose.composing import compose_preview
from newsletter.config.reading import Configuration
from newsletter.errors import NothingToSend
from newsletter.model import Article, Edition, Edits, Occurrence, Reason, StreamName
from newsletter.schedule.cohorts import Cohorts, Due
from newsletter.schedule.turns import coming_turns
from newsletter.store import Store, articles, editions, occurrences
from newsletter.store.moves import Place
from newsletter.store.occurrences import OccurrenceRow


@dataclass(frozen=True, slots=True)
class NextEdition:
    """What readers who stand at ``places`` would get (everybody, where there are none), or ``skip``: why they would get
    nothing."""

    edition: Edition
    articles: Mapping[int, Article]
    places: tuple[Place, ...] = ()
    skip: Reason = Reason.NONE

    @property
    def content(self) -> str:
        """What a rendering is of."""
        return repr((self.skip, self.edition.sections, self.edition.edits))


@dataclass(frozen=True, slots=True)
class _Coming:
    """The occurrence that comes next; ``row`` is None before it is planned."""

    row: OccurrenceRow | None
    occurrence: Occurrence
    due_at: datetime
    edits: Edits


def next_edition(
    configuration: Configuration, store: Store, of: StreamName, now: datetime
) -> tuple[Edition, Mapping[int, Article]]:
    """The edition of the next occurrence as it stands, with its articles: as it was composed, or would be now, with
    what editors changed of it; of cohorts, that at the stream's own hour, or any. Raises NothingToSend."""
    coming, own = _coming(configuration, store, of, now), configuration.own_cohort(*of)
    composed = store.read(editions.nearest, coming.row.id, own) if coming.row is not None else None
    if composed is not None:
        return composed.edition, store.read(articles.get_many, composed.article_ids)
    proposed = _proposed(configuration, store, of, coming, Due(own, (), coming.due_at), now)
    if not proposed.edition.article_ids:
        raise _nothing_new(of)
    return proposed.edition, proposed.articles


def next_editions(
    configuration: Configuration, store: Store, cohorts: Cohorts, of: StreamName, now: datetime
) -> Sequence[NextEdition]:
    """All of them. Blocking, some 10 ms a cohort. Raises NothingToSend where none has a story."""
    if not configuration.named(of).schedule.by_reader:
        return [NextEdition(*next_edition(configuration, store, of, now))]
    cohorts.look_again(now)
    coming = _coming(configuration, store, of, now)
    standing = cohorts.of(coming.row) if coming.row is not None else cohorts.on(of, coming.occurrence.local_date)
    found = [_composed(store, coming, due) or _proposed(configuration, store, of, coming, due, now) for due in standing]
    if not any(one.edition.article_ids for one in found):
        raise _nothing_new(of)
    return sorted(found, key=lambda one: one.content)


def _coming(configuration: Configuration, store: Store, of: StreamName, now: datetime) -> _Coming:
    row = store.read(occurrences.next_open, *of)
    if row is not None:
        return _Coming(row, row.occurrence, row.due_at, row.edits)
    for turn in coming_turns(configuration.named(of).schedule, configuration.zone(*of), now):
        # One that has a row was sent by hand before its time, or called off.
        if store.read(occurrences.find, *of, turn.occurrence) is None:
            return _Coming(None, turn.occurrence, turn.utc, Edits())
    raise _nothing_new(of)


def _composed(store: Store, coming: _Coming, due: Due) -> NextEdition | None:
    found = store.read(editions.find, coming.row.id, str(due.cohort)) if coming.row is not None else None
    if found is None:
        return None
    return NextEdition(found.edition, store.read(articles.get_many, found.article_ids), due.places, found.reason)


def _proposed(
    configuration: Configuration, store: Store, of: StreamName, coming: _Coming, due: Due, now: datetime
) -> NextEdition:
    cohort = str(due.cohort)
    proposal = compose_preview(
        store,
        of.newsletter,
        configuration.named(of),
        stream=of.stream,
        cohort=cohort,
        edits=coming.edits,
        now=now,
    )
    edition = Edition(
        of.newsletter, of.stream, coming.occurrence, cohort, due.due_at, proposal.sections, edits=coming.edits
    )
    return NextEdition(edition, proposal.articles, due.places, proposal.skip)


def _nothing_new(of: StreamName) -> NothingToSend:
    return NothingToSend(f"{of} has no new story", remedy="Collect first (`newsletter collect`)")
