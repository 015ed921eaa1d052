"""An occurrence's way from planned to sent, one step at a time, on both databases."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from newsletter.config.reading import Configuration, load
from newsletter.errors import AlreadySent, NothingToSend, OccurrenceHeld, UsageError
from newsletter.model import Occurrence, OccurrenceState, Reason, Stream, StreamName
from newsletter.schedule import by_hand
from newsletter.schedule.planning import plan_ahead
from newsletter.schedule.recipients import next_page
from newsletter.schedule.work import Work
from newsletter.store import (
    Store,
    articles,
    blocking,
    deliveries,
    editions,
    fan_out,
    mending,
    occurrences,
    pieces,
    tables,
)
from newsletter.store.occurrences import OccurrenceRow
from tests.support.site_folder import SiteFolder
from tests.support.waiting import wait_for

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
_S = OccurrenceState


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> SiteFolder:
    """A site in UTC whose daily is due at 07:00; its store is the one of the ``store`` fixture."""
    return SiteFolder(tmp_path, store_url, 25, zone="UTC")


def configured(site: SiteFolder) -> Configuration:
    return load(site.path / "schedules.yaml", {})


def rows(store: Store) -> dict[str, OccurrenceRow]:
    return {str(row.occurrence): row for row in store.read(occurrences.listing)}


def states(store: Store, row: OccurrenceRow) -> Counter[str]:
    return Counter({state.value: n for (state, _), n in store.read(deliveries.counts, row.id).items()})


def test_a_turn_is_composed_ahead_approved_when_rendered_and_sent_when_due(site: SiteFolder, store: Store) -> None:
    site.fill(readers=3, seen_at=SEVEN - timedelta(hours=2))
    work = Work(configured(site), store)
    work.advance(SEVEN - timedelta(hours=1))
    assert rows(store)["2026-11-01/1"].state is _S.PLANNED
    work.advance(SEVEN - timedelta(minutes=29))
    assert rows(store)["2026-11-01/1"].state is _S.APPROVED, "compose_lead is half an hour"
    assert work.advance(SEVEN - timedelta(seconds=1)) is False
    assert work.advance(SEVEN) is True
    row = rows(store)["2026-11-01/1"]
    assert row.state is _S.SENDING
    assert states(store, row) == {"queued": 3}


def test_what_a_plan_may_read_is_rendered_for_every_plan(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    Work(configured(site), store).advance(SEVEN)
    [edition] = store.read(editions.for_occurrence, rows(store)["2026-11-01/1"].id)
    assert [str(key) for key in store.read(pieces.keys, edition.id, edition.revision)] == ["en/free", "en/member"]


def test_what_is_blocked_after_it_was_composed_does_not_go_out(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, stories=3, seen_at=SEVEN - timedelta(hours=2))
    work = Work(configured(site), store)
    work.advance(SEVEN - timedelta(minutes=10))
    row = rows(store)["2026-11-01/1"]
    [edition] = store.read(editions.for_occurrence, row.id)
    first, *others = edition.edition.article_ids
    store.write(blocking.block, [first], ["daily"], actor="anna", because="an advertisement", now=SEVEN)
    work.advance(SEVEN)
    [edition] = store.read(editions.for_occurrence, row.id)
    assert edition.edition.article_ids == tuple(others)
    reasons = {one.article_id: one.reason for one in store.read(editions.why, row.id)}
    assert (reasons[first], states(store, row)) == (Reason.BLOCKED, {"queued": 1})


def test_of_what_was_only_missed_no_mail_is_made(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, stories=2, seen_at=SEVEN - timedelta(hours=2))
    file = site.path / "schedules.yaml"
    file.write_text(file.read_text().replace("max: 5}]", "max: 1}]\n    missed: {}"))
    work = Work(configured(site), store)
    work.advance(SEVEN - timedelta(minutes=10))
    row = rows(store)["2026-11-01/1"]
    [edition] = store.read(editions.for_occurrence, row.id)
    assert [section.missed for section in edition.sections] == [False, True]
    [placed] = edition.placed
    store.write(articles.retract, placed, "withdrawn", SEVEN)
    work.advance(SEVEN)
    row = rows(store)["2026-11-01/1"]
    assert (row.state, row.reason) == (_S.SKIPPED, Reason.EMPTY)
    free = store.read(
        articles.unused_articles,
        newsletter="daily",
        stream="each",
        cohort="",
        first_seen_after=SEVEN - timedelta(days=1),
        limit=9,
    )
    assert [article.id for article in free] == list(edition.sections[1].article_ids), "it is the next edition's"


def test_a_fan_out_cut_off_after_a_page_is_finished_by_the_next_process(site: SiteFolder, store: Store) -> None:
    site.fill(readers=25, seen_at=SEVEN - timedelta(hours=2))
    Work(configured(site), store).advance(SEVEN - timedelta(minutes=10))
    row = rows(store)["2026-11-01/1"]
    store.write(occurrences.transition, row.id, _S.SENDING, from_={_S.APPROVED}, now=SEVEN)
    [edition] = store.read(editions.for_occurrence, row.id)
    store.write(fan_out.fan_out_page, edition.id, languages=("en",), expires_at=SEVEN, now=SEVEN, limit=10)
    Work(configured(site), store).advance(SEVEN + timedelta(seconds=5))
    assert states(store, row) == {"queued": 25}


@pytest.mark.parametrize("again", ["released", "tried again"])
@pytest.mark.parametrize("first", ["completed", "queued"])
def test_no_delivery_is_queued_again_into_an_occurrence_that_is_completed_at_that_moment(
    site: SiteFolder, store: Store, store_url: str, again: str, first: str
) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    work = Work(configured(site), store)
    work.advance(SEVEN)
    row = rows(store)["2026-11-01/1"]
    left = {"state": "sending", "reason": Reason.IN_DOUBT.value, "message_id": "<x>"}
    if again == "tried again":
        left = {"state": "failed", "reason": Reason.REFUSED_CONTENT.value}
    store.write(lambda connection: connection.execute(update(tables.deliveries).values(**left)))
    reasons = {Reason.REFUSED_CONTENT}

    def queue_again(connection: Connection) -> int:
        if again == "released":
            return deliveries.release_in_doubt(connection, None, SEVEN)
        return mending.requeue_failed(
            connection, row.id, reasons=reasons, failed_before=SEVEN, retry_for=timedelta(hours=8), now=SEVEN
        )

    def beside(connection: Connection, one: Callable[[Connection], object], other: threading.Thread) -> None:
        """Begin ``other`` while this transaction is open; end it once that has ended, or waits for it."""
        one(connection)
        other.start()
        if not store.is_sqlite:  # where one writes at a time, it waits
            wait_for(lambda: not other.is_alive() or somebody_waits(store), "the other to end, or to wait for us", 20)

    if again == "tried again":
        assert store.write(mending.retry, row, actor="ann", reasons=reasons, now=SEVEN)
    with Store.open(store_url) as elsewhere:
        if first == "queued":
            completing = Work(configured(site), elsewhere)
            other = threading.Thread(target=completing.complete, args=(row, SEVEN))
            store.write(beside, queue_again, other)
        else:
            other = threading.Thread(target=elsewhere.write, args=(queue_again,))
            sent = partial(occurrences.transition, occurrence_id=row.id, to=_S.SENT, from_={_S.SENDING}, now=SEVEN)
            store.write(beside, sent, other)
        other.join(20)
    assert states(store, row) == {"queued": 1}
    assert rows(store)["2026-11-01/1"].state is _S.SENDING, "else nobody would claim it"


def somebody_waits(store: Store) -> bool:
    """Whether a session of this PostgreSQL database waits for another's lock."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(store.read(lambda connection: connection.exec_driver_sql(statement).scalar()))


