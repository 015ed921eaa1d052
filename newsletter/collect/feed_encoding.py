"""A feed's bytes, in whatever encoding and between whatever junk -> one clean UTF-8 XML document. Pure.

feedparser reads well-formed UTF-8 many times faster, and more of it, than what its fallback parser has to guess at; so
what newsrooms' servers are known to add or forget is put right here, before it looks.
"""

from __future__ import annotations

import codecs
import re
from html.entities import html5

import charset_normalizer

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with the same bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# XML 1.0 appendix F: how "<?" looks without a byte order mark.
_MARKERS = ((b"<\x00?\x00", "utf-16-le"), (b"\x00<\x00?", "utf-16-be"), (b"<\x00\x00\x00", "utf-32-le"))
# What the label really means (https://encoding.spec.whatwg.org/#names-and-labels).
_REALLY = {
    "iso8859-1": "cp1252", "ascii": "cp1252", "latin-1": "cp1252", "iso8859-9": "cp1254", "gb2312": "gb18030",
    "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "tis-620": "cp874",
}  # fmt: skip
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_DECLARATION = re.compile(r"^<\?xml\b[^>]{0,300}\?>\s*")
_ROOT = re.compile(r"<(?:\?xml\b|(?:[\w-]{1,20}:)?(?:rss|feed|rdf|channel)\b|!DOCTYPE\s+(?:rss|rdf))", re.IGNORECASE)
_ENDS = ("</rss>", "</feed>", "</rdf:RDF>", "</RDF>", "</atom:feed>")
# XML 1.0 section 2.2: these may not stand in a document, not even as references.
_NOT_XML = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|&#(?:x0*(?:[0-8bc]|1[0-9a-f]|[ef])|0*(?:[0-8]|1[124-9]|2\\d|3[01]));"
)
_ENTITY = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_ENTITIES = {"amp", "lt", "gt", "quot", "apos"}
_TAGS = re.compile(rb"<[^<>]{0,2000}>")
_SAMPLE = 20_000
_INVALID = "\ufffd"


def as_utf8_xml(body: bytes, content_type: str = "") -> bytes:
    """``body`` as UTF-8 that says so, from its first markup to the end of its root element, HTML entities resolved.

    ``content_type`` is the Content-Type header it came with. What is no feed comes out as it may.
    """
    text = _NOT_XML.sub("", decoded(body, content_type))
    root = _ROOT.search(text)
    text = text[root.start() :] if root else text.lstrip()
    text = _DECLARATION.sub("", text)
    end = max(text.rfind(mark) + len(mark) if mark in text else 0 for mark in _ENDS)
    if end and "<item" not in text[end:] and "<entry" not in text[end:]:
        text = text[:end]
    if "<!ENTITY" not in text[:10_000]:  # a feed that declares entities has its own
        text = _ENTITY.sub(_character, text)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text.encode("utf-8", "replace")


def decoded(body: bytes, content_type: str = "") -> str:
    """``body`` as text, by what it is rather than what it says of itself where the two cannot both be true."""
    for mark, name in _BOMS:  # RFC 7303 section 3.3: a byte order mark wins over the header
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for mark, name in _MARKERS:
        if body.startswith(mark):
            return body.decode(name, "replace")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    # Bytes of another encoding are valid UTF-8 by chance only where there are hardly any.
    if text and not body.isascii():
        return text
    header, declared = _CHARSET.search(content_type), _DECLARED.search(body[:1_000])
    for label in (header and header[1], declared and declared[1].decode("ascii")):
        name = _python_name(label or "")
        if name and not name.startswith("utf-8"):
            try:
                return body.decode(name)
            except UnicodeDecodeError:
                continue
    return text or _broken(body)


def _broken(body: bytes) -> str:
    """UTF-8 in which a character was cut in two here and there; else what Windows writes; else what it looks like."""
    text = body.decode("utf-8", "replace")
    spoilt = text.count(_INVALID)
    sound = sum(1 for character in text if character > "\x7f") - spoilt
    if sound > 2 * spoilt:
        return text.replace(_INVALID, "")
    sample = _TAGS.sub(b" ", body)[:_SAMPLE]
    high = sum(1 for byte in sample if byte > 0x7F)
    letters = sum(1 for byte in sample if chr(byte).isalpha() and byte < 0x80)
    if high > letters / 2:  # no language written in Latin letters has that many others
        guess = charset_normalizer.from_bytes(sample).best()
        if guess is not None:
            return body.decode(guess.encoding, "replace").replace(_INVALID, "")
    return body.decode("cp1252", "replace").replace(_INVALID, "")


def _python_name(label: str) -> str:
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    if name.startswith(("utf-16", "utf-32")):  # the declaration could be read, so it is not that
        return ""
    return _REALLY.get(name, name) if _is_text(name) else ""


def _is_text(name: str) -> bool:
    """Whether it is an encoding of text; Python also has codecs such as zlib, hex and rot13."""
    return bool(getattr(codecs.lookup(name), "_is_text_encoding", True)) and name not in {"undefined", "unicode_escape"}


def _character(match: re.Match[str]) -> str:
    name = match[1]
    character = "" if name in _XML_ENTITIES else html5.get(f"{name};", "")
    # Characters that are markup stay references, whatever they are called ("&LT;", "&AMP;").
    return match[0] if not character or character in "<>&\"'" else character
