"""What of the ledger one subscriber's consent asks about: is a message to her on the wire at this moment?"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

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
