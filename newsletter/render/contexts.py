"""Where in an HTML document something may be printed, and whether a fragment of one can stand anywhere.

Text before a place, or a whole piece -> nothing, or TemplateError with file and line and what to write instead.
"""

from __future__ import annotations

import re
from enum import StrEnum

from newsletter.errors import TemplateError


class Printed(StrEnum):
    """What is printed: text that is escaped, a whole URL, or elements."""

    TEXT = "text"
    URL = "url"
    ELEMENTS = "elements"


_TAG = re.compile(r"<!--.*?-->|</?[a-zA-Z][^\s/>]*(?:[^\"'>]|\"[^\"]*\"|'[^']*')*>", re.DOTALL)
_ATTRIBUTE = re.compile(r"([^\s\"'=<>/]+)\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]+(?=\s))")
_OPEN_ATTRIBUTE = re.compile(r"([^\s\"'=<>/]+)\s*=\s*(?:([\"'])((?:(?!\2).)*))?$", re.DOTALL)
_RAW = re.compile(r"<(style|script|title|textarea)\b", re.IGNORECASE)
_URL_ATTRIBUTES = frozenset({"href", "src", "action", "formaction", "background", "cite", "poster", "srcset"})
_COMMENT = re.compile(r"<!--(?P<inside>.*?)-->", re.DOTALL)
_FOR_OUTLOOK = re.compile(r"\[if\s[^\]]*\]>(?P<inside>.*?)<!\[endif\]", re.DOTALL | re.IGNORECASE)
_ELEMENT = re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:]*)(?:[^\"'>]|\"[^\"]*\"|'[^']*')*?(?P<empty>/?)>")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
)


def refuse_context(
    what: str, printed: Printed, before: str, at: str, *, urls: str = "", in_title: bool = False
) -> None:
    """Raise TemplateError unless ``what`` (``slot.first_name``) may stand after the HTML ``before``.

    ``at`` is its ``file:line``; ``urls`` says what may be printed where only a URL may stand.
    """
    raw = _last_raw(before)
    if raw and not (in_title and raw[1].lower() == "title"):
        raise TemplateError(f"{what} stands inside <{raw[1].lower()}>", where=at, remedy="Print it in the body's text")
    end = 0
    for tag in _TAG.finditer(before):
        end = tag.end()
    rest = before[end:]
    opened = re.search(r"<[a-zA-Z]", rest)
    if printed is Printed.ELEMENTS and before.rfind("<!--") > before.rfind("-->"):
        raise TemplateError(f"{what} stands inside a comment", where=at, remedy="Print it between elements")
    if opened is None:
        return
    if printed is Printed.ELEMENTS:
        raise TemplateError(f"{what} stands inside a tag", where=at, remedy="Print it between elements")
    inside = _ATTRIBUTE.sub("", rest[opened.start() :])
    attribute = _OPEN_ATTRIBUTE.search(inside)
    if attribute is None or attribute[2] is None:
        raise TemplateError(
            f"{what} stands inside a tag, not in a quoted attribute", where=at, remedy='Write attribute="{{ … }}"'
        )
    attribute_name = attribute[1].lower()
    if attribute_name.startswith("on") or attribute_name == "style":
        raise TemplateError(
            f"{what} stands in {attribute_name}", where=at, remedy="Print it in text, alt, title or href"
        )
    if attribute_name in _URL_ATTRIBUTES:
        if printed is not Printed.URL:
            raise TemplateError(
                f"{what} is not a URL and stands in {attribute_name}", where=at, remedy=f"There go {urls}"
            )
        if attribute[3]:
            raise TemplateError(
                f"{what} is a whole URL, yet something stands before it in {attribute_name}",
                where=at,
                remedy=f'Write {attribute_name}="{{{{ {what}() }}}}"',
            )


def require_whole(piece: str, where: str) -> None:
    """Refuse a piece that opens an element which it does not close, or closes one that it did not open: it may stand
    anywhere, so it must be whole in itself, in the comments that only Outlook reads as well. Raises TemplateError.
    """
    for_outlook = "".join(
        part["inside"]
        for comment in _COMMENT.finditer(piece)
        for part in _FOR_OUTLOOK.finditer(comment["inside"])
        if not part["inside"].startswith("<!")
    )
    for html, aside in ((_COMMENT.sub("", piece), ""), (for_outlook, " for Outlook")):
        opened: list[str] = []
        for tag in _ELEMENT.finditer(html):
            name = tag["name"].lower()
            if name in _VOID or tag["empty"]:
                continue
            if not tag["end"]:
                opened.append(name)
            elif not opened or opened.pop() != name:
                raise _not_whole(f"closes a <{name}>{aside} that it did not open", where)
        if opened:
            raise _not_whole(f"opens a <{opened[-1]}>{aside} that it does not close", where)


def _not_whole(what: str, where: str) -> TemplateError:
    return TemplateError(
        f"this file {what}, and what follows it is another for every reader",
        where=where,
        remedy="Close in it what it opens; what goes round all stories belongs into edition.html",
    )


def _last_raw(before: str) -> re.Match[str] | None:
    last = None
    for match in _RAW.finditer(before):
        last = match
    if last is None or f"</{last[1].lower()}" in before[last.end() :].lower():
        return None
    return last
