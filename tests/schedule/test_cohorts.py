"""A newsletter that comes at each reader's own hour, on her own clock (docs/preferences.md, "Hour and zone")."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select

from newsletter.cohort import Cohort
from newsletter.collect.identity import to_remember
from newsletter.config.models import Schedule
from newsletter.config.reading import Configuration, load
from newsletter.deliver.leaving_out import LeavingOut, stories_in
from newsletter.errors import NothingToSend
from newsletter.members import subscribing
from newsletter.members.consent import (
    Evidence,
    Pause,
    PreferenceChange,
    change_preferences,
    subscribe_again,
    unsubscribe,
)
from newsletter.model import ConsentChannel, OccurrenceState, Reason, Stream
from newsletter.schedule import by_hand, recipients
from newsletter.schedule.cohorts import due_on, stands_for
from newsletter.schedule.explaining import why
from newsletter.schedule.inbox import inbox
from newsletter.schedule.work import Work
from newsletter.store import Store, articles, editions, fan_out, had, occurrences, subscribers, tables
from newsletter.store.claiming import claim
from newsletter.store.moves import Move, Place
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import an_incoming_article
from tests.support.site_folder import SiteFolder

_S = OccurrenceState
SCHEDULE = '{deliver_at: "07:00 subscriber", hours: ["07:00", "18:00"]}'
FIRST = datetime(2026, 10, 31, 0, 0, tzinfo=UTC)
JOINED = FIRST + timedelta(hours=22, minutes=30)  # the last hour of 31 October has been
KOLKATA, NEW_YORK, LONDON = "Asia/Kolkata", "America/New_York", "Europe/London"
SEVEN = Schedule.model_validate({"deliver_at": "07:00 subscriber", "hours": "any"})


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> SiteFolder:
    return SiteFolder(tmp_path, store_url, 25, zone="UTC", schedule=SCHEDULE)


def configured(site: SiteFolder) -> Configuration:
    return load(site.path / "schedules.yaml", {})


def add(store: Store, name: str, zone: str = "", hour: str = "", at: datetime = JOINED) -> int:
    """A reader of the daily, in this zone, who wants it at this hour."""
    evidence = Evidence(ConsentChannel.CLI, at)
    address = f"{name}@readers.example"
    one = subscribing.Enrolment(address, (f"hash-{name}",), (subscribing.Wanted("daily", hour=hour),), timezone=zone)
    return store.write(subscribing.subscribe, [one], evidence)[0].subscriber_id


def move(store: Store, reader: int, at: datetime, *, hour: str | None = None, zone: str | None = None) -> None:
    if zone is not None:
        assert store.write(subscribers.live_in, reader, zone, at)
    if hour is not None:
        wanted = [PreferenceChange("daily", hour=hour)]
        store.write(change_preferences, reader, wanted, Evidence(ConsentChannel.PAGE, at))


def go_on(work: Work, begin: datetime, end: datetime, step: timedelta = timedelta(minutes=10)) -> None:
    """What the scheduler does, tick after tick."""
    now = begin
    while now <= end:
        work.advance(now)
        now += step


def got(store: Store, reader: int) -> list[tuple[str, str, str]]:
    """(occurrence, due in UTC, state) of each delivery of hers."""
    rows = store.read(
        lambda connection: connection.execute(
            select(tables.deliveries, tables.editions.c.due_at.label("of_edition"))
            .join(tables.editions, tables.editions.c.id == tables.deliveries.c.edition_id)
            .where(tables.deliveries.c.subscriber_id == reader)
            .order_by(tables.editions.c.due_at)
        ).all()
    )
    return [(row.occurrence, f"{row.of_edition:%m-%dT%H:%M}", row.state) for row in rows]


def deliveries_of(store: Store, reader: int) -> Sequence[Any]:
    ours = tables.deliveries
    return store.read(
        lambda connection: connection.execute(select(ours).where(ours.c.subscriber_id == reader).order_by("id")).all()
    )


def claim_all(connection: Connection, configuration: Configuration, now: datetime) -> dict[int, str]:
    """What a sender takes up, and what it leaves out of each mail, by reader."""
    claimed = claim(
        connection,
        1,
        newsletters=["daily"],
        limit=100,
        now=now,
        message_id_of=lambda edition, reader: f"<{edition}-{reader}@news.example>",
        plans=["free"],
        languages={"daily": ["en"]},
        leave_out=LeavingOut(configuration),
    )
    return {one.subscriber_id: one.had for one in claimed.rows}


def deliver(store: Store) -> None:
    """Everything that is queued arrives."""
    store.write(
        lambda connection: connection.execute(
            tables.deliveries.update()
            .where(tables.deliveries.c.state == "queued")
            .values(state="sent", message_id="<x>")
        )
    )


def row(store: Store, day: int = 1) -> OccurrenceRow:
    return next(one for one in store.read(occurrences.listing) if one.occurrence.local_date == date(2026, 11, day))


def hours_of(store: Store, day: int = 1) -> dict[str, str]:
    return {one.cohort: f"{one.due_at:%m-%dT%H:%M}" for one in store.read(editions.for_occurrence, row(store, day).id)}


def test_each_reader_gets_it_at_seven_on_her_own_clock(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    meera, anna, nobody = add(store, "meera", KOLKATA), add(store, "anna", NEW_YORK), add(store, "nobody")
    late = add(store, "late", KOLKATA, "18:00")
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=26))
    assert got(store, meera) == [("2026-11-01/1", "11-01T01:30", "queued")]
    assert got(store, nobody) == [], "without a zone it is the newsletter's own"
    assert row(store).state is _S.SENDING
    go_on(work, FIRST + timedelta(hours=26), FIRST + timedelta(hours=37))
    assert got(store, nobody)[0] == ("2026-11-01/1", "11-01T07:00", "queued")
    assert got(store, anna) == [("2026-11-01/1", "11-01T12:00", "queued")], "and New York put its clocks back that day"
    assert got(store, late) == [("2026-11-01/1", "11-01T12:30", "queued")]
    deliver(store)
    work.advance(FIRST + timedelta(hours=37, minutes=1))
    assert row(store).state is _S.SENT


def test_each_cohort_is_composed_before_its_own_hour_and_has_what_came_since(site: SiteFolder, store: Store) -> None:
    site.fill(stories=2, seen_at=FIRST)
    add(store, "meera", KOLKATA)
    add(store, "anna", NEW_YORK)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=26))
    assert hours_of(store) == {f"{KOLKATA}@07:00": "11-01T01:30"}
    site.add_stories(store, [3], FIRST + timedelta(hours=30))
    go_on(work, FIRST + timedelta(hours=30), FIRST + timedelta(hours=36))
    east, west = (store.read(editions.find, row(store).id, f"{zone}@07:00") for zone in (KOLKATA, NEW_YORK))
    assert east
    assert west
    assert (len(east.article_ids), len(west.article_ids)) == (2, 3)


def test_cohorts_of_equal_content_share_one_rendering(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    for number, zone in enumerate((KOLKATA, "Asia/Colombo", NEW_YORK)):
        add(store, f"reader{number}", zone)
    go_on(Work(configured(site), store), FIRST + timedelta(hours=23), FIRST + timedelta(hours=37))
    made = store.read(editions.for_occurrence, row(store).id)
    assert len(made) == 3
    assert len({one.pieces_at for one in made}) == 1
    with_pieces = store.read(
        lambda connection: connection.execute(select(tables.pieces.c.edition_id).distinct()).scalars().all()
    )
    assert len(with_pieces) == 1


def test_what_was_corrected_between_two_hours_is_rendered_anew_for_the_later(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    add(store, "meera", KOLKATA)
    add(store, "anna", NEW_YORK)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=26))
    later = FIRST + timedelta(hours=28)
    _correct(store, later)
    go_on(work, later, FIRST + timedelta(hours=37))
    east, west = store.read(editions.for_occurrence, row(store).id)
    assert east.pieces_at != west.pieces_at


def _correct(store: Store, at: datetime) -> None:
    incoming = an_incoming_article(
        url="https://news.example/national/1",
        guid="story-1",
        headline="Story number 1 of the test, corrected",
        published_at=FIRST - timedelta(minutes=5),
        updated_at=at,
    )
    store.write(articles.remember, to_remember([incoming]), now=at)


def test_who_moves_gets_each_date_exactly_once(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    west, east = add(store, "west", KOLKATA), add(store, "east", NEW_YORK)
    add(store, "stays", KOLKATA)
    work = Work(configured(site), store)
    # In the middle of 1 November: seven has been in Kolkata, and not yet in New York.
    noon = FIRST + timedelta(hours=30)
    go_on(work, FIRST + timedelta(hours=23), noon)
    move(store, west, noon, zone=NEW_YORK)
    move(store, east, noon, zone=KOLKATA)
    go_on(work, noon, FIRST + timedelta(hours=40))
    site.add_stories(store, [4], FIRST + timedelta(hours=41))
    go_on(work, FIRST + timedelta(hours=41), FIRST + timedelta(hours=70))
    assert [one[:2] for one in got(store, west)] == [("2026-11-01/1", "11-01T01:30"), ("2026-11-02/1", "11-02T12:00")]
    assert [one[:2] for one in got(store, east)] == [
        ("2026-11-01/1", "11-01T12:00"),
        ("2026-11-02/1", "11-02T01:30"),
    ], "seven in Kolkata was past: the old hour for the last time"


@pytest.mark.parametrize("interrupted", [True, False], ids=["between two runs", "between two pages"])
def test_who_moves_before_her_page_is_made_gets_it_all_the_same(
    site: SiteFolder, store: Store, monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    site.fill(seen_at=FIRST)
    readers = [add(store, f"reader{number}", KOLKATA, at=FIRST) for number in range(6)]
    due = FIRST + timedelta(hours=25, minutes=30)
    monkeypatch.setattr(recipients, "FAN_OUT_PAGE", 2)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=24), due - timedelta(minutes=10))
    begun = work.begin(row(store), due)

    asked = 0

    def stopping() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:  # the first page is made
            move(store, readers[4], due, zone="Asia/Tokyo")  # where 07:00 has been
        return interrupted and asked == 2

    work.fan_out(begun, due, stopping)
    assert bool(got(store, readers[2])) is not interrupted
    go_on(Work(configured(site), store), due + timedelta(minutes=10), due + timedelta(minutes=20))
    assert [[one[:2] for one in got(store, reader)] for reader in readers] == [[("2026-11-01/1", "11-01T01:30")]] * 6


def test_an_hour_that_is_still_to_come_counts_for_today(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    reader = add(store, "reader", KOLKATA)
    work = Work(configured(site), store)
    before = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)  # composed for seven, which is at 01:30
    go_on(work, FIRST + timedelta(hours=23), before)
    move(store, reader, before, hour="18:00")
    go_on(work, before, FIRST + timedelta(hours=40))
    assert [one[:2] for one in got(store, reader)] == [("2026-11-01/1", "11-01T12:30")]


def test_what_she_had_at_her_old_hour_does_not_come_again_at_the_new(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    reader = add(store, "reader", KOLKATA)
    work = Work(configured(site), store)
    noon = FIRST + timedelta(hours=30)
    go_on(work, FIRST + timedelta(hours=23), noon)
    deliver(store)
    move(store, reader, noon, hour="18:00")  # nobody was there yet: the evening has had nothing
    site.add_stories(store, [4], FIRST + timedelta(hours=38))
    go_on(work, noon, FIRST + timedelta(hours=61))
    morning, evening = deliveries_of(store, reader)
    assert (morning.moved, evening.moved) == (False, True)
    pool = store.read(editions.get, evening.edition_id)
    assert pool is not None
    assert len(pool.article_ids) == 4
    [carried] = store.read(LeavingOut(configured(site)).carried, evening.id)
    assert sorted(carried.article_ids) == [1, 2, 3]
    assert pool.article_ids - set(carried.article_ids) == {4}
    claimed = store.write(claim_all, configured(site), FIRST + timedelta(hours=61))
    assert set(had.decode(claimed[reader])) == {1, 2, 3}, "written down as her mail sets out"


def test_who_comes_back_from_elsewhere_gets_nothing_that_she_had_there(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    meera = add(store, "meera", KOLKATA, at=FIRST)
    configuration = configured(site)
    work = Work(configuration, store)
    go_on(work, FIRST + timedelta(hours=24), FIRST + timedelta(hours=27))
    store.write(claim_all, configuration, FIRST + timedelta(hours=27))
    deliver(store)
    gone = FIRST + timedelta(hours=28)
    store.write(unsubscribe, meera, "daily", Evidence(ConsentChannel.PAGE, gone))
    move(store, meera, gone, zone=NEW_YORK)
    store.write(subscribe_again, meera, "daily", Evidence(ConsentChannel.PAGE, gone + timedelta(minutes=1)))
    site.add_stories(store, [4], FIRST + timedelta(hours=35))
    go_on(work, gone, FIRST + timedelta(hours=61))
    had_before = store.write(claim_all, configuration, FIRST + timedelta(hours=61))
    deliver(store)
    assert [one[0] for one in got(store, meera)] == ["2026-11-01/1", "2026-11-02/1"]
    assert sorted(had.decode(had_before[meera])) == [1, 2, 3]


@pytest.mark.parametrize(
    ("written", "instead", "hour"),
    [
        ("07:00 subscriber", "08:00 subscriber", ""),
        (', "18:00"', "", "18:00"),
        ("timezone: UTC", "timezone: Asia/Dubai", ""),
    ],
    ids=["another hour", "an hour taken away", "another zone"],
)
def test_what_she_had_before_the_file_changed_her_clock_does_not_come_again(
    site: SiteFolder, store: Store, written: str, instead: str, hour: str
) -> None:
    site.fill(seen_at=FIRST)
    reader = add(store, "reader", hour=hour, at=FIRST)
    night = FIRST + timedelta(hours=43)
    go_on(Work(configured(site), store), FIRST + timedelta(hours=23), night)
    store.write(claim_all, configured(site), night)
    deliver(store)
    file = site.path / "schedules.yaml"
    assert written in file.read_text()
    file.write_text(file.read_text().replace(written, instead))
    site.add_stories(store, [4], night + timedelta(hours=1))
    work, now = Work(configured(site), store), night + timedelta(hours=1)
    while not hours_of(store, 2):
        work.advance(now)
        now += timedelta(minutes=10)
    [edition] = store.read(editions.for_occurrence, row(store, 2).id)
    foretold = store.read(LeavingOut(configured(site)).would_be_carried, {reader: ""}, edition.edition)
    assert sorted(stories_in(foretold[reader])) == [1, 2, 3]
    go_on(work, now, now + timedelta(hours=1))
    claimed = store.write(claim_all, configured(site), now + timedelta(hours=1))
    assert sorted(had.decode(claimed[reader])) == [1, 2, 3]


def test_who_moves_a_whole_day_away_has_the_stories_of_the_two_that_are_due_at_once_in_one(
    site: SiteFolder, store: Store
) -> None:
    site.fill(seen_at=FIRST)
    kai = add(store, "kai", "Pacific/Honolulu")
    add(store, "there", "Pacific/Kiritimati")
    configuration, work = configured(site), Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=31))
    move(store, kai, FIRST + timedelta(hours=31, minutes=27), zone="Pacific/Kiritimati")  # 24 hours ahead
    at = FIRST + timedelta(days=1, hours=17)
    go_on(work, FIRST + timedelta(hours=32), at)
    assert got(store, kai) == [("2026-11-01/1", "11-01T17:00", "queued"), ("2026-11-02/1", "11-01T17:00", "queued")]
    assert store.write(claim_all, configuration, at)[kai] == ""
    assert [(one.occurrence, one.state, one.reason) for one in deliveries_of(store, kai)] == [
        ("2026-11-01/1", "sending", ""),
        ("2026-11-02/1", "skipped", Reason.ALL_HAD),
    ]


def test_who_subscribes_after_her_hour_has_the_next(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=26))
    at = FIRST + timedelta(hours=26, minutes=15)  # 07:45 in Kolkata, within catch_up
    reader, evening = add(store, "reader", KOLKATA, at=at), add(store, "evening", KOLKATA, "18:00", at=at)
    site.add_stories(store, [5], FIRST + timedelta(hours=40))
    go_on(work, at, FIRST + timedelta(hours=51))
    assert [one[0] for one in got(store, reader)] == ["2026-11-02/1"]
    assert [one[:2] for one in got(store, evening)] == [("2026-11-01/1", "11-01T12:30")]
    configuration, name = configured(site), row(store).name
    said = why(configuration, store, "reader@readers.example", name, FIRST + timedelta(hours=51))
    assert said.reason == Reason.NOT_SUBSCRIBED, said.sentence


def test_hours_missed_by_an_outage_say_so_and_the_others_keep_theirs(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    lost, saved, later = add(store, "lost", KOLKATA), add(store, "saved", "Asia/Dubai"), add(store, "later", NEW_YORK)
    Work(configured(site), store).advance(FIRST + timedelta(hours=23))
    back = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # 07:00 was at 01:30 in Kolkata, and at 03:00 in Dubai
    go_on(Work(configured(site), store), back, back + timedelta(hours=10))
    assert got(store, lost) == []
    assert [one[:2] for one in got(store, saved)] == [("2026-11-01/1", "11-01T03:00")]
    assert [one[:2] for one in got(store, later)] == [("2026-11-01/1", "11-01T12:00")]
    said = why(configured(site), store, "lost@readers.example", row(store).name, back + timedelta(hours=11))
    assert (said.outcome.value, said.reason) == ("skipped", "missed")
    assert "07:00 (Asia/Kolkata)" in said.sentence


def test_an_hour_that_passed_after_it_was_composed_is_missed_and_its_stories_come_the_next_day(
    site: SiteFolder, store: Store
) -> None:
    site.fill(seen_at=FIRST)
    lost, later = add(store, "lost", KOLKATA, at=FIRST), add(store, "later", NEW_YORK, at=FIRST)
    go_on(Work(configured(site), store), FIRST + timedelta(hours=24), FIRST + timedelta(hours=25, minutes=20))
    assert row(store).state is _S.APPROVED
    back = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # 07:00 was at 01:30 in Kolkata
    work = Work(configured(site), store)
    go_on(work, back, back + timedelta(hours=10))
    assert got(store, lost) == []
    assert [one[:2] for one in got(store, later)] == [("2026-11-01/1", "11-01T12:00")]
    deliver(store)
    go_on(work, back + timedelta(hours=10), back + timedelta(hours=22))
    assert [one[:2] for one in got(store, lost)] == [("2026-11-02/1", "11-02T01:30")]


def test_an_approval_that_comes_too_late_for_an_hour_lets_it_go_without_and_the_others_keep_theirs(
    tmp_path: Path, store: Store, store_url: str
) -> None:
    site = SiteFolder(
        tmp_path, store_url, 25, zone="UTC", schedule=SCHEDULE, more="approval: {mode: required, then: hold}"
    )
    site.fill(seen_at=FIRST)
    late, later = add(store, "late", KOLKATA, at=FIRST), add(store, "later", NEW_YORK, at=FIRST)
    work = Work(configured(site), store)
    approved = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # 07:00 was at 01:30 in Kolkata
    go_on(work, FIRST + timedelta(hours=24), approved)
    assert row(store).state is _S.HELD
    work.approve(row(store), actor="editor", now=approved)
    go_on(work, approved, approved + timedelta(hours=10))
    assert got(store, late) == []
    assert [one[:2] for one in got(store, later)] == [("2026-11-01/1", "11-01T12:00")]
    said = why(configured(site), store, "late@readers.example", row(store).name, approved + timedelta(hours=10))
    assert (said.outcome.value, said.reason) == ("skipped", "missed")


def test_a_pause_counts_for_what_was_due_before_it_ended_however_late_it_goes(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    paused, back = add(store, "paused"), add(store, "back")
    seven = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
    for reader, until in ((paused, seven + timedelta(minutes=30)), (back, seven)):
        change = PreferenceChange("daily", pause=Pause(until))
        store.write(change_preferences, reader, [change], Evidence(ConsentChannel.PAGE, JOINED))
    configuration = configured(site)
    Work(configuration, store).advance(seven - timedelta(minutes=20))
    said = why(configuration, store, "paused@readers.example", row(store).name, seven - timedelta(minutes=15))
    assert said.reason == Reason.PAUSED
    late = seven + timedelta(hours=1)
    Work(configuration, store).advance(late)
    assert list(store.write(claim_all, configuration, late)) == [back]
    assert [(one.state, one.reason) for one in deliveries_of(store, paused)] == [("skipped", "paused")]


def test_nobody_gets_what_was_given_up(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    meera = add(store, "meera", KOLKATA, at=FIRST)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=24), FIRST + timedelta(hours=25, minutes=20))
    [edition] = store.read(editions.for_occurrence, row(store).id)
    store.write(editions.give_up, edition, Reason.MISSED, FIRST)
    [due] = [one for one in work.cohorts.of(row(store)) if str(one.cohort) == edition.cohort]
    made = store.write(
        fan_out.fan_out_page, edition.id, languages=("en",), expires_at=FIRST, now=FIRST, places=due.places
    )
    assert (made, got(store, meera)) == (0, [])


def test_a_cohort_for_which_there_is_nothing_new_says_so(site: SiteFolder, store: Store) -> None:
    add(store, "meera", KOLKATA)
    anna = add(store, "anna", NEW_YORK)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=28))
    assert row(store).state is _S.PLANNED
    site.fill(seen_at=FIRST + timedelta(hours=30))
    go_on(work, FIRST + timedelta(hours=30), FIRST + timedelta(hours=37))
    assert [one[0] for one in got(store, anna)] == ["2026-11-01/1"]
    said = why(configured(site), store, "meera@readers.example", row(store).name, FIRST + timedelta(hours=37))
    assert (said.outcome.value, said.reason) == ("skipped", "empty")


def test_a_date_on_which_no_hour_brought_anything_is_skipped_as_empty(site: SiteFolder, store: Store) -> None:
    add(store, "meera", KOLKATA)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=54))
    assert row(store).state is _S.PLANNED, "somebody may come whose clock shows no six in the evening yet"
    go_on(work, FIRST + timedelta(hours=54), FIRST + timedelta(hours=55))
    assert (row(store).state, row(store).reason) == (_S.SKIPPED, Reason.EMPTY)


def test_the_first_reader_gets_the_date_whose_hour_is_still_to_come_for_her(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    work = Work(configured(site), store)
    noon = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    go_on(work, noon - timedelta(hours=13), noon)
    leilani = add(store, "leilani", "Pacific/Honolulu", at=noon)
    go_on(work, noon, noon + timedelta(hours=6))
    assert [one[:2] for one in got(store, leilani)] == [("2026-11-01/1", "11-01T17:00")]


def test_a_date_on_which_nobody_was_there_says_so(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    go_on(Work(configured(site), store), FIRST + timedelta(hours=23), FIRST + timedelta(hours=55), timedelta(hours=1))
    found = row(store)
    assert (found.state, found.reason, found.detail) == (
        _S.SKIPPED,
        Reason.EMPTY,
        "nobody was there to get it at any hour",
    )


@pytest.mark.parametrize("before", [timedelta(hours=5), timedelta(minutes=10)], ids=["planned", "approved"])
def test_a_send_by_hand_reaches_every_hour_at_once(site: SiteFolder, store: Store, before: timedelta) -> None:
    site.fill(seen_at=FIRST)
    readers = [add(store, name, zone, at=FIRST) for name, zone in (("a", KOLKATA), ("b", NEW_YORK), ("c", ""))]
    now = datetime(2026, 11, 1, 1, 30, tzinfo=UTC) - before  # seven in Kolkata comes in so long
    configuration = configured(site)
    Work(configuration, store).advance(now)
    assert row(store).state is (_S.PLANNED if before > timedelta(hours=1) else _S.APPROVED)
    by_hand.begin(Work(configuration, store), by_hand.Plan(row(store), None, lambda: 3), [], now)

    def on_the_day() -> list[int]:
        return [sum(one[0] == "2026-11-01/1" for one in got(store, reader)) for reader in readers]

    assert on_the_day() == [1, 1, 1]
    go_on(Work(configuration, store), now, now + timedelta(hours=20))
    assert on_the_day() == [1, 1, 1], "their own hours do not bring it once more"


def test_what_is_going_out_at_each_readers_hour_is_not_sent_by_hand(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    add(store, "a", KOLKATA)
    add(store, "c", NEW_YORK)
    work = Work(configured(site), store)
    go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=27))
    with pytest.raises(NothingToSend, match="own hour"):
        by_hand.begin(work, by_hand.Plan(row(store), None, lambda: 2), [], FIRST + timedelta(hours=27))


def test_a_send_to_one_leaves_her_cohort_and_the_others_their_hour(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    reader, other, west = (add(store, name, zone) for name, zone in (("a", KOLKATA), ("b", KOLKATA), ("c", NEW_YORK)))
    now = FIRST + timedelta(hours=23)
    configuration = configured(site)
    work = Work(configuration, store)
    work.advance(now)
    by_hand.begin(work, by_hand.Plan(row(store), None, lambda: 1), ["a@readers.example"], now)
    assert [one[0] for one in got(store, reader)] == ["2026-11-01/1"]
    assert got(store, other) == got(store, west) == []
    go_on(work, now, FIRST + timedelta(hours=37))
    assert [[one[1] for one in got(store, who)] for who in (reader, other, west)] == [
        ["11-01T01:30"],
        ["11-01T01:30"],
        ["11-01T12:00"],
    ]


def test_the_inbox_planner_shows_her_hour(site: SiteFolder, store: Store) -> None:
    site.fill(seen_at=FIRST)
    add(store, "anna", NEW_YORK, "18:00", FIRST)
    now = FIRST + timedelta(hours=12)
    Work(configured(site), store).advance(now)
    lines = inbox(configured(site), store, "anna@readers.example", now, 4)
    assert [one.local for one in lines] == [
        "2026-10-31T18:00-04:00",
        "2026-11-01T18:00-05:00",
        "2026-11-02T18:00-05:00",
        "2026-11-03T18:00-05:00",
    ]
    assert all(one.comes for one in lines), [one.sentence for one in lines]


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], "c"),
        ([("a", 5)], "c"),  # its hour there is still to come
        ([("a", 25)], "a"),  # it is past: the old one for the last time
        ([("a", 5), ("b", 25)], "b"),
        ([("a", 12), ("b", 25)], "a"),  # b's was past when she came, and so was c's
        ([("week", 15)], "c"),  # she came to this stream before it was due there
        ([("week", 25)], ""),  # and after
        ([("c", 15), ("week", 18)], "c"),  # away and back again before it was due
        ([("c", 25), ("week", 28)], "c"),  # and after: it had been due where she was
        ([("c", 15), ("week", 25)], ""),  # she was away when it was due
    ],
)
def test_where_she_stands_for_one_date_follows_her_moves(moves: Sequence[tuple[str, int]], expected: str) -> None:
    hours = {"a": 30, "b": 10, "c": 20}
    due = {place(name): FIRST + timedelta(hours=hour) for name, hour in hours.items()}
    moved = [Move(1, place(name), FIRST + timedelta(hours=at)) for name, at in moves]
    stands = stands_for(place("c"), moved, due.get, lambda one: one.stream is Stream.EACH)
    assert stands == (place(expected) if expected else None)


def place(name: str) -> Place:
    """Where readers stand who have that newsletter each time, in a zone of this name; ``week``: once a week."""
    return Place(Stream.WEEKLY if name == "week" else Stream.EACH, name, "")


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-29T03:30+02:00"),  # 02:30 is not: forward by the gap
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-25T02:30+02:00"),  # 02:30 is twice: the first
        ("Pacific/Apia", date(2011, 12, 30), None),  # the date that Samoa left out
    ],
)
def test_an_hour_that_a_clock_shows_twice_or_not_at_all(zone: str, day: date, expected: str | None) -> None:
    at = due_on(SEVEN, Cohort(zone, "02:30"), day)
    shown = at.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") if at else None
    assert shown == expected
