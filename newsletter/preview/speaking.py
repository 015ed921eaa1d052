"""A mail as a screen reader says it: its HTML in linear order, one line for each stop. Pure.

What is hidden (``display: none``, ``hidden``, ``aria-hidden``) is not said; layout tables say nothing of themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from newsletter.render.lint import Mail
from newsletter.render.lint.css import declarations
from newsletter.render.lint.mail import has_words, one_line, words

_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "div", "dl", "dt",
    "figcaption", "figure", "footer", "form", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table",
    "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
_HEADINGS = frozenset(f"h{level}" for level in range(1, 7))
_SILENT = frozenset({"style", "script", "title", "head", "template", "noscript"})


@dataclass(frozen=True, slots=True)
class Spoken:
    """One stop. ``role`` is what is said of it before its words; ``language`` where it changes; ``element`` is the
    lint's number."""

    role: str
    words: str
    element: int
    language: str = ""
    fault: str = ""


def speak(mail: Mail) -> tuple[Spoken, ...]:
    """What is said of the HTML, in order; nothing where it cannot be read."""
    if mail.root is None:
        return ()
    numbers = {element: number for number, element in enumerate(mail.elements)}
    reader = _Reader(numbers, mail.root.get("lang") or "")
    reader.read(mail.root)
    reader.flush()
    return tuple(reader.said)


@dataclass
class _Reader:
    numbers: Mapping[etree._Element, int]
    language: str
    said: list[Spoken] = field(default_factory=list)
    level: int = 0
    _words: list[str] = field(default_factory=list)
    _at: etree._Element | None = None
    _spoken_language: str = ""

    def read(self, element: etree._Element) -> None:
        """Say an element and what is in it."""
        tag = str(element.tag) if isinstance(element.tag, str) else ""
        if not tag or tag in _SILENT or _is_hidden(element):
            return
        before, self.language = self.language, element.get("lang") or self.language
        if tag in _HEADINGS:
            self.flush()
            self._heading(element, int(tag[1]))
        elif tag == "a" and element.get("href"):
            self.flush()
            self._link(element)
        elif tag == "img":
            self._picture(element)
        else:
            self._inside(element, tag)
        self.language = before

    def flush(self) -> None:
        """Say the words that have come together."""
        text = one_line(" ".join(self._words))
        if has_words(text) and self._at is not None:
            self._say("", text, self._at)
        self._words, self._at = [], None

    def _inside(self, element: etree._Element, tag: str) -> None:
        if tag in _BLOCKS:
            self.flush()
        if tag == "table" and element.get("role") not in ("presentation", "none"):
            rows = len(list(element.iter("tr")))
            self._say("table", f"{rows} rows", element, fault='a layout table needs role="presentation"')
        if tag in ("ul", "ol"):
            self._say("list", f"{sum(child.tag == 'li' for child in element)} items", element)
        self._add(element.text, element)
        for child in element:
            self.read(child)
            self._add(child.tail, element)
        if tag in _BLOCKS:
            self.flush()

    def _heading(self, element: etree._Element, level: int) -> None:
        fault = f"a level is skipped: {level} follows {self.level}" if level > self.level + 1 else ""
        self.level = level
        link = ", link" if next(element.iter("a"), None) is not None else ""
        self._say(f"heading {level}{link}", _with_pictures(element), element, fault=fault)

    def _link(self, element: etree._Element) -> None:
        text = _with_pictures(element)
        only_picture = not has_words(words(element)) and next(element.iter("img"), None) is not None
        self._say(
            "link, picture" if only_picture else "link",
            text or element.get("href") or "",
            element,
            fault="" if has_words(text) else "a link without words: its address is spelled out",
        )

    def _picture(self, element: etree._Element) -> None:
        alt = element.get("alt")
        if alt == "":
            return
        self.flush()
        name = (element.get("src") or "").rpartition("/")[2]
        fault = "no alternative text: the file's name is said" if alt is None else ""
        self._say("picture", alt or name, element, fault=fault)

    def _add(self, text: str | None, element: etree._Element) -> None:
        if text and text.strip():
            self._at = self._at if self._at is not None else element
            self._words.append(text)

    def _say(self, role: str, text: str, element: etree._Element, *, fault: str = "") -> None:
        changed = self.language if self.language != self._spoken_language else ""
        self._spoken_language = self.language
        self.said.append(Spoken(role, text, self.numbers.get(element, -1), changed, fault))


def _with_pictures(element: etree._Element) -> str:
    """The words of an element, those of its pictures among them."""
    return one_line(" ".join(_texts(element)))


def _texts(element: etree._Element) -> Iterator[str]:
    if not isinstance(element.tag, str) or _is_hidden(element):
        return
    yield (element.get("alt") or "") if element.tag == "img" else (element.text or "")
    for child in element:
        yield from _texts(child)
        yield child.tail or ""


def _is_hidden(element: etree._Element) -> bool:
    if element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    style = {one.name: one.value.lower() for one in declarations(element.get("style") or "")}
    return style.get("display") == "none" or style.get("visibility") == "hidden"
