"""RSS, Atom and RDF bytes -> articles. Pure; runs in a worker process (``parsing``): feedparser can be made slow.

feedparser reads the XML, whatever its state; this module turns its entries into the words of the model, bounded and
sanitised by nh3 (feedparser's own sanitiser and link resolver are off: they are slow, and nh3 does both).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import urljoin, urlsplit

import feedparser

from newsletter.collect.plain_text import clean, first_sentence, one_line, paragraphs
from newsletter.collect.sanitising import pictures_in, sanitise, without_tags
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle, Picture

MAX_ENTRIES = 1_000
MAX_HEADLINE = 300
MAX_STANDFIRST = 600
MAX_URL = 2_000
_MAX_BODY_TEXT = 100_000
_MAX_PICTURES = 10
# A summary longer than this is the story itself, as feeds without content:encoded carry it.
_LONG_SUMMARY = 700

_PICTURE_NAME = re.compile(r"\.(?:jpe?g|png|webp|gif|avif)$", re.IGNORECASE)
_FEED_LINK = re.compile(rb"<link\b[^>]*application/(?:rss|atom)\+xml[^>]*>", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_HREF = re.compile(rb"href\s*=\s*[\"']?([^\"'\s>]+)", re.IGNORECASE)
_HTML_START = re.compile(rb"<!doctype\s+html|<html[\s>]", re.IGNORECASE)
_CUT_MARK = re.compile(r"[\s.…]*\[(?:…|\.\.\.)\]$")
# feedparser takes a picture's own title and description for those of the story, so they go under another name.
_CAPTIONS = re.compile(rb"(</?media:)(?:description|title)\b")
# What WordPress adds to every description.
_APPEARED_FIRST = re.compile(r"\s*The post .{1,400} (?:appeared first|first appeared) on .{1,200}\.$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source holds: its articles in its own order, and URLs that are the source's own, not an article's."""

    articles: tuple[IncomingArticle, ...]
    homes: tuple[str, ...] = ()


