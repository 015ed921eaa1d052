"""Statements that run for every article and every delivery: compiled once from Core, then given straight to the driver.

SQLAlchemy's own way from a statement to the driver costs several times what the database does for a row. Values still
pass through the types of their columns (``UtcDateTime``, JSON), so that a row is the same whichever way it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    CursorResult,
    Dialect,
    LargeBinary,
    Select,
    Table,
    bindparam,
    func,
    insert,
    select,
)
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.dml import Insert
from sqlalchemy.types import TypeEngine

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


def parameter(name: str, kind: TypeEngine[Any] | type[TypeEngine[Any]]) -> BindParameter[Any]:
    """A value that a prepared statement is given each time it runs."""
    return bindparam(name, None, type_=kind)


class Prepared:
    """A statement of Core as one dialect's driver takes it; only what was written as a ``parameter`` is given anew."""

    def __init__(self, dialect: Dialect, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self.text = str(compiled.string)
        self._by_name = not compiled.positional
        names = list(compiled.positiontup or compiled.params)
        self._parameters: list[tuple[str, _Process | None, Any]] = []
        for name in names:
            bound = compiled.binds.get(name)  # none for the values of an IN list, which are plain texts
            process = bound.type.dialect_impl(dialect).bind_processor(dialect) if bound is not None else None
            value = compiled.params[name]
            self._parameters.append((name, process, value if value is None or process is None else process(value)))

    def run(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        """Execute it with these values for its parameters; times and the like as Python has them."""
        return connection.exec_driver_sql(self.text, self.parameters(values))

    def parameters(self, values: Mapping[str, Any]) -> tuple[Any, ...] | dict[str, Any]:
        """What the driver is given."""
        given = [
            (name, fixed if name not in values else values[name] if process is None else process(values[name]))
            for name, process, fixed in self._parameters
        ]
        return dict(given) if self._by_name else tuple(value for _, value in given)


class PreparedRows:
    """A query whose rows are fetched all at once; times come as the driver reads them.

    Python's SQLite lets go of the interpreter's lock before each row and has to win it back after it. So there the rows
    come as one text of JSON, made in a single step: a claim then waits for the event loop once, not once a row.
    """

    def __init__(self, dialect: Dialect, statement: Select[Any]) -> None:
        self._in_json = dialect.name == "sqlite"
        if self._in_json:
            rows = statement.subquery("rows")
            # JSON holds no bytes.
            self._binary = [place for place, one in enumerate(rows.c) if isinstance(one.type, LargeBinary)]
            columns = [func.hex(one) if place in self._binary else one for place, one in enumerate(rows.c)]
            statement = select(func.json_group_array(func.json_array(*columns)))
        self.prepared = Prepared(dialect, statement)

    def all(self, connection: Connection, **values: Any) -> Sequence[Sequence[Any]]:
        """The rows for these values of the parameters."""
        result = self.prepared.run(connection, **values)
        if not self._in_json:
            return result.all()
        rows: list[list[Any]] = json.loads(result.scalar_one())
        for place in self._binary:
            for row in rows:
                row[place] = bytes.fromhex(row[place])
        return rows


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
