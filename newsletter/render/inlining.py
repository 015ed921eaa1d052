"""The one place that calls premailer: an HTML document with two style blocks -> the same with block A inlined.

It takes 50 to 300 ms, so call it in a worker thread; calls follow one another, because cssutils logs into one
process-wide place.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from functools import lru_cache
from typing import Any

from newsletter.errors import TemplateError

# Read at premailer's import; its default of 128 entries thrashes (250 ms against 102 ms for a digest).
os.environ.setdefault("PREMAILER_CACHE", "LRU")
os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", "5000")

import premailer.cache
from premailer import Premailer

_ONE_AT_A_TIME = threading.Lock()


_TAG = re.compile(r"<!--.*?-->|<style\b.*?</style>|<[a-zA-Z](?:[^\"'>]|\"[^\"]*\"|'[^']*')*>", re.DOTALL)


def _without_comment(tag: re.Match[str]) -> str:
    """libxml2 writes ``<!-- … -->`` in an attribute as it is (for server-side includes): an article's words in an alt
    would begin a conditional comment in Outlook."""
    found = tag[0]
    return found if found.startswith(("<!--", "<style")) else found.replace("<!--", "&lt;!--")


class _Complaints(logging.Handler):
    """What cssutils said since the last ``take``."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())

    def take(self) -> list[str]:
        said, self._said = self._said, []
        return said


_COMPLAINTS = _Complaints()
_LOGGER = logging.getLogger("CSSUTILS")


class _Inliner(Premailer):  # type: ignore[misc]
    """Premailer that parses a stylesheet once, not once a document: 9-17 ms become 2 ms."""

    def _parse_style_rules(self, css_body: str, ruleset_index: int) -> tuple[list[Any], list[Any]]:
        rules, leftover = _parsed(css_body, ruleset_index)
        return list(rules), list(leftover)


def inline(document: str, *, where: str) -> str:
    """``document`` with block A in ``style`` attributes; block B, comments, doctype and links as they were.

    ``where`` names the template in errors. Raises TemplateError for CSS that cannot be read.
    """
    with _ONE_AT_A_TIME:
        _COMPLAINTS.take()
        inlined = _TAG.sub(_without_comment, str(_Inliner(document, **_OPTIONS).transform(pretty_print=False)))
        complaints = _COMPLAINTS.take()
        if complaints:
            # A cached result would complain only once.
            premailer.cache.cache.clear()
            _parsed.cache_clear()
    if complaints:
        raise TemplateError(f"its CSS cannot be read: {complaints[0]}", where=where, remedy="Correct the style")
    return inlined


_OPTIONS: dict[str, Any] = {
    "strip_important": False,  # True also strips it from kept @media: mobile and dark styles would die silently
    "disable_validation": True,
    "allow_network": False,  # True fetches a template's <link> past net/'s guard
    "allow_loading_external_files": False,
    "align_floating_images": False,  # a third of the time, for something we do not use
    # Copied into attributes, "height:auto" and "width:100%" overwrite the pixels that Outlook needs.
    "disable_basic_attributes": ["width", "height", "align", "valign", "bgcolor"],
    "disable_link_rewrites": True,
    "cache_css_parsing": False,  # ``_parsed`` does it, and does not keep what failed
    "cssutils_logging_handler": _COMPLAINTS,
    "cssutils_logging_level": logging.ERROR,
}


@lru_cache(maxsize=64)
def _parsed(css_body: str, ruleset_index: int) -> tuple[list[Any], list[Any]]:
    found: tuple[list[Any], list[Any]] = Premailer("<p>", **_OPTIONS)._parse_style_rules(css_body, ruleset_index)
    return found


def _say_nothing_on_stderr() -> None:
    for handler in list(_LOGGER.handlers):
        if handler is not _COMPLAINTS:
            _LOGGER.removeHandler(handler)
    _LOGGER.propagate = False


_say_nothing_on_stderr()
