"""What is forgotten of old editions, and what is not."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from newsletter.collect.identity import to_remember
from newsletter.model import DeliveryState, Edits, Occurrence, OccurrenceState, Reason, RenderedKey, SystemMail
from newsletter.schedule.pruning import prune_deliveries
from newsletter.store import (
    Store,
    articles,
    corrections,
    delivery_pruning,
    mending,
    occurrences,
    pieces,
    system_mails,
    tables,
)
from tests.builders import NOW, add_occurrence, add_subscribers, an_incoming_article

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
    found = [an_incoming_article(guid=one, url=f"https://news.example/{one}") for one in "abc"]
    store.write(articles.remember, to_remember(found), now=due_at)
    chosen = [
        {"occurrence_id": occurrence_id, "cohort": "", "article_id": one, "reason": "chosen"} for one in (1, 2, 3)
    ]
    store.write(lambda connection: connection.execute(tables.selections.insert(), chosen))
    return occurrence_id


def move_last(store: Store, occurrence_id: int, state: DeliveryState, reason: Reason) -> None:
    """Put the last delivery of an occurrence into another state, held by nobody."""
    rows = tables.deliveries
    last = select(func.max(rows.c.id)).where(rows.c.occurrence_id == occurrence_id).scalar_subquery()
    changed = {"state": state.value, "reason": reason.value}
    store.write(lambda connection: connection.execute(update(rows).where(rows.c.id == last).values(**changed)))


def left(store: Store) -> dict[str, int]:
    """How many rows there are of each table."""
    counted = (tables.deliveries, tables.pieces, tables.selections, tables.editions, tables.occurrences)
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
    assert left(store) == {"deliveries": 3, "pieces": 2, "selections": 3, "editions": 2, "occurrences": 2}
    forgotten, kept = (store.read(occurrences.get, one) for one in (old, young))
    assert forgotten is not None
    assert kept is not None
    assert (forgotten.state, forgotten.pruned_at, kept.pruned_at) == (OccurrenceState.SENT, NOW, None)
    assert store.read(delivery_pruning.prunable, BEFORE) == prune_deliveries(store, BEFORE, NOW) == 0


def test_it_goes_page_by_page_and_what_was_stopped_in_the_middle_is_gone_on_with(store: Store) -> None:
    occurrence_id = add_edition(store, add_subscribers(store, 5), BEFORE - timedelta(days=1))
    assert store.write(delivery_pruning.begin, BEFORE, NOW) == [occurrence_id]
    pages = [store.write(delivery_pruning.prune_page, [occurrence_id], limit=2) for _ in range(6)]
    assert pages == [2, 2, 1, 0, 0, 0], "deliveries, the pieces, two pages of why each story was chosen"
    assert store.write(delivery_pruning.begin, BEFORE, NOW) == [occurrence_id], "it has not said that it is done"
    assert prune_deliveries(store, BEFORE, NOW, stopping=lambda: True) == 0
    assert store.write(delivery_pruning.begin, BEFORE, NOW) == [occurrence_id]
    assert prune_deliveries(store, BEFORE, NOW) == 0
    assert store.write(delivery_pruning.begin, BEFORE, NOW) == []
    assert left(store) == {"deliveries": 0, "pieces": 0, "selections": 0, "editions": 1, "occurrences": 1}


def test_from_its_first_page_on_nobody_retries_or_corrects_it(store: Store) -> None:
    readers = add_subscribers(store, 4)
    occurrence_id = add_edition(store, readers, BEFORE - timedelta(days=1))
    rows = tables.deliveries
    failed = {"state": DeliveryState.FAILED.value, "reason": Reason.EXPIRED.value}
    some = update(rows).where(rows.c.subscriber_id.in_(readers[2:])).values(**failed)
    store.write(lambda connection: connection.execute(some))
    before = store.read(occurrences.get, occurrence_id)
    assert before is not None
    ids = store.write(delivery_pruning.begin, BEFORE, NOW)
    store.write(delivery_pruning.prune_page, ids, limit=1)
    assert not store.write(mending.retry, before, actor="ann", reasons=[Reason.EXPIRED], now=NOW)
    assert store.write(corrections.issue, before, Edits(note="Wrong."), {}, again=False, actor="ann", now=NOW) is None
    assert prune_deliveries(store, BEFORE, NOW) == 3


def test_what_is_not_over_or_waits_for_a_person_is_kept_and_holds_up_nothing_else(store: Store) -> None:
    readers = add_subscribers(store, 2)
    long_ago = BEFORE - timedelta(days=300)
    for number, state in enumerate((OccurrenceState.STOPPED, OccurrenceState.HELD, OccurrenceState.SENDING)):
        add_edition(store, readers, long_ago + timedelta(days=number), state)
    doubtful = add_edition(store, readers, long_ago - timedelta(days=1))
    move_last(store, doubtful, DeliveryState.SENDING, Reason.IN_DOUBT)
    left_over = add_edition(store, readers, long_ago - timedelta(days=2), OccurrenceState.SKIPPED)
    move_last(store, left_over, DeliveryState.QUEUED, Reason.NONE)
    add_edition(store, readers, long_ago - timedelta(days=3))
    assert store.read(delivery_pruning.prunable, BEFORE) == prune_deliveries(store, BEFORE, NOW) == 4
    assert left(store)["deliveries"] == 8
    move_last(store, doubtful, DeliveryState.SENT, Reason.CLOSED_IN_DOUBT)
    assert prune_deliveries(store, BEFORE, NOW) == 2


def test_what_was_sent_late_is_kept_as_long_as_what_was_due_then(store: Store) -> None:
    late = add_edition(store, add_subscribers(store, 2), BEFORE - timedelta(days=30), OccurrenceState.SENDING)
    assert store.write(occurrences.transition, late, OccurrenceState.SENT, from_={OccurrenceState.SENDING}, now=BEFORE)
    assert prune_deliveries(store, BEFORE, NOW) == 0
    assert prune_deliveries(store, BEFORE + timedelta(seconds=1), NOW) == 2


def test_turns_that_found_nothing_are_done_with_many_at_a_time(store: Store) -> None:
    day = BEFORE - timedelta(days=200)
    for number in range(30):
        add_occurrence(store, occurrence=Occurrence(day.date(), number + 1), state=OccurrenceState.SKIPPED, due_at=day)
    with_pages = store.write(delivery_pruning.begin, BEFORE, NOW)
    assert len(with_pages) == 30
    assert store.write(delivery_pruning.prune_page, with_pages) is None
    assert store.write(delivery_pruning.begin, BEFORE, NOW) == []


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
