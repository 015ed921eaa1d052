"""The bytes of a page -> its tree, and the few questions about elements that every reader of pages asks."""

from __future__ import annotations

import codecs
import re
from urllib.parse import urljoin, urlsplit

from lxml.etree import iterwalk
from lxml.html import HtmlElement

from newsletter.collect.plain_text import clean
from newsletter.errors import SourceError

MAX_URL = 2_000

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_META_CHARSET = re.compile(rb"<meta\b[^>]{0,300}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml\b[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]{0,200}\?>", re.IGNORECASE)
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# A label means what browsers take it for (WHATWG Encoding, section 4.2), which is more than its standard.
_TAKEN_FOR = {
    "iso-8859-1": "cp1252", "iso8859-1": "cp1252", "latin1": "cp1252", "l1": "cp1252", "ascii": "cp1252",
    "us-ascii": "cp1252", "windows-1252": "cp1252", "iso-8859-9": "cp1254", "iso-8859-11": "cp874",
    "tis-620": "cp874", "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932",
    "gb2312": "gb18030", "gbk": "gb18030", "euc-kr": "cp949", "ks_c_5601-1987": "cp949", "big5": "big5hkscs",
    "utf-16": "utf-8",
}  # fmt: skip
_HEAD_BYTES = 4_096
_PRIVATE = re.compile("[\x00\ue000-\uf8ff]")  # the signs of icon fonts; our own marks are among them as well
_SILENT = {"script", "style", "template", "noscript", "svg", "select", "textarea", "button"}
INLINE = {
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q", "ruby",
    "rb", "rt", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
}  # fmt: skip
_WORD_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def parse_html(body: bytes, content_type: str, where: str) -> HtmlElement:
    """The tree of a page. Raises SourceError if it is no HTML."""
    from trafilatura.utils import load_html  # half a second, which those who only sanitise need not pay

    text = _XML_DECLARATION.sub("", _PRIVATE.sub("", decode_html(body, content_type)))
    tree = load_html(text) if text.strip() else None
    if not isinstance(tree, HtmlElement):
        raise SourceError("it cannot be read as HTML", where=where)
    return tree


def decode_html(body: bytes, content_type: str = "") -> str:
    """The text of an HTML page: byte order mark, Content-Type, meta element, then a guess (HTML, section 13.2.3)."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    try:
        return body.decode("utf-8")  # what is valid UTF-8 is not by accident, whatever a header or template says
    except UnicodeDecodeError:
        pass
    head = body[:_HEAD_BYTES]
    for found in (_CHARSET.search(content_type), _META_CHARSET.search(head), _XML_ENCODING.search(head)):
        label = found[1] if found else ""
        name = (label.decode("ascii", "replace") if isinstance(label, bytes) else label).lower()
        try:
            codec = codecs.lookup(_TAKEN_FOR.get(name, name)).name
            if codec == "utf-8":  # broken in places: most of it is still what it says
                return body.decode(codec, "replace")
            return body.decode(codec)
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    from trafilatura.utils import decode_file

    guessed = decode_file(body)
    return guessed if isinstance(guessed, str) else body.decode("utf-8", "replace")


def text_of(element: HtmlElement) -> str:
    """All text that is shown of ``element``, on one line; blocks stand apart from each other."""
    if len(element) == 0:
        return " ".join(clean(element.text or "").split())
    pieces: list[str] = []
    for event, node in iterwalk(element, events=("start", "end")):
        tag = node.tag if isinstance(node.tag, str) else ""
        silent = not tag or tag in _SILENT
        if event == "start":
            if tag not in INLINE:
                pieces.append(" ")
            if node.text and not silent:
                pieces.append(node.text)
        else:
            if tag not in INLINE:
                pieces.append(" ")
            if node.tail and node is not element:
                pieces.append(node.tail)
    return " ".join(clean("".join(pieces)).split())


def class_words(element: HtmlElement) -> set[str]:
    """The lower-cased words of class and id: ``RelatedStories_box`` gives related, stories, box."""
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    return {part.lower() for part in _WORD_PARTS.findall(named[:500])} if named != " " else set()


def base_of(tree: HtmlElement, url: str) -> str:
    """What relative addresses of the page start at: its base element if it has one, else ``url``."""
    stated = next((element.get("href") or "" for element in tree.iter("base")), "")
    return absolute(stated, url) or url


def absolute(address: str, base: str) -> str:
    """``address`` as an http or https URL that is not too long, '' if it is none."""
    address = clean(address).strip()
    if not address:
        return ""
    try:
        if "://" in address:
            address = "".join(address.split())
        joined = address if address.startswith(("https://", "http://")) else urljoin(base, address)
        parts = urlsplit(joined)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and len(joined) <= MAX_URL
    except ValueError:
        return ""
    return joined.replace(" ", "%20") if usable else ""


def remove(element: HtmlElement) -> None:
    """Take ``element`` out of its tree; what follows it stays."""
    if element.getparent() is not None:
        element.drop_tree()
