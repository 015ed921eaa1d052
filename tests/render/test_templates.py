"""Templates: overridden file by file, sandboxed, and wrong ones named by file and line with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.render import stylesheets
from newsletter.render.templates import Templates, unchanged_templates
from tests.render.mails import MINIMAL, a_design, a_newsletter, mail, pieces, variant

SHIPPED = ("daily", "briefing")


@pytest.mark.parametrize("design", SHIPPED)
def test_a_shipped_design_passes_its_own_checks(design: str) -> None:
    templates = Templates()
    assert design in templates.designs()
    templates.check(design)


def test_a_publisher_overrides_one_file_and_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "section.html").write_text("<tr><td>§ {{ section.name }}</td></tr>")
    received = mail(variant(pieces(folders=[tmp_path]))).html
    assert "§ National" in received
    assert "The Daily Example" in received


FAULTS = {
    "{{ story. }}": "cannot be read",
    "{% if x %}": "cannot be read",
    "{{ nonsense.name }}": "'nonsense' is undefined",
    "{{ story.headlin }}": "story has no 'headlin' (did you mean 'headline'?)",
    "{{ site.xyzzy }}": "site has no 'xyzzy'",
    "{{ story[0] }}": "has no element 0",
    "{{ ''.__class__.__mro__ }}": "unsafe",
    "{{ story.headline.__class__ }}": "unsafe",
    "{{ 1 / 0 }}": "ZeroDivisionError",
    "{{ story.headline | nonsense }}": "nonsense",
    "{% include 'mine/absent.html' %}": "absent.html",
    "{{ _('%(nonsense)s') }}": "nonsense",
    "{{ _('%(n)d', n=1) }}": "%(n)s",
    "{% trans %}{{ story.headline }}{% endtrans %}": "cannot be read",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_template_is_named_with_its_line(fault: str, tmp_path: Path) -> None:
    folder = a_design(tmp_path, card_html=f"<tr><td>\n\n{fault}</td></tr>")
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder])
    assert FAULTS[fault] in caught.value.what
    assert caught.value.remedy
    if fault != "{% if x %}":
        assert caught.value.where.endswith("mine/card.html:3")


STYLES = {
    "p + p { color: red }": "sibling",
    "p ~ p { color: red }": "sibling",
    "tr:first-child { color: red }": "positional",
    "tr:nth-child(2n) { color: red }": "positional",
    "a:hover { color: red }": "pseudo-class",
    "p { color: red !important }": "!important",
    "@media print { p { color: red } }": "at-rule",
    "a[href] { color: red }": "attribute",
}


@pytest.mark.parametrize("rule", STYLES)
def test_a_rule_that_joining_or_inlining_would_break_is_an_error_at_its_line(rule: str, tmp_path: Path) -> None:
    styled = MINIMAL.replace("</head>", f"<style>\nb {{ color: #123456 }}\n{rule}\n</style></head>")
    with pytest.raises(TemplateError) as caught:
        Templates([a_design(tmp_path, edition_html=styled)]).check("mine")
    assert STYLES[rule] in caught.value.what
    assert caught.value.where.endswith("mine/edition.html:4")


def test_the_same_rules_are_looked_for_in_an_included_stylesheet(tmp_path: Path) -> None:
    styled = MINIMAL.replace("</head>", "<style>{% include 'mine/a.css' %}</style></head>")
    folder = a_design(tmp_path, edition_html=styled, a_css="b { color: red }\n/* : + */\nb + b { color: red }\n")
    with pytest.raises(TemplateError) as caught:
        Templates([folder]).check("mine")
    assert caught.value.where.endswith("mine/a.css:3")


def test_block_b_may_hold_what_only_inlining_would_break(tmp_path: Path) -> None:
    kept = " ".join(rule for rule, fault in STYLES.items() if fault not in ("sibling", "positional"))
    styled = MINIMAL.replace("</head>", f'<style data-premailer="ignore">{kept}</style></head>')
    folder = a_design(tmp_path, edition_html=styled)
    received = mail(variant(pieces(newsletter=a_newsletter(design="mine"), folders=[folder]))).html
    assert kept in received


def test_css_that_cannot_be_read_is_an_error_every_time(tmp_path: Path) -> None:
    styled = MINIMAL.replace("</head>", "<style>p { color: red } } b { colour }</style></head>")
    folder = a_design(tmp_path, edition_html=styled)
    for _ in range(2):
        with pytest.raises(TemplateError, match="CSS cannot be read"):
            pieces(newsletter=a_newsletter(design="mine"), folders=[folder])


@pytest.mark.parametrize(
    ("edition", "what"),
    [
        ("<!DOCTYPE html><html><body></body></html>", "never places its stories"),
        (MINIMAL.replace("{{ place('sections') }}", "{{ place('sections') }}{{ place('sections') }}"), "stands twice"),
        (MINIMAL.replace("{{ place('sections') }}", "{{ place('sections') }}{{ place('side') }}"), "no place 'side'"),
        (MINIMAL.replace("<!DOCTYPE html>", "<!doctype html>"), "lost its doctype"),
    ],
)
def test_a_frame_that_cannot_work_is_refused(edition: str, what: str, tmp_path: Path) -> None:
    folder = a_design(tmp_path, edition_html=edition)
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder])
    assert what in caught.value.what
    assert "mine/edition.html" in caught.value.where


def test_an_unknown_design_says_which_there_are() -> None:
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="dialy"))
    assert "daily" in caught.value.remedy


def test_what_is_unchanged_is_one_object_and_whatever_changes_is_taken_up(tmp_path: Path) -> None:
    first = unchanged_templates((tmp_path,))
    assert unchanged_templates((tmp_path,)) is first
    first.check("daily")
    folder = tmp_path / "daily"
    folder.mkdir()
    (folder / "headline.txt").write_text("one")
    second = unchanged_templates((tmp_path,))
    assert second is not first
    assert second.source("daily", "headline.txt")[0] == "one"
    (folder / "headline.txt").write_text("the other")
    third = unchanged_templates((tmp_path,))
    assert third is not second, "the same files, and one of them says something else"
    assert third.source("daily", "headline.txt")[0] == "the other"
    (folder / "headline.txt").unlink()
    assert not unchanged_templates((tmp_path,)).has("daily", "headline.txt")


def test_what_is_unchanged_is_checked_once_and_a_fault_in_it_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daily").mkdir()
    (tmp_path / "daily" / "edition.txt").write_text("{{ wrong")
    for _ in range(2):
        with pytest.raises(TemplateError):
            unchanged_templates((tmp_path,)).check("daily")
    (tmp_path / "daily" / "edition.txt").unlink()
    unchanged_templates((tmp_path,)).check("daily")
    (tmp_path / "daily" / "edition.txt").write_text("{{ wrong again")
    with pytest.raises(TemplateError):
        unchanged_templates((tmp_path,)).check("daily")
    (tmp_path / "daily" / "edition.txt").unlink()
    unchanged_templates((tmp_path,)).check("daily")
    monkeypatch.setattr(stylesheets, "check", lambda *_: pytest.fail("checked again"))
    unchanged_templates((tmp_path,)).check("daily")
