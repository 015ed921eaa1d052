"""What every shipped design keeps to, in the message itself: numbers, accents, Outlook's tables, the text part."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from newsletter.errors import TemplateError
from newsletter.model import Access, RenderedKey
from newsletter.render.colour import PAPER, contrast
from newsletter.render.filters import width_of
from newsletter.render.lint import lint
from tests.render.mails import a_design, a_newsletter, a_site, mail, pieces, variant

DESIGNS = ("daily", "briefing", "weekly", "alert")
LONG = "A fourteen-word headline is long enough to show what happens when the desk forgets"
TEXT = "The dam opened at two. “We have never seen so much water in all our lives.” By noon it was over."


def long(article: Any) -> Any:
    return replace(article, headline=f"{LONG} {article.id}", standfirst=LONG + ". " + LONG + ".", body_text=TEXT)


def made(design: str, *sections: str, key: RenderedKey = RenderedKey("en", "member"), **changes: Any) -> Any:
    newsletter = a_newsletter(("National", "World"), design=design, description="Good morning.")
    return mail(variant(pieces(newsletter=newsletter, key=key, change=long, **changes), *sections))


@pytest.mark.parametrize("sections", [("National", "World"), ("World", "National"), ("World",)])
def test_a_briefing_counts_the_stories_as_this_reader_has_them(sections: tuple[str, ...]) -> None:
    received = made("briefing", *sections)
    numbers = re.findall(r'class="figure"[^>]*>(\d+)</td>', received.html)
    assert numbers == [str(number) for number in range(1, received.html.count("<h2") + 1)]
    assert len(numbers) >= 2
    assert re.findall(r"^(\d+) · ", received.text, re.MULTILINE) == numbers


def test_a_story_may_place_its_number_and_nothing_else(tmp_path: Path) -> None:
    folder = a_design(tmp_path, card_html="<tr><td>{{ place('subject') }}</td></tr>")
    with pytest.raises(TemplateError, match="stands in a story") as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder])
    assert str(caught.value.where).endswith("card.html:1")


def test_a_number_can_stand_in_any_design_that_prints_it(tmp_path: Path) -> None:
    folder = a_design(tmp_path, card_html="<tr><td>no. {{ place('number') }}: {{ story.headline }}</td></tr>")
    received = mail(variant(pieces(newsletter=a_newsletter(design="mine"), folders=[folder]), "World"))
    assert "no. 1: Headline of story 5" in received.html
    assert "no. 2: Headline of story 6" in received.html


@pytest.mark.parametrize("accent", ["#ffff00", "#0000ff", "#ffffff", "#39ff14", "#7f7f7f"])
@pytest.mark.parametrize("design", DESIGNS)
def test_any_accent_can_be_read_wherever_it_is_used(design: str, accent: str) -> None:
    received = made(design, site=a_site(theme={"accent": accent}))
    assert [finding for finding in lint(received.html, received.text) if finding.rule == "contrast"] == []
    assert contrast(re.findall(r'class="kicker"[^>]*[; "]color:(#[0-9a-f]{6})', received.html)[0], PAPER) >= 4.5


@pytest.mark.parametrize("design", DESIGNS)
def test_what_outlook_alone_sees_is_well_formed(design: str) -> None:
    html = made(design).html
    for shown in (
        re.sub(r"<!--\[if mso\]>|<!\[endif\]-->", "", html),
        re.sub(r"<!--\[if mso\]>.*?<!\[endif\]-->", "", html, flags=re.DOTALL),
    ):
        open_tags: list[str] = []
        for closing, tag in re.findall(r"<(/?)(table|tr|td|div)\b", shown):
            if not closing:
                open_tags.append(tag)
            else:
                assert open_tags.pop() == tag
        assert open_tags == []


@pytest.mark.parametrize("design", DESIGNS)
def test_the_text_part_has_a_ruled_masthead_and_each_link_under_its_headline(design: str) -> None:
    text = made(design).text.replace("\r\n", "\n")
    assert [line for line in text.splitlines() if width_of(line) > 72 and "://" not in line] == []
    head, body = text.split("=" * 72)[1:3]
    assert head.split("\n")[1:3] == ["THE DAILY EXAMPLE", "The Morning Edition"]
    for number in range(1, 7):
        headline = re.search(rf"^A fourteen-word [\w\s]+ forgets\s{number}$", body, re.MULTILINE)
        assert headline
        link, *_ = re.findall(r"^https?://.*$", body[headline.end() :], re.MULTILINE)
        assert link.endswith(f"/story-{number}")


@pytest.mark.parametrize("design", DESIGNS)
def test_who_may_not_read_a_story_is_shown_no_word_of_its_body(design: str) -> None:
    newsletter = a_newsletter(("National", "World"), design=design)

    def closed(article: Any) -> Any:
        return replace(long(article), standfirst="", access=Access.MEMBERS)

    for plan, shown in (("free", False), ("member", design in ("weekly", "alert"))):
        rendered = pieces(newsletter=newsletter, key=RenderedKey("en", plan), change=closed)
        received = mail(variant(rendered))
        assert ("The dam opened" in received.html) is shown
        assert ("The dam opened" in received.text) is shown


def test_a_magazine_s_pull_quote_is_of_the_story_and_only_where_there_is_one() -> None:
    received = made("weekly")
    assert received.html.count("<blockquote") == 1
    assert "    “We have never seen so much water in all our lives.”" in received.text
    quiet = mail(variant(pieces(newsletter=a_newsletter(design="weekly"))))
    assert "<blockquote" not in quiet.html
