"""One article by hand: ``articles add FILE|URL`` reads it as a source would and stores it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from newsletter.collect import identity
from newsletter.collect.dating import dated_by_address, settled
from newsletter.collect.folder import read_document
from newsletter.collect.parsing import Parser
from newsletter.collect.pictures import candidates, copy_pictures, with_copies
from newsletter.collect.source_facts import SourceFacts
from newsletter.errors import SourceError, UsageError
from newsletter.model import Article
from newsletter.net import Fetcher
from newsletter.store import Store, articles
from newsletter.store.articles import Remembrance

_MAX_BYTES = 10_000_000


async def add_article(
    where: str,
    facts: SourceFacts,
    *,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
    allow_private: bool = False,
    copy_images: bool = True,
    parse_timeout: timedelta = timedelta(seconds=10),
) -> Article:
    """Read a file or URL as one article of a source, store it, and return it as stored (new, revised or as it was).

    It may be sent, also where a first collection had only remembered it. Raises UsageError, FetchError, SourceError.
    """
    if where.startswith(("http://", "https://")):
        from newsletter.collect.pages import read_page

        fetched = await fetcher.fetch(where, max_bytes=_MAX_BYTES, allow_private=allow_private)
        incoming = await parser.run(parse_timeout, read_page, fetched.body, facts, url=fetched.url)
    else:
        body = await asyncio.to_thread(_read, Path(where))
        incoming = await parser.run(parse_timeout, read_document, body, facts, name=Path(where).name)
    copies = await copy_pictures(
        [candidates(incoming.images)] if copy_images else [],
        store=store,
        fetcher=fetcher,
        parser=parser,
        media_folder=media_folder,
        now=now,
        allow_private=allow_private,
    )
    dated = settled(dated_by_address(with_copies(incoming, copies), facts.zone, now), now)
    (one,) = identity.to_remember([dated])
    return await store.write_async(_store, one, now=now)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SourceError(f"it is larger than {_MAX_BYTES:,} bytes", where=str(path))
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        remedy = "Give the path of a saved page, or its address with https://"
        raise UsageError("there is no such file", where=str(path), remedy=remedy) from None
    except IsADirectoryError:
        remedy = "Add its files one by one, or declare it as a source (folder: …)"
        raise UsageError("it is a folder", where=str(path), remedy=remedy) from None
    except OSError as error:
        raise UsageError(f"it cannot be read ({error.strerror})", where=str(path)) from None


def _store(connection: Connection, one: Remembrance, *, now: datetime) -> Article:
    remembered = articles.remember(connection, [one], now=now, match=identity.same_story)
    (article_id,) = remembered.new + remembered.changed + remembered.unchanged
    articles.make_eligible(connection, article_id)
    return articles.get_many(connection, [article_id])[article_id]
