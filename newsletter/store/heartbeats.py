"""When each recurring thing last ran and is next due, so that ``status`` can tell when one has gone silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import heartbeats


@dataclass(frozen=True, slots=True)
class HeartbeatRow:
    """One recurring thing. ``error`` is what its last run ended with, '' where that went well. Times are UTC."""

    name: str
    last_at: datetime
    next_due_at: datetime | None
    error: str


def beat(connection: Connection, name: str, now: datetime, next_due_at: datetime | None, error: str = "") -> None:
    """Write down that ``name`` has just run, how that went, and when it is next due (None: nobody knows)."""
    values = {"last_at": now, "next_due_at": next_due_at, "error": error}
    connection.execute(insert_ignoring_conflicts(connection, heartbeats).values(name=name, **values))
    connection.execute(update(heartbeats).where(heartbeats.c.name == name).values(**values))


def listing(connection: Connection) -> list[HeartbeatRow]:
    """Every recurring thing, by name."""
    return [
        HeartbeatRow(name=row.name, last_at=row.last_at, next_due_at=row.next_due_at, error=row.error)
        for row in connection.execute(select(heartbeats).order_by(heartbeats.c.name))
    ]
