"""An occurrence waits for an editor's approval, and gets it: with the line in the audit, in one transaction."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, or_, update

from newsletter.model import OccurrenceState, Reason
from newsletter.store import audit, occurrences
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.tables import occurrences as table

_S = OccurrenceState


def wait(connection: Connection, row: OccurrenceRow, detail: str, now: datetime) -> bool:
    """Say of a composed occurrence, which is rendered and checked, that it waits for approval; False where it says so
    already, is composed no longer, or was edited since ``row`` was read."""
    return bool(
        connection.execute(
            update(table)
            .where(
                table.c.id == row.id,
                table.c.state == _S.COMPOSED.value,
                table.c.edited == row.edited,
                or_(table.c.reason != Reason.AWAITING_APPROVAL.value, table.c.detail != detail),
            )
            .values(reason=Reason.AWAITING_APPROVAL.value, detail=detail, changed_at=now)
        ).rowcount
    )


def approve(connection: Connection, row: OccurrenceRow, *, actor: str, detail: str = "", now: datetime) -> bool:
    """Approve an occurrence that is composed, or held because nobody had approved it in time.

    False where it is neither (any more), or was edited since ``row`` was read: then it has to be looked at again.
    """
    current = occurrences.get(connection, row.id, lock=True)
    if current is None or current.edited != row.edited:
        return False
    if current.state is _S.HELD and current.reason is Reason.AWAITING_APPROVAL:
        occurrences.release(connection, row.id, now=now)
    approved = occurrences.transition(connection, row.id, _S.APPROVED, from_={_S.COMPOSED}, edited=row.edited, now=now)
    if approved:
        audit.record(connection, actor=actor, action="approve", subject=str(row.name), detail=detail, now=now)
    return approved
