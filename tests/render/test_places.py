"""What a template may not do, tried: use a place as a value, count across stories, leave an element open, be random."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.render.templates import Templates
from tests.render.mails import MINIMAL, a_design, a_newsletter, mail, pieces, variant

BODY = MINIMAL.replace("<body>", "<body>\n%s")
STORY = "<tr><td>\n%s{{ story.headline }}</td></tr>"


def made(folder: Path) -> dict[str, bytes]:
    return pieces(newsletter=a_newsletter(design="mine"), folders=[folder])


MISUSES = {
    "{% if place('summary') %}x{% endif %}": "branches on a place",
    "{% if place('summary') == '' %}x{% endif %}": "branches on a place",
    "{{ place('summary') | upper }}": "in a filter",
    "{{ place('summary') | length }}": "in a filter",
    "{{ 'x' ~ place('summary') }}": "in a concatenation",
    "{{ place('summary') if key.plan else '' }}": "in an inline if",
    "{% set s = place('summary') %}": "in a set",
    "{% set s %}{{ place('summary') }}{% endset %}": "inside a set block",
    "{% macro m() %}{{ place('summary') }}{% endmacro %}": "inside a macro",
    "{% filter upper %}{{ place('summary') }}{% endfilter %}": "inside a filter",
    "{% for x in place('summary') %}{% endfor %}": "something else",
    "{% set p = place %}": "in a set",
    "{% macro place(name) %}{% endmacro %}": "name of the places",
    "{% import 'shared/parts.html' as place %}": "name of the places",
    "{% set slot = 1 %}": "name of the slots",
    "{% macro slot() %}{% endmacro %}": "name of the slots",
    "{{ place(key.plan) }}": "text in quotes",
    "{{ place('summary', 'x') }}": "one name",
}


@pytest.mark.parametrize("misuse", MISUSES)
@pytest.mark.parametrize("around", ["%s", "{%% if key.plan == 'nobody' %%}%s{%% endif %%}"])
def test_a_misused_place_is_an_error_at_its_line(misuse: str, around: str, tmp_path: Path) -> None:
    folder = a_design(tmp_path, edition_html=BODY % (around.replace("%%", "%").replace("%s", misuse)))
    with pytest.raises(TemplateError) as caught:
        Templates([folder]).check("mine")
    assert MISUSES[misuse] in caught.value.what
    assert caught.value.where.endswith("mine/edition.html:3")
    assert caught.value.remedy


IN_THE_WRONG_PLACE = {
    "<a href=\"{{ place('summary') }}\">x</a>": "not a URL",
    "<p style=\"{{ place('summary') }}\">x</p>": "in style",
    "<p {{ place('summary') }}>x</p>": "inside a tag",
    "<style>{{ place('summary') }}</style>": "inside <style>",
    "<p title=\"{{ place('lead') }}\">x</p>": "inside a tag",
    "<title>{{ place('lead') }}</title>": "inside <title>",
    "<!-- {{ place('lead') }}": "inside a comment",
    "{% block b %}{{ place('summary') }}{% endblock %}{{ self.b() | upper }}": "was changed",
    "{% block b %}{{ place('lead') }}{% endblock %}{{ self.b() | upper }}": "stands twice",
    "{% block b %}{{ place('note') }}{% endblock %}{{ self.b() }}": "stands twice",
}


@pytest.mark.parametrize("misuse", IN_THE_WRONG_PLACE)
def test_a_place_where_nothing_can_be_put_is_an_error_at_its_line(misuse: str, tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        made(a_design(tmp_path, edition_html=BODY % misuse))
    assert IN_THE_WRONG_PLACE[misuse] in caught.value.what
    assert caught.value.where.endswith("mine/edition.html:3")


def test_a_text_may_stand_in_the_title_and_in_an_attribute(tmp_path: Path) -> None:
    frame = BODY.replace("<title>t</title>", "<title>{{ place('subject') }}</title>")
    folder = a_design(tmp_path, edition_html=frame % "<p title=\"{{ place('summary') }}\">x</p>")
    got = mail(variant(made(folder))).html
    assert "<title>Headline of story 1</title>" in got
    assert 'title="6 stories' in got


ACROSS_STORIES = {
    "{{ section.stories | length }}": "each reader has others",
    "{% for one in section.stories %}{{ loop.index }}{% endfor %}": "each reader has others",
    "{% if section.stories[0] == story %}first{% endif %}": "each reader has others",
    "{{ loop.index }}": "'loop' is undefined",
    "{{ place('summary') }}": "place('summary') stands in a story",
    "{{ articles | length }}": "'articles' is undefined",
    "{{ ['a', 'b'] | random }}": "random",
    "{{ lipsum() }}": "lipsum",
    "{% include 'mine/card.html' %}": "without end",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "without end",
    "{{ 'x' * 100000000 }}": "of something",
    "{{ 3 * ('x' * 900000) }}": "of something",
    "{{ 9 ** 999999999 }}": "a power",
}


@pytest.mark.parametrize("misuse", ACROSS_STORIES)
def test_a_story_cannot_ask_for_others_nor_be_another_each_time_nor_go_on_without_end(
    misuse: str, tmp_path: Path
) -> None:
    with pytest.raises(TemplateError) as caught:
        made(a_design(tmp_path, card_html=STORY % misuse))
    assert ACROSS_STORIES[misuse] in caught.value.what
    assert caught.value.where.endswith("mine/card.html:2")
    assert caught.value.remedy


@pytest.mark.parametrize("context", ["", " with context"])
@pytest.mark.parametrize(
    "counter",
    [
        "{% set stripes = cycler('odd', 'even') %}{% macro stripe() %}{{ stripes.next() }}{% endmacro %}",
        "{% set n = namespace(n='odd') %}{% macro stripe() %}{{ n.n }}{% set n.n = 'even' %}{% endmacro %}",
    ],
)
def test_no_counter_goes_on_from_one_story_to_the_next(counter: str, context: str, tmp_path: Path) -> None:
    use = f"{{% from 'mine/parts.html' import stripe{context} %}}"
    folder = a_design(tmp_path, parts_html=counter, card_html=use + STORY % '<p class="{{ stripe() }}">x</p>')
    folder_pieces = made(folder)
    assert b"odd" in folder_pieces["html/2/card"]
    assert not any(b"even" in body for body in folder_pieces.values())
    assert made(folder) == folder_pieces


NOT_WHOLE = {
    "section_html": "<tr><td>{{ section.name }}<table role='presentation'>",
    "card_html": "<tr><td>{{ story.headline }}</td></tr><tr><td><div>",
    "brief_html": "<!--[if mso]><table><tr><td><![endif]--><tr><td>{{ story.headline }}</td></tr>",
    "note_html": "</table><table><tr><td>{{ note.html }}</td></tr>",
}


@pytest.mark.parametrize("file", NOT_WHOLE)
def test_a_piece_that_is_not_whole_in_itself_is_refused_with_its_file(file: str, tmp_path: Path) -> None:
    folder = a_design(tmp_path, **{file: NOT_WHOLE[file]})
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="mine", note="Hello"), folders=[folder])
    name = file.replace("_", ".")
    if caught.value.where == "mine/edition.html":  # what the parser moved out of the table is not there any more
        assert "changed" in caught.value.what
    else:
        assert caught.value.where == f"mine/{name}"
        assert "close" in caught.value.what or "open" in caught.value.what


@pytest.mark.parametrize(
    "rule",
    [
        "p + p { color: red }",
        ".a ~ .b{ color: red }",
        "tr:first-child, b { color: red }",
        "@media print { tr:nth-of-type(2n) { color: red } }",
        "td:not(.x) { color: red }",
        "td:has(img) { color: red }",
        "td:only-child { color: red }",
        "td:last-child { color: red }",
    ],
)
def test_a_rule_that_joining_would_break_is_refused_in_kept_styles_too(rule: str, tmp_path: Path) -> None:
    styled = MINIMAL.replace("</head>", f'<style data-premailer="ignore">\nb {{ color: red }}\n{rule}\n</style></head>')
    with pytest.raises(TemplateError) as caught:
        Templates([a_design(tmp_path, edition_html=styled)]).check("mine")
    assert "means another story" in caught.value.what
    assert caught.value.where.endswith("mine/edition.html:4")
    assert caught.value.remedy


def test_kept_styles_may_hold_what_says_nothing_of_neighbours(tmp_path: Path) -> None:
    rules = (
        "a:hover { color: red } @media (min-width: 1px) { .a > .b { width: calc(1px + 1px) !important } } "
        '[data-ogsc] .x { color: red } a[href*="a+b~c"] { color: red } u + .body .x { color: red } /* p + p {} */ '
        "a::first-letter { color: red } @font-face { font-family: x }"
    )
    styled = MINIMAL.replace("</head>", f'<style data-premailer="ignore">{rules}</style></head>')
    assert rules in mail(variant(made(a_design(tmp_path, edition_html=styled)))).html


def test_styles_that_a_template_prints_are_read_too(tmp_path: Path) -> None:
    styled = MINIMAL.replace("</head>", "{% set css = 'p + p { color: red }' %}<style>{{ css | safe }}</style></head>")
    with pytest.raises(TemplateError, match="means another story") as caught:
        made(a_design(tmp_path, edition_html=styled))
    assert caught.value.where == "mine/edition.html"
