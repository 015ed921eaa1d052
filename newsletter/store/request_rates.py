"""How often an address, or a network, may ask: counted in the store, so that all processes keep it together.

The generic cell rate algorithm: one time a key, which each request that is let through moves on; one row read and one
written. Keys are keyed hashes, so that the table names nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import request_rates

_HOUR = timedelta(hours=1)


def take(connection: Connection, key: str, per_hour: int, now: datetime) -> bool:
    """Whether one more may be asked under ``key``; if so it is counted. As many at once as an hour allows."""
    this = select(request_rates.c.next_at).where(request_rates.c.key == key).with_for_update()
    stored = connection.execute(this).scalar()
    if stored is None:  # of two at once the second waits for the first, and reads what it wrote
        connection.execute(insert_ignoring_conflicts(connection, request_rates).values(key=key, next_at=now))
        stored = connection.execute(this).scalar_one()
    earliest, interval = max(stored, now), _HOUR / per_hour
    if earliest + interval > now + _HOUR:
        return False
    insert = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
    upsert = insert(request_rates).values(key=key, next_at=earliest + interval)
    upsert = upsert.on_conflict_do_update(
        index_elements=[request_rates.c.key], set_={"next_at": upsert.excluded.next_at}
    )
    connection.execute(upsert)
    return True


def forget_past(connection: Connection, now: datetime) -> int:
    """Delete what no longer holds anybody back; how many rows."""
    return connection.execute(delete(request_rates).where(request_rates.c.next_at < now)).rowcount
