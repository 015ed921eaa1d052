"""What is changed for the eye alone: schemes, our own links and pictures, the lines around an error."""

from __future__ import annotations

from pathlib import Path

from newsletter.errors import TemplateError
from newsletter.preview.choice import Choice, key_of
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.showing import Scheme, excerpt, for_file, for_frame, grouped, in_scheme, pictures_elsewhere
from newsletter.render.lint import Finding, Severity

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
        Scheme.LIGHT,
    )
    assert 'src="/media/a.jpg"' in shown
    assert 'href="/in-the-mail/u/1/daily/t"' in shown
    assert 'href="https://news.example/1"' in shown


def test_a_file_shows_the_pictures_we_have_from_this_machine(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    shown = for_file(f'<img src="{WEB}/media/a.jpg"><img src="{WEB}/media/b.jpg">', WEB, tmp_path)
    assert f'src="file://{tmp_path}/a.jpg"' in shown
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


def test_findings_are_told_by_rule_the_first_few_of_each() -> None:
    findings = [Finding(Severity.WARNING, "http-link", f"link {number}", "Use https") for number in range(5)]
    (group,) = grouped([*findings, findings[0]])
    assert group.shown == ("link 0", "link 1", "link 2")
    assert group.more == 2


def test_the_url_holds_the_whole_choice() -> None:
    key = KeyFacts("member", "hi", ("World", "Sport & Games"))
    choice = Choice("daily", "2026-11-01/1", "", key, "text", "phone", Scheme.DARK)
    from urllib.parse import parse_qsl

    assert Choice.of_query(parse_qsl(choice.query()), "other") == choice
    assert Choice.of_query([], "daily") == Choice("daily")


def test_a_key_may_name_a_section_that_holds_a_comma() -> None:
    names = ["Arts, Books", "World"]
    assert key_of(["sections=Arts, Books", "sections=World,Sport"], names).sections == ("Arts, Books", "World", "Sport")
