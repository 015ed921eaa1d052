"""What a person decides: the change and its audit are one, and rows let go are really sent again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, update

from newsletter.errors import UsageError
from newsletter.model import DeliveryState, OccurrenceState, Reason, StreamName
from newsletter.store import Store, audit, decisions, deliveries, occurrences, tables
from newsletter.store.claiming import claim
from tests.builders import NOW, add_subscribers
from tests.support.ledger import add_delivery

LATER = NOW + timedelta(days=2)


def in_doubt(store: Store) -> int:
    """A delivery in doubt of an occurrence that was counted as sent; its ``expires_at`` is long over at LATER."""
    (reader,) = add_subscribers(store, 1)
    delivery = add_delivery(store, reader, DeliveryState.SENDING, sender=0)

    def work(connection: Connection) -> None:
        connection.execute(update(tables.deliveries).values(reason=Reason.IN_DOUBT.value, attempt=1))
        connection.execute(update(tables.occurrences).values(state=OccurrenceState.SENT.value))

    store.write(work)
    return delivery


def test_a_delivery_released_days_later_is_claimed_and_does_not_expire(store: Store) -> None:
    delivery = in_doubt(store)
    assert store.read(deliveries.in_doubt_counts) == {(StreamName("daily"), "2026-11-23/1"): 1}
    wait = {StreamName("daily"): timedelta(hours=3)}
    assert store.write(decisions.release_deliveries, [delivery], actor="ann", retry_for=wait, now=LATER) == 1
    assert store.write(deliveries.expire, LATER) == 0
    claimed = store.write(
        claim,
        9,
        newsletters=["daily"],
        limit=5,
        now=LATER,
        message_id_of=lambda _edition, _id: "new",
        plans=["free"],
        languages={},
    )
    (row,) = claimed.rows
    assert (row.id, row.message_id) == (delivery, "<one@news.example>")
    assert row.expires_at == LATER + timedelta(hours=3)
    (act,) = store.read(audit.listing)
    assert (act.actor, act.action, act.subject) == ("ann", "release", f"delivery/{delivery}")


def test_one_delivery_that_is_not_in_doubt_leaves_all_as_they_are(store: Store) -> None:
    delivery = in_doubt(store)
    with pytest.raises(UsageError, match=f"delivery {delivery + 5} is not in doubt"):
        store.write(decisions.close_deliveries, [delivery, delivery + 5], actor="ann", now=LATER)
    assert store.read(deliveries.in_doubt_counts) == {(StreamName("daily"), "2026-11-23/1"): 1}
    assert store.read(audit.listing) == []
    assert store.write(decisions.close_deliveries, None, actor="ann", now=LATER) == 1
    (row,) = store.read(deliveries.listing)
    assert (row.state, row.reason) == (DeliveryState.SENT, Reason.CLOSED_IN_DOUBT)


def test_holding_twice_is_written_down_once(store: Store) -> None:
    add_delivery(store, add_subscribers(store, 1)[0], DeliveryState.QUEUED)
    (row,) = store.read(occurrences.listing)
    assert store.write(decisions.hold, row, actor="ann", detail="a lawyer reads it", now=NOW)
    assert not store.write(decisions.hold, row, actor="bob", now=NOW)
    assert store.write(decisions.release, row, actor="bob", now=NOW) is OccurrenceState.SENDING
    assert store.write(decisions.release, row, actor="bob", now=NOW) is None
    acts = store.read(audit.listing, subject="daily@2026-11-23/1")
    assert [(act.actor, act.action) for act in acts] == [("bob", "release"), ("ann", "hold")]
