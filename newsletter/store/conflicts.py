"""INSERT … ON CONFLICT DO NOTHING for whichever database this is."""

from __future__ import annotations

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert


def insert_ignoring_conflicts(connection: Connection, table: Table) -> Insert:
    """An insert that leaves out the rows whose keys are there already."""
    return ignoring_conflicts(connection.dialect, table)


def ignoring_conflicts(dialect: Dialect, table: Table) -> Insert:
    """``insert_ignoring_conflicts`` where there is no connection yet."""
    if dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
