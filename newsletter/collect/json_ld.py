"""The schema.org facts that a page states about its story: its tree in, the NewsArticle object out. Pure.

JSON-LD comes as one object, a list or an ``@graph``, with nodes named by ``@id``, and often broken by templates; what
is broken is mended where that is plain, and otherwise searched for the few facts that matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from lxml.html import HtmlElement

from newsletter.collect.identity import canonical_url
from newsletter.collect.plain_text import clean, one_line
from newsletter.collect.sanitising import without_tags

Node = Mapping[str, Any]

_MAX_SCRIPT = 1_000_000
_MAX_NODES = 2_000
# schema.org/Article and what is below it.
_STORIES = re.compile(r".*article|blogposting|liveblogposting|report|review|socialmediaposting|creativework")
_WRAPPING = re.compile(r"^\s*(?:<!--|//\s*<!\[CDATA\[|/\*\s*<!\[CDATA\[\s*\*/|<!\[CDATA\[)|"
                       r"(?://\s*)?(?:-->|\]\]>)\s*(?:\*/)?\s*$")  # fmt: skip
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_STRING = r'"((?:[^"\\]|\\.)*)"'
_BAD_ESCAPE = re.compile(r"\\(?![\"\\/bfnrtu])")
_SEARCHED = ("headline", "description", "datePublished", "dateModified", "articleSection", "inLanguage", "dateline",
             "isAccessibleForFree", "articleBody", "url", "thumbnailUrl")  # fmt: skip
_SEARCHED_FOR = re.compile(rf'"({"|".join(_SEARCHED)})"\s*:\s*(?:{_STRING}|(true|false))', re.IGNORECASE | re.DOTALL)
_AUTHOR = re.compile(rf'"author"\s*:\s*(?:[\[{{][^\]}}]{{0,400}}?"name"\s*:\s*)?{_STRING}', re.DOTALL)
_PUBLISHER = re.compile(rf'"publisher"\s*:\s*{{[^}}]{{0,400}}?"name"\s*:\s*{_STRING}', re.DOTALL)


@dataclass(frozen=True, slots=True)
class StructuredFacts:
    """What a page's JSON-LD holds: the story's own node, the breadcrumb names in order, and the site's own names."""

    story: Node = field(default_factory=dict)
    breadcrumb: tuple[str, ...] = ()
    site_names: frozenset[str] = frozenset()
    site_description: str = ""
    nodes: Mapping[str, Node] = field(default_factory=dict)

    def text(self, *names: str) -> str:
        """The first of these properties of the story that is said in words, without tags."""
        return next((words for name in names for words in self.texts(name)), "")

    def texts(self, name: str) -> list[str]:
        """All words that one property of the story holds."""
        return [words for value in self.values(name) if (words := words_of(value))]

    def values(self, name: str) -> list[Any]:
        """The values of one property of the story, references to other nodes resolved."""
        return [self.resolved(value) for value in as_list(self.story.get(name))]

    def resolved(self, value: Any) -> Any:
        """A value, or the node of this page that it only names by ``@id``."""
        if isinstance(value, Mapping) and set(value) <= {"@id", "@type"} and isinstance(value.get("@id"), str):
            return self.nodes.get(value["@id"], value)
        return value


def structured_facts(tree: HtmlElement, headlines: Sequence[str], addresses: frozenset[str]) -> StructuredFacts:
    """What the page's JSON-LD says of the story which has one of these headlines or addresses."""
    nodes: list[Node] = []
    for script in tree.iter("script"):
        if "ld+json" in (script.get("type") or "").lower() and script.text:
            nodes.extend(_top_nodes(_loaded(script.text[:_MAX_SCRIPT])))
    if not nodes:
        return StructuredFacts()
    named = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str)}
    stories = [node for node in nodes if _is_story(node)]
    sites = [node for node in nodes if types_of(node) & {"website", "newsmediaorganization", "organization"}]
    story = _the_story(stories, headlines, addresses)
    facts = StructuredFacts(story, nodes=named)
    publishers = [value for value in (*facts.values("publisher"), *sites) if isinstance(value, Mapping)]
    names = [words_of(one.get(key)) for one in publishers for key in ("name", "alternateName", "legalName")]
    return StructuredFacts(
        story,
        _breadcrumb(nodes),
        frozenset(name for name in names if name),
        next((words for site in sites if (words := words_of(site.get("description")))), ""),
        named,
    )


def types_of(node: Node) -> set[str]:
    """The lower-cased ``@type`` names of a node, without schema.org's address."""
    return {
        kind.rpartition("/")[2].rpartition(":")[2].lower()
        for kind in as_list(node.get("@type"))
        if isinstance(kind, str)
    }


def as_list(value: Any) -> list[Any]:
    """A property's values: none, one or many."""
    return [] if value is None else value if isinstance(value, list) else [value]


