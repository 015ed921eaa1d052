"""Which documents an audience needs, and which sections a reader gets."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from newsletter.compose.keys import has_stories, rendered_keys, sections_for, stories_for
from newsletter.errors import ConfigurationError
from newsletter.model import Edition, EditionSection, Occurrence, RenderedKey, Stream
from tests.builders import NOW
from tests.support.newsroom import a_newsletter

NEWSLETTER = a_newsletter(sections=[{"name": "National"}, {"name": "Arts & Life"}, {"name": "World"}])


def test_an_audience_needs_one_document_per_language_and_plan() -> None:
    assert rendered_keys(["hi", "en", "en"], ["member", "free"]) == (
        RenderedKey("en", "free"),
        RenderedKey("en", "member"),
        RenderedKey("hi", "free"),
        RenderedKey("hi", "member"),
    )
    assert rendered_keys([], ["free"]) == ()


def test_more_than_sixteen_documents_are_refused() -> None:
    languages = [f"l{number}" for number in range(8)]
    assert len(rendered_keys(languages, ["free", "member"])) == 16
    with pytest.raises(ConfigurationError, match="24 documents an edition, more than 16"):
        rendered_keys(languages, ["free", "metered", "member"])


@pytest.mark.parametrize(
    ("stored", "sections"),
    [
        ("", ()),
        ('["World", "National"]', ("World", "National")),
        ('["world", "ARTS & LIFE", "World"]', ("World", "Arts & Life")),
        ('["Sport", "World"]', ("World",)),
        ('["Sport"]', ()),
        ("[]", ()),
        ('["National", "Arts & Life", "World"]', ()),
        ('["World", "Arts & Life", "National"]', ("World", "Arts & Life", "National")),
        ("World", ()),
        ('{"World": 1}', ()),
        ('[1, null, "World"]', ("World",)),
    ],
)
def test_a_reader_gets_the_sections_she_chose_as_far_as_they_exist(stored: str, sections: tuple[str, ...]) -> None:
    assert sections_for(stored, NEWSLETTER) == sections


def test_a_reader_whose_sections_hold_nothing_today_gets_no_mail_unless_empty_ones_are_sent() -> None:
    edition = Edition(
        newsletter="daily",
        stream=Stream.EACH,
        occurrence=Occurrence(NOW.date(), 1),
        cohort="",
        due_at=NOW,
        sections=(EditionSection("World", (1,)),),
    )
    national, world = json.dumps(["National"]), json.dumps(["National", "World"])
    assert not has_stories(national, NEWSLETTER, edition)
    assert has_stories(world, NEWSLETTER, edition)
    assert has_stories("", NEWSLETTER, edition)
    assert not has_stories("", NEWSLETTER, replace(edition, sections=()))
    assert has_stories(national, NEWSLETTER.model_copy(update={"when_empty": "send"}), edition)


def test_with_nothing_chosen_lead_she_gets_the_lead_alone_or_else_the_first_story() -> None:
    alone = NEWSLETTER.model_copy(update={"nothing_chosen": "lead"})
    first, world = EditionSection("World", (1, 2)), json.dumps(["World"])
    lead, missed = EditionSection("", (9,), home="World"), EditionSection("", (8,), missed=True)
    edition = Edition("daily", Stream.EACH, Occurrence(NOW.date(), 1), "", NOW, (first, missed))
    national = json.dumps(["National"])
    assert has_stories(national, alone, edition)
    assert stories_for(national, alone, edition) == (1,)
    assert stories_for(national, alone, edition, {1}) == ()
    assert stories_for(national, alone, replace(edition, sections=(lead, first, missed))) == (9,)
    assert stories_for(world, alone, edition) == stories_for(world, NEWSLETTER, edition) == (1, 2, 8)
    assert stories_for(world, alone, edition, {1, 2}) == (), "her sections hold stories, and she had them all"
    assert not has_stories(national, alone, replace(edition, sections=(missed,)))


def test_for_the_lead_of_others_or_what_was_missed_alone_nobody_is_mailed() -> None:
    lead, missed = EditionSection("", (1,), home="World"), EditionSection("", (2,), missed=True)
    edition = Edition("daily", Stream.EACH, Occurrence(NOW.date(), 1), "", NOW, (lead, missed))
    assert not has_stories(json.dumps(["National"]), NEWSLETTER, edition)
    assert has_stories(json.dumps(["World"]), NEWSLETTER, edition)
    assert has_stories("", NEWSLETTER, edition)
    assert not has_stories("", NEWSLETTER, replace(edition, sections=(missed,)))


def test_the_stories_of_a_reader_are_those_of_her_sections_with_what_every_mail_has() -> None:
    sections = (
        EditionSection("", (1,), home="World"),
        EditionSection("National", (2, 3)),
        EditionSection("World", (4, 3)),
        EditionSection("", (9,), missed=True),
    )
    edition = Edition("daily", Stream.EACH, Occurrence(NOW.date(), 1), "", NOW, sections)
    assert stories_for("", NEWSLETTER, edition) == (1, 2, 3, 4, 9)
    assert stories_for(json.dumps(["National"]), NEWSLETTER, edition) == (1, 2, 3, 9)
    assert stories_for(json.dumps(["Arts & Life"]), NEWSLETTER, edition) == ()
    assert stories_for(json.dumps(["National"]), NEWSLETTER, edition, had={1, 2}) == (3, 9)
    assert stories_for(json.dumps(["National"]), NEWSLETTER, edition, had={1, 2, 3}) == (), "what was missed is none"
    only_led = replace(edition, sections=(sections[0], sections[3]))
    assert stories_for(json.dumps(["World"]), NEWSLETTER, only_led) == (1, 9)
    assert stories_for(json.dumps(["National"]), NEWSLETTER, only_led) == ()
