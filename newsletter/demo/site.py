"""The sample paper, 'The Daily Example': a small news site on loopback that the demo collects from over HTTP.

Article files (``content/articles/SLUG.md``) become stories dated from a given moment, stories become pages and feeds
(``build_pages``, pure), and ``DemoSite`` serves those as a publisher's site would, validators included.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import TracebackType
from typing import Any, Self
from zlib import crc32
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup
from ruamel.yaml import YAML

from newsletter.errors import UsageError
from newsletter.model import Access

SECTIONS = ("National", "World", "Business", "Sport", "Culture")
TIMEZONE = ZoneInfo("Asia/Kolkata")
PAPER = "The Daily Example"

_PICTURE = ("picture", "caption", "credit", "alt")
# What Facebook's article:content_tier calls our kinds of access.
_CONTENT_TIERS = {Access.FREE: "free", Access.METERED: "metered", Access.MEMBERS: "locked"}


@dataclass(frozen=True, slots=True)
class Picture:
    """An illustration of an article, 1440 × 960 pixels, with the words that go with it."""

    name: str
    caption: str
    credit: str
    alt: str

    @property
    def path(self) -> str:
        return f"/pictures/{self.name}"

    @property
    def jpeg(self) -> bytes:
        return _content_bytes(f"pictures/{self.name}")


@dataclass(frozen=True, slots=True)
class SampleArticle:
    """One article of the sample paper, as its file has it: dated only relative to the moment the demo starts."""

    slug: str
    headline: str
    standfirst: str
    authors: tuple[str, ...]
    section: str
    tags: tuple[str, ...]
    dateline: str
    published_minutes_ago: int
    access: Access
    picture: Picture | None
    body: str

    @property
    def path(self) -> str:
        return f"/{self.section.lower()}/{self.slug}"

    @property
    def age(self) -> timedelta:
        return timedelta(minutes=self.published_minutes_ago)

    @property
    def guid(self) -> str:
        """What WordPress would give: the same on every port, so that a restarted demo repeats nothing."""
        return f"https://www.thedailyexample.example/?p={crc32(self.slug.encode()) % 1_000_000}"


@dataclass(frozen=True, slots=True)
class Story:
    """An article as one running site shows it: dated, and at an address."""

    article: SampleArticle
    published_at: datetime
    base_url: str

    @property
    def url(self) -> str:
        return self.base_url + self.article.path

    @property
    def picture_url(self) -> str:
        return self.base_url + self.article.picture.path if self.article.picture else ""

    @property
    def byline(self) -> str:
        return " and ".join(self.article.authors)

    @property
    def body_html(self) -> Markup:
        return Markup(MarkdownIt("commonmark").render(self.article.body).strip())  # noqa: S704  our own text

    @property
    def content_tier(self) -> str:
        return _CONTENT_TIERS[self.article.access]


@dataclass(frozen=True, slots=True)
class Page:
    """What the site answers under one path. ``modified`` is the date of the newest story on it."""

    content_type: str
    body: bytes
    modified: datetime
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "etag", sha256(self.body).hexdigest()[:24])


@cache
def load_articles() -> tuple[SampleArticle, ...]:
    """Every article of the sample paper, newest first."""
    articles = [_parse(file) for file in (_content() / "articles").iterdir() if file.name.endswith(".md")]
    return tuple(sorted(articles, key=lambda article: article.published_minutes_ago))


def build_pages(
    now: datetime,
    base_url: str,
    *,
    held_back: Collection[str] = (),
    released: Mapping[str, datetime] | None = None,
) -> dict[str, Page]:
    """The whole site as it stands when the articles are dated back from ``now``: path to page.

    ``held_back`` names articles that appear nowhere yet; ``released`` says when those that came later came out.
    """
    base_url, released = base_url.rstrip("/"), released or {}
    stories = [
        Story(article, _in_chennai(released.get(article.slug, now - article.age)), base_url)
        for article in load_articles()
        if article.slug not in held_back
    ]
    stories.sort(key=lambda story: story.published_at, reverse=True)
    by_section = {name: [story for story in stories if story.article.section == name] for name in SECTIONS}
    pages = {
        "/": _list_page("", by_section, now, base_url),
        "/rss.xml": _feed("feed.rss", "/rss.xml", "", stories, now, base_url),
        "/world.atom": _feed("feed.atom", "/world.atom", "World", by_section["World"], now, base_url),
        "/robots.txt": Page("text/plain; charset=utf-8", b"User-agent: *\nAllow: /\n", now),
        "/newspaper.css": Page("text/css; charset=utf-8", _content_bytes("newspaper.css"), now),
        "/logo.png": Page("image/png", _content_bytes("logo.png"), now),
    }
    for name, its_stories in by_section.items():
        feed = f"/{name.lower()}.rss"
        pages[f"/{name.lower()}/"] = _list_page(name, {name: its_stories}, now, base_url)
        pages[feed] = _feed("feed.rss", feed, name, its_stories, now, base_url)
        for story in its_stories:
            pages[story.article.path] = _article_page(story, its_stories, now)
            if picture := story.article.picture:
                pages[picture.path] = Page("image/jpeg", picture.jpeg, story.published_at)
    return pages


class DemoSite:
    """The sample paper on ``http://127.0.0.1``, for as long as the ``async with`` block lasts.

    ``url`` is its address, without a slash at the end, once it is open; ``port`` 0 takes a free one. Articles named in
    ``held_back`` come out when ``publish`` is called. Raises OSError where the port is taken, UsageError where
    ``held_back`` names an article that does not exist.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        held_back: Collection[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        unknown = set(held_back) - {article.slug for article in load_articles()}
        if unknown:
            raise UsageError(f"the sample paper has no article {', '.join(sorted(unknown))}")
        self.url = ""
        self._port = port
        self._clock = clock
        self._held_back = set(held_back)
        self._released: dict[str, datetime] = {}
        self._pages: dict[str, Page] = {}

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", self._port))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._opened_at = self._clock()
        self._build()
        application = web.Application()
        application.router.add_get("/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        try:
            await self._runner.setup()
            await web.SockSite(self._runner, listener).start()
        except BaseException:
            listener.close()
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def held_back(self) -> frozenset[str]:
        """The slugs of the articles that have not come out yet."""
        return frozenset(self._held_back)

    def publish(self, slug: str) -> str:
        """Bring out an article that was held back, dated now, and give its URL. The rest of the site stays as it was.

        Raises UsageError if no article of this name is held back.
        """
        if slug not in self._held_back:
            raise UsageError(f"no article {slug!r} is held back")
        self._held_back.remove(slug)
        self._released[slug] = self._clock()
        self._build()
        return next(self.url + article.path for article in load_articles() if article.slug == slug)

    def _build(self) -> None:
        self._pages = build_pages(self._opened_at, self.url, held_back=self._held_back, released=self._released)

    async def _answer(self, request: web.Request) -> web.Response:
        page = self._pages.get(request.path)
        if page is None:
            if f"{request.path}/" in self._pages:
                raise web.HTTPMovedPermanently(f"{request.path}/")
            raise web.HTTPNotFound(text="There is no such page.\n")
        if _is_unchanged(request, page):
            response = web.Response(status=304)
        else:
            response = web.Response(body=page.body, headers={"Content-Type": page.content_type})
        response.etag = page.etag
        response.last_modified = page.modified
        response.headers["Cache-Control"] = "no-cache"
        return response


def _is_unchanged(request: web.Request, page: Page) -> bool:
    """Whether what the client holds still stands; If-None-Match outranks the date (RFC 9110 §13.2.2)."""
    if request.if_none_match is not None:
        return any(tag.value in {page.etag, "*"} for tag in request.if_none_match)
    since = request.if_modified_since
    # An HTTP date has no fractions of a second (RFC 9110 §5.6.7).
    return since is not None and math.floor(page.modified.timestamp()) <= since.timestamp()


def _list_page(section: str, by_section: Mapping[str, Sequence[Story]], now: datetime, base_url: str) -> Page:
    """The page of ``section``, or the front page where that is ''."""
    stories = [story for its_stories in by_section.values() for story in its_stories]
    stories.sort(key=lambda story: story.published_at, reverse=True)
    # The newest story with a picture leads, else the newest.
    lead = next((story for story in stories if story.article.picture), stories[0] if stories else None)
    text = _render(
        "index.html", now, base_url, current=section, lead=lead,
        groups=[(name, [story for story in its if story is not lead]) for name, its in by_section.items()],
        canonical=f"{base_url}/{section.lower()}/" if section else f"{base_url}/", description=_description(section),
    )  # fmt: skip
    return Page("text/html; charset=utf-8", text.encode(), _newest(stories, now))


def _article_page(story: Story, of_section: Sequence[Story], now: datetime) -> Page:
    others = [other for other in of_section if other is not story][:4]
    text = _render(
        "article.html", now, story.base_url, current=story.article.section, story=story, others=others,
        linked_data=_linked_data(story),
    )  # fmt: skip
    return Page("text/html; charset=utf-8", text.encode(), _newest(of_section, now))


def _feed(template: str, path: str, section: str, stories: Sequence[Story], now: datetime, base_url: str) -> Page:
    updated = _newest(stories, now)
    text = _render(
        template, now, base_url, stories=stories, updated=updated, self_url=base_url + path,
        title=f"{section} – {PAPER}" if section else PAPER,
        link=f"{base_url}/{section.lower()}/" if section else f"{base_url}/",
        description=_description(section),
    )  # fmt: skip
    kind = "atom" if template.endswith(".atom") else "rss"
    return Page(f"application/{kind}+xml; charset=utf-8", text.encode(), updated)


def _linked_data(story: Story) -> dict[str, Any]:
    """The schema.org NewsArticle, with the mark for paid content that search engines ask for."""
    article = story.article
    free = article.access is Access.FREE
    data: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.headline,
        "description": article.standfirst,
        "datePublished": story.published_at.isoformat(),
        "dateModified": story.published_at.isoformat(),
        "dateline": article.dateline,
        "articleSection": article.section,
        "keywords": list(article.tags),
        "inLanguage": "en-IN",
        "mainEntityOfPage": {"@type": "WebPage", "@id": story.url},
        "author": [{"@type": "Person", "name": author} for author in article.authors],
        "publisher": {
            "@type": "NewsMediaOrganization",
            "name": PAPER,
            "logo": {"@type": "ImageObject", "url": f"{story.base_url}/logo.png"},
        },
        "isAccessibleForFree": free,
    }
    if not free:
        data["hasPart"] = {"@type": "WebPageElement", "isAccessibleForFree": False, "cssSelector": ".paywall"}
    if picture := article.picture:
        data["image"] = {
            "@type": "ImageObject", "url": story.picture_url, "width": 1440, "height": 960,
            "caption": picture.caption, "creditText": picture.credit,
        }  # fmt: skip
    return data


def _description(section: str) -> str:
    return f"{section} news from {PAPER}" if section else "News from India and the world, from Chennai"


def _newest(stories: Sequence[Story], otherwise: datetime) -> datetime:
    return max((story.published_at for story in stories), default=otherwise)


def _render(template: str, now: datetime, base_url: str, **values: object) -> str:
    today = now.astimezone(TIMEZONE)
    return _templates().get_template(template).render(
        paper=PAPER, sections=SECTIONS, today=today, base_url=base_url, **values
    )  # fmt: skip


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("newsletter.demo", "content/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cdata"] = _cdata
    environment.filters["rfc822"] = lambda moment: format_datetime(moment.astimezone(UTC))
    environment.filters["long_date"] = lambda moment: f"{moment:%A}, {moment.day} {moment:%B %Y}"
    environment.filters["clock"] = lambda moment: f"{moment:%H.%M}"
    return environment


def _cdata(text: str) -> Markup:
    """``text`` as a CDATA section, which must not hold its own end (XML 1.0 §2.7)."""
    return Markup("<![CDATA[" + str(text).replace("]]>", "]]]]><![CDATA[>") + "]]>")  # noqa: S704


def _parse(file: Traversable) -> SampleArticle:
    _, front_matter, body = file.read_text(encoding="utf-8").split("---\n", 2)
    facts: dict[str, Any] = YAML(typ="safe").load(front_matter)
    return SampleArticle(
        slug=file.name.removesuffix(".md"),
        headline=facts["headline"],
        standfirst=facts["standfirst"],
        authors=tuple(facts["authors"]),
        section=facts["section"],
        tags=tuple(facts["tags"]),
        dateline=facts["dateline"],
        published_minutes_ago=facts["published_minutes_ago"],
        access=Access(facts["access"]),
        picture=Picture(*(facts[key] for key in _PICTURE)) if "picture" in facts else None,
        body=body.strip(),
    )


@cache
def _content_bytes(name: str) -> bytes:
    return (_content() / name).read_bytes()


def _content() -> Traversable:
    return files("newsletter.demo") / "content"


def _in_chennai(moment: datetime) -> datetime:
    return moment.astimezone(TIMEZONE).replace(microsecond=0)
