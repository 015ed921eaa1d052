"""What became of each source's collections: when it was last tried, what it said of itself, when it is next due."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime

from sqlalchemy import Connection, Row, insert, select, update

from newsletter.store.tables import sources


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source as we know it. ``etag`` and ``last_modified`` belong to its last success; ``moved_to`` is where a
    permanent redirect led; ``failures`` counts those since the last success; ``last_error`` is '' after one.
    ``error_body`` holds the bytes that error was about (at most 64 KiB); before ``not_before`` it asks not to be asked.
    """

    name: str
    kind: str
    location: str
    moved_to: str = ""
    etag: str = ""
    last_modified: str = ""
    first_collected_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    next_due_at: datetime | None = None
    failures: int = 0
    last_error: str = ""
    error_body: bytes | None = None
    warnings: list[str] = field(default_factory=list)
    not_before: datetime | None = None
    poll_requested_at: datetime | None = None
    retired_at: datetime | None = None


def get(connection: Connection, name: str) -> SourceRow | None:
    """What we know of one source, None before its first attempt."""
    row = connection.execute(select(sources).where(sources.c.name == name)).one_or_none()
    return None if row is None else _source(row)


def list_sources(connection: Connection) -> list[SourceRow]:
    """Every source ever tried, by name."""
    return [_source(row) for row in connection.execute(select(sources).order_by(sources.c.name))]


def record(connection: Connection, row: SourceRow) -> None:
    """Keep what one attempt came to, replacing what was known."""
    values = asdict(row)
    if connection.execute(update(sources).where(sources.c.name == row.name).values(values)).rowcount == 0:
        connection.execute(insert(sources).values(values))


_NAMES = tuple(one.name for one in fields(SourceRow))


def _source(row: Row[tuple[object, ...]]) -> SourceRow:
    return SourceRow(**{name: getattr(row, name) for name in _NAMES})
