"""Article HTML from outside -> the subset that is safe in a mail and on a page: text, links and pictures, nothing live.

nh3 does the work; afterwards pictures that cannot be seen (tracking pixels) or have no usable address are dropped.
"""

from __future__ import annotations

import re
from html import unescape

import nh3

from newsletter.collect.plain_text import clean

MAX_HTML = 400_000

_TAGS = {
    "p", "br", "hr", "a", "strong", "b", "em", "i", "u", "s", "sub", "sup", "small", "code", "pre", "blockquote", "q",
    "cite", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "figure", "figcaption", "img",
    "table", "thead", "tbody", "tr", "th", "td", "caption", "abbr", "time", "mark", "del", "ins",
}  # fmt: skip
# Their content goes with them: what is inside is code, controls or a fallback for what was removed.
_DROPPED_WHOLE = {
    "script", "style", "iframe", "object", "embed", "form", "textarea", "select", "button", "template", "noscript",
    "svg", "math", "audio", "video", "canvas", "head", "title", "noembed", "noframes", "applet", "dialog",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
    "abbr": {"title"},
}
_IMG = re.compile(r'<img((?:\s+[a-z]+="[^"]*")*)\s*/?>')
_ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')
_EMPTY = re.compile(r"<(p|h[1-6]|figure|figcaption|li|ul|ol|blockquote)>(?:\s|&nbsp;|<br>)*</\1>")


def sanitise(html: str, base: str = "") -> str:
    """The safe subset of ``html``, relative addresses resolved against ``base`` (dropped where there is none)."""
    cleaned = nh3.clean(
        clean(html)[:MAX_HTML],
        tags=_TAGS,
        clean_content_tags=_DROPPED_WHOLE,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative=("rewrite_with_base", base) if _is_web(base) else "deny",
        link_rel=None,
    )
    cleaned = _IMG.sub(_only_visible, cleaned)
    for _nested in range(3):
        cleaned, removed = _EMPTY.subn("", cleaned)
        if not removed:
            break
    return cleaned.strip()


def without_tags(html: str) -> str:
    """The text of a short piece of HTML (a headline, a caption), references resolved."""
    return unescape(nh3.clean(clean(html)[:MAX_HTML], tags=set(), clean_content_tags=_DROPPED_WHOLE))


def pictures_in(sanitised: str) -> list[dict[str, str]]:
    """The attributes of each picture of HTML that ``sanitise`` gave, in order."""
    return [
        {name: unescape(value) for name, value in _ATTRIBUTE.findall(match[1])} for match in _IMG.finditer(sanitised)
    ]


def _only_visible(match: re.Match[str]) -> str:
    attributes = dict(_ATTRIBUTE.findall(match[1]))
    tiny = any(attributes.get(side, "").strip().removesuffix("px") in {"0", "1", "2"} for side in ("width", "height"))
    return "" if tiny or not _is_web(attributes.get("src", "")) else match[0]


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
