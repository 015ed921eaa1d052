"""Decompression that stops before it hurts."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.net.decoding import Decoder, DecodingError

MEGABYTE = 1_000_000


def quick_brotli(data: bytes) -> bytes:
    packed: bytes = brotli.compress(data, quality=3)
    return packed


CODINGS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "br": quick_brotli}


def fed(decoder: Decoder, data: bytes, piece: int) -> bytes:
    """What comes of ``data`` in pieces of that size."""
    return b"".join([decoder.feed(data[at : at + piece]) for at in range(0, len(data), piece)])


@pytest.mark.parametrize("coding", ["gzip", "br"])
@pytest.mark.parametrize(
    ("limit", "words"), [(MEGABYTE, "larger than 1,000,000 bytes"), (500 * MEGABYTE, "more than 200 times its size")]
)
def test_a_bomb_is_never_held_in_memory(coding: str, limit: int, words: str) -> None:
    bomb = CODINGS[coding](bytes(100 * MEGABYTE))
    decoder = Decoder(coding, limit)
    tracemalloc.start()
    try:
        with pytest.raises(DecodingError, match=words):
            fed(decoder, bomb, 4096)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * MEGABYTE


@pytest.mark.parametrize("coding", CODINGS)
@given(text=st.binary(max_size=300), repeated=st.integers(0, 3000), piece=st.sampled_from([1, 7, 4096, 10**6]))
def test_pieces_of_any_size_give_the_same_bytes(coding: str, text: bytes, repeated: int, piece: int) -> None:
    whole = text * repeated
    encoded = CODINGS[coding](whole)
    decoder = Decoder(coding, MEGABYTE)
    decoded = fed(decoder, encoded, piece)
    decoder.finish()
    assert decoded == whole


@pytest.mark.parametrize("coding", CODINGS)
def test_what_ends_too_early_is_not_taken_for_whole(coding: str) -> None:
    encoded = CODINGS[coding](random.Random(1).randbytes(5000))
    decoder = Decoder(coding, MEGABYTE)
    decoder.feed(encoded[:-20])
    with pytest.raises(DecodingError, match="ends too early"):
        decoder.finish()


def test_brotli_that_wants_more_while_it_still_holds_some_loses_nothing() -> None:
    plain = bytes(49 * 2006)
    decoder = Decoder("br", 10_000_000)
    packed = brotli.compress(plain)
    decoded = b"".join(decoder.feed(packed[at : at + 1]) for at in range(len(packed)))
    decoder.finish()
    assert decoded == plain
