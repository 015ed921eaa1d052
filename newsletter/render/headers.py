"""The one place that makes a header line. Text from outside goes in; a checked, folded, ASCII line comes out.

CR, LF, NUL and every other control character are refused (AddressError), not dropped: who wrote them meant something.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import idna

from newsletter.errors import AddressError

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_MAILBOX = re.compile(
    r"""\s*(?:(?P<name>"(?:[^"\\]|\\.)*"|[^<>"]*?)\s*<(?P<address>[^<>\s]+)>|(?P<bare>[^<>\s]+))\s*"""
)
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_LINE = 78  # RFC 5322 section 2.1.1
_ENCODED_LINE = 76  # RFC 2047 section 2
_ENCODED_WORD = 75


def header(name: str, value: str) -> bytes:
    """``Name: value`` CRLF, folded at 78, RFC 2047 where it is not ASCII or cannot fold. Raises AddressError."""
    _check(name, value)
    too_long_to_fold = max(map(len, value.split()), default=0) >= _ENCODED_LINE - len(name)
    if not value.isascii() or "=?" in value or too_long_to_fold:
        lines = list(_encoded_words(value, first=_ENCODED_LINE - len(name) - 2))
        return _joined(name, lines)
    return structured(name, " ".join(value.split()))


def structured(name: str, value: str) -> bytes:
    """``Name: value`` CRLF for a value that is already ASCII with its own syntax; folded at 78. Raises AddressError."""
    _check(name, value)
    if not value.isascii():
        raise AddressError(f"the header {name} cannot hold {value!r}", remedy="Use ASCII here")
    if len(name) + 2 + len(value) <= _LINE:
        return f"{name}: {value}\r\n".encode("ascii")
    lines: list[str] = []
    room = _LINE - len(name) - 2
    for word in value.split(" "):
        if not lines:
            lines.append(word)
        elif len(lines[-1]) + 1 + len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
            room = _LINE - 1
    return _joined(name, lines)


def mailbox_header(name: str, text: str) -> bytes:
    """From, To or Reply-To with one mailbox: ``Name <local@domain>`` or a bare address. Raises AddressError."""
    _check(name, text)
    display, address = parse_mailbox(text)
    spec = f"<{address}>" if display else address
    if not display:
        return structured(name, spec)
    if display.isascii() and "=?" not in display:
        shown = display if _PHRASE.fullmatch(display) else '"' + re.sub(r'(["\\])', r"\\\1", display) + '"'
        return structured(name, f"{shown} {spec}")
    lines = list(_encoded_words(display, first=_ENCODED_LINE - len(name) - 2))
    if len(lines[-1]) + 1 + len(spec) + (len(name) + 2 if len(lines) == 1 else 1) <= _ENCODED_LINE:
        lines[-1] += f" {spec}"
    else:
        lines.append(spec)
    return _joined(name, lines)


def parse_mailbox(text: str) -> tuple[str, str]:
    """Display name and address of ``Name <local@domain>``; IDN as A-labels (RFC 5891). Raises AddressError."""
    found = None if _CONTROL.search(text) else _MAILBOX.fullmatch(text)
    if found is None:
        raise AddressError(f"{text!r} is not one mail address", remedy="Write Name <name@domain>")
    display = (found["name"] or "").strip()
    if display.startswith('"'):
        display = re.sub(r"\\(.)", r"\1", display[1:-1])
    return " ".join(display.split()), address_spec(found["address"] or found["bare"])


def address_spec(text: str) -> str:
    """``local@domain`` in ASCII, the domain as A-labels. Raises AddressError, also where SMTPUTF8 would be needed."""
    local, at, domain = text.rpartition("@")
    if not at or len(local) > 64 or not _DOT_ATOM.fullmatch(local):
        raise AddressError(f"{text!r} is not a mail address", remedy="Write name@domain")
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise AddressError(f"{text!r} has no usable domain ({error})", remedy="Correct the domain") from None
    if len(domain) > 253 or not _HOST.fullmatch(domain.lower()):
        raise AddressError(f"{text!r} is not a mail address", remedy="Write name@domain")
    return f"{local}@{domain}"


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise AddressError(f"{name!r} is not a header's name")
    if _CONTROL.search(value):
        raise AddressError(
            f"the header {name} would hold a line break or control character: {value!r}",
            remedy="Remove it where the text comes from",
        )


def _joined(name: str, lines: list[str]) -> bytes:
    joined = f"{name}: " + "\r\n ".join(lines) + "\r\n"
    if any(len(line) > 998 for line in joined.split("\r\n")):  # RFC 5322 section 2.1.1
        raise AddressError(f"the header {name} has a word of more than 998 characters", remedy="Shorten it")
    return joined.encode("ascii")


def _encoded_words(value: str, *, first: int) -> Iterator[str]:
    """RFC 2047 encoded-words, each of whole characters, the first at most ``first`` long, all at most 75."""
    data = value.encode("utf-8")
    quoted = sum(1 if byte in _Q_SAFE or byte == 0x20 else 3 for byte in data)
    letter = "q" if quoted <= len(data) * 4 / 3 else "b"
    room = min(first, _ENCODED_WORD) - 12
    word, size = "", 0
    for character in value:
        cost = _cost(character, letter)
        if word and (size + cost if letter == "q" else -(-(size + cost) // 3) * 4) > room:
            yield _encoded_word(word, letter)
            word, size = "", 0
            room = _ENCODED_WORD - 12
        word += character
        size += cost
    yield _encoded_word(word, letter)


def _cost(character: str, letter: str) -> int:
    data = character.encode("utf-8")
    if letter == "b":
        return len(data)
    return sum(1 if byte in _Q_SAFE or byte == 0x20 else 3 for byte in data)


def _encoded_word(text: str, letter: str) -> str:
    data = text.encode("utf-8")
    if letter == "b":
        return f"=?utf-8?b?{base64.b64encode(data).decode('ascii')}?="
    shown = "".join("_" if byte == 0x20 else chr(byte) if byte in _Q_SAFE else f"={byte:02X}" for byte in data)
    return f"=?utf-8?q?{shown}?="
