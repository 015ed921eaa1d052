"""``nothing_chosen: lead``: who chose sections that hold nothing today gets the lead alone (docs/preferences.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.config.reading import Configuration, load
from newsletter.members.consent import Evidence, PreferenceChange, change_preferences
from newsletter.model import ConsentChannel, EditionName, StreamName
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.making import make_preview
from newsletter.schedule.explaining import why
from newsletter.schedule.work import Work
from newsletter.store import Store
from tests.schedule.test_cohorts import add, claim_all, deliveries_of
from tests.support.site_folder import SiteFolder

NOW = datetime(2026, 11, 2, 6, 45, tzinfo=UTC)
SEVEN = NOW + timedelta(minutes=15)
NAME = EditionName.parse("daily@2026-11-02/1")


def configured(tmp_path: Path, store_url: str, more: str) -> Configuration:
    site = SiteFolder(tmp_path, store_url, 25, zone="UTC", gates="{web: false, lint: false}", more=more)
    file = tmp_path / "schedules.yaml"
    file.write_text(file.read_text().replace("max: 5}]", "max: 5}, {name: World, match: {section: World}}]"))
    site.fill(seen_at=NOW - timedelta(hours=1))
    return load(file, {})


@pytest.mark.parametrize("lead", ["first", "best", "none"])
def test_she_gets_one_story_and_why_says_so(tmp_path: Path, store_url: str, store: Store, lead: str) -> None:
    configuration = configured(tmp_path, store_url, f"nothing_chosen: lead\n    lead: {lead}")
    reader, other = add(store, "reader", at=NOW), add(store, "other", at=NOW)
    chosen = [PreferenceChange("daily", sections=("World",))]
    store.write(change_preferences, reader, chosen, Evidence(ConsentChannel.PAGE, NOW))
    work = Work(configuration, store)
    for at in (NOW, SEVEN):
        work.advance(at)
    store.write(claim_all, configuration, SEVEN)
    assert [one.state for one in (*deliveries_of(store, reader), *deliveries_of(store, other))] == ["sending"] * 2
    shown = make_preview(
        configuration, store, StreamName("daily"), reader="reader@readers.example", edition=str(NAME), now=SEVEN
    )
    whole = make_preview(configuration, store, StreamName("daily"), reader=KeyFacts(), edition=str(NAME), now=SEVEN)
    assert shown.html.count("https://news.example/national/") >= 1
    stories = [{number for number in "123" if f"Story number {number} of" in one.text} for one in (shown, whole)]
    assert (len(stories[0]), len(stories[1])) == (1, 3)
    assert shown.subject == whole.subject
    answer = why(configuration, store, "reader@readers.example", NAME, SEVEN)
    assert "sections World, as chosen; none of them held a story: the lead alone; 1 of 3 stories" in answer.sentence


def test_without_it_she_gets_none_with_the_reason(tmp_path: Path, store_url: str, store: Store) -> None:
    configuration = configured(tmp_path, store_url, "")
    reader = add(store, "reader", at=NOW)
    chosen = [PreferenceChange("daily", sections=("World",))]
    store.write(change_preferences, reader, chosen, Evidence(ConsentChannel.PAGE, NOW))
    work = Work(configuration, store)
    for at in (NOW, SEVEN):
        work.advance(at)
    assert [(one.state, one.reason) for one in deliveries_of(store, reader)] == [("skipped", "no_stories")]
