"""Who gets which newsletter, and how she likes it: one row for each subscriber and newsletter.

Rows move between ``active`` and ``unsubscribed`` here alone, and each statement says in its WHERE which state it moves
from. A caller that withdraws something locks the subscriber first (``subscribers.lock``).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, exists, func, literal_column, or_, select, true, update
from sqlalchemy.sql import ColumnElement

from newsletter.model import MailFormat, Stream, Subscription, SubscriptionState
from newsletter.store import moves
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import subscribers, subscriptions, suppressions
from newsletter.store.targeting import condition
from newsletter.target import Targeting


def encode_sections(sections: Sequence[str]) -> str:
    """Section names in order, as the columns ``subscriptions.sections`` and ``deliveries.sections`` hold them: a JSON
    array as text, '' for the newsletter's own sections in its own order."""
    return json.dumps(list(sections), ensure_ascii=False, separators=(",", ":")) if sections else ""


def decode_sections(column: str) -> tuple[str, ...]:
    """What ``encode_sections`` wrote."""
    return tuple(json.loads(column)) if column else ()


def of(connection: Connection, subscriber_id: int) -> list[Subscription]:
    """Every subscription of one subscriber, whatever its state, by newsletter."""
    return of_many(connection, [subscriber_id]).get(subscriber_id, [])


def of_many(connection: Connection, subscriber_ids: Sequence[int]) -> dict[int, list[Subscription]]:
    """Every subscription of at most some thousand subscribers."""
    found: defaultdict[int, list[Subscription]] = defaultdict(list)
    if subscriber_ids:
        query = select(subscriptions).where(subscriptions.c.subscriber_id.in_(subscriber_ids))
        for row in connection.execute(query.order_by(subscriptions.c.newsletter)):
            found[row.subscriber_id].append(_subscription(row))
    return dict(found)


def one(connection: Connection, subscriber_id: int, newsletter: str) -> Subscription | None:
    """The subscription of this subscriber to this newsletter, or None."""
    row = connection.execute(
        select(subscriptions).where(
            subscriptions.c.newsletter == newsletter, subscriptions.c.subscriber_id == subscriber_id
        )
    ).first()
    return _subscription(row) if row else None


def add_many(connection: Connection, rows: Sequence[Subscription], at: datetime) -> None:
    """Make subscriptions in the state they are in; one that exists already, in whatever state, is left as it is."""
    if not rows:
        return
    hers = select(subscribers.c.id, subscribers.c.timezone).where(
        subscribers.c.id.in_({row.subscriber_id for row in rows}), subscribers.c.timezone != ""
    )
    zones = {row.id: row.timezone for row in connection.execute(hers)}
    connection.execute(
        insert_ignoring_conflicts(connection, subscriptions),
        [
            {
                "newsletter": row.newsletter,
                "subscriber_id": row.subscriber_id,
                "state": row.state,
                "stream": row.stream,
                "sections": encode_sections(row.sections),
                "hour": row.hour,
                "zone": zones.get(row.subscriber_id, ""),
                "format": row.format,
                "paused_until": row.paused_until,
                "created_at": at,
                "confirmed_at": at if row.state is SubscriptionState.ACTIVE else None,
                "unsubscribed_at": at if row.state is SubscriptionState.UNSUBSCRIBED else None,
            }
            for row in rows
        ],
    )


def unsubscribe(connection: Connection, subscriber_id: int, newsletter: str | None, at: datetime) -> list[str]:
    """End her subscription to ``newsletter`` (None: to every one); returns those that were not ended before.

    Where she stood is written down as if she moved: she may subscribe again from elsewhere.
    """
    hers = select(subscriptions.c.newsletter).where(subscriptions.c.subscriber_id == subscriber_id)
    for name in [newsletter] if newsletter is not None else connection.execute(hers).scalars().all():
        moves.record(connection, subscriber_id, name, at)
    statement = (
        update(subscriptions)
        .where(
            subscriptions.c.subscriber_id == subscriber_id,
            subscriptions.c.state != SubscriptionState.UNSUBSCRIBED,
        )
        .values(state=SubscriptionState.UNSUBSCRIBED, unsubscribed_at=at)
        .returning(subscriptions.c.newsletter)
    )
    if newsletter is not None:
        statement = statement.where(subscriptions.c.newsletter == newsletter)
    return sorted(connection.execute(statement).scalars())


def activate(connection: Connection, subscriber_id: int, newsletter: str, at: datetime) -> bool:
    """Begin or renew a confirmed subscription, with the preferences it had; False where it is active already."""
    renewed = connection.execute(
        update(subscriptions)
        .where(
            subscriptions.c.newsletter == newsletter,
            subscriptions.c.subscriber_id == subscriber_id,
            subscriptions.c.state != SubscriptionState.ACTIVE,
        )
        .values(state=SubscriptionState.ACTIVE, confirmed_at=at, unsubscribed_at=None, paused_until=None)
    )
    if renewed.rowcount:
        return True
    before = one(connection, subscriber_id, newsletter)
    if before is None:
        add_many(connection, [Subscription(subscriber_id, newsletter, SubscriptionState.ACTIVE)], at)
    return before is None


