"""The texts of a feed's entry, as publishing systems write them -> sanitised HTML and plain headlines. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import SplitResult, urljoin, urlsplit

from newsletter.collect.plain_text import clean
from newsletter.collect.sanitising import sanitise, without_tags

_MAX_MARKUP = 1_000_000  # characters that are looked at; the sanitiser keeps fewer
_ESCAPED_TAG = re.compile(r"&lt;/?(?:p|br|b|i|em|strong|a|div|span|img|h[1-6]|ul|li|figure)\b", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:[a-z][a-z0-9]{1,31}|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
# What is markup and not prose about markup: a pair of tags, a tag with attributes, a line break.
_TAG = re.compile(
    r"<(b|i|em|strong|u|span|font|p|a|sup|sub|cite)\b[^<>]{0,200}>.{0,300}?</\1>|<[a-z]{1,10}\s[a-z-]{1,20}\s?=|<br\s?/?>",
    re.IGNORECASE | re.DOTALL,
)
_LINE_BREAK = re.compile(r"<br\s?/?>", re.IGNORECASE)
_BLOCK = re.compile(r"<(?:p|div|br|h[1-6]|ul|ol|li|table|blockquote|figure|section|article|pre)\b", re.IGNORECASE)
_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
_CUT_MARK = re.compile(r"[\s.…]*\[(?:…|\.\.\.)\]$")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,5}")

# WordPress's classic captions: a block with a picture and a paragraph of words under it.
_WP_CAPTION = re.compile(
    r"<div\b[^<>]*\bwp-caption\b[^<>]*>([^<]*(?:<(?!/?div\b|p\b[^<>]*\bwp-caption-text\b)[^<]*)*)"
    r"<p\b[^<>]*\bwp-caption-text\b[^<>]*>([^<]*(?:<(?!/?(?:p|div)\b)[^<]*)*)</p>\s*</div>",
    re.IGNORECASE,
)
# WordPress sends pictures of emoji, whose text is the emoji.
_SMILEY = re.compile(r"<img\b[^<>]{0,600}\bclass=[\"'][^\"'<>]{0,60}\bwp-smiley\b[^<>]{0,600}>", re.IGNORECASE)
_ALT = re.compile(r"\balt=[\"']([^\"'<>]{1,40})[\"']", re.IGNORECASE)
# "The post TITLE appeared first on SITE.", in any language: a last paragraph of two links and a few words.
_APPEARED_FIRST = re.compile(
    r'<p>([^<>]{0,40})<a href="([^"<>]{1,2000})"[^<>]*>(?:[^<]|<(?!/a>)){0,600}</a>([^<>]{1,60})'
    r'<a href="([^"<>]{1,2000})"[^<>]*>[^<]{0,300}</a>[^<>]{0,200}</p>'
)
_APPEARED_FIRST_PLAIN = re.compile(r"The post [^<]{1,400} (?:appeared first|first appeared) on [^<]{1,200}\.\s*(</p>)?")
_LINK_START = re.compile(r'<a href="([^"<>]{1,2000})"[^<>]*>')
_AFTER_LINK = re.compile(r"</a>[\s.»›→…]*(</p>)?")
_LONGEST_ADDITION = 5_000
_SHORTEST_STANDFIRST = 25
_SENTENCE_ENDS = ".!?…]»”)>।。"


@dataclass(frozen=True, slots=True)
class Markup:
    """A text of a feed: HTML, or plain text if ``plain``. ``base`` is where its relative addresses start, if stated."""

    text: str = ""
    plain: bool = False
    base: str = ""


NO_TEXT = Markup()


def tidied(markup: Markup, link: str) -> str:
    """Sanitised HTML of what the newsroom wrote, without what its system added to it. ``link`` is the story's URL."""
    text = clean(markup.text)[:_MAX_MARKUP].strip()
    if not text:
        return ""
    if markup.plain and "<" not in text:
        return _as_paragraphs(escape(text, quote=False))
    if "<" not in text and _ESCAPED_TAG.search(text):  # escaped twice
        text = unescape(text)
    if not _BLOCK.search(text) and _BLANK_LINE.search(text):
        text = _as_paragraphs(text)
    if "wp-smiley" in text:
        text = _SMILEY.sub(lambda match: alt[1] if (alt := _ALT.search(match[0])) else "", text)
    if "wp-caption" in text:
        text = _WP_CAPTION.sub(r"<figure>\1<figcaption>\2</figcaption></figure>", text)
    return _without_additions(sanitise(text, _joined(link, markup.base)), link)


