"""A From domain that nobody knows yet sends a little more each day: how much of a day's number is used up.

Counted in the transaction that makes the deliveries, over all newsletters of the domain, so that a restart counts on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.sql import ColumnElement

from newsletter.model import DeliveryState
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import deliveries, subscriptions, warm_up_days


@dataclass(frozen=True, slots=True)
class WarmUp:
    """What a From domain may send on a day of the site's: ``most`` messages."""

    domain: str
    day: date
    most: int


def left(connection: Connection, warm_up: WarmUp) -> int:
    """How many more messages may be queued; the day's row is locked until this transaction ends."""
    connection.execute(
        insert_ignoring_conflicts(connection, warm_up_days).values(domain=warm_up.domain, day=warm_up.day, queued=0)
    )
    used = connection.execute(select(warm_up_days.c.queued).where(_of(warm_up)).with_for_update()).scalar_one()
    return max(warm_up.most - int(used), 0)


def count(connection: Connection, warm_up: WarmUp, edition_id: int, which: ColumnElement[bool]) -> None:
    """Count what a page of an edition (``which`` of its subscriptions) has queued."""
    queued = (
        select(func.count())
        .select_from(deliveries)
        .join(
            subscriptions,
            and_(
                subscriptions.c.newsletter == deliveries.c.newsletter,
                subscriptions.c.subscriber_id == deliveries.c.subscriber_id,
            ),
        )
        .where(deliveries.c.edition_id == edition_id, deliveries.c.state == DeliveryState.QUEUED.value, which)
        .scalar_subquery()
    )
    connection.execute(warm_up_days.update().where(_of(warm_up)).values(queued=warm_up_days.c.queued + queued))


def _of(warm_up: WarmUp) -> ColumnElement[bool]:
    return and_(warm_up_days.c.domain == warm_up.domain, warm_up_days.c.day == warm_up.day)
