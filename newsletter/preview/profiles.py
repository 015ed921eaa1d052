"""The HTML of a message -> the HTML as a poorer client has it. Pure; the message itself is never touched.

What Word lacks is asked of caniemail's tables (``render.lint.clients``), not listed here.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache

from newsletter.preview.looks import Look
from newsletter.render.lint.clients import support

_STYLE_BLOCK = re.compile(r"<style\b[^>]*>.*?</style>", re.DOTALL | re.IGNORECASE)
_STYLE_CONTENT = re.compile(r"(<style\b[^>]*>)(.*?)(</style>)", re.DOTALL | re.IGNORECASE)
_STYLE_ATTRIBUTE = re.compile(r"\sstyle=(\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
_TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_ATTRIBUTE = re.compile(r"\s([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_BACKGROUND = re.compile(r"url\([^)]*\)|\sbackground=(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
# Conditional comments: hidden ones (a comment to all others) and revealed ones (markup to all others).
_FOR_OTHERS = re.compile(r"<!--\[if ([^\]]*)\]><!-->(.*?)<!--<!\[endif\]-->", re.DOTALL | re.IGNORECASE)
_HIDDEN = re.compile(r"<!--\[if ([^\]]*)\]>(.*?)<!\[endif\]-->", re.DOTALL | re.IGNORECASE)
_REVEALED = re.compile(r"<!\[if ([^\]]*)\]>(.*?)<!\[endif\]>", re.DOTALL | re.IGNORECASE)
_XML = re.compile(r"<xml\b.*?</xml>", re.DOTALL | re.IGNORECASE)  # settings of Word's, which it does not show
_TERM = re.compile(r"(?:(gte?|lte?)\s+)?(mso|ie)(?:\s+([0-9]+))?", re.IGNORECASE)
_WORD_VERSION = 16
_WORD = "outlook.windows"
_SIZELESS = ("body", "span", "div", "p", "img")
_CELLS = ("td", "th")


def as_look(document: str, look: Look) -> str:
    """The document as the client of ``look`` has it; light and dark are left to ``showing``."""
    match look:
        case Look.OUTLOOK:
            return as_word(document)
        case Look.UNSTYLED:
            return _STYLE_BLOCK.sub("", document)
        case Look.NO_PICTURES:
            return without_pictures(document)
        case _:
            return document


def as_word(document: str) -> str:
    """What Word makes of it: its conditional comments opened, what it does not know taken out."""
    opened = _FOR_OTHERS.sub(_chosen, document)
    opened = _XML.sub("", _REVEALED.sub(_chosen, _HIDDEN.sub(_chosen, opened)))

    def block(match: re.Match[str]) -> str:
        return match[1] + _without(without_at_rules(match[2])) + match[3]

    def element(tag: re.Match[str]) -> str:
        def attribute(match: re.Match[str]) -> str:
            quote = match[1][0]
            kept = _declared(html.unescape(match[1][1:-1]), tag[1].lower())
            return f" style={quote}{html.escape(kept, quote=True)}{quote}" if kept else ""

        return _BACKGROUND.sub("", _STYLE_ATTRIBUTE.sub(attribute, tag[0]))

    return _TAG.sub(element, _STYLE_CONTENT.sub(block, opened))


def without_at_rules(css: str) -> str:
    """The plain rules alone: media queries, fonts and imports gone."""
    kept, at = [], 0
    while (start := css.find("@", at)) >= 0:
        kept.append(css[at:start])
        brace, semicolon = css.find("{", start), css.find(";", start)
        if brace < 0 or 0 <= semicolon < brace:
            at = semicolon + 1 or len(css)
            continue
        depth, at = 1, brace + 1
        while at < len(css) and depth:
            depth += {"{": 1, "}": -1}.get(css[at], 0)
            at += 1
    return "".join([*kept, css[at:]])


def without_pictures(document: str) -> str:
    """Each picture's alternative text in its place; no background pictures."""
    return _IMAGE.sub(lambda image: _alternative(image[0]), _TAG.sub(lambda tag: _BACKGROUND.sub("", tag[0]), document))


