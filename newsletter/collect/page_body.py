"""The story's own words and pictures on a page: its tree in, HTML and the pictures found out. Works on the tree.

What is not the story is cleared away; figures and embeds step aside for marked paragraphs, since trafilatura loses
their captions; trafilatura finds the text; then the marks become figures again. ``page_blocks`` decides block by block.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import cast

from lxml.etree import strip_tags
from lxml.html import Element, HtmlElement, fragment_fromstring, tostring
from trafilatura import extract

from newsletter.collect.embeds import replace_embeds
from newsletter.collect.html_tree import INLINE, remove, text_of
from newsletter.collect.page_blocks import Known, story_blocks
from newsletter.collect.page_clearing import clear, core_of
from newsletter.collect.page_pictures import figure_picture
from newsletter.collect.plain_text import paragraphs
from newsletter.collect.sanitising import sanitise
from newsletter.model import Picture

# Private-use characters: no page's own text holds them once they are taken out.
_MARKED = re.compile("\ue000(\\d{1,4})\ue001")
_MARKS = re.compile("[\ue000\ue001]")
_OWN_TEXT = ("table", "pre", "blockquote", "ul", "ol", "p")
_PICTURED = ("img", "amp-img", "figure", "blockquote", "p")
_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class StoryBody:
    """The body of a page's story, sanitised; the pictures of its figures in order, the lead's own first."""

    html: str
    text: str
    pictures: tuple[Picture, ...]


def story_body(
    tree: HtmlElement,
    *,
    base: str,
    url: str,
    known: Known,
    ignored: Callable[[str], bool],
    kept: Callable[[HtmlElement], bool],
) -> StoryBody:
    """The body of the page in ``tree``, which is used up, without ``ignored`` paragraphs.

    ``kept`` elements are not cleared away, hidden or not.
    """
    embeds = replace_embeds(tree, url)
    clear(tree, lambda element: any(element is one for one in embeds) or kept(element))
    _make_plain(tree)
    figures = _Figures(base)
    figures.step_aside(tree, embeds)
    found = extract(
        tree,
        output_format="html",  # without its address: relative links are resolved when sanitising
        include_comments=False,
        include_images=False,
        include_links=True,
        include_formatting=True,
    )
    seen = {int(mark) for mark in _MARKED.findall(found or "")}
    pictures = figures.pictures(seen)
    with_captions = known.with_captions(pictures)
    blocks = story_blocks(_blocks_of(found or ""), with_captions, ignored)
    html = sanitise(figures.put_back("".join(tostring(block, encoding="unicode") for block in blocks)), base)
    text = paragraphs(html)
    if len(known.structured_body) > 80 and len(text) < _ENOUGH * len(known.structured_body):
        html = "".join(f"<p>{escape(line, quote=False)}</p>" for line in _lines(known.structured_body, with_captions))
        html = sanitise(html, base)
        text = paragraphs(html)
    return StoryBody(html, text, pictures)


def _make_plain(tree: HtmlElement) -> None:
    """Turn into paragraphs and text what trafilatura would lose: times, and boxes of bare text within the story."""
    strip_tags(tree, "time")
    core, _ = core_of(tree)
    for box in list(core.iter("div", "aside")) if core is not None else ():
        if box is not core and text_of(box) and not any(part.tag not in INLINE for part in box.iterdescendants()):
            box.tag = "p"


def _lines(body: str, known: Known) -> list[str]:
    lines = [" ".join(line.split()) for line in body.splitlines()]
    return [line for line in lines if line and not known.repeats(line)]


def _blocks_of(html: str) -> list[HtmlElement]:
    """The top-level blocks of extracted HTML; text that stands loose becomes paragraphs."""
    if not html:
        return []
    whole = fragment_fromstring(re.sub(r"</?(?:html|body)>", "", html), create_parent="div")
    blocks: list[HtmlElement] = []
    for text, element in ((whole.text, None), *((child.tail, child) for child in whole)):
        if element is not None:
            element.tail = None
            if isinstance(element.tag, str):
                blocks.append(cast("HtmlElement", element))
        if text and text.strip():
            loose = Element("p")
            loose.text = text
            blocks.append(loose)
    return blocks


class _Figures:
    """The figures and embeds of one page while marks stand in for them."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._html: list[str] = []
        self._pictures: list[Picture | None] = []
        self._heroes: set[int] = set()

    def step_aside(self, tree: HtmlElement, embeds: Sequence[HtmlElement]) -> None:
        """Put a mark where each embed, figure and picture stands; pictures that cannot be used go."""
        for element in tree.iter():
            if element.text and "\ue000" in element.text:
                element.text = _MARKS.sub("", element.text)
            if element.tail and "\ue000" in element.tail:
                element.tail = _MARKS.sub("", element.tail)
        inside: set[HtmlElement] = set()
        for element in list(tree.iter(*_PICTURED)):
            if element in inside or element.getparent() is None:
                continue
            embedded = any(element is embed for embed in embeds)
            if element.tag in {"p", "blockquote"} and not embedded:
                continue
            inside.update(cast("Iterator[HtmlElement]", element.iter()))
            if embedded:
                self._replace(element, tostring(element, encoding="unicode", with_tail=False), None)
            elif element.tag in {"img", "amp-img"}:
                self._take(_holder(element), element)
            elif element.tag == "figure":
                images = list(element.iter("img", "amp-img"))
                if len(images) > 1 or (not images and next(element.iter(*_OWN_TEXT), None) is not None):
                    inside.difference_update(images)  # a gallery, or no picture at all: what is in it for itself
                else:
                    self._take(element, element)

    def pictures(self, seen: set[int]) -> tuple[Picture, ...]:
        """The pictures whose marks came back, and before them those that stand over the story."""
        return tuple(
            picture
            for number, picture in enumerate(self._pictures)
            if picture is not None
            and (number in seen or (number in self._heroes and number < min(seen, default=9_999)))
        )

    def put_back(self, html: str) -> str:
        """``html`` with each figure where its mark is; a paragraph that holds more than the mark stands before it."""

        def paragraph(match: re.Match[str]) -> str:
            marks = _MARKED.findall(match[0])
            rest = _MARKED.sub("", match[0])
            shown = "".join(self._html[int(mark)] for mark in marks if int(mark) < len(self._html))
            return shown if not re.sub(r"<[^>]*>|\s", "", rest) else rest + shown

        html = re.sub("<p>(?:(?!</p>).)*?\ue000.*?</p>", paragraph, html, flags=re.DOTALL)
        return _MARKS.sub("", _MARKED.sub("", html))

    def _take(self, holder: HtmlElement, figure: HtmlElement) -> None:
        picture = figure_picture(holder, self._base)
        if picture is None:
            remove(holder)
            return
        linked = any(
            (link.get("href") or "").partition("?")[0] not in picture.url for link in figure.iterancestors("a")
        )
        hero = not linked and any(map(_holds_story, figure.iterancestors()))
        self._replace(holder, _figure_html(picture), picture, hero=hero)

    def _replace(self, element: HtmlElement, html: str, picture: Picture | None, *, hero: bool = False) -> None:
        number = len(self._html)
        if number > 9_999:
            remove(element)
            return
        self._html.append(html)
        self._pictures.append(picture)
        if hero:
            self._heroes.add(number)
        mark = Element("p")
        mark.text = f"\ue000{number}\ue001"
        parent = element.getparent()
        if parent is not None and parent.tag in {"p", "span", "a", "strong", "em", "b", "h2", "h3"}:
            outer = next((one for one in element.iterancestors("p", "h2", "h3")), parent)
            remove(element)
            outer.addnext(mark)
            mark.tail, outer.tail = outer.tail, None
            if not text_of(cast("HtmlElement", outer)) and outer.getparent() is not None:
                outer.getparent().remove(outer)
        elif parent is not None:
            mark.tail = element.tail
            parent.replace(element, mark)


