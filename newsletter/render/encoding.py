"""Quoted-printable, cut so that joining encoded pieces is concatenation.

Text and references (slots, places) -> one ASCII body. Every chunk of text starts at column 0 and ends at a line end,
hard where the text has a newline, soft (``=`` CRLF) elsewhere; so any chunk may follow any other. References stand
between NUL bytes, which quoted-printable never contains. 8bit is not used: a downgrading hop breaks DKIM (RFC 6376
section 5.3). Bodies are written in its relaxed canonical form (section 3.4.4), so that a signature costs one hash.
"""

from __future__ import annotations

import html
import json
import re
from binascii import a2b_qp
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

SOFT_BREAK = b"=\r\n"
_MARK = b"\0"  # before and after a reference
# RFC 2045 section 6.7 rule 5: 76 with the soft break's "=". A leading dot and a trailing blank may each grow by 2.
_ROW = 71
_SAFE = bytes(byte for byte in range(32, 127) if byte != ord("="))
# What stands for itself in text, in HTML and, but for how a row may begin, in quoted-printable.
_PLAIN = re.compile(r"(?!\.|From |.*  )[A-Za-z0-9@_+/:](?:[ A-Za-z0-9@_+/:.,?;-]*[A-Za-z0-9@_+/:.,?;-])?")
_LATER_BLANKS = re.compile(rb"(?<= ) +")
_NEWLINES = re.compile(r"\r\n?|\u2028|\u2029")
# C0 but tab and newline, DEL, C1, lone surrogates and noncharacters: none of them is text, some break XML and headers.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Slot(NamedTuple):
    """A place filled per subscriber; ``default`` stands where she has no such value (None: nothing does)."""

    name: str
    default: str | None = None


class Place(NamedTuple):
    """A place filled per joined key: with pieces (``lead``, ``sections``) or with a short text (``summary``)."""

    name: str


Reference = Slot | Place
Chunk = str | Reference


def clean(text: str) -> str:
    """``text`` without what is not text: control characters, lone surrogates, noncharacters; newlines as ``\\n``."""
    return _NOT_TEXT.sub("", _NEWLINES.sub("\n", text))


def quoted_printable(text: str) -> bytes:
    """``text`` in UTF-8 as quoted-printable rows of at most 76 characters ending at a line end; '' gives nothing.

    A row never starts with a dot, so dot-stuffing (RFC 5321 section 4.5.2) has nothing to do, nor with ``From ``.
    """
    if not text:
        return b""
    rows: list[bytes] = []
    lines = [text] if text.isprintable() else _NEWLINES.sub("\n", text).split("\n")
    for number, line in enumerate(lines):
        last = number == len(lines) - 1
        if last and not line:
            break  # the text ended with a newline: the row before this one is hard
        data = _escaped(line.encode("utf-8"))
        start = 0
        while len(data) - start > _ROW:
            end = start + _ROW
            escape = data.rfind(b"=", end - 2, end)
            end = escape if escape != -1 else end
            rows += (_row_start(data[start:end]), SOFT_BREAK)
            start = end
        rest = _row_start(data[start:])
        if last:
            rows += (rest, SOFT_BREAK)
        else:
            if rest[-1:] in (b" ", b"\t"):
                rest = rest[:-1] + _hex_of(rest[-1])
            rows += (rest, b"\r\n")
    return b"".join(rows)


def slot_values(text: str) -> tuple[bytes, bytes]:
    """A subscriber's value, encoded for the text part and for HTML; each starts at column 0, ends with a soft break.

    ``html.escape`` with quotes is right in text and in a quoted attribute, the only two contexts a slot may stand in.
    """
    if _PLAIN.fullmatch(text):
        rows = text.encode("ascii")
        if len(rows) > _ROW:
            rows = SOFT_BREAK.join([_row_start(rows[at : at + _ROW]) for at in range(0, len(rows), _ROW)])
        return rows + SOFT_BREAK, rows + SOFT_BREAK
    text = clean(text).replace("\n", " ")
    return quoted_printable(text), quoted_printable(html.escape(text, quote=True))


def pack(chunks: Iterable[Chunk]) -> bytes:
    """One body for the store: the encoded texts, and between NULs each reference as JSON."""
    return b"".join(
        [quoted_printable(chunk) if isinstance(chunk, str) else _packed_reference(chunk) for chunk in chunks]
    )


def unpack(body: bytes) -> list[bytes | Reference]:
    """What ``pack`` made: encoded bytes and references, in order. Bodies may be joined first."""
    unpacked: list[bytes | Reference] = []
    for index, part in enumerate(body.split(_MARK)):
        if index % 2:
            unpacked.append(_reference(part))
        elif part:
            unpacked.append(part)
    return unpacked


def is_relaxed(body: bytes) -> bool:
    """Whether whole lines are in DKIM's relaxed canonical form (RFC 6376 section 3.4.4), as all are that we write."""
    return not (b"  " in body or b"\t" in body or b" \r\n" in body)


def decoded_length(chunks: Iterable[bytes]) -> int:
    """Bytes of what these encoded chunks stand for, lines counted as the reader's program sees them (CRLF as LF)."""
    return sum(len(a2b_qp(chunk).replace(b"\r\n", b"\n")) for chunk in chunks)


@lru_cache(maxsize=256)
def _packed_reference(reference: Reference) -> bytes:
    if isinstance(reference, Slot):
        value = {"slot": reference.name, "default": reference.default}
    else:
        value = {"place": reference.name}
    return _MARK + json.dumps(value).encode("ascii") + _MARK


@lru_cache(maxsize=256)
def _reference(packed: bytes) -> Reference:
    value: dict[str, str | None] = json.loads(packed)
    if "slot" in value:
        return Slot(str(value["slot"]), value["default"])
    return Place(str(value["place"]))


def _escaped(data: bytes) -> bytes:
    """A line with each byte escaped that cannot stand for itself; a few calls into C, not one for each such byte."""
    unsafe = data.translate(None, _SAFE)
    if unsafe:
        data = data.replace(b"=", b"=3D")
        for byte in set(unsafe) - {ord("=")}:
            data = data.replace(bytes((byte,)), _hex_of(byte))
    if b"  " in data:  # of blanks in a row only the first stands: DKIM's relaxed form
        data = _LATER_BLANKS.sub(lambda blanks: b"=20" * len(blanks[0]), data)
    return data


def _hex_of(byte: int) -> bytes:
    return b"=%02X" % byte


def _row_start(row: bytes) -> bytes:
    if row.startswith(b"."):
        return b"=2E" + row[1:]
    if row.startswith(b"From "):  # mbox writers would put a ">" before it and break the signature
        return b"=46" + row[1:]
    return row
