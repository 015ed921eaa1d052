"""What became of each source's collections: when it was last tried, what it said of itself, when it is next due."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import articles, fetches, sources

POLL_AGAIN = timedelta(seconds=10)
_KEPT = 100


class Outcome(StrEnum):
    """What became of one attempt at a source."""

    COLLECTED = "collected"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Fetch:
    """One attempt at a source: when, how it ended, how long it took, and how many articles came of it."""

    source: str
    at: datetime
    outcome: Outcome
    milliseconds: int
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source as we know it. ``etag`` and ``last_modified`` belong to its last success; ``moved_to`` is where a
    permanent redirect led; ``failures`` counts those since the last success; ``last_error`` is '' after one.
    before ``not_before`` it asks not to be asked, and once ``retired_at`` is set it is not.
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


def record(connection: Connection, row: SourceRow, fetch: Fetch, error_body: bytes = b"") -> None:
    """Keep what one attempt came to, replacing what was known, and log it; the last hundred of a source stay.

    ``error_body`` are the bytes that the attempt's error was about. What was asked of the source meanwhile stays.
    """
    values = {**asdict(row), "error_body": error_body or None}
    del values["poll_requested_at"]
    if connection.execute(update(sources).where(sources.c.name == row.name).values(values)).rowcount == 0:
        # Two pushes may both be the first; then either's row will do.
        connection.execute(insert_ignoring_conflicts(connection, sources), [values])
    added = connection.execute(
        insert(fetches).values({**asdict(fetch), "outcome": fetch.outcome.value}).returning(fetches.c.id)
    ).scalar_one()
    if added % 10 == 0:
        last = (
            select(fetches.c.id)
            .where(fetches.c.source == row.name)
            .order_by(fetches.c.id.desc())
            .offset(_KEPT)
            .limit(1)
        )
        connection.execute(delete(fetches).where(fetches.c.source == row.name, fetches.c.id <= last.scalar_subquery()))


def request_poll(connection: Connection, name: str, kind: str, location: str, now: datetime) -> SourceRow:
    """Note that somebody said "look now", and return the row as it then stands; it is made if it is missing.

    Asked again within POLL_AGAIN, or of a source that was retired where it is now, nothing is changed.
    """
    first = {**asdict(SourceRow(name, kind, location)), "poll_requested_at": now}
    connection.execute(insert_ignoring_conflicts(connection, sources), [first])
    asked = sources.c.poll_requested_at
    retired = and_(sources.c.retired_at.is_not(None), sources.c.kind == kind, sources.c.location == location)
    # A request from the future is one of before the clock was put back.
    stale = or_(asked.is_(None), asked <= now - POLL_AGAIN, asked > now)
    connection.execute(update(sources).where(sources.c.name == name, ~retired, stale).values(poll_requested_at=now))
    return _source(connection.execute(select(sources).where(sources.c.name == name)).one())


def claim(
    connection: Connection, name: str, kind: str, location: str, *, before: datetime | None, now: datetime
) -> bool:
    """Take the next attempt at a source, last attempted at ``before``; False where another process has taken it."""
    unchanged = sources.c.last_attempt_at.is_(None) if before is None else sources.c.last_attempt_at == before
    taken = connection.execute(update(sources).where(sources.c.name == name, unchanged).values(last_attempt_at=now))
    if taken.rowcount or before is not None:
        return taken.rowcount > 0
    row = {"name": name, "kind": kind, "location": location, "last_attempt_at": now}
    first = insert_ignoring_conflicts(connection, sources).values(row).returning(sources.c.name)
    return connection.execute(first).one_or_none() is not None


def error_body(connection: Connection, name: str) -> bytes:
    """The bytes (at most 64 KiB) that a source's last error was about; b"" where there was none, or none were had."""
    return connection.execute(select(sources.c.error_body).where(sources.c.name == name)).scalar() or b""


def last_fetches(connection: Connection, name: str, limit: int = 20) -> list[Fetch]:
    """The last attempts at a source, newest first."""
    statement = select(fetches).where(fetches.c.source == name).order_by(fetches.c.id.desc()).limit(limit)
    return [
        Fetch(
            row.source, row.at, Outcome(row.outcome), row.milliseconds, row.new, row.changed, row.unchanged, row.error
        )
        for row in connection.execute(statement)
    ]


def article_counts(connection: Connection) -> dict[str, int]:
    """How many articles there are of each source."""
    statement = select(articles.c.source, func.count()).group_by(articles.c.source)
    return {row[0]: row[1] for row in connection.execute(statement)}


def last_arrivals(connection: Connection, since: datetime) -> dict[str, datetime]:
    """When something new was last seen of each source that had anything from ``since`` on."""
    at = articles.c.first_seen_at
    statement = select(articles.c.source, func.max(at)).where(at >= since).group_by(articles.c.source)
    return {row[0]: row[1] for row in connection.execute(statement)}


def arrivals(connection: Connection, name: str, since: datetime) -> list[datetime]:
    """Each instant from ``since`` on at which something new of a source was first seen, in order."""
    at = articles.c.first_seen_at
    statement = select(at).distinct().where(articles.c.source == name, at >= since).order_by(at)
    return list(connection.execute(statement).scalars())


_NAMES = tuple(one.name for one in fields(SourceRow))


def _source(row: Row[tuple[object, ...]]) -> SourceRow:
    return SourceRow(**{name: getattr(row, name) for name in _NAMES})
