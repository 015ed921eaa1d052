"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/) -> the entries it holds. Pure.

Publishers' own code writes these: an id is a number, an author a bare name, a list a single value, a member null. What
cannot be what the specification says is taken as left out; it never costs more than itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from newsletter.collect.feed_encoding import decoded
from newsletter.collect.feed_entry import Entry, StatedTime
from newsletter.collect.feed_pictures import Candidate, is_picture
from newsletter.collect.feed_text import Markup
from newsletter.errors import SourceError

MAX_ENTRIES = 1_000
_VERSIONS = ("https://jsonfeed.org/version/", "http://jsonfeed.org/version/", "https://www.jsonfeed.org/version/")


def _as_text(value: Any) -> str:
    """A text, or the number that stands for one (version 1.0 allowed it of ids)."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _as_texts(value: Any) -> list[str]:
    several = value if isinstance(value, list) else [value]
    return [text for one in several[:200] if (text := _as_text(one))]


def _as_objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; a bare name is an author object."""
    several = value if isinstance(value, list) else [value]
    return [one if isinstance(one, dict) else {"name": one} for one in several[:200] if isinstance(one, dict | str)]


_Text = Annotated[str, BeforeValidator(_as_text)]
_Texts = Annotated[list[str], BeforeValidator(_as_texts)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Author(_Lenient):
    name: _Text = ""


class _Attachment(_Lenient):
    url: _Text = ""
    mime_type: _Text = ""
    title: _Text = ""


_Authors = Annotated[list[_Author], BeforeValidator(_as_objects)]


class _Item(_Lenient):
    id: _Text = ""
    url: _Text = ""
    external_url: _Text = ""
    title: _Text = ""
    content_html: _Text = ""
    content_text: _Text = ""
    summary: _Text = ""
    image: _Text = ""
    banner_image: _Text = ""
    date_published: _Text = ""
    date_modified: _Text = ""
    authors: _Authors = []
    author: _Authors = []  # version 1.0
    tags: _Texts = []
    language: _Text = ""
    attachments: Annotated[list[_Attachment], BeforeValidator(_as_objects)] = []


class _Feed(_Lenient):
    version: _Text = ""
    home_page_url: _Text = ""
    authors: _Authors = []
    author: _Authors = []
    language: _Text = ""


@dataclass(frozen=True, slots=True)
class JsonFeed:
    """What was read."""

    entries: tuple[Entry, ...]
    home: str = ""
    language: str = ""
    authors: tuple[str, ...] = ()


def looks_like_json(body: bytes) -> bool:
    """Whether ``body`` begins as a JSON object does."""
    return body[:200].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00").startswith(b"{")


def read_json(body: bytes, *, url: str, content_type: str = "") -> JsonFeed:
    """The entries of the JSON Feed that ``body`` is. Raises SourceError, where=url, if it is none."""
    try:
        content = json.loads(_as_json(body, content_type))
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise SourceError(f"the JSON of this feed is broken ({reason})", where=url) from error
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(items, list) or not _is_feed(content):
        raise SourceError("this is JSON, but not a JSON Feed", where=url, remedy="See jsonfeed.org/version/1.1")
    feed = _read(_Feed, content) or _Feed()
    found = [item for one in items[:MAX_ENTRIES] if isinstance(one, dict) and (item := _read(_Item, one))]
    return JsonFeed(
        tuple(_entry(item) for item in found),
        home=feed.home_page_url,
        language=feed.language,
        authors=_names(feed.authors or feed.author),
    )


def _as_json(body: bytes, content_type: str) -> str:
    """RFC 8259 section 8.1: UTF-8, without a byte order mark, which a reader may ignore."""
    name = json.detect_encoding(body)
    return decoded(body, content_type) if name.startswith("utf-8") else body.decode(name, "replace")


def _is_feed(content: dict[str, Any]) -> bool:
    """By its version; without one, by what only a feed's items have."""
    version = content.get("version")
    if isinstance(version, str) and version.strip():
        return version.strip().lower().startswith(_VERSIONS)
    items = [one for one in content["items"] if isinstance(one, dict)]
    return any("id" in one and ({"content_html", "content_text", "summary", "url"} & one.keys()) for one in items)


T = TypeVar("T", bound=BaseModel)


def _read(model: type[T], values: dict[str, Any]) -> T | None:
    try:
        return model.model_validate(values)
    except ValidationError:  # pragma: no cover - nothing is known that the lenient types do not take
        return None


def _entry(item: _Item) -> Entry:
    bodies = [Markup(item.content_html)] if item.content_html else []
    if not bodies and item.content_text:
        bodies = [Markup(item.content_text, plain=True)]
    pictures = [Candidate(item.image), Candidate(item.banner_image)]
    pictures += [Candidate(one.url, one.title) for one in item.attachments if is_picture(one.url, one.mime_type, "")]
    return Entry(
        guid=item.id,
        # "url" is the story; "external_url" is what a link blog's item is about, so it is the next best at most.
        link=item.url or item.external_url,
        title=Markup(item.title, plain=True),
        summary=Markup(item.summary, plain=True),
        bodies=tuple(bodies),
        authors=_names(item.authors or item.author),
        tags=tuple(item.tags),
        language=item.language,
        published=StatedTime(item.date_published),
        updated=StatedTime(item.date_modified),
        pictures=tuple(one for one in pictures if one.url),
        enclosure=next((one.url for one in item.attachments if one.url), ""),
    )


def _names(people: list[_Author]) -> tuple[str, ...]:
    return tuple(one.name for one in people if one.name.strip())
