"""``approval: required``: an occurrence waits for an editor, until its deadline; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.compose.edits import Change
from newsletter.config.layout import Approval
from newsletter.config.reading import Configuration, load
from newsletter.errors import OccurrenceHeld
from newsletter.model import OccurrenceState, Reason, StreamName
from newsletter.schedule import by_hand
from newsletter.schedule.approving import Verdict, deadline, verdict, waiting_words
from newsletter.schedule.editing import edit
from newsletter.schedule.explaining import why
from newsletter.schedule.watching import problems, status_of
from newsletter.schedule.words import occurrence_words
from newsletter.schedule.work import Work
from newsletter.store import Store, audit, deliveries, editions, occurrences
from newsletter.store.claiming import claim
from newsletter.store.occurrences import OccurrenceRow
from tests.support.newsroom import plan_occurrence
from tests.support.site_folder import SiteFolder

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
_S = OccurrenceState


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> SiteFolder:
    """A site in UTC whose daily is due at 07:00 and composed at 06:30."""
    made = SiteFolder(tmp_path, store_url, 25, zone="UTC")
    made.fill(readers=2, stories=3, seen_at=SEVEN - timedelta(hours=2))
    return made


def required(site: SiteFolder, then: str = "hold") -> Configuration:
    """Its configuration; it has to be approved by 06:50."""
    file = site.path / "schedules.yaml"
    text = file.read_text()
    if "approval:" not in text:
        approval = f"    approval: {{mode: required, deadline: 10m, then: {then}}}\n"
        file.write_text(text.replace("    in_doubt:", approval + "    in_doubt:"))
    return load(file, {})


def today(store: Store) -> OccurrenceRow:
    return {str(row.occurrence): row for row in store.read(occurrences.listing)}["2026-11-01/1"]


def queued(store: Store) -> int:
    return sum(store.read(deliveries.counts, today(store).id).values())


def at(minutes: float) -> datetime:
    """So many minutes before it is due."""
    return SEVEN - timedelta(minutes=minutes)


def test_it_waits_says_so_and_goes_out_once_it_is_approved(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    Work(configuration, store).advance(at(29))
    row = today(store)
    assert (row.state, row.reason) == (_S.COMPOSED, Reason.AWAITING_APPROVAL)
    words = "waits for approval until 2026-11-01 06:50 (UTC), then it is held"
    assert occurrence_words(row) == f"composed: {words}"
    assert words in why(configuration, store, "reader00001@readers.example", row.name, at(20)).sentence
    [one] = status_of(configuration, store, at(20)).newsletters
    assert [occurrence_words(two) for two in one.open] == [f"composed: {words}"]
    Work(configuration, store).advance(at(11))
    assert today(store) == row, "a tick that finds nothing to do writes nothing"
    assert Work(configuration, store).approve(row, actor="anna@desk", now=at(11)).state is _S.APPROVED
    Work(configuration, store).advance(SEVEN)
    assert (today(store).state, queued(store)) == (_S.SENDING, 2)
    assert [(act.actor, act.action) for act in store.read(audit.listing)] == [("anna@desk", "approve")]


@pytest.mark.parametrize(("then", "state"), [("hold", _S.HELD), ("send", _S.APPROVED)])
def test_at_its_deadline_it_is_held_or_approved_as_declared_also_by_a_process_that_starts_anew(
    site: SiteFolder, store: Store, then: str, state: OccurrenceState
) -> None:
    configuration = required(site, then)
    Work(configuration, store).advance(at(20))
    Work(configuration, store).advance(at(10.01))
    assert today(store).state is _S.COMPOSED
    Work(configuration, store).advance(at(10))
    assert today(store).state is state
    Work(configuration, store).advance(SEVEN)
    assert queued(store) == (2 if then == "send" else 0)


def test_one_that_was_first_composed_after_its_deadline_is_checked_then_held(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    Work(configuration, store).advance(at(1))
    row = today(store)
    assert (row.state, row.reason) == (_S.HELD, Reason.AWAITING_APPROVAL)
    assert row.detail == "nobody approved it until 2026-11-01 06:50 (UTC)"
    status = status_of(configuration, store, at(0))
    assert any(f"`newsletter editions approve {row.name}`" in line for line in problems(status))
    approved = Work(configuration, store).approve(row, actor="anna@desk", now=at(0))
    assert (approved.state, approved.reason) == (_S.APPROVED, Reason.NONE)
    Work(configuration, store).advance(at(-1))
    assert queued(store) == 2


def test_of_an_approval_and_the_deadline_the_first_decides(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    work = Work(configuration, store)
    work.advance(at(20))
    seen = today(store)
    work.approve(seen, actor="anna@desk", now=at(10))
    late = Work(configuration, store).prepare(seen, at(9))
    assert late.state is _S.APPROVED, "another scheduler, which read the row before, does not overrule it"


def test_two_schedulers_wait_for_and_send_it_once(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    with Store.open(site.store_url) as other:
        for minutes in (20, 15, 11):
            Work(configuration, store).advance(at(minutes))
            Work(configuration, other).advance(at(minutes))
        Work(configuration, other).approve(today(store), actor="anna@desk", now=at(11))
        for _ in range(2):
            Work(configuration, store).advance(SEVEN)
            Work(configuration, other).advance(SEVEN)
    assert (today(store).state, queued(store)) == (_S.SENDING, 2)


def test_an_edit_after_the_approval_wants_another(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    work = Work(configuration, store)
    work.advance(at(20))
    work.approve(today(store), actor="anna@desk", now=at(19))
    [edition] = store.read(editions.for_occurrence, today(store).id)
    change = Change(drop=edition.sections[0].article_ids[:1])
    edit(work, today(store), change, places={}, actor="ben@desk", now=at(18))
    Work(configuration, store).advance(at(17))
    assert (today(store).state, today(store).reason) == (_S.COMPOSED, Reason.AWAITING_APPROVAL)
    Work(configuration, store).advance(SEVEN)
    assert (today(store).state, queued(store)) == (_S.HELD, 0)


def test_an_automatic_approval_takes_the_edit_and_goes_out(site: SiteFolder, store: Store) -> None:
    configuration = load(site.path / "schedules.yaml", {})
    work = Work(configuration, store)
    work.advance(at(20))
    assert today(store).state is _S.APPROVED
    edited = edit(work, today(store), Change(texts={"subject": "Mine"}), places={}, actor="ben@desk", now=at(18))
    assert edited.row.state is _S.COMPOSED
    Work(configuration, store).advance(SEVEN)
    assert queued(store) == 2


# --- sent by hand ---


def begin(configuration: Configuration, store: Store, now: datetime, *addresses: str) -> OccurrenceRow:
    plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=now)
    assert plan.unapproved
    return by_hand.begin(Work(configuration, store), plan, addresses, now, actor="anna@desk")


@pytest.mark.parametrize("before", [40, 20, 5])
def test_a_person_who_sends_it_approves_it(site: SiteFolder, store: Store, before: int) -> None:
    configuration = required(site)
    Work(configuration, store).advance(at(before))
    row = begin(configuration, store, at(before))
    assert (row.state, queued(store)) == (_S.SENDING, 2)
    [act] = store.read(audit.listing)
    assert (act.actor, act.action, act.detail) == ("anna@desk", "approve", "by sending it")


def test_what_a_person_began_to_send_goes_out_though_her_process_was_killed(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    Work(configuration, store).advance(at(20))
    store.write(occurrences.take_by_hand, today(store).id, at(19), at(19))
    Work(configuration, store).advance(at(19))
    assert (today(store).state, queued(store)) == (_S.SENDING, 2)


def test_sent_to_one_reader_it_waits_for_the_rest(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    row = begin(configuration, store, at(40), "reader00002@readers.example")
    assert (row.state, row.reason, queued(store)) == (_S.COMPOSED, Reason.AWAITING_APPROVAL, 1)
    assert "for the rest it waits for approval" in occurrence_words(row)
    claimed = store.write(
        claim,
        1,
        newsletters=["daily"],
        limit=9,
        now=at(40),
        message_id_of=lambda edition, reader: f"<{reader}@x>",
        plans=["free"],
        languages={},
    )
    assert [one.address for one in claimed.rows] == ["reader00002@readers.example"]
    Work(configuration, store).approve(row, actor="anna@desk", now=at(20))
    Work(configuration, store).advance(SEVEN)
    assert queued(store) == 2


def test_sent_to_one_reader_when_its_deadline_is_over_is_refused(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    Work(configuration, store).advance(at(5))
    with pytest.raises(OccurrenceHeld, match="editions approve daily@2026-11-01/1"):
        begin(configuration, store, at(4), "reader00002@readers.example")


def test_what_was_edited_since_the_person_said_send_is_not_sent(site: SiteFolder, store: Store) -> None:
    configuration = required(site)
    work = Work(configuration, store)
    work.advance(at(20))
    plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=at(19))
    edit(work, today(store), Change(texts={"subject": "Mine"}), places={}, actor="ben@desk", now=at(18))
    with pytest.raises(OccurrenceHeld, match="was edited in this moment, and nothing was sent"):
        by_hand.begin(work, plan, [], at(17), actor="anna@desk")
    assert queued(store) == 0


# --- the deadline ---


def test_the_deadline_is_as_long_before_it_on_the_day_the_clocks_change(store: Store) -> None:
    """07:00 in Berlin on 25 October 2026, four hours after the fold: two and a half hours earlier it was 04:30."""
    berlin = ZoneInfo("Europe/Berlin")
    row = plan_occurrence(store, due_at=datetime(2026, 10, 25, 7, 0, tzinfo=berlin).astimezone(UTC))
    approval = Approval.model_validate({"mode": "required", "deadline": "5h"})
    until = deadline(approval, row)
    assert row.due_at - until == timedelta(hours=5)
    assert until.astimezone(berlin).strftime("%H:%M %Z") == "02:00 CET"
    assert "2026-10-25 02:00 (Europe/Berlin)" in waiting_words(approval, row, "Europe/Berlin")
    one = timedelta(microseconds=1)
    assert [verdict(approval, row, now) for now in (until - one, until)] == [Verdict.WAITS, Verdict.HELD]
