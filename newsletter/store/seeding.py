"""An edition's seeds: staff and test addresses that get it before everybody else. How far that is stands in its row."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from newsletter.model import DeliveryState, OccurrenceState, Reason, SubscriptionState
from newsletter.store import audit
from newsletter.store.occurrences import OccurrenceRow, transition
from newsletter.store.tables import deliveries, occurrences, subscribers, subscriptions


@dataclass(frozen=True, slots=True)
class SeedDelivery:
    """What became of one seed's mail."""

    address: str
    state: DeliveryState
    reason: Reason
    reply: str


@dataclass(frozen=True, slots=True)
class Seeding:
    """``seeded_at``: when the seeds' deliveries were made, None before. ``over``: the rest may follow."""

    seeded_at: datetime | None
    over: bool
    seeds: tuple[SeedDelivery, ...]


def of(connection: Connection, occurrence_id: int) -> Seeding:
    """How far the seeds of an occurrence are."""
    row = connection.execute(
        select(occurrences.c.seeded_at, occurrences.c.seeds_over).where(occurrences.c.id == occurrence_id)
    ).one()
    if row.seeded_at is None or row.seeds_over:
        return Seeding(row.seeded_at, bool(row.seeds_over), ())
    found = connection.execute(
        select(subscribers.c.address, deliveries.c.state, deliveries.c.reason, deliveries.c.reply)
        .join_from(deliveries, subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.occurrence_id == occurrence_id)
        .order_by(deliveries.c.id)
    )
    seeds = tuple(
        SeedDelivery(address, DeliveryState(state), Reason(reason), reply) for address, state, reason, reply in found
    )
    return Seeding(row.seeded_at, False, seeds)


def subscribed(connection: Connection, newsletter: str, addresses: Collection[str]) -> list[int]:
    """The ids of those of these addresses that are subscribed to a newsletter."""
    statement = (
        select(subscribers.c.id)
        .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
        .where(
            subscribers.c.address.in_(sorted(addresses)),
            subscriptions.c.newsletter == newsletter,
            subscriptions.c.state == SubscriptionState.ACTIVE.value,
        )
        .order_by(subscribers.c.id)
    )
    return list(connection.execute(statement).scalars())


def begin(connection: Connection, occurrence_id: int, now: datetime) -> None:
    """Remember, beside their deliveries, that the seeds have theirs in the queue."""
    connection.execute(update(occurrences).where(occurrences.c.id == occurrence_id).values(seeded_at=now))


def end(connection: Connection, occurrence_id: int) -> None:
    """Let the rest follow."""
    connection.execute(update(occurrences).where(occurrences.c.id == occurrence_id).values(seeds_over=True))


def hold(connection: Connection, row: OccurrenceRow, detail: str, now: datetime) -> bool:
    """Hold an occurrence because a seed did not get it; who releases it sends it to the rest."""
    held = transition(
        connection,
        row.id,
        OccurrenceState.HELD,
        from_={OccurrenceState.SENDING},
        reason=Reason.SEED_FAILED,
        detail=detail,
        now=now,
    )
    if held:
        end(connection, row.id)
        audit.record(connection, actor="newsletter", action="hold", subject=str(row.name), detail=detail, now=now)
    return held
