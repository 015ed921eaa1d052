"""A feed: one conditional request; with ``full_text``, each story new to us is read from its own page too."""

from __future__ import annotations

from dataclasses import replace

from newsletter.collect.feed import Reading, read_feed
from newsletter.collect.gathering import Gathered, Visit, url_key
from newsletter.collect.reading_pages import Wanted, read_pages
from newsletter.model import Access, Article, IncomingArticle
from newsletter.store import article_pages, articles

MAX_PAGES = 50


async def gather(visit: Visit) -> Gathered:
    """The feed's entries."""
    gathered = await _gathered(visit)
    if gathered.reading is None or not visit.source.full_text:
        return gathered
    return await _in_full(visit, gathered, gathered.reading)


async def _gathered(visit: Visit) -> Gathered:
    """What the feed itself gives."""
    row = visit.row
    url = row.moved_to or str(visit.source.feed)
    with visit.share() as share:
        fetched = await visit.fetch(url, share, etag=row.etag, last_modified=row.last_modified)
        moved_to = fetched.permanent_url or row.moved_to
        if fetched.not_modified:
            return Gathered(None, row.etag, row.last_modified, moved_to)
        reading = await visit.parse(
            read_feed, fetched.body, visit.facts, url=fetched.url, content_type=fetched.content_type
        )
        return Gathered(reading, fetched.etag, fetched.last_modified, moved_to)


async def _in_full(visit: Visit, gathered: Gathered, reading: Reading) -> Gathered:
    """What the pages of new and changed stories add: the body, pictures, and who may read it. The feed's words stay."""
    keys = {url_key(article.url): article for article in reading.articles}
    known = await visit.store.read_async(article_pages.by_keys, keys.keys())
    stored = await visit.store.read_async(articles.get_many, [page.article_id for page in known.values()])
    ours = {keys[key].url: stored[page.article_id] for key, page in known.items()}
    wanted = [Wanted(article.url) for key, article in keys.items() if key and key not in known]
    wanted += [
        Wanted(entry.url) for entry in reading.articles if entry.url in ours and _changed(entry, ours[entry.url])
    ]
    read = await read_pages(visit, wanted[:MAX_PAGES])
    pages: dict[str, IncomingArticle | Article] = {**ours, **read.articles}
    return replace(
        gathered,
        reading=replace(
            reading, articles=tuple(_joined(article, pages.get(article.url)) for article in reading.articles)
        ),
        warnings=read.warnings,
        pages=read.validators,
    )


def _changed(entry: IncomingArticle, stored: Article) -> bool:
    newer = entry.updated_at is not None and entry.updated_at > stored.updated_at
    return newer or entry.headline != stored.headline


def _joined(entry: IncomingArticle, page: IncomingArticle | Article | None) -> IncomingArticle:
    if page is None:
        return entry
    fuller = len(page.body_text) > len(entry.body_text)
    return replace(
        entry,
        standfirst=entry.standfirst or page.standfirst,
        teaser=entry.teaser if entry.standfirst else page.teaser,
        authors=entry.authors or page.authors,
        dateline=entry.dateline or page.dateline,
        tags=entry.tags or page.tags,
        section=entry.section or page.section,
        language=entry.language or page.language,
        published_at=entry.published_at or page.published_at,
        images=entry.images or page.images,
        body_html=page.body_html if fuller else entry.body_html,
        body_text=page.body_text if fuller else entry.body_text,
        access=page.access if page.access is not Access.FREE else entry.access,
    )
