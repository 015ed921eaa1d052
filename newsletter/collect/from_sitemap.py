"""A sitemap, or an index of them: its newest entries are read from their own pages.

An entry that changed since (``lastmod``) is read again. What is too much to read on a first visit is only remembered.
The validators of an index and of each of its sitemaps stand together in the source's row, so that an unchanged site is
one 304 a sitemap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from newsletter.collect.feed import Reading
from newsletter.collect.gathering import Gathered, Validators, Visit, url_key
from newsletter.collect.reading_pages import Wanted, read_pages
from newsletter.collect.sitemap import ChildSitemap, SitemapEntry, SitemapReading, read_sitemap
from newsletter.model import IncomingArticle
from newsletter.store import article_pages
from newsletter.store.article_pages import ArticlePage

MAX_CHILDREN = 10
MAX_ENTRIES = 5_000
MAX_PAGES = 100
_READ_AGAIN = 20
# A story is not new a month after its sitemap last touched it.
_TOO_OLD = timedelta(days=30)
_YOUNG = timedelta(days=3)
_NEVER = datetime.min.replace(tzinfo=UTC)


async def gather(visit: Visit) -> Gathered:
    """The articles that the sitemap lists and that are new to us, and the young ones that changed."""
    listing = await _listing(visit)
    if listing.unchanged:
        return Gathered(None, visit.row.etag, visit.row.last_modified, listing.moved_to)
    entries = _young_enough(_matching(visit, listing.entries), visit.now)
    keys = {entry.url: url_key(entry.url) for entry in entries}
    known = await visit.store.read_async(article_pages.by_keys, keys.values())
    new = [entry for entry in entries if keys[entry.url] not in known]
    first = visit.row.first_collected_at is None
    most = max(MAX_PAGES, visit.source.backfill) if first else MAX_PAGES
    changed = [_again(entry, known[keys[entry.url]]) for entry in entries if _changed(entry, known, keys, visit)]
    read = await read_pages(visit, [*(Wanted(entry.url) for entry in new[:most]), *changed[:_READ_AGAIN]])
    by_url = {entry.url: entry for entry in entries}
    articles = tuple(_joined(by_url[url], article) for url, article in read.articles.items())
    rest = new[most:] if first else []
    whole = not read.unread and (first or len(new) <= most)
    return Gathered(
        Reading(articles),
        listing.validators if whole else "",
        "",
        listing.moved_to,
        warnings=(*listing.warnings, *read.warnings),
        stubs=tuple(_stub(entry, visit.name) for entry in rest),
        listed=frozenset(url_key(entry.url) for entry in listing.entries) if listing.complete else None,
        gone=tuple(read.gone),
        pages=read.validators,
    )


@dataclass(slots=True)
class _Listing:
    """What the sitemap and those below it list. ``complete``: all of them were read now."""

    entries: list[SitemapEntry] = field(default_factory=list)
    known: dict[str, Validators] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    moved_to: str = ""
    complete: bool = True
    unchanged: bool = True

    @property
    def validators(self) -> str:
        return json.dumps({url: [one.etag, one.last_modified] for url, one in self.known.items()})


async def _listing(visit: Visit) -> _Listing:
    before = _validators(visit.row.etag)
    listing = _Listing()
    url = visit.row.moved_to or str(visit.source.sitemap)
    top = await _one(visit, url, before, listing)
    listing.moved_to = listing.moved_to or visit.row.moved_to
    if top is None:
        # An index may stand still while its sitemaps change.
        children = [ChildSitemap(child) for child in before if child != url]
        listing.complete = False
    else:
        listing.entries += top.entries
        children = _newest(top.children)
        listing.complete = len(children) == len(top.children)
    for child in children[:MAX_CHILDREN]:
        found = await _one(visit, child.url, before, listing)
        if found is None:
            listing.complete = False
        else:
            listing.entries += found.entries
    return listing


async def _one(visit: Visit, url: str, before: dict[str, Validators], listing: _Listing) -> SitemapReading | None:
    """One sitemap, None where it has not changed."""
    await visit.robots.allowed(url, allow_private=visit.source.allow_private)
    known = before.get(url, Validators())
    with visit.share() as share:
        fetched = await visit.fetch(url, share, etag=known.etag, last_modified=known.last_modified)
        if fetched.not_modified:
            listing.known[url] = known
            return None
        listing.unchanged = False
        if fetched.permanent_url and url == (visit.row.moved_to or str(visit.source.sitemap)):
            listing.moved_to = fetched.permanent_url
        listing.known[fetched.permanent_url or url] = Validators(fetched.etag, fetched.last_modified)
        return await visit.parse(read_sitemap, fetched.body, url=fetched.url, zone=visit.facts.zone)


def _validators(text: str) -> dict[str, Validators]:
    try:
        return {url: Validators(*pair) for url, pair in json.loads(text).items()} if text else {}
    except (ValueError, TypeError, AttributeError):
        return {}


def _newest(children: Sequence[ChildSitemap]) -> list[ChildSitemap]:
    """The sitemaps of an index that may hold something new: those changed last, those that do not say, in order."""
    return sorted(children, key=lambda child: child.updated_at or datetime.max.replace(tzinfo=UTC), reverse=True)[
        :MAX_CHILDREN
    ]


def _matching(visit: Visit, entries: Iterable[SitemapEntry]) -> list[SitemapEntry]:
    pattern = re.compile(visit.source.links) if visit.source.links else None
    unique = {entry.url: entry for entry in entries if pattern is None or pattern.search(entry.url)}
    return sorted(unique.values(), key=_date, reverse=True)[:MAX_ENTRIES]


def _date(entry: SitemapEntry) -> datetime:
    return entry.published_at or entry.updated_at or _NEVER


def _young_enough(entries: Iterable[SitemapEntry], now: datetime) -> list[SitemapEntry]:
    def latest(entry: SitemapEntry) -> datetime:
        return max(entry.published_at or _NEVER, entry.updated_at or _NEVER)

    return [entry for entry in entries if latest(entry) == _NEVER or now - latest(entry) < _TOO_OLD]


def _changed(entry: SitemapEntry, known: dict[str, ArticlePage], keys: dict[str, str], visit: Visit) -> bool:
    page = known.get(keys[entry.url])
    return (
        page is not None
        and page.source == visit.name
        and page.eligible
        and entry.updated_at is not None
        and entry.updated_at > page.updated_at
        and visit.now - page.first_seen_at < _YOUNG
    )


def _again(entry: SitemapEntry, page: ArticlePage) -> Wanted:
    return Wanted(entry.url, Validators(page.etag, page.last_modified))


def _joined(entry: SitemapEntry, article: IncomingArticle) -> IncomingArticle:
    """The page's own words; of the sitemap, when it came out and who may read it, where the page does not say."""
    return replace(
        article,
        published_at=article.published_at or entry.published_at,
        updated_at=article.updated_at or entry.updated_at,
        language=article.language or entry.language,
        tags=article.tags or entry.tags,
        images=article.images or entry.images,
        access=entry.access or article.access,
    )


def _stub(entry: SitemapEntry, source: str) -> IncomingArticle:
    name = unquote(urlsplit(entry.url).path.rstrip("/").rpartition("/")[2]).rpartition(".")[0]
    words = name.replace("-", " ").replace("_", " ").strip()
    return IncomingArticle(
        source=source,
        url=entry.url,
        guid="",
        headline=(entry.headline or words or entry.url)[:300],
        published_at=entry.published_at or entry.updated_at,
    )
