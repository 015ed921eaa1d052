"""Whatever stands in ``schedules.yaml``, ``load`` answers with a configuration or a ConfigurationError."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.config.reading import load
from newsletter.errors import ConfigurationError
from tests.config.files import GOOD, KEYS, SECRETS

LINES = GOOD.splitlines()
MARKS = r"""&a ; *a ; <<: *a ; !!int x ; !x ; ? [1] ; - ; { ; } ; [ ; ] ; : ; > ; ' ; " ; %YAML 1.1 ; --- ; ... ; ${
; ${A} ; ${A:- ; $ ; \ud800 ; "\ud800" ; 0o9 ; 1e999 ; .nan ; 12:30 ; 2001-99-99 ; ~ ; null ; true ; 1_0 ; 0x
; !!binary x ; !!set {a} ; @ ; ` ; # ; |"""
PIECES = st.sampled_from(
    [*MARKS.replace("\n", " ").split(" ; "), "- ", ": ", "\t", "\ufeff", "\x85", "\u2028", "\x00", "9" * 5000]
)
VALUES = st.one_of(PIECES, st.text(max_size=30), st.integers().map(str), st.floats().map(str), st.sampled_from(LINES))


def loads_or_is_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "schedules.yaml"
        file.write_bytes(content)
        shown = ""
        try:
            load(file, SECRETS, keys=KEYS)
        except ConfigurationError as error:
            shown = str(error)
        assert "\n" not in shown
        shown.encode()


@settings(max_examples=100, derandomize=True)
@given(st.lists(VALUES, max_size=12))
@example(["[" * 5000])
@example(["{a: " * 5000])
@example(["- " * 5000])
@example(["a: *a"])
@example(["a: " + "9" * 5000])
def test_no_text_does_anything_but_load_or_be_refused(pieces: list[str]) -> None:
    loads_or_is_refused("\n".join(pieces).encode("utf-8", "surrogatepass"))


@settings(max_examples=200, derandomize=True)
@given(st.integers(0, len(LINES) - 1), st.integers(0, 60), st.integers(0, 60), VALUES)
def test_no_change_to_a_good_file_does_anything_but_load_or_be_refused(
    line: int, start: int, length: int, new: str
) -> None:
    changed = [*LINES]
    changed[line] = changed[line][:start] + new + changed[line][start + length :]
    loads_or_is_refused("\n".join(changed).encode("utf-8", "surrogatepass"))


KEYS_WITH_VALUES = [index for index, line in enumerate(LINES) if ": " in line]


@settings(max_examples=200, derandomize=True)
@given(st.sampled_from(KEYS_WITH_VALUES), VALUES)
def test_no_value_of_a_known_key_does_anything_but_load_or_be_refused(line: int, new: str) -> None:
    changed = [*LINES]
    changed[line] = changed[line].partition(": ")[0] + ": " + new
    loads_or_is_refused("\n".join(changed).encode("utf-8", "surrogatepass"))


@settings(max_examples=30, derandomize=True)
@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_load_or_be_refused(content: bytes) -> None:
    loads_or_is_refused(content)
