"""Findings: each fault a mail can have is named; the accent is readable wherever it stands."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.colour import PAPER, PAPER_DARK, contrast, readable
from newsletter.render.filters import plain, sentences, shorten, width_of, wrap
from newsletter.render.lint import Expected, Finding, Mail, Severity, lint, lint_mail
from newsletter.render.lint.css import parse

GOOD = """<!DOCTYPE html><html lang="en" dir="ltr"><head><style>
.dim { color: #5c5c5c }
@media (prefers-color-scheme: dark) {
  .page { background-color: #17191c !important; color: #e9e7e2 !important }
  a { color: #e9e7e2 !important }
}
</style></head><body><div class="page" lang="en" dir="ltr" style="background-color:#fdfdfb;color:#1a1a1a">
<div style="display:none">What the inbox shows</div>
<table role="presentation"><tr><td><h1>The Daily</h1><p>An opening line</p>
<h2><a href="https://x.example/story" style="color:#1a1a1a">A headline</a></h2>
<img src="https://x.example/a.png" alt="A picture" width="300">
<a href="https://x.example/u" style="color:#1a1a1a">Unsubscribe</a> 1 Press Lane</td></tr></table>
</div></body></html>"""
TEXT = "A headline\nhttps://x.example/story\n\nUnsubscribe\nhttps://x.example/u\n1 Press Lane\n"
BUTTON = "display:inline-block;background-color:#7a1f1f;color:#ffffff;line-height:20px;padding:"


STORY_LINK = 'style="color:#1a1a1a" href="https://paper.example'
CAMPAIGN = (
    f'<a {STORY_LINK}/one?utm_source=daily">One</a> <a {STORY_LINK}/two">Two</a> <a {STORY_LINK}/">Front page</a>'
)


def found_in(html: str = GOOD, text: str = TEXT, **expected: Any) -> list[Finding]:
    known = Expected(**{"unsubscribe_url": "https://x.example/u", "postal_address": "1 Press Lane", **expected})
    return lint_mail(Mail(html, text, known))


def rules(html: str = GOOD, text: str = TEXT, **expected: Any) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.rule) for finding in found_in(html, text, **expected)]


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_a_good_mail_has_no_finding() -> None:
    assert found_in() == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("<!DOCTYPE html>", "", ("error", "doctype")),
        ('lang="en" dir="ltr" style', "style", ("warning", "lang")),
        (' role="presentation"', "", ("warning", "role")),
        ("<h1>The Daily</h1>", "The Daily", ("warning", "headings")),
        ("<p>An", "<h1>Another</h1><p>An", ("warning", "headings")),
        (' style="display:none"', "", ("warning", "preheader")),
        (' alt="A picture"', "", ("error", "alt")),
        (' width="300"', "", ("warning", "picture-size")),
        (' width="300"', ' width="100%"', ("warning", "picture-size")),
        ("https://x.example/a.png", "https://x.example/a.svg", ("warning", "picture-format")),
        ("https://x.example/a.png", "data:image/png;base64,AA==", ("warning", "picture-format")),
        ("<p>", '<p><a href="/story">x</a>', ("error", "relative-link")),
        ("<p>", '<p><a href="#top">x</a>', ("error", "relative-link")),
        ("<p>", '<p><a href="javascript:alert(1)">x</a>', ("error", "link-scheme")),
        ("<p>", '<p><a href="http://x.example">x</a>', ("warning", "http-link")),
        ("https://x.example/a.png", "http://x.example/a.png", ("warning", "http-link")),
        ("<p>", f"<p>{CAMPAIGN}", ("warning", "utm")),
        ("<p>", "<p>{{ slot.first_name() }}", ("error", "unfilled")),
        ("https://x.example/u", "https://x.example/v", ("error", "unsubscribe")),
        ("1 Press Lane", "", ("error", "postal-address")),
        ("A headline", "Another headline", ("error", "parts-differ")),
        ("https://x.example/story", "https://x.example/another", ("error", "parts-differ")),
        ("<p>", "<p>" + "x" * 100_000, ("error", "size")),
        (".dim", " " * 8_000 + ".dim", ("warning", "style-size")),
        (".dim", " " * 16_000 + ".dim", ("error", "style-size")),
        ("(prefers-color-scheme: dark)", "(max-width: 480px)", ("warning", "dark")),
        ("  a {", "  @supports (gap: 1px) { i { gap: 1px } }\n  a {", ("error", "nested-at")),
        ("  a {", '  a[href="mailto:x@y"] { color: red }\n  a {', ("error", "nested-at")),
        ("color: #5c5c5c", "color: rgb(0 0 0)", ("error", "spaced-colour")),
        ("color: #5c5c5c", "color: rgb(0 0 0 / 50%)", ("error", "spaced-colour")),
        (".dim {", "} .dim {", ("error", "css")),
        ("}\n</style>", "</style>", ("error", "css")),
        (".dim", '@import url("https://x.example/a.css");\n.dim', ("warning", "import")),
        (".dim", "@media (width<=600px) { p { color: #1a1a1a } }\n.dim", ("warning", "media-range")),
        (".dim", "[data-ogsc] .dim", ("warning", "client-hack")),
        ("<p>", '<p style="color:#9a9a9a">', ("error", "contrast")),
        ("<p>", '<p style="color:#808080">', ("warning", "contrast")),
        ("<p>", f'<p><a href="https://x.example/u" style="{BUTTON}8px">Go</a>', ("warning", "touch")),
    ],
)
def test_each_fault_is_found_and_is_the_only_one(old: str, new: str, found: tuple[str, str]) -> None:
    said = rules(changed(GOOD, old, new))
    assert found in said
    assert {rule for _, rule in said} == {found[1]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<p>", '<p id="top"><a href="#top" style="color:#1a1a1a">x</a>'),
        ("<p>", '<p><a href="mailto:desk@x.example" style="color:#1a1a1a">x</a>'),
        ("color: #5c5c5c", "color: rgb(0, 0, 0)"),
        (".dim", "@media (max-width: 480px) { .dim { color: #5c5c5c } }\n.dim"),
        ("</style>", "</style><style>[data-ogsc] .dim { color: #ffffff }</style>"),
        ("<p>", '<p style="color:#8c8c8c;font-size:24px">'),
        ("<p>", '<p style="color:#8c8c8c;font-size:19px;font-weight:bold">'),
        ("<p>", '<p style="color:#fdfdfb;display:none">Hidden <b>deep</b></p><p>'),
        ("<p>", '<p><a style="color:#1a1a1a" href="https://x.example/other?utm_source=daily">Other</a>'),
        ("<p>", f'<p><a href="https://x.example/u" style="{BUTTON}12px 0">Go</a>'),
        ("<p>", f'<p><a href="https://x.example/u" style="{BUTTON}1em 0">Go</a>'),
        (' width="300"', ' width="300" height="200"'),
    ],
)
def test_what_is_no_fault_is_not_found(old: str, new: str) -> None:
    assert found_in(changed(GOOD, old, new)) == []


@pytest.mark.parametrize(
    "style",
    [
        "color:rgba(0,0,0,.1)",
        "color:var(--ink)",
        "color:#fdfdfb80",
        "background-image:url(https://x.example/a.png);color:#ffffff",
        "background:linear-gradient(#000000,#333333);color:#ffffff",
        "background-color:rgba(0,0,0,.9);color:#ffffff",
    ],
)
def test_nobody_is_blamed_for_colours_that_cannot_be_known(style: str) -> None:
    html = changed(GOOD, "<p>", f'<p style="{style}">')
    assert [finding for finding in found_in(html) if not finding.what.startswith("in the dark")] == []


def test_text_that_stays_dark_in_the_dark_is_found() -> None:
    (finding,) = found_in(changed(GOOD, "<p>", '<p style="color:#222222">'))
    assert (finding.severity, finding.rule) == (Severity.ERROR, "contrast")
    assert finding.what.startswith("in the dark, 'An opening line' is #222222 on #17191c")


def test_a_kept_rule_wins_over_an_inlined_one_only_where_it_is_important() -> None:
    pale = changed(GOOD, "<p>", '<p class="dim" style="color:#1a1a1a">')
    assert rules(changed(pale, "color: #5c5c5c", "color: #aaaaaa")) == [("error", "contrast")]  # black in the dark
    important = changed(pale, "color: #5c5c5c", "color: #aaaaaa !important")
    assert [finding.what[:10] for finding in found_in(important)] == ["'An openin"]


def test_an_inlined_important_value_wins_over_all() -> None:
    pale = changed(GOOD, "<p>", '<p class="dim" style="color:#aaaaaa !important">')
    assert [one.what[:10] for one in found_in(changed(pale, "#5c5c5c", "#1a1a1a !important"))] == ["'An openin"]


def test_each_link_without_a_campaign_is_told_but_for_the_front_page() -> None:
    (finding,) = found_in(changed(GOOD, "<p>", f"<p>{CAMPAIGN}"))
    assert finding.what.startswith("https://paper.example/two has no utm parameters")


def test_what_stands_in_brackets_ends_no_declaration() -> None:
    (rule,) = parse("p { background: url(data:image/png;base64,AA==); color: red }").rules
    assert [one.value for one in rule.declarations] == ["url(data:image/png;base64,AA==)", "red"]


def test_a_padded_cell_with_one_link_is_a_button() -> None:
    cell = '<table role="presentation"><tr><td bgcolor="#7a1f1f" style="padding:{}px 20px;line-height:20px">'
    cell += '<a href="https://x.example/u" style="color:#ffffff">Go</a></td></tr></table><p>'
    light = [one for one in found_in(changed(GOOD, "<p>", cell.format(8))) if one.rule == "touch"]
    assert [one.what for one in light] == ["'Go' is 36 px high, less than 44 px"]
    assert "touch" not in dict(rules(changed(GOOD, "<p>", cell.format(12)))).values()


def test_a_phone_may_make_a_link_larger() -> None:
    low = changed(GOOD, "<p>", f'<p><a class="go" href="https://x.example/u" style="{BUTTON}8px">Go</a>')
    assert ("warning", "touch") in rules(low)
    grown = changed(low, ".dim", "@media (max-width: 480px) { .go { padding: 13px 0 !important } }\n.dim")
    assert ("warning", "touch") not in rules(grown)


def test_each_story_stands_in_both_parts_or_in_none() -> None:
    brief = ("A brief", "https://x.example/brief")
    assert rules(stories=[brief]) == []
    in_text = "A brief\nhttps://x.example/brief\n" + TEXT
    (finding,) = found_in(text=in_text, stories=[brief])
    assert finding.what == "the HTML part lacks the headline and link of 'A brief', which the other part has"
    in_html = changed(GOOD, "<p>", '<p><a href="https://x.example/brief" style="color:#1a1a1a">A brief</a> ')
    assert [one.what[:35] for one in found_in(in_html, stories=[brief])] == ["the text part lacks the headline an"]
    assert found_in(in_html, in_text, stories=[brief]) == []
    wrapped = in_text.replace("A brief", "A\nbrief").replace("/brief\n", "/brief?utm_source=daily\n")
    assert found_in(in_html, wrapped, stories=[brief]) == []


def test_a_link_of_the_text_alone_is_a_warning() -> None:
    (finding,) = found_in(text=TEXT + "See https://x.example/more.\n")
    assert (finding.severity, finding.rule, finding.spot.line) == (Severity.WARNING, "parts-differ", 7)


def test_a_larger_size_budget_makes_clipping_a_warning() -> None:
    large = changed(GOOD, "<p>", "<p>" + "x" * 100_000)
    assert rules(large, size_budget=200_000) == [("warning", "size")]
    assert rules(changed(GOOD, "<p>", "<p>" + "x" * 50_000), size_budget=40_000) == [("warning", "size")]


def test_errors_come_first_and_an_empty_text_part_is_one() -> None:
    found = lint(GOOD.replace(' role="presentation"', ""), "")
    assert [finding.severity for finding in found] == [Severity.ERROR, Severity.WARNING]
    assert found[0].rule == "text"


@pytest.mark.parametrize("html", ["", "   ", "<", "<style>", "<p style='", "<style>@media {{{</style>\x00", "&#0;"])
def test_anything_can_be_linted(html: str) -> None:
    assert "doctype" in [finding.rule for finding in lint(html, "")]


@given(st.text(alphabet="ab{};:@\"'()/*<>[]#.\\\n ", max_size=80))
def test_any_css_is_read_to_its_end(css: str) -> None:
    sheet = parse(css)
    assert all(rule.line <= css.count("\n") + 1 for top in sheet.rules for rule in top.all())


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
        may_break = re.search(r"\S[^\S\u00a0\u202f]+\S", line)  # a no-break space holds its two words together
        assert width_of(line) <= width or not may_break


def test_text_is_shortened_at_words_and_sentences() -> None:
    assert shorten("One two three", 9) == "One two…"
    assert shorten("One", 9) == "One"
    assert sentences("It rained. It rained 3.5 cm! Then it stopped.") == "It rained. It rained 3.5 cm!"
    assert plain("<p>Fish &amp;\n chips</p>") == "Fish & chips"
