"""Findings: each fault a mail can have is named; the accent is readable wherever it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.colour import PAPER, PAPER_DARK, contrast, readable
from newsletter.render.filters import plain, sentences, shorten, width_of, wrap
from newsletter.render.lint import Severity, lint

GOOD = """<!DOCTYPE html><html lang="en" dir="ltr"><head><style>p{}</style></head><body><div lang="en" dir="ltr">
<table role="presentation"><tr><td><a href="https://x.example/u">Unsubscribe</a> 1 Press Lane</td></tr></table>
</div></body></html>"""
TEXT = "Story\nhttps://x.example/u\n1 Press Lane\n"


def rules(html: str = GOOD, text: str = TEXT) -> list[tuple[str, str]]:
    found = lint(html, text, unsubscribe_url="https://x.example/u", postal_address="1 Press Lane")
    return [(finding.severity.value, finding.rule) for finding in found]


def test_a_good_mail_has_no_finding() -> None:
    assert rules() == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("<!DOCTYPE html>", "", ("error", "doctype")),
        ('lang="en" dir="ltr">\n', ">\n", ("warning", "lang")),
        ("<td>", '<td><img src="https://x.example/a">', ("error", "alt")),
        (' role="presentation"', "", ("warning", "role")),
        ("<td>", '<td><a href="/story">x</a>', ("error", "relative-link")),
        ("<td>", '<td><a href="http://x.example">x</a>', ("warning", "http-link")),
        ("<td>", "<td>{{ slot.first_name() }}", ("error", "unfilled")),
        ("https://x.example/u", "https://x.example/v", ("error", "unsubscribe")),
        ("1 Press Lane", "", ("error", "postal-address")),
        ("<td>", "<td>" + "x" * 100_000, ("error", "size")),
        ("p{}", "p{}" + " " * 8_100, ("warning", "style-size")),
        ("p{}", "p{}" + " " * 16_100, ("error", "style-size")),
    ],
)
def test_each_fault_is_found(old: str, new: str, found: tuple[str, str]) -> None:
    assert found in rules(GOOD.replace(old, new))


def test_errors_come_first_and_an_empty_text_part_is_one() -> None:
    found = lint(GOOD.replace(' role="presentation"', ""), "")
    assert [finding.severity for finding in found] == [Severity.ERROR, Severity.WARNING]
    assert found[0].rule == "text"


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True), st.sampled_from([PAPER, PAPER_DARK]))
def test_any_accent_becomes_readable_on_both_papers(accent: str, paper: str) -> None:
    assert contrast(readable(accent, paper), paper) >= 4.5
    if contrast(accent, paper) >= 4.5:
        assert readable(accent, paper) == accent


def test_the_palette_itself_is_readable() -> None:
    for colour in ("#1a1a1a", "#5c5c5c"):
        assert contrast(colour, PAPER) >= 4.5
    for colour in ("#e9e7e2", "#a3a19b"):
        assert contrast(colour, PAPER_DARK) >= 4.5


@given(st.text(max_size=400), st.integers(20, 80))
def test_wrapped_text_keeps_its_words_and_its_width(text: str, width: int) -> None:
    wrapped = wrap(text, width)
    assert wrapped.split() == text.split()
    for line in wrapped.split("\n"):
        assert width_of(line) <= width or len(line.split()) == 1


def test_text_is_shortened_at_words_and_sentences() -> None:
    assert shorten("One two three", 9) == "One two…"
    assert shorten("One", 9) == "One"
    assert sentences("It rained. It rained 3.5 cm! Then it stopped.") == "It rained. It rained 3.5 cm!"
    assert plain("<p>Fish &amp;\n chips</p>") == "Fish & chips"
