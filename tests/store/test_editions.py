"""An edition, its articles' uses and its decisions are made together and once; let go only while nothing was mailed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from newsletter.errors import StoreError
from newsletter.model import Decision, EditionSection, OccurrenceState, Reason, RenderedKey, Stream
from newsletter.store import Store, audit, editions, heartbeats, occurrences, pieces, tables
from newsletter.store.editions import EditionRow
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW, add_subscribers
from tests.support.newsroom import DUE, add_articles, an_article, occurrence_now, plan_occurrence

S = OccurrenceState


def decisions(sections: Sequence[EditionSection]) -> list[Decision]:
    return [
        Decision(article, Reason.CHOSEN, section.name, position)
        for section in sections
        for position, article in enumerate(section.article_ids, start=1)
    ]


def create(
    store: Store,
    occurrence: OccurrenceRow,
    *article_ids: int,
    cohort: str = "",
    others: Sequence[Decision] = (),
) -> EditionRow:
    sections = (EditionSection("National", article_ids),) if article_ids else ()
    chosen = [*decisions(sections), *others]
    return store.write(editions.create, occurrence, cohort, "", "", DUE, sections, chosen, NOW)


def uses(store: Store) -> dict[tuple[str, str, int], tuple[int, bool]]:
    table = tables.article_uses

    def work(connection: Connection) -> dict[tuple[str, str, int], tuple[int, bool]]:
        return {
            (row.newsletter, row.cohort, row.article_id): (row.edition_id, row.sent)
            for row in connection.execute(select(table))
        }

    return store.read(work)


def reasons(store: Store, occurrence: OccurrenceRow) -> dict[int, tuple[Reason, int]]:
    return {row.article_id: (row.reason, row.position) for row in store.read(editions.why, occurrence.id)}


def move(store: Store, occurrence: OccurrenceRow, *states: OccurrenceState) -> None:
    for state in states:
        before = occurrence_now(store, occurrence).state
        assert store.write(occurrences.transition, occurrence.id, state, from_={before}, now=NOW)


def add_delivery(store: Store, edition: EditionRow, **changes: Any) -> None:
    subscriber = add_subscribers(store, 1)[0]
    values = {
        "occurrence_id": edition.occurrence_id,
        "edition_id": edition.id,
        "newsletter": edition.newsletter,
        "stream": edition.stream.value,
        "occurrence": str(edition.occurrence),
        "subscriber_id": subscriber,
        "kind": "edition",
        "priority": 50,
        "due_at": DUE,
        "expires_at": DUE,
        "rendered_key": "en/free",
        "message_id": "<1@example>",
        "changed_at": NOW,
        **changes,
    }
    store.write(lambda connection: connection.execute(insert(tables.deliveries).values(**values)))


@pytest.fixture
def occurrence(store: Store) -> OccurrenceRow:
    add_articles(store, *(an_article(number) for number in range(1, 7)))
    return plan_occurrence(store)


# --- making one ------------------------------------------------------------------------------------------------------


def test_an_edition_reserves_its_articles_records_why_and_moves_its_occurrence(
    store: Store, occurrence: OccurrenceRow
) -> None:
    made = create(store, occurrence, 1, 2, others=[Decision(3, Reason.CARRIED_OVER, "National")])
    assert occurrence_now(store, occurrence).state is S.COMPOSED
    assert uses(store) == {("daily", "", 1): (made.id, False), ("daily", "", 2): (made.id, False)}
    assert reasons(store, occurrence) == {
        1: (Reason.CHOSEN, 1),
        2: (Reason.CHOSEN, 2),
        3: (Reason.CARRIED_OVER, 0),
    }
    assert store.read(editions.for_occurrence, occurrence.id) == [made]
    loaded = store.read(editions.load, made.id)
    assert loaded == made.edition
    assert (loaded.article_ids, str(loaded.name), loaded.due_at) == ((1, 2), "daily@2026-11-23/1", DUE)


def test_making_an_edition_twice_returns_the_first_and_changes_nothing(store: Store, occurrence: OccurrenceRow) -> None:
    first = create(store, occurrence, 1, 2)
    assert create(store, occurrence, 3, 4) == first
    assert set(uses(store)) == {("daily", "", 1), ("daily", "", 2)}
    assert reasons(store, occurrence).keys() == {1, 2}


def test_many_who_make_one_edition_at_once_make_one(store: Store, occurrence: OccurrenceRow) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda number: create(store, occurrence, number), range(1, 7)))
    assert len({edition.id for edition in made}) == 1
    assert set(uses(store)) == {("daily", "", article) for article in made[0].edition.article_ids}


def test_whoever_dies_in_the_middle_leaves_nothing_behind(
    store: Store, occurrence: OccurrenceRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(occurrences, "transition", die)
        with pytest.raises(KeyboardInterrupt):
            create(store, occurrence, 1, 2)
    assert uses(store) == {}
    assert store.read(editions.for_occurrence, occurrence.id) == []
    assert reasons(store, occurrence) == {}
    assert occurrence_now(store, occurrence).state is S.PLANNED
    assert create(store, occurrence, 1, 2).edition.article_ids == (1, 2)


def test_what_another_edition_of_the_newsletter_holds_is_left_out_with_that_reason(
    store: Store, occurrence: OccurrenceRow
) -> None:
    create(store, occurrence, 2, 3)
    second = plan_occurrence(store, day=24)
    made = create(store, second, 1, 2, 4, others=[Decision(3, Reason.DROPPED_OVERFLOW, "National")])
    assert made.edition.article_ids == (1, 4)
    assert reasons(store, second) == {
        1: (Reason.CHOSEN, 1),
        2: (Reason.RESERVED_ELSEWHERE, 0),
        3: (Reason.RESERVED_ELSEWHERE, 0),
        4: (Reason.CHOSEN, 2),
    }


def test_two_editions_made_at_once_never_share_an_article(store: Store, occurrence: OccurrenceRow) -> None:
    turns = [occurrence, *(plan_occurrence(store, day=day) for day in (24, 25, 26))]
    orders = [(1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1), (2, 4, 6, 1), (5, 3)]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda turn, ids: create(store, turn, *ids), turns, orders))
    held = [article for edition in made for article in edition.edition.article_ids]
    assert sorted(held) == [1, 2, 3, 4, 5, 6]


def test_two_newsletters_and_two_cohorts_may_hold_the_same_article(store: Store, occurrence: OccurrenceRow) -> None:
    create(store, occurrence, 1, cohort="Asia/Kolkata@07:00")
    assert create(store, occurrence, 1, cohort="Europe/Paris@07:00").edition.article_ids == (1,)
    assert create(store, plan_occurrence(store, "weekly"), 1).edition.article_ids == (1,)
    assert len(store.read(editions.for_occurrence, occurrence.id)) == 2


@pytest.mark.parametrize("state", [S.HELD, S.SKIPPED, S.CANCELLED])
def test_an_occurrence_that_was_taken_aside_is_not_composed(
    store: Store, occurrence: OccurrenceRow, state: OccurrenceState
) -> None:
    move(store, occurrence, state)
    with pytest.raises(StoreError, match=f"{state.value} is not composed"):
        create(store, occurrence, 1)
    assert uses(store) == {}


def test_an_empty_edition_is_an_edition(store: Store, occurrence: OccurrenceRow) -> None:
    assert create(store, occurrence).sections == ()
    assert occurrence_now(store, occurrence).state is S.COMPOSED


# --- letting go ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [occurrences.skip, occurrences.cancel])
def test_a_skipped_or_cancelled_edition_gives_its_articles_to_the_next(
    store: Store, occurrence: OccurrenceRow, verb: Any
) -> None:
    create(store, occurrence, 1, 2, others=[Decision(3, Reason.DROPPED_OVERFLOW, "National")])
    assert len(uses(store)) == 3
    assert store.write(verb, occurrence.id, reason=Reason.MISSED, now=NOW)
    assert uses(store) == {}
    assert create(store, plan_occurrence(store, day=24), 1, 2, 3).edition.article_ids == (1, 2, 3)


@pytest.mark.parametrize(
    "mailed",
    [
        {"state": "sent", "sent_at": NOW, "attempt": 1},
        {"state": "sending", "sender": 1, "attempt": 1},
        {"state": "sending", "reason": "in_doubt"},
        {"state": "queued", "attempt": 1, "reason": "deferred"},
    ],
)
def test_what_may_have_reached_anybody_is_never_let_go(
    store: Store, occurrence: OccurrenceRow, mailed: dict[str, Any]
) -> None:
    edition = create(store, occurrence, 1)
    add_delivery(store, edition, **mailed)
    move(store, occurrence, S.APPROVED, S.SENDING, S.STOPPED)
    assert store.write(occurrences.cancel, occurrence.id, now=NOW)
    assert set(uses(store)) == {("daily", "", 1)}


def test_an_edition_that_was_stopped_before_its_first_message_lets_its_articles_go(
    store: Store, occurrence: OccurrenceRow
) -> None:
    add_delivery(store, create(store, occurrence, 1), state="queued")
    move(store, occurrence, S.APPROVED, S.SENDING, S.STOPPED, S.CANCELLED)
    assert uses(store) == {}


def test_what_was_sent_is_marked_what_was_dropped_is_not_and_neither_is_let_go(
    store: Store, occurrence: OccurrenceRow
) -> None:
    edition = create(store, occurrence, 1, others=[Decision(2, Reason.DROPPED_OVERFLOW, "National")])
    move(store, occurrence, S.APPROVED, S.SENDING, S.SENT)
    expected = {("daily", "", 1): (edition.id, True), ("daily", "", 2): (edition.id, False)}
    assert uses(store) == expected
    assert store.write(editions.mark_uses_sent, edition.id) == 0
    assert store.write(editions.release_uses, edition.id) == 0
    assert uses(store) == expected


def test_letting_go_of_one_edition_leaves_the_others(store: Store, occurrence: OccurrenceRow) -> None:
    edition, other = create(store, occurrence, 1), create(store, plan_occurrence(store, day=24), 2)
    assert store.write(editions.release_uses, edition.id) == 1
    assert uses(store) == {("daily", "", 2): (other.id, False)}


# --- asking ----------------------------------------------------------------------------------------------------------


def test_the_last_sent_edition_is_that_of_the_latest_sent_occurrence(store: Store, occurrence: OccurrenceRow) -> None:
    assert store.read(editions.last_sent, "daily", Stream.EACH) is None
    first = create(store, occurrence, 1)
    later = plan_occurrence(store, day=24, due_at=DUE + timedelta(days=1))
    create(store, later, 2)
    move(store, occurrence, S.APPROVED, S.SENDING, S.SENT)
    assert store.read(editions.last_sent, "daily", Stream.EACH) == first
    assert store.read(editions.last_sent, "weekly", Stream.EACH) is None


def test_the_last_composition_is_that_of_the_same_readers(store: Store, occurrence: OccurrenceRow) -> None:
    create(store, occurrence, 1)
    assert store.read(editions.last_composed_at, "daily", Stream.EACH, "") == NOW
    assert store.read(editions.last_composed_at, "daily", Stream.EACH, "Europe/Paris@07:00") is None
    assert store.read(editions.last_composed_at, "weekly", Stream.EACH, "") is None


def test_an_edition_taken_by_hand_is_due_when_its_occurrence_is(store: Store, occurrence: OccurrenceRow) -> None:
    edition = create(store, occurrence, 1)
    assert store.write(occurrences.take_by_hand, occurrence.id, NOW, NOW)
    assert store.read(editions.load, edition.id).due_at == NOW


def test_an_edition_that_is_not_there_is_a_clear_error(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no edition 7"):
        store.read(editions.load, 7)


# --- pieces, audit, heartbeats ---------------------------------------------------------------------------------------

FREE, MEMBER = RenderedKey("en", "free"), RenderedKey("en", "member")


def test_the_first_pieces_of_a_revision_win_whole_and_a_new_revision_has_its_own(
    store: Store, occurrence: OccurrenceRow
) -> None:
    edition = create(store, occurrence, 1)
    first = {"open": b"\x00head", "story-1": "नमस्ते".encode()}
    assert store.write(pieces.save, edition.id, 1, FREE, first)
    assert not store.write(pieces.save, edition.id, 1, FREE, {"open": b"other", "story-2": b"other"})
    assert store.write(pieces.save, edition.id, 2, FREE, {"open": b"corrected"})
    assert store.write(pieces.save, edition.id, 1, MEMBER, {"open": b"member"})
    assert store.read(pieces.load, edition.id, 1, FREE) == first
    assert store.read(pieces.load, edition.id, 2, FREE) == {"open": b"corrected"}
    assert store.read(pieces.keys, edition.id, 1) == [FREE, MEMBER]
    assert store.read(pieces.load, edition.id, 2, MEMBER) == {}


def test_pieces_of_two_renderers_at_once_never_mix(store: Store, occurrence: OccurrenceRow) -> None:
    edition = create(store, occurrence, 1)
    documents = [{f"piece-{number}-{part}": b"x" for part in range(20)} for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        saved = list(threads.map(lambda document: store.write(pieces.save, edition.id, 1, FREE, document), documents))
    assert saved.count(True) == 1
    assert store.read(pieces.load, edition.id, 1, FREE) == documents[saved.index(True)]


def test_the_audit_shows_the_newest_act_first_and_can_be_asked_of_one_thing(store: Store) -> None:
    for subject, action in (("daily@2026-11-23/1", "hold"), ("delivery 5", "close"), ("daily@2026-11-23/1", "release")):
        store.write(audit.record, actor="meera", action=action, subject=subject, now=NOW)
    assert [row.action for row in store.read(audit.listing)] == ["release", "close", "hold"]
    acts = store.read(audit.listing, subject="daily@2026-11-23/1", limit=1)
    assert [(row.actor, row.action, row.at) for row in acts] == [("meera", "release", NOW)]


def test_a_heartbeat_replaces_the_one_before(store: Store) -> None:
    later, due = NOW + timedelta(minutes=1), NOW + timedelta(minutes=11)
    store.write(heartbeats.beat, "source front", NOW, None, "timed out")
    store.write(heartbeats.beat, "source front", later, due)
    store.write(heartbeats.beat, "scheduler", NOW, due)
    rows = store.read(heartbeats.listing)
    assert [(row.name, row.last_at, row.next_due_at, row.error) for row in rows] == [
        ("scheduler", NOW, due, ""),
        ("source front", later, due, ""),
    ]
