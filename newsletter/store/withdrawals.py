"""Whether consent was withdrawn, or the occurrence stopped, since a delivery was claimed: asked as late as can be, just
before its body is written.

Asked for every message, so it has to be cheap: the newest withdrawal is one look at an index, on a connection that is
kept for it; only where it is newer than a claim is it asked whose it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from sqlalchemy import Connection, Dialect, func, not_, select

from newsletter.store.claiming import Claimed, going_out
from newsletter.store.database import Store
from newsletter.store.prepared import Prepared
from newsletter.store.suppressions import EVERYBODY
from newsletter.store.tables import editions, occurrences, revocations


def last_withdrawal(connection: Connection) -> int:
    """The id of the newest withdrawal of consent, 0 where there is none."""
    return int(_newest(connection.dialect).run(connection).scalar() or 0)


@lru_cache(maxsize=32)
def _newest(dialect: Dialect) -> Prepared:
    return Prepared(dialect, select(func.max(revocations.c.id)))


def withdrawn(connection: Connection, rows: Collection[Claimed]) -> frozenset[int]:
    """The ids of those deliveries that must not go any more: consent was withdrawn after they were claimed, or their
    occurrence was stopped or held. Asked just before the bodies.

    Ids are in order: a withdrawal locks the subscriber's row first, so one that the claim did not see took its id
    after the claim had read the newest. So where none is newer than a claim (``last_withdrawal``), it stands.
    """
    since = min((row.withdrawals_seen for row in rows), default=0)
    found = connection.execute(
        select(revocations.c.id, revocations.c.subscriber_id, revocations.c.newsletter).where(
            revocations.c.id > since,
            revocations.c.subscriber_id.in_({row.subscriber_id for row in rows} | {EVERYBODY}),
        )
    ).all()
    halted = _halted(connection, rows) if any(one.subscriber_id == EVERYBODY for one in found) else frozenset()
    return frozenset(row.id for row in rows if row.edition_id in halted) | frozenset(
        row.id
        for row in rows
        for one in found
        if one.id > row.withdrawals_seen
        and one.subscriber_id == row.subscriber_id
        and one.newsletter in (row.newsletter, "")
    )


def _halted(connection: Connection, rows: Collection[Claimed]) -> frozenset[int]:
    """Those of the editions of these deliveries whose occurrence does not go out any more."""
    statement = (
        select(editions.c.id)
        .join(occurrences, occurrences.c.id == editions.c.occurrence_id)
        .where(editions.c.id.in_({row.edition_id for row in rows}), not_(going_out()))
    )
    return frozenset(connection.execute(statement).scalars())


class Withdrawals:
    """Asks a store, again and again, on a connection of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._text = _newest(store.engine.dialect).text
        self._thread = None if store.is_sqlite else ThreadPoolExecutor(1, "withdrawals")
        self._connection = store.keep_reading()

    def newest_at_once(self) -> int | None:
        """The id of the newest withdrawal where the store can say it without being waited for, else None.

        SQLite in WAL reads beside its writer; outside a transaction each question sees what is committed by then.
        Raises StoreError.
        """
        if self._thread is not None:
            return None
        return self._newest()

    async def among(self, rows: Collection[Claimed]) -> frozenset[int]:
        """The ids of the deliveries among these that must not go any more (see ``withdrawn``). Raises StoreError."""
        if self._thread is not None:
            newest = await asyncio.wrap_future(self._thread.submit(self._newest))
        else:
            newest = self._newest()
        if all(newest <= row.withdrawals_seen for row in rows):
            return frozenset()
        return await self._store.read_async(withdrawn, rows)

    def close(self) -> None:
        """Give the connection back. Blocking."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        self._connection.close()

    def _newest(self) -> int:
        return self._connection.ask(self._text)
