"""An edit changes the layer and every edition that is not yet sending, in one transaction; or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Connection, update

from newsletter.compose.edits import apply_edits
from newsletter.errors import EditedMeanwhile, StoreError, UnreadableEdits, UsageError
from newsletter.model import (
    Decision,
    DeliveryState,
    EditionSection,
    Edits,
    OccurrenceState,
    Pin,
    Reason,
    Stream,
)
from newsletter.store import Store, approving, articles, audit, editing, edition_changes, editions, occurrences, tables
from newsletter.store import edits as stored_edits
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW
from tests.store.test_editions import add_delivery, create, decisions, move, reasons, uses
from tests.support.newsroom import DUE, add_articles, an_article, occurrence_now, plan_occurrence

S = OccurrenceState


@pytest.fixture
def occurrence(store: Store) -> OccurrenceRow:
    """Planned, with articles 1 to 6 to choose from."""
    add_articles(store, *(an_article(number) for number in range(1, 7)))
    return plan_occurrence(store)


def edit(
    store: Store, seen: OccurrenceRow, edits: Edits, *, pinned: Sequence[int] = (), required: bool = False
) -> OccurrenceRow:
    known = store.read(articles.get_many, [pin.article_id for pin in edits.pinned])

    def apply(composed: Sequence[EditionSection]) -> tuple[EditionSection, ...]:
        return apply_edits(composed, edits, known)

    return store.write(
        editing.edit, seen, edits, apply, pinned=pinned, required=required, actor="anna@desk", detail="words", now=NOW
    )


def stories(store: Store, row: OccurrenceRow) -> dict[str, list[tuple[str, tuple[int, ...]]]]:
    made = store.read(editions.for_occurrence, row.id)
    return {one.cohort: [(section.name, section.article_ids) for section in one.sections] for one in made}


EVERYTHING = Edits(
    dropped=(1, 2),
    pinned=(Pin(4, "National", 2), Pin(5)),
    order=(EditionSection("World: the wide", (3, 1)),),
    headlines=((4, "Vier “vier”"),),
    subject="",
    preheader="Moin",
    note="*Hello*\n\nthere",
)


def test_every_edit_comes_back_from_the_store_as_it_was_written(store: Store, occurrence: OccurrenceRow) -> None:
    edit(store, occurrence, EVERYTHING)
    row = occurrence_now(store, occurrence)
    assert (row.edits, row.edited) == (EVERYTHING, 1)
    assert stored_edits.from_json(stored_edits.to_json(Edits())) == Edits()
    assert stored_edits.to_json(Edits()) == {}


@pytest.mark.parametrize(
    "layer",
    [
        [],
        {"dropped": 7},
        {"dropped": ["7"]},
        {"pinned": [7]},
        {"pinned": [{"article": 7}]},
        {"order": [{"name": 1, "articles": []}]},
        {"headlines": [[1, "x"]]},
        {"subject": 3},
        {"colour": "red"},
        {"pinned": [{"article": True, "section": "", "position": 1}]},
    ],
)
def test_a_layer_of_another_shape_is_an_error_of_its_one_occurrence(
    store: Store, occurrence: OccurrenceRow, layer: object
) -> None:
    create(store, occurrence, 1)
    other = plan_occurrence(store, day=24)
    store.write(
        lambda connection: connection.execute(
            update(tables.occurrences).where(tables.occurrences.c.id == occurrence.id).values(layer=layer)
        )
    )
    rows = {row.id: row for row in store.read(occurrences.listing)}
    assert rows[other.id].edits == Edits()
    with pytest.raises(UnreadableEdits, match=r"daily@2026-11-23/1: its edits cannot be read .* --clear"):
        _ = rows[occurrence.id].edits
    [edition] = store.read(editions.for_occurrence, occurrence.id)
    with pytest.raises(UnreadableEdits):
        _ = edition.edition
    edit(store, rows[occurrence.id], Edits())
    assert occurrence_now(store, occurrence).edits == Edits()


def test_what_is_dropped_is_free_again_and_what_is_pinned_is_reserved_in_every_cohort(
    store: Store, occurrence: OccurrenceRow
) -> None:
    east, west = create(store, occurrence, 1, 2, cohort="east"), create(store, occurrence, 2, 3, cohort="west")
    edits = Edits(dropped=(2,), pinned=(Pin(4, "National", 1),), subject="Another")
    row = edit(store, occurrence, edits, pinned=[4])
    assert stories(store, row) == {"east": [("National", (4, 1))], "west": [("National", (4, 3))]}
    assert uses(store) == {
        ("daily", "east", 1): (east.id, False),
        ("daily", "east", 4): (east.id, False),
        ("daily", "west", 3): (west.id, False),
        ("daily", "west", 4): (west.id, False),
    }
    made = store.read(editions.for_occurrence, row.id)
    assert [one.revision for one in made] == [2, 2]
    assert [one.edition.edits for one in made] == [edits, edits]
    why = {(one.cohort, one.article_id): one for one in store.read(editions.why, row.id)}
    assert (why["east", 2].reason, why["east", 2].detail) == (Reason.BLOCKED, "dropped by an editor")
    assert (why["east", 4].position, why["east", 4].detail) == (1, "pinned by an editor")
    assert (why["east", 1].reason, why["east", 1].position) == (Reason.CHOSEN, 2)
    [act] = store.read(audit.listing, subject=str(row.name))
    assert (act.actor, act.action, act.detail, act.at) == ("anna@desk", "edit", "words", NOW)


def test_edits_that_are_taken_back_leave_the_edition_as_it_was_composed(
    store: Store, occurrence: OccurrenceRow
) -> None:
    create(store, occurrence, 1, 2, 3)
    before = reasons(store, occurrence)
    edits = Edits(dropped=(1,), pinned=(Pin(4, "National", 1),), order=(EditionSection("National", (3, 2)),))
    row = edit(store, occurrence, edits, pinned=[4])
    assert stories(store, row) == {"": [("National", (4, 3, 2))]}
    row = edit(store, row, Edits())
    assert stories(store, row) == {"": [("National", (1, 2, 3))]}
    assert {article for _, _, article in uses(store)} == {1, 2, 3}
    after = reasons(store, occurrence)
    assert {article: after[article] for article in before} == before
    assert after[4] == (Reason.CARRIED_OVER, 0)


def test_a_dropped_story_that_another_edition_has_taken_does_not_come_back(
    store: Store, occurrence: OccurrenceRow
) -> None:
    create(store, occurrence, 1, 2)
    row = edit(store, occurrence, Edits(dropped=(1,)))
    tomorrow = plan_occurrence(store, day=24)
    create(store, tomorrow, 1)
    row = edit(store, row, Edits())
    assert stories(store, row) == {"": [("National", (2,))]}
    with pytest.raises(UsageError, match=r"article 1 is in daily@2026-11-24/1, which is not sent yet.*--drop 1"):
        edit(store, row, Edits(pinned=(Pin(1, "National"),)), pinned=[1])


def test_what_a_sent_edition_of_this_newsletter_had_cannot_be_pinned_and_nothing_is_changed(
    store: Store, occurrence: OccurrenceRow
) -> None:
    yesterday = plan_occurrence(store, day=22)
    create(store, yesterday, 1, cohort="west")
    move(store, yesterday, S.APPROVED, S.SENDING, S.SENT)
    create(store, occurrence, 2)
    with pytest.raises(UsageError, match=r"article 1 was sent in daily@2026-11-22/1; nothing was changed"):
        edit(store, occurrence, Edits(dropped=(2,), pinned=(Pin(1, "National"),)), pinned=[1])
    assert stories(store, occurrence) == {"": [("National", (2,))]}
    assert occurrence_now(store, occurrence).edited == 0
    elsewhere = plan_occurrence(store, "weekly", stream=Stream.EACH)
    create(store, elsewhere, 3)
    row = edit(store, elsewhere, Edits(pinned=(Pin(1, "National"),)), pinned=[1])
    assert stories(store, row) == {"": [("National", (1, 3))]}, "another newsletter may have it"


def test_what_some_readers_were_mailed_stays_used_when_it_is_dropped(store: Store, occurrence: OccurrenceRow) -> None:
    made = create(store, occurrence, 1, 2)
    add_delivery(store, made, state=DeliveryState.SENT.value, attempt=1)
    row = edit(store, occurrence, Edits(dropped=(1,)))
    assert stories(store, row) == {"": [("National", (2,))]}
    assert {article for _, _, article in uses(store)} == {1, 2}


def test_while_it_is_on_its_way_to_readers_named_by_hand_it_is_not_edited(
    store: Store, occurrence: OccurrenceRow
) -> None:
    add_delivery(store, create(store, occurrence, 1, 2))
    with pytest.raises(StoreError, match="on its way to readers named by hand; nothing was changed"):
        edit(store, occurrence, Edits(dropped=(1,)))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ([S.APPROVED, S.SENDING], "being sent"),
        ([S.APPROVED, S.SENDING, S.SENT], "sent"),
        ([S.APPROVED, S.SENDING, S.HELD], "held in the middle of sending"),
        ([S.CANCELLED], "cancelled"),
    ],
)
def test_once_it_is_being_sent_it_is_not_edited(
    store: Store, occurrence: OccurrenceRow, path: list[OccurrenceState], words: str
) -> None:
    create(store, occurrence, 1)
    move(store, occurrence, *path)
    with pytest.raises(StoreError, match=f"is {words} and can no longer be edited"):
        edit(store, occurrence, Edits(dropped=(1,)))
    assert occurrence_now(store, occurrence).layer == {}


def test_what_was_approved_goes_back_to_be_approved_again(store: Store, occurrence: OccurrenceRow) -> None:
    create(store, occurrence, 1, 2)
    move(store, occurrence, S.APPROVED)
    row = edit(store, occurrence, Edits(dropped=(1,)))
    assert row.state is S.COMPOSED
    move(store, row, S.APPROVED)
    store.write(occurrences.hold, row.id, reason=Reason.BY_HAND, now=NOW)
    row = edit(store, occurrence_now(store, row), Edits(dropped=(2,)))
    assert (row.state, row.resumes) == (S.HELD, S.COMPOSED)


def test_an_approval_of_what_was_edited_meanwhile_is_none(store: Store, occurrence: OccurrenceRow) -> None:
    create(store, occurrence, 1, 2)
    seen = occurrence_now(store, occurrence)
    edit(store, seen, Edits(dropped=(1,)))
    assert not store.write(approving.approve, seen, actor="boss@desk", now=NOW)
    assert not store.write(approving.wait, seen, "waits", NOW)
    assert not store.write(occurrences.transition, seen.id, S.APPROVED, from_={S.COMPOSED}, edited=seen.edited, now=NOW)
    assert store.write(approving.approve, occurrence_now(store, seen), actor="boss@desk", now=NOW)


def test_of_two_who_edit_what_they_saw_the_second_is_told(store: Store, occurrence: OccurrenceRow) -> None:
    create(store, occurrence, 1, 2, 3)
    seen = occurrence_now(store, occurrence)

    def one(article: int) -> str:
        try:
            edit(store, seen, Edits(dropped=(article,)))
        except EditedMeanwhile:
            return "told"
        return "edited"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(one, [1, 2])) == ["edited", "told"]
    assert len(occurrence_now(store, seen).edits.dropped) == 1


@pytest.mark.parametrize("_attempt", range(5))
def test_an_edit_beside_the_begin_of_sending_is_in_or_refused(
    store: Store, occurrence: OccurrenceRow, _attempt: int
) -> None:
    create(store, occurrence, 1, 2)
    move(store, occurrence, S.APPROVED)
    seen = occurrence_now(store, occurrence)

    def edits() -> bool:
        try:
            edit(store, seen, Edits(dropped=(1,)))
        except StoreError:
            return False
        return True

    def begins() -> bool:
        return store.write(occurrences.transition, seen.id, S.SENDING, from_={S.APPROVED}, edited=seen.edited, now=NOW)

    with ThreadPoolExecutor(2) as threads:
        edited, began = (future.result() for future in [threads.submit(edits), threads.submit(begins)])
    assert edited is not began
    assert stories(store, seen) == {"": [("National", (2,) if edited else (1, 2))]}
    assert occurrence_now(store, seen).state is (S.COMPOSED if edited else S.SENDING)


def test_an_edition_is_not_composed_of_what_was_edited_meanwhile(store: Store, occurrence: OccurrenceRow) -> None:
    edit(store, occurrence, Edits(dropped=(1,)))
    with pytest.raises(EditedMeanwhile):
        create(store, occurrence, 1)
    assert create(store, occurrence_now(store, occurrence), 2).revision == 1


def test_what_was_retracted_does_not_come_back_with_the_next_edit(store: Store, occurrence: OccurrenceRow) -> None:
    made = create(store, occurrence, 1, 2, 3)
    store.write(edition_changes.revise, made.id, {1: Reason.RETRACTED}, NOW)
    row = edit(store, occurrence, Edits(order=(EditionSection("National", (3,)),)))
    assert stories(store, row) == {"": [("National", (3, 2))]}
    assert reasons(store, row)[1] == (Reason.RETRACTED, 0)


def test_a_send_by_hand_before_the_edit_no_longer_stands_for_an_approval(
    store: Store, occurrence: OccurrenceRow
) -> None:
    create(store, occurrence, 1, 2)
    store.write(occurrences.take_by_hand, occurrence.id, NOW, NOW)
    assert edit(store, occurrence, Edits(dropped=(1,))).by_hand
    row = edit(store, occurrence_now(store, occurrence), Edits(dropped=(2,)), required=True)
    assert not row.by_hand


def test_what_was_missed_and_the_words_of_a_decision_are_kept(store: Store, occurrence: OccurrenceRow) -> None:
    sections = (EditionSection("National", (1, 2)), EditionSection("", (3,), missed=True))
    said = [replace(one, detail=f"rank {one.position}") for one in decisions(sections)]
    store.write(editions.create, occurrence, "", "", "", DUE, sections, [*said, Decision(4, Reason.BLOCKED)], NOW)
    row = edit(store, occurrence, Edits(dropped=(1,)))
    [made] = store.read(editions.for_occurrence, row.id)
    assert made.sections == (EditionSection("National", (2,)), EditionSection("", (3,), missed=True))
    details = {one.article_id: (one.position, one.detail) for one in store.read(editions.why, row.id)}
    assert details[2] == (1, "rank 2")


def test_an_occurrence_held_for_want_of_approval_is_composed_again_by_an_edit(
    store: Store, occurrence: OccurrenceRow
) -> None:
    create(store, occurrence, 1, 2)
    store.write(occurrences.hold, occurrence.id, reason=Reason.AWAITING_APPROVAL, now=NOW)
    row = edit(store, occurrence_now(store, occurrence), Edits(dropped=(1,)))
    assert (row.state, row.reason) == (S.COMPOSED, Reason.NONE)


def test_a_hand_overs_own_note_in_the_layer_is_no_edit(store: Store, occurrence: OccurrenceRow) -> None:
    def work(connection: Connection) -> None:
        connection.execute(update(tables.occurrences).values(layer={"before": "2026-11-01T00:00:00+00:00"}))

    store.write(work)
    assert occurrence_now(store, occurrence).edits == Edits()
