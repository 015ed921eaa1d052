"""CSS text -> rules and declarations, with the faults that make a client drop a block. A reader, not a validator.

Comments are dropped but for those of ``render.tracing``, which say where in a template the next rule stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from newsletter.render.tracing import CSS_MARK

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*(?:\"|\Z)|'(?:[^'\\]|\\.)*(?:'|\Z)", re.DOTALL)
_PLAIN = re.compile(r"[^/\"'(){};]+")
_IMPORTANT = re.compile(r"\s*!\s*important\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Declaration:
    """``name`` in lower case; ``value`` without ``!important``."""

    name: str
    value: str
    important: bool = False


@dataclass(slots=True)
class Rule:
    """``prelude`` is the selectors, or the at-rule with its condition; white space is single there.

    ``line`` counts from 1 in its own style block; ``mark`` is the trace's number of its template's line, or -1.
    """

    prelude: str
    line: int
    mark: int = -1
    declarations: list[Declaration] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)

    @property
    def at(self) -> str:
        """``media`` of ``@media …``; '' where it is no at-rule."""
        found = re.match(r"@([a-zA-Z-]+)", self.prelude)
        return found[1].lower() if found else ""

    def all(self) -> Iterator[Rule]:
        """This rule, then those inside it, in order."""
        yield self
        for rule in self.rules:
            yield from rule.all()


@dataclass(frozen=True, slots=True)
class Sheet:
    """One style block; ``faults`` are (line, what)."""

    rules: tuple[Rule, ...]
    faults: tuple[tuple[int, str], ...]


def parse(css: str) -> Sheet:
    """The rules of one style block."""
    reader = _Reader(css)
    reader.read()
    return Sheet(tuple(reader.top.rules), tuple(reader.faults))


@lru_cache(maxsize=2048)
def declarations(style: str) -> tuple[Declaration, ...]:
    """What a ``style`` attribute declares."""
    reader = _Reader(style)
    reader.read()
    return tuple(reader.top.declarations)


class _Reader:
    def __init__(self, css: str) -> None:
        self.css = css
        self.top = Rule("", 1)
        self.faults: list[tuple[int, str]] = []
        self._open = [self.top]
        self._buffer = ""
        self._started = 1
        self._mark = -1
        self._marked = -1

    def read(self) -> None:
        at, parens = 0, 0
        while at < len(self.css):
            if comment := _COMMENT.match(self.css, at):
                if mark := CSS_MARK.fullmatch(comment[0]):
                    self._mark = int(mark[1])
                self._add(" ", at)
                at = comment.end()
                continue
            token = _STRING.match(self.css, at) or _PLAIN.match(self.css, at)
            text = token[0] if token else self.css[at]
            parens += {"(": 1, ")": -1}.get(text, 0)
            if text in "{};" and parens <= 0:
                parens = 0
                self._structure(text, at)
            else:
                self._add(text, at)
            at += len(text)
        self._declare()
        if len(self._open) > 1:
            self.faults.append((self._open[-1].line, f"'{self._open[-1].prelude[:60]}' is never closed"))

    def _add(self, text: str, at: int) -> None:
        if not self._buffer.strip() and text.strip():
            blank = len(text) - len(text.lstrip())
            self._started = self.css.count("\n", 0, at + blank) + 1
            self._marked = self._mark
        self._buffer += text

    def _structure(self, text: str, at: int) -> None:
        if text == ";":
            self._declare()
        elif text == "{":
            rule = Rule(" ".join(self._buffer.split()), self._started, self._marked)
            self._buffer = ""
            self._open[-1].rules.append(rule)
            self._open.append(rule)
        else:
            self._declare()
            if len(self._open) > 1:
                self._open.pop()
            else:
                self.faults.append((self.css.count("\n", 0, at) + 1, "a '}' closes nothing and eats the next rule"))

    def _declare(self) -> None:
        text, self._buffer = self._buffer.strip(), ""
        if text.startswith("@"):
            self._open[-1].rules.append(Rule(" ".join(text.split()), self._started, self._marked))
            return
        name, colon, value = text.partition(":")
        if colon and value.strip():
            stripped = _IMPORTANT.sub("", value).strip()
            important = stripped != value.strip()
            self._open[-1].declarations.append(Declaration(name.strip().lower(), stripped, important))
