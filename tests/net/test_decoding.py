"""Decompression that stops before it hurts."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest

from newsletter.net.decoding import Decoder, DecodingError


def test_a_bomb_is_never_held_in_memory() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    decoder = Decoder("gzip", 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(DecodingError, match="larger than 1,000,000 bytes"):
            decoder.feed(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000
