"""What will come to one reader, when and why: what is said is what ``why`` says and what is then done."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from newsletter.config.reading import Configuration
from newsletter.errors import UsageError
from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.model import ConsentChannel, DeliveryState, EditionName, Occurrence, OccurrenceState, Reason
from newsletter.schedule.explaining import why
from newsletter.schedule.inbox import Coming, inbox
from newsletter.schedule.planning import plan_ahead
from newsletter.schedule.work import Work
from newsletter.store import Store, occurrences, tables
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.schedule import test_cohorts as cohorts
from tests.schedule.test_cohorts import FIRST, configured
from tests.schedule.test_preferences import EVENING_EDITION, add, go_on, publish, two_newsletters, went_to
from tests.schedule.test_streams import MONDAY
from tests.support.ledger import add_delivery
from tests.support.site_folder import SiteFolder
from tests.support.web_server import a_site

READER = "reader00001@readers.example"


@pytest.fixture
def site(tmp_path: Path) -> Configuration:
    return a_site(tmp_path)


def shown(store: Store, site: Configuration, days: int = 7) -> list[tuple[str, bool, str]]:
    return [(one.edition, one.comes, one.reason) for one in inbox(site, store, READER, NOW, days)]


def test_a_week_holds_each_turn_of_each_of_her_newsletters_by_time(store: Store, site: Configuration) -> None:
    add_subscribers(store, 1, newsletters=("daily", "weekly"))
    found = inbox(site, store, READER, NOW, 7)
    assert [one.edition for one in found] == [
        *(f"daily@2026-11-{day}/1" for day in range(24, 29)),
        "weekly@2026-11-28/1",
        "daily@2026-11-29/1",
        "daily@2026-11-30/1",
    ]
    assert all(one.comes for one in found)
    assert found[0].local == "2026-11-24T07:00+05:30"
    assert found[0].due_at == NOW.replace(day=24, hour=1, minute=30)
    plan_ahead(store, site, NOW)
    assert [one.edition for one in inbox(site, store, READER, NOW, 7)] == [one.edition for one in found]


def test_each_line_is_the_answer_of_why(store: Store, site: Configuration) -> None:
    add_subscribers(store, 1, newsletters=("daily", "weekly"))
    plan_ahead(store, site, NOW)
    found = inbox(site, store, READER, NOW, 9)
    assert len(found) > 9
    for one in found:
        said = why(site, store, READER, EditionName.parse(one.edition), NOW)
        assert (said.sentence, said.due_at, said.preferences) == (one.sentence, one.due_at, one.preferences)


def test_a_pause_leaves_out_those_within_it_alone(store: Store, site: Configuration) -> None:
    add_subscribers(store, 1)

    def pause(connection: Connection) -> None:
        connection.execute(update(tables.subscriptions).values(paused_until=NOW + timedelta(days=2)))

    store.write(pause)
    assert shown(store, site, 4) == [
        ("daily@2026-11-24/1", False, "paused"),
        ("daily@2026-11-25/1", False, "paused"),
        ("daily@2026-11-26/1", True, ""),
        ("daily@2026-11-27/1", True, ""),
    ]


def test_of_a_newsletter_she_left_there_is_one_line_and_of_one_she_never_had_none(
    store: Store, site: Configuration
) -> None:
    (reader,) = add_subscribers(store, 1)
    store.write(consent.unsubscribe, reader, "daily", Evidence(ConsentChannel.CLI, NOW))
    assert shown(store, site) == [("daily@2026-11-24/1", False, "unsubscribed")]


def test_what_waits_for_a_sender_is_to_come_and_what_was_sent_or_skipped_is_not(
    store: Store, site: Configuration
) -> None:
    (reader,) = add_subscribers(store, 1)
    add_delivery(store, reader, DeliveryState.QUEUED)
    first = inbox(site, store, READER, NOW, 1)
    assert [one.edition for one in first] == ["daily@2026-11-23/1", "daily@2026-11-24/1"]
    assert "waits for a sender" in first[0].sentence
    store.write(
        lambda connection: connection.execute(update(tables.deliveries).values(state="sent", message_id="<1@x>"))
    )
    assert [one.edition for one in inbox(site, store, READER, NOW, 1)] == ["daily@2026-11-24/1"]
    occurrence_id, _ = add_occurrence(
        store, occurrence=Occurrence(date(2026, 11, 24), 1), state=OccurrenceState.COMPOSED
    )
    store.write(occurrences.skip, occurrence_id, reason=Reason.BY_HAND, now=NOW)
    assert inbox(site, store, READER, NOW, 1) == []


def test_a_stranger_is_named_with_what_to_do(store: Store, site: Configuration) -> None:
    with pytest.raises(UsageError, match=r"history nobody@readers\.example"):
        inbox(site, store, "nobody@readers.example", NOW, 7)


def test_only_the_newsletters_asked_for_are_shown(store: Store, site: Configuration) -> None:
    add_subscribers(store, 1, newsletters=("daily", "weekly"))
    found: list[Coming] = inbox(site, store, READER, NOW, 7, newsletters=["weekly"])
    assert {one.newsletter for one in found} == {"weekly"}


def test_what_she_will_have_had_all_of_is_foretold_as_that_and_so_it_comes(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    folder = two_newsletters(tmp_path, store_url)
    publish(store, 1, "National", MONDAY)
    had_all, has_another = add(store, "ann"), add(store, "ben", "World")
    go_on(folder, store, MONDAY + timedelta(hours=6, minutes=40), MONDAY + timedelta(hours=17, minutes=40))
    before = MONDAY + timedelta(hours=17, minutes=40)
    lines = inbox(configured(folder), store, "ann@readers.example", before, 1)
    assert [(one.edition, one.comes, one.reason) for one in lines] == [
        (EVENING_EDITION, False, "all_had"),
        ("daily@2026-11-03/1", True, ""),
    ]
    assert "had all of its stories that day in another newsletter. Due 18:00" in lines[0].sentence
    assert "0 of 1 story; 1 left out because daily carried it at 07:00" in lines[0].sentence
    [hers, _] = inbox(configured(folder), store, "ben@readers.example", before, 1)
    assert (hers.comes, hers.reason) == (False, "no_stories")
    go_on(folder, store, MONDAY + timedelta(hours=17, minutes=50), MONDAY + timedelta(hours=18, minutes=10))
    assert went_to(store, had_all)[-1] == (EVENING_EDITION, "skipped", "all_had")
    assert went_to(store, has_another)[-1] == (EVENING_EDITION, "skipped", "no_stories")


def test_who_joins_before_her_hour_of_a_date_that_is_sent_elsewhere_is_shown_it_and_gets_it(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    folder = SiteFolder(tmp_path, store_url, 25, zone="UTC", schedule='{deliver_at: "07:00 subscriber"}')
    folder.fill(seen_at=FIRST)
    cohorts.add(store, "there", cohorts.KOLKATA, at=FIRST)
    noon = FIRST + timedelta(hours=34)
    work = Work(configured(folder), store)
    cohorts.go_on(work, FIRST + timedelta(hours=23), FIRST + timedelta(hours=26))
    cohorts.deliver(store)
    cohorts.go_on(work, FIRST + timedelta(hours=26), noon)
    assert cohorts.row(store).state is OccurrenceState.SENT
    west = cohorts.add(store, "west", "Pacific/Honolulu", at=noon)
    lines = inbox(configured(folder), store, "west@readers.example", noon, 2)
    assert [(one.edition, one.local, one.comes) for one in lines] == [
        ("daily@2026-11-01/1", "2026-11-01T07:00-10:00", True),
        ("daily@2026-11-02/1", "2026-11-02T07:00-10:00", True),
    ]
    there = inbox(configured(folder), store, "there@readers.example", noon, 2)
    assert [one.edition for one in there] == ["daily@2026-11-02/1", "daily@2026-11-03/1"], "she had the first"
    cohorts.go_on(work, noon, FIRST + timedelta(hours=42))
    assert cohorts.got(store, west) == [("2026-11-01/1", "11-01T17:00", "queued")]


def test_a_day_ahead_ends_at_her_own_hour_whether_the_date_is_planned_yet_or_not(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    folder = SiteFolder(tmp_path, store_url, 25, zone="UTC", schedule=cohorts.SCHEDULE)
    cohorts.add(store, "anna", cohorts.NEW_YORK, "18:00", at=FIRST)
    now = FIRST + timedelta(hours=12)

    def lines(days: int) -> list[str]:
        return [one.local for one in inbox(configured(folder), store, "anna@readers.example", now, days)]

    before = [lines(days) for days in (1, 2, 3)]
    assert before[0] == ["2026-10-31T18:00-04:00"]
    Work(configured(folder), store).advance(now)
    assert [lines(days) for days in (1, 2, 3)] == before
