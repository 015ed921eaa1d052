"""What a CMS pushes: the JSON body of ``POST /api/articles`` -> ``PushedArticle``s -> articles as the store takes them.

Pure. Both functions run in a worker process (``parsing``), for their time must be bounded from outside: nh3 needs more
than a minute for 400 KB of unclosed formatting elements, and would hold the GIL of the process that sends mail.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from newsletter.collect.identity import canonical_url, is_home_page
from newsletter.collect.ignoring import without_ignored
from newsletter.collect.plain_text import clean, one_line, paragraphs
from newsletter.collect.sanitising import pictures_in, sanitise
from newsletter.collect.source_facts import SourceFacts
from newsletter.collect.teaser import MAX_TEASER, teaser_of
from newsletter.config.faults import suggestion
from newsletter.model import Access, IncomingArticle, Picture

MAX_BATCH = 100
_MAX_URL = 2_000
_MAX_BODY_HTML = 400_000
_MAX_BODY_TEXT = 100_000
_MAX_PICTURES = 10
_MAX_KEYS = 100
_WEB_URL = re.compile(r"https?://[^\s<>\"\\\x00-\x20\x7f-\x9f\ud800-\udfff]+", re.IGNORECASE)
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})((?:[-_][A-Za-z0-9]{2,8}){0,3})", re.ASCII)
_EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")


def _text(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value  # half an emoji, as JavaScript cuts them, is no error


def _url(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    url = value.strip()
    if len(url) > _MAX_URL:  # first, for what looks into it takes its time with megabytes
        raise ValueError(f"a URL has at most {_MAX_URL:,} characters")
    if not _WEB_URL.fullmatch(url) or not canonical_url(url):
        raise ValueError("it is not an http or https URL")
    if urlsplit(url).username is not None:
        raise ValueError("a URL that holds a user name or password would be mailed to everyone")
    return url


def _article_url(value: Any) -> Any:
    url = _url(value)
    if isinstance(url, str) and is_home_page(canonical_url(url)):
        raise ValueError("it is a site's home page, which tells no articles apart")
    return url


def _language(value: Any) -> Any:
    match = _LANGUAGE.fullmatch(value.strip()) if isinstance(value, str) and value.strip() else None
    if match is None and value != "":
        raise ValueError("a language is written like en or pt-BR")
    return match[1].lower() + match[2].replace("_", "-") if match else ""


def _moment(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("a time is text in ISO 8601, like 2026-11-23T07:00:00+05:30")
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError("it is not a time in ISO 8601; write one like 2026-11-23T07:00:00+05:30") from None
    if not 1 < moment.year < 9999:
        raise ValueError("no article is of that year")
    return moment


Text = Annotated[str, BeforeValidator(_text)]
_UrlField = Field(max_length=_MAX_URL, json_schema_extra={"format": "uri"})
Url = Annotated[str, _UrlField, BeforeValidator(_url)]
ArticleUrl = Annotated[str, _UrlField, BeforeValidator(_article_url)]
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PushedImage(_Strict):
    """A picture of an article, and the words that belong to it. Plain text."""

    url: Url
    caption: Text = ""
    credit: Text = ""
    alt: Text = Field("", description="What it shows, for those who do not see it")


class PushedArticle(_Strict):
    """One article as a CMS pushes it. Text is plain text but for body_html; null is the same as leaving a key out."""

    source: Annotated[str, Field(max_length=48)] = Field(
        "", description="Needed unless the token is for one source alone"
    )
    url: ArticleUrl = Field(description="What the article is known by: pushing it again changes it")
    guid: Annotated[str, Field(max_length=_MAX_URL), BeforeValidator(_text)] = Field(
        "", description="What the CMS calls it; it is recognised by it when its URL changes"
    )
    headline: Text = Field("", description="Needed unless retracted")
    standfirst: Text = ""
    authors: Annotated[list[Text], FailFast(), Field(max_length=20)] = []
    dateline: Text = Field("", description="The place or places it was written from")
    section: Text = Field("", description="Default: the source's")
    tags: Annotated[list[Text], FailFast(), Field(max_length=50)] = []
    language: Annotated[str, BeforeValidator(_language)] = Field(
        "", description="Like en or pt-BR; default: the source's"
    )
    published_at: Moment | None = Field(
        None, description="ISO 8601; without a zone it is the source's. Until then the article waits"
    )
    updated_at: Moment | None = None
    images: Annotated[list[PushedImage], FailFast(), Field(max_length=100)] = Field(
        [], description="The one to lead with first; default: those in body_html"
    )
    body_html: Annotated[str, Field(max_length=_MAX_BODY_HTML), BeforeValidator(_text)] = Field(
        "", description="Made safe for mail here"
    )
    body_text: Annotated[str, Field(max_length=_MAX_BODY_TEXT), BeforeValidator(_text)] = Field(
        "", description="Paragraphs with an empty line between them; not read where there is body_html"
    )
    access: Access = Field(Access.FREE, description="Who may read the body")
    teaser: Text = Field("", description="What the others may read; default: the standfirst, or how the body begins")
    retracted: StrictBool = Field(False, description="Take it out of every edition not yet sent; only url is needed")

    @model_validator(mode="after")
    def _has_a_headline(self) -> PushedArticle:
        if not self.retracted and not self.headline.strip():
            raise ValueError("headline: it is missing")
        return self


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something that was pushed is not taken, in one line; its ``url`` and ``source`` as far as it has any."""

    error: str
    url: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """What a body holds, in its order; ``batch`` says whether it was an array."""

    items: tuple[PushedArticle | Refusal, ...]
    batch: bool


