"""The ledger while mail is on its way.

    claim      ``queued -> sending`` (or ``skipped``), consent re-checked in the statement that moves the row
    record     ``sending -> sent | queued | failed``, only for rows that this sender still holds
    recover    rows in ``sending`` that nobody holds any more: in doubt

A row in ``sending`` is durable before its message goes on the wire; what a dying sender did not record is in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from newsletter.model import (
    DeliveryState,
    Kind,
    MailFormat,
    OccurrenceState,
    Reason,
    RenderedKey,
    Stream,
)
from newsletter.store.consent_check import verdict, with_reader
from newsletter.store.reader_language import reader_language
from newsletter.store.tables import (
    deliveries,
    editions,
    occurrences,
    pieces,
    revocations,
    subscribers,
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in ``sending`` that this process holds, with all that assembling its message needs.

    ``withdrawals_seen`` is the newest withdrawal of consent that the claim knew of (see ``withdrawn``).
    """

    id: int
    subscriber_id: int
    edition_id: int
    revision: int
    newsletter: str
    stream: Stream
    occurrence: str
    kind: Kind
    rendered_key: RenderedKey
    sections: str
    format: MailFormat
    message_id: str
    attempt: int
    expires_at: datetime
    address: str
    first_name: str
    last_name: str
    secret: bytes = field(repr=False)
    withdrawals_seen: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim moved: the rows to send now, and how many consent (or the allow-list) sent to ``skipped``."""

    rows: tuple[Claimed, ...]
    skipped: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claimed delivery. ``due_at`` is when a deferred or released one may be tried again."""

    delivery_id: int
    state: DeliveryState
    reason: Reason
    relay: str = ""
    reply: str = ""
    due_at: datetime | None = None


def claim(
    connection: Connection,
    sender: int,
    *,
    newsletters: Collection[str],
    limit: int,
    now: datetime,
    message_id_of: Callable[[str, int], str],
    plans: Collection[str],
    languages: Mapping[str, Sequence[str]],
    only_addresses: Collection[str] | None = None,
) -> Claim:
    """Move up to ``limit`` due rows of these newsletters to ``sending`` for this sender and return them.

    Rows that consent forbids go to ``skipped`` in the same statement. ``message_id_of(edition, subscriber_id)`` makes
    a row's Message-ID the first time; it is kept afterwards. A plan or language changed meanwhile is taken up here: a
    plan that is not in ``plans`` reads as the first of them, and a language, of those ``languages`` names for each
    newsletter, is taken up only where the edition was rendered in it.
    """
    due = connection.execute(_due(connection, newsletters, limit, now)).all()
    if not due:
        return Claim((), 0)
    ids = [row.id for row in due]
    if connection.dialect.name == "postgresql":
        # Whoever withdraws consent locks the subscriber's row FOR NO KEY UPDATE; after these shared locks the next
        # statement's snapshot (READ COMMITTED) holds every withdrawal that was committed before us.
        who = sorted({row.subscriber_id for row in due})
        connection.execute(
            select(subscribers.c.id)
            .where(subscribers.c.id.in_(who))
            .order_by(subscribers.c.id)
            .with_for_update(read=True)
        )
    new = [
        {"row": row.id, "value": message_id_of(f"{row.newsletter}/{row.stream}/{row.occurrence}", row.subscriber_id)}
        for row in due
        if not row.message_id
    ]
    if new:
        connection.execute(
            update(deliveries).where(deliveries.c.id == bindparam("row")).values(message_id=bindparam("value")), new
        )
    plan = case((subscribers.c.plan.in_(sorted(plans)), subscribers.c.plan), else_=literal(next(iter(plans), "free")))
    checked = (
        with_reader(
            deliveries.c.id.label("id"),
            verdict(now, only_addresses).label("verdict"),
            plan.label("plan"),
            _rendered_key(connection, plan, languages).label("rendered_key"),
        )
        .where(deliveries.c.id.in_(ids))
        .subquery("checked")
    )
    allowed = checked.c.verdict == ""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == checked.c.id, deliveries.c.state == DeliveryState.QUEUED.value)
        .values(
            state=case((allowed, DeliveryState.SENDING.value), else_=DeliveryState.SKIPPED.value),
            reason=checked.c.verdict,
            sender=case((allowed, sender), else_=0),
            attempt=deliveries.c.attempt + case((allowed, 1), else_=0),
            plan=checked.c.plan,
            rendered_key=checked.c.rendered_key,
            changed_at=now,
        )
    )
    seen = last_withdrawal(connection)
    rows = tuple(_claimed(row, seen) for row in connection.execute(_claimed_rows(ids, sender)))
    return Claim(rows, len(ids) - len(rows))


