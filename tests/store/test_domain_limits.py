"""Messages a minute to a group of domains: never more, nobody else waits behind them, no notice behind digests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, select, update

from newsletter.store import Store, mending, occurrences, tables
from newsletter.store.claiming import Claim, claim
from newsletter.store.domain_limits import waiting_for_a_limit
from newsletter.store.fan_out import fan_out_page
from tests.builders import NOW, add_occurrence, add_subscribers

MINUTE = timedelta(minutes=1)


def queued(store: Store, **readers: int) -> int:
    """A queue with so many readers of each provider, in this order, who get the daily and the brief; the daily's
    occurrence."""
    first = 1
    for provider, number in readers.items():
        domain = f"{provider}.com" if provider != "others" else "one.example"
        add_subscribers(store, number, first=first, domain=domain, newsletters=("daily", "brief"))
        first += number
    return fanned_out(store, "daily")


def fanned_out(store: Store, newsletter: str) -> int:
    """An occurrence of this newsletter, all of its deliveries queued."""
    occurrence_id, edition_id = add_occurrence(store, newsletter)
    while store.write(fan_out_page, edition_id, languages=("en",), expires_at=NOW + timedelta(hours=8), now=NOW):
        pass
    return occurrence_id


def claimed(store: Store, now: datetime, limits: dict[str, int], *, limit: int = 50) -> Claim:
    return store.write(
        claim,
        1,
        newsletters=["daily", "brief"],
        limit=limit,
        now=now,
        message_id_of=lambda _edition, subscriber: f"<{subscriber}@x>",
        plans=("free",),
        languages={},
        domain_limits=limits,
    )


def providers(found: Claim) -> Counter[str]:
    return Counter(row.address.rpartition("@")[2].partition(".")[0] for row in found.rows)


def test_a_group_gets_its_messages_a_minute_and_no_more_however_often_somebody_claims(store: Store) -> None:
    queued(store, gmail=300, others=10)
    limits, had = {"gmail": 60}, Counter[int]()
    for tenth in range(1800):  # three minutes
        now = NOW + timedelta(seconds=tenth / 10)
        had[tenth // 600] += providers(claimed(store, now, limits, limit=20))["gmail"]
    assert all(59 <= number <= 61 for number in had.values()), had


def test_everyone_else_is_claimed_at_once_although_a_limited_group_stands_first_in_line(store: Store) -> None:
    queued(store, gmail=2000, others=30)
    first = claimed(store, NOW, {"gmail": 60}, limit=50)
    assert providers(first) == {"gmail": 1, "one": 30}
    assert first.postponed == 1999
    assert store.read(waiting_for_a_limit, ["daily"])
    assert not store.read(waiting_for_a_limit, ["weekly"])
    assert claimed(store, NOW, {"gmail": 60}).postponed == 0, "none of them is met a second time"


def test_a_postponed_reader_has_the_reason_and_loses_it_when_she_is_claimed(store: Store) -> None:
    queued(store, gmail=3)
    claimed(store, NOW, {"gmail": 1})
    reasons = select(tables.deliveries.c.state, tables.deliveries.c.reason).order_by(tables.deliveries.c.id)
    assert [tuple(row) for row in store.read(lambda c: c.execute(reasons).all())] == [
        ("sending", ""),
        ("queued", "domain_limit"),
        ("queued", "domain_limit"),
    ]
    claimed(store, NOW + MINUTE, {"gmail": 1})
    assert [tuple(row) for row in store.read(lambda c: c.execute(reasons).all())][1] == ("sending", "")


def test_a_notice_takes_the_next_place_of_its_group_before_all_digests(store: Store) -> None:
    queued(store, gmail=200)
    claimed(store, NOW, {"gmail": 60})
    notice = 200

    def make_notice(connection: Connection) -> None:
        these = update(tables.deliveries).where(tables.deliveries.c.subscriber_id == notice)
        connection.execute(these.values(kind="notice", priority=10, due_at=NOW, reason=""))

    store.write(make_notice)
    later = NOW + timedelta(seconds=0.1)
    assert not claimed(store, later, {"gmail": 60}).rows
    [row] = claimed(store, NOW + timedelta(seconds=1.1), {"gmail": 60}).rows
    assert row.subscriber_id == notice


def test_after_an_hour_away_the_limit_holds_as_before(store: Store) -> None:
    queued(store, gmail=500)
    claimed(store, NOW, {"gmail": 60})
    back = NOW + timedelta(hours=1)
    went = sum(len(claimed(store, back + timedelta(seconds=second), {"gmail": 60}).rows) for second in range(61))
    assert 59 <= went <= 62


def cancel(store: Store, occurrence_id: int, now: datetime) -> None:
    stop(store, occurrence_id, now)
    row = store.read(occurrences.get, occurrence_id)
    assert row is not None
    assert store.write(mending.cancel, row, actor="ann", now=now)
    while store.write(mending.drop_queued, occurrence_id, now):
        pass


def stop(store: Store, occurrence_id: int, now: datetime) -> None:
    row = store.read(occurrences.get, occurrence_id)
    assert row is not None
    assert store.write(mending.stop, row, actor="ann", now=now)


def claimed_each_second(store: Store, first: datetime, seconds: int, limits: dict[str, int]) -> Counter[str]:
    """How many of each newsletter a sender that asks each second, and at once where rows were postponed, claims."""
    had = Counter[str]()
    for second in range(seconds):
        while True:
            found = claimed(store, first + timedelta(seconds=second), limits)
            had.update(row.newsletter for row in found.rows)
            if not (found.rows or found.postponed):
                break
    return had


@pytest.mark.parametrize("end", [stop, cancel])
def test_who_comes_after_an_edition_that_was_ended_waits_for_the_limit_alone(
    store: Store, end: Callable[[Store, int, datetime], None]
) -> None:
    ended = queued(store, gmail=300)
    assert claimed(store, NOW, {"gmail": 60}).postponed == 299
    end(store, ended, NOW)
    fanned_out(store, "brief")
    later = NOW + MINUTE
    assert len(claimed(store, later, {"gmail": 60}).rows) == 1
    first_due = select(func.min(tables.deliveries.c.due_at)).where(
        tables.deliveries.c.newsletter == "brief", tables.deliveries.c.state == "queued"
    )
    assert store.read(lambda c: c.execute(first_due).scalar()) == later + timedelta(seconds=1)
    went = claimed_each_second(store, later + timedelta(seconds=1), 60, {"gmail": 60})
    assert 59 <= went["brief"] <= 61


@pytest.mark.parametrize("end", [stop, cancel])
@pytest.mark.parametrize("per_minute", [60, 600])
def test_who_waits_behind_an_edition_that_is_ended_moves_up(
    store: Store, end: Callable[[Store, int, datetime], None], per_minute: int
) -> None:
    limits = {"gmail": per_minute}
    ended = queued(store, gmail=1500)
    claimed(store, NOW, limits)
    fanned_out(store, "brief")
    claimed(store, NOW, limits)
    end(store, ended, NOW)
    for minute in range(1, 3):
        went = claimed_each_second(store, NOW + minute * MINUTE, 60, limits)
        assert per_minute * 0.95 <= went["brief"] <= per_minute * 1.03
        assert went["daily"] == 0


def test_nobody_moves_up_while_others_of_the_group_are_due(store: Store) -> None:
    queued(store, gmail=300)
    claimed(store, NOW, {"gmail": 60})
    waiting = select(tables.deliveries.c.id, tables.deliveries.c.due_at).order_by(tables.deliveries.c.id)
    before = store.read(lambda c: c.execute(waiting).all())
    back = NOW + 2 * MINUTE
    found = store.write(
        claim,
        2,
        newsletters=["weekly"],
        limit=50,
        now=back,
        message_id_of=lambda _edition, subscriber: f"<{subscriber}@x>",
        plans=("free",),
        languages={},
        domain_limits={"gmail": 60},
    )
    assert found == Claim((), 0, 0)
    assert store.read(lambda c: c.execute(waiting).all()) == before


def test_the_count_goes_on_where_another_sender_left_it(store: Store) -> None:
    queued(store, gmail=10)
    assert len(claimed(store, NOW, {"gmail": 1}, limit=1).rows) == 1
    assert not claimed(store, NOW, {"gmail": 1}).rows, "as a sender does that starts anew"


@pytest.mark.parametrize("group", ["yahoo", "one.example"])
def test_groups_without_a_limit_write_nothing_about_it(store: Store, group: str) -> None:
    queued(store, others=3)
    claimed(store, NOW, {"gmail": 60})
    assert store.read(lambda c: c.execute(select(func.count()).select_from(tables.domain_rates)).scalar()) == 0
