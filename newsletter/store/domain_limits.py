"""Messages a minute for groups of domains (gmail, yahoo …), counted in the ledger: all senders keep them together.

One time a group: the generic cell rate algorithm's theoretical arrival time, moved on in the transaction that claims.
Rows of a group beyond its limit are postponed: each is given the time at which it may go, once, so that no later claim
meets it again and no other group waits behind it. Those before it may never go (stopped, cancelled): where a group has
time to spare while some of it wait for later, they move up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Dialect, Select, exists, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from newsletter.model import DeliveryState, Priority, Reason
from newsletter.store.columns import Id, UtcDateTime
from newsletter.store.prepared import Prepared
from newsletter.store.row_sets import RowSet
from newsletter.store.tables import deliveries, domain_rates, occurrences

_MINUTE = timedelta(minutes=1)
_BURST = timedelta(seconds=1)
_MOVED_UP_AT_ONCE = 1000


class Due(NamedTuple):
    """A due row, as far as it matters here. ``postponed``: it was once already."""

    row: int
    domain_group: str
    priority: int
    postponed: bool

    @property
    def goes_last(self) -> bool:
        """Whether, if it may not go now, it waits behind all of its group that wait already."""
        return self.priority >= Priority.EDITION and not self.postponed


class _Waiting(NamedTuple):
    """A postponed row and the time it was given."""

    row: int
    due_at: datetime


class _Rate:
    """One group's place in time, as it is read and written back."""

    def __init__(self, per_minute: int, next_at: datetime, postponed_to: datetime) -> None:
        self.interval = _MINUTE / per_minute
        self.next_at, self.postponed_to = next_at, postponed_to
        self._found_at = next_at  # before anything was taken in this transaction
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
        if not due.goes_last:
            self._beside += 1
            return max(self.next_at, now) + self.interval * (self._beside - 1)
        self.postponed_to = max(self.postponed_to + self.interval, self.next_at, now)
        return self.postponed_to

    def spare(self, now: datetime) -> bool:
        """Whether one may go now, while others are believed to wait for later."""
        return self.next_at <= now < self.postponed_to

    def doubtful(self, now: datetime) -> bool:
        """Whether, for a while, nobody went although others are believed to wait; asked once in a transaction."""
        doubtful = self._found_at + _BURST <= now < self.postponed_to
        self._found_at = now
        return doubtful

    def move_up(self, waiting: Sequence[_Waiting], now: datetime, *, all_of_them: bool) -> list[tuple[int, datetime]]:
        """The times that the first who wait are given instead; none where one of them is due, and so on its way.
        ``all_of_them``: nobody else waits."""
        if any(one.due_at <= now for one in waiting):
            return []
        first = max(self.next_at, now)
        times = [min(one.due_at, first + self.interval * place) for place, one in enumerate(waiting)]
        if all_of_them:
            self.postponed_to = max(times, default=now)
        return [(one.row, sooner) for one, sooner in zip(waiting, times, strict=True) if sooner < one.due_at]


class DomainLimits:
    """The limits (messages a minute by group) in one claim's transaction; ``close`` writes what was taken.
    ``going_out`` makes the condition that mail of an occurrence may go now."""

    def __init__(
        self,
        connection: Connection,
        per_minute: Mapping[str, int],
        now: datetime,
        going_out: Callable[[], ColumnElement[bool]],
    ) -> None:
        self._connection, self._per_minute, self._now, self._going_out = connection, per_minute, now, going_out
        self._rates: dict[str, _Rate] = {}
        self._postponed: list[tuple[int, datetime]] = []

    def take(self, due: Due) -> bool:
        """Whether this row may go now; one that may not is postponed."""
        if due.domain_group not in self._per_minute:
            return True
        if not self._rates:
            self._rates = self._read(_LOCKED)
        rate = self._rates[due.domain_group]
        if rate.takes(self._now):
            return True
        if due.goes_last and rate.doubtful(self._now):
            self._move_up(due.domain_group, rate)
        self._postponed.append((due.row, rate.postpone(due, self._now)))
        return False

    def postpone(self) -> int:
        """Give the rows that may not go now their times, so that the queue's front is free of them; how many."""
        postponed, self._postponed = self._postponed, []
        if postponed:
            group, statement = _postponing(self._connection.dialect)
            statement.run(self._connection, **group.given(postponed))
        return len(postponed)

    def move_up(self) -> int:
        """Where a group has time to spare while some of it wait for later, they go from now on; how many. For a claim
        that has met all that is due."""
        rates = self._rates or self._read(_STORED)
        if not any(rate.spare(self._now) for rate in rates.values()):
            return 0
        self._rates = self._rates or self._read(_LOCKED)
        for group, rate in self._rates.items():
            if rate.spare(self._now):
                self._move_up(group, rate)
        return self.postpone()

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

    def _move_up(self, group: str, rate: _Rate) -> None:
        waiting = self._waiting(group)
        self._postponed += rate.move_up(waiting, self._now, all_of_them=len(waiting) < _MOVED_UP_AT_ONCE)

    def _waiting(self, group: str) -> list[_Waiting]:
        """The first postponed rows of a group, of what goes out. What another claim holds is about to go."""
        statement = (
            select(deliveries.c.id, deliveries.c.due_at)
            .where(
                deliveries.c.state == literal_column(f"'{DeliveryState.QUEUED.value}'"),
                deliveries.c.reason == Reason.DOMAIN_LIMIT.value,
                deliveries.c.domain_group == group,
                exists().where(occurrences.c.id == deliveries.c.occurrence_id, self._going_out()),
            )
            .order_by(deliveries.c.priority, deliveries.c.due_at, deliveries.c.id)
            .limit(_MOVED_UP_AT_ONCE)
            .with_for_update(of=deliveries, skip_locked=True)
        )
        return [_Waiting(*row) for row in self._connection.execute(statement)]

    def _read(self, statement: Select[Any]) -> dict[str, _Rate]:
        """The times of all groups."""
        stored = {row.domain_group: row for row in self._connection.execute(statement)}
        rates: dict[str, _Rate] = {}
        for name, per_minute in self._per_minute.items():
            row = stored.get(name)
            long_ago = self._now - _MINUTE
            rates[name] = _Rate(per_minute, row.next_at if row else long_ago, row.postponed_to if row else long_ago)
        return rates


# Locked in one order, so that no two senders wait for each other.
_STORED = select(domain_rates)
_LOCKED = _STORED.order_by(domain_rates.c.domain_group).with_for_update()


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
