"""What `why` finds out about one reader and one edition, asked of editions that were really made and sent."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from newsletter.members import subscribing
from newsletter.members.consent import Evidence
from newsletter.members.signing_up import AWAITING
from newsletter.model import ConsentAction, ConsentChannel, EditionName, Stream
from newsletter.schedule.explaining import Answer, Outcome, why
from newsletter.schedule.work import Work
from newsletter.store import Store, consents, subscriptions
from tests.schedule.test_cohorts import (
    FIRST,
    JOINED,
    KOLKATA,
    add,
    claim_all,
    configured,
    deliver,
    go_on,
    got,
    move,
    row,
)
from tests.schedule.test_streams import HOUR, MONDAY, STREAMS, change
from tests.schedule.test_streams import add as subscribe
from tests.support.site_folder import SiteFolder

MINUTE = timedelta(minutes=1)
DUE = FIRST + 25 * HOUR + 30 * MINUTE  # seven in Kolkata on 1 November
SUNDAY, MORNING = "daily@2026-11-01/1", "daily@2026-11-02/1"
OWN_HOUR = '{deliver_at: "07:00 subscriber"}'
GATES = "{web: false, lint: false, same_subject: false}"


def a_site(folder: Path, store_url: str, schedule: str, **settings: object) -> SiteFolder:
    return SiteFolder(folder, store_url, 25, zone="UTC", schedule=schedule, gates=GATES, **settings)


def asked(site: SiteFolder, store: Store, reader: str, edition: str, now: datetime) -> Answer:
    return why(configured(site), store, f"{reader}@readers.example", EditionName.parse(edition), now)


def test_who_subscribed_after_her_hour_is_told_so_though_the_edition_came_late(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = a_site(tmp_path, store_url, OWN_HOUR)
    site.fill(seen_at=FIRST)
    add(store, "there", KOLKATA, at=FIRST)
    Work(configured(site), store).advance(FIRST + 24 * HOUR)
    late = add(store, "late", KOLKATA, at=DUE + 15 * MINUTE)
    before = asked(site, store, "late", SUNDAY, DUE + 20 * MINUTE)
    go_on(Work(configured(site), store), DUE + 30 * MINUTE, DUE + HOUR)
    assert got(store, late) == []
    for said in (before, asked(site, store, "late", SUNDAY, DUE + 2 * HOUR)):
        assert (said.outcome, said.reason) == (Outcome.NOT_ADDRESSED, "not_subscribed"), said.sentence
        assert "subscribed on 2026-11-01 at 07:15 (Asia/Kolkata), after daily@2026-11-01/1 was due" in said.sentence
        assert said.at == DUE + 15 * MINUTE


def test_who_came_back_after_her_hour_is_told_so(tmp_path: Path, store_url: str, store: Store) -> None:
    site = a_site(tmp_path, store_url, OWN_HOUR)
    site.fill(seen_at=FIRST)
    add(store, "there", KOLKATA, at=FIRST)
    back = add(store, "back", KOLKATA, at=FIRST)
    Work(configured(site), store).advance(FIRST + 24 * HOUR)
    again = Evidence(ConsentChannel.PAGE, DUE + 10 * MINUTE)
    store.write(subscriptions.unsubscribe, back, "daily", DUE + 5 * MINUTE)
    store.write(subscriptions.activate, back, "daily", again.at)
    store.write(consents.record, [again.of(back, ConsentAction.SUBSCRIBED, "daily")])
    go_on(Work(configured(site), store), DUE + 30 * MINUTE, DUE + HOUR)
    assert got(store, back) == []
    said = asked(site, store, "back", SUNDAY, DUE + 2 * HOUR)
    assert (said.outcome, said.reason) == (Outcome.NOT_ADDRESSED, "not_subscribed"), said.sentence
    assert "subscribed on 2026-11-01 at 07:10" in said.sentence


def test_who_had_signed_up_and_confirmed_only_afterwards_is_told_when(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = a_site(tmp_path, store_url, '{at: "07:00"}')
    site.fill(seen_at=MONDAY)
    subscribe(store, "there")
    go_on(Work(configured(site), store), MONDAY + 6 * HOUR + 40 * MINUTE, MONDAY + 7 * HOUR + 10 * MINUTE)
    late = subscribe(store, "late", at=MONDAY + 8 * HOUR)
    signed_up = Evidence(ConsentChannel.FORM, MONDAY + 6 * HOUR)
    store.write(consents.record, [signed_up.of(late, ConsentAction.SUBSCRIBED, "daily", AWAITING)])
    said = asked(site, store, "late", MORNING, MONDAY + 9 * HOUR)
    assert (said.outcome, said.reason) == (Outcome.NOT_ADDRESSED, "not_subscribed"), said.sentence
    assert "subscribed on 2026-11-02 at 08:00 (UTC), after the deliveries" in said.sentence


def test_who_changed_to_the_weekly_before_a_late_edition_was_sent_is_told_so(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = a_site(tmp_path, store_url, '{at: "07:00"}', more=STREAMS)
    site.fill(seen_at=MONDAY)
    reader = subscribe(store, "reader")
    subscribe(store, "there")
    Work(configured(site), store).advance(MONDAY + 6 * HOUR + 40 * MINUTE)
    change(store, reader, Stream.WEEKLY, MONDAY + 7 * HOUR + 20 * MINUTE)
    before = asked(site, store, "reader", MORNING, MONDAY + 7 * HOUR + 30 * MINUTE)
    go_on(Work(configured(site), store), MONDAY + 8 * HOUR, MONDAY + 8 * HOUR + 20 * MINUTE)
    assert got(store, reader) == []
    for said in (before, asked(site, store, "reader", MORNING, MONDAY + 10 * HOUR)):
        assert (said.outcome, said.reason) == (Outcome.NOT_ADDRESSED, "stream_changed"), said.sentence
        assert "at another frequency" in said.sentence


def test_who_came_into_the_target_after_the_deliveries_is_told_so(tmp_path: Path, store_url: str, store: Store) -> None:
    site = a_site(tmp_path, store_url, '{at: "07:00"}', more="target: tag = founder")
    file = tmp_path / "schedules.yaml"
    file.write_text(f"tags: [founder]\n{file.read_text()}")
    site.fill(seen_at=MONDAY)
    for name in ("founder", "later"):
        subscribe(store, name)

    def found(name: str, at: datetime) -> None:
        one = subscribing.Enrolment(f"{name}@readers.example", (f"hash-{name}",), (), tags=("founder",))
        store.write(subscribing.subscribe, [one], Evidence(ConsentChannel.CLI, at))

    found("founder", MONDAY)
    go_on(Work(configured(site), store), MONDAY + 6 * HOUR + 40 * MINUTE, MONDAY + 7 * HOUR + 10 * MINUTE)
    before = asked(site, store, "later", MORNING, MONDAY + 8 * HOUR)
    found("later", MONDAY + 9 * HOUR)
    after = asked(site, store, "later", MORNING, MONDAY + 10 * HOUR)
    for said in (before, after):
        assert (said.outcome, said.reason) == (Outcome.NOT_ADDRESSED, "not_targeted"), said.sentence
    assert "was not in the newsletter's target when the deliveries of daily@2026-11-02/1 were made" in after.sentence


def test_an_edition_that_was_approved_too_late_for_her_hour_says_so(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = a_site(tmp_path, store_url, OWN_HOUR, more="approval: {mode: required, then: hold}")
    site.fill(seen_at=FIRST)
    add(store, "there", KOLKATA, at=FIRST)
    add(store, "dubai", "Asia/Dubai", at=FIRST)  # whose seven is 03:00 UTC
    approved = FIRST + 29 * HOUR + 30 * MINUTE
    go_on(Work(configured(site), store), FIRST + 24 * HOUR, approved)
    work = Work(configured(site), store)
    work.approve(row(store), actor="editor", now=approved)
    go_on(work, approved, approved + HOUR)
    said = asked(site, store, "dubai", SUNDAY, approved + 2 * HOUR)
    assert (said.outcome, said.reason) == (Outcome.SKIPPED, "missed")
    assert "late by more than catch_up, as it was approved only on 2026-11-01 at 09:30 (Asia/Dubai)" in said.sentence


def test_an_hour_that_an_outage_took_says_that_it_was_late_and_blames_no_editor(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = a_site(tmp_path, store_url, OWN_HOUR)
    site.fill(seen_at=FIRST)
    add(store, "there", KOLKATA, at=FIRST)
    add(store, "west", "America/New_York", at=FIRST)
    go_on(Work(configured(site), store), FIRST + 23 * HOUR, FIRST + 24 * HOUR)
    go_on(Work(configured(site), store), DUE + 3 * HOUR, DUE + 4 * HOUR)
    said = asked(site, store, "there", SUNDAY, DUE + 5 * HOUR)
    assert (said.outcome, said.reason) == (Outcome.SKIPPED, "missed"), said.sentence
    assert said.sentence.endswith("it was late by more than catch_up.")


def test_who_had_all_of_it_at_her_old_hour_is_not_told_of_another_newsletter(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = a_site(tmp_path, store_url, OWN_HOUR)
    site.fill(seen_at=FIRST)
    kai = add(store, "kai", "Pacific/Honolulu")
    add(store, "there", "Pacific/Kiritimati")
    work = Work(configured(site), store)
    go_on(work, FIRST + 23 * HOUR, FIRST + 31 * HOUR)
    move(store, kai, FIRST + 31 * HOUR + 27 * MINUTE, zone="Pacific/Kiritimati")
    at = FIRST + 41 * HOUR
    go_on(work, FIRST + 32 * HOUR, at)
    foretold = asked(site, store, "kai", MORNING, at)
    store.write(claim_all, work.configuration, at)
    said = asked(site, store, "kai", MORNING, at + HOUR)
    assert (said.outcome, said.reason) == (Outcome.SKIPPED, "all_had"), said.sentence
    for sentence in (foretold.sentence, said.sentence):
        assert "had all of its stories in this one before a change of hour, zone or frequency" in sentence
    assert foretold.outcome is Outcome.WAITING
    assert "would be skipped now" in foretold.sentence


def test_the_answer_says_by_whose_clock_it_comes(tmp_path: Path, store_url: str, store: Store) -> None:
    site = a_site(tmp_path, store_url, OWN_HOUR)
    site.fill(seen_at=FIRST)
    add(store, "there", KOLKATA, at=FIRST)
    coming = asked(site, store, "there", MORNING, FIRST + 26 * HOUR)
    go_on(Work(configured(site), store), FIRST + 24 * HOUR, DUE)
    deliver(store)
    sent = asked(site, store, "there", SUNDAY, DUE + HOUR)
    assert sent.outcome is Outcome.SENT
    for said in (coming, sent):
        assert (said.zone, said.hour, said.cohort) == (KOLKATA, "07:00", "Asia/Kolkata@07:00")
    stranger = asked(site, store, "nobody", SUNDAY, DUE + HOUR)
    assert (stranger.outcome, stranger.zone, stranger.hour) == (Outcome.NOT_ADDRESSED, "UTC", "07:00")


def test_at_one_time_for_all_the_clock_is_the_newsletters_and_there_is_no_cohort(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    site = a_site(tmp_path, store_url, '{at: "07:00"}')
    subscribe(store, "reader")
    said = site.command("why", "reader@readers.example", "daily@2099-11-02/1", "--json")
    facts = json.loads(said.out)
    assert {name: facts[name] for name in ("zone", "hour", "cohort", "due_at")} == {
        "zone": "UTC", "hour": "07:00", "cohort": "", "due_at": "2099-11-02T07:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(("zone", "hour"), [("Mars/Olympus", ""), ("Mars/Olympus", "03:15"), ("", "03:15")])
def test_a_zone_nobody_knows_and_an_hour_not_offered_are_the_newsletters_own(
    tmp_path: Path, store_url: str, store: Store, zone: str, hour: str
) -> None:
    site = a_site(tmp_path, store_url, '{deliver_at: "07:00 subscriber", hours: ["07:00", "18:00"]}')
    site.fill(seen_at=FIRST)
    reader = add(store, "reader", zone, hour, at=JOINED)
    go_on(Work(configured(site), store), FIRST + 24 * HOUR, FIRST + 32 * HOUR)
    deliver(store)
    assert got(store, reader) == [("2026-11-01/1", "11-01T07:00", "sent")]
    said = asked(site, store, "reader", SUNDAY, FIRST + 33 * HOUR)
    assert (said.outcome, said.zone, said.hour) == (Outcome.SENT, "UTC", "07:00")
    assert "Due 07:00 UTC" in said.sentence
