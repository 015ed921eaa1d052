"""The ledger after mail was on its way.

    record     ``sending -> sent | queued | failed``, only for rows that this sender still holds
    recover    rows in ``sending`` that nobody holds any more: in doubt

What is recorded comes as a group, in one statement that is prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, Dialect, Integer, String, Text, and_, case, func, or_, select, update

from newsletter.model import DeliveryState, Reason
from newsletter.store.claiming import Claim, found_in_state
from newsletter.store.columns import Id, UtcDateTime
from newsletter.store.prepared import Prepared, parameter
from newsletter.store.row_sets import RowSet
from newsletter.store.tables import deliveries

# Of so many tries, one before in doubt and the last again, a person has to decide about the next: that none is in doubt
# more often. Those between that were put off count as well; a row remembers no more than this.
MOST_TRIES_IN_DOUBT = 3


class Outcome(NamedTuple):
    """What became of one claimed delivery. ``due_at`` is when a deferred or released one may be tried again; of a
    ``doubted`` one the relay's answer was lost, whatever was decided for it."""

    delivery_id: int
    state: DeliveryState
    reason: Reason
    relay: str = ""
    reply: str = ""
    due_at: datetime | None = None
    doubted: bool = False


def record(connection: Connection, sender: int, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write what became of claimed rows. A row that this sender no longer holds is left as it is."""
    group, statement = _recording(connection.dialect)
    given = group.given(
        [
            (
                outcome.delivery_id,
                outcome.state.value,
                outcome.reason.value,
                int(outcome.reason is Reason.RELEASED),
                int(outcome.doubted),
                outcome.relay,
                outcome.reply[:500],
                outcome.due_at,
            )
            for outcome in outcomes
        ]
    )
    statement.run(connection, now=now, us=sender, **given)


@lru_cache(maxsize=32)
def _recording(dialect: Dialect) -> tuple[RowSet, Prepared]:
    time = UtcDateTime()
    group = RowSet(
        dialect,
        {
            "row": Id,
            "to": String(),
            "why": String(),
            "untried": Integer(),
            "doubtful": Integer(),
            "by": String(),
            "said": Text(),
            "again": time,
        },
    )
    given, now = group.rows.c, parameter("now", time)
    statement = (
        update(deliveries)
        .where(
            deliveries.c.id == given.row,
            found_in_state(DeliveryState.SENDING),
            deliveries.c.sender + 0 == parameter("us", Integer),
        )
        .values(
            state=given.to,
            reason=given.why,
            sender=0,
            attempt=deliveries.c.attempt - given.untried,
            doubted=or_(deliveries.c.doubted, given.doubtful == 1),
            relay=given.by,
            reply=given.said,
            due_at=func.coalesce(given.again, deliveries.c.due_at),
            sent_at=case((given.to == DeliveryState.SENT.value, now)),
            changed_at=now,
        )
    )
    return group, Prepared(dialect, statement)


def exchange(
    connection: Connection,
    sender: int,
    outcomes: Sequence[Outcome],
    claims: Sequence[Callable[[Connection], Claim]],
    now: datetime,
) -> list[Claim]:
    """Record these outcomes and make these claims in one transaction, which costs the disk one wait."""
    if outcomes:
        record(connection, sender, outcomes, now)
    return [claim_more(connection) for claim_more in claims]


def recover(
    connection: Connection, dead_senders: Collection[int], *, keep: Collection[str], now: datetime
) -> tuple[int, int]:
    """Take rows in ``sending`` from senders that are gone: (given back to the queue, kept for a person).

    A newsletter in ``keep`` leaves its rows where they are, in doubt, held by nobody; every other's go back to
    ``queued`` with the same Message-ID (RFC 5321 §4.5.3.2.6: no reply to the final dot means nobody knows), but for
    those in doubt too often.
    """
    theirs = and_(deliveries.c.state == DeliveryState.SENDING.value, deliveries.c.sender.in_(sorted(dead_senders)))
    too_often = and_(deliveries.c.doubted, deliveries.c.attempt >= MOST_TRIES_IN_DOUBT)
    kept = connection.execute(
        update(deliveries)
        .where(theirs, or_(deliveries.c.newsletter.in_(sorted(keep)), too_often))
        .values(sender=0, reason=Reason.IN_DOUBT.value, doubted=True, changed_at=now)
    ).rowcount
    again = connection.execute(
        update(deliveries)
        .where(theirs)
        .values(
            state=DeliveryState.QUEUED.value,
            sender=0,
            reason=Reason.RESENT_IN_DOUBT.value,
            doubted=True,
            due_at=now,
            changed_at=now,
        )
    ).rowcount
    return again, kept


def senders_at_work(connection: Connection) -> set[int]:
    """The ids of the senders that rows in ``sending`` name."""
    rows = connection.execute(
        select(deliveries.c.sender)
        .where(deliveries.c.state == DeliveryState.SENDING.value, deliveries.c.sender > 0)
        .distinct()
    )
    return set(rows.scalars())