class _Repeated(dict[str, Any]):
    """An object that has a key twice: parsers differ on which counts (RFC 8259 section 4), so none does."""

    def __init__(self, found: dict[str, Any], key: str) -> None:
        super().__init__(found)
        self.key = key


def read_push(body: bytes) -> Push | Refusal:
    """The articles of a request's body, each read or refused by itself; a Refusal where the body as a whole is none."""
    try:
        read = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_number)
    except UnicodeDecodeError:
        return Refusal("the body is not UTF-8")  # RFC 8259 section 8.1
    except RecursionError:
        return Refusal("the body is nested too deeply")
    except ValueError as error:
        return Refusal(f"the body is not JSON ({one_line(str(error), 120)})")
    if isinstance(read, list):
        if len(read) > MAX_BATCH:
            return Refusal(f"a batch is at most {MAX_BATCH} articles; this one has {len(read):,}")
        return Push(tuple(_article(one) for one in read), batch=True)
    if isinstance(read, dict):
        return Push((_article(read),), batch=False)
    return Refusal("the body is neither an article (a JSON object) nor an array of them")


def read_pushed(article: PushedArticle, facts: SourceFacts) -> IncomingArticle:
    """``article`` as the store takes it, its HTML made safe."""
    body_html = without_ignored(sanitise(article.body_html or _as_html(article.body_text), article.url), facts)
    body_text = paragraphs(body_html)[:_MAX_BODY_TEXT]
    headline = one_line(article.headline, 300)
    standfirst = one_line(article.standfirst, 600)
    images, warning = _images(article, body_html)
    return IncomingArticle(
        source=facts.source,
        url=article.url,
        guid=article.guid.strip(),
        headline=headline,
        standfirst="" if standfirst == headline else standfirst,
        authors=_lines(article.authors, 120),
        dateline=one_line(article.dateline, 120),
        section=one_line(article.section, 80) or facts.section,
        tags=_lines(article.tags, 80),
        language=article.language or facts.language,
        published_at=_utc(article.published_at, facts.zone),
        updated_at=_utc(article.updated_at, facts.zone),
        images=images,
        body_html=body_html,
        body_text=body_text,
        access=article.access,
        teaser=one_line(article.teaser, MAX_TEASER) or teaser_of(standfirst, body_text, facts.teaser_words),
        warning=warning,
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        return _Repeated(found, next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")  # RFC 8259 section 6


def _article(given: Any) -> PushedArticle | Refusal:
    if not isinstance(given, dict):
        return Refusal("an article is a JSON object")
    shown = (_shown(given.get("url")), _shown(given.get("source")))
    pictures = given.get("images")
    for part in (given, *(pictures if isinstance(pictures, list) else ())):
        if isinstance(part, _Repeated):
            return Refusal(f"the key '{one_line(part.key, 60)}' is there twice", *shown)
    if len(given) > _MAX_KEYS:
        return Refusal(f"it has {len(given):,} keys", *shown)
    facts = _without_null(given)
    if isinstance(pictures, list):
        facts["images"] = [_without_null(one) if isinstance(one, dict) else one for one in pictures]
    try:
        return PushedArticle.model_validate(facts)
    except ValidationError as error:
        return Refusal(_in_words(error.errors(include_url=False, include_input=False, include_context=False)), *shown)


def _shown(value: Any) -> str:
    return one_line(value, _MAX_URL) if isinstance(value, str) else ""


def _without_null(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value is not None}


def _in_words(errors: Sequence[ErrorDetails]) -> str:
    """The first faults of an article in one line, each with its key."""
    said = []
    for error in errors[:3]:
        *before, last = error["loc"] or ("",)
        place = one_line(".".join(str(part) for part in error["loc"]), 80)
        if error["type"] == "extra_forbidden":
            keys = PushedImage.model_fields if before else PushedArticle.model_fields
            what = f"there is no such key. {suggestion(str(last)[:60], keys)}"
        elif error["type"] == "missing":
            what = "it is missing"
        else:
            what = error["msg"].removeprefix("Value error, ")
        said.append(f"{place}: {what}" if place else what)
    return one_line("; ".join(said), 400)


def _lines(values: Iterable[str], limit: int) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for value in values if (line := one_line(value, limit))))


def _as_html(text: str) -> str:
    """Plain text as paragraphs: what empty lines part, or each line where there are none."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    parts = _EMPTY_LINE.split(text) if _EMPTY_LINE.search(text) else text.split("\n")
    return "".join(f"<p>{escape(' '.join(part.split()), quote=False)}</p>" for part in parts if part.strip())


def _images(article: PushedArticle, body_html: str) -> tuple[tuple[Picture, ...], str]:
    """The pictures, once each, and what to say where there are more of them than we keep."""
    found: dict[str, Picture] = {}
    for image in article.images:
        words = one_line(image.caption, 500), one_line(image.credit, 200), one_line(image.alt, 300)
        found.setdefault(image.url, Picture(image.url, *words))
    for one in pictures_in(body_html) if not found else ():
        if len(one["src"]) <= _MAX_URL:
            found.setdefault(one["src"], Picture(one["src"], alt=one_line(one.get("alt", ""), 300)))
    more = len(found) - _MAX_PICTURES
    return tuple(found.values())[:_MAX_PICTURES], f"{more} of its {len(found)} images are left out" if more > 0 else ""


def _utc(moment: datetime | None, zone: str) -> datetime | None:
    """``moment`` in UTC; without a zone of its own it is the wall clock of ``zone``."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