def read_feed(
    body: bytes, *, url: str, content_type: str = "", source: str, section: str = "", language: str = ""
) -> Reading:
    """The articles of a feed that was fetched from ``url`` with this Content-Type header.

    ``section`` and ``language`` stand in where an entry names none. An entry without any text is left out; broken XML
    gives what could be read. Raises SourceError if nothing could, or if it is not a feed.
    """
    if not body.strip():
        raise SourceError("it is empty, not a feed", where=url)
    try:
        parsed = feedparser.parse(
            io.BytesIO(_CAPTIONS.sub(rb"\1caption", body)),  # bytes themselves would be tried as a file name first
            response_headers={"content-type": _as_xml(content_type)},  # no base URL: it would rewrite guids
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception as error:  # feedparser lets many kinds of exceptions of its parsers through
        raise SourceError(f"it cannot be read as a feed ({type(error).__name__})", where=url) from error
    entries = parsed.get("entries") or []
    if not parsed.get("version") and (not entries or _looks_like_html(body)):
        raise _not_a_feed(body, url, source)
    about = parsed.get("feed") or {}
    home = _absolute(_text(about.get("link")), url)
    feed = _Feed(url, source, section, _text(language or about.get("language")), home)
    found = tuple(article for entry in entries[:MAX_ENTRIES] if (article := feed.article(entry)) is not None)
    broken = parsed.get("bozo_exception")
    if not found and broken and not isinstance(broken, feedparser.CharacterEncodingOverride):
        reason = one_line(str(broken), 120)
        raise SourceError(f"the feed is broken and holds no readable entry ({reason})", where=url)
    return Reading(found, (home,) if home else ())


@dataclass(frozen=True, slots=True)
class _Feed:
    """What the entries of one feed have in common."""

    url: str
    source: str
    section: str
    language: str
    home: str

    def article(self, entry: Any) -> IncomingArticle | None:
        base = self.home or self.url
        guid = _text(entry.get("id"))
        # A guid is a permalink unless it says otherwise (RSS 2.0); many that are not URLs do not say otherwise.
        named = _text(entry.get("link"))
        link = "" if named == guid and not _is_web(guid) else _absolute(named, self.url)
        summary = _html(entry.get("summary_detail") or {"value": entry.get("summary")}, link or base)
        bodies = [_html(part, link or base) for part in entry.get("content") or ()]
        body = max(bodies, key=len, default="")
        standfirst = _standfirst(paragraphs(summary))
        if len(body) < len(summary) and len(standfirst) > _LONG_SUMMARY:
            body = summary
        if body == summary:
            standfirst = paragraphs(body).partition("\n\n")[0]
        body_text = paragraphs(body)[:_MAX_BODY_TEXT]
        headline = _headline(entry) or first_sentence(standfirst or body_text, 100)
        if not headline:
            return None
        tags = tuple(dict.fromkeys(_tags(entry)))[:50]
        return IncomingArticle(
            source=self.source,
            url=link or _absolute(_enclosed(entry), self.url) or (guid if _is_web(guid) else "") or base,
            guid=guid[:MAX_URL],
            headline=headline,
            standfirst="" if standfirst == headline else one_line(standfirst, MAX_STANDFIRST),
            authors=tuple(dict.fromkeys(_authors(entry)))[:20],
            section=tags[0] if tags else self.section,
            tags=tags,
            language=_text(entry.get("language") or self.language)[:35],
            published_at=_time(entry, "published_parsed", "created_parsed", "updated_parsed"),
            updated_at=_time(entry, "updated_parsed"),
            images=_pictures(entry, body or summary, link or base),
            body_html=body,
            body_text=body_text,
        )


def _not_a_feed(body: bytes, url: str, source: str) -> SourceError:
    if not _looks_like_html(body):
        return SourceError("this is not an RSS or Atom feed", where=url)
    link = _FEED_LINK.search(body[:200_000])
    href = _HREF.search(link[0]) if link else None
    named = _absolute(href[1].decode("utf-8", "replace"), url) if href else ""
    remedy = f"Its feed is at {one_line(named, 200)}" if named else "Write the feed's own address, not the page's"
    return SourceError("this is an HTML page, not a feed", where=url, remedy=remedy)


def _as_xml(content_type: str) -> str:
    """What to tell feedparser of the Content-Type: its charset. The rest is as often wrong as right, and RFC 7303
    section 3 lets the XML declaration decide where there is no charset."""
    charset = _CHARSET.search(content_type)
    return f"application/xml; charset={charset[1]}" if charset else "application/xml"


def _looks_like_html(body: bytes) -> bool:
    return _HTML_START.search(body[:2_000]) is not None


def _headline(entry: Any) -> str:
    detail = entry.get("title_detail") or {}
    title = _text(entry.get("title"), single=False)
    return one_line(title if detail.get("type") == "text/plain" else without_tags(title), MAX_HEADLINE)


def _html(detail: Any, base: str) -> str:
    """A text construct of feedparser's as sanitised HTML."""
    value = _text(detail.get("value"), single=False)
    if detail.get("type") == "text/plain" and "<" not in value:
        return "".join(f"<p>{escape(part.strip(), quote=False)}</p>" for part in value.split("\n\n") if part.strip())
    return sanitise(value, _absolute(_text(detail.get("base")), base) or base)


def _standfirst(text: str) -> str:
    return _CUT_MARK.sub("…", _APPEARED_FIRST.sub("", text)).strip()


def _authors(entry: Any) -> Iterator[str]:
    people = entry.get("authors") or [{"name": entry.get("author")}]
    for person in people:
        name = one_line(without_tags(_text(person.get("name"), single=False)), 120)
        if name:
            yield name


def _tags(entry: Any) -> Iterator[str]:
    for tag in entry.get("tags") or ():
        term = one_line(without_tags(_text(tag.get("label") or tag.get("term"), single=False)), 80)
        if term:
            yield term


def _time(entry: Any, *names: str) -> datetime | None:
    for name in names:
        value = entry.get(name) if name in entry else None
        if value:
            try:
                year, month, day, hour, minute, second = value[:6]
                # RFC 5322 section 3.3 allows a leap second; datetime does not.
                return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
            except (ValueError, TypeError, OverflowError):
                continue
    return None


def _pictures(entry: Any, body: str, base: str) -> tuple[Picture, ...]:
    """The pictures of an entry, the one it means to stand first."""
    credit = ", ".join(_text(one.get("content")) for one in entry.get("media_credit") or () if one.get("content"))
    candidates = [
        *sorted((one for one in entry.get("media_content") or () if _is_picture(one)), key=_width, reverse=True),
        *(one for one in _enclosures(entry) if _is_picture(one)),
        *sorted(entry.get("media_thumbnail") or (), key=_width, reverse=True),
        {"url": (entry.get("image") or {}).get("href")},
        *({"url": one.get("src"), "alt": one.get("alt")} for one in pictures_in(body)),
    ]
    # Several media:content share one place for their words in feedparser, so only a single picture is sure of them.
    caption = _text(entry.get("media_caption"), single=False) if len(entry.get("media_content") or ()) == 1 else ""
    found: dict[str, Picture] = {}
    for one in candidates:
        url = _absolute(_text(one.get("url")), base)
        if not url:
            continue
        alt = one_line(_text(one.get("alt")), 300)
        if url in found:
            found[url] = replace(found[url], alt=found[url].alt or alt)
        elif not found and "alt" not in one:
            found[url] = Picture(url, one_line(without_tags(caption), 500), one_line(without_tags(credit), 200), alt)
        else:
            found[url] = Picture(url, alt=alt)
    return tuple(found.values())[:_MAX_PICTURES]


def _enclosures(entry: Any) -> Sequence[dict[str, Any]]:
    return [{"url": one.get("href"), "type": one.get("type")} for one in entry.get("enclosures") or ()]


def _enclosed(entry: Any) -> str:
    return next((_text(one["url"]) for one in _enclosures(entry) if one["url"]), "")


def _is_picture(one: Any) -> bool:
    kind = _text(one.get("type"))
    if kind or one.get("medium"):
        return kind.startswith("image/") or one.get("medium") == "image"
    return _PICTURE_NAME.search(_text(one.get("url")).partition("?")[0]) is not None


def _width(one: Any) -> int:
    digits = _text(one.get("width"))[:5]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _absolute(url: str, base: str) -> str:
    """``url`` as an http or https URL that is not too long, '' if it is none."""
    try:
        joined = urljoin(base, url) if url else ""
        return joined if _is_web(joined) and len(joined) <= MAX_URL else ""
    except ValueError:
        return ""


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def _text(value: Any, *, single: bool = True) -> str:
    """A value of feedparser's, which may be None or of any type, as text; ``single`` for URLs and names."""
    text = clean(value) if isinstance(value, str) else ""
    return text.strip() if not single else "".join(text.split()) if "://" in text else " ".join(text.split())
