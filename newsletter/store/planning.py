"""For statements that join groups of rows to large tables by key: keeps PostgreSQL's planner from any other way.

On statistics that are behind (after a large insert they are) it may think a scan or a hash of a whole table cheaper,
and be wrong by a factor of ten or a hundred. SQLite needs nothing of the kind.
"""

from __future__ import annotations

from sqlalchemy import Connection

_WAYS = ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort")
_IN_SESSION = "; ".join(f"SET enable_{way} = off" for way in _WAYS)
_IN_TRANSACTION = "; ".join(f"SET LOCAL enable_{way} = off" for way in _WAYS)


def by_key_in_session(connection: Connection) -> None:
    """For as long as this connection lives."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_IN_SESSION)


def by_key_in_transaction(connection: Connection) -> None:
    """Until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_IN_TRANSACTION)


def join_in_memory(connection: Connection) -> None:
    """Until this transaction ends, let a million readers be joined to their subscriptions without files on the way."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL work_mem = '64MB'")


def refresh_statistics(connection: Connection, *tables: str) -> None:
    """Analyse those of these tables that have grown since somebody did, or were empty then. Locks nobody out.

    PostgreSQL's own daemon comes a minute after a large insert; an edition does not wait for it. How many rows a page
    holds is all that is needed: the planner looks up itself how many pages there are.
    """
    if connection.dialect.name != "postgresql":
        return
    for table in tables:
        behind = connection.exec_driver_sql(
            "SELECT reltuples < pages OR pages > 2 * relpages + 8 FROM pg_class, "
            "LATERAL (SELECT pg_relation_size(oid) / current_setting('block_size')::int) AS now (pages) "
            "WHERE oid = %s::regclass",
            (table,),
        ).scalar_one()
        if behind:
            connection.exec_driver_sql(f'ANALYZE "{table}"')
