"""Reading the ledger, and what a person decides about rows in doubt."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)

from newsletter.model import SYSTEM, DeliveryState, Kind, MailFormat, OccurrenceState, Reason, Stream, StreamName
from newsletter.store import occurrences
from newsletter.store.consent_check import verdict, with_reader
from newsletter.store.tables import (
    deliveries,
    editions,
    subscribers,
)
from newsletter.store.tables import occurrences as occurrences_
from newsletter.store.targeting import outside
from newsletter.target import NO_TARGETS, Targets

_DROPPED_AT_ONCE = 1000

# --- what a person decides about rows in doubt -----------------------------------------------------------------------

_IN_DOUBT = and_(
    deliveries.c.state == DeliveryState.SENDING.value,
    deliveries.c.sender == 0,
    deliveries.c.reason == Reason.IN_DOUBT.value,
)


def release_in_doubt(
    connection: Connection,
    ids: Collection[int] | None,
    now: datetime,
    retry_for: timedelta = timedelta(hours=8),
) -> int:
    """Send rows in doubt again (all of them, or these ids), with the same Message-ID; the number of rows.

    A person may come late: they are tried for at least ``retry_for`` from now, and an occurrence that had been counted
    as sent is sending again, without which nobody would claim them (see ``completing``).
    """
    wanted = [_IN_DOUBT, *([deliveries.c.id.in_(ids)] if ids is not None else [])]
    affected = connection.execute(select(deliveries.c.occurrence_id).where(*wanted).distinct()).scalars().all()
    occurrences.lock(connection, affected)
    wanted.append(deliveries.c.occurrence_id.in_(affected))  # what came to be in doubt since is not released
    until = bindparam("until", now + retry_for, type_=deliveries.c.expires_at.type)
    released = connection.execute(
        update(deliveries)
        .where(*wanted)
        .values(
            state=DeliveryState.QUEUED.value,
            reason=Reason.RESENT_IN_DOUBT.value,
            due_at=now,
            expires_at=case((deliveries.c.expires_at < until, until), else_=deliveries.c.expires_at),
            changed_at=now,
        )
    ).rowcount
    for occurrence_id in sorted(affected):
        occurrences.transition(
            connection, occurrence_id, OccurrenceState.SENDING, from_={OccurrenceState.SENT}, now=now
        )
    return released


def close_in_doubt(connection: Connection, ids: Collection[int] | None, now: datetime) -> int:
    """Count rows in doubt as sent and leave them (all of them, or these ids); the number of rows."""
    return connection.execute(
        update(deliveries)
        .where(_IN_DOUBT, *([deliveries.c.id.in_(ids)] if ids is not None else []))
        .values(state=DeliveryState.SENT.value, reason=Reason.CLOSED_IN_DOUBT.value, changed_at=now)
    ).rowcount


# --- reading ---------------------------------------------------------------------------------------------------------


def counts(connection: Connection, occurrence_id: int) -> dict[tuple[DeliveryState, Reason], int]:
    """How many deliveries of an occurrence stand in each state for each reason."""
    rows = connection.execute(
        select(deliveries.c.state, deliveries.c.reason, func.count())
        .where(deliveries.c.occurrence_id == occurrence_id)
        .group_by(deliveries.c.state, deliveries.c.reason)
    )
    return {(DeliveryState(state), Reason(reason)): number for state, reason, number in rows}


def still_moves(
    connection: Connection,
    occurrence_id: int,
    subscriber_ids: Collection[int] | None = None,
    *,
    due_by: datetime | None = None,
) -> bool:
    """Whether any delivery of an occurrence (of these subscribers, of those due by then) is still to be sent.

    Those in doubt that wait for a person do not move.
    """
    moving = [
        deliveries.c.state.in_([DeliveryState.QUEUED.value, DeliveryState.SENDING.value]),
        ~_IN_DOUBT,
        *([deliveries.c.subscriber_id.in_(subscriber_ids)] if subscriber_ids is not None else []),
        *([deliveries.c.due_at <= due_by] if due_by is not None else []),
    ]
    statement = select(deliveries.c.id).where(of_occurrence(occurrence_id), *moving).limit(1)
    return connection.execute(statement).first() is not None


def of_occurrence(occurrence_id: int) -> ColumnElement[bool]:
    """The deliveries of an occurrence, by its editions: there is an index of these with the state of each delivery."""
    return deliveries.c.edition_id.in_(select(editions.c.id).where(editions.c.occurrence_id == occurrence_id))


def of_edition(connection: Connection, edition_id: int) -> bool:
    """Whether anybody has a delivery of this edition."""
    return (
        connection.execute(select(deliveries.c.id).where(deliveries.c.edition_id == edition_id).limit(1)).first()
        is not None
    )


def in_doubt_counts(connection: Connection) -> dict[tuple[StreamName, str], int]:
    """How many deliveries in doubt wait for a person, by stream and occurrence."""
    which = (deliveries.c.newsletter, deliveries.c.stream, deliveries.c.occurrence)
    rows = connection.execute(select(*which, func.count()).where(_IN_DOUBT).group_by(*which).order_by(*which))
    return {
        (StreamName(newsletter, Stream(stream)), occurrence): number for newsletter, stream, occurrence, number in rows
    }


def expire(connection: Connection, now: datetime) -> int:
    """Fail queued rows that were tried in vain until ``expires_at``, and system mails that nobody came to send before
    their links ended; skip those that came (back) into the queue of an occurrence when it was cancelled already. The
    number of rows."""
    dropped = _drop_cancelled(connection, now)
    failed = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.state == DeliveryState.QUEUED.value,
            or_(deliveries.c.attempt > 0, deliveries.c.kind == Kind.SYSTEM.value),
            deliveries.c.expires_at < now,
        )
        .values(state=DeliveryState.FAILED.value, reason=Reason.EXPIRED.value, changed_at=now)
    ).rowcount
    return dropped + failed


def dropping(now: datetime) -> dict[str, Any]:
    """What is written of a queued row whose occurrence is cancelled: whose message was ever in doubt may have it."""
    reason = case((deliveries.c.doubted, Reason.IN_DOUBT.value), else_=Reason.CANCELLED.value)
    return {"state": DeliveryState.SKIPPED.value, "reason": reason, "changed_at": now}


def _drop_cancelled(connection: Connection, now: datetime) -> int:
    """Skip what is queued of cancelled occurrences, a page at most: what a sender gave back, or a fan-out still made,
    after their queues were emptied. Who empties one now is not waited for."""
    cancelled = (
        select(editions.c.id)
        .join(occurrences_, occurrences_.c.id == editions.c.occurrence_id)
        .where(occurrences_.c.state == OccurrenceState.CANCELLED.value, occurrences_.c.pruned_at.is_(None))
    )
    page = (
        select(deliveries.c.id)
        .where(deliveries.c.edition_id.in_(cancelled), deliveries.c.state == DeliveryState.QUEUED.value)
        .limit(_DROPPED_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(update(deliveries).where(deliveries.c.id.in_(page)).values(**dropping(now))).rowcount


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A row of the ledger as the commands list it. ``occurrence`` of a system mail is ``KIND/EVENT``."""

    id: int
    newsletter: str
    occurrence: str
    address: str
    state: DeliveryState
    reason: Reason
    attempt: int
    relay: str
    reply: str
    message_id: str
    due_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    sections: str = ""
    format: MailFormat = MailFormat.HTML
    rendered_key: str = ""
    had: str = ""
    cohort: str = ""
    moved: bool = False
    stream: Stream = Stream.EACH

    @property
    def edition(self) -> str:
        """The name of its edition; of a mail on request, of its kind."""
        return f"{StreamName(self.newsletter, self.stream)}@{self.occurrence}"


