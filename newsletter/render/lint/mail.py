"""One message as the rules read it: both parts, the tree of its HTML, its style blocks, what is expected in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from newsletter.render.lint.css import Rule, Sheet, parse
from newsletter.render.lint.findings import Spot

CLIPPED_BYTES = 100_000
_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the edition says of itself; all of it may be missing, as where only a file is looked at.

    ``stories`` are (headline, URL); ``clients`` the names of ``clients:`` with each one's share (None: not known);
    ``allowed`` the titles of caniemail's features that the design uses on purpose; ``can_be_left`` is False of a mail
    that belongs to no list.
    """

    unsubscribe_url: str = ""
    postal_address: str = ""
    stories: Collection[tuple[str, str]] = ()
    clients: Mapping[str, float | None] = field(default_factory=dict)
    allowed: Collection[str] = ()
    size_budget: int = CLIPPED_BYTES
    can_be_left: bool = True


@dataclass(frozen=True)
class Mail:
    """The decoded parts of one message; ``root`` is None where the HTML cannot be read."""

    html: str
    text: str
    expected: Expected = Expected()

    @cached_property
    def root(self) -> etree._Element | None:
        try:
            return lxml_html.document_fromstring(self.html)
        except (etree.ParserError, etree.XMLSyntaxError, ValueError):
            return None

    @cached_property
    def elements(self) -> list[etree._Element]:
        """Every element in document order; no comments."""
        return [] if self.root is None else list(self.root.iter(etree.Element))

    @cached_property
    def _numbers(self) -> dict[etree._Element, int]:
        return {element: number for number, element in enumerate(self.elements)}

    @cached_property
    def styles(self) -> list[tuple[etree._Element, Sheet]]:
        """Each ``<style>`` with its rules."""
        return [(one, parse(one.text or "")) for one in self.elements if one.tag == "style"]

    @cached_property
    def rules(self) -> list[tuple[etree._Element, Rule]]:
        """Every rule of every style block, those inside at-rules too, in order."""
        return [(style, rule) for style, sheet in self.styles for top in sheet.rules for rule in top.all()]

    @cached_property
    def _rule_numbers(self) -> dict[int, int]:
        return {id(rule): number for number, (_, rule) in enumerate(self.rules)}

    @cached_property
    def shown_text(self) -> str:
        """The words of the HTML on one line."""
        return words(self.root) if self.root is not None else ""

    @cached_property
    def plain_text(self) -> str:
        """The words of the text part on one line."""
        return one_line(self.text)

    def at(self, element: etree._Element) -> Spot:
        """The spot of an element."""
        return Spot(element=self._numbers.get(element, -1), line=line_of(element))

    def at_rule(self, rule: Rule) -> Spot:
        """The spot of a rule of one of the style blocks."""
        number = self._rule_numbers[id(rule)]
        style = self.rules[number][0]
        return Spot(element=self._numbers[style], rule=number, line=line_of(style) + rule.line - 1)

    def at_words(self, excerpt: str) -> Spot:
        """The spot of words of the text part."""
        before, found, _ = self.text.partition(excerpt)
        return Spot(words=excerpt, line=before.count("\n") + 1 if found else 0)

    def links(self) -> Iterator[tuple[etree._Element, str]]:
        """Everything that points somewhere, with where to."""
        for element in self.elements:
            if element.tag in ("a", "area", "link", "img"):
                for name in ("href", "src"):
                    link = element.get(name)
                    if link is not None:
                        yield element, link.strip()


def line_of(element: etree._Element) -> int:
    """The line of the HTML on which an element stands; 0 where the parser made it up."""
    line: Any = element.sourceline
    return int(line or 0)


def one_line(text: str) -> str:
    """``text`` with white space single."""
    return " ".join(text.split())


def words(element: etree._Element) -> str:
    """The text of an element on one line, that of ``<style>`` and ``<script>`` left out."""
    return one_line(" ".join(_in_order(element)))


def _in_order(element: etree._Element) -> Iterator[str]:
    if element.text and element.tag not in ("style", "script", "title"):
        yield element.text
    for child in element:
        if isinstance(child.tag, str):
            yield from _in_order(child)
        if child.tail:
            yield child.tail


def own_text(element: etree._Element) -> str:
    """The text that stands in the element itself, not in one inside it."""
    if element.tag in ("style", "script", "title", "head"):
        return ""
    return one_line(" ".join(filter(None, [element.text, *(child.tail for child in element)])))


def has_words(text: str) -> bool:
    """Whether anything is said: a letter or a figure, not only a separator."""
    return _WORD.search(text) is not None