def _rendered_key(
    connection: Connection, plan: ColumnElement[str], languages: Mapping[str, Sequence[str]]
) -> ColumnElement[str]:
    """Her language and ``plan`` as they are now; the language she was queued with where there is no document in hers.

    A newsletter in one language alone has nothing to choose.
    """
    position = func.strpos if connection.dialect.name == "postgresql" else func.instr
    queued = func.substr(deliveries.c.rendered_key, 1, position(deliveries.c.rendered_key, "/")) + plan
    choosing: list[tuple[ColumnElement[bool], ColumnElement[str]]] = []
    for newsletter, offered in sorted(languages.items()):
        if len(offered) > 1:
            hers = reader_language(offered) + "/" + plan
            there = exists().where(
                pieces.c.edition_id == deliveries.c.edition_id,
                pieces.c.revision == editions.c.revision,
                editions.c.id == deliveries.c.edition_id,
                pieces.c.rendered_key == hers,
            )
            choosing.append((and_(deliveries.c.newsletter == newsletter, there), hers))
    return case(*choosing, else_=queued) if choosing else queued


def _due(connection: Connection, newsletters: Collection[str], limit: int, now: datetime) -> Select[Any]:
    # A partial occurrence goes to the readers named by hand while it stays open for the rest, also one that waits for
    # approval: it is rendered and checked.
    sending = exists().where(
        occurrences.c.id == deliveries.c.occurrence_id,
        or_(
            occurrences.c.state == OccurrenceState.SENDING.value,
            and_(
                occurrences.c.partial.is_(True),
                or_(
                    occurrences.c.state == OccurrenceState.APPROVED.value,
                    and_(
                        occurrences.c.state == OccurrenceState.COMPOSED.value,
                        occurrences.c.reason == Reason.AWAITING_APPROVAL.value,
                    ),
                ),
            ),
        ),
    )
    statement = (
        select(
            deliveries.c.id,
            deliveries.c.subscriber_id,
            deliveries.c.newsletter,
            deliveries.c.stream,
            deliveries.c.occurrence,
            deliveries.c.message_id,
        )
        .where(
            deliveries.c.state == DeliveryState.QUEUED.value,
            deliveries.c.due_at <= now,
            deliveries.c.newsletter.in_(sorted(newsletters)),
            sending,
        )
        .order_by(deliveries.c.priority, deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
    )
    if connection.dialect.name == "postgresql":
        return statement.with_for_update(of=deliveries, skip_locked=True)
    return statement


def _claimed_rows(ids: Sequence[int], sender: int) -> Select[Any]:
    return (
        select(
            deliveries,
            editions.c.revision,
            subscribers.c.address,
            subscribers.c.first_name,
            subscribers.c.last_name,
            subscribers.c.secret,
        )
        .join(editions, editions.c.id == deliveries.c.edition_id)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(
            deliveries.c.id.in_(ids),
            deliveries.c.state == DeliveryState.SENDING.value,
            deliveries.c.sender == sender,
        )
        .order_by(deliveries.c.priority, deliveries.c.due_at, deliveries.c.id)
    )


def _claimed(row: Row[Any], withdrawals_seen: int) -> Claimed:
    return Claimed(
        id=row.id,
        subscriber_id=row.subscriber_id,
        edition_id=row.edition_id,
        revision=row.revision,
        newsletter=row.newsletter,
        stream=Stream(row.stream),
        occurrence=row.occurrence,
        kind=Kind(row.kind),
        rendered_key=RenderedKey.parse(row.rendered_key),
        sections=row.sections,
        format=MailFormat(row.format),
        message_id=row.message_id,
        attempt=row.attempt,
        expires_at=row.expires_at,
        address=row.address,
        first_name=row.first_name,
        last_name=row.last_name,
        secret=row.secret,
        withdrawals_seen=withdrawals_seen,
    )


def record(connection: Connection, sender: int, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write what became of claimed rows. A row that this sender no longer holds is left as it is."""
    connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == bindparam("row"),
            deliveries.c.state == DeliveryState.SENDING.value,
            deliveries.c.sender == sender,
        )
        .values(
            state=bindparam("to"),
            reason=bindparam("why"),
            sender=0,
            attempt=deliveries.c.attempt - bindparam("untried"),
            relay=bindparam("by"),
            reply=bindparam("said"),
            due_at=func.coalesce(bindparam("again", type_=deliveries.c.due_at.type), deliveries.c.due_at),
            sent_at=bindparam("sent", type_=deliveries.c.sent_at.type),
            changed_at=now,
        ),
        [
            {
                "row": outcome.delivery_id,
                "to": outcome.state.value,
                "why": outcome.reason.value,
                "untried": int(outcome.reason is Reason.RELEASED),
                "by": outcome.relay,
                "said": outcome.reply[:500],
                "again": outcome.due_at,
                "sent": now if outcome.state is DeliveryState.SENT else None,
            }
            for outcome in outcomes
        ],
    )


def recover(
    connection: Connection, dead_senders: Collection[int], *, keep: Collection[str], now: datetime
) -> tuple[int, int]:
    """Take rows in ``sending`` from senders that are gone: (given back to the queue, kept for a person).

    A newsletter in ``keep`` leaves its rows where they are, in doubt, held by nobody; every other's go back to
    ``queued`` with the same Message-ID (RFC 5321 §4.5.3.2.6: no reply to the final dot means nobody knows).
    """
    theirs = and_(deliveries.c.state == DeliveryState.SENDING.value, deliveries.c.sender.in_(sorted(dead_senders)))
    kept = connection.execute(
        update(deliveries)
        .where(theirs, deliveries.c.newsletter.in_(sorted(keep)))
        .values(sender=0, reason=Reason.IN_DOUBT.value, changed_at=now)
    ).rowcount
    again = connection.execute(
        update(deliveries)
        .where(theirs)
        .values(
            state=DeliveryState.QUEUED.value, sender=0, reason=Reason.RESENT_IN_DOUBT.value, due_at=now, changed_at=now
        )
    ).rowcount
    return again, kept


def last_withdrawal(connection: Connection) -> int:
    """The id of the newest withdrawal of consent, 0 where there is none."""
    return connection.execute(select(func.max(revocations.c.id))).scalar() or 0


def withdrawn(connection: Connection, row: Claimed) -> bool:
    """Whether consent for this delivery was withdrawn after it was claimed: asked just before its body is written.

    Ids are in order: a withdrawal locks the subscriber's row first, so one that the claim did not see took its id
    after the claim had read the newest.
    """
    statement = select(
        exists().where(
            revocations.c.id > row.withdrawals_seen,
            revocations.c.subscriber_id == row.subscriber_id,
            revocations.c.newsletter.in_([row.newsletter, ""]),
        )
    )
    return bool(connection.execute(statement).scalar_one())


def senders_at_work(connection: Connection) -> set[int]:
    """The ids of the senders that rows in ``sending`` name."""
    rows = connection.execute(
        select(deliveries.c.sender)
        .where(deliveries.c.state == DeliveryState.SENDING.value, deliveries.c.sender > 0)
        .distinct()
    )
    return set(rows.scalars())
