"""Any accent that a publisher may choose can be read: as a kicker, under a button's words, in the dark, inverted."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.render.colour import PAPER, PAPER_DARK, contrast, inverted, on_paper, readable

ACCENTS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(ACCENTS)
@example("#0000ff")
@example("#ffff00")
@example("#ffffff")
@example("#000000")
@example("#808080")
def test_every_accent_is_readable_on_both_papers_and_carries_their_colour(accent: str) -> None:
    light, dark = on_paper(accent), readable(accent, PAPER_DARK)
    assert contrast(light, PAPER) >= 4.5  # a kicker on paper, and paper on the button
    assert contrast(dark, PAPER_DARK) >= 4.5
    assert contrast(inverted(light), inverted(PAPER)) >= 4.5


@pytest.mark.parametrize("accent", ["#7a1f1f", "#0b5394", "#1d4d2b", "#333333"])
def test_an_accent_that_can_be_read_stays_as_it_is(accent: str) -> None:
    assert on_paper(accent) == accent == readable(accent, PAPER)


def test_an_accent_keeps_its_hue_in_the_dark() -> None:
    red, green, blue = (int(readable("#7a1f1f", PAPER_DARK)[at : at + 2], 16) for at in (1, 3, 5))
    assert red > 1.8 * green
    assert green == blue


def test_inverting_twice_gives_the_colour_again() -> None:
    assert inverted("#fdfdfb") == "#040402"
    assert inverted(inverted("#0b5394")) == "#0b5394"