def holds_for_word(condition: str) -> bool:
    """Whether the condition of a conditional comment holds in Outlook for Windows (2016 and later: 16)."""

    def term(match: re.Match[str]) -> str:
        operator, name, number = (match[1] or "").lower(), match[2].lower(), int(match[3] or 0)
        if name != "mso":
            return "0"
        held = {
            "gt": number < _WORD_VERSION,
            "gte": number <= _WORD_VERSION,
            "lt": number > _WORD_VERSION,
            "lte": number >= _WORD_VERSION,
        }.get(operator, number in (0, _WORD_VERSION))
        return "1" if held else "0"

    said = re.sub(r"[^01!&|()]", "", _TERM.sub(term, condition))
    for _ in range(len(said) + 1):
        before = said
        said = said.replace("!0", "1").replace("!1", "0").replace("(0)", "0").replace("(1)", "1")
        said = re.sub(r"(?<!!)([01])&([01])", lambda both: str(int(both[1]) & int(both[2])), said)
        if "&" not in said:
            said = re.sub(r"(?<!!)([01])\|([01])", lambda both: str(int(both[1]) | int(both[2])), said)
        if said == before:
            break
    return said == "1"


def _chosen(match: re.Match[str]) -> str:
    return match[2] if holds_for_word(match[1]) else ""


def _without(css: str) -> str:
    """The rules with the declarations that Word knows."""
    return re.sub(r"\{([^{}]*)\}", lambda body: "{" + _declared(body[1]) + "}", css)


def _declared(style: str, element: str = "") -> str:
    """The declarations that Word heeds on ``element``; without one, on any."""
    kept = []
    for declaration in re.split(r";(?![^(]*\))", style):
        name, colon, value = (part.strip() for part in declaration.partition(":"))
        if name.lower() == "mso-padding-alt" and element in _CELLS:
            kept.append(f"padding:{value}")
        elif colon and "url(" not in value.lower() and _heeded(name.lower(), value.lower(), element):
            kept.append(declaration.strip())
    return "; ".join(kept)


def _heeded(name: str, value: str, element: str) -> bool:
    """Whether Word heeds a property there. The limits are what caniemail's notes to css-width, css-height,
    css-max-width, css-display and css-padding say of Outlook for Windows."""
    if name in _unknown_to_word():
        return False
    if not element:
        return True
    match name.partition("-")[0] if name.startswith("padding") else name:
        case "width" | "height":
            return element not in _SIZELESS
        case "max-width":
            return element == "table"
        case "display":
            return value == "none" and element != "img"
        case "padding":
            return element in _CELLS
        case _:
            return True


def _alternative(image: str) -> str:
    values = {match[1].lower(): match[2] or match[3] or match[4] or "" for match in _ATTRIBUTE.finditer(image)}
    style = ["display:inline-block", "box-sizing:border-box", "max-width:100%", "overflow:hidden", "vertical-align:top"]
    style += ["border:1px solid #b9b9b9", "padding:4px", "font-size:13px", "line-height:17px"]
    for name in ("width", "height"):
        if values.get(name, "").isdigit():
            style.append(f"{name}:{values[name]}px")
    mark = f" data-n={values['data-n']}" if values.get("data-n", "").isdigit() else ""
    return f'<span{mark} style="{";".join(style)}">{values.get("alt", "")}</span>'


@lru_cache(maxsize=1)
def _unknown_to_word() -> frozenset[str]:
    """The properties that caniemail's tables say Outlook for Windows lacks wholly."""
    table = support()
    return frozenset(
        mark[1]
        for mark, slugs in table.found_by.items()
        if mark[0] == "property" and any(table.features[slug].support.get(_WORD, "y").startswith("n") for slug in slugs)
    )
