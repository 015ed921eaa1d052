"""Sitemap bytes -> the addresses it lists, with what it says of each. Pure; runs in a worker process (``parsing``).

Sitemaps and indexes (sitemaps.org/protocol.html), Google's news and image extensions, text files of addresses, RSS and
Atom feeds given as sitemaps, and any of these gzipped. Broken XML gives what could be read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from newsletter.collect.html_tree import absolute
from newsletter.collect.plain_text import clean, one_line
from newsletter.collect.sanitising import without_tags
from newsletter.collect.stated_times import read_time
from newsletter.errors import SourceError
from newsletter.model import Access, Picture

# sitemaps.org/protocol.html: at most 50,000 addresses and 50 MB each.
MAX_ENTRIES = 50_000
MAX_UNPACKED = 52_428_800
_MAX_RATIO = 250  # of unpacked to packed; real sitemaps reach about thirty, a bomb a thousand
_RATIO_FROM = 5_000_000
_MAX_PICTURES = 10
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class SitemapEntry:
    """One address of a sitemap. ``published_at`` is what a news sitemap says, ``updated_at`` its ``lastmod``; UTC.

    ``access`` is None where it says nothing.
    """

    url: str
    headline: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    language: str = ""
    access: Access | None = None
    tags: tuple[str, ...] = ()
    images: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class ChildSitemap:
    """One sitemap of an index."""

    url: str
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SitemapReading:
    """What a sitemap lists, in its order: stories, and further sitemaps if it is an index."""

    entries: tuple[SitemapEntry, ...] = ()
    children: tuple[ChildSitemap, ...] = ()


def read_sitemap(body: bytes, *, url: str, zone: str = "UTC") -> SitemapReading:
    """What the sitemap that was fetched from ``url`` lists; times that name no zone are in ``zone``.

    An address stands once, at most ``MAX_ENTRIES`` of them. Raises SourceError if it is no sitemap or a broken gzip.
    """
    text = _unpacked(body, url)
    start = text[:1000].lstrip(b"\xef\xbb\xbf\x00 \t\r\n")
    if start.startswith(b"<") or text.startswith((b"\xff\xfe", b"\xfe\xff")):
        reading = _from_xml(text, url, zone)
    else:
        reading = _from_text(text, url)
    if reading is None:
        raise SourceError("this is not a sitemap", where=url, remedy="robots.txt usually names the sitemap's address")
    return reading


def _unpacked(body: bytes, url: str) -> bytes:
    for _twice in range(2):  # a .gz that the server has gzipped once more for the way
        if not body.startswith(_GZIP):
            return body
        unpacker = zlib.decompressobj(wbits=31)
        try:
            unpacked = unpacker.decompress(body, MAX_UNPACKED + 1)
        except zlib.error as error:
            raise SourceError(f"it is not readable as gzip ({error})", where=url) from None
        if len(unpacked) > MAX_UNPACKED:
            raise SourceError(f"unpacked it is larger than {MAX_UNPACKED:,} bytes", where=url)
        if len(unpacked) > max(_RATIO_FROM, _MAX_RATIO * len(body)):
            raise SourceError("it unpacks to far more than a sitemap does", where=url)
        body = unpacked
    return body


def _from_text(text: bytes, url: str) -> SitemapReading | None:
    """A text file with one address a line; None if the first of its lines are something else."""
    lines = [line.strip() for line in text.decode("utf-8-sig", "replace").splitlines() if line.strip()]
    addresses = [
        address for line in lines if line.startswith(("http://", "https://")) and (address := absolute(line, ""))
    ]
    if not addresses or len(addresses) < len(lines) / 2:
        return None
    return SitemapReading(tuple(SitemapEntry(address) for address in list(dict.fromkeys(addresses))[:MAX_ENTRIES]))


def _from_xml(text: bytes, url: str, zone: str) -> SitemapReading | None:
    parser = etree.XMLPullParser(
        events=("end",), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=True,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    entries: dict[str, SitemapEntry] = {}
    children: dict[str, ChildSitemap] = {}
    root = ""
    for element in _ended(parser, text):
        name = _name(element)
        root = root or _name(_root_of(element))
        if root not in {"urlset", "sitemapindex", "rss", "feed", "RDF"}:
            return None
        if name in {"url", "item", "entry"} and len(element):
            entry = _entry(element, url, zone)
            if entry is not None:
                entries.setdefault(entry.url, entry)
        elif name == "sitemap":
            at = absolute(_child_text(element, "loc"), url)
            if at:
                children.setdefault(at, ChildSitemap(at, read_time(_child_text(element, "lastmod"), zone=zone)))
        else:
            continue
        element.clear()
        if len(entries) >= MAX_ENTRIES or len(children) >= MAX_ENTRIES:
            break
    return SitemapReading(tuple(entries.values()), tuple(children.values())) if root else None


def _ended(parser: etree.XMLPullParser, text: bytes) -> Iterator[etree._Element]:
    """The elements in the order of their ends; broken XML ends early or is mended by libxml2."""
    position = 0
    while position < len(text):
        try:
            parser.feed(text[position : position + 65_536])
        except etree.XMLSyntaxError:
            position = len(text)
        position += 65_536
        if position >= len(text):
            with suppress(etree.XMLSyntaxError):
                parser.close()
        for _, element in parser.read_events():
            if isinstance(element, etree._Element) and isinstance(element.tag, str):
                yield element


def _entry(element: etree._Element, url: str, zone: str) -> SitemapEntry | None:
    at = absolute(_child_text(element, "loc") or _child_text(element, "link") or _link_of(element), url)
    if not at:
        return None
    published: datetime | None = None
    headline = language = keywords = ""
    access: Access | None = None
    pictures: dict[str, Picture] = {}
    for part in element.iterdescendants():
        name, text = _name(part), (part.text or "").strip()
        if name in {"publication_date", "pubDate", "published"}:
            published = published or read_time(text, zone=zone)
        elif name == "title" and _name(part.getparent()) in {"news", "item", "entry"}:
            headline = headline or one_line(without_tags(text), 300)
        elif name == "language":
            language = language or clean(text)[:35]
        elif name == "keywords":
            keywords = keywords or text
        elif name == "access":
            access = access or _access(text)
        elif name == "image" and (picture := _picture(part, url)):
            pictures.setdefault(picture.url, picture)
    tags = (one_line(tag, 80) for tag in without_tags(keywords).split(",")) if keywords else ()
    return SitemapEntry(
        at,
        headline,
        published,
        read_time(_child_text(element, "lastmod") or _child_text(element, "updated"), zone=zone),
        language,
        access,
        tuple(dict.fromkeys(tag for tag in tags if tag))[:50],
        tuple(pictures.values())[:_MAX_PICTURES],
    )


def _picture(element: etree._Element, url: str) -> Picture | None:
    at = absolute(_child_text(element, "loc"), url)
    caption = one_line(without_tags(_child_text(element, "caption") or _child_text(element, "title")), 500)
    return Picture(at, caption) if at else None


def _access(word: str) -> Access | None:
    """``news:access``, which Google once read: Subscription has to be paid for, Registration costs a sign-in."""
    return {"subscription": Access.MEMBERS, "registration": Access.METERED}.get(word.lower())


def _child_text(element: etree._Element, name: str) -> str:
    return next(("".join(map(str, child.itertext())).strip() for child in element if _name(child) == name), "")


def _link_of(element: etree._Element) -> str:
    return next((child.get("href") or "" for child in element if _name(child) == "link"), "")


def _name(element: etree._Element | None) -> str:
    """The local name: prefixes and namespaces are written in every possible way."""
    tag = element.tag if element is not None else ""
    return tag.rpartition("}")[2].rpartition(":")[2] if isinstance(tag, str) else ""


def _root_of(element: etree._Element) -> etree._Element:
    while (parent := element.getparent()) is not None:
        element = parent
    return element
