"""Block A, the styles that premailer inlines, read before it runs.

A mail has two style blocks: A, plain selectors that are inlined; B, ``data-premailer="ignore"``, kept
as it is. In A, sibling and positional selectors would break when pieces are joined in another order, and at-rules,
pseudo-classes and ``!important`` would be lost or mangled by premailer: each is an error at its file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from newsletter.errors import TemplateError

_STYLE = re.compile(r"<style\b([^>]*)>(.*?)</style>", re.DOTALL | re.IGNORECASE)
_INCLUDE = re.compile(r"\{%-?\s*include\s+[\"']([^\"']+)[\"']")
_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|/\*.*?\*/", re.DOTALL)
_IN_B = 'Move it to the style block with data-premailer="ignore"'
_FAULTS = (
    (re.compile(r"!important"), "block A has '!important'", _IN_B),
    (re.compile(r"@[a-z-]+"), "block A has an at-rule", _IN_B),
)
_SELECTOR_FAULTS = (
    (re.compile(r"[+~]"), "a sibling selector means another story when pieces are joined", "Give the element a class"),
    (
        re.compile(r":(?:nth|first|last|only)-"),
        "a positional selector means another story when pieces are joined",
        "Give the element a class",
    ),
    (re.compile(r":"), "a pseudo-class cannot be inlined", _IN_B),
    (re.compile(r"[\[*]"), "attribute and * selectors are lost in inlining", "Give the element a class"),
)
_SELECTOR = re.compile(r"([^{}]+)\{[^{}]*\}")

Loader = Callable[[str], tuple[str, str, object]]


def check(source: str, filename: str, load: Loader) -> None:
    """Refuse what must not stand in block A of a template's ``source``. Raises TemplateError at ``file:line``."""
    for style in _STYLE.finditer(source):
        if "data-premailer" not in style[1]:
            check_block(source, filename, load, style.start(2), style.end(2))


def check_block(source: str, filename: str, load: Loader, start: int, end: int) -> None:
    """Refuse what must not stand in block A between ``start`` and ``end``, and in what it includes."""
    for include in _INCLUDE.finditer(source, start, end):
        text, shown, _ = load(include[1])
        check_block(text, shown, load, 0, len(text))
    css = _JINJA.sub(_blank, source[:end])

    def refuse(at: int, what: str, remedy: str) -> None:
        raise TemplateError(what, where=f"{filename}:{source.count(chr(10), 0, at) + 1}", remedy=remedy)

    for pattern, what, remedy in _FAULTS:
        if found := pattern.search(css, start, end):
            refuse(found.start(), what, remedy)
    for rule in _SELECTOR.finditer(css, start, end):
        for pattern, what, remedy in _SELECTOR_FAULTS:
            if found := pattern.search(css, rule.start(1), rule.end(1)):
                refuse(found.start(), what, remedy)


def _blank(match: re.Match[str]) -> str:
    """Spaces and newlines in the place of what is not CSS, so that positions stay; a value stays a word."""
    if match[0].startswith("{{"):
        return "x" + " " * (len(match[0]) - 1)
    return "".join("\n" if character == "\n" else " " for character in match[0])
