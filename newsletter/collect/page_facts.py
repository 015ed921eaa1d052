"""What a page says about its story, apart from the text: its tree in, the facts out. Pure.

JSON-LD first, then OpenGraph and other meta elements, then what readers see (``h1``, byline, ``<time>``, breadcrumb).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from newsletter.collect.bylines import authors_of, names_in_nodes, names_in_text
from newsletter.collect.html_tree import absolute, base_of, class_words, text_of
from newsletter.collect.identity import canonical_url, is_home_page
from newsletter.collect.json_ld import StructuredFacts, addresses_of, said_false, structured_facts, types_of, words_of
from newsletter.collect.page_headline import headline_of, plain_key
from newsletter.collect.plain_text import clean, one_line
from newsletter.collect.stated_times import read_time
from newsletter.model import Access, Picture

MAX_HEADLINE = 300
MAX_STANDFIRST = 600

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
_PUBLISHED = (
    "article:published_time", "og:article:published_time", "og:published_time", "datepublished", "date.issued",
    "dc.date.issued", "dcterms.issued", "dcterms.created", "dc.date.created", "dc.date", "parsely-pub-date",
    "sailthru.date", "publishdate", "publish-date", "publish_date", "pubdate", "publication_date", "article.published",
    "cxenseparse:recs:publishtime", "article_date_original", "date",
)  # fmt: skip
_UPDATED = (
    "article:modified_time", "og:article:modified_time", "og:updated_time", "datemodified", "dcterms.modified",
    "dc.date.modified", "last-modified", "lastmod", "article.updated",
)  # fmt: skip
_AUTHORS = ("author", "byl", "parsely-author", "dc.creator", "dcterms.creator", "sailthru.author", "article:author")
_DESCRIPTIONS = ("og:description", "twitter:description", "description", "dc.description", "sailthru.description")
_SECTIONS = ("article:section", "og:article:section", "parsely-section", "section", "cxenseparse:section")
_TAGS = ("article:tag", "og:article:tag", "parsely-tags", "news_keywords", "sailthru.tags", "keywords")
_TIERS = ("article:content_tier", "og:article:content_tier", "content_tier", "contenttier", "meteredness", "access")
_ACCESS = {
    "free": Access.FREE, "open": Access.FREE, "public": Access.FREE, "metered": Access.METERED, "meter": Access.METERED,
    "registration": Access.METERED, "locked": Access.MEMBERS, "members": Access.MEMBERS, "paid": Access.MEMBERS,
    "premium": Access.MEMBERS, "subscriber": Access.MEMBERS, "subscription": Access.MEMBERS,
}  # fmt: skip
_STANDFIRST_WORDS = {"standfirst", "subheadline", "subhead", "subtitle", "subheading", "dek", "deck", "kicker-text",
                     "chapo", "vorspann", "intro", "lede", "summary", "excerpt", "sinopsis",
                     "ingress", "entradilla", "bajada", "perex", "sapo", "sottotitolo"}  # fmt: skip
_UPDATED_WORDS = {"updated", "modified", "update"}
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_LINE = 120
_CUT = re.compile(r"\s*(?:\[?(?:…|\.\.\.)\]?|\[&hellip;\])\s*$")
_SECOND_LEVELS = {"co", "com", "org", "net", "gov", "ac", "edu", "or", "ne", "go", "gob", "gouv"}


@dataclass(frozen=True, slots=True)
class PageFacts:
    """A story's facts as its page states them. ``url`` is '' where the page names no address that can be believed."""

    url: str
    base: str
    headline: str
    standfirst: str
    authors: tuple[str, ...]
    dateline: str
    section: str
    tags: tuple[str, ...]
    language: str
    published_at: datetime | None
    updated_at: datetime | None
    access: Access | None
    social_pictures: tuple[Picture, ...]
    structured: StructuredFacts
    is_story: bool