def test_a_turn_missed_within_catch_up_goes_out_once(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    late = SEVEN + timedelta(hours=1, minutes=59)
    Work(configured(site), store).advance(late)
    Work(configured(site), store).advance(late + timedelta(seconds=1))
    row = rows(store)["2026-11-01/1"]
    assert row.state is _S.SENDING
    assert states(store, row) == {"queued": 1}


def test_turns_missed_for_longer_are_skipped_with_the_reason_and_keep_their_stories(
    site: SiteFolder, store: Store
) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    plan_ahead(store, configured(site), SEVEN - timedelta(hours=1))
    Work(configured(site), store).advance(SEVEN + timedelta(days=4, hours=3))
    found = rows(store)
    for day in range(1, 6):
        assert (found[f"2026-11-0{day}/1"].state, found[f"2026-11-0{day}/1"].reason) == (_S.SKIPPED, Reason.MISSED)
    Work(configured(site), store).advance(SEVEN + timedelta(days=5))
    assert rows(store)["2026-11-06/1"].state is _S.SENDING, "the next turn carries what the missed ones would have"


def test_a_composed_turn_that_nobody_sent_in_time_is_skipped_and_gives_its_stories_back(
    site: SiteFolder, store: Store
) -> None:
    site.fill(readers=1, stories=1, seen_at=SEVEN - timedelta(hours=2))
    Work(configured(site), store).advance(SEVEN - timedelta(minutes=10))
    Work(configured(site), store).advance(SEVEN + timedelta(hours=3))
    assert rows(store)["2026-11-01/1"].state is _S.SKIPPED
    Work(configured(site), store).advance(SEVEN + timedelta(days=1))
    assert rows(store)["2026-11-02/1"].state is _S.SENDING


def test_moving_the_hour_makes_no_second_edition(site: SiteFolder, store: Store, tmp_path: Path) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    Work(configured(site), store).advance(SEVEN)
    moved = SiteFolder(tmp_path, site.store_url, 25, zone="UTC", schedule='{at: "07:30"}')
    Work(configured(moved), store).advance(SEVEN + timedelta(minutes=31))
    today = [row for row in rows(store).values() if row.occurrence.local_date == date(2026, 11, 1)]
    assert [str(row.occurrence) for row in today] == ["2026-11-01/1"]


def test_a_turn_that_the_schedule_no_longer_has_is_forgotten(site: SiteFolder, store: Store, tmp_path: Path) -> None:
    plan_ahead(store, configured(site), SEVEN)
    assert "2026-11-02/1" in rows(store)
    changed = SiteFolder(tmp_path, site.store_url, 25, zone="UTC", schedule='{at: "07:00", days: [fri]}')
    plan_ahead(store, configured(changed), SEVEN)
    assert {row.occurrence.local_date.strftime("%a") for row in rows(store).values() if row.due_at > SEVEN} <= {"Fri"}


def test_a_broken_template_holds_its_occurrence_with_the_line_and_costs_no_other(
    site: SiteFolder, store: Store
) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    broken = site.path / "templates" / "shared"
    broken.mkdir(parents=True)
    (broken / "lead.html").write_text("<tr><td>\n{% if slot.first_name() %}x{% endif %}</td></tr>")
    Work(configured(site), store).advance(SEVEN)
    row = rows(store)["2026-11-01/1"]
    assert (row.state, row.reason) == (_S.HELD, Reason.TEMPLATE_ERROR)
    assert "lead.html:2" in row.detail
    (broken / "lead.html").unlink()
    store.write(occurrences.release, row.id, now=SEVEN)
    Work(configured(site), store).advance(SEVEN + timedelta(minutes=1))
    assert rows(store)["2026-11-01/1"].state is _S.SENDING


def test_a_template_that_includes_itself_holds_its_occurrence_and_ends_no_tick(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    (site.path / "templates" / "shared").mkdir(parents=True)
    (site.path / "templates" / "shared" / "lead.html").write_text('<tr><td>{% include "shared/lead.html" %}</td></tr>')
    Work(configured(site), store).advance(SEVEN)
    row = rows(store)["2026-11-01/1"]
    assert (row.state, row.reason) == (_S.HELD, Reason.TEMPLATE_ERROR)
    assert "lead.html:1: templates bring in each other without end" in row.detail


# --- by hand ---


def test_a_manual_send_uses_up_the_next_turn_and_a_second_one_says_so(site: SiteFolder, store: Store) -> None:
    site.fill(readers=2, seen_at=SEVEN - timedelta(hours=2))
    configuration, now = configured(site), SEVEN - timedelta(hours=1)
    plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=now)
    row = by_hand.begin(Work(configuration, store), plan, [], now)
    assert (str(row.occurrence), row.state) == ("2026-11-01/1", _S.SENDING)
    store.write(occurrences.transition, row.id, _S.SENT, from_={_S.SENDING}, now=now)
    with pytest.raises(AlreadySent, match="daily@2026-11-01/1 has been sent"):
        by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=now)
    Work(configuration, store).advance(SEVEN + timedelta(minutes=1))
    assert rows(store)["2026-11-01/1"].state is _S.SENT, "the schedule finds it done"


