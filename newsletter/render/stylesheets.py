"""The style blocks of a template, read before premailer runs.

A mail has two kinds: A, plain selectors that are inlined; B, ``data-premailer="ignore"``, kept as it is. In both,
sibling and positional selectors would mean another story when pieces are joined in another order. In A, at-rules,
pseudo-classes and ``!important`` would besides be lost or mangled by premailer. Each is an error at its file and line.
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
_BROKEN_BY_JOINING = (
    (re.compile(r"[+~]"), "a sibling selector means another story when pieces are joined", "Give the element a class"),
    (
        re.compile(r":(?:(?:nth|first|last|only)-(?:last-)?(?:child|of-type)|not|has|empty)\b", re.IGNORECASE),
        "a positional selector means another story when pieces are joined",
        "Give the element a class",
    ),
)
# Gmail's own: it puts a <u> before the body's wrapper, so that this is true of a whole mail or of none of it.
_ONE_CLIENTS = re.compile(r"(?:^|(?<=[,{}\s]))u\s*\+\s*(?=[.#])", re.IGNORECASE)
_ATTRIBUTES = re.compile(r"\[[^\]]*\]")
_SELECTOR_FAULTS = (
    *_BROKEN_BY_JOINING,
    (re.compile(r":"), "a pseudo-class cannot be inlined", _IN_B),
    (re.compile(r"[\[*]"), "attribute and * selectors are lost in inlining", "Give the element a class"),
)
_SELECTOR = re.compile(r"([^{}]+)\{[^{}]*\}")

Loader = Callable[[str], tuple[str, str, object]]


def check(source: str, filename: str, load: Loader) -> None:
    """Refuse what must not stand in the style blocks of a template's ``source``. Raises TemplateError at its line."""
    for style in _STYLE.finditer(source):
        check_block(source, filename, load, style.start(2), style.end(2), kept="data-premailer" in style[1])


def check_printed(document: str, where: str) -> None:
    """The same of a rendered ``document``, for styles that a template printed: a fault of ``where``."""
    try:
        check(document, where, _nothing_included)
    except TemplateError as error:
        raise TemplateError(
            f"it prints a style block in which {error.what}", where=where, remedy=error.remedy
        ) from None


def check_block(source: str, filename: str, load: Loader, start: int, end: int, *, kept: bool) -> None:
    """Refuse what must not stand between ``start`` and ``end``, and in what that includes: in block A, or where it is
    ``kept`` in block B."""
    for include in _INCLUDE.finditer(source, start, end):
        text, shown, _ = load(include[1])
        check_block(text, shown, load, 0, len(text), kept=kept)
    css = _JINJA.sub(_blank, source[:end])

    def refuse(at: int, what: str, remedy: str) -> None:
        raise TemplateError(what, where=f"{filename}:{source.count(chr(10), 0, at) + 1}", remedy=remedy)

    for pattern, what, remedy in () if kept else _FAULTS:
        if found := pattern.search(css, start, end):
            refuse(found.start(), what, remedy)
    if kept:
        css = _ONE_CLIENTS.sub(_blank, _ATTRIBUTES.sub(_blank, css))
    for rule in _SELECTOR.finditer(css, start, end):
        if rule[1].lstrip().startswith("@"):
            continue  # in block A a fault already, as an at-rule
        for pattern, what, remedy in _BROKEN_BY_JOINING if kept else _SELECTOR_FAULTS:
            if found := pattern.search(css, rule.start(1), rule.end(1)):
                refuse(found.start(), what, remedy)


def _nothing_included(name: str) -> tuple[str, str, object]:
    return "", name, None


def _blank(match: re.Match[str]) -> str:
    """Spaces and newlines in the place of what is not CSS, so that positions stay; a value stays a word."""
    if match[0].startswith("{{"):
        return "x" + " " * (len(match[0]) - 1)
    return "".join("\n" if character == "\n" else " " for character in match[0])
