"""What templates see: frozen views of an edition, its newsletter, its site and its stories.

Articles and configuration -> views. Templates never see a pydantic model or an ``Article`` itself. The views of stories
travel as JSON in the manifest piece, so that subject and preheader can be made where the pieces are joined.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, NoReturn, Self
from urllib.parse import urlsplit

from babel.lists import format_list
from markupsafe import Markup

from newsletter.config.models import Images, Newsletter, Site
from newsletter.errors import TemplateError
from newsletter.model import Access, Article, Edition, Picture
from newsletter.render import colour
from newsletter.render.encoding import clean
from newsletter.render.filters import minutes
from newsletter.render.image_service import linked
from newsletter.render.words import direction_of, locale_of

# The widths in pixels at which the shipped designs show a story's picture: at the top, and beside a story.
LEAD_SHOWN = 592
SMALL_SHOWN = 160


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture by its absolute URL: our copy, or a link at the publisher's image service (then ``pattern``, and
    ``source`` is its own address there). ``width`` and ``height`` are its pixels (0: not known); ``small`` is our small
    copy, '' where there is none."""

    url: str
    alt: str
    caption: str
    credit: str
    width: int
    height: int
    small: str = ""
    source: str = ""
    pattern: str = ""

    def at(self, width: int, height: int = 0) -> str:
        """Its URL where it is shown ``width`` x ``height`` pixels large: twice as many, and no more than needed."""
        if self.pattern:
            return linked(self.pattern, self.source, 2 * width)
        return self.small if self.small and 0 < max(width, height) <= SMALL_SHOWN else self.url

    def fit(self, width: int, height: int) -> tuple[int, int]:
        """The largest size within ``width`` x ``height`` that keeps the proportions; height 0 where not known."""
        if not (self.width and self.height):
            return width, 0
        scale = min(width / self.width, height / self.height)
        return round(self.width * scale), round(self.height * scale)


@dataclass(frozen=True, slots=True)
class Story:
    """One article as a template sees it. ``readable``: this plan reads it in full; otherwise ``body`` is empty, and
    ``teaser`` is all there is: the standfirst, or where there is none how the story begins.

    ``language`` and ``direction`` are empty where they are the edition's own.
    """

    id: int
    headline: str
    standfirst: str
    url: str
    section: str
    authors: tuple[str, ...]
    byline: str
    dateline: str
    published_at: datetime
    updated_at: datetime
    words: int
    access: str
    readable: bool
    language: str = ""
    direction: str = ""
    tags: tuple[str, ...] = ()
    correction: bool = False
    picture: PictureView | None = None
    body: Markup = field(default_factory=Markup)
    text: str = ""
    teaser: str = ""

    @property
    def minutes(self) -> int:
        """Minutes to read it, at least one."""
        return minutes(self.words)

    def as_json(self) -> dict[str, Any]:
        """Everything but picture and body, which only whole documents show."""
        names = [name for name in self.__slots__ if name not in ("picture", "body", "text")]
        return {name: _plain(getattr(self, name)) for name in names}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        times = {name: datetime.fromisoformat(value[name]) for name in ("published_at", "updated_at")}
        return cls(**{**value, **times, "authors": tuple(value["authors"]), "tags": tuple(value["tags"])})


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section's heading. Which of its stories stand below it is another thing for every reader."""

    name: str

    @property
    def stories(self) -> NoReturn:
        """Raises TemplateError: templates cannot know them."""
        raise TemplateError(
            "a template asks for the stories of a section, and each reader has others",
            remedy="Write a story in lead, card or brief; count stories in summary.txt, over `articles`",
        )


@dataclass(frozen=True, slots=True)
class EditionView:
    """``name`` is ``daily@2026-11-01/1``, ``occurrence`` ``2026-11-01/1``."""

    name: str
    occurrence: str
    date: date
    stream: str


@dataclass(frozen=True, slots=True)
class NewsletterView:
    name: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class SiteView:
    """The publisher; the accent is readable on our paper, ``accent_dark`` on the dark one. ``membership_url`` is where
    readers become members, the site itself where nothing is configured."""

    name: str
    url: str
    postal_address: str
    accent: str
    accent_dark: str
    headline_font: str
    text_font: str
    logo: PictureView | None = None
    membership_url: str = ""


