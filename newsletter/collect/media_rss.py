"""Media RSS: which pictures each item of a feed lists, and which words belong to which of them. Pure.

feedparser keeps an item's titles, descriptions and credits in one place whatever they belong to, and takes a picture's
own for the story's. So these are read here, from the same XML, and hidden from feedparser (``without_media_words``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from lxml import etree

from newsletter.collect.feed_pictures import Candidate, is_picture, pixels, same_rendition

_NAMESPACE = re.compile(rb"xmlns:([\w.-]{1,30})\s*=\s*[\"']http://search\.yahoo\.com/mrss/?[\"']")
_MEDIA_URIS = {"http://search.yahoo.com/mrss/", "http://search.yahoo.com/mrss"}
_ITEMS = {"item", "entry"}
_KEYWORDS = ("{http://search.yahoo.com/mrss/}keywords", "{http://search.yahoo.com/mrss}keywords")
# Elements of nobody's namespace in which newsrooms' own systems give a picture's address.
_OWN_PICTURE = re.compile(
    r"(?:full|story|cover|lead|main|large|featured?)?_?-?(?:image|img|thumbnail|photo)(?:_?url)?", re.IGNORECASE
)
_MOST_LISTED = 60
_LONGEST_ALT = 300  # media:text beside a picture is its alternative; longer, it is the transcript of something
_WORDS = ("title", "description", "credit")


@dataclass(frozen=True, slots=True)
class ItemMedia:
    """What one item lists: its pictures, best first, small ones apart, and words about its media as a whole."""

    pictures: tuple[Candidate, ...] = ()
    thumbnails: tuple[Candidate, ...] = ()
    title: str = ""
    about: str = ""
    keywords: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Words:
    """Title, description and credits at one level; what a level does not say, the one above it says."""

    title: str = ""
    description: str = ""
    credits: list[str] = field(default_factory=list)


def without_media_words(document: bytes) -> bytes:
    """``document`` with the titles and descriptions of media under a name that feedparser leaves alone."""
    prefixes = {b"media", *_NAMESPACE.findall(document[:20_000])}
    if not any(prefix + b":" in document for prefix in prefixes):
        return document
    names = b"|".join(re.escape(prefix) for prefix in sorted(prefixes))
    return re.sub(rb"(</?(?:" + names + rb"):)(?:title|description)(?=[\s/>])", rb"\1words", document)


def media_of(document: bytes) -> tuple[ItemMedia, ...]:
    """What each item or entry of ``document`` lists, in its order; nothing where lxml finds no XML in it."""
    parser = etree.XMLParser(
        recover=True, resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError):
        return ()
    if root is None:
        return ()
    return tuple(_item(element) for element in root.iter(etree.Element) if _name(element) in _ITEMS)


def _item(item: etree._Element) -> ItemMedia:
    level = _words(item, _Words())
    lone: list[tuple[etree._Element, _Words]] = []
    listed: list[tuple[int, Candidate]] = []
    thumbnails: list[tuple[int, Candidate]] = []
    title, about = level.title, level.description
    for element in item:
        match _name(element):
            case "media:group":
                group = _words(element, _Words())
                title, about = title or group.title, about or group.description
                thumbnails += _thumbnails(element, group)
                contents = [(one, _words(one, group)) for one in element if _name(one) == "media:content"]
                listed += _of_one_kind(contents)
            case "media:content":
                lone.append((element, words := _words(element, _Words())))
                title = title or words.title
            case "media:thumbnail":
                thumbnails += _thumbnails(item, _Words(), only=element)
            case "image" if len(element):  # as in a channel: <image><url>
                listed += [(0, Candidate(_text(one))) for one in element if _name(one) == "url"]
            case name if _OWN_PICTURE.fullmatch(name) and not len(element) and (element.text or "").strip():
                listed.append((0, Candidate(_text(element))))
    listed += _apart(_with_siblings(item, lone, level))
    for element, _ in lone:
        thumbnails += _thumbnails(element, _Words())
    best = sorted(listed[:_MOST_LISTED], key=lambda one: -one[0])
    small = sorted(thumbnails[:_MOST_LISTED], key=lambda one: -one[0])
    keywords = {word.strip() for one in item.iter(*_KEYWORDS) for word in _text(one).split(",")}
    return ItemMedia(tuple(one for _, one in best), tuple(one for _, one in small), title, about, frozenset(keywords))


def _of_one_kind(contents: Sequence[tuple[etree._Element, _Words]]) -> list[tuple[int, Candidate]]:
    """A media:group holds renditions of one thing (Media RSS 1.5.1): its widest picture stands for all.

    Some put different pictures in a group, each with its own words; then each stands for itself.
    """
    pictures = [(one, words) for one, words in contents if _shows(one)]
    if len({(words.title, words.description) for _, words in pictures}) > 1:
        return _apart(pictures)
    if not pictures:
        return []
    widest, words = max(pictures, key=lambda pair: pixels(pair[0].get("width", "")))
    others = tuple(one.get("url", "") for one, _ in pictures if one is not widest)
    return [(pixels(widest.get("width", "")), _candidate(widest, words, others))]


def _apart(pictures: Sequence[tuple[etree._Element, _Words]]) -> list[tuple[int, Candidate]]:
    """Pictures that stand for themselves, but for those that are sizes of one by their address."""
    sizes: dict[str, list[tuple[etree._Element, _Words]]] = {}
    for one, words in pictures:
        sizes.setdefault(same_rendition(one.get("url", "")), []).append((one, words))
    found = []
    for same in sizes.values():
        widest, words = max(same, key=lambda pair: pixels(pair[0].get("width", "")))
        found.append((pixels(widest.get("width", "")), _candidate(widest, words, ())))
    return found


def _with_siblings(
    item: etree._Element, contents: Sequence[tuple[etree._Element, _Words]], level: _Words
) -> list[tuple[etree._Element, _Words]]:
    """Pictures with the words that stand beside them: all of the item's if it is the only one, else one each."""
    pictures = [(one, words) for one, words in contents if _shows(one)]
    if not pictures:
        return []
    alone = len({same_rendition(one.get("url", "")) for one, _ in pictures}) == 1
    beside = {name: [_text(one) for one in item if _name(one) == f"media:{name}"] for name in _WORDS}
    found = []
    for index, (one, words) in enumerate(pictures):
        said = {name: texts[index] if len(texts) == len(pictures) else "" for name, texts in beside.items()}
        found.append(
            (
                one,
                _Words(
                    words.title or said["title"] or (level.title if alone else ""),
                    words.description or said["description"] or (level.description if alone else ""),
                    words.credits or ([said["credit"]] if said["credit"] else []) or (level.credits if alone else []),
                ),
            )
        )
    return found


