"""Composes the cohorts of an occurrence, each ``compose_lead`` before its own hour.

What editors changed of the occurrence is laid over each; whose hour is past by more than ``catch_up`` goes without,
with that reason, and so does a cohort for which there is nothing new.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from newsletter.cohort import Cohort
from newsletter.compose.composing import compose
from newsletter.config.reading import Configuration
from newsletter.model import OccurrenceState, Reason
from newsletter.schedule.cohorts import LOOK_EVERY, Cohorts, Due, span_on
from newsletter.store import Store, editions, fan_out, occurrences
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow

log = structlog.get_logger()

_S = OccurrenceState
_REMEMBERED, _MOST_COHORTS = 50, 10_000


@dataclass(frozen=True, slots=True)
class _ToBe:
    """An edition that is to be, for whoever asks who would get it."""

    newsletter: str
    stream: str
    occurrence: str
    cohort: str
    due_at: datetime
    fanned_out_after: int = 0


class CohortComposing:
    """What has been composed for which cohort, and what is next. Blocking."""

    def __init__(self, configuration: Configuration, store: Store, cohorts: Cohorts) -> None:
        self._configuration, self._store, self._cohorts = configuration, store, cohorts
        # By occurrence, and by occurrence and cohort, so that the store is not asked at every tick.
        self._made: dict[int, dict[str, Reason]] = {}
        self._nobody: dict[tuple[int, Cohort], datetime] = {}

    def compose_due(
        self, row: OccurrenceRow, now: datetime, only: Collection[Cohort] | None = None
    ) -> list[EditionRow]:
        """Compose for each cohort whose time for that has come, or for those in ``only`` whatever the time; the new
        editions. An occurrence whose every cohort went without is skipped. Raises StoreError and UnreadableEdits."""
        newsletter = self._configuration.of(row)
        made: list[EditionRow] = []
        over = only is None
        for due in self._cohorts.of(row):
            if only is None and due.due_at - newsletter.compose_lead > now:
                over = False
                break
            if str(due.cohort) in self._known(row) or (only is not None and due.cohort not in only):
                continue
            too_late = not row.by_hand and only is None and now > due.due_at + newsletter.catch_up
            if not too_late and (only is not None or self.anybody(row, due, now)):
                edition = self._compose(row, due, now)
                made += [edition] if edition is not None else []
            elif too_late and self.anybody(row, due, now):
                self._store.write(editions.without, row, due.cohort, due.due_at, Reason.MISSED, now)
                self._known(row)[str(due.cohort)] = Reason.MISSED
                log.warning("missed", edition=f"{row.name}/{due.cohort}")
        if over and row.state is _S.PLANNED and not any(why is Reason.NONE for why in self._known(row).values()):
            span = span_on(newsletter.schedule, row.occurrence.local_date)
            if span is None or now > span[1]:  # until then somebody may come whose hour it will be
                self._skip(row, now)
        return made

    def still_to_come(self, row: OccurrenceRow, now: datetime) -> bool:
        """Whether a cohort of this occurrence has its hour before it, or is to be composed late."""
        catch_up = self._configuration.of(row).catch_up
        return any(
            due.due_at > now or (due.due_at + catch_up >= now and self.anybody(row, due, now))
            for due in self._cohorts.of(row)
            if str(due.cohort) not in self._known(row)
        )

    def anybody(self, row: OccurrenceRow, due: Due, now: datetime) -> bool:
        """Whether there is a reader who would get this cohort's edition and has none of the occurrence yet; where there
        was none, that is asked again a little later."""
        known = (row.id, due.cohort)
        if known in self._nobody and timedelta(0) <= now - self._nobody[known] < LOOK_EVERY:
            return False
        wanted = _ToBe(row.newsletter, row.stream.value, str(row.occurrence), str(due.cohort), due.due_at)
        found = self._store.read(fan_out.has_readers, wanted, due.places) or bool(self._cohorts.staying(row, due))
        if not found:
            if len(self._nobody) > _MOST_COHORTS:
                self._nobody.clear()
            self._nobody[known] = now
        return found

    def _compose(self, row: OccurrenceRow, due: Due, now: datetime) -> EditionRow | None:
        newsletter = self._configuration.of(row)
        composed = compose(self._store, row, row.newsletter, newsletter, cohort=due.cohort, due_at=due.due_at, now=now)
        if composed.made:
            number = len(composed.edition.article_ids) if composed.edition else 0
            log.info("composed", edition=f"{row.name}/{due.cohort}", articles=number)
        if composed.edition is None and composed.occurrence.state not in editions.OPEN:
            return None  # held or cancelled meanwhile
        if composed.edition is None:
            self._made.pop(row.id, None)  # why it goes without, the store knows
            return None
        self._known(row)[str(due.cohort)] = composed.edition.reason
        return composed.edition if composed.edition.reason is Reason.NONE else None

    def _known(self, row: OccurrenceRow) -> dict[str, Reason]:
        if row.id not in self._made:
            while len(self._made) >= _REMEMBERED:
                self._made.pop(next(iter(self._made)))
            self._made[row.id] = self._store.read(editions.cohorts_of, row.id)
        return self._made[row.id]

    def _skip(self, row: OccurrenceRow, now: datetime) -> None:
        """Nobody's hour brought an edition: the reason of the occurrence is that of its cohorts."""
        found = set(self._known(row).values())
        if not found:
            reason, detail = Reason.EMPTY, "nobody was there to get it at any hour"
        elif Reason.MISSED in found:
            reason, detail = Reason.MISSED, "every reader's hour was past by more than its catch_up"
        else:
            reason, detail = min(found), "there was nothing new at any reader's hour"
        self._store.write(occurrences.skip, row.id, reason=reason, detail=detail, now=now)
