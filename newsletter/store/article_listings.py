"""Which of a source's articles are still on its list (a sitemap), and what becomes of those that are not.

``collect.listings`` decides; ``gone_from_listing`` reads what it has to know and writes what it decided.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, select

from newsletter.store.article_identities import IdentityKind
from newsletter.store.article_revisions import reinstate, retract
from newsletter.store.tables import article_identities, articles

GONE_FROM_LISTING = "no longer listed by its source, which still lists its neighbours"
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """One article of a source, between the oldest and the newest that the list holds, and whether the list holds it.

    ``gone_from_listing``: it is retracted because it was missing before.
    """

    article_id: int
    published_at: datetime
    is_listed: bool
    retracted_at: datetime | None = None
    gone_from_listing: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """The ids of articles that are gone and of those that are back; ``suspicious`` counts missing ones that are kept,
    because they are too many to have been taken back."""

    gone: tuple[int, ...] = ()
    back: tuple[int, ...] = ()
    suspicious: int = 0


def gone_from_listing(
    connection: Connection,
    source: str,
    keys: Collection[str],
    now: datetime,
    decide: Callable[[Sequence[Listed]], Gone],
) -> Gone:
    """Retract what is gone from a source's list and reinstate what is back; ``keys`` are the URL identities listed."""
    found = decide(standing(connection, source, keys))
    for article_id in found.gone:
        retract(connection, article_id, GONE_FROM_LISTING, now)
    for article_id in found.back:
        reinstate(connection, article_id, now)
    return found


def standing(connection: Connection, source: str, keys: Collection[str]) -> list[Listed]:
    """A source's articles from the oldest to the newest on its list; none where it lists none that we know."""
    listed: set[int] = set()
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), _CHUNK):
        statement = select(article_identities.c.article_id).where(
            article_identities.c.kind == IdentityKind.URL.value,
            article_identities.c.value.in_(wanted[start : start + _CHUNK]),
        )
        listed.update(connection.execute(statement).scalars())
    oldest, newest = None, None
    ids = sorted(listed)
    for start in range(0, len(ids), _CHUNK):
        span = select(func.min(articles.c.published_at), func.max(articles.c.published_at)).where(
            articles.c.source == source, articles.c.id.in_(ids[start : start + _CHUNK])
        )
        first, last = connection.execute(span).one()
        oldest = min((time for time in (oldest, first) if time is not None), default=None)
        newest = max((time for time in (newest, last) if time is not None), default=None)
    if oldest is None or newest is None:
        return []
    of_the_source = select(
        articles.c.id, articles.c.published_at, articles.c.retracted_at, articles.c.retracted_why
    ).where(
        and_(articles.c.source == source, articles.c.published_at >= oldest, articles.c.published_at <= newest),
        articles.c.merged_into.is_(None),
    )
    return [
        Listed(
            row.id,
            row.published_at,
            row.id in listed,
            row.retracted_at,
            row.retracted_at is not None and row.retracted_why == GONE_FROM_LISTING,
        )
        for row in connection.execute(of_the_source)
    ]
