"""What readers had elsewhere: the other deliveries of claimed rows' readers, and what is marked.

Elsewhere is another newsletter of that day, or, for who moved from another hour, zone or stream, the editions that she
had there.

The ledger says which editions she got, with which sections; which stories those were, its caller works out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, or_, select, update
from sqlalchemy.sql import ColumnElement

from newsletter.model import DeliveryState, Kind, Reason
from newsletter.store.tables import deliveries, editions, subscribers

_OTHERS = (DeliveryState.QUEUED.value, DeliveryState.SENDING.value, DeliveryState.SENT.value)
LONGEST_DAY = timedelta(hours=26)
"""A date is 24 hours long, but for the end of summer time and the changes of a zone."""


@dataclass(frozen=True, slots=True)
class Hers:
    """The part of a delivery that says what it holds. ``due_at`` is its edition's, UTC; ``timezone`` the reader's, or
    ''. ``sections`` and ``had`` are as they are stored."""

    id: int
    subscriber_id: int
    newsletter: str
    edition_id: int
    due_at: datetime
    timezone: str
    sections: str
    had: str
    moved: bool


def to_claim(connection: Connection, sender: int, ids: Collection[int], newsletters: Collection[str]) -> list[Hers]:
    """Those of the rows that ``sender`` holds for the first time, of these newsletters or of readers who moved; a mail
    that is tried again stays as it was."""
    return _hers(
        connection,
        deliveries.c.id.in_(sorted(ids)),
        or_(deliveries.c.newsletter.in_(sorted(newsletters)), deliveries.c.moved.is_(True)),
        deliveries.c.sender == sender,
        deliveries.c.attempt == 1,
        deliveries.c.doubted.is_(False),
        deliveries.c.in_reply_to == "",
    )


def delivery(connection: Connection, delivery_id: int) -> Hers | None:
    """One row of the ledger."""
    return next(iter(_hers(connection, deliveries.c.id == delivery_id)), None)


def others(
    connection: Connection, readers: Collection[int], newsletters: Collection[str], due_at: datetime
) -> list[Hers]:
    """What these readers got, or will get, of ``newsletters``, due at most a long day before ``due_at``, or then."""
    return _hers(
        connection,
        deliveries.c.subscriber_id.in_(sorted(readers)),
        deliveries.c.newsletter.in_(sorted(newsletters)),
        deliveries.c.kind == Kind.EDITION.value,
        deliveries.c.state.in_(_OTHERS),
        and_(editions.c.due_at <= due_at, editions.c.due_at > due_at - LONGEST_DAY),
    )


def before_she_moved(
    connection: Connection, readers: Collection[int], newsletter: str, due_at: datetime, since: datetime
) -> list[Hers]:
    """What these readers got, or will get, of ``newsletter`` itself, due after ``since`` and before ``due_at``."""
    return _hers(
        connection,
        deliveries.c.subscriber_id.in_(sorted(readers)),
        deliveries.c.newsletter == newsletter,
        deliveries.c.kind == Kind.EDITION.value,
        deliveries.c.state.in_(_OTHERS),
        and_(editions.c.due_at <= due_at, editions.c.due_at > since),
    )


def mark(
    connection: Connection, had: Mapping[int, Sequence[int]], left_with_nothing: Collection[int], now: datetime
) -> None:
    """Write down what of each row's edition its reader had, and skip the rows of which nothing is left."""
    if had:
        connection.execute(
            update(deliveries).where(deliveries.c.id == bindparam("row")).values(had=bindparam("ids")),
            [{"row": row_id, "ids": encode(ids)} for row_id, ids in had.items()],
        )
    if left_with_nothing:
        connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(sorted(left_with_nothing)))
            .values(
                state=DeliveryState.SKIPPED.value,
                reason=Reason.ALL_HAD.value,
                sender=0,
                attempt=deliveries.c.attempt - 1,
                changed_at=now,
            )
        )


def encode(ids: Sequence[int]) -> str:
    """Ids of articles as the column ``had`` holds them; '' for none."""
    return json.dumps(list(ids), separators=(",", ":")) if ids else ""


def decode(column: str) -> tuple[int, ...]:
    """What ``encode`` wrote."""
    return tuple(json.loads(column)) if column else ()


def _hers(connection: Connection, *conditions: ColumnElement[bool]) -> list[Hers]:
    statement = (
        select(
            deliveries.c.id,
            deliveries.c.subscriber_id,
            deliveries.c.newsletter,
            deliveries.c.edition_id,
            editions.c.due_at,
            subscribers.c.timezone,
            deliveries.c.sections,
            deliveries.c.had,
            deliveries.c.moved,
        )
        .select_from(deliveries)
        .join(editions, editions.c.id == deliveries.c.edition_id)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(*conditions)
    )
    return [Hers(**row._mapping) for row in connection.execute(statement)]