def test_a_manual_send_with_nothing_new_uses_nothing_up(site: SiteFolder, store: Store) -> None:
    site.fill(readers=2, stories=0)
    with pytest.raises(NothingToSend, match="0 new stories"):
        by_hand.plan_send(configured(site), store, StreamName("daily"), extra=False, now=SEVEN - timedelta(hours=1))
    assert rows(store)["2026-11-01/1"].state is _S.PLANNED


def test_sending_to_one_reader_leaves_the_occurrence_open_for_the_rest(site: SiteFolder, store: Store) -> None:
    site.fill(readers=3, seen_at=SEVEN - timedelta(hours=2))
    configuration, now = configured(site), SEVEN - timedelta(hours=1)
    plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=now)
    row = by_hand.begin(Work(configuration, store), plan, ["reader00002@readers.example"], now)
    assert states(store, row) == {"queued": 1}
    assert row.state is _S.APPROVED
    Work(configuration, store).advance(SEVEN)
    assert states(store, row) == {"queued": 3}


def test_sending_to_somebody_who_is_not_subscribed_is_refused(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    configuration = configured(site)
    plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=SEVEN)
    with pytest.raises(UsageError, match=r"nobody@readers\.example is not subscribed"):
        by_hand.begin(Work(configuration, store), plan, ["nobody@readers.example"], SEVEN)