def words_of(value: Any) -> str:
    """The words of a text, number, named thing or language-tagged value; '' where there are none."""
    if isinstance(value, list):
        value = next((one for one in value if one), None)
    if isinstance(value, Mapping):
        value = value.get("name") or value.get("@value") or value.get("text")
        if isinstance(value, list):
            value = value[0] if value else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return ""
    text = unescape(value) if "&" in value else value  # templates escape once for JSON and once for HTML
    return " ".join(clean(without_tags(text.replace("<br", " <br")) if "<" in text else text).split())


def addresses_of(story: Node) -> list[str]:
    """Where a story's node says its page is, the surest first, as written."""
    pages = [*as_list(story.get("mainEntityOfPage")), *as_list(story.get("url")), story.get("@id")]
    named = [page.get("@id") or page.get("url") if isinstance(page, Mapping) else page for page in pages]
    return [address for address in named if isinstance(address, str) and "/" in address]


def said_false(value: Any) -> bool | None:
    """Whether a boolean, perhaps written "False" or "http://schema.org/False", is false; None where it says nothing."""
    if isinstance(value, bool):
        return not value
    word = value.rpartition("/")[2].strip().lower() if isinstance(value, str) else ""
    return {"false": True, "no": True, "0": True, "true": False, "yes": False, "1": False}.get(word)


def _loaded(text: str) -> Any:
    """The value of a JSON-LD script, mended where a template broke it; a mapping of what was found where it is lost."""
    text = _WRAPPING.sub("", text.strip()).strip().rstrip(";").strip()
    for mend in (str, _mended, _unescaped):
        try:
            return _several(mend(text))
        except (ValueError, RecursionError):
            continue
    return _searched(text)


def _several(text: str) -> Any:
    """One JSON value, or the list of several that were written one after the other."""
    reader = json.JSONDecoder(strict=False)
    values, position = [], 0
    while position < len(text):
        value, position = reader.raw_decode(text, position)
        values.append(value)
        while position < len(text) and text[position] in " \t\r\n,;":
            position += 1
    return values[0] if len(values) == 1 else values


def _mended(text: str) -> str:
    return _BAD_ESCAPE.sub(r"\\\\", _TRAILING_COMMA.sub(r"\1", text))


def _unescaped(text: str) -> str:
    return _mended(unescape(text))


def _searched(text: str) -> Node:
    """The first of each fact in JSON that cannot be read; a story if it has a headline."""
    found: dict[str, Any] = {}
    for match in _SEARCHED_FOR.finditer(text):
        name = next(name for name in _SEARCHED if name.lower() == match[1].lower())
        found.setdefault(name, match[3].lower() == "true" if match[3] else _unquoted(match[2]))
    for name, pattern in (("author", _AUTHOR), ("publisher", _PUBLISHER)):
        if named := pattern.search(text):
            found[name] = {"name": _unquoted(named[1])}
    return {**found, "@type": "NewsArticle"} if "headline" in found else {}


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(f'"{_BAD_ESCAPE.sub("", text)}"', strict=False))
    except ValueError:
        return text


def _top_nodes(value: Any) -> Iterator[Node]:
    """The nodes a script speaks of in its own right: lists, ``@graph`` and main entities, not what those refer to."""
    waiting, seen = [value], 0
    while waiting and seen < _MAX_NODES:
        one = waiting.pop(0)
        seen += 1
        if isinstance(one, list):
            waiting[:0] = one
        elif isinstance(one, Mapping):
            waiting.extend(one[key] for key in ("@graph", "mainEntity") if isinstance(one.get(key), list | dict))
            yield one
            for key in ("breadcrumb", "author", "publisher"):  # a page's own trail; people that others refer to
                inner = one.get(key)
                if isinstance(inner, Mapping) and ("@id" in inner or key == "breadcrumb") and len(inner) > 1:
                    yield {"@type": "", **inner}


def _is_story(node: Node) -> bool:
    kinds = types_of(node)
    if "creativework" in kinds and "headline" not in node:
        return False
    return any(_STORIES.fullmatch(kind) for kind in kinds)


def _the_story(stories: Sequence[Node], headlines: Sequence[str], addresses: frozenset[str]) -> Node:
    """Of several stories on a page the one it is about."""
    wanted = {_bare(headline) for headline in headlines if headline}

    def rank(story: Node) -> tuple[bool, bool, int]:
        named = {canonical_url(address) for address in addresses_of(story)}
        headline = _bare(words_of(story.get("headline")) or words_of(story.get("name")))
        close = any(headline and (headline in one or one in headline) for one in wanted)
        return not (named & addresses), not close, -len(story)

    return min(stories, key=rank, default={})


def _breadcrumb(nodes: Sequence[Node]) -> tuple[str, ...]:
    for node in nodes:
        if "breadcrumblist" not in types_of(node):
            continue
        items = [item for item in as_list(node.get("itemListElement")) if isinstance(item, Mapping)]
        items.sort(key=lambda item: int(words_of(item.get("position"))) if _is_number(item.get("position")) else 99)
        return tuple(one_line(words_of(item.get("name")) or words_of(item.get("item")), 80) for item in items[:10])
    return ()


def _is_number(value: Any) -> bool:
    return words_of(value).isascii() and words_of(value).isdigit()


def _bare(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
