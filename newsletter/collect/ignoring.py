"""Sanitised HTML without the paragraphs that belong to no story (a source's ``ignore`` patterns). Pure.

For what comes as HTML: feeds, pushed articles, Markdown, letters. The paragraphs of pages and dumps are asked about
while their story is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from lxml.etree import LxmlError
from lxml.html import HtmlElement, fragment_fromstring, tostring

from newsletter.collect.html_tree import INLINE, remove
from newsletter.collect.sanitising import sanitise
from newsletter.collect.source_facts import SourceFacts

_IN_A_LINE = INLINE | {"img", "br"}
_OF_PICTURES = {"figure", "figcaption"}


def without_ignored(html: str, facts: SourceFacts) -> str:
    """``html``, which ``sanitise`` gave, without the paragraphs that ``facts`` ignore.

    A paragraph is what a block holds by itself (``p``, ``li``, a heading …), or what stands between blocks or between
    two line breaks. Pictures keep their captions.
    """
    if not facts.ignore or not html:
        return html
    try:
        whole = fragment_fromstring(html, create_parent="div")
    except (LxmlError, ValueError, AssertionError):
        return html
    removed = False
    for block in [cast("HtmlElement", one) for one in whole.iter() if one.tag not in _IN_A_LINE | _OF_PICTURES]:
        # The last first, since what goes gives the text behind it to what stands before.
        for paragraph in reversed(list(_paragraphs_of(block))):
            if (text := paragraph.text) and facts.ignores(text):
                paragraph.take_out()
                removed = True
    return sanitise(tostring(whole, encoding="unicode")) if removed else html


@dataclass(slots=True)
class _Paragraph:
    """Texts and inline elements that follow one another; a text is the head of an element or what stands behind it."""

    texts: list[tuple[HtmlElement, bool]] = field(default_factory=list)
    elements: list[HtmlElement] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def take_out(self) -> None:
        for element, behind in self.texts:
            if behind:
                element.tail = None
            else:
                element.text = None
        for element in self.elements:
            remove(element)


def _paragraphs_of(block: HtmlElement) -> Iterator[_Paragraph]:
    """What ``block`` holds by itself, parted where a block stands in it or where two line breaks follow each other."""
    paragraph = _Paragraph([(block, False)], [], [block.text or ""])
    broken = False
    for child in block:
        if child.tag not in _IN_A_LINE:
            yield paragraph
            paragraph = _Paragraph()
        elif child.tag == "br" and broken:
            paragraph.elements.append(child)
            yield paragraph
            paragraph = _Paragraph()
        else:
            paragraph.elements.append(child)
            paragraph.words.append("\n" if child.tag == "br" else "".join(map(str, child.itertext())))
        paragraph.texts.append((child, True))
        paragraph.words.append(child.tail or "")
        broken = child.tag == "br" and not (child.tail or "").strip()
    yield paragraph
