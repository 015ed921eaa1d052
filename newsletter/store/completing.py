"""When an occurrence is sent: once everyone has a delivery and none still moves.

That is decided, and written, with the occurrence's row taken first. Whoever queues deliveries again takes it first too
and opens what is sent in the same transaction; so of the two, the later sees what the earlier did.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from newsletter.model import OccurrenceState
from newsletter.store import deliveries, editions, occurrences

_S = OccurrenceState


def finished(connection: Connection, occurrence_id: int) -> bool:
    """Whether everyone has a delivery and none still moves."""
    return not editions.unfinished(connection, occurrence_id) and not deliveries.still_moves(connection, occurrence_id)


def complete(connection: Connection, occurrence_id: int, now: datetime) -> bool:
    """sending -> sent where it is finished; False where it is not, or is not sending."""
    # In a statement of its own: the next one's snapshot (READ COMMITTED) has all that was committed before it.
    occurrences.lock(connection, [occurrence_id])
    return finished(connection, occurrence_id) and occurrences.transition(
        connection, occurrence_id, _S.SENT, from_={_S.SENDING}, now=now
    )
