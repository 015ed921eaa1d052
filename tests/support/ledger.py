"""Rows of the delivery ledger made by hand, and every table at a glance."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, insert, select, update

from newsletter.model import DeliveryState
from newsletter.store import Store, tables
from tests.builders import NOW, add_occurrence


def add_delivery(
    store: Store, subscriber_id: int, state: DeliveryState, newsletter: str = "daily", sender: int | None = None
) -> int:
    """A row of the ledger; in ``sending`` it is held by sender 1 unless told otherwise."""
    occurrence_id, edition_id = add_occurrence(store, newsletter)
    held_by = sender if sender is not None else int(state is DeliveryState.SENDING)

    def work(connection: Connection) -> int:
        statement = insert(tables.deliveries).values(
            occurrence_id=occurrence_id,
            edition_id=edition_id,
            newsletter=newsletter,
            stream="each",
            occurrence="2026-11-23/1",
            subscriber_id=subscriber_id,
            kind="edition",
            priority=50,
            state=state.value,
            sender=held_by,
            due_at=NOW,
            expires_at=NOW + timedelta(hours=8),
            rendered_key="en/free",
            message_id="<one@news.example>",
            reply="550 reader00001@readers.example unknown",
            changed_at=NOW,
        )
        return int(connection.execute(statement.returning(tables.deliveries.c.id)).scalar_one())

    return store.write(work)


def move(store: Store, delivery_id: int, state: DeliveryState) -> None:
    """Put a row into another state, held by nobody."""
    row = tables.deliveries
    store.write(
        lambda connection: connection.execute(
            update(row).where(row.c.id == delivery_id).values(state=state.value, sender=0)
        )
    )


def dump(connection: Connection) -> str:
    """Every value of every table as text."""
    return "\n".join(
        f"{table.name}: {tuple(row)}"
        for table in tables.metadata.sorted_tables
        for row in connection.execute(select(table))
    )