def page_facts(tree: HtmlElement, *, url: str, zone: str, language: str = "") -> PageFacts:
    """The facts of a page that was fetched from ``url`` ('' for a saved file); times without a zone are in ``zone``."""
    meta = _meta(tree)
    canonical = [link.get("href") or "" for link in tree.iter("link") if _rel(link) == "canonical"]
    base = base_of(tree, url)
    named = frozenset(filter(None, (canonical_url(absolute(one, base)) for one in (url, *canonical, *meta["og:url"]))))
    shown = [text_of(one) for one in tree.iter("h1")]
    titles = [*meta["og:title"], *meta["twitter:title"], *(text_of(one) for one in list(tree.iter("title"))[:1])]
    structured = structured_facts(tree, [*shown, *titles], named)
    sites = _site_names(meta, structured, base)
    headline = headline_of(
        structured.text("headline") or structured.text("name"), shown, _marked_headlines(tree), titles, sites
    )
    stated = _language(tree, meta, structured)
    place = stated or language
    published, updated = _times(tree, meta, structured, zone, place)
    addresses = [*canonical, *meta["og:url"], *addresses_of(structured.story)]
    authors = names_in_nodes(structured.values("author")) or names_in_nodes(structured.values("creator"))
    authors = authors or [name for text in _first_of(meta, _AUTHORS) for name in names_in_text(text)]
    section, sections = _section(tree, meta, structured, headline)
    return PageFacts(
        url=next((at for one in addresses if (at := _believed(absolute(one, base), url))), ""),
        base=base,
        headline=one_line(headline, MAX_HEADLINE),
        standfirst=_standfirst(tree, meta, structured, headline),
        authors=authors_of(authors, sites) or authors_of(_shown_authors(tree), sites),
        dateline=one_line(structured.text("dateline") or _marked_dateline(tree), 120),
        section=section,
        tags=_tags(meta, structured, sections),
        language=stated,
        published_at=published,
        updated_at=updated,
        access=_access(meta, structured),
        social_pictures=_social_pictures(meta, base),
        structured=structured,
        is_story=bool(structured.story) or "article" in meta["og:type"] or bool(meta["article:published_time"]),
    )


class _Meta(dict[str, list[str]]):
    """Meta elements by lower-cased name, property or itemprop, in order; a name that is not there has no values."""

    def __missing__(self, name: str) -> list[str]:
        return []


def _meta(tree: HtmlElement) -> _Meta:
    found = _Meta()
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name") or element.get("itemprop") or ""
        content = " ".join(clean(element.get("content") or "").split())
        if name and content:
            found.setdefault(name.strip().lower(), []).append(content[:5_000])
    return found


def _first_of(meta: _Meta, names: Sequence[str]) -> list[str]:
    return next((meta[name] for name in names if meta[name]), [])


def _rel(link: HtmlElement) -> str:
    return (link.get("rel") or "").strip().lower()


def _believed(address: str, url: str) -> str:
    """Where the page says it is, unless that is a home page or another site."""
    named = canonical_url(address)
    return address if named and not is_home_page(named) and (not url or _same_site(named, canonical_url(url))) else ""


def _same_site(one: str, other: str) -> bool:
    """Whether two addresses are of one publisher: they share a host but for ``www``, ``m``, ``amp`` and the like."""
    first, second = ((urlsplit(address).hostname or "").split(".")[::-1] for address in (one, other))
    if second[:2] == ["org", "ampproject"] or second[:2] == ["com", "ampproject"]:
        return True  # an AMP cache, whose pages are other sites' by design
    shared = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        shared += 1
    fewest = 3 if len(first) > 2 and first[1] in _SECOND_LEVELS and len(first[0]) == 2 else 2
    return first == second or shared >= fewest


def _site_names(meta: _Meta, structured: StructuredFacts, base: str) -> list[str]:
    names = [*structured.site_names, *meta["og:site_name"], *meta["application-name"], *meta["twitter:site"]]
    host = (urlsplit(base).hostname or "").removeprefix("www.")
    return [name.lstrip("@") for name in (*names, *meta["publisher"], host, host.partition(".")[0]) if name]


def _marked_headlines(tree: HtmlElement) -> list[str]:
    return [text_of(one) for one in tree.iter("h1", "h2") if "headline" in (one.get("itemprop") or "").split()]


def _language(tree: HtmlElement, meta: _Meta, structured: StructuredFacts) -> str:
    root = next(tree.iter("html"), tree)
    stated = (
        root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or root.get("xml:lang") or "",
        structured.text("inLanguage"),
        *meta["og:locale"],
        *meta["language"],
        *meta["dc.language"],
    )
    return next((one.replace("_", "-") for text in stated if _LANGUAGE.fullmatch(one := text.strip())), "")