@dataclass(frozen=True, slots=True)
class KeyView:
    """The rendered facts: all that a template may branch on."""

    language: str
    plan: str


def picture_view(picture: Picture, web_base: str, pattern: str = "") -> PictureView | None:
    """``picture`` from our own web address, or from the image service whose ``pattern`` is given.

    None while we have no copy of it: a mail never shows a broken picture, nor somebody else's server.
    """
    media = f"{web_base.rstrip('/')}/media/"
    url = linked(pattern, picture.url, 2 * LEAD_SHOWN) if pattern else picture.media and media + picture.media
    if not url:
        return None
    return PictureView(
        url,
        clean(picture.alt or picture.caption),
        clean(picture.caption),
        clean(picture.credit),
        picture.width,
        picture.height,
        small=media + picture.small if picture.small else "",
        source=picture.url,
        pattern=pattern,
    )


def story_view(
    article: Article,
    *,
    language: str,
    own_language: str = "",
    reads: Collection[Access],
    web_base: str,
    fallback_url: str,
    images: Images | None = None,
) -> Story:
    """``article`` for readers who may read ``reads`` in full; ``images`` is what its source says of pictures.

    One that says no language is in ``own_language``, the newsletter's. Its picture is the first that can be shown.
    """
    readable = article.access in reads
    written = article.language or own_language
    foreign = written if written.split("-")[0] not in ("", language.split("-")[0]) else ""
    direction = direction_of(foreign) if foreign else ""
    authors = tuple(_line(author) for author in article.authors)
    pattern = (images.pattern or "") if images is not None and images.mode == "link" else ""
    pictures = (picture_view(picture, web_base, pattern) for picture in article.images)
    return Story(
        id=article.id,
        headline=_line(article.headline),
        standfirst=_line(article.standfirst),
        url=article.url if urlsplit(article.url).scheme in ("http", "https") else fallback_url,
        section=_line(article.section),
        authors=authors,
        byline=str(format_list(authors, locale=locale_of(language))) if authors else "",
        dateline=_line(article.dateline),
        published_at=article.published_at,
        updated_at=article.updated_at,
        words=article.words,
        access=str(article.access),
        readable=readable,
        language=foreign,
        direction=direction if direction != direction_of(language) else "",
        tags=tuple(_line(tag) for tag in article.tags),
        correction=str(article.revision_kind) == "correction",
        picture=next(filter(None, pictures), None),
        # Sanitised where it was collected (nh3), which is the one place that decides what a feed may say in HTML.
        body=Markup(clean(article.body_html)) if readable else Markup(""),  # noqa: S704
        text=clean(article.body_text) if readable else "",
        teaser=_line(article.teaser or article.standfirst),
    )


def edition_view(edition: Edition) -> EditionView:
    return EditionView(str(edition.name), str(edition.occurrence), edition.occurrence.local_date, str(edition.stream))


def newsletter_view(name: str, newsletter: Newsletter) -> NewsletterView:
    return NewsletterView(name, newsletter.title, newsletter.description)


def site_view(site: Site, logo: PictureView | None) -> SiteView:
    theme = site.theme
    return SiteView(
        name=site.name,
        url=str(site.url),
        postal_address=clean(site.postal_address),
        accent=colour.on_paper(theme.accent),
        accent_dark=colour.readable(theme.accent, colour.PAPER_DARK),
        headline_font=_font(theme.headline_font),
        text_font=_font(theme.text_font),
        logo=replace(logo, alt=site.name) if logo else None,
        membership_url=str(site.membership_url or site.url),
    )


def summed_words(stories: Sequence[Story]) -> int:
    """Words of all ``stories`` together."""
    return sum(story.words for story in stories)


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _font(family: str | None) -> str:
    """The family as a CSS value with its comma, or ''; only what a font's name has, so that it cannot end the rule."""
    kept = "".join(c for c in family or "" if c.isalnum() or c in " -").strip()
    return f"'{kept}'," if kept else ""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