def never_confirmed(connection: Connection, before: datetime, limit: int = 200) -> list[int]:
    """The subscribers who have nothing but subscriptions that await confirmation, all made before ``before``."""
    theirs = subscriptions.alias()
    other = select(theirs.c.subscriber_id).where(
        theirs.c.subscriber_id == subscriptions.c.subscriber_id,
        or_(theirs.c.state != SubscriptionState.PENDING, theirs.c.created_at >= before),
    )
    query = (
        select(subscriptions.c.subscriber_id)
        .where(
            # Written out, so that the partial index is seen to fit.
            subscriptions.c.state == literal_column(f"'{SubscriptionState.PENDING.value}'"),
            subscriptions.c.created_at < before,
            ~other.exists(),
        )
        .distinct()
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def change(connection: Connection, wanted: Subscription, at: datetime) -> bool:
    """Write the preferences of a subscription and its pause, not its state; False where there is none.

    A change of stream or hour leaves a row in ``moves``.
    """
    stands = one(connection, wanted.subscriber_id, wanted.newsletter)
    if stands is not None and (stands.stream, stands.hour) != (wanted.stream, wanted.hour):
        moves.record(connection, wanted.subscriber_id, wanted.newsletter, at)
    changed = connection.execute(
        update(subscriptions)
        .where(
            subscriptions.c.newsletter == wanted.newsletter,
            subscriptions.c.subscriber_id == wanted.subscriber_id,
        )
        .values(
            sections=encode_sections(wanted.sections),
            stream=wanted.stream,
            hour=wanted.hour,
            format=wanted.format,
            paused_until=wanted.paused_until,
        )
    )
    return changed.rowcount == 1


def audience_count(
    connection: Connection,
    newsletter: str,
    now: datetime,
    targeting: Targeting | None = None,
    asked_for: Collection[Stream] = tuple(Stream),
) -> int:
    """How many an edition of ``newsletter`` would go to now: active, of a stream ``asked_for``, not paused, not
    suppressed in any scope, and in its target."""

    def counted(stream: ColumnElement[str], state: ColumnElement[str]) -> Select[Any]:
        query = select(func.count()).select_from(subscriptions)
        if targeting is not None:
            query = query.join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        return query.where(_wants_it_now(newsletter, now, targeting, asked_for, stream, state))

    # Nearly nobody is suppressed: all are counted without a look at their addresses, and those who are, taken off. They
    # are looked up by their numbers; hence the empty texts, so that no index of all readers seems to fit.
    hashes = select(suppressions.c.address_hash)
    theirs = select(subscribers.c.id).where(subscribers.c.address_hash.in_(hashes))
    everybody = counted(subscriptions.c.stream, subscriptions.c.state)
    suppressed = counted(subscriptions.c.stream.concat(""), subscriptions.c.state.concat("")).where(
        subscriptions.c.subscriber_id.in_(theirs)
    )
    return int(connection.execute(select(everybody.scalar_subquery() - suppressed.scalar_subquery())).scalar_one())


def has_audience(
    connection: Connection,
    newsletter: str,
    now: datetime,
    targeting: Targeting | None = None,
    asked_for: Collection[Stream] = tuple(Stream),
) -> bool:
    """Whether ``audience_count`` is more than nothing; the first reader found is enough."""
    gone = exists().where(suppressions.c.address_hash == subscribers.c.address_hash)
    query = (
        select(subscriptions.c.subscriber_id)
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(
            _wants_it_now(newsletter, now, targeting, asked_for, subscriptions.c.stream, subscriptions.c.state), ~gone
        )
    )
    return connection.execute(query.limit(1)).first() is not None


def _wants_it_now(
    newsletter: str,
    now: datetime,
    targeting: Targeting | None,
    asked_for: Collection[Stream],
    stream: ColumnElement[str],
    state: ColumnElement[str],
) -> ColumnElement[bool]:
    """Whether a subscription is active, of a stream ``asked_for``, not paused, and its reader in the target.

    ``stream`` and ``state`` are its columns, as the planner is to see them.
    """
    return and_(
        subscriptions.c.newsletter == newsletter,
        stream.in_(sorted(asked_for)),
        state == SubscriptionState.ACTIVE.value,
        or_(subscriptions.c.paused_until.is_(None), subscriptions.c.paused_until <= now),
        true() if targeting is None else condition(targeting),
    )


def counts(connection: Connection) -> dict[str, dict[SubscriptionState, int]]:
    """For each newsletter that anybody ever had: how many subscriptions are in each state."""
    query = select(subscriptions.c.newsletter, subscriptions.c.state, func.count().label("how_many")).group_by(
        subscriptions.c.newsletter, subscriptions.c.state
    )
    found: dict[str, dict[SubscriptionState, int]] = {}
    for row in connection.execute(query):
        states = found.setdefault(row.newsletter, dict.fromkeys(SubscriptionState, 0))
        states[SubscriptionState(row.state)] = row.how_many
    return found


def _subscription(row: Row[Any]) -> Subscription:
    columns = row._mapping
    return Subscription(
        subscriber_id=columns["subscriber_id"],
        newsletter=columns["newsletter"],
        state=SubscriptionState(columns["state"]),
        stream=Stream(columns["stream"]),
        sections=decode_sections(columns["sections"]),
        hour=columns["hour"],
        format=MailFormat(columns["format"]),
        paused_until=columns["paused_until"],
    )
