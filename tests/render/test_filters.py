"""The words that designs take out of a story: its first sentences, its opening, a quotation fit to stand alone."""

from __future__ import annotations

import pytest

from newsletter.render.filters import opening, quotation, sentences

STORY = """The terraces have been planted by the calendar for sixty years. This season they were not. Nobody minds.

“Yes,” said Mr. Tayaban. “The calendar knows what the weather used to be,” he added, “and that is all.”

“She was right to within two days,” Dr Pacheco said."""


@pytest.mark.parametrize(
    ("text", "two"),
    [
        ("Dr. Rao said so. So did Mrs. Iyer. They left.", "Dr. Rao said so. So did Mrs. Iyer."),
        (
            "A bill by J. K. Menon passed. It costs 8.5 per cent. Why?",
            "A bill by J. K. Menon passed. It costs 8.5 per cent.",
        ),
        ("“Is it over?” he asked. No. It was not.", "“Is it over?” he asked."),
        ("फाटक खुले। चेतावनी दी गई। लोग गए।", "फाटक खुले। चेतावनी दी गई।"),
        ("No full stop", "No full stop"),
    ],
)
def test_a_title_or_an_initial_ends_no_sentence(text: str, two: str) -> None:
    assert sentences(text, 2) == two


def test_an_opening_is_whole_sentences_of_the_first_paragraph() -> None:
    assert opening(STORY, 90).endswith("This season they were not.")
    assert opening(STORY, 400).endswith("Nobody minds.")
    assert opening(STORY, 30) == "The terraces have been…"
    assert opening("") == ""


def test_a_quotation_stands_alone_as_a_sentence_in_its_own_marks() -> None:
    assert quotation(STORY) == "“The calendar knows what the weather used to be.”"
    assert quotation(STORY, least=60) == ""
    assert quotation("Er sagte: „Wir haben nie zuvor so viel Wasser gesehen.“") == (
        "„Wir haben nie zuvor so viel Wasser gesehen.“"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Nobody said a word.",
        "She called it “the longest and wettest monsoon in forty years” and left",
        "“a fragment that begins in the middle of what he said, and so means little.”",
        "“It never closes, and so it runs on into the paragraph",
    ],
)
def test_what_is_no_whole_sentence_is_no_pull_quote(text: str) -> None:
    assert quotation(text) == ""
