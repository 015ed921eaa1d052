"""A newsletter at several frequencies: each edition, a weekly round-up, breaking news (docs/preferences.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from newsletter.collect.identity import to_remember
from newsletter.config.reading import Configuration, load
from newsletter.errors import ConfigurationError, UsageError
from newsletter.members import subscribing
from newsletter.members.consent import Evidence, PreferenceChange, change_preferences
from newsletter.model import ConsentChannel, EditionName, OccurrenceState, Stream, StreamName
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.making import make_preview
from newsletter.schedule import by_hand
from newsletter.schedule.explaining import Outcome, why
from newsletter.schedule.inbox import inbox
from newsletter.schedule.planning import plan_ahead
from newsletter.schedule.watching import status_of
from newsletter.schedule.work import Work
from newsletter.store import Store, articles, editions, occurrences, tables
from tests.builders import an_incoming_article
from tests.schedule.test_cohorts import claim_all, deliver
from tests.support.site_folder import SiteFolder

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
STREAMS = """\
streams:
      weekly: {schedule: {at: "09:00", days: [sun]}, design: weekly, subject: "Your week: {{ lead.headline }}"}
      breaking: {schedule: {every: 6h}, only: {tag: breaking}, design: alert}"""
HOUR = timedelta(hours=1)


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> SiteFolder:
    return SiteFolder(tmp_path, store_url, 25, zone="UTC", gates="{web: false, lint: false}", more=STREAMS)


def configured(site: SiteFolder) -> Configuration:
    return load(site.path / "schedules.yaml", {})


def add(store: Store, name: str, stream: Stream = Stream.EACH, at: datetime = MONDAY) -> int:
    wanted = subscribing.Wanted("daily", stream=stream)
    one = subscribing.Enrolment(f"{name}@readers.example", (f"hash-{name}",), (wanted,))
    return store.write(subscribing.subscribe, [one], Evidence(ConsentChannel.CLI, at))[0].subscriber_id


def change(store: Store, reader: int, stream: Stream, at: datetime) -> None:
    wanted = [PreferenceChange("daily", stream=stream)]
    store.write(change_preferences, reader, wanted, Evidence(ConsentChannel.PAGE, at))


def publish(store: Store, number: int, at: datetime, *tags: str) -> None:
    incoming = an_incoming_article(
        url=f"https://news.example/national/{number}",
        guid=f"story-{number}",
        headline=f"Story number {number} of the test",
        tags=tags,
        published_at=at - timedelta(minutes=5),
        updated_at=at - timedelta(minutes=5),
    )
    store.write(articles.remember, to_remember([incoming]), now=at)


def week(site: SiteFolder, store: Store, changes: dict[datetime, tuple[int, Stream]] | None = None) -> None:
    """A story a day at noon, the third of them breaking; what is queued arrives within the hour."""
    work, now = Work(configured(site), store), MONDAY
    for day in range(7):
        tags = ("breaking",) if day == 2 else ()
        publish(store, day + 1, MONDAY + timedelta(days=day, hours=4), *tags)
    while now <= MONDAY + timedelta(days=7):
        for at in [at for at in changes or {} if now - HOUR < at <= now]:
            change(store, changes[at][0], changes[at][1], at)  # type: ignore[index]
        work.advance(now)
        store.write(claim_all, work.configuration, now)
        store.write(arrive)
        work.advance(now)
        now += HOUR


def arrive(connection: Connection) -> None:
    ours = tables.deliveries
    connection.execute(ours.update().where(ours.c.state == "sending").values(state="sent", sender=0))


def mails(site: SiteFolder, store: Store, reader: int) -> list[tuple[str, list[int]]]:
    """The editions that a reader was sent, and the stories of each that were in her copy."""
    rows = store.read(lambda connection: connection.execute(_mails(reader)).all())
    found = []
    for row in rows:
        edition = store.read(editions.load, row.edition_id)
        had = {int(one) for one in row.had.strip("[]").split(",") if one}
        found.append((str(edition.name), sorted(one for one in edition.article_ids if one not in had)))
    return found


def _mails(reader: int) -> Any:
    ours = tables.deliveries
    mine = select(ours, tables.editions.c.due_at.label("of_edition")).join(
        tables.editions, tables.editions.c.id == ours.c.edition_id
    )
    return mine.where(ours.c.subscriber_id == reader, ours.c.state == "sent").order_by(tables.editions.c.due_at)


def test_each_stream_goes_to_those_who_asked_for_it_from_a_ledger_of_its_own(site: SiteFolder, store: Store) -> None:
    each, weekly = add(store, "each"), add(store, "weekly", Stream.WEEKLY)
    breaking, daily = add(store, "breaking", Stream.BREAKING), add(store, "daily", Stream.DAILY)
    week(site, store)
    mornings = [(f"daily@2026-11-0{day}/1", [day - 1]) for day in range(2, 9)]
    assert mails(site, store, each) == mornings
    assert mails(site, store, daily) == mornings, "a stream that the newsletter does not have: each edition"
    [(name, stories)] = mails(site, store, weekly)
    assert (name, len(stories)) == ("daily:weekly@2026-11-08/1", 5), "the others had no place"
    assert mails(site, store, breaking) == [("daily:breaking@2026-11-04/2", [3])]


def test_who_changes_gets_nothing_twice_and_the_change_counts_from_the_next_on(site: SiteFolder, store: Store) -> None:
    reader, back = add(store, "reader"), add(store, "back", Stream.WEEKLY)
    wednesday, saturday = MONDAY + timedelta(days=2, hours=12), MONDAY + timedelta(days=5, hours=12)
    week(site, store, {wednesday: (reader, Stream.WEEKLY), saturday: (back, Stream.EACH)})
    got = mails(site, store, reader)
    assert [name for name, _ in got] == [
        "daily@2026-11-02/1",
        "daily@2026-11-03/1",
        "daily@2026-11-04/1",
        "daily:weekly@2026-11-08/1",
    ]
    every = [story for _, stories in got for story in stories]
    assert len(every) == len(set(every)), "nothing that she had each morning comes again"
    assert mails(site, store, back) == [("daily@2026-11-08/1", [7])]


def test_the_round_up_is_ranked_for_its_week_and_made_with_its_own_design(site: SiteFolder, store: Store) -> None:
    add(store, "weekly", Stream.WEEKLY)
    configuration = configured(site)
    each, weekly = configuration.newsletter("daily"), configuration.newsletter("daily", Stream.WEEKLY)
    assert (weekly.design, weekly.lead, weekly.articles.overflow) == ("weekly", "best", "drop")
    assert weekly.ranking.half_life == timedelta(days=7) > each.ranking.half_life
    assert (weekly.from_, weekly.section_names, each.design) == (each.from_, each.section_names, "daily")
    breaking = configuration.newsletter("daily", Stream.BREAKING)
    assert (breaking.articles.max_age, breaking.tried_for) == (timedelta(hours=6), timedelta(minutes=5))
    week(site, store)
    now = MONDAY + timedelta(days=7)
    shown = make_preview(
        configuration,
        store,
        StreamName("daily", Stream.WEEKLY),
        reader=KeyFacts(),
        edition="2026-11-08/1",
        now=now,
    )
    assert shown.subject.startswith("Your week: Story number")
    assert "/e/daily:weekly/2026-11-08/1/" in shown.html, "her copy in the browser is of this stream"


def test_why_and_the_planner_speak_of_the_stream_that_is_hers(site: SiteFolder, store: Store) -> None:
    add(store, "weekly", Stream.WEEKLY)
    configuration, now = configured(site), MONDAY + timedelta(hours=10)
    publish(store, 1, MONDAY + timedelta(hours=4))
    add(store, "each")
    Work(configuration, store).advance(now)
    lines = inbox(configuration, store, "weekly@readers.example", now, 8)
    assert [one.edition for one in lines] == ["daily:weekly@2026-11-08/1"]
    assert lines[0].comes, lines[0].sentence
    week(site, store)
    later = MONDAY + timedelta(days=8)
    hers = why(configuration, store, "weekly@readers.example", EditionName.parse("daily:weekly@2026-11-08/1"), later)
    assert hers.outcome is Outcome.SENT, hers.sentence
    other = why(configuration, store, "weekly@readers.example", EditionName.parse("daily@2026-11-08/1"), later)
    assert (other.outcome, other.reason) == (Outcome.NOT_ADDRESSED, "stream_changed"), other.sentence
    assert "at another frequency" in other.sentence
    not_hers = why(configuration, store, "each@readers.example", EditionName.parse("daily:weekly@2026-11-08/1"), later)
    assert (not_hers.outcome, not_hers.reason) == (Outcome.NOT_ADDRESSED, "stream_changed"), not_hers.sentence


def test_a_stream_is_sent_by_hand_under_its_own_name(site: SiteFolder, store: Store) -> None:
    add(store, "each"), add(store, "weekly", Stream.WEEKLY)
    publish(store, 1, MONDAY)
    configuration, now = configured(site), MONDAY + timedelta(hours=10)
    plan = by_hand.plan_send(configuration, store, StreamName("daily", Stream.WEEKLY), extra=False, now=now)
    assert (str(plan.name), plan.readers) == ("daily:weekly@2026-11-08/1", 1)
    with pytest.raises(UsageError, match="at another time or frequency"):
        by_hand.start(Work(configuration, store), plan, ["each@readers.example"], now)
    row = by_hand.begin(Work(configuration, store), plan, [], now)
    assert row.state is OccurrenceState.SENDING
    with pytest.raises(UsageError, match=r"daily has no stream 'daily'.*There is daily, daily:weekly, daily:breaking"):
        by_hand.plan_send(configuration, store, StreamName("daily", Stream.DAILY), extra=False, now=now)
    names = {one.name for one in status_of(configuration, store, now).newsletters}
    assert names == {"daily", "daily:weekly", "daily:breaking"}


def test_what_is_planned_of_a_stream_that_is_taken_away_is_forgotten_and_its_readers_get_each_edition(
    site: SiteFolder, tmp_path: Path, store_url: str, store: Store
) -> None:
    reader = add(store, "weekly", Stream.WEEKLY)
    plan_ahead(store, configured(site), MONDAY + timedelta(days=5))
    assert {row.stream for row in store.read(occurrences.listing)} == {Stream.EACH, Stream.WEEKLY, Stream.BREAKING}
    without = SiteFolder(tmp_path, store_url, 25, zone="UTC", gates="{web: false, lint: false}")
    publish(store, 1, MONDAY + timedelta(days=5))
    work = Work(configured(without), store)
    work.advance(MONDAY + timedelta(days=5, hours=1))
    assert {row.stream for row in store.read(occurrences.listing)} == {Stream.EACH}
    work.advance(MONDAY + timedelta(days=5, hours=7))
    deliver(store)
    assert mails(without, store, reader) == [("daily@2026-11-07/1", [1])]


@pytest.mark.parametrize(
    ("streams", "said"),
    [
        ("{yearly: {schedule: {at: '09:00'}}}", "yearly"),
        ("{weekly: {design: weekly}}", "schedule"),
        (
            "{weekly: {schedule: {at: '09:00'}, sections: [{name: Sport}]}}",
            "'Sport', which the newsletter lacks",
        ),
        ("{weekly: {schedule: {at: '09:00'}, only: {source: nowhere}}}", "there is no source 'nowhere'"),
        ("{weekly: {schedule: {at: '09:00'}, articles: {min: 12}}}", "at most 5 articles"),
        ("{weekly: {schedule: {at: '09:00'}, sections: [{name: National, max: 9, min: 9}]}}", "more than articles.max"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_with_its_line(
    tmp_path: Path, store_url: str, streams: str, said: str
) -> None:
    site = SiteFolder(tmp_path, store_url, 25, more=f"streams: {streams}")
    with pytest.raises(ConfigurationError, match=r"schedules\.yaml:\d+") as refused:
        configured(site)
    assert said in str(refused.value)
