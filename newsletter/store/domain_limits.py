"""Messages a minute for groups of domains (gmail, yahoo …), counted in the ledger: all senders keep them together.

One time a group: the generic cell rate algorithm's theoretical arrival time, moved on in the transaction that claims.
Rows of a group beyond its limit are postponed: each is given the time at which it may go, once, so that no later claim
meets it again and no other group waits behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, Dialect, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from newsletter.model import DeliveryState, Priority, Reason
from newsletter.store.columns import Id, UtcDateTime
from newsletter.store.prepared import Prepared
from newsletter.store.row_sets import RowSet
from newsletter.store.tables import deliveries, domain_rates

_MINUTE = timedelta(minutes=1)
_BURST = timedelta(seconds=1)


class Due(NamedTuple):
    """A due row, as far as it matters here. ``postponed``: it was once already."""

    row: int
    domain_group: str
    priority: int
    postponed: bool


class _Rate:
    """One group's place in time, as it is read and written back."""

    def __init__(self, per_minute: int, next_at: datetime, postponed_to: datetime) -> None:
        self.interval = _MINUTE / per_minute
        self.next_at, self.postponed_to = next_at, postponed_to
        self._beside = 0  # rows that were given a time close by in this transaction

    def takes(self, now: datetime) -> bool:
        """Whether one more may go now; if so it is counted."""
        if self.next_at > now + max(_BURST - self.interval, timedelta(0)):
            return False
        self.next_at = max(self.next_at, now) + self.interval
        return True

    def postpone(self, due: Due, now: datetime) -> datetime:
        """When this row may go: a digest after all of its group that wait already, a notice (or a row whose time has
        come before) next, in which case one that has the same time waits a little longer then."""
        if due.priority < Priority.EDITION or due.postponed:
            self._beside += 1
            return max(self.next_at, now) + self.interval * (self._beside - 1)
        self.postponed_to = max(self.postponed_to + self.interval, self.next_at, now)
        return self.postponed_to


class DomainLimits:
    """The limits (messages a minute by group) in one claim's transaction; ``close`` writes what was taken."""

    def __init__(self, connection: Connection, per_minute: Mapping[str, int], now: datetime) -> None:
        self._connection, self._per_minute, self._now = connection, per_minute, now
        self._rates: dict[str, _Rate] = {}
        self._postponed: list[tuple[int, datetime]] = []

    def take(self, due: Due) -> bool:
        """Whether this row may go now; one that may not is postponed."""
        if due.domain_group not in self._per_minute:
            return True
        if not self._rates:
            self._read()
        rate = self._rates[due.domain_group]
        if rate.takes(self._now):
            return True
        self._postponed.append((due.row, rate.postpone(due, self._now)))
        return False

    def postpone(self) -> int:
        """Give the rows that may not go now their times, so that the queue's front is free of them; how many."""
        postponed, self._postponed = self._postponed, []
        if postponed:
            group, statement = _postponing(self._connection.dialect)
            statement.run(self._connection, **group.given(postponed))
        return len(postponed)

    def close(self) -> None:
        """Write what was taken."""
        if self._rates:
            insert = postgresql_insert if self._connection.dialect.name == "postgresql" else sqlite_insert
            upsert = insert(domain_rates)
            upsert = upsert.on_conflict_do_update(
                index_elements=[domain_rates.c.domain_group],
                set_={"next_at": upsert.excluded.next_at, "postponed_to": upsert.excluded.postponed_to},
            )
            rows = [
                {"domain_group": name, "next_at": rate.next_at, "postponed_to": rate.postponed_to}
                for name, rate in sorted(self._rates.items())
            ]
            self._connection.execute(upsert, rows)

    def _read(self) -> None:
        """Lock and read the times of all groups, in one order, so that no two senders wait for each other."""
        statement = select(domain_rates).order_by(domain_rates.c.domain_group).with_for_update()
        stored = {row.domain_group: row for row in self._connection.execute(statement)}
        for name, per_minute in self._per_minute.items():
            row = stored.get(name)
            long_ago = self._now - _MINUTE
            self._rates[name] = _Rate(
                per_minute, row.next_at if row else long_ago, row.postponed_to if row else long_ago
            )


@lru_cache(maxsize=32)
def _postponing(dialect: Dialect) -> tuple[RowSet, Prepared]:
    group = RowSet(dialect, {"row": Id, "until": UtcDateTime()})
    given = group.rows.c
    statement = (
        update(deliveries)
        .where(deliveries.c.id == given.row, deliveries.c.state.concat("") == DeliveryState.QUEUED.value)
        .values(due_at=given.until, reason=Reason.DOMAIN_LIMIT.value)
    )
    return group, Prepared(dialect, statement)


def waiting_for_a_limit(connection: Connection, newsletters: Sequence[str]) -> bool:
    """Whether any row of these newsletters is postponed."""
    return bool(_waiting(connection.dialect, tuple(sorted(newsletters))).run(connection).scalar())


@lru_cache(maxsize=32)
def _waiting(dialect: Dialect, newsletters: tuple[str, ...]) -> Prepared:
    statement = (
        select(deliveries.c.id)
        .where(
            deliveries.c.state == DeliveryState.QUEUED.value,
            deliveries.c.reason == literal_column(f"'{Reason.DOMAIN_LIMIT.value}'"),
            deliveries.c.newsletter.in_(newsletters),
        )
        .limit(1)
    )
    return Prepared(dialect, statement)
