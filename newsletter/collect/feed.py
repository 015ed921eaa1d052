"""A feed's bytes, of any format -> articles. Pure; runs in a worker process (``parsing``): feedparser can be made slow.

``xml_feed`` (RSS, Atom, RDF) and ``json_feed`` find the entries, ``feed_entry`` makes articles of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from newsletter.collect.feed_entry import (
    MAX_HEADLINE,
    MAX_STANDFIRST,
    MAX_URL,
    Entry,
    FeedFacts,
    absolute,
    article_of,
    single,
)
from newsletter.collect.json_feed import looks_like_json, read_json
from newsletter.collect.plain_text import one_line
from newsletter.collect.reading import Reading
from newsletter.collect.source_facts import SourceFacts
from newsletter.collect.xml_feed import MAX_ENTRIES, read_xml
from newsletter.errors import SourceError

__all__ = ["MAX_ENTRIES", "MAX_HEADLINE", "MAX_STANDFIRST", "MAX_URL", "Reading", "read_feed"]

_FEED_LINK = re.compile(rb"<link\b[^>]*application/(?:(?:rss|atom)\+xml|feed\+json)[^>]*>", re.IGNORECASE)
_HREF = re.compile(rb"href\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_HTML_START = re.compile(rb"<!doctype\s+html|<html[\s>]", re.IGNORECASE)


def read_feed(
    body: bytes,
    facts: SourceFacts,
    *,
    url: str,
    content_type: str = "",
) -> Reading:
    """The articles of a feed that was fetched from ``url`` with this Content-Type header.

    An entry without any text is left out; a broken document gives what could be read. Raises SourceError with
    where=``url`` if nothing could, or if it is not a feed.
    """
    if not body.strip():
        raise SourceError("it is empty, not a feed", where=url)
    if looks_like_json(body):
        found = read_json(body, url=url, content_type=content_type)
        return _reading(found.entries, facts, url, home=found.home, language=found.language, authors=found.authors)
    feed = read_xml(body, url=url, content_type=content_type)
    if not feed.version and (not feed.entries or _looks_like_html(body)):
        raise _not_a_feed(body, url)
    reading = _reading(feed.entries, facts, url, home=feed.home, language=feed.language, authors=feed.authors)
    if not reading.articles and feed.fault:
        raise SourceError(f"the feed is broken and holds no readable entry ({feed.fault})", where=url)
    return reading


def _reading(
    entries: Iterable[Entry], facts: SourceFacts, url: str, *, home: str, language: str, authors: tuple[str, ...]
) -> Reading:
    address = absolute(single(home), url)
    feed = FeedFacts(facts, url, facts.language or language, address, authors)
    found = tuple(article for entry in entries if (article := article_of(entry, feed)) is not None)
    return Reading(found, (address,) if address else ())


def _not_a_feed(body: bytes, url: str) -> SourceError:
    if not _looks_like_html(body):
        return SourceError("this is not an RSS or Atom feed", where=url)
    link = _FEED_LINK.search(body[:200_000])
    href = _HREF.search(link[0]) if link else None
    named = absolute(href[1].decode("utf-8", "replace"), url) if href else ""
    remedy = f"Its feed is at {one_line(named, 200)}" if named else "Write the feed's own address, not the page's"
    return SourceError("this is an HTML page, not a feed", where=url, remedy=remedy)


def _looks_like_html(body: bytes) -> bool:
    return _HTML_START.search(body[:2_000]) is not None
