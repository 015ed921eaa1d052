"""Feeds as tests want them: RSS from a few words for each item."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from html import escape
from typing import Any

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<channel><title>Front</title><link>https://news.example/</link><language>en</language>"
)


def item(number: int = 1, **changes: Any) -> str:
    """One ``<item>``; ``extra`` is raw XML inside it, None leaves an element out."""
    values: dict[str, Any] = {
        "title": f"Headline of story {number}",
        "link": f"https://news.example/national/story-{number}",
        "guid": f"story-{number}",
        "description": f"What happened in story number {number} and what it means.",
        "extra": "",
        "published": None,
    } | changes
    published: datetime | None = values.pop("published")
    extra = values.pop("extra")
    parts = [f"<{name}>{escape(value)}</{name}>" for name, value in values.items() if value is not None]
    if published:
        parts.append(f"<pubDate>{format_datetime(published)}</pubDate>")
    return f"<item>{''.join(parts)}{extra}</item>"


def rss(*items: str) -> bytes:
    return f"{_HEAD}{''.join(items)}</channel></rss>".encode()


def content(html: str) -> str:
    return f"<content:encoded><![CDATA[{html}]]></content:encoded>"


def atom(*entries: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de">'
        f'<title>World</title><link href="https://news.example/world"/>{"".join(entries)}</feed>'
    ).encode()
