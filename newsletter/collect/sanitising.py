"""Article HTML from outside -> the subset that is safe in a mail and on a page: text, links and pictures, nothing live.

Embeds first become a picture with a link; nh3 does the work; afterwards pictures that cannot be seen (tracking pixels)
or have no usable address are dropped.
"""

from __future__ import annotations

import re
from html import unescape

import nh3
from lxml.etree import LxmlError
from lxml.html import fragment_fromstring, tostring

from newsletter.collect.embeds import HAS_EMBEDS, replace_embeds
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
    "img": {"src", "alt", "width", "height", "style"},  # style is looked at and never kept
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
    "abbr": {"title"},
}
_IMG = re.compile(r'<img((?:\s+[a-z]+="[^"]*")*)\s*/?>')
_ATTRIBUTE = re.compile(r'([a-z]+)="([^"]*)"')
# What holds nothing; nh3 escapes the > of an attribute.
_EMPTY = re.compile(
    r"<(p|h[1-6]|figure|figcaption|li|ul|ol|blockquote)>(?:\s|&nbsp;|<br>)*</\1>|<a(?:\s[^>]*)?>(?:\s|&nbsp;)*</a>"
)
_DEEPEST = 50
# Ways to hide a picture that is there only to be asked for.
_HIDDEN = re.compile(
    r"(?:^|;)\s*(?:(?:max-)?(?:width|height)\s*:\s*[012](?:\.\d+)?(?:px|em|pt|%)?\s*(?:;|!|$)"
    r"|display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:;|!|$))",
    re.IGNORECASE,
)
# Hosts and paths that answer with a pixel and a log line.
_BEACON = re.compile(
    r"^https?://(?:[\w-]+\.)*(?:scorecardresearch\.com|doubleclick\.net|google-analytics\.com|quantserve\.com"
    r"|imrworldwide\.com|chartbeat\.(?:com|net)|adnxs\.com|feedsportal\.com|list-manage\.com/track|2mdn\.net"
    r"|amazon-adsystem\.com|(?:www\.)?facebook\.com/tr\b|pixel\.wp\.com|stats\.wp\.com|stats\.wordpress\.com"
    r"|feeds\.wordpress\.com|feeds\.feedburner\.com/~|pixel\.[\w.-]+|beacon\.[\w.-]+)"
    r"|/(?:pixel|beacon|spacer|blank|clear|transparent|1x1|1px|count|open|track(?:er|ing)?|pxl?|b/ss/[\w/.-]*)"
    r"(?:\.(?:gif|png|php|aspx?))?(?:\?[^#]*)?$",
    re.IGNORECASE,
)


def sanitise(html: str, base: str = "") -> str:
    """The safe subset of ``html``, relative addresses resolved against ``base`` (dropped where there is none)."""
    html = clean(html)[:MAX_HTML]
    cleaned = nh3.clean(
        _without_embeds(html, base) if HAS_EMBEDS.search(html) else html,
        tags=_TAGS,
        clean_content_tags=_DROPPED_WHOLE,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative=("rewrite_with_base", base) if _is_web(base) else "deny",
        link_rel=None,
    )
    cleaned = _IMG.sub(_only_visible, cleaned)
    for _nested in range(_DEEPEST):
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


def is_beacon(url: str) -> bool:
    """Whether this picture's address has the shape of one that only counts readers."""
    return _BEACON.search(url) is not None


def _without_embeds(html: str, base: str) -> str:
    try:
        whole = fragment_fromstring(html, create_parent="div")
        replace_embeds(whole, base if _is_web(base) else "")
        return str(tostring(whole, encoding="unicode"))
    except (LxmlError, ValueError, AssertionError):
        return html  # nh3 drops what could not be replaced


def _only_visible(match: re.Match[str]) -> str:
    attributes = dict(_ATTRIBUTE.findall(match[1]))
    style = unescape(attributes.pop("style", ""))
    source = attributes.get("src", "")
    tiny = any(attributes.get(side, "").strip().removesuffix("px") in {"0", "1", "2"} for side in ("width", "height"))
    if tiny or _HIDDEN.search(style) or not _is_web(source) or is_beacon(unescape(source)):
        return ""
    return "<img" + "".join(f' {name}="{value}"' for name, value in attributes.items()) + ">"


def _is_web(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))
