"""A section page: its links that match are articles, and each is read from its own page.

What we know already is read again for as long as it is young, so that a correction or a retraction is noticed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from newsletter.collect.feed import Reading
from newsletter.collect.gathering import MAX_ERROR_BODY, Gathered, Validators, Visit, url_key
from newsletter.collect.reading_pages import Wanted, read_pages
from newsletter.collect.section_page import read_links
from newsletter.errors import SourceError
from newsletter.net import Fetched
from newsletter.store import article_pages

MAX_PAGES = 100
_READ_AGAIN = 20
_YOUNG = timedelta(days=1)


async def gather(visit: Visit) -> Gathered:
    """The articles that the page links to and that are new to us, and the young ones that changed."""
    links, section = await _section(visit)
    moved_to = section.permanent_url or visit.row.moved_to
    if section.not_modified:
        return Gathered(None, visit.row.etag, visit.row.last_modified, moved_to)
    keys = {link: url_key(link) for link in links}
    known = await visit.store.read_async(article_pages.by_keys, keys.values())
    new = [Wanted(link) for link, key in keys.items() if key not in known]
    young = [
        Wanted(link, Validators(page.etag, page.last_modified))
        for link, key in keys.items()
        if (page := known.get(key)) and page.source == visit.name and visit.now - page.first_seen_at < _YOUNG
    ]
    read = await read_pages(visit, [*new[:MAX_PAGES], *young[:_READ_AGAIN]])
    # What could not be read is asked for next time, so the page must then be looked at again.
    whole = not read.unread and len(new) <= MAX_PAGES
    return Gathered(
        Reading(tuple(read.articles[link] for link in links if link in read.articles), homes=(section.url,)),
        section.etag if whole else "",
        section.last_modified if whole else "",
        moved_to,
        warnings=read.warnings,
        gone=tuple(read.gone),
        pages=read.validators,
    )


async def _section(visit: Visit) -> tuple[tuple[str, ...], Fetched]:
    """The links of the section page that match, and its answer without the body."""
    row, source = visit.row, visit.source
    url = row.moved_to or str(source.page)
    await visit.robots.allowed(url, allow_private=source.allow_private)
    with visit.share() as share:
        fetched = await visit.fetch(url, share, etag=row.etag, last_modified=row.last_modified)
        if fetched.not_modified:
            return (), fetched
        links = await visit.parse(
            read_links, fetched.body, url=fetched.url, links=source.links or "", content_type=fetched.content_type
        )
        if not links:
            error = SourceError(
                f"no link on this page matches links: {source.links}",
                where=fetched.url,
                remedy="Compare it with the URLs of articles there",
            )
            error.body = fetched.body[:MAX_ERROR_BODY]
            raise error
        return links, replace(fetched, body=b"")
