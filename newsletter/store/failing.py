"""Holding an occurrence of which too much is refused while it goes out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from newsletter.model import EditionName, OccurrenceState, Reason
from newsletter.store import audit, occurrences
from newsletter.store.tables import editions


def hold(connection: Connection, edition_id: int, detail: str, now: datetime) -> EditionName | None:
    """Hold the occurrence of an edition, if it is sending; its name, or None where it is not."""
    occurrence_id = connection.execute(select(editions.c.occurrence_id).where(editions.c.id == edition_id)).scalar_one()
    held = occurrences.transition(
        connection,
        occurrence_id,
        OccurrenceState.HELD,
        from_={OccurrenceState.SENDING},
        reason=Reason.DELIVERY_FAILING,
        detail=detail,
        now=now,
    )
    row = occurrences.get(connection, occurrence_id)
    if not held or row is None:
        return None
    audit.record(connection, actor="newsletter", action="hold", subject=str(row.name), detail=detail, now=now)
    return row.name
