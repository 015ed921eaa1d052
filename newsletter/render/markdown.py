"""Markdown that an editor or an advertiser wrote -> HTML that may stand in a mail, and its plain text.

Paragraphs, emphasis, links, lists and quotations; everything else stays the text it is. What comes out is sanitised all
the same (nh3), so that no slip of a parser reaches a reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from newsletter.render.encoding import clean

_ALLOWED = frozenset({"p", "br", "em", "strong", "a", "ul", "ol", "li", "blockquote"})
_SCHEMES = frozenset({"https", "http", "mailto", "tel"})
_OFF = ["html_block", "html_inline", "image", "heading", "lheading", "hr", "code", "fence", "backticks", "reference"]
_BULLET = "* "


@dataclass(frozen=True, slots=True)
class Prose:
    """``html`` and ``text`` say the same; in the text each link stands under its paragraph. Both '' for nothing."""

    html: Markup = field(default_factory=Markup)
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text)


@lru_cache(maxsize=256)
def prose(markdown: str) -> Prose:
    """``markdown`` for both parts of a mail."""
    tokens = _parser().parse(clean(markdown))
    text = "\n\n".join(_blocks(tokens))
    if not text:
        return Prose()
    made = _parser().renderer.render(tokens, _parser().options, {})
    kept = nh3.clean(
        made, tags=set(_ALLOWED), attributes={"a": {"href"}, "*": set()}, url_schemes=set(_SCHEMES), link_rel=None
    ).strip()
    return Prose(Markup(kept), text)  # noqa: S704 - sanitised in the line above


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).disable(_OFF)


def _blocks(tokens: list[Token]) -> Iterator[str]:
    """Each paragraph or item of a list as plain text, its links below it."""
    numbers: list[int] = []
    mark = ""
    for token in tokens:
        if token.type == "ordered_list_open":
            numbers.append(int(token.attrGet("start") or 1))
        elif token.type == "bullet_list_open":
            numbers.append(0)
        elif token.type in ("ordered_list_close", "bullet_list_close"):
            numbers.pop()
        elif token.type == "list_item_open":
            mark = f"{numbers[-1]}. " if numbers[-1] else _BULLET
            numbers[-1] += bool(numbers[-1])
        elif token.type == "inline" and (said := _said(token.children or [])):
            yield mark + said
            mark = ""


def _said(inline: list[Token]) -> str:
    words, links = [], []
    for token in inline:
        if token.type == "text":
            words.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            words.append(" " if token.type == "softbreak" else "\n")
        elif token.type == "link_open":
            links.append(str(token.attrGet("href") or ""))
    said = "".join(words).strip()
    shown = [link for link in dict.fromkeys(links) if link.split(":", 1)[0].lower() in _SCHEMES and link not in said]
    return "\n".join([said, *(link.removeprefix("mailto:").removeprefix("tel:") for link in shown)]) if said else ""
