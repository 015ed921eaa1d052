"""What is forgotten of old articles: bodies, in the articles, their revisions and what was taken for them.

Identities, headlines, standfirsts and uses stay for ever, so that nothing old is ever new again. What an edition holds
that is not sent yet stays whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, exists, or_, select, update

from newsletter.store.article_merges import UNSENT
from newsletter.store.tables import (
    article_merges,
    article_revisions,
    article_shingles,
    article_uses,
    articles,
    editions,
    occurrences,
)

# Of a source that names no `keep`, or is configured no more.
KEEP = timedelta(days=180)
# A story is recognised by its words for this long (``collect.identity``); its sketch is of no use afterwards.
_SKETCH = timedelta(days=15)
_BODIES = ("body_html", "body_text")


@dataclass(frozen=True, slots=True)
class Pruned:
    """One page of pruning: how many articles lost their bodies, and the id to go on after; None at the end."""

    articles: int
    after: int | None


def prune(
    connection: Connection,
    before: Mapping[str, datetime],
    now: datetime,
    *,
    after: int = 0,
    limit: int = 100,
    dry_run: bool = False,
) -> Pruned:
    """Empty the bodies of the articles first seen before what ``before`` says for their source, one page by id.

    ``limit`` is the size of a page, so that the writer is held briefly; ``dry_run`` only counts.
    """
    oldest = max([*before.values(), now - KEEP])
    page = connection.execute(
        select(articles.c.id, articles.c.source, articles.c.first_seen_at)
        .where(articles.c.id > after, articles.c.first_seen_at < oldest, articles.c.pruned_at.is_(None))
        .order_by(articles.c.id)
        .limit(limit)
    ).all()
    old = [row.id for row in page if row.first_seen_at < before.get(row.source, now - KEEP)]
    waiting = _in_unsent_editions(connection, old)
    ids = [article_id for article_id in old if article_id not in waiting]
    if ids and not dry_run:
        _empty(connection, ids, now)
    return Pruned(len(ids), page[-1].id if len(page) == limit else None)


def prune_sketches(connection: Connection, now: datetime, *, limit: int = 200) -> int:
    """Drop the sketches of articles too old to be recognised by their words; of how many articles. 0: none are left."""
    old = exists().where(articles.c.id == article_shingles.c.article_id, articles.c.first_seen_at < now - _SKETCH)
    ids = list(connection.execute(select(article_shingles.c.article_id).where(old).distinct().limit(limit)).scalars())
    if ids:
        connection.execute(delete(article_shingles).where(article_shingles.c.article_id.in_(ids)))
    return len(ids)


def _in_unsent_editions(connection: Connection, ids: list[int]) -> frozenset[int]:
    statement = (
        select(article_uses.c.article_id)
        .join(editions, editions.c.id == article_uses.c.edition_id)
        .join(occurrences, occurrences.c.id == editions.c.occurrence_id)
        .where(article_uses.c.article_id.in_(ids), occurrences.c.state.in_([state.value for state in UNSENT]))
    )
    return frozenset(connection.execute(statement).scalars()) if ids else frozenset()


def _empty(connection: Connection, ids: list[int], now: datetime) -> None:
    connection.execute(update(articles).where(articles.c.id.in_(ids)).values(body_html="", body_text="", pruned_at=now))
    connection.execute(delete(article_shingles).where(article_shingles.c.article_id.in_(ids)))
    for table in (article_revisions, article_merges):
        _empty_contents(connection, table, ids)


def _empty_contents(connection: Connection, table: Table, ids: list[int]) -> None:
    key = list(table.primary_key.columns)
    has_body = or_(*(table.c.content[name].as_string() != "" for name in _BODIES))
    rows = connection.execute(select(*key, table.c.content).where(table.c.article_id.in_(ids), has_body)).all()
    for row in rows:
        emptied: dict[str, Any] = row.content | dict.fromkeys(_BODIES, "")
        this = [column == value for column, value in zip(key, row, strict=False)]
        connection.execute(update(table).where(*this).values(content=emptied))
