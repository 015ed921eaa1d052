"""The shelf: every scenario makes a mail, YAML that is wrong names its line, nothing else is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.errors import ConfigurationError, NothingToSend, UsageError
from newsletter.model import StreamName
from newsletter.preview import scenarios
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.making import Preview, make_preview
from tests.builders import NOW
from tests.preview.bench import a_site, configuration_of
from tests.support.ledger import dump
from tests.support.site_folder import SiteFolder

NAMES = (
    "usual-day",
    "one-story",
    "sixty",
    "long-headlines",
    "no-picture",
    "correction",
    "retraction",
    "rtl",
    "hindi",
    "emoji",
)


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return a_site(tmp_path, stories=0, readers=0)


def staged(site: SiteFolder, name: str, key: KeyFacts = KeyFacts()) -> Preview:
    with site.open() as store:
        return make_preview(
            configuration_of(site), store, StreamName("daily"), reader=key, edition=scenarios.PREFIX + name, now=NOW
        )


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_makes_a_mail_without_a_story_in_the_store(site: SiteFolder, name: str) -> None:
    made = staged(site, name)
    told = scenarios.load(configuration_of(site), name)
    shown = [story for story in made.stories if story.shown]
    kept = sum(story.kind != "retraction" for story in told.stories)
    assert len(shown) == max(told.repeat, kept)
    assert made.subject == shown[0].headline
    assert [one.rule for one in made.findings if one.severity == "error"] == []


def test_sixty_stories_are_sixty_and_each_is_told_apart(site: SiteFolder) -> None:
    headlines = {story.headline for story in staged(site, "sixty").stories}
    assert len(headlines) == 60


def test_what_was_retracted_is_left_out_with_the_reason(site: SiteFolder) -> None:
    left_out = [story for story in staged(site, "retraction").stories if not story.shown]
    assert [story.words for story in left_out] == ["retracted by its source"]


def test_an_arabic_scenario_is_read_from_the_right_unless_another_language_is_asked_for(site: SiteFolder) -> None:
    assert '<html lang="ar" dir="rtl"' in staged(site, "rtl").html
    assert '<html lang="en" dir="ltr"' in staged(site, "rtl", KeyFacts(language="en")).html


def test_without_a_story_it_says_that_nothing_is_sent(site: SiteFolder) -> None:
    with pytest.raises(NothingToSend, match="skipped as empty"):
        staged(site, "empty")
    file = site.path / "schedules.yaml"
    file.write_text(file.read_text().replace("in_doubt: resend", "in_doubt: resend\n    when_empty: send"))
    assert staged(site, "empty").subject == "The Test"


def test_stories_are_dealt_out_to_the_sections_or_stand_where_they_say(site: SiteFolder) -> None:
    file = site.path / "schedules.yaml"
    file.write_text(
        file.read_text().replace(
            "[{name: National, match: {section: National}, max: 5}]", "[{name: National}, {name: World}]"
        )
    )
    text = "title: Mine\nstories:\n  - headline: A\n  - headline: B\n  - {headline: C, section: world}\n"
    scenarios.save(configuration_of(site), "mine", text)
    made = staged(site, "mine")
    assert {story.headline: story.section for story in made.stories} == {"A": "National", "B": "World", "C": "World"}


def test_a_saved_scenario_stands_in_place_of_the_shipped_one_until_it_is_forgotten(site: SiteFolder) -> None:
    configuration = configuration_of(site)
    path = scenarios.save(configuration, "one-story", "title: Mine\nstories: [{headline: My own words}]\n")
    assert path == site.path / "previews" / "one-story.yaml"
    assert staged(site, "one-story").subject == "My own words"
    [shelved] = [one for one in scenarios.shelf(configuration) if one.name == "one-story"]
    assert (shelved.title, shelved.own, shelved.shipped) == ("Mine", True, True)
    scenarios.forget(configuration, "one-story")
    assert staged(site, "one-story").subject.startswith("Night ferry")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title: A\nstories:\n  - headlin: B\n", 3, "headline"),
        ("title: A\nstories:\n  - headline: B\n    kind: hoax\n", 4, "kind"),
        ("title: A\nstories: [{headline: B, picture: {file: ../../site.key}}]\n", 2, "file"),
        ("title: A\nstories: [{headline: B, url: 'javascript:1'}]\n", 2, "url"),
        ("title: A\nstories:\n\t- x\n", 3, "YAML"),
        ("stories: []\n", 1, "title"),
        ("title: A\nrepeat: 100000\n", 2, "repeat"),
        ("", 1, "empty"),
    ],
)
def test_yaml_that_is_wrong_names_its_line_and_is_not_saved(site: SiteFolder, text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        scenarios.save(configuration_of(site), "mine", text)
    assert refused.value.where == f"previews/mine.yaml:{line}"
    assert words in str(refused.value)
    assert not (site.path / "previews").exists()


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "UPPER", "a" * 41, "a\0b"])
def test_what_is_no_name_is_written_nowhere(site: SiteFolder, name: str) -> None:
    before = sorted(site.path.rglob("*"))
    for act in (lambda: scenarios.save(configuration_of(site), name, "title: A\n"), lambda: staged(site, name)):
        with pytest.raises(UsageError):
            act()
    with pytest.raises(UsageError):
        scenarios.forget(configuration_of(site), name)
    assert sorted(site.path.rglob("*")) == before


def test_a_missing_picture_and_section_are_told(site: SiteFolder) -> None:
    for text, words in (
        ("title: A\nstories: [{headline: B, picture: {file: none.jpg}}]\n", "no picture 'none.jpg'"),
        ("title: A\nstories: [{headline: B, section: Natonal}]\n", "Did you mean 'National'"),
    ):
        scenarios.save(configuration_of(site), "mine", text)
        with pytest.raises(UsageError, match=words):
            staged(site, "mine")


def test_a_scenario_writes_nothing(site: SiteFolder) -> None:
    with site.open() as store:
        before = store.read(dump)
    staged(site, "sixty")
    with site.open() as store:
        assert store.read(dump) == before


def test_a_name_that_is_on_no_shelf_is_answered_with_each_there_is_once(site: SiteFolder) -> None:
    scenarios.save(configuration_of(site), "usual-day", "title: Mine\nstories: [{headline: A}]\n")
    with pytest.raises(UsageError) as refused:
        staged(site, "xyz")
    assert refused.value.remedy.count("usual-day") == 1