def _times(
    tree: HtmlElement, meta: _Meta, structured: StructuredFacts, zone: str, language: str
) -> tuple[datetime | None, datetime | None]:
    """When it was published and updated, UTC."""

    def first(texts: Iterator[str]) -> datetime | None:
        return next((time for text in texts if (time := read_time(text, zone=zone, language=language))), None)

    shown = [*_shown_times(tree)]
    published = first(iter((structured.text("datePublished"), structured.text("dateCreated"))))
    published = published or first(text for name in _PUBLISHED for text in meta[name])
    published = published or first(text for text, updated in shown if not updated)
    updated = first(iter((structured.text("dateModified"),))) or first(text for name in _UPDATED for text in meta[name])
    updated = updated or first(text for text, is_update in shown if is_update)
    published = published or first(_shown_dates(tree))
    return published or updated, updated


def _shown_times(tree: HtmlElement) -> list[tuple[str, bool]]:
    """The ``<time>`` elements and microdata of the story, each with whether it says "updated"."""
    scope = _scope(tree)
    found: list[tuple[int, str, bool]] = []
    for element in scope.iter():
        if not isinstance(element.tag, str):
            continue
        marks = (element.get("itemprop") or "").lower()
        if element.tag != "time" and marks not in {"datepublished", "datecreated", "datemodified"}:
            continue
        words = class_words(element) | (
            class_words(cast("HtmlElement", element.getparent())) if element is not scope else set()
        )
        updated = marks == "datemodified" or bool(words & _UPDATED_WORDS)
        text = element.get("datetime") or element.get("content") or text_of(element)
        sure = element.get("pubdate") is not None or marks == "datepublished" or "published" in words
        found.append((0 if sure else 1, text, updated))
    found.sort(key=lambda one: one[0])
    return [(text, updated) for _, text, updated in found[:20]]


def _shown_dates(tree: HtmlElement) -> Iterator[str]:
    """Short lines with a year that stand between the headline and the first paragraph."""
    begun = False
    for element in _scope(tree).iter():
        if element.tag == "h1":
            begun = True
        elif begun and isinstance(element.tag, str) and element.tag not in {"script", "style"}:
            own = " ".join(f"{element.text or ''} {' '.join(child.tail or '' for child in element)}".split())
            if element.tag == "p" and len(own) > _LINE:
                return
            if _YEAR.search(own) and len(own) <= _LINE:
                yield own


def _scope(tree: HtmlElement) -> HtmlElement:
    """The story's own element: the ``article`` or ``main`` that holds a headline, else the whole page."""
    for name in ("article", "main"):
        for element in tree.iter(name):
            if element.find(".//h1") is not None:
                return element
    articles = list(tree.iter("article"))
    return articles[0] if len(articles) == 1 else tree


def _shown_authors(tree: HtmlElement) -> Iterator[str]:
    """Names in the page's byline: ``rel=author``, microdata, then what is classed a byline."""
    scope, classed = _scope(tree), []
    for element in scope.iter("a", "span", "p", "div", "address", "li", "strong", "em", "b"):
        if "author" in (element.get("rel") or "").split() or "author" in (element.get("itemprop") or "").split():
            named = next((one for one in element.iter() if one.get("itemprop") == "name"), element)
            yield from names_in_text(text_of(named)[:200])
            continue
        words = class_words(element)
        if "byline" in words or {"author", "name"} <= words or words == {"author"}:
            text = text_of(element)
            if 2 < len(text) < 120 and not any(character.isdigit() for character in text):
                classed.append(text)
    for text in classed[:3]:
        yield from names_in_text(text)


def _standfirst(tree: HtmlElement, meta: _Meta, structured: StructuredFacts, headline: str) -> str:
    """What readers see under the headline, else the description; not the site's own, nor the headline again."""
    shown = (
        text_of(element)
        for element in _scope(tree).iter("p", "h2", "div", "span")
        if class_words(element) & _STANDFIRST_WORDS
        or "description" in (element.get("itemprop") or "").split()
        or (element.tag == "p" and "lead" in (element.get("class") or "").split())
    )
    seen = next((text for text in shown if 20 <= len(text) <= MAX_STANDFIRST), "")
    said = [seen, structured.text("description"), *(text for name in _DESCRIPTIONS for text in meta[name][:1])]
    unwanted = {plain_key(headline), plain_key(structured.site_description), ""}
    return next((one_line(_CUT.sub("…", text), MAX_STANDFIRST) for text in said if plain_key(text) not in unwanted), "")


