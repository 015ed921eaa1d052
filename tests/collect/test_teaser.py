"""What a reader gets to see of a story she may not read whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from newsletter.collect.teaser import MAX_TEASER, teaser_of

BODY = "The dam was opened at dawn. Nobody had been told.\n\nBy noon the lower road, which had been mended, was gone."


def test_the_standfirst_is_the_teaser() -> None:
    assert teaser_of("  Water rose\novernight. ", BODY, 3) == "Water rose overnight."


def test_without_a_standfirst_the_body_is_cut_after_a_sentence() -> None:
    assert teaser_of("", BODY, 11) == "The dam was opened at dawn. Nobody had been told. …"


def test_a_cut_falls_on_a_word_where_no_sentence_ends_near_it() -> None:
    assert teaser_of("", BODY, 5) == "The dam was opened at…"
    assert teaser_of("", "One, two, three, four, five", 3) == "One, two, three…"


def test_a_short_body_is_given_whole() -> None:
    assert teaser_of("", "Two words.", 40) == "Two words."
    assert teaser_of(" ", " \n", 40) == ""


def test_a_language_without_spaces_is_cut_too() -> None:
    text = "市は二十日、新しい橋の工事を始めると発表した。" + "住民は歓迎している" * 20
    assert teaser_of("", text, 15) == "市は二十日、新しい橋の工事を始めると発表した。 …"
    assert len(teaser_of("", "橋" * 500, 40)) == 81


@given(st.text(max_size=400), st.integers(1, 50))
def test_no_text_gives_more_than_was_asked_for(text: str, words: int) -> None:
    teaser = teaser_of("", text, words)
    assert len(teaser.replace("…", "").split()) <= words
    assert "\n" not in teaser
    assert len(teaser) <= MAX_TEASER + 2