def test_an_extra_edition_stands_beside_those_of_the_schedule(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    configuration = configured(site)
    plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=True, now=SEVEN - timedelta(hours=1))
    assert plan.row.occurrence.ordinal > 1440
    by_hand.begin(Work(configuration, store), plan, [], SEVEN - timedelta(hours=1))
    assert store.read(occurrences.find, "daily", Stream.EACH, Occurrence(date(2026, 11, 1), 1)) is None


def test_a_held_occurrence_is_not_sent_by_hand(site: SiteFolder, store: Store) -> None:
    site.fill(readers=1, seen_at=SEVEN - timedelta(hours=2))
    configuration = configured(site)
    plan_ahead(store, configuration, SEVEN - timedelta(hours=1))
    row = rows(store)["2026-11-01/1"]
    store.write(occurrences.hold, row.id, reason=Reason.BY_HAND, detail="wait for the verdict", now=SEVEN)
    with pytest.raises(OccurrenceHeld, match="wait for the verdict"):
        by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=SEVEN - timedelta(hours=1))


def test_a_page_of_a_fan_out_holds_others_up_for_so_long_and_no_longer() -> None:
    assert next_page(1000, 0.5) == 200, "never so small that it is all overhead"
    assert next_page(10_000, 0.05) == 5600
    assert next_page(1000, 0.001) == 2000, "at most twice as many: one quick page says little"
    assert next_page(10_000, 0.05, alone=False) == 20_000, "where nobody waits for it, few large ones cost less"
    assert next_page(20_000, 0.01, alone=False) == 20_000
