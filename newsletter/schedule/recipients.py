"""Who gets an edition: its deliveries are made page by page, beside sending, as its newsletter says.

A page holds so many subscribers as keep nobody waiting for the writer (Invariant 7); how far it went stands with the
edition, so that a restart goes on there. Blocking: run it off the event loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from newsletter.compose.keys import has_stories
from newsletter.config.reading import Configuration
from newsletter.schedule.cohorts import Cohorts, Due
from newsletter.store import Store, corrections, fan_out
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.warming_up import WarmUp

FAN_OUT_PAGE = 1000
FAN_OUT_LEAST, FAN_OUT_MOST = 200, 20_000
# How long a page takes: on SQLite it keeps every other writer waiting, on PostgreSQL nobody.
FAN_OUT_SECONDS, FAN_OUT_SECONDS_BESIDE_OTHERS = 0.028, 0.25


class Recipients:
    """Makes the deliveries of editions, for one configuration and store."""

    def __init__(self, configuration: Configuration, store: Store, cohorts: Cohorts) -> None:
        self._configuration, self._store, self._cohorts = configuration, store, cohorts

    def make_all(
        self, row: OccurrenceRow, these: Iterable[EditionRow], now: datetime, stopping: Callable[[], bool]
    ) -> int:
        """Make the deliveries of these editions of an occurrence or a correction; how many subscribers were seen."""
        seen, limit = 0, FAN_OUT_PAGE
        for edition in these:
            while edition.fanned_out_at is None and not stopping():
                seen += self._add_staying(row, edition, now)
                began = time.perf_counter()
                page = self._store.write(self._page(row, edition, now), limit=limit)
                seen += page
                if page == 0:
                    seen += self._add_staying(row, edition, now)
                    break
                limit = next_page(limit, time.perf_counter() - began, alone=self._store.is_sqlite)
        return seen

    def add(
        self, connection: Connection, row: OccurrenceRow, edition: EditionRow, who: Collection[int], now: datetime
    ) -> int:
        """Make the deliveries of an edition for these subscribers, due now; the number of new ones."""
        newsletter = self._configuration.of(row)
        counts = self._configuration.moves_count(row.newsletter)
        return fan_out.add_recipients(
            connection,
            edition.id,
            who,
            languages=self._configuration.languages(row.newsletter),
            expires_at=now + newsletter.tried_for,
            now=now,
            has_stories=lambda sections: has_stories(sections, newsletter, edition.edition),
            targeting=self._configuration.targets.of(row.newsletter),
            moved_since=None if counts is None else edition.due_at - counts,
            clocks=self._configuration.clocks(row.newsletter),
        )

    def _page(self, row: OccurrenceRow, edition: EditionRow, now: datetime) -> Callable[..., int]:
        """What makes the next page of an edition's deliveries, or of a correction's."""
        newsletter = self._configuration.of(row)
        expires_at = now + newsletter.tried_for
        if row.occurrence.correction:
            return partial(corrections.fan_out_page, correction=row, expires_at=expires_at, now=now)
        pool, due = edition.edition, self._due_of(row, edition)
        counts = self._configuration.moves_count(row.newsletter)
        return partial(
            fan_out.fan_out_page,
            edition_id=edition.id,
            languages=self._configuration.languages(row.newsletter),
            expires_at=expires_at,
            now=now,
            has_stories=lambda sections: has_stories(sections, newsletter, pool),
            warm_up=self._warm_up(newsletter.from_mailbox.address, row.due_at),
            targeting=self._configuration.targets.of(row.newsletter),
            places=due.places if due is not None else (),
            asked_for=self._configuration.asked_for(row.newsletter, row.stream),
            moved_since=None if counts is None else edition.due_at - counts,
            clocks=self._configuration.clocks(row.newsletter),
        )

    def _warm_up(self, sender: str, due_at: datetime) -> WarmUp | None:
        """What is left to a From domain that warms up, on the day of the site's that an edition is due."""
        schedules = self._configuration.schedules
        domain = sender.rpartition("@")[2].lower()
        if domain not in schedules.warm_up:
            return None
        day = due_at.astimezone(schedules.site.zone).date()
        most = schedules.warm_up[domain].most(day)
        return None if most is None else WarmUp(domain, day, most)

    def _add_staying(self, row: OccurrenceRow, edition: EditionRow, now: datetime) -> int:
        """Make the deliveries of the readers of this cohort who have moved on, and get this occurrence with it for the
        last time; how many there were. Asked before every page, and after the last: who moves between two is on none.
        """
        due = self._due_of(row, edition)
        staying = self._cohorts.staying(row, due) if due is not None else []
        return self._store.write(self.add, row, edition, staying, now) if staying else 0

    def _due_of(self, row: OccurrenceRow, edition: EditionRow) -> Due | None:
        if not edition.cohort:
            return None
        return next((one for one in self._cohorts.of(row) if str(one.cohort) == edition.cohort), None)


def next_page(limit: int, seconds: float, *, alone: bool = True) -> int:
    """How many subscribers the next page of a fan-out may have after one of ``limit`` took ``seconds``.

    Where only one may write (``alone``), as many as hold the writer for some 28 ms, so that nobody waits long for it
    (Invariant 7); else as many as one may wait for. At most twice as many as before.
    """
    hold = FAN_OUT_SECONDS if alone else FAN_OUT_SECONDS_BESIDE_OTHERS
    fitting = int(limit * hold / max(seconds, 1e-6))
    return max(FAN_OUT_LEAST, min(fitting, limit * 2, FAN_OUT_MOST))