def _marked_dateline(tree: HtmlElement) -> str:
    for element in _scope(tree).iter("span", "p", "div", "strong", "b", "em", "small"):
        if class_words(element) & {"dateline", "datelines"} or element.get("itemprop") in {
            "dateline",
            "locationCreated",
        }:
            text = text_of(element).strip(" —–-:,()|·")
            if 1 < len(text) <= 60 and not any(character.isdigit() for character in text):
                return text
    return ""


def _section(tree: HtmlElement, meta: _Meta, structured: StructuredFacts, headline: str) -> tuple[str, list[str]]:
    """The section, and all sections that are named."""
    sections = [one_line(words, 80) for words in structured.texts("articleSection")]
    sections = sections or [one_line(words, 80) for words in _first_of(meta, _SECTIONS)]
    if sections:
        return sections[0], sections
    crumbs = [crumb for crumb in structured.breadcrumb or _shown_breadcrumb(tree) if crumb]
    inner = [crumb for crumb in crumbs[1:] if plain_key(crumb) not in plain_key(headline) or len(crumb) < 15]
    if crumbs and inner and plain_key(inner[-1]) == plain_key(headline):
        inner.pop()
    return (one_line(inner[-1], 80), []) if inner else ("", [])


def _shown_breadcrumb(tree: HtmlElement) -> list[str]:
    for element in tree.iter("nav", "ol", "ul", "div"):
        named = class_words(element) | {(element.get("aria-label") or "").lower()}
        if named & {"breadcrumb", "breadcrumbs", "crumbs"} or "BreadcrumbList" in (element.get("itemtype") or ""):
            crumbs = [text_of(one).strip(" /›»>|") for one in element.iter("a")]
            return [crumb for crumb in crumbs if crumb][:10]
    return []


def _tags(meta: _Meta, structured: StructuredFacts, sections: list[str]) -> tuple[str, ...]:
    said = structured.texts("keywords") or _first_of(meta, _TAGS)
    tags = [tag for text in said for tag in (text.split(",") if "," in text else text.split(";"))]
    several = (one_line(tag, 80) for tag in (*sections[1:], *tags))
    found: dict[str, str] = {}
    for tag in several:
        if tag:
            found.setdefault(tag.casefold(), tag)
    return tuple(found.values())[:50]


def _access(meta: _Meta, structured: StructuredFacts) -> Access | None:
    """What reading it takes, None where the page does not say. A tier is said more exactly than "not for free"."""
    tiers = [_ACCESS[word] for text in _first_of(meta, _TIERS) for word in [text.strip().lower()] if word in _ACCESS]
    closed = [said_false(value) for value in structured.values("isAccessibleForFree")]
    parts = [part for part in structured.values("hasPart") if isinstance(part, Mapping)]
    elements = [part for part in parts if types_of(part) & {"webpageelement", "creativework"}]
    closed += [said_false(part.get("isAccessibleForFree")) or None for part in elements]
    if tiers and tiers[0] is not Access.FREE:
        return tiers[0]
    if True in closed:
        return Access.MEMBERS
    return tiers[0] if tiers else Access.FREE if False in closed else None


def _social_pictures(meta: _Meta, base: str) -> tuple[Picture, ...]:
    urls = [*meta["og:image:secure_url"], *meta["og:image"], *meta["og:image:url"], *meta["twitter:image"]]
    urls += [*meta["twitter:image:src"], *meta["thumbnail"], *meta["image"]]
    alt = next(iter([*meta["og:image:alt"], *meta["twitter:image:alt"]]), "")
    url = next((at for one in urls if (at := absolute(one, base))), "")
    return (Picture(url, alt=one_line(alt, 300)),) if url else ()


def closed_parts(structured: StructuredFacts) -> set[str]:
    """Class names and ids that the page's JSON-LD gives its paid parts (``hasPart``, ``cssSelector``)."""
    selectors = [
        words_of(part.get("cssSelector")) for part in structured.values("hasPart") if isinstance(part, Mapping)
    ]
    return {name for one in selectors for name in re.findall(r"[.#]([\w-]+)", one)}
