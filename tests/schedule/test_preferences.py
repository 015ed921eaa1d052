"""What one reader's copy of an edition follows, and what it goes without because she had it that day elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from newsletter.collect.identity import to_remember
from newsletter.config.reading import Configuration
from newsletter.deliver.leaving_out import LeavingOut
from newsletter.members import subscribing
from newsletter.members.consent import Evidence
from newsletter.model import ConsentChannel, EditionName, Stream
from newsletter.schedule.explaining import Outcome, why
from newsletter.schedule.work import Work
from newsletter.store import Store, articles
from newsletter.store.claiming import claim
from tests.builders import an_incoming_article
from tests.schedule.test_cohorts import configured, deliveries_of
from tests.schedule.test_streams import HOUR, MONDAY, arrive
from tests.support.site_folder import SiteFolder

SECTIONS = "[{name: National, match: {section: National}, max: 9}, {name: World, match: {section: World}, max: 9}]"
EVENING = f"""
  evening:
    title: The Evening
    from: "The Evening <evening@news.example>"
    schedule: {{at: "18:00"}}
    unless_sent: today
    sections: {SECTIONS}
    articles: {{min: 1, max: 9, max_age: 30d}}
    gates: {{web: false, lint: false}}
"""
ALERTS = "streams: {breaking: {schedule: {every: 1h}, only: {tag: breaking}}}"
EVENING_EDITION = "evening@2026-11-02/1"
TEN_MINUTES = timedelta(minutes=10)


def two_newsletters(folder: Path, store_url: str, more: str = "") -> SiteFolder:
    """The daily at 07:00, and an evening that leaves out what it carried."""
    site = SiteFolder(folder, store_url, 25, zone="UTC", gates="{web: false, lint: false}", more=more)
    file = folder / "schedules.yaml"
    one_section = "[{name: National, match: {section: National}, max: 5}]"
    text = file.read_text()
    assert one_section in text
    file.write_text(text.replace(one_section, SECTIONS) + EVENING)
    return site


def add(store: Store, name: str, *sections: str, stream: Stream = Stream.EACH) -> int:
    """A reader of both, who chose these sections of the evening."""
    both = (subscribing.Wanted("daily", stream=stream), subscribing.Wanted("evening", sections=sections))
    one = subscribing.Enrolment(f"{name}@readers.example", (f"hash-{name}",), both)
    return store.write(subscribing.subscribe, [one], Evidence(ConsentChannel.CLI, MONDAY))[0].subscriber_id


def publish(store: Store, number: int, section: str, at: datetime, *tags: str) -> None:
    incoming = an_incoming_article(
        url=f"https://news.example/{section.lower()}/{number}",
        guid=f"story-{number}",
        headline=f"Story number {number} of the test",
        section=section,
        tags=tags,
        published_at=at - timedelta(minutes=5),
        updated_at=at - timedelta(minutes=5),
    )
    store.write(articles.remember, to_remember([incoming]), now=at)


def go_on(site: SiteFolder, store: Store, begin: datetime, end: datetime) -> None:
    """Scheduler and sender, every ten minutes; what sets out arrives."""
    work, now = Work(configured(site), store), begin
    while now <= end:
        work.advance(now)
        store.write(_claim_both, work.configuration, now)
        store.write(arrive)
        work.advance(now)
        now += TEN_MINUTES


def _claim_both(connection: Connection, configuration: Configuration, now: datetime) -> None:
    claim(
        connection,
        1,
        newsletters=["daily", "evening"],
        limit=100,
        now=now,
        message_id_of=lambda edition, reader: f"<{edition}-{reader}@news.example>",
        plans=["free"],
        languages={"daily": ["en"], "evening": ["en"]},
        leave_out=LeavingOut(configuration),
    )


def went_to(store: Store, reader: int) -> list[tuple[str, str, str]]:
    """(edition, state, reason) of each delivery of hers."""
    return [
        (str(EditionName.parse(f"{row.newsletter}:{row.stream}@{row.occurrence}")), row.state, row.reason)
        for row in deliveries_of(store, reader)
    ]


def test_a_story_of_a_section_she_did_not_choose_is_not_counted_as_left_out(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = two_newsletters(tmp_path, store_url)
    publish(store, 1, "National", MONDAY)
    publish(store, 2, "World", MONDAY)
    add(store, "reader", "World")
    go_on(site, store, MONDAY + 6 * HOUR + 4 * TEN_MINUTES, MONDAY + 7 * HOUR)
    publish(store, 3, "World", MONDAY + 8 * HOUR)
    name = EditionName.parse(EVENING_EDITION)
    go_on(site, store, MONDAY + 17 * HOUR + 2 * TEN_MINUTES, MONDAY + 17 * HOUR + 5 * TEN_MINUTES)
    foretold = why(configured(site), store, "reader@readers.example", name, MONDAY + 17 * HOUR + 5 * TEN_MINUTES)
    go_on(site, store, MONDAY + 18 * HOUR, MONDAY + 18 * HOUR)
    said = why(configured(site), store, "reader@readers.example", name, MONDAY + 19 * HOUR)
    assert (foretold.outcome, said.outcome) == (Outcome.WAITING, Outcome.SENT)
    for answer in (foretold, said):
        assert "1 of 3 stories; 1 left out because daily carried it at 07:00" in answer.sentence
        assert answer.preferences
        assert [number for *_, number in answer.preferences.carried] == [1]


def test_what_an_alert_carried_the_evening_leaves_out(tmp_path: Path, store_url: str, store: Store) -> None:
    site = two_newsletters(tmp_path, store_url, more=ALERTS)
    reader, other = add(store, "reader", stream=Stream.BREAKING), add(store, "other", stream=Stream.BREAKING)
    nine = MONDAY + 9 * HOUR
    go_on(site, store, nine - HOUR, nine)
    publish(store, 1, "National", nine, "breaking")
    publish(store, 2, "World", nine)
    go_on(site, store, nine + TEN_MINUTES, nine + HOUR)
    go_on(site, store, MONDAY + 17 * HOUR + 2 * TEN_MINUTES, MONDAY + 18 * HOUR)
    for one in (reader, other):
        names = [name for name, state, _ in went_to(store, one) if state == "sent"]
        assert names == ["daily:breaking@2026-11-02/11", EVENING_EDITION]
    said = why(
        configured(site), store, "reader@readers.example", EditionName.parse(EVENING_EDITION), MONDAY + 19 * HOUR
    )
    assert "1 of 2 stories; 1 left out because daily:breaking carried it at 10:00" in said.sentence
