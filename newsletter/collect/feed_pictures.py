"""The pictures of a feed's entry: what it lists and what its body shows, once each, the one it means first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urljoin, urlsplit

from newsletter.collect.feed_text import plain
from newsletter.collect.page_pictures import split_credit
from newsletter.collect.plain_text import clean, one_line
from newsletter.collect.sanitising import pictures_in
from newsletter.model import Picture

MAX_PICTURES = 10
_MAX_CAPTION = 500
_MAX_CREDIT = 200
_MAX_ALT = 300
_TINY = 150  # pixels of width under which a picture that the story shows larger is better
_MAX_URL = 2_000

_PICTURE_NAME = re.compile(r"\.(?:jpe?g|png|webp|gif|avif)$", re.IGNORECASE)
# The innermost ones: no expression here may look further than the next of its kind.
_FIGURE = re.compile(r"<figure>([^<]*(?:<(?!/?figure>)[^<]*)*)</figure>")
_CAPTION = re.compile(r"<figcaption>([^<]*(?:<(?!/?figcaption>)[^<]*)*)</figcaption>")
# WordPress writes each size of a picture into its name.
_SIZE_IN_NAME = re.compile(r"-\d{2,4}x\d{2,4}(?=\.\w{3,4}$)")
# A file's name, which some systems give out as the picture's title.
_FILE_NAME = re.compile(r"\S*[\d_.-]\S*|\S+\.\w{3,4}")
# WordPress.com lists the author's portrait as the first picture of every story.
_PORTRAITS = re.compile(r"(?:^|\.)gravatar\.com$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One picture that an entry lists, in the feed's words. ``renditions`` are other sizes of the same, by URL.

    ``width`` and ``height`` are what the feed says it has in pixels, 0 where it does not say both.
    """

    url: str
    caption: str = ""
    credit: str = ""
    alt: str = ""
    renditions: tuple[str, ...] = ()
    width: int = 0
    height: int = 0


def chosen_pictures(
    listed: Iterable[Candidate], bodies: Iterable[str], base: str, headline: str
) -> tuple[Picture, ...]:
    """The pictures ``listed``, best first, then those that stand in ``bodies`` (sanitised HTML), then tiny ones."""
    found: dict[str, Picture] = {}
    shown = [one for html in bodies if "<img" in html for one in _shown(html)]
    stated = list(listed)
    tiny = [one for one in stated if 0 < one.width < _TINY]
    for one in (*(one for one in stated if one not in tiny), *shown, *tiny):
        url = _absolute(one.url, base)
        if not url or _PORTRAITS.search(urlsplit(url).hostname or ""):
            continue
        key = next(
            (known for name in (one.url, *one.renditions) if (known := _same_picture(_absolute(name, base))) in found),
            _same_picture(url),
        )
        alt = one_line(plain(one.alt), _MAX_ALT)
        caption, credit = plain(one.caption), plain(one.credit)
        if not credit:
            caption, credit = split_credit(one_line(caption, _MAX_CAPTION + _MAX_CREDIT))
        worded = Picture(
            url,
            one_line(caption, _MAX_CAPTION),
            one_line(credit, _MAX_CREDIT),
            "" if alt == headline or _FILE_NAME.fullmatch(alt) else alt,
            width=one.width if one.height else 0,
            height=one.height if one.width else 0,
        )
        if worded.caption == headline:
            worded = replace(worded, caption="")
        before = found.get(key)
        found[key] = _with_words(before, worded) if before else worded
    return tuple(found.values())[:MAX_PICTURES]


def is_picture(url: str, kind: str, medium: str) -> bool:
    """Whether a listed file is a picture, by what it says, else by its name."""
    if kind or medium:
        return kind.lower().startswith("image") or medium.lower() == "image"
    return _PICTURE_NAME.search(url.partition("?")[0].strip()) is not None


def pixels(text: str) -> int:
    """A width as an attribute gives it, 0 if it is none."""
    digits = text.strip().removesuffix("px")[:5]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def same_rendition(url: str) -> str:
    """What two sizes of one picture have in common, where only their query tells them apart; else the URL itself."""
    path = url.partition("?")[0]
    return path if _PICTURE_NAME.search(path) else url


def _shown(html: str) -> list[Candidate]:
    """The pictures in sanitised HTML, with the captions of their figures."""
    captions: dict[str, str] = {}
    for figure in _FIGURE.finditer(html):
        pictures, caption = pictures_in(figure[1]), _CAPTION.search(figure[1])
        if caption and len(pictures) == 1:
            captions[pictures[0].get("src", "")] = caption[1]
    return [
        Candidate(one.get("src", ""), caption=captions.get(one.get("src", ""), ""), alt=one.get("alt", ""))
        for one in pictures_in(html)
    ]


def _with_words(picture: Picture, other: Picture) -> Picture:
    """``picture`` with the words of ``other`` where it has none."""
    return replace(
        picture,
        caption=picture.caption or other.caption,
        credit=picture.credit or other.credit,
        alt=picture.alt or other.alt,
    )


def _same_picture(url: str) -> str:
    """What a picture is known by among those of one entry, whatever its size."""
    return _SIZE_IN_NAME.sub("", same_rendition(url)).partition("://")[2]


def _absolute(url: str, base: str) -> str:
    try:
        joined = urljoin(base, "".join(clean(url).split()))
        parts = urlsplit(joined)
        return (
            joined if url and parts.scheme in {"http", "https"} and parts.hostname and len(joined) <= _MAX_URL else ""
        )
    except ValueError:
        return ""
