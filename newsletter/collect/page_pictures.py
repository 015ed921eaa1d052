"""The pictures of a page's story: what its facts name and what stands in its figures -> Pictures, each once. Pure.

Sites name the same photograph in several sizes; those are one picture. Captions, credits and alternative texts are
taken from wherever one of them stands: the figure, the JSON-LD ImageObject, ``og:image:alt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml.html import HtmlElement

from newsletter.collect.html_tree import absolute, class_words, text_of
from newsletter.collect.json_ld import StructuredFacts, words_of
from newsletter.collect.plain_text import one_line
from newsletter.collect.sanitising import is_beacon
from newsletter.model import Picture

MAX_PICTURES = 10
_SMALLEST = 40  # pixels a side, below which it is an icon or a counter
_CREDIT_WORDS = {"credit", "credits", "copyright", "photographer", "attribution", "source", "byline"}
_CAPTION_WORDS = {"caption", "figcaption", "legend"}
# "Photo: Ana Roy/Agency", "(© Ana Roy)", "| Photo Credit: Ana Roy" at the end of a caption.
_CREDIT = re.compile(
    r"[\s|(\[–—-]*(?<!\w)(?:(?:(?:photo|picture|image|illustration|graphic|file photo)s?\s*(?:credit|courtesy|by)?"
    r"|credits?|courtesy|foto|bild|quelle|crédit(?:\s+photo)?|photographie|crédito|fotografía|imagen|copyright"
    r"|写真|撮影|提供|फोटो|تصوير)\s*[:\uff1a]\s*|©\s*(?:\d{4}\s*)?)(?P<credit>[^|()\[\]]{2,120}?)[\s)\]|.]*$",
    re.IGNORECASE,
)
_CREDIT_LABEL = re.compile(
    r"^\W*(?:(?:photo|picture|image|file)s?\s*(?:credit|by)?|credits?|foto|bild|crédit(?:\s+photo)?|crédito|copyright"
    r"|写真|फोटो|تصوير)\s*[:\uff1a]\s*|^\W*©\s*",
    re.IGNORECASE,
)
_SIZE = re.compile(r"[-_](?:\d{2,4}x\d{2,4}|\d{3,4}w?|scaled|large|medium|small|thumb(?:nail)?)$", re.IGNORECASE)
_NO_PHOTOGRAPH = re.compile(
    r"(?:^|[-_/.])(?:logo|favicon|placeholder|default[-_](?:share|image|og|social)|share[-_]default|og[-_]default"
    r"|blank|spacer|sprite|avatar|gravatar)(?:[-_/.]|$)",
    re.IGNORECASE,
)
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-lazy", "data-url", "data-full-src")
_LAZY_SETS = ("data-srcset", "data-lazy-srcset", "srcset")


def address_of(image: HtmlElement, base: str) -> str:
    """The absolute address of an ``img`` or ``amp-img``, also where a script was to put it in later; '' if none."""
    shown = absolute(image.get("src") or "", base)
    later = next((at for name in _LAZY if (at := absolute(image.get(name) or "", base))), "")
    if later or (shown and not _NO_PHOTOGRAPH.search(urlsplit(shown).path)):
        return later or shown
    sets = [image.get(name) or "" for name in _LAZY_SETS]
    parent = image.getparent()
    if parent is not None and parent.tag == "picture":
        sets += [source.get("srcset") or source.get("data-srcset") or "" for source in parent.iter("source")]
    return next((at for one in sets if (at := _largest(one, base))), shown)


def figure_picture(figure: HtmlElement, base: str) -> Picture | None:
    """The picture of a figure (or of anything with one ``img``) with its caption, credit and alt."""
    image = next(iter(figure.iter("img", "amp-img")), None)
    url = address_of(image, base) if image is not None else ""
    if image is None or not url or _invisible(image, url):
        return None
    alt = one_line(image.get("alt") or "", 300)
    caption, credit = _words_of_figure(figure)
    return Picture(url, caption, credit, alt)


def story_pictures(
    facts: StructuredFacts, social: Sequence[Picture], figures: Iterable[Picture], base: str
) -> tuple[Picture, ...]:
    """The lead picture first, then those of the story's figures; one picture in several sizes is one."""
    stated = list(_stated(facts, base))
    logos = {_key(absolute(address, base)) for one in facts.values("publisher") for address in _logo(one)}
    found: dict[str, Picture] = {}
    for picture in (*stated, *social, *figures):
        key = _key(picture.url)
        if not picture.url or key in logos or _NO_PHOTOGRAPH.search(unquote(urlsplit(picture.url).path)):
            continue
        known = found.get(key)
        found[key] = picture if known is None else _with_words(known, picture)
    return tuple(found.values())[:MAX_PICTURES]


