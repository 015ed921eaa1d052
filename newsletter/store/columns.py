"""What the tables of ``store.tables`` are made of: their one ``metadata``, and the kinds of columns there are.

Times are UTC (``UtcDateTime``); JSON columns hold what is only ever read whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """A zone-aware UTC instant: TIMESTAMPTZ on PostgreSQL, sortable text on SQLite. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r} given to the store")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Column[int]:
    """The number that rows are counted by."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def words(name: str, default: str | None = "") -> Column[str]:
    """A text that is never NULL; ``default`` None: it has to be given."""
    return Column(name, Text, nullable=False, server_default=default)


def count(name: str) -> Column[int]:
    """A number that starts at 0."""
    return Column(name, Integer, nullable=False, server_default="0")


def partial_index(name: str, *columns: str, where: str) -> Index:
    """An index of the rows for which ``where`` holds."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


def one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    """The constraint that a column holds one of these. Not as IN: SQLite would make a table of the values, to look each
    row's up in it, and take a third longer for a delivery."""
    listed = " OR ".join(f"{column} = '{value}'" for value in values)
    return CheckConstraint(listed, name=f"{column}_known")


def time(name: str, *, nullable: bool = False) -> Column[datetime]:
    """A UTC instant."""
    return Column(name, UtcDateTime, nullable=nullable)


def reference(name: str, target: str, **kwargs: Any) -> Column[int]:
    """The ``id`` of a row of another table, which takes this row with it when it goes."""
    return Column(name, Id, ForeignKey(target, ondelete="CASCADE"), nullable=False, **kwargs)
