"""why, status and schedule: what was decided, what is running, what is to come."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.model import DeliveryState, OccurrenceState
from newsletter.store import Store, articles, heartbeats, occurrences, sources
from newsletter.store.articles import Identity, IdentityKind, Remembrance
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.sources import Fetch, Outcome, SourceRow
from tests.builders import NOW, add_occurrence, add_subscribers, an_incoming_article
from tests.support.console import Folder
from tests.support.ledger import add_delivery

AT = ("--now", "2026-11-23T06:00Z")


def beat(folder: Folder, *names: str, at: datetime = NOW, error: str = "") -> None:
    """Leave heartbeats as a running process does."""
    with folder.store() as store:
        for name in names:
            store.write(heartbeats.beat, name, at, at + timedelta(seconds=11), error)


def test_why_reads_the_ledger(folder: Folder) -> None:
    with folder.store() as store:
        (reader,) = add_subscribers(store, 1)
        add_delivery(store, reader, DeliveryState.FAILED)
    answer = folder.run(*AT, "why", "Reader00001@readers.example", "daily@2026-11-23/1", "--json").json
    assert (answer["outcome"], answer["state"]) == ("failed", "failed")
    assert answer["reply"] == "550 reader00001@readers.example unknown"
    assert answer["at"] == "2026-11-23T06:00:00Z"
    said = folder.run(*AT, "why", "reader00001@readers.example", "daily@2026-11-23/1")
    assert said.out == answer["sentence"] + "\n"
    assert len(said.out.splitlines()) == 1


def test_why_of_somebody_unknown_and_of_what_is_to_come_needs_no_row(folder: Folder) -> None:
    assert folder.run("subscribers", "add", "asha@example.org", "-n", "daily").code == 0
    coming = folder.run(*AT, "why", "asha@example.org", "daily@2026-12-01/1", "--json").json
    assert (coming["outcome"], coming["due_at"]) == ("waiting", "2026-12-01T01:30:00Z")
    assert "would get it" in coming["sentence"]
    nobody = folder.run(*AT, "why", "nobody@example.org", "daily@2026-12-01/1", "--json").json
    assert (nobody["outcome"], nobody["reason"]) == ("not_addressed", "not_subscribed")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["asha@example.org", "daily@2026-12-01/2"], "the schedule has no such turn"),
        (["asha@example.org", "dayly@2026-12-01/1"], "Did you mean 'daily'?"),
        (["asha@example.org", "daily"], "is not an edition"),
        (["asha", "daily@2026-12-01/1"], "asha"),
    ],
)
def test_a_question_about_nothing_is_one_line(folder: Folder, arguments: list[str], words: str) -> None:
    folder.run(*AT, "why", *arguments).refused(2, words)


def test_status_of_a_running_site_is_fine(folder: Folder) -> None:
    beat(folder, "scheduler", "sender", "collector")
    found = folder.run("--now", "2026-11-23T06:00:30Z", "status", "--json")
    assert found.code == 0, found
    assert found.json["ok"] is True
    (daily,) = found.json["newsletters"]
    assert (daily["next"], daily["next_due_at"]) == ("daily@2026-11-24/1", "2026-11-24T01:30:00Z")
    assert {beat["name"] for beat in found.json["heartbeats"]} == {"scheduler", "sender", "collector"}
    in_words = folder.run("--now", "2026-11-23T06:00:30Z", "status")
    assert (in_words.code, in_words.err) == (0, "")
    assert "daily@2026-11-24/1" in in_words.out


def test_status_warns_of_a_scheduler_that_fell_silent(folder: Folder) -> None:
    folder.run(*AT, "status").refused(1, "no scheduler has ever run")
    beat(folder, "scheduler")
    folder.run("--now", "2026-11-23T07:00Z", "status").refused(
        1, "the scheduler has been silent since 2026-11-23 06:00"
    )
    beat(folder, "scheduler", error="the disk is full")
    folder.run(*AT, "status").refused(1, "the scheduler reports: the disk is full")


def test_status_lists_what_a_person_has_to_look_at(folder: Folder) -> None:
    beat(folder, "scheduler", "sender")
    (folder.path / "inbox").rmdir()
    assert folder.run(*AT, "collect").code == 6

    with folder.store() as store:
        (reader,) = add_subscribers(store, 1)
        add_delivery(store, reader, DeliveryState.SENDING, sender=0)
        row = store.read(occurrences.listing)[0]
        store.write(hold_it, row)
    found = folder.run(*AT, "status", "--json")
    assert found.code == 1
    problems = found.json["problems"]
    assert any("daily@2026-11-23/1 is held: card.html:3: wrong" in line for line in problems)
    assert any("source inbox failed once" in line for line in problems)
    assert folder.run(*AT, "status").err.count("\n") == len(problems)


def hold_it(connection: object, row: OccurrenceRow) -> None:
    from sqlalchemy import Connection

    from newsletter.model import Reason

    assert isinstance(connection, Connection)
    occurrences.hold(connection, row.id, reason=Reason.TEMPLATE_ERROR, detail="card.html:3: wrong", now=NOW)


def test_the_schedule_needs_neither_store_nor_site_key(folder: Folder) -> None:
    (folder.path / "site.key").unlink()
    found = folder.run(*AT, "schedule", "daily", "--json")
    assert found.code == 0, found
    assert [row["occurrence"] for row in found.json] == [f"2026-11-{day}/1" for day in range(23, 30)]
    assert found.json[0] == {
        "newsletter": "daily",
        "occurrence": "2026-11-23/1",
        "local": "2026-11-23T07:00:00+05:30",
        "utc": "2026-11-23T01:30:00Z",
    }
    assert not (folder.path / "newsletter.db").exists()


def test_the_schedule_says_when_the_first_and_the_last_reader_may_have_what_comes_on_their_own_clocks(
    folder: Folder,
) -> None:
    folder.edit('{at: "07:00"}', '{deliver_at: "07:00 subscriber", hours: ["06:30", "21:00"], days: [mon]}')
    (row,) = folder.run(*AT, "schedule", "daily", "--json").json
    assert row == {
        "newsletter": "daily",
        "occurrence": "2026-11-23/1",
        "local": "2026-11-23T07:00:00+05:30",
        "utc": "2026-11-23T01:30:00Z",
        "first_utc": "2026-11-22T16:30:00Z",  # 06:30 in Kiritimati
        "last_utc": "2026-11-24T09:00:00Z",  # 21:00 where the date begins last
    }
    assert "2026-11-22T16:30:00Z to 2026-11-24T09:00:00Z" in " ".join(folder.run(*AT, "schedule").out.split())


def test_the_schedule_gives_the_local_time_that_clocks_show_in_a_gap(folder: Folder) -> None:
    folder.edit("timezone: Asia/Kolkata", "timezone: Europe/Berlin")
    folder.edit('{at: "07:00"}', '{at: "02:30"}')
    found = folder.run("schedule", "--from", "2026-03-28", "--to", "2026-03-30", "--json").json
    assert [row["local"] for row in found] == [
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]
    for row in found:
        local, utc = datetime.fromisoformat(row["local"]), datetime.fromisoformat(row["utc"])
        assert local == utc
        assert utc.astimezone(ZoneInfo("Europe/Berlin")).isoformat() == row["local"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dayly"], "Did you mean 'daily'?"),
        (["--from", "tomorrow"], "--from: 'tomorrow' is not a date"),
        (["--from", "2026-11-30", "--to", "2026-11-01"], "--to: 2026-11-01 is before 2026-11-30"),
    ],
)
def test_a_schedule_that_cannot_be_shown_is_one_line(folder: Folder, arguments: list[str], words: str) -> None:
    folder.run("schedule", *arguments).refused(2, words)


def test_an_overdue_occurrence_is_a_problem(folder: Folder) -> None:
    beat(folder, "scheduler", "sender", at=NOW + timedelta(hours=1))
    with folder.store() as store:
        add_occurrence(store, state=OccurrenceState.COMPOSED)
    folder.run("--now", "2026-11-23T07:00Z", "status").refused(1, "was due at 2026-11-23 06:00:00 UTC", "only composed")


def arrivals_every_40_minutes(store: Store, last: datetime) -> None:
    for number in range(30):
        one = an_incoming_article(source="inbox", url=f"https://news.example/{number}", guid=str(number))
        known_by = Identity(IdentityKind.URL, f"{number:064}")
        arrived = last - timedelta(minutes=40 * number)
        store.write(articles.remember, [Remembrance(one, (known_by,))], now=arrived)


def collected_at(store: Store, at: datetime) -> None:
    """Have it that nothing new was found then."""
    row = SourceRow("inbox", "folder", "inbox", last_success_at=at, next_due_at=at + timedelta(hours=1))
    store.write(sources.record, row, Fetch("inbox", at, Outcome.UNCHANGED, 5))


def test_status_warns_of_a_source_that_is_quiet_beyond_its_habit(folder: Folder) -> None:
    beat(folder, "scheduler", "sender")
    with folder.store() as store:
        arrivals_every_40_minutes(store, NOW - timedelta(minutes=39))
        collected_at(store, NOW)
    assert folder.run("--now", "2026-11-23T06:00:10Z", "status").code == 0
    with folder.store() as store:
        collected_at(store, NOW + timedelta(hours=8))
    beat(folder, "scheduler", "sender", at=NOW + timedelta(hours=8))
    at_two = ("--now", "2026-11-23T14:00:10Z", "status")
    folder.run(*at_two).refused(1, "source inbox: nothing new for 9 h; usually every 40 min")
    (source,) = [one for one in folder.run(*at_two, "--json").json["sources"] if one["name"] == "inbox"]
    assert (source["usual_seconds"], source["quiet_seconds"]) == (2400.0, 8 * 3600 + 39 * 60)
    assert source["last_new_at"] == "2026-11-23T05:21:00Z"


def test_a_source_that_nobody_looked_at_is_not_called_quiet(folder: Folder) -> None:
    beat(folder, "scheduler", "sender", at=NOW + timedelta(hours=8))
    with folder.store() as store:
        arrivals_every_40_minutes(store, NOW)
        collected_at(store, NOW)
    found = folder.run("--now", "2026-11-23T14:00:10Z", "status")
    assert "nothing new" not in found.err
    assert "has not been collected" in found.err


def test_the_schedule_for_a_reader_says_what_comes_and_what_does_not(folder: Folder) -> None:
    assert folder.run(*AT, "subscribers", "add", "asha@example.org", "-n", "daily").code == 0
    found = folder.run(*AT, "schedule", "--for", "Asha@example.org", "--days", "2", "--json").json
    assert [one["edition"] for one in found if one["comes"]] == ["daily@2026-11-24/1", "daily@2026-11-25/1"]
    assert found[0]["local"] == "2026-11-24T07:00+05:30"
    assert found[0]["preferences"]["language"] == "en"
    assert "would get it" in found[0]["sentence"]
    assert folder.run(*AT, "subscribers", "unsubscribe", "asha@example.org", "-n", "daily").code == 0
    left = folder.run(*AT, "schedule", "--for", "asha@example.org")
    assert left.code == 0
    assert "unsubscribed" in " ".join(left.out.split())
    assert len(folder.run(*AT, "schedule", "--for", "asha@example.org", "--json").json) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--for", "nobody@example.org"], "is not a subscriber"),
        (["--for", "asha"], "asha"),
        (["--for", "asha@example.org", "--to", "2026-12-01"], "--days"),
        (["--days", "3", "--to", "2026-12-01"], "both say where it ends"),
    ],
)
def test_what_cannot_be_shown_for_a_reader_is_one_line(folder: Folder, arguments: list[str], words: str) -> None:
    ran = folder.run(*AT, "schedule", *arguments)
    assert ran.code != 0
    assert words in ran.err
    assert len(ran.err.splitlines()) == 1


def test_days_say_how_far_the_schedule_goes(folder: Folder) -> None:
    assert len(folder.run(*AT, "schedule", "--days", "3", "--json").json) == 3
