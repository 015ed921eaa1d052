"""One web page's bytes -> an article, through trafilatura. Pure; runs in a worker process (``parsing``)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import urljoin

from trafilatura import extract_with_metadata
from trafilatura.utils import load_html

from newsletter.collect.identity import canonical_url, is_home_page
from newsletter.collect.plain_text import clean, one_line, paragraphs
from newsletter.collect.sanitising import pictures_in, sanitise
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle, Picture

_DATES = {"outputformat": "%Y-%m-%dT%H:%M:%S%z", "original_date": True, "extensive_search": False}
_LEADING_HEADLINE = re.compile(r"^\s*<h[12]>(.*?)</h[12]>", re.DOTALL)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


def read_page(
    body: bytes, *, url: str = "", guid: str = "", source: str, section: str = "", language: str = ""
) -> IncomingArticle:
    """The article of a page fetched from ``url`` ('' for a saved file, whose canonical link then says where it is).

    Raises SourceError if no story is found in it.
    """
    tree = load_html(body)
    if tree is None:
        raise SourceError("it cannot be read as HTML", where=url or guid)
    stated = tree.get("lang") or ""
    document = extract_with_metadata(
        tree,
        url=url or None,
        output_format="html",
        include_comments=False,
        include_images=True,
        include_links=True,
        include_formatting=True,
        date_extraction_params=_DATES,
    )
    headline = one_line(document.title or "", 300) if document else ""
    if document is None or not headline:
        raise SourceError("no story was found in this page", where=url or guid)
    where = _address(document.url or "", url)
    body_html = _without_headline(sanitise(document.text or "", where), headline)
    lead = [urljoin(where, document.image)] if document.image else []
    pictures = dict.fromkeys([*lead, *(one["src"] for one in pictures_in(body_html))])
    alts = {one["src"]: one.get("alt", "") for one in pictures_in(body_html)}
    tags = tuple(one_line(tag, 80) for tag in document.tags or () if tag)[:50]
    categories = [one_line(category, 80) for category in document.categories or () if category]
    return IncomingArticle(
        source=source,
        url=where,
        guid=guid,
        headline=headline,
        standfirst=one_line(document.description or "", 600),
        authors=tuple(one_line(name, 120) for name in (document.author or "").split("; ") if name.strip())[:20],
        section=categories[0] if categories else section,
        tags=tuple(dict.fromkeys([*categories, *tags])),
        language=stated if _LANGUAGE.fullmatch(stated) else language,
        published_at=_time(document.date or ""),
        images=tuple(
            Picture(picture, alt=one_line(alts.get(picture, ""), 300))
            for picture in pictures
            if picture.startswith(("http://", "https://"))
        )[:10],
        body_html=body_html,
        body_text=paragraphs(body_html)[:100_000],
    )


def _address(canonical: str, url: str) -> str:
    """Where the page says it is, unless that is no web address or the home page."""
    named = canonical_url(canonical)
    return clean(canonical) if named and not is_home_page(named) else url


def _without_headline(html: str, headline: str) -> str:
    match = _LEADING_HEADLINE.match(html)
    return html[match.end() :].lstrip() if match and one_line(paragraphs(match[1]), 300) == headline else html


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
