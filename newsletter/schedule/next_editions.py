"""The editions of a stream's next occurrence as they stand, each as it was composed or would be now. It writes nothing.

One for everybody, or one for each cohort that readers stand in. Cohorts of equal content come one after the other, so
that they can share a rendering.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.compose.composing import compose_preview
from newsletter.config.reading import Configuration
from newsletter.errors import NothingToSend
from newsletter.model import Article, Edition, Edits, StreamName
from newsletter.schedule.cohorts import Cohorts, Due
from newsletter.schedule.testing import next_edition
from newsletter.schedule.turns import next_turn
from newsletter.store import Store, articles, editions, occurrences
from newsletter.store.moves import Place
from newsletter.store.occurrences import OccurrenceRow


@dataclass(frozen=True, slots=True)
class NextEdition:
    """What readers who stand at ``places`` would get (everybody, where there are none); without stories where there is
    nothing new for them."""

    edition: Edition
    articles: Mapping[int, Article]
    places: tuple[Place, ...] = ()

    @property
    def content(self) -> str:
        """What a rendering is of."""
        return repr((self.edition.sections, self.edition.edits))


def next_editions(
    configuration: Configuration, store: Store, cohorts: Cohorts, of: StreamName, now: datetime
) -> Sequence[NextEdition]:
    """All of them. Blocking, some 10 ms a cohort. Raises NothingToSend where none has a story."""
    newsletter = configuration.named(of)
    if not newsletter.schedule.by_reader:
        return [NextEdition(*next_edition(configuration, store, of, newsletter, now))]
    found = list(_of_cohorts(configuration, store, cohorts, of, now))
    if not any(one.edition.article_ids for one in found):
        raise NothingToSend(f"{of} has no new story", remedy="Collect first (`newsletter collect`)")
    return sorted(found, key=lambda one: one.content)


def _of_cohorts(
    configuration: Configuration, store: Store, cohorts: Cohorts, of: StreamName, now: datetime
) -> Iterator[NextEdition]:
    cohorts.look_again(now)
    row = store.read(occurrences.next_open, *of)
    if row is not None:
        edits, occurrence, standing = row.edits, row.occurrence, cohorts.of(row)
    else:
        turn = next_turn(configuration.named(of).schedule, configuration.zone(*of), now)
        if turn is None:
            return
        edits, occurrence, standing = Edits(), turn.occurrence, cohorts.on(of, turn.occurrence.local_date)
    for due in standing:
        if row is not None and (made := _composed(store, row, due)) is not None:
            yield made
            continue
        proposal = compose_preview(
            store,
            of.newsletter,
            configuration.named(of),
            stream=of.stream,
            cohort=str(due.cohort),
            edits=edits,
            now=now,
        )
        edition = Edition(
            of.newsletter, of.stream, occurrence, str(due.cohort), due.due_at, proposal.sections, edits=edits
        )
        yield NextEdition(edition, proposal.articles, due.places)


def _composed(store: Store, row: OccurrenceRow, due: Due) -> NextEdition | None:
    found = store.read(editions.find, row.id, str(due.cohort))
    if found is None:
        return None
    return NextEdition(found.edition, store.read(articles.get_many, found.article_ids), due.places)
