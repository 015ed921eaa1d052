"""Corrections in the ledger: named after what they correct, made page by page, and no turn of any schedule."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from newsletter.errors import UsageError
from newsletter.model import DeliveryState, EditionName, Edits, Occurrence, OccurrenceState, Stream
from newsletter.store import Store, corrections, editions, occurrences, tables
from newsletter.store.fan_out import fan_out_page
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW, add_occurrence, add_subscribers

LATER = NOW + timedelta(hours=1)


def an_edition(store: Store, readers: int, state: OccurrenceState = OccurrenceState.SENT) -> OccurrenceRow:
    """An occurrence that all its readers have."""
    add_subscribers(store, readers)
    occurrence_id, edition_id = add_occurrence(store, state=state)
    while store.write(fan_out_page, edition_id, languages=("en",), expires_at=LATER, now=NOW):
        pass
    row, had = tables.deliveries, {"state": DeliveryState.SENT.value}
    store.write(lambda c: c.execute(update(row).values(message_id=row.c.id.concat("@test"), **had)))
    found = store.read(occurrences.get, occurrence_id)
    assert found is not None
    return found


def issue(store: Store, row: OccurrenceRow, note: str, *, again: bool = False) -> corrections.Issued | None:
    return store.write(corrections.issue, row, Edits(note=note), {}, again=again, actor="ann", now=LATER)


def test_a_correction_is_no_turn_and_is_found_by_its_name(store: Store) -> None:
    original = an_edition(store, 2)
    issued = issue(store, original, "Two, not three.")
    assert issued is not None
    correction = issued.row
    assert str(correction.name) == "daily@2026-11-23/1/correction-1"
    assert correction.name == EditionName.parse(str(correction.name))
    assert correction.occurrence.corrected == original.occurrence
    assert store.read(occurrences.find, "daily", Stream.EACH, correction.occurrence) == correction
    assert store.read(occurrences.sending) == [correction]
    assert store.read(occurrences.listing) == [correction, original]
    assert store.read(occurrences.listing, turns_only=True) == [original]
    assert store.read(occurrences.latest, "daily", Stream.EACH) == original
    assert store.read(editions.last_composed_at, "daily", Stream.EACH, "") == NOW
    last = store.read(editions.last_sent, "daily", Stream.EACH)
    assert last is not None
    assert last.occurrence == original.occurrence


def test_the_same_words_are_issued_once_and_what_goes_out_is_not_corrected(store: Store) -> None:
    original = an_edition(store, 1)
    first = issue(store, original, "Two, not three.")
    assert first is not None
    assert issue(store, original, " Two,  not three.\n") == corrections.Issued(first.row, there=True)
    numbers = []
    for note, again in (("Two, not three.", True), ("Four.", False)):
        made = issue(store, original, note, again=again)
        assert made is not None
        numbers.append((made.row.occurrence.correction, made.there))
    assert numbers == [(2, False), (3, False)]
    other = tables.occurrences.c.id == original.id
    store.write(lambda c: c.execute(update(tables.occurrences).where(other).values(state="sending")))
    assert issue(store, original, "Five.") is None


def test_its_deliveries_are_made_in_pages_from_those_of_the_edition(store: Store) -> None:
    original = an_edition(store, 7)
    issued = issue(store, original, "Two, not three.")
    assert issued is not None
    pages: list[int] = []
    while not pages or pages[-1]:
        pages.append(store.write(corrections.fan_out_page, issued.row, expires_at=LATER, now=NOW, limit=3))
    assert pages == [3, 3, 1, 0]
    assert store.write(corrections.fan_out_page, issued.row, expires_at=LATER, now=NOW) == 0
    row = tables.deliveries
    made = store.read(lambda c: c.execute(select(row).order_by(row.c.subscriber_id)).all())
    first = [one for one in made if one.occurrence_id == original.id]
    then = [one for one in made if one.occurrence_id == issued.row.id]
    assert [one.subscriber_id for one in then] == [one.subscriber_id for one in first]
    assert [one.in_reply_to for one in then] == [one.message_id for one in first]
    assert {one.state for one in then} == {"queued"}


@pytest.mark.parametrize(
    "wrong", ["2026-11-23/1/correction-0", "2026-11-23/1/correction-", "2026-11-23/1/Asia/Kolkata"]
)
def test_what_is_no_correction_is_no_occurrence(wrong: str) -> None:
    with pytest.raises(UsageError, match="is not an occurrence"):
        Occurrence.parse(wrong)
