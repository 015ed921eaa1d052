"""What is changed for the eye alone: looks, schemes, our own links and pictures, the lines around an error."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from newsletter.errors import TemplateError
from newsletter.preview.choice import Choice, key_of
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.looks import Look, Pane, panes_of
from newsletter.preview.numbering import numbered, numbers_of, tags_of
from newsletter.preview.profiles import as_look, as_word, holds_for_word
from newsletter.preview.showing import Scheme, excerpt, for_file, for_frame, in_scheme, pictures_elsewhere
from newsletter.render.lint import Mail

WEB = "https://mail.news.example"
HEAD = '<html><head><meta name="color-scheme" content="light dark">'


def test_the_dark_frame_takes_the_dark_rules_and_the_light_one_never() -> None:
    style = (
        "<style>:root{color-scheme:light dark}@media screen and (prefers-color-scheme: dark) {p{color:#eee}}</style>"
    )
    dark, light = in_scheme(HEAD + style, Scheme.DARK), in_scheme(HEAD + style, Scheme.LIGHT)
    assert "screen and (min-width: 0) {p" in dark
    assert "screen and (max-width: 0) {p" in light
    assert ":root{color-scheme: dark}" in dark
    assert 'content="light"' in light


def test_what_an_article_says_of_schemes_is_left_alone() -> None:
    text = "<p>Write @media (prefers-color-scheme: dark) in your CSS, and color-scheme: light dark.</p>"
    assert in_scheme(text, Scheme.DARK) == text


def test_our_pictures_and_links_are_served_by_the_preview_and_others_are_left_alone() -> None:
    shown = for_frame(
        f'<head><img src="{WEB}/media/a.jpg"><a href="{WEB}/u/1/daily/t">x</a><a href="https://news.example/1">y</a>',
        WEB,
        Look.LIGHT,
    )
    assert 'src="/media/a.jpg"' in shown
    assert 'href="/in-the-mail/u/1/daily/t"' in shown
    assert 'href="https://news.example/1"' in shown


@pytest.mark.parametrize("link", ["javascript:alert(1)", " JavaScript:alert(1)", "vbscript:x", "data:text/html,x"])
def test_a_link_that_would_run_leads_nowhere(link: str) -> None:
    shown = for_frame(f'<body><a href="{link}">x</a></body>', WEB, Look.LIGHT)
    assert "data-href=" in shown
    assert " href=" not in shown


def test_a_file_holds_the_pictures_we_have_and_needs_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")

    def find(name: str) -> Path | None:
        return tmp_path / name if (tmp_path / name).is_file() else None

    shown = for_file(f'<img src="{WEB}/media/a.jpg"><img src="{WEB}/media/b.jpg">', WEB, find)
    assert 'src="data:image/jpeg;base64,eA=="' in shown
    assert f'src="{WEB}/media/b.jpg"' in shown


def test_pictures_on_other_servers_are_counted() -> None:
    shown = f'<img src="{WEB}/media/a.jpg"><img alt="" src="https://elsewhere.example/p.gif"><img src="data:,">'
    assert pictures_elsewhere(shown, WEB) == 1


def test_the_lines_around_an_error_are_shown(tmp_path: Path) -> None:
    file = tmp_path / "lead.html"
    file.write_text("\n".join(f"line {number}" for number in range(1, 21)))
    shown = excerpt(TemplateError("wrong", where=f"{file}:10"), [tmp_path], [])
    assert shown is not None
    assert [line.number for line in shown.lines] == list(range(6, 15))
    assert [line.text for line in shown.lines if line.faulty] == ["line 10"]


def test_of_no_other_file_of_this_machine_a_line_is_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password\n")
    (tmp_path / "templates").mkdir()
    for where in (f"{tmp_path}/secret:1", f"{tmp_path}/templates/../secret:1", "relay main", "/etc/passwd:1"):
        assert excerpt(TemplateError("wrong", where=where), [tmp_path / "templates"], []) is None


# --- the choice in the URL -------------------------------------------------------------------------------------------


def test_the_url_holds_the_whole_choice() -> None:
    key = KeyFacts("member", "hi", ("World", "Sport & Games"))
    panes = (Pane(375, Look.DARK), Pane(612, Look.OUTLOOK))
    choice = Choice("daily", "2026-11-01/1", "", key, "2026-11-25T07:00", "text", panes, wide=True)
    assert Choice.of_query(parse_qsl(choice.query()), "other") == choice
    assert Choice.of_query([], "daily") == Choice("daily")


@pytest.mark.parametrize(
    ("written", "panes"),
    [
        (["375.dark", "9999.light"], (Pane(375, Look.DARK), Pane(1600, Look.LIGHT))),
        (["1.light"], (Pane(240),)),
        (["375.purple", "x", "٣.light", ""], (Pane(),)),
        (["375.light"] * 20, (Pane(375),) * 8),
    ],
)
def test_a_pane_that_there_is_not_shows_the_usual_one(written: list[str], panes: tuple[Pane, ...]) -> None:
    assert panes_of(written) == panes


def test_a_key_may_name_a_section_that_holds_a_comma() -> None:
    names = ["Arts, Books", "World"]
    assert key_of(["sections=Arts, Books", "sections=World,Sport"], names).sections == ("Arts, Books", "World", "Sport")


# --- elements by number ----------------------------------------------------------------------------------------------


def test_every_element_has_the_number_by_which_the_lint_knows_it() -> None:
    document = (
        "<!DOCTYPE html><html><head><title>a <b> c</title><style>p > a{}</style></head><body><!--[if mso]><table>"
        '<![endif]--><p title="1 > 2">x<br><img src=a></p></body></html>'
    )
    assert [tag for _, tag in tags_of(document)] == ["html", "head", "title", "style", "body", "p", "br", "img"]
    assert numbers_of(Mail(document, "")) == {number: number for number in range(8)}
    assert '<p data-n=5 title="1 > 2">' in numbered(document)


def test_elements_that_the_parser_made_up_shift_no_number() -> None:
    document = "<p>one</p><p class=b>two</p>"  # lxml puts html and body around them
    mail = Mail(document, "")
    second = next(number for number, element in enumerate(mail.elements) if element.get("class") == "b")
    assert numbers_of(mail)[second] == 1


# --- poorer clients --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("mso", True),
        ("!mso", False),
        ("gte mso 9", True),
        ("lt mso 12", False),
        ("(gte mso 9)|(IE)", True),
        ("mso & !IE", True),
        ("IE", False),
        ("mso 15", False),
        ("", False),
        ("gibberish ))((", False),
    ],
)
def test_conditional_comments_are_decided_as_word_decides_them(condition: str, holds: bool) -> None:
    assert holds_for_word(condition) is holds


def test_outlook_gets_its_own_comments_and_loses_what_word_does_not_know() -> None:
    document = (
        "<style>@media (max-width:480px){.a{color:red}} .b{border-radius:4px; color:blue}</style>"
        '<!--[if mso]><xml>96</xml><table width="640"><![endif]--><!--[if !mso]><!--><p>others</p><!--<![endif]-->'
        '<td style="box-shadow:0 0 2px #000; padding:4px; background:url(a.png)">x</td>'
        '<img src="a.jpg" width="592" style="width:100%;border:0">'
    )
    shown = as_word(document)
    assert '<table width="640">' in shown
    assert "others" not in shown
    assert "96" not in shown
    assert "@media" not in shown
    assert ".b{color:blue}" in shown
    assert '<td style="padding:4px">' in shown
    assert 'width="592" style="border:0"' in shown


def test_outlook_keeps_a_property_only_where_word_heeds_it() -> None:
    document = (
        '<table style="max-width:600px"><td style="padding:0; mso-padding-alt:12px 24px; width:50%">'
        '<div style="display:inline-block; width:50%; color:red"><p style="padding-top:8px; display:none">x</p>'
        '<img src="a.jpg" style="display:block; max-width:100%; border:0"></div></td></table>'
    )
    assert as_word(document) == (
        '<table style="max-width:600px"><td style="padding:0; padding:12px 24px; width:50%">'
        '<div style="color:red"><p style="display:none">x</p>'
        '<img src="a.jpg" style="border:0"></div></td></table>'
    )


def test_gmail_without_styles_keeps_what_was_inlined() -> None:
    shown = as_look('<style>a{}</style><style media="x">b{}</style><p style="color:red">x</p>', Look.UNSTYLED)
    assert shown == '<p style="color:red">x</p>'


def test_without_pictures_their_words_stand_in_their_size() -> None:
    shown = as_look(
        '<td background="b.png"><img data-n=7 src="a.jpg" width="160" alt="A &quot;pier&quot;"></td>', Look.NO_PICTURES
    )
    assert "a.jpg" not in shown
    assert "b.png" not in shown
    assert "data-n=7" in shown
    assert "width:160px" in shown
    assert ">A &quot;pier&quot;</span>" in shown
