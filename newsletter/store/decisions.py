"""What a person decides about occurrences and deliveries: the change and its line in the audit, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from newsletter.errors import UsageError
from newsletter.model import OccurrenceState, Reason, StreamName
from newsletter.store import audit, deliveries, gates, occurrences
from newsletter.store.deliveries import DeliveryRow
from newsletter.store.occurrences import OccurrenceRow

_PAGE = 500


def hold(connection: Connection, row: OccurrenceRow, *, actor: str, detail: str = "", now: datetime) -> bool:
    """Hold an occurrence; False where it cannot be held (sent, over, or held already)."""
    held = occurrences.hold(connection, row.id, reason=Reason.BY_HAND, detail=detail, now=now)
    if held:
        audit.record(connection, actor=actor, action="hold", subject=str(row.name), detail=detail, now=now)
    return held


def release(
    connection: Connection, row: OccurrenceRow, *, actor: str, overrule: bool = True, now: datetime
) -> OccurrenceState | None:
    """Let a held occurrence go on where it was, despite the gates that hold it or, without ``overrule``, to be looked
    at by them again; that state, or None when it is not held."""
    state, despite = gates.release(connection, row, overrule=overrule, now=now)
    if state is not None:
        detail = state.value + (f", despite {despite}" if despite else "")
        audit.record(connection, actor=actor, action="release", subject=str(row.name), detail=detail, now=now)
    return state


def release_deliveries(
    connection: Connection,
    ids: Collection[int] | None,
    *,
    actor: str,
    retry_for: Mapping[StreamName, timedelta],
    now: datetime,
) -> int:
    """Send deliveries in doubt again (None: all of them); the number. ``retry_for`` by stream.

    Raises UsageError, and changes nothing, where one of ``ids`` is not in doubt.
    """
    rows = _in_doubt(connection, ids)
    longest = max(retry_for.values(), default=timedelta(hours=8))
    for name in sorted({StreamName(row.newsletter, row.stream) for row in rows}):
        these = [row.id for row in rows if (row.newsletter, row.stream) == name]
        deliveries.release_in_doubt(connection, these, now, retry_for.get(name, longest))
    _record(connection, rows, actor, "release", now)
    return len(rows)


def close_deliveries(connection: Connection, ids: Collection[int] | None, *, actor: str, now: datetime) -> int:
    """Count deliveries in doubt as sent (None: all of them); the number.

    Raises UsageError, and changes nothing, where one of ``ids`` is not in doubt.
    """
    rows = _in_doubt(connection, ids)
    deliveries.close_in_doubt(connection, [row.id for row in rows], now)
    _record(connection, rows, actor, "close", now)
    return len(rows)


def _in_doubt(connection: Connection, ids: Collection[int] | None) -> list[DeliveryRow]:
    found: list[DeliveryRow] = []
    while page := deliveries.listing(
        connection, ids=ids, in_doubt=True, after=found[-1].id if found else 0, limit=_PAGE
    ):
        found += page
    missing = sorted(set(ids or ()) - {row.id for row in found})
    if missing:
        raise UsageError(
            f"delivery {missing[0]} is not in doubt",
            remedy="`newsletter deliveries list --in-doubt` lists those that are; nothing was changed",
        )
    return found


def _record(connection: Connection, rows: list[DeliveryRow], actor: str, action: str, now: datetime) -> None:
    for row in rows:
        subject = f"delivery/{row.id}"
        audit.record(connection, actor=actor, action=action, subject=subject, detail=row.edition, now=now)
