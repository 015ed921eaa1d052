"""One entry of a feed of any format, as it came -> an article of the model, bounded and sanitised.

``xml_feed`` and ``json_feed`` fill an ``Entry`` with what the feed says; what newsrooms' systems do to headlines,
summaries and links on the way is undone here, once for all formats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from urllib.parse import urljoin, urlsplit

from newsletter.collect import feed_text
from newsletter.collect.feed_pictures import Candidate, chosen_pictures
from newsletter.collect.feed_text import NO_TEXT, Markup
from newsletter.collect.ignoring import without_ignored
from newsletter.collect.plain_text import clean, first_sentence, one_line, paragraphs
from newsletter.collect.published_line import read_date_line
from newsletter.collect.source_facts import SourceFacts
from newsletter.collect.stated_times import read_time
from newsletter.collect.teaser import teaser_of
from newsletter.model import IncomingArticle

MAX_HEADLINE = 300
MAX_STANDFIRST = 600
MAX_URL = 2_000
_MAX_BODY_TEXT = 100_000
_MAX_TAGS = 50
_MAX_AUTHORS = 20
# A summary longer than this is the story itself, as feeds without content:encoded carry it.
_LONG_SUMMARY = 700

# What WordPress files a story under that nobody filed.
_NO_TAG = {"uncategorized", "uncategorised"}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,20}:/", re.IGNORECASE)
_BYLINE = re.compile(r"by\s*:?\s+", re.IGNORECASE)
_SHORT_YEAR = re.compile(r"(\b\d{1,2})[ -]([A-Za-z]{3,9})[ -](\d{2}|\d{4})(?=\s|$)")

# As C's asctime prints it: the year comes last.
_YEAR_LAST = re.compile(
    r"(?:[A-Za-z]{3},? )?([A-Za-z]{3} \d{1,2}) (\d{1,2}:\d{2}(?::\d{2})?)((?: [A-Z]{1,5})?) (\d{4})"
)


@dataclass(frozen=True, slots=True)
class FeedFacts:
    """What the entries of one feed have in common: of the source that it is, and of the feed itself.

    ``home`` is the site's address, '' where the feed names none.
    """

    of_source: SourceFacts
    url: str
    language: str
    home: str = ""
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatedTime:
    """A time in the feed's words; ``otherwise`` is what a parser made of it, if we cannot."""

    text: str = ""
    otherwise: datetime | None = None


NO_TIME = StatedTime()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a feed says of one story, untrusted. ``tags`` come with what may name a section first."""

    guid: str = ""
    link: str = ""
    title: Markup = NO_TEXT
    summary: Markup = NO_TEXT
    standfirst: str = ""
    bodies: tuple[Markup, ...] = ()
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    language: str = ""
    published: StatedTime = NO_TIME
    updated: StatedTime = NO_TIME
    pictures: tuple[Candidate, ...] = ()
    enclosure: str = ""


def article_of(entry: Entry, feed: FeedFacts) -> IncomingArticle | None:
    """The article that ``entry`` is, None if it has no words at all."""
    guid = single(entry.guid)
    named = single(entry.link)
    # A guid is a permalink unless it says otherwise (RSS 2.0); many that are not URLs do not say otherwise.
    link = "" if named == guid and not is_web(guid) else absolute(named, feed.url)
    base = link or feed.home or feed.url
    facts = feed.of_source
    summary = without_ignored(feed_text.tidied(entry.summary, base), facts)
    bodies = [without_ignored(feed_text.tidied(body, base), facts) for body in entry.bodies]
    body = max(bodies, key=len, default="")
    summary_text = paragraphs(summary)
    stated = feed_text.standfirst(summary_text)
    if len(body) < len(summary) and len(summary_text) > _LONG_SUMMARY:
        body = summary
    if body == summary:
        stated = ""  # it is the story, not what stands above it
    body_text = paragraphs(body)
    stated = stated or feed_text.plain(entry.standfirst) or body_text.partition("\n\n")[0]
    headline = one_line(feed_text.headline(entry.title), MAX_HEADLINE) or first_sentence(stated or body_text, 100)
    if not headline:
        return None
    standfirst = "" if stated == headline else one_line(stated, MAX_STANDFIRST)
    language = feed_text.language_tag(entry.language or feed.language)
    tags = _words(entry.tags, _MAX_TAGS)
    published, unread = _time(entry.published, facts.zone, language)
    updated, _ = _time(entry.updated, facts.zone, language)
    return IncomingArticle(
        source=facts.source,
        url=link or absolute(single(entry.enclosure), feed.url) or (guid if is_web(guid) else "") or base,
        guid=_bounded(guid),
        headline=headline,
        standfirst=standfirst,
        authors=_authors(entry.authors or feed.authors),
        section=tags[0] if tags else facts.section,
        tags=_words((*tags, *entry.keywords), _MAX_TAGS),
        language=language,
        published_at=published or updated,
        updated_at=updated,
        images=chosen_pictures(entry.pictures, (body, summary), base, headline),
        body_html=body,
        body_text=body_text[:_MAX_BODY_TEXT],
        teaser=teaser_of(standfirst, body_text, facts.teaser_words),
        warning=unread,
    )


def absolute(url: str, base: str) -> str:
    """``url`` as an http or https URL that is not too long, '' if it is none."""
    try:
        joined = urljoin(base, url) if url else ""
        return joined if is_web(joined) and len(joined) <= MAX_URL else ""
    except ValueError:
        return ""


def is_web(url: str) -> bool:
    """Whether it is an http or https URL with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False


def single(text: str) -> str:
    """A URL or name without control characters, breaks or spaces around it."""
    words = clean(text).split()
    return ("" if words and _SCHEME.match(words[0]) else " ").join(words)


def _bounded(guid: str) -> str:
    """A guid of any length in MAX_URL characters, so that no two become the same."""
    if len(guid) <= MAX_URL:
        return guid
    digest = sha256(guid.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{guid[: MAX_URL - 1 - len(digest)]}#{digest}"


def _time(stated: StatedTime, zone: str, language: str) -> tuple[datetime | None, str]:
    """The moment a feed states, and a warning if it states one that cannot be read."""
    text = single(stated.text)[:120]
    if not text:
        return stated.otherwise, ""
    # RFC 5322 section 4.3: two digits below 50 are this century's. And "23-Nov-2026" is what some databases print.
    plain = _SHORT_YEAR.sub(lambda match: f"{match[1]} {match[2]} {_year(match[3])}", text)
    if asctime := _YEAR_LAST.fullmatch(plain):
        plain = f"{asctime[1]}, {asctime[4]} {asctime[2]}{asctime[3]}"
    moment = read_time(plain, zone=zone, language=language) or stated.otherwise
    if moment is None and (line := read_date_line(plain, zone, language)) is not None:
        moment = line.published  # month names of a language that the feed does not say it is in
    return moment, "" if moment else f"its date '{one_line(text, 60)}' cannot be read"


def _year(digits: str) -> str:
    return digits if len(digits) == 4 else f"{20 if digits < '50' else 19}{digits}"


def _words(texts: Iterable[str], most: int) -> tuple[str, ...]:
    named = (one_line(feed_text.plain(text), 80) for text in texts)
    return tuple(dict.fromkeys(word for word in named if word and word.lower() not in _NO_TAG))[:most]


def _authors(names: Iterable[str]) -> tuple[str, ...]:
    plain = (one_line(feed_text.plain(name), 120) for name in names)
    return tuple(
        dict.fromkeys(
            name for full in plain if (name := _BYLINE.sub("", full, count=1) if _BYLINE.match(full) else full)
        )
    )[:_MAX_AUTHORS]