def _holds_story(element: HtmlElement) -> bool:
    """Whether ``element`` is the one in which a page has its story, by its name or by microdata."""
    return element.tag in {"article", "main", "header"} or "Article" in (element.get("itemtype") or "")


def _holder(image: HtmlElement) -> HtmlElement:
    """What a picture without a figure of its own brings along: a block that holds it and its caption, nothing else."""
    holder = image
    for parent in image.iterancestors():
        if parent.tag not in {"div", "a", "picture", "span", "li", "p", "figure", "noscript"}:
            break
        if len(list(parent.iter("img", "amp-img"))) > 1 or len(text_of(cast("HtmlElement", parent))) > 300:
            break
        if parent.tag in {"div", "li", "p", "figure"}:
            captioned = next((one for one in parent.iter() if "caption" in (one.get("class") or "")), None)
            if text_of(cast("HtmlElement", parent)) and captioned is None and parent.find(".//figcaption") is None:
                break
        holder = cast("HtmlElement", parent)
    return holder


def _figure_html(picture: Picture) -> str:
    words = escape(picture.caption, quote=False)
    if picture.credit:
        words = f"{words} <small>{escape(picture.credit, quote=False)}</small>".strip()
    caption = f"<figcaption>{words}</figcaption>" if words else ""
    return f'<figure><img src="{escape(picture.url)}" alt="{escape(picture.alt)}">{caption}</figure>'