def _words(element: etree._Element, above: _Words) -> _Words:
    """What ``element`` says of itself, and where it says nothing, what stands above it."""
    own = _Words()
    for child in element:
        match _name(child):
            case "media:title":
                own.title = own.title or _text(child)
            case "media:description":
                own.description = own.description or _text(child)
            case "media:credit" if _text(child):
                own.credits.append(_text(child))
            case "media:text" if _name(element) == "media:content" and len(_text(child)) <= _LONGEST_ALT:
                own.title = own.title or _text(child)
    return _Words(own.title or above.title, own.description or above.description, own.credits or above.credits)


def _thumbnails(
    parent: etree._Element, words: _Words, only: etree._Element | None = None
) -> list[tuple[int, Candidate]]:
    elements = [only] if only is not None else [one for one in parent if _name(one) == "media:thumbnail"]
    return [(pixels(one.get("width", "")), _candidate(one, words, ())) for one in elements]


def _candidate(element: etree._Element, words: _Words, renditions: tuple[str, ...]) -> Candidate:
    url = element.get("url") or _text(element)
    credit = ", ".join(dict.fromkeys(words.credits))
    size = pixels(element.get("width", "")), pixels(element.get("height", ""))
    return Candidate(url, words.description, credit, words.title, renditions, *size)


def _shows(element: etree._Element) -> bool:
    return is_picture(element.get("url", ""), element.get("type", ""), element.get("medium", ""))


def _name(element: etree._Element) -> str:
    """``media:content`` for what is Media RSS under any prefix, else the local name, in lower case."""
    return _plain_name(element.tag) if isinstance(element.tag, str) else ""


@lru_cache(maxsize=1_000)
def _plain_name(tag: str) -> str:
    if tag.startswith("{"):
        uri, _, local = tag[1:].partition("}")
        return f"media:{local.lower()}" if uri in _MEDIA_URIS else local.lower()
    return tag.lower()  # a prefix that nobody declared stands before the name as it was written


def _text(element: etree._Element) -> str:
    return " ".join("".join(str(piece) for piece in element.itertext()).split())[:2_000]
