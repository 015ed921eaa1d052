"""What people did to occurrences, deliveries and subscribers: written by the commands, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from newsletter.store.tables import audit


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act: who (``actor``) did what (``action``) to which thing (``subject``), when (UTC)."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: str


def record(connection: Connection, *, actor: str, action: str, subject: str, detail: str = "", now: datetime) -> None:
    """Write down one act."""
    connection.execute(insert(audit).values(at=now, actor=actor, action=action, subject=subject, detail=detail))


def listing(connection: Connection, *, subject: str = "", limit: int = 100) -> list[AuditRow]:
    """Acts, the newest first; with ``subject`` only those on that thing."""
    wanted = [audit.c.subject == subject] if subject else []
    rows = connection.execute(select(audit).where(*wanted).order_by(audit.c.id.desc()).limit(limit))
    return [
        AuditRow(id=row.id, at=row.at, actor=row.actor, action=row.action, subject=row.subject, detail=row.detail)
        for row in rows
    ]
