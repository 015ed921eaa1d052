"""RSS, Atom and RDF -> the entries they hold. Pure.

feedparser reads the XML, whatever its state; its own sanitiser and link resolver are off: they are slow, and nh3 does
both. Pictures come from ``media_rss``, which reads the same document.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import feedparser

from newsletter.collect.feed_encoding import as_utf8_xml
from newsletter.collect.feed_entry import Entry, StatedTime
from newsletter.collect.feed_pictures import Candidate, is_picture
from newsletter.collect.feed_text import Markup
from newsletter.collect.media_rss import ItemMedia, media_of, without_media_words
from newsletter.collect.plain_text import one_line
from newsletter.errors import SourceError

MAX_ENTRIES = 1_000

# Schemes under which feedparser files what is said of an entry's media, not of the story.
_OF_MEDIA = {"http://www.itunes.com/", "http://search.yahoo.com/mrss/category_schema"}

_WITH_ADDRESS = re.compile(r"^\s*\S+@\S+\s*\((.{1,200})\)\s*$")
_ADDRESS = re.compile(r"<?\S{1,200}@\S{1,200}>?")


@dataclass(frozen=True, slots=True)
class XmlFeed:
    """What was read. ``fault`` says why there may be less of it than there should."""

    entries: tuple[Entry, ...]
    version: str
    home: str = ""
    language: str = ""
    authors: tuple[str, ...] = ()
    fault: str = ""


def read_xml(body: bytes, *, url: str, content_type: str = "") -> XmlFeed:
    """The entries of the feed that ``body`` is; ``version`` is '' if it is none. Raises SourceError, where=url."""
    document = as_utf8_xml(body, content_type)
    try:
        parsed = feedparser.parse(
            io.BytesIO(without_media_words(document)),  # bytes themselves would be tried as a file name first
            response_headers={"content-type": "application/xml; charset=utf-8"},  # no base URL: it would rewrite guids
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception as error:  # feedparser lets many kinds of exceptions of its parsers through
        raise SourceError(f"it cannot be read as a feed ({type(error).__name__})", where=url) from error
    found = parsed.get("entries") or []
    media = media_of(document) if found else ()
    if len(media) != len(found):  # the two parsers do not agree on what the items are
        media = ()
    about = parsed.get("feed") or {}
    version = _text(parsed.get("version"))
    broken = parsed.get("bozo_exception")
    return XmlFeed(
        tuple(
            _entry(dict(one), media[index] if media else None, about) for index, one in enumerate(found[:MAX_ENTRIES])
        ),
        version,
        home=_text(about.get("link")),
        language=_text(about.get("language")),
        # RFC 4287 section 4.2.1: the author of an Atom feed is the author of its entries that name none.
        authors=tuple(_names(about)) if version.startswith("atom") else (),
        fault=one_line(str(broken), 120) if broken else "",
    )


def _entry(one: dict[str, Any], media: ItemMedia | None, about: Any) -> Entry:
    """``one`` is a plain dictionary: feedparser's own would give "published" for a missing "updated"."""
    own = one.get("source") or {}
    tags = [tag for tag in one.get("tags") or () if tag.get("label") or tag.get("term")]
    told = [tag for tag in tags if tag.get("scheme") in _OF_MEDIA or (media and tag.get("term") in media.keywords)]
    feedburner = _text(one.get("feedburner_origlink"))
    enclosures = [link for link in one.get("links") or () if link.get("rel") == "enclosure"]
    return Entry(
        guid=_text(one.get("id")),
        link=feedburner or _text(one.get("link")),
        title=_detailed(one, "title") if one.get("title") else Markup(media.title if media else ""),
        summary=_detailed(one, "summary"),
        standfirst=_text(one.get("subtitle")) or (media.about if media else ""),
        bodies=tuple(_markup(part) for part in one.get("content") or () if _is_words(part)),
        authors=tuple(_names(one)) or tuple(_names(own)),
        tags=tuple(_term(tag) for tag in tags if tag not in told),
        keywords=tuple(_term(tag) for tag in told),
        language=_language(one, about),
        published=_first_time(one, "published", "created"),
        updated=_first_time(one, "updated"),
        pictures=tuple(_pictures(one, media, enclosures)),
        enclosure=next((_text(link.get("href")) for link in enclosures if link.get("href")), ""),
    )


def _detailed(one: dict[str, Any], name: str) -> Markup:
    """The entry's own text and what is known of it; an element deeper down may have left its details there."""
    detail, text = one.get(f"{name}_detail") or {}, _text(one.get(name))
    return _markup(detail) if detail.get("value") == text else Markup(text)


def _markup(detail: Any) -> Markup:
    return Markup(_text(detail.get("value")), detail.get("type") == "text/plain", _text(detail.get("base")))


def _is_words(part: Any) -> bool:
    """Whether a content element holds text: Atom's may hold a picture or any XML (RFC 4287 section 4.1.3)."""
    kind = _text(part.get("type"))
    return not kind or kind.startswith("text/") or kind.endswith("xhtml+xml")


def _term(tag: Any) -> str:
    return _text(tag.get("label")) or _text(tag.get("term"))


def _names(context: Any) -> Iterator[str]:
    """The names of an entry's or a feed's authors, never their addresses."""
    people = [_text(person.get("name")) for person in context.get("authors") or ()]
    written = _text(context.get("author"))  # the last of them, as it stands in the feed
    if "@" in written:
        # RSS 2.0 has "address (name)" there; feedparser knows no top-level domain of more than four letters.
        people[-1:] = [_WITH_ADDRESS.sub(r"\1", written)]
    for name in people or [written]:
        stripped = _ADDRESS.sub("", name).strip(" ,;()") if "@" in name else name.strip()
        if stripped:
            yield stripped


def _language(one: dict[str, Any], about: Any) -> str:
    """The language of this entry where it differs from its feed's."""
    inherited = _text(about.get("language"))
    stated = [
        one.get("language"),
        *((one.get(name) or {}).get("language") for name in ("title_detail", "summary_detail")),
    ]
    stated += [part.get("language") for part in one.get("content") or ()]
    return next((text for value in stated if (text := _text(value)) and text != inherited), "")


def _first_time(one: dict[str, Any], *names: str) -> StatedTime:
    for name in names:
        text = _text(one.get(name))
        if text:
            return StatedTime(text, _parsed(one.get(f"{name}_parsed")))
    return StatedTime()


def _parsed(value: Any) -> datetime | None:
    try:
        year, month, day, hour, minute, second = value[:6]
        # RFC 5322 section 3.3 allows a leap second; datetime does not.
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _pictures(one: dict[str, Any], media: ItemMedia | None, enclosures: Sequence[Any]) -> Iterator[Candidate]:
    yield from media.pictures if media else ()
    for link in enclosures:
        address = _text(link.get("href"))
        if is_picture(address, _text(link.get("type")), ""):
            yield Candidate(address, caption=_text(link.get("title")))
    yield from media.thumbnails if media else ()
    image = one.get("image") or {}
    yield Candidate(_text(image.get("href")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
