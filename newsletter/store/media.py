"""Our copies of pictures: one row for each URL a copy came from; the bytes lie under ``media/`` by content hash."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select, true, update

from newsletter.model import Picture
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import articles, media


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


@dataclass(frozen=True, slots=True)
class Unillustrated:
    """An article none of whose pictures we have a copy of."""

    article_id: int
    source: str
    images: tuple[Picture, ...]


def without_copies(
    connection: Connection, *, since: datetime, after_id: int = 0, limit: int = 40
) -> tuple[list[Unillustrated], int]:
    """The articles that may be sent, first seen ``since`` then (UTC), that have pictures and no copy of any, by id.

    At most ``limit``; and the last id looked at, after which to go on, so that nobody looks at all of them again.
    """
    statement = (
        select(articles.c.id, articles.c.source, articles.c.images)
        .where(
            articles.c.first_seen_at >= since,
            articles.c.id > after_id,
            articles.c.eligible == true(),
            articles.c.retracted_at.is_(None),
            articles.c.merged_into.is_(None),
        )
        .order_by(articles.c.id)
    )
    found: list[Unillustrated] = []
    for row in connection.execute(statement):
        if len(found) == limit:
            break
        after_id = row.id
        # Captions of a page dump have no address.
        if any(image["url"] for image in row.images) and not any(image["media"] for image in row.images):
            found.append(Unillustrated(row.id, row.source, tuple(Picture(**image) for image in row.images)))
    return found, after_id


def give_copies(connection: Connection, article_id: int, images: Sequence[Picture]) -> bool:
    """Let an article show these copies. False where its pictures are others by now."""
    row = connection.execute(
        select(articles.c.images).where(articles.c.id == article_id).with_for_update()
    ).one_or_none()
    if row is None or [image["url"] for image in row.images] != [image.url for image in images]:
        return False
    values = [asdict(image) for image in images]
    connection.execute(update(articles).where(articles.c.id == article_id).values(images=values))
    return True


def _medium(row: Row[Any]) -> Medium:
    return Medium(row.name, row.url, row.content_type, row.width, row.height, row.bytes, row.fetched_at)
