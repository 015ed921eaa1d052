"""Encoded pieces: whatever is joined to whatever, decoding gives the texts joined, and every row keeps the rules."""

from __future__ import annotations

import html
import quopri

from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.deliver.dkim import canonical_body
from newsletter.render.encoding import Chunk, Place, Slot, clean, pack, quoted_printable, slot_values, unpack

TEXT = st.text(alphabet=st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("\n. =\tF")))


def rows_of(encoded: bytes) -> list[bytes]:
    assert encoded == b"" or encoded.endswith(b"\r\n")
    assert b"\r" not in encoded.replace(b"\r\n", b"")
    assert b"\n" not in encoded.replace(b"\r\n", b"")
    return encoded.split(b"\r\n")[:-1]


@given(st.lists(TEXT, max_size=6))
def test_joined_chunks_decode_to_the_joined_texts(texts: list[str]) -> None:
    joined = b"".join(quoted_printable(text) for text in texts)
    decoded = quopri.decodestring(joined).decode("utf-8").replace("\r\n", "\n")
    assert decoded == "".join(texts).replace("\u2028", "\n").replace("\u2029", "\n")


@given(TEXT)
def test_every_row_is_short_ascii_and_begins_with_no_dot(text: str) -> None:
    for row in rows_of(quoted_printable(text)):
        assert len(row) <= 76
        assert row.isascii()
        assert not row.startswith((b".", b"From "))
        assert not row.endswith((b" ", b"\t"))


def test_a_long_run_of_dots_and_blanks_keeps_every_row_within_76() -> None:
    for text in ("." * 500, " " * 500, "é" * 500, ".\n" * 50, "From " * 100, "=" * 300):
        rows = rows_of(quoted_printable(text + "\n"))
        assert max(map(len, rows)) <= 76
        assert quopri.decodestring(b"\r\n".join(rows) + b"\r\n").decode() == text.replace("\n", "\r\n") + "\r\n"


@given(TEXT, TEXT, st.text(max_size=200) | st.text("aF.rom /:", max_size=200))
@example("", "", "a" * 71 + "." * 80)
@example("", "", "a" * 71 + "From a")
def test_a_slot_is_filled_between_two_pieces_in_html(before: str, after: str, value: str) -> None:
    kept = clean(value).replace("\n", " ")
    for encoded, shown in zip(slot_values(value), (kept, html.escape(kept)), strict=True):
        joined = quoted_printable(before) + encoded + quoted_printable(after)
        decoded = quopri.decodestring(joined).decode("utf-8").replace("\r\n", "\n")
        assert decoded == clean(before) + shown + clean(after)
        for row in rows_of(joined):
            assert len(row) <= 76
            assert not row.startswith((b".", b"From "))


def test_a_value_that_would_break_out_of_its_attribute_is_escaped() -> None:
    value = quopri.decodestring(slot_values('"><script>alert(1)</script>')[1]).decode()
    assert value == "&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"


def test_packed_pieces_come_back_with_their_references() -> None:
    chunks: list[Chunk] = ["Hello ", Slot("first_name", "reader"), ",\n", Place("lead"), Slot("address")]
    unpacked = unpack(pack(chunks))
    assert [part for part in unpacked if not isinstance(part, bytes)] == [chunks[1], chunks[3], chunks[4]]
    assert b"".join(part for part in unpacked if isinstance(part, bytes)) == b"Hello =\r\n,\r\n"


def test_bodies_may_be_joined_and_then_cut_at_their_slots() -> None:
    slot = Slot("first_name", "reader")
    joined = pack(["a\n", slot, "b\n"]) + pack(["c\n"]) + pack([slot])
    assert unpack(joined) == [b"a\r\n", slot, b"b\r\nc\r\n", slot]


@given(st.lists(st.sampled_from(["word", " ", "  ", "\t", "\n", ".", "é", "=", "x" * 70])).map("".join))
def test_what_is_written_is_in_the_form_that_dkim_signs(text: str) -> None:
    written = quoted_printable(text) + slot_values(text)[0] + b"\r\nend\r\n"
    assert canonical_body(written) == written