def listing(
    connection: Connection,
    *,
    newsletter: str = "",
    stream: Stream | None = None,
    occurrence: str = "",
    subscriber_id: int = 0,
    ids: Collection[int] | None = None,
    in_doubt: bool = False,
    states: Collection[DeliveryState] = (),
    after: int = 0,
    limit: int = 100,
) -> list[DeliveryRow]:
    """Rows of the ledger by id, filtered; the next page starts after the last id."""
    wanted = [deliveries.c.id > after]
    if newsletter:
        wanted.append(deliveries.c.newsletter == newsletter)
    if stream is not None:
        wanted.append(deliveries.c.stream == stream.value)
    if occurrence:
        wanted.append(deliveries.c.occurrence == occurrence)
    if occurrence and newsletter not in ("", SYSTEM):  # mails of the site's own have one each under one number
        named = [occurrences_.c.newsletter == newsletter, occurrences_.c.occurrence == occurrence]
        named += [occurrences_.c.stream == stream.value] if stream is not None else []
        wanted.append(deliveries.c.occurrence_id.in_(select(occurrences_.c.id).where(*named)))
    if subscriber_id:
        wanted.append(deliveries.c.subscriber_id == subscriber_id)
    if ids is not None:
        wanted.append(deliveries.c.id.in_(ids))
    if in_doubt:
        wanted.append(_IN_DOUBT)
    if states:
        wanted.append(deliveries.c.state.in_([state.value for state in states]))
    # Of one occurrence there is an index, which is better than to look for its rows in the order of all.
    order = deliveries.c.id + 0 if occurrence else deliveries.c.id
    rows = connection.execute(
        select(deliveries, subscribers.c.address)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(*wanted)
        .order_by(order)
        .limit(limit)
    )
    return [
        DeliveryRow(
            id=row.id,
            newsletter=row.newsletter,
            occurrence=row.occurrence,
            address=row.address,
            state=DeliveryState(row.state),
            reason=Reason(row.reason),
            attempt=row.attempt,
            relay=row.relay,
            reply=row.reply,
            message_id=row.message_id,
            due_at=row.due_at,
            changed_at=row.changed_at,
            sent_at=row.sent_at,
            sections=row.sections,
            format=MailFormat(row.format),
            rendered_key=row.rendered_key,
            had=row.had,
            cohort=row.cohort,
            moved=row.moved,
            stream=Stream(row.stream),
        )
        for row in rows
    ]


def verdict_now(
    connection: Connection,
    delivery_id: int,
    now: datetime,
    only_addresses: Collection[str] | None,
    targets: Targets = NO_TARGETS,
) -> Reason:
    """What ``claim`` would decide about this delivery now: NONE where it would send it."""
    statement = with_reader(verdict(now, only_addresses, outside=outside(targets), due_at=deliveries.c.due_at))
    return Reason(connection.execute(statement.where(deliveries.c.id == delivery_id)).scalar_one())
