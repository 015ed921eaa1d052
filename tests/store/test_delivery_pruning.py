"""What is forgotten of old editions, and what is not."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from newsletter.model import DeliveryState, Occurrence, OccurrenceState, Reason, RenderedKey, SystemMail
from newsletter.schedule.pruning import prune_deliveries
from newsletter.store import Store, delivery_pruning, occurrences, pieces, system_mails, tables
from tests.builders import NOW, add_occurrence, add_subscribers

BEFORE = NOW - timedelta(days=90)
FREE = RenderedKey("en", "free")


def add_edition(
    store: Store, readers: list[int], due_at: datetime, state: OccurrenceState = OccurrenceState.SENT
) -> int:
    """An edition that these readers got, with what it was made from; the id of its occurrence."""
    occurrence = Occurrence(due_at.date(), 1)
    occurrence_id, edition_id = add_occurrence(store, occurrence=occurrence, state=state, due_at=due_at)
    made = {
        "occurrence_id": occurrence_id, "edition_id": edition_id, "newsletter": "daily", "stream": "each",
        "occurrence": str(occurrence), "kind": "edition", "priority": 50, "state": "sent", "due_at": due_at,
        "expires_at": due_at, "rendered_key": str(FREE), "message_id": "<a@b>", "changed_at": due_at,
    }  # fmt: skip
    rows = [made | {"subscriber_id": reader} for reader in readers]
    store.write(lambda connection: connection.execute(tables.deliveries.insert(), rows))
    store.write(pieces.save, edition_id, 1, FREE, {"manifest": b"{}", "frame": b"<html>"})
    return occurrence_id


def left(store: Store) -> dict[str, int]:
    """How many rows there are of each table."""
    counted = (tables.deliveries, tables.pieces, tables.editions, tables.occurrences)
    return store.read(
        lambda connection: {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in counted
        }
    )


def test_what_each_reader_got_long_ago_is_forgotten_and_the_edition_stays(store: Store) -> None:
    readers = add_subscribers(store, 3)
    old = add_edition(store, readers, BEFORE - timedelta(seconds=1))
    young = add_edition(store, readers, BEFORE + timedelta(days=1))
    assert store.read(delivery_pruning.prunable, BEFORE) == 3
    assert prune_deliveries(store, BEFORE, NOW) == 3
    assert left(store) == {"deliveries": 3, "pieces": 2, "editions": 2, "occurrences": 2}
    forgotten, kept = (store.read(occurrences.get, one) for one in (old, young))
    assert forgotten is not None
    assert kept is not None
    assert (forgotten.state, forgotten.pruned_at, kept.pruned_at) == (OccurrenceState.SENT, NOW, None)
    assert store.read(delivery_pruning.prunable, BEFORE) == prune_deliveries(store, BEFORE, NOW) == 0


def test_it_goes_page_by_page_and_stops_in_the_middle_when_told(store: Store) -> None:
    occurrence_id = add_edition(store, add_subscribers(store, 5), BEFORE - timedelta(days=1))
    pages = [store.write(delivery_pruning.prune_page, occurrence_id, NOW, limit=2) for _ in range(3)]
    assert pages == [2, 2, 1]
    assert store.read(delivery_pruning.oldest, BEFORE) == occurrence_id, "its pieces are still there"
    assert prune_deliveries(store, BEFORE, NOW, stopping=lambda: True) == 0
    assert left(store)["pieces"] == 2
    assert prune_deliveries(store, BEFORE, NOW) == 0
    assert left(store) == {"deliveries": 0, "pieces": 0, "editions": 1, "occurrences": 1}


def test_what_is_not_over_or_waits_for_a_person_is_kept_however_old(store: Store) -> None:
    readers = add_subscribers(store, 2)
    long_ago = BEFORE - timedelta(days=300)
    for number, state in enumerate((OccurrenceState.STOPPED, OccurrenceState.HELD, OccurrenceState.SENDING)):
        add_edition(store, readers, long_ago + timedelta(days=number), state)
    assert prune_deliveries(store, BEFORE, NOW) == 0
    add_edition(store, readers, long_ago - timedelta(days=1))
    rows = tables.deliveries
    doubt = {"state": DeliveryState.SENDING.value, "reason": Reason.IN_DOUBT.value}
    newest = select(func.max(rows.c.id)).scalar_subquery()
    store.write(lambda connection: connection.execute(update(rows).where(rows.c.id == newest).values(**doubt)))
    assert store.read(delivery_pruning.prunable, BEFORE) == prune_deliveries(store, BEFORE, NOW) == 0
    assert left(store) == {"deliveries": 8, "pieces": 8, "editions": 4, "occurrences": 4}
    store.write(lambda connection: connection.execute(update(rows).where(rows.c.id == newest).values(state="sent")))
    assert prune_deliveries(store, BEFORE, NOW) == 2


def test_mails_of_the_sites_own_go_by_the_day_they_were_sent(store: Store) -> None:
    (reader,) = add_subscribers(store, 1)
    for event, at in (("1", BEFORE - timedelta(days=1)), ("2", NOW)):
        mailed = {"now": at, "expires_at": at + timedelta(hours=1)}
        assert store.write(system_mails.queue, SystemMail.WELCOME, event, reader, FREE, (), **mailed)
    assert prune_deliveries(store, BEFORE, NOW) == 0, "queued still"
    rows = tables.deliveries
    sent = {"state": DeliveryState.SENT.value, "message_id": "<a@b>"}
    store.write(lambda connection: connection.execute(update(rows).values(**sent)))
    assert store.read(delivery_pruning.prunable, BEFORE) == prune_deliveries(store, BEFORE, NOW) == 1
    assert store.read(lambda connection: connection.execute(select(rows.c.occurrence)).scalars().all()) == ["welcome/2"]
