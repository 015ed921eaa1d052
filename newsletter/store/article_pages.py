"""Articles by the page they stand on: what we have of it, and what to ask with next time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from newsletter.store import article_revisions
from newsletter.store.tables import article_identities, articles

PAGE_GONE = "its page is gone (404 or 410)"
_A_BROKEN_SITE = 3
_CHUNK = 500
_URL = "url"


@dataclass(frozen=True, slots=True)
class ArticlePage:
    """One article's page as we last read it. ``key`` is the hash of its canonical URL; times are UTC."""

    key: str
    article_id: int
    source: str
    url: str
    etag: str
    last_modified: str
    first_seen_at: datetime
    updated_at: datetime
    eligible: bool
    retracted_at: datetime | None
    retracted_why: str


def by_keys(connection: Connection, keys: Collection[str]) -> dict[str, ArticlePage]:
    """Those of these keys that we know an article by."""
    found: dict[str, ArticlePage] = {}
    wanted = sorted({key for key in keys if key})
    for start in range(0, len(wanted), _CHUNK):
        statement = _PAGES.where(
            article_identities.c.kind == _URL, article_identities.c.value.in_(wanted[start : start + _CHUNK])
        )
        found.update((row.value, _page(row)) for row in connection.execute(statement))
    return found


def of_articles(connection: Connection, article_ids: Collection[int]) -> dict[int, ArticlePage]:
    """The pages of these articles, by article id; without those whose URL is nobody's identity."""
    statement = _PAGES.where(article_identities.c.kind == _URL, articles.c.id.in_(sorted(set(article_ids))))
    return {row.id: _page(row) for row in connection.execute(statement)}


def keep_validators(connection: Connection, pages: dict[str, tuple[str, str]]) -> None:
    """Keep ETag and Last-Modified of pages, by key; those of articles that we do not know are left out."""
    for key, known in by_keys(connection, pages.keys()).items():
        etag, last_modified = pages[key]
        if (known.etag, known.last_modified) != (etag, last_modified):
            connection.execute(
                update(articles)
                .where(articles.c.id == known.article_id)
                .values(page_etag=etag, page_last_modified=last_modified)
            )


def gone_and_found(
    connection: Connection, source: str, gone: Collection[str], found: Collection[str], now: datetime
) -> tuple[int, ...]:
    """Retract the source's articles whose pages are ``gone`` (keys) and reinstate those ``found`` again; the retracted.

    Nothing is retracted where most of the pages are missing: then it is the site that is broken, not its stories.
    """
    there = [page for page in by_keys(connection, found).values() if page.source == source]
    missing = [page for page in by_keys(connection, gone).values() if page.source == source]
    for page in there:
        if page.retracted_why == PAGE_GONE:
            article_revisions.reinstate(connection, page.article_id, now)
    if is_broken_site(len(missing), len(missing) + len(found)):
        return ()
    return tuple(
        page.article_id for page in missing if article_revisions.retract(connection, page.article_id, PAGE_GONE, now)
    )


def is_broken_site(missing: int, asked: int) -> bool:
    """Whether so many pages are missing, of those asked for, that it is the site that is broken."""
    return missing >= _A_BROKEN_SITE and missing * 2 > asked


_PAGES: Select[Any] = select(
    article_identities.c.value,
    articles.c.id,
    articles.c.source,
    articles.c.url,
    articles.c.page_etag,
    articles.c.page_last_modified,
    articles.c.first_seen_at,
    articles.c.updated_at,
    articles.c.eligible,
    articles.c.retracted_at,
    articles.c.retracted_why,
).join(articles, articles.c.id == article_identities.c.article_id)


def _page(row: Row[Any]) -> ArticlePage:
    return ArticlePage(
        key=row.value,
        article_id=row.id,
        source=row.source,
        url=row.url,
        etag=row.page_etag,
        last_modified=row.page_last_modified,
        first_seen_at=row.first_seen_at,
        updated_at=row.updated_at,
        eligible=row.eligible,
        retracted_at=row.retracted_at,
        retracted_why=row.retracted_why,
    )
