"""What the ledger of deliveries holds of one subscriber: is a message to her on the wire now, and what was sent her."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select

from newsletter.model import DeliveryState
from newsletter.store.tables import deliveries


def on_the_wire(connection: Connection, subscriber_id: int, newsletter: str | None = None) -> int:
    """How many deliveries to her a sender has in hand (of ``newsletter``; None: of any).

    A row in ``sending`` that no sender holds is in doubt and waits for a person: nothing more goes on the wire for it.
    """
    query = (
        select(func.count())
        .select_from(deliveries)
        .where(
            deliveries.c.subscriber_id == subscriber_id,
            deliveries.c.state == DeliveryState.SENDING,
            deliveries.c.sender != 0,
        )
    )
    if newsletter is not None:
        query = query.where(deliveries.c.newsletter == newsletter)
    return connection.execute(query).scalar_one()


def reader(connection: Connection, subscriber_id: int) -> Sequence[Row[Any]]:
    """Her whole rows, oldest first."""
    rows = select(deliveries).where(deliveries.c.subscriber_id == subscriber_id).order_by(deliveries.c.id)
    return connection.execute(rows).all()
