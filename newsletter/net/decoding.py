"""Content codings (RFC 9110 section 8.4.1) undone piece by piece, so that a bomb is refused before it is unpacked."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import brotli

# Asked for in each request; a coding we did not ask for is an error, never a guess.
ACCEPT_ENCODING = "gzip, deflate, br"
# Text rarely packs better than 30:1; deflate's own limit is about 1,030:1, which only padding reaches, and brotli has
# none: 158 bytes become 100 MB.
MAX_RATIO = 200
_RATIO_COUNTS_FROM = 1_000_000
_STEP = 65_536
_CODINGS = {"", "identity", "gzip", "x-gzip", "deflate", "br"}


class DecodingError(ValueError):
    """The bytes are not what the coding says, or grow beyond what we take. ``str`` says which."""


class Decoder:
    """Undoes one content coding: ``feed`` and ``pieces`` give decoded bytes, ``finish`` checks that all came."""

    def __init__(self, coding: str, max_bytes: int) -> None:
        """``coding`` is the Content-Encoding header; ``max_bytes`` bounds the decoded size. Raises DecodingError."""
        coding = coding.strip().lower()
        if coding not in _CODINGS:
            raise DecodingError(f"it is encoded as '{coding[:40]}', which was not asked for")
        self._max = max_bytes
        self._encoded = 0
        self._decoded = 0
        self._unpacker: _Inflater | _Brotli | None = None
        if coding == "br":
            self._unpacker = _Brotli()
        elif coding not in {"", "identity"}:
            self._unpacker = _Inflater(coding)

    def feed(self, data: bytes) -> bytes:
        """The next decoded bytes. Raises DecodingError at the first byte beyond the limits."""
        return b"".join(self.pieces(data))

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The same, little at a time, each piece unpacked only when it is asked for. Raises DecodingError."""
        self._encoded += len(data)
        for piece in (data,) if self._unpacker is None else self._unpacker.pieces(data):
            self._count(len(piece))
            yield piece

    def finish(self) -> None:
        """Raise DecodingError if the coded stream was cut short."""
        if self._unpacker is not None and self._encoded and not self._unpacker.ended:
            raise DecodingError(f"its {self._unpacker.coding} encoding ends too early")

    def _count(self, size: int) -> None:
        self._decoded += size
        if self._decoded > self._max:
            raise DecodingError(f"it is larger than {self._max:,} bytes")
        if self._decoded > _RATIO_COUNTS_FROM and self._decoded > self._encoded * MAX_RATIO:
            raise DecodingError(f"it unpacks to more than {MAX_RATIO} times its size")


class _Inflater:
    """gzip and deflate, a bounded piece at a time."""

    def __init__(self, coding: str) -> None:
        self.coding = coding
        self._begun = False
        self._inflater = self._new()

    @property
    def ended(self) -> bool:
        return self._inflater.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflater.eof:
                if self.coding.startswith("deflate") or not data.startswith(b"\x1f\x8b"):
                    break  # padding after the end, which servers do send
                self._inflater = self._new()  # a further gzip member, RFC 1952 section 2.2
            try:
                piece = self._inflater.decompress(data, _STEP)
            except zlib.error:
                if self.coding != "deflate" or self._begun:
                    raise DecodingError(f"its {self.coding} encoding is broken") from None
                self.coding, self._inflater = "deflate (raw)", zlib.decompressobj(-zlib.MAX_WBITS)
                continue
            self._begun = self._begun or bool(piece)
            yield piece
            data = self._inflater.unconsumed_tail or self._inflater.unused_data

    def _new(self) -> zlib._Decompress:
        # "deflate" means zlib's own wrapping (RFC 9110 section 8.4.1.2); some servers send it bare.
        return zlib.decompressobj(zlib.MAX_WBITS if self.coding == "deflate" else 16 + zlib.MAX_WBITS)


class _Brotli:
    """brotli (RFC 7932), a bounded piece at a time: it keeps what it was given and is asked until it wants more."""

    coding = "br"

    def __init__(self) -> None:
        self._unpacker = brotli.Decompressor()

    @property
    def ended(self) -> bool:
        return bool(self._unpacker.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self.ended:
            return  # padding after the end, as above
        try:
            piece = self._unpacker.process(data, output_buffer_limit=_STEP)
            # It may want more and still hold what did not fit into the last piece.
            while piece or not self._unpacker.can_accept_more_data():
                yield piece
                piece = self._unpacker.process(b"", output_buffer_limit=_STEP)
        except brotli.error:
            raise DecodingError("its br encoding is broken") from None