def same_photograph(one: str, other: str) -> bool:
    """Whether two addresses are of one photograph, perhaps in two sizes."""
    return _key(one) == _key(other)


def split_credit(caption: str) -> tuple[str, str]:
    """A caption that ends in a credit ("… Photo: Ana Roy") as caption and credit."""
    match = _CREDIT.search(caption)
    return (caption[: match.start()].rstrip(" |(–—-"), match["credit"].strip()) if match else (caption, "")


def _words_of_figure(figure: HtmlElement) -> tuple[str, str]:
    """The caption and the credit that stand in a figure."""
    credited = [part for part in figure.iter() if isinstance(part.tag, str) and class_words(part) & _CREDIT_WORDS]
    credit = one_line(_CREDIT_LABEL.sub("", text_of(credited[0])).strip(" ()[]|"), 200) if credited else ""
    holder = next(iter(figure.iter("figcaption")), None)
    if holder is None:
        holder = next(
            (part for part in figure.iter() if isinstance(part.tag, str) and class_words(part) & _CAPTION_WORDS
             and not class_words(part) & _CREDIT_WORDS and part is not figure and text_of(part)),
            None,
        )  # fmt: skip
    caption = text_of(holder) if holder is not None else ""
    if holder is not None and credited and any(part in credited for part in holder.iter()):
        caption = caption.replace(text_of(credited[0]), " ").strip(" |(–—-[]")
        caption = " ".join(caption.split())
    elif not credit:
        caption, credit = split_credit(caption)
    return one_line(caption, 500), one_line(credit, 200)


def _stated(facts: StructuredFacts, base: str) -> Iterable[Picture]:
    """The pictures of the JSON-LD; of several bare addresses the first, since they are crops of one."""
    bare = False
    for value in facts.values("image") or facts.values("thumbnailUrl"):
        if isinstance(value, Mapping):
            url = absolute(words_of(value.get("url")) or words_of(value.get("contentUrl")), base)
            if not url and "/" in str(value.get("@id", "")):
                url = absolute(str(value["@id"]).partition("#")[0], base)
            credit = (
                words_of(value.get("creditText")) or words_of(value.get("creator")) or words_of(value.get("author"))
            )
            credit = credit or words_of(value.get("copyrightNotice"))
            caption, in_caption = split_credit(words_of(value.get("caption")) or words_of(value.get("description")))
            alt = words_of(value.get("alternateName"))
            if url:
                credit = _CREDIT_LABEL.sub("", credit) or in_caption
                yield Picture(url, one_line(caption, 500), one_line(credit, 200), one_line(alt, 300))
        elif isinstance(value, str) and not bare:
            bare = True
            yield Picture(absolute(value, base))


def _logo(publisher: Any) -> list[str]:
    logo = publisher.get("logo") if isinstance(publisher, Mapping) else None
    url = logo.get("url") if isinstance(logo, Mapping) else logo
    return [url] if isinstance(url, str) else []


def _with_words(known: Picture, other: Picture) -> Picture:
    return replace(
        known, caption=known.caption or other.caption, credit=known.credit or other.credit, alt=known.alt or other.alt
    )


def _key(url: str) -> str:
    """What the addresses of one photograph in several sizes have in common."""
    parts = urlsplit(url)
    name = parts.path.rstrip("/").rpartition("/")[2]
    stem, dot, kind = name.rpartition(".")
    bare = _SIZE.sub("", _SIZE.sub("", stem or name))
    # A name like "image.jpg" or "1200.jpg" says nothing: then the whole path does.
    telling = len(bare) >= 8 and any(character.isalpha() for character in bare)
    return (
        bare.casefold() if telling else f"{parts.hostname}{parts.path}?{parts.query}" if len(bare) < 3 else parts.path
    )


def _largest(srcset: str, base: str) -> str:
    """The widest candidate of a srcset (HTML, section 4.8.4.2.1)."""
    best, widest = "", -1.0
    for candidate in re.split(r",\s+", srcset[:10_000]):
        address, _, width = candidate.strip().partition(" ")
        digits = width.strip().rstrip("wx")
        size = float(digits) if digits.replace(".", "", 1).isdigit() and digits.isascii() else 0.0
        if size > widest and (at := absolute(address, base)):
            best, widest = at, size
    return best


def _invisible(image: HtmlElement, url: str) -> bool:
    sides = [(image.get(side) or "").strip().removesuffix("px") for side in ("width", "height")]
    small = any(side.isascii() and side.isdigit() and int(side) < _SMALLEST for side in sides if len(side) < 6)
    return small or is_beacon(url)
