"""May this delivery be made? The one predicate that claiming decides by and ``why`` explains by (Invariants 3, 5)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    case,
    exists,
    literal,
    not_,
    select,
)
from sqlalchemy.sql import ColumnElement

from newsletter.model import (
    ROOTS,
    Kind,
    Reason,
    Root,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.store.tables import (
    deliveries,
    subscribers,
    subscriptions,
    suppressions,
)
from newsletter.store.targeting import condition
from newsletter.target import Targeting


def verdict(
    now: datetime | ColumnElement[datetime],
    only_addresses: Collection[str] | None,
    kind: ColumnElement[str] | None = None,
    outside: ColumnElement[bool] | None = None,
    due_at: datetime | ColumnElement[datetime] | None = None,
) -> ColumnElement[str]:
    """Why this delivery must not be made, '' where it may: the one predicate that ``claim`` and ``why`` both use.

    Needs ``deliveries`` joined to ``subscribers`` and outer-joined to ``subscriptions`` (with ``kind`` given, the two
    alone). ``only_addresses`` is the staging allow-list, None in production; ``outside`` says that she is not in the
    newsletter's target, None where there is none. A pause counts for what is due before it ends, however late it goes:
    ``due_at`` says when that is, None: ``now``. What is promotional needs a subscription; what is service or system
    only a living address (``model.Root``). A system mail may also go to an address whose reader was erased and who asks
    anew: without it she could never confirm that she is back.
    """
    the_kind = deliveries.c.kind if kind is None else kind
    promotional, system = (
        the_kind.in_([one.value for one in Kind if ROOTS[one] is root]) for root in (Root.PROMOTIONAL, Root.SYSTEM)
    )

    def suppressed(scope: SuppressionScope, *but: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(
            suppressions.c.address_hash == subscribers.c.address_hash, suppressions.c.scope == scope.value, *but
        )

    asks_anew = and_(system, suppressions.c.reason == Reason.ERASED.value)

    refusals: list[tuple[ColumnElement[bool], Reason]] = [
        (subscribers.c.erased_at.is_not(None), Reason.ERASED),
        (suppressed(SuppressionScope.ALL, not_(asks_anew)), Reason.SUPPRESSED_ALL),
        (and_(promotional, subscriptions.c.state.is_(None)), Reason.NOT_SUBSCRIBED),
        (and_(promotional, subscriptions.c.state == SubscriptionState.PENDING.value), Reason.UNCONFIRMED),
        (and_(promotional, subscriptions.c.state != SubscriptionState.ACTIVE.value), Reason.UNSUBSCRIBED),
        (and_(promotional, suppressed(SuppressionScope.MARKETING)), Reason.SUPPRESSED_MARKETING),
        (and_(promotional, subscriptions.c.paused_until > (now if due_at is None else due_at)), Reason.PAUSED),
    ]
    if outside is not None:
        refusals.append((and_(promotional, outside), Reason.NOT_TARGETED))
    if only_addresses is not None:
        refusals.append((subscribers.c.address.not_in(sorted(only_addresses)), Reason.STAGING))
    return case(*((condition, literal(reason.value)) for condition, reason in refusals), else_=literal(""))


def with_reader(*columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(deliveries)
        # + 0: from a delivery to its reader, never from all readers to their deliveries.
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id + 0)
        .outerjoin(
            subscriptions,
            and_(
                subscriptions.c.subscriber_id == deliveries.c.subscriber_id,
                subscriptions.c.newsletter == deliveries.c.newsletter,
            ),
        )
    )


def verdict_before_delivery(
    connection: Connection,
    subscriber_id: int,
    newsletter: str,
    now: datetime,
    only_addresses: Collection[str] | None,
    targeting: Targeting | None = None,
    due_at: datetime | None = None,
) -> Reason:
    """What ``verdict`` says of a subscriber who has no delivery of an edition of ``newsletter`` yet."""
    outside = None if targeting is None else not_(condition(targeting))
    statement = (
        select(verdict(now, only_addresses, literal(Kind.EDITION.value), outside, due_at))
        .select_from(subscribers)
        .outerjoin(
            subscriptions,
            and_(subscriptions.c.subscriber_id == subscribers.c.id, subscriptions.c.newsletter == newsletter),
        )
        .where(subscribers.c.id == subscriber_id)
    )
    return Reason(connection.execute(statement).scalar_one())
