"""One article by hand: ``articles add FILE|URL`` reads it as a source would and stores it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from newsletter.collect import identity
from newsletter.collect.folder import read_document
from newsletter.collect.parsing import Parser
from newsletter.collect.pictures import copy_pictures, with_copy
from newsletter.errors import SourceError, UsageError
from newsletter.model import Article
from newsletter.net import Fetcher
from newsletter.store import Store, articles
from newsletter.store.articles import Remembrance

_MAX_BYTES = 10_000_000


async def add_article(
    where: str,
    *,
    source: str,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
    section: str = "",
    language: str = "",
    allow_private: bool = False,
    parse_timeout: timedelta = timedelta(seconds=10),
) -> Article:
    """Read a file or URL as one article of ``source``, store it, and return it as stored (new, revised or as it was).

    It may be sent, also where a first collection had only remembered it. Raises UsageError, FetchError, SourceError.
    """
    facts = {"source": source, "section": section, "language": language}
    if where.startswith(("http://", "https://")):
        from newsletter.collect.pages import read_page

        fetched = await fetcher.fetch(where, max_bytes=_MAX_BYTES, allow_private=allow_private)
        incoming = await parser.run(parse_timeout, read_page, fetched.body, url=fetched.url, **facts)
    else:
        body = await asyncio.to_thread(_read, Path(where))
        incoming = await parser.run(parse_timeout, read_document, body, name=Path(where).name, **facts)
    copies = await copy_pictures(
        [image.url for image in incoming.images[:1]],
        store=store,
        fetcher=fetcher,
        parser=parser,
        media_folder=media_folder,
        now=now,
        allow_private=allow_private,
    )
    (one,) = identity.to_remember([with_copy(incoming, copies)])
    return await store.write_async(_store, one, now=now)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"it is larger than {_MAX_BYTES:,} bytes", where=str(path))
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"it cannot be read ({error.strerror})", where=str(path)) from None


def _store(connection: Connection, one: Remembrance, *, now: datetime) -> Article:
    remembered = articles.remember(connection, [one], now=now, match=identity.same_story)
    (article_id,) = remembered.new + remembered.changed + remembered.unchanged
    articles.make_eligible(connection, article_id)
    return articles.get_many(connection, [article_id])[article_id]
