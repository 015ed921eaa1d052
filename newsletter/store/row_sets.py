"""Many rows of values as one parameter of one statement: ``json_each`` on SQLite, ``unnest`` on PostgreSQL.

A statement for each row costs more in calls than in work; a group is one call, whatever its size.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect, Text, cast, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import FromClause
from sqlalchemy.types import TypeEngine

from newsletter.store.prepared import parameter


class RowSet:
    """Rows with these columns. ``rows`` stands in a statement's FROM; ``given`` makes its parameters."""

    def __init__(self, dialect: Dialect, columns: Mapping[str, TypeEngine[Any]], name: str = "given") -> None:
        self._json = dialect.name == "sqlite"
        self._name = name
        self._columns = tuple(columns)
        self.rows: FromClause
        if self._json:
            each = func.json_each(parameter(name, Text)).table_valued("value", name=f"{name}_each")
            fields = [
                func.json_extract(each.c.value, f"$[{place}]", type_=kind).label(one)
                for place, (one, kind) in enumerate(columns.items())
            ]
            self._processors = [kind.dialect_impl(dialect).bind_processor(dialect) for kind in columns.values()]
            self.rows = select(*fields).select_from(each).subquery(name)
        else:
            arrays = [cast(parameter(f"{name}_{one}", ARRAY(kind)), ARRAY(kind)) for one, kind in columns.items()]
            typed = [column(one, kind) for one, kind in columns.items()]
            self.rows = func.unnest(*arrays).table_valued(*typed, name=name).render_derived()

    def given(self, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """The parameters for these rows, each with a value for every column, in order."""
        if not self._json:
            turned = zip(*rows, strict=True) if rows else [()] * len(self._columns)
            return {f"{self._name}_{one}": list(values) for one, values in zip(self._columns, turned, strict=True)}
        written = [
            [
                value if process is None or value is None else process(value)
                for process, value in zip(self._processors, row, strict=True)
            ]
            for row in rows
        ]
        return {self._name: json.dumps(written)}
