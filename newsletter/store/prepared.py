"""Inserts that run for every article: compiled once, then given straight to the driver.

SQLAlchemy's own way from an insert to the driver costs several times what the database does for a row. Values still
pass through the types of their columns (``UtcDateTime``, JSON), so that a row is the same whichever way it came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.sql.dml import Insert

from newsletter.store.conflicts import ignoring_conflicts

_Process = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Insert:
    """An insert as the driver takes it: its columns in their order, each with what its type makes of a value."""

    text: str
    by_name: bool
    columns: tuple[tuple[str, _Process | None], ...]

    def parameters(self, row: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        values = [row[name] if process is None else process(row[name]) for name, process in self.columns]
        if self.by_name:
            return {name: value for (name, _), value in zip(self.columns, values, strict=True)}
        return tuple(values)


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Add one row, columns by name, to a table that counts its ``id``; the id it was given."""
    prepared = _returning_id(connection.dialect, table, tuple(row))
    return int(connection.exec_driver_sql(prepared.text, prepared.parameters(row)).scalar_one())


def insert_new_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add those rows, all with the same columns, whose keys are not there already."""
    if rows:
        prepared = _ignoring_conflicts(connection.dialect, table, tuple(rows[0]))
        connection.exec_driver_sql(prepared.text, [prepared.parameters(row) for row in rows])


@lru_cache(maxsize=32)  # a dialect is one opened database's
def _returning_id(dialect: Dialect, table: Table, names: tuple[str, ...]) -> _Insert:
    return _prepared(dialect, table, names, insert(table).returning(table.c.id))


@lru_cache(maxsize=32)
def _ignoring_conflicts(dialect: Dialect, table: Table, names: tuple[str, ...]) -> _Insert:
    return _prepared(dialect, table, names, ignoring_conflicts(dialect, table))


def _prepared(dialect: Dialect, table: Table, names: tuple[str, ...], statement: Insert) -> _Insert:
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    columns = [(name, table.c[name].type.dialect_impl(dialect)) for name in compiled.positiontup or names]
    return _Insert(
        compiled.string,
        not compiled.positional,
        tuple((name, kind.bind_processor(dialect)) for name, kind in columns),
    )
