"""Which line of which template an element, a CSS rule or a line of text came from: templates marked as they are read.

    template text -> the same with marks -> rendered like any other, never sent -> ``render.lint.origins`` reads it

A mark is a number; ``Tracing.places`` of the environment says its ``file:line``. Elements get ``data-t=17``, rules
``/*t17*/`` before them, printed text a number between two private-use characters. Inside ``{% trans %}`` nothing is
marked, because its text is the key of a translation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

ATTRIBUTE = "data-t"
CSS_MARK = re.compile(r"/\*t([0-9]+)\*/")
TEXT_MARK = re.compile("\ue000([0-9]+)\ue001")
_TAG_OR_STYLE = re.compile(r"<(?P<tag>[a-zA-Z][a-zA-Z0-9]*)(?=[\s/>]|$)|(?P<end></style)", re.IGNORECASE)
_CSS_LINE = re.compile(r"[^\n]*(?:\n|$)")


class Tracing(Extension):
    """A Jinja2 extension; it keeps its table on the environment as ``places``."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        environment.places = []

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """The tokens of one template, marks put into its text."""
        file = _Marker(self.environment.places, stream.filename or stream.name or "", stream.name or "")  # type: ignore[attr-defined]
        for token in stream:
            yield from file.marked(token)


class _Marker:
    """Marks one file. Outside HTML's tags and CSS's rules nothing changes, so that it renders as before."""

    def __init__(self, places: list[str], filename: str, name: str) -> None:
        self.places, self.filename = places, filename
        self.is_text = name.endswith(".txt")
        self.in_style = self.is_css = name.endswith(".css")
        self.in_trans = False
        self.opened = False
        self.line = 0
        self.before = "}"

    def marked(self, token: Token) -> Iterator[Token]:
        if self.opened and token.type == "name":
            self.in_trans = token.value == "trans" or (self.in_trans and token.value != "endtrans")
        self.opened = token.type == "block_begin"
        if token.type == "data" and not self.in_trans:
            fresh = token.lineno != self.line
            self.line = token.lineno + token.value.count("\n")
            yield Token(token.lineno, "data", self._data(token.value, token.lineno, fresh=fresh))
            return
        self.line = token.lineno
        if token.type == "variable_begin":
            self.before = "x"
            if self.is_text and not self.in_trans:
                yield Token(token.lineno, "data", f"\ue000{self._number(token.lineno)}\ue001")
        yield token

    def _data(self, data: str, line: int, *, fresh: bool) -> str:
        if self.is_text:
            return "\n".join(
                f"\ue000{self._number(line + number)}\ue001{part}" if part.strip() else part
                for number, part in enumerate(data.split("\n"))
            )
        found, at = [], 0
        while at < len(data):
            if self.in_style:
                end = data.lower().find("</style", at) if not self.is_css else -1
                end = len(data) if end == -1 else end
                found.append(self._css(data[at:end], line + data.count("\n", 0, at), fresh=fresh))
                at, self.in_style = end, self.is_css
                continue
            tag = _TAG_OR_STYLE.search(data, at)
            if tag is None:
                break
            found.append(data[at : tag.end()])
            at = tag.end()
            if tag["tag"]:
                found.append(f" {ATTRIBUTE}={self._number(line + data.count(chr(10), 0, tag.start()))}")
            if (tag["tag"] or "").lower() == "style":
                end = data.find(">", at) + 1 or len(data)
                found.append(data[at:end])
                at, self.in_style, self.before = end, True, "}"
        found.append(data[at:])
        return "".join(found)

    def _css(self, css: str, line: int, *, fresh: bool) -> str:
        """Each line that begins a rule or a declaration gets a mark; in the middle of one, none."""
        found = []
        for number, part in enumerate(_CSS_LINE.findall(css)):
            if part.strip() and self.before in "{};" and (number or fresh or self.before == "}"):
                found.append(f"/*t{self._number(line + number)}*/")
            found.append(part)
            self.before = part.strip()[-1:] or self.before
        return "".join(found)

    def _number(self, line: int) -> int:
        self.places.append(f"{self.filename}:{line}")
        return len(self.places) - 1
