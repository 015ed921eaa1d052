"""An occurrence is planned once, moves as the table allows, and only one of two movers moves it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from newsletter.model import (
    OCCURRENCE_TRANSITIONS,
    EditionName,
    Occurrence,
    OccurrenceState,
    Reason,
    Stream,
)
from newsletter.store import Store, occurrences, tables
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW
from tests.support.newsroom import DUE, occurrence_now, plan_occurrence

S = OccurrenceState
OUT_OF_HELD = (S.PLANNED, S.COMPOSED, S.APPROVED, S.SENDING)
LATER = NOW + timedelta(minutes=5)


def put(store: Store, row: OccurrenceRow, state: OccurrenceState, resumes: str = "") -> None:
    def work(connection: Connection) -> None:
        table = tables.occurrences
        connection.execute(
            update(table).where(table.c.id == row.id).values(state=state.value, resumes=resumes, by_hand=False)
        )

    store.write(work)


def number_of_rows(store: Store) -> int:
    return store.read(lambda connection: connection.execute(select(func.count(tables.occurrences.c.id))).scalar_one())


# --- planning --------------------------------------------------------------------------------------------------------


def test_planning_an_occurrence_twice_makes_one(store: Store) -> None:
    first, second = plan_occurrence(store), plan_occurrence(store, now=LATER)
    assert first == second
    assert number_of_rows(store) == 1
    assert (first.state, first.name) == (S.PLANNED, EditionName("daily", Occurrence(date(2026, 11, 23), 1)))


def test_two_schedulers_that_plan_at_once_make_one(store: Store) -> None:
    with ThreadPoolExecutor(4) as threads:
        rows = list(threads.map(lambda _: plan_occurrence(store), range(8)))
    assert {row.id for row in rows} == {rows[0].id}


def test_a_moved_schedule_moves_what_is_planned_and_makes_no_second_occurrence(store: Store) -> None:
    moved = DUE + timedelta(minutes=30)
    plan_occurrence(store)
    row = plan_occurrence(store, due_at=moved)
    assert (row.due_at, row.compose_at) == (moved, moved - timedelta(minutes=30))
    assert number_of_rows(store) == 1


def test_a_moved_schedule_leaves_what_is_no_longer_planned(store: Store) -> None:
    row = plan_occurrence(store)
    for state in set(S) - {S.PLANNED}:
        put(store, row, state)
        moved = plan_occurrence(store, due_at=DUE + timedelta(hours=1))
        assert (moved.state, moved.due_at) == (state, DUE)


def test_the_schedule_leaves_what_a_person_took_by_hand(store: Store) -> None:
    row = plan_occurrence(store)
    assert store.write(occurrences.take_by_hand, row.id, NOW, NOW)
    again = plan_occurrence(store)
    assert (again.due_at, again.compose_at, again.by_hand) == (NOW, NOW, True)


def test_a_person_may_plan_what_the_schedule_planned_before(store: Store) -> None:
    row = plan_occurrence(store)
    taken = store.write(occurrences.plan, row.newsletter, row.stream, row.occurrence, NOW, NOW, NOW, by_hand=True)
    assert (taken.id, taken.due_at, taken.by_hand) == (row.id, NOW, True)


def test_only_what_has_not_begun_to_send_can_be_taken_by_hand(store: Store) -> None:
    for day, state in enumerate(S, start=1):
        row = plan_occurrence(store, day=day)
        put(store, row, state)
        can = state in {S.PLANNED, S.COMPOSED, S.APPROVED}
        assert store.write(occurrences.take_by_hand, row.id, NOW, NOW) is can
        assert occurrence_now(store, row).due_at == (NOW if can else DUE)


# --- changing state --------------------------------------------------------------------------------------------------


def test_every_move_of_the_table_is_made_and_every_other_is_refused(store: Store) -> None:
    row = plan_occurrence(store)
    for before, after in product(S, S):
        put(store, row, before, resumes=after.value if before is S.HELD and after in OUT_OF_HELD else "")
        if after in OCCURRENCE_TRANSITIONS[before]:
            assert store.write(occurrences.transition, row.id, after, from_={before}, now=LATER), (before, after)
            assert (occurrence_now(store, row).state, occurrence_now(store, row).changed_at) == (after, LATER)
        else:
            with pytest.raises(ValueError, match=f"cannot go from {before.value} to {after.value}"):
                store.write(occurrences.transition, row.id, after, from_={before}, now=LATER)
            assert occurrence_now(store, row).state is before


def test_a_move_is_refused_when_one_of_the_states_it_starts_from_lacks_it(store: Store) -> None:
    row = plan_occurrence(store)
    with pytest.raises(ValueError, match="cannot go from sent to composed"):
        store.write(occurrences.transition, row.id, S.COMPOSED, from_={S.PLANNED, S.SENT}, now=LATER)
    assert occurrence_now(store, row).state is S.PLANNED


def test_a_move_from_no_state_at_all_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="from no state"):
        store.write(occurrences.transition, plan_occurrence(store).id, S.COMPOSED, from_=(), now=NOW)


def test_a_move_from_another_state_than_it_is_in_does_nothing(store: Store) -> None:
    row = plan_occurrence(store)
    moved = store.write(occurrences.transition, row.id, S.APPROVED, from_={S.COMPOSED}, now=LATER)
    assert not moved
    assert occurrence_now(store, row) == row


def test_of_many_who_move_an_occurrence_at_once_one_does(store: Store) -> None:
    row = plan_occurrence(store)
    put(store, row, S.APPROVED)

    def move(_: int) -> bool:
        return store.write(occurrences.transition, row.id, S.SENDING, from_={S.APPROVED}, now=NOW)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(move, range(8))) == [False] * 7 + [True]


def test_a_held_occurrence_goes_back_to_where_it_was(store: Store) -> None:
    row = plan_occurrence(store)
    for state in OUT_OF_HELD:
        put(store, row, state)
        assert store.write(occurrences.hold, row.id, reason=Reason.GATE, detail="no links", now=LATER)
        held = occurrence_now(store, row)
        assert (held.state, held.reason, held.detail, held.resumes) == (S.HELD, Reason.GATE, "no links", state)
        assert not store.write(occurrences.hold, row.id, reason=Reason.BY_HAND, now=LATER)
        assert store.write(occurrences.release, row.id, now=LATER) is state
        released = occurrence_now(store, row)
        assert (released.state, released.reason, released.detail, released.resumes) == (state, Reason.NONE, "", None)


def test_a_held_occurrence_cannot_jump_ahead_of_where_it_was(store: Store) -> None:
    row = plan_occurrence(store)
    store.write(occurrences.hold, row.id, reason=Reason.BY_HAND, now=LATER)
    assert not store.write(occurrences.transition, row.id, S.SENDING, from_={S.HELD}, now=LATER)
    assert occurrence_now(store, row).state is S.HELD
    assert store.write(occurrences.cancel, row.id, now=LATER)


def test_what_is_not_held_is_not_released(store: Store) -> None:
    assert store.write(occurrences.release, plan_occurrence(store).id, now=NOW) is None


def test_what_is_being_sent_is_neither_skipped_nor_cancelled(store: Store) -> None:
    verbs: dict[OccurrenceState, Any] = {S.SKIPPED: occurrences.skip, S.CANCELLED: occurrences.cancel}
    for ordinal, (state, target) in enumerate(product(S, verbs), start=1):
        row = plan_occurrence(store, ordinal=ordinal)
        put(store, row, state)
        can = target in OCCURRENCE_TRANSITIONS[state]
        assert store.write(verbs[target], row.id, reason=Reason.MISSED, detail="three hours late", now=LATER) is can
        after = occurrence_now(store, row)
        expected = (target, Reason.MISSED, "three hours late") if can else (state, Reason.NONE, "")
        assert (after.state, after.reason, after.detail) == expected


# --- asking ----------------------------------------------------------------------------------------------------------


def test_what_is_due_is_found_at_its_time_and_not_before(store: Store) -> None:
    row = plan_occurrence(store)
    second = timedelta(seconds=1)
    assert store.read(occurrences.due_to_compose, row.compose_at - second) == []
    assert store.read(occurrences.due_to_compose, row.compose_at) == [row]
    for state in (S.COMPOSED, S.APPROVED):
        put(store, row, state)
        assert store.read(occurrences.due_to_send, row.due_at - second) == []
        assert [found.state for found in store.read(occurrences.due_to_send, row.due_at)] == [state]
        assert store.read(occurrences.due_to_compose, row.due_at) == []


def test_only_what_is_sending_is_listed_as_sending(store: Store) -> None:
    row = plan_occurrence(store)
    for state in S:
        put(store, row, state)
        assert [found.id for found in store.read(occurrences.sending)] == ([row.id] if state is S.SENDING else [])


def test_the_most_urgent_comes_first(store: Store) -> None:
    later = plan_occurrence(store, "weekly", due_at=DUE)
    sooner = plan_occurrence(store, "daily", due_at=DUE - timedelta(minutes=1))
    assert [row.id for row in store.read(occurrences.due_to_compose, DUE)] == [sooner.id, later.id]


def test_latest_goes_by_date_and_ordinal_not_by_spelling(store: Store) -> None:
    tenth = plan_occurrence(store, ordinal=10)
    plan_occurrence(store, ordinal=9)
    plan_occurrence(store, day=22, ordinal=11, due_at=DUE + timedelta(days=9))
    assert store.read(occurrences.latest, "daily", Stream.EACH) == tenth
    assert store.read(occurrences.latest, "daily", Stream.WEEKLY) is None


def test_the_next_occurrence_is_the_one_due_first_of_those_still_open(store: Store) -> None:
    first, second, third = (plan_occurrence(store, day=day, due_at=DUE + timedelta(days=day)) for day in (23, 24, 25))
    put(store, first, S.SENT)
    put(store, second, S.COMPOSED)
    planned, still_open = store.read(occurrences.next_planned, "daily"), store.read(occurrences.next_open, "daily")
    assert planned is not None
    assert still_open is not None
    assert (planned.id, still_open.id) == (third.id, second.id)
    assert store.read(occurrences.next_planned, "weekly") is None


def test_the_listing_filters_and_shows_the_latest_first(store: Store) -> None:
    daily = [plan_occurrence(store, day=day, due_at=DUE + timedelta(days=day)) for day in (1, 2, 3)]
    weekly = plan_occurrence(store, "weekly", stream=Stream.WEEKLY)
    put(store, daily[0], S.SENT)

    def ids(**filters: object) -> list[int]:
        return [row.id for row in store.read(occurrences.listing, **filters)]  # type: ignore[arg-type]

    assert ids() == [daily[2].id, daily[1].id, daily[0].id, weekly.id]
    assert ids(newsletter="daily", limit=2) == [daily[2].id, daily[1].id]
    assert ids(stream=Stream.WEEKLY) == [weekly.id]
    assert ids(states={S.SENT}) == [daily[0].id]
    assert ids(due_from=daily[1].due_at, due_before=daily[2].due_at) == [daily[1].id]


def test_rows_of_alerts_in_the_same_table_disturb_nobody(store: Store) -> None:
    def alert(connection: Connection) -> int:
        values = {"newsletter": "breaking", "stream": "breaking", "occurrence": "alert/7/1", "kind": "alert"}
        times = {"due_at": NOW, "compose_at": NOW, "created_at": NOW, "changed_at": NOW}
        statement = insert(tables.occurrences).values(**values, **times, layer={}).returning(tables.occurrences.c.id)
        return int(connection.execute(statement).scalar_one())

    alert_id = store.write(alert)
    assert store.read(occurrences.listing) == []
    assert store.read(occurrences.due_to_compose, DUE) == []
    assert store.read(occurrences.get, alert_id) is None


def test_an_occurrence_remembers_that_it_went_only_to_some(store: Store) -> None:
    row = plan_occurrence(store)
    store.write(occurrences.mark_partial, row.id, True, LATER)
    assert occurrence_now(store, row).partial
