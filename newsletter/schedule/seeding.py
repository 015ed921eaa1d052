"""Whether an edition may go to everybody yet: its seeds get it first, and have some time to say stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import Connection

from newsletter.config.reading import Configuration
from newsletter.members.addresses import parse_address
from newsletter.model import DeliveryState
from newsletter.store import Store, seeding
from newsletter.store.occurrences import OccurrenceRow

log = structlog.get_logger()

QueueSeeds = Callable[[Connection, list[int]], int]
"""Makes the deliveries of these subscribers, in the transaction given; how many are new."""


class Seeds:
    """The seeds of every newsletter. Blocking."""

    def __init__(self, configuration: Configuration, store: Store) -> None:
        self._configuration, self._store = configuration, store

    def follow_at(self, row: OccurrenceRow) -> datetime | None:
        """Until when at least the rest waits for the seeds; None where it does not."""
        newsletter = self._configuration.of(row)
        if not newsletter.seeds or row.occurrence.correction:
            return None
        stands = self._store.read(seeding.of, row.id)
        return None if stands.over or stands.seeded_at is None else stands.seeded_at + newsletter.seed_wait

    def rest_may_follow(self, row: OccurrenceRow, now: datetime, queue: QueueSeeds) -> bool:
        """Whether an occurrence in ``sending`` may be fanned out; its seeds are queued where they were not.

        Held where a seed's mail failed. Where none has arrived yet when ``seed_wait`` is over, it waits on: the relay
        takes nothing, and would take nothing of the rest.
        """
        newsletter = self._configuration.of(row)
        if not newsletter.seeds or row.occurrence.correction:
            return True
        stands = self._store.read(seeding.of, row.id)
        if stands.over:
            return True
        if stands.seeded_at is None:
            queued = self._store.write(self._begin, row, now, queue)
            log.info("the seeds get it first", edition=str(row.name), seeds=queued)
            if not queued:
                log.warning("no seed is subscribed; everybody gets it at once", edition=str(row.name))
            return not queued
        failed = [one for one in stands.seeds if one.state is DeliveryState.FAILED]
        if failed:
            detail = f"the seed {failed[0].address} did not get it: {failed[0].reply or failed[0].reason.value}"
            if self._store.write(seeding.hold, row, detail, now):
                log.error("held", edition=str(row.name), error=detail)
            return False
        moving = any(one.state in (DeliveryState.QUEUED, DeliveryState.SENDING) for one in stands.seeds)
        arrived = any(one.state is DeliveryState.SENT for one in stands.seeds)
        if now < stands.seeded_at + newsletter.seed_wait or (moving and not arrived):
            return False
        self._store.write(seeding.end, row.id)
        return True

    def _begin(self, connection: Connection, row: OccurrenceRow, now: datetime, queue: QueueSeeds) -> int:
        wanted = [parse_address(address) for address in self._configuration.of(row).seeds]
        ids = seeding.subscribed(connection, row.newsletter, wanted)
        queued = queue(connection, ids) if ids else 0
        seeding.begin(connection, row.id, now)
        if not queued:
            seeding.end(connection, row.id)
        return queued