def headline(title: Markup) -> str:
    """A title as plain text: tags gone, references resolved however often they were escaped."""
    text = clean(title.text).strip()[:10_000]
    if not title.plain:
        text = without_tags(_LINE_BREAK.sub(" ", text))
    for _ in range(3):
        if _REFERENCE.search(text):
            text = unescape(text)
        if not _TAG.search(text):
            break
        text = without_tags(_LINE_BREAK.sub(" ", text))
    return clean(text)


def plain(text: str) -> str:
    """A short text that may be HTML (a name, a tag, a caption) without its markup."""
    return without_tags(text) if "<" in text or "&" in text else clean(text)


def standfirst(summary: str) -> str:
    """What a summary in plain paragraphs says above a story, with an ordinary ellipsis where a system cut it ("[…]").

    A first paragraph that ends like a headline is a standfirst by itself; what follows it is how the story begins.
    """
    first, _, rest = summary.partition("\n\n")
    alone = rest and first[-1:] not in _SENTENCE_ENDS and len(first) >= _SHORTEST_STANDFIRST
    return _CUT_MARK.sub("…", first if alone else summary).strip()


def language_tag(text: str) -> str:
    """A BCP 47 tag as feeds write it ("en_GB", "hi-IN "), '' if it is none."""
    tag = clean(text).strip().replace("_", "-")[:35]
    return tag if _LANGUAGE.fullmatch(tag) else ""


def _as_paragraphs(text: str) -> str:
    return "".join(f"<p>{part.strip()}</p>" for part in _BLANK_LINE.split(text) if part.strip())


def _without_additions(html: str, link: str) -> str:
    """``html`` without the last words that WordPress adds: where it appeared first, and a link to read on."""
    last = html.rfind("<p>", -_LONGEST_ADDITION) if html.endswith("</p>") else -1
    match = _APPEARED_FIRST.fullmatch(html, last) if last >= 0 else None
    if match and _same(match[2], link) and _is_front(match[4], link):
        html = html[:last].rstrip().removesuffix("<hr>").rstrip()
    plain = html.rfind("The post ", -1_000)
    if plain >= 0 and (match := _APPEARED_FIRST_PLAIN.fullmatch(html, plain)):
        html = html[:plain].rstrip() + (match[1] or "")
    end = html.rfind("</a>", -_LONGEST_ADDITION)
    start = html.rfind("<a ", -_LONGEST_ADDITION, end) if end >= 0 else -1
    opened = _LINK_START.match(html, start) if start >= 0 else None
    closed = _AFTER_LINK.fullmatch(html, end) if opened else None
    before = html[:start].rstrip()
    # In the middle of a sentence it is the text's own link; with a picture in it, it is the picture's.
    if opened and closed and before and before[-1] in _SENTENCE_ENDS and "<img" not in html[start:]:
        html = before + (closed[1] or "") if _same(opened[1], link) else html
    return html.removesuffix("<p></p>").rstrip()


def _same(href: str, link: str) -> bool:
    """Whether two addresses lead to the same story; feeds add their own parameters to one of them."""
    here, there = _parts(href), _parts(link)
    return bool(link) and here.netloc == there.netloc and here.path.rstrip("/") == there.path.rstrip("/")


def _is_front(href: str, link: str) -> bool:
    """Whether an address leads to the front of the site that the story is on, or of its part of it."""
    front, story = _parts(href), _parts(link)
    return front.netloc == story.netloc and story.path.startswith(front.path.rstrip("/")) and front.path != story.path


def _parts(href: str) -> SplitResult:
    try:
        return urlsplit(unescape(href))
    except ValueError:
        return SplitResult("", "", "", "", "")


def _joined(link: str, base: str) -> str:
    try:
        return urljoin(link, base) if base else link
    except ValueError:
        return link
