"""Our copies of pictures: one row for each URL a copy came from; the bytes lie under ``media/`` by content hash."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import media


@dataclass(frozen=True, slots=True)
class Medium:
    """A copy: ``name`` is its file under ``media/``, ``width`` and ``height`` are pixels, ``size`` bytes."""

    name: str
    url: str
    content_type: str
    width: int
    height: int
    size: int
    fetched_at: datetime


def add(connection: Connection, medium: Medium) -> None:
    """Record a copy. The same picture under another URL keeps its first row; the name is the content's hash."""
    connection.execute(
        insert_ignoring_conflicts(connection, media).values(
            name=medium.name,
            url=medium.url,
            content_type=medium.content_type,
            width=medium.width,
            height=medium.height,
            bytes=medium.size,
            fetched_at=medium.fetched_at,
        )
    )


def by_urls(connection: Connection, urls: Collection[str]) -> dict[str, Medium]:
    """The copies we have of pictures at these URLs."""
    if not urls:
        return {}
    rows = connection.execute(select(media).where(media.c.url.in_(set(urls))))
    return {row.url: _medium(row) for row in rows}


def by_name(connection: Connection, name: str) -> Medium | None:
    """The copy kept under this name."""
    row = connection.execute(select(media).where(media.c.name == name)).one_or_none()
    return None if row is None else _medium(row)


def _medium(row: Row[Any]) -> Medium:
    return Medium(row.name, row.url, row.content_type, row.width, row.height, row.bytes, row.fetched_at)
