"""Gates in the store, on both databases: what is counted, compared, held and overruled."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, func, select, update

from newsletter.model import FailedGate, Gate, Occurrence, OccurrenceState, Reason, SubscriptionState
from newsletter.store import Store, audit, decisions, editions, fan_out, gates, occurrences, tables
from newsletter.store.gates import failed_of, overruled_of
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW, add_occurrence, add_subscribers

_S = OccurrenceState
READERS = FailedGate(Gate.READERS, "3 readers, 70 % fewer than the usual 10", "Look for it")
WEB = FailedGate(Gate.WEB, "it does not answer", "Start it")


def a_row(store: Store, state: OccurrenceState = _S.APPROVED, day: int = 23) -> OccurrenceRow:
    occurrence_id, _ = add_occurrence(store, occurrence=Occurrence(date(2026, 11, day), 1), state=state)
    return again(store, occurrence_id)


def again(store: Store, row: OccurrenceRow | int) -> OccurrenceRow:
    found = store.read(occurrences.get, row if isinstance(row, int) else row.id)
    assert found is not None
    return found


def edited(store: Store, row: OccurrenceRow) -> None:
    statement = update(tables.occurrences).where(tables.occurrences.c.id == row.id)
    store.write(lambda connection: connection.execute(statement.values(edited=row.edited + 1)))


def test_the_count_is_the_number_of_deliveries_that_a_fan_out_makes(store: Store) -> None:
    add_subscribers(store, 7)
    add_subscribers(store, 2, first=20, state=SubscriptionState.UNSUBSCRIBED)
    add_subscribers(store, 2, first=30, state=SubscriptionState.PENDING)
    add_subscribers(store, 3, first=40, newsletters=["weekly"])
    paused, other_stream = add_subscribers(store, 2, first=50)

    def unlike(connection: Connection) -> None:
        of = tables.subscriptions
        change = update(of).where(of.c.newsletter == "daily")
        connection.execute(change.where(of.c.subscriber_id == paused).values(paused_until=NOW + timedelta(days=9)))
        connection.execute(change.where(of.c.subscriber_id == other_stream).values(stream="weekly"))

    store.write(unlike)
    _, edition = add_occurrence(store)
    while store.write(fan_out.fan_out_page, edition, languages=("en",), expires_at=NOW, now=NOW, limit=3):
        pass
    made = store.read(
        lambda connection: connection.execute(select(func.count()).select_from(tables.deliveries)).scalar()
    )
    assert store.read(fan_out.count_readers, "daily", "each") == made == 8


def test_what_is_usual_comes_from_the_last_editions_that_went_out_also_without_their_deliveries(store: Store) -> None:
    now = a_row(store, day=30)
    for day, state, readers in [
        (20, _S.SENT, 1),
        (21, _S.SENT, 210),
        (22, _S.SENDING, 220),
        (23, _S.STOPPED, 230),
        (24, _S.SKIPPED, 240),  # was about to go out, and did not
        (25, _S.CANCELLED, 250),
        (26, _S.SENT, None),  # from before its number was kept
        (30, None, 300),
    ]:
        if state is not None:
            occurrence_id, _ = add_occurrence(
                store,
                occurrence=Occurrence(date(2026, 11, day), 1),
                state=state,
                due_at=NOW + timedelta(days=day - 23),
            )
            row = again(store, occurrence_id)
        else:
            row = now
        if readers is not None:
            store.write(gates.passed, row, readers, {"en/free": f"Subject {day}"})
    add_occurrence(store, "weekly", state=_S.SENT)
    found = store.read(gates.earlier, now, 3)
    assert found.readers == (230, 220, 210)
    assert (str(found.name), found.subjects) == ("daily@2026-11-23/1", {"en/free": "Subject 23"})


@pytest.mark.parametrize("state", [_S.COMPOSED, _S.APPROVED])
def test_a_failed_gate_holds_and_a_release_overrules_it_and_no_other(store: Store, state: OccurrenceState) -> None:
    row = a_row(store, state)
    assert store.write(gates.hold, row, [READERS, WEB], NOW)
    held = again(store, row)
    assert (held.state, held.reason, held.resumes) == (_S.HELD, Reason.GATE, state)
    assert held.detail == "readers: 3 readers, 70 % fewer than the usual 10; web: it does not answer"
    assert failed_of(held) == (READERS, WEB)
    assert store.write(decisions.release, held, actor="anna", now=NOW) is state
    free = again(store, row)
    assert failed_of(free) == ()
    assert overruled_of(free) == {Gate.READERS, Gate.WEB}
    assert not store.write(gates.hold, free, [READERS], NOW), "the same gate does not hold it again"
    lint = FailedGate(Gate.LINT, "no alt", "Mend it")
    assert store.write(gates.hold, free, [READERS, lint], NOW), "one of another kind does"
    assert failed_of(again(store, row)) == (lint,)
    store.write(decisions.release, again(store, row), actor="ben", now=NOW)
    assert overruled_of(again(store, row)) == {Gate.READERS, Gate.WEB, Gate.LINT}
    acts = [(act.actor, act.action, act.detail) for act in reversed(store.read(audit.listing))]
    assert acts == [
        ("anna", "release", f"{state.value}, despite readers, web"),
        ("ben", "release", f"{state.value}, despite lint"),
    ]


def test_what_was_overruled_meanwhile_does_not_hold_whoever_looked_before(store: Store) -> None:
    row = a_row(store)
    store.write(gates.overrule, row, [Gate.READERS], actor="anna", now=NOW)
    assert not store.write(gates.hold, row, [READERS], NOW)
    assert again(store, row).state is _S.APPROVED


def test_an_edit_takes_back_what_was_overruled(store: Store) -> None:
    row = a_row(store)
    store.write(gates.hold, row, [READERS], NOW)
    store.write(decisions.release, again(store, row), actor="anna", now=NOW)
    edited(store, row)
    assert overruled_of(again(store, row)) == frozenset()
    assert not store.write(gates.hold, row, [READERS], NOW), "whoever looked before the edit decides nothing"
    assert store.write(gates.hold, again(store, row), [READERS], NOW)


def test_one_that_was_edited_while_it_was_held_is_looked_at_again_when_it_is_released(store: Store) -> None:
    row = a_row(store)
    store.write(gates.hold, row, [READERS], NOW)
    edited(store, row)
    assert store.write(decisions.release, again(store, row), actor="anna", now=NOW) is _S.APPROVED
    assert overruled_of(again(store, row)) == frozenset()
    [act] = store.read(audit.listing)
    assert act.detail == "approved"


def test_a_release_to_look_again_overrules_nothing_and_has_it_rendered_anew(store: Store) -> None:
    row = a_row(store)
    [before] = store.read(editions.for_occurrence, row.id)
    store.write(gates.hold, row, [READERS], NOW)
    store.write(decisions.release, again(store, row), actor="anna", overrule=False, now=NOW)
    assert overruled_of(again(store, row)) == frozenset()
    [after] = store.read(editions.for_occurrence, row.id)
    assert (after.revision, after.sections) == (before.revision + 1, before.sections)


def test_overruling_all_that_hold_it_releases_it_and_overruling_some_does_not(store: Store) -> None:
    row = a_row(store)
    store.write(gates.hold, row, [READERS, WEB], NOW)
    some = store.write(gates.overrule, row, [Gate.WEB], actor="anna", now=NOW)
    assert (some.state, failed_of(some)) == (_S.HELD, (READERS, WEB))
    every = store.write(gates.overrule, row, [Gate.READERS], actor="anna", now=NOW)
    assert every.state is _S.APPROVED
    assert overruled_of(every) == {Gate.READERS, Gate.WEB}
    assert [act.detail for act in reversed(store.read(audit.listing))] == ["web", "readers"]


@pytest.mark.parametrize("state", [_S.SENDING, _S.SENT, _S.SKIPPED, _S.PLANNED])
def test_nothing_else_is_held_by_a_gate(store: Store, state: OccurrenceState) -> None:
    row = a_row(store, state)
    assert not store.write(gates.hold, row, [READERS], NOW)
    assert again(store, row) == row
