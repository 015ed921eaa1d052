"""The ledger as mail sets out: ``queued -> sending`` (or ``skipped``), consent re-checked in the statement that moves
the row. What becomes of it then is in ``recording``.

A row in ``sending`` is durable before its message goes on the wire; what a dying sender did not record is in doubt.
Each statement takes a whole group of rows and is prepared once. The groups are joined to their rows by primary key, and
by nothing else that the planner might choose on stale statistics: hence ``found_in_state``
and every ``+ 0``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Dialect,
    Integer,
    Select,
    String,
    and_,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import ColumnElement, FromClause

from newsletter.model import (
    DeliveryState,
    Kind,
    MailFormat,
    OccurrenceState,
    Reason,
    RenderedKey,
    Stream,
)
from newsletter.store.columns import Id, UtcDateTime
from newsletter.store.consent_check import verdict, with_reader
from newsletter.store.domain_limits import DomainLimits, Due
from newsletter.store.prepared import Prepared, PreparedRows, parameter
from newsletter.store.reader_language import reader_language
from newsletter.store.row_sets import RowSet
from newsletter.store.tables import (
    deliveries,
    editions,
    occurrences,
    pieces,
    revocations,
    subscribers,
)
from newsletter.store.targeting import digests_of_delivery, outside
from newsletter.target import NO_TARGETS, Targets

LeaveOut = Callable[[Connection, int, Sequence[int], datetime], object]
"""(connection, sender, ids of rows, now): mark what their readers had elsewhere, of the rows that are now held."""

NO_LIMITS: Mapping[str, int] = MappingProxyType({})
_LOOK_BEHIND = 5000
_POSTPONED = Reason.DOMAIN_LIMIT.value


class Claimed(NamedTuple):
    """A delivery in ``sending`` that this process holds, with all that assembling its message needs.

    ``pieces_of`` and ``pieces_revision`` say whose pieces it is joined of: its edition's, or another cohort's.
    ``withdrawals_seen`` is the newest withdrawal of consent that the claim knew of (see ``withdrawn``). ``doubted``: an
    answer to it was lost before.
    """

    id: int
    subscriber_id: int
    edition_id: int
    pieces_of: int
    pieces_revision: int
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
    secret: bytes
    withdrawals_seen: int
    in_reply_to: str = ""
    targets: str = ""
    had: str = ""
    doubted: bool = False

    def __repr__(self) -> str:
        return f"Claimed(id={self.id}, subscriber_id={self.subscriber_id}, edition_id={self.edition_id})"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim moved: the rows to send now, how many consent (or the allow-list) sent to ``skipped``, and how
    many wait because of a domain's limit."""

    rows: tuple[Claimed, ...]
    skipped: int
    postponed: int = 0


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
    domain_limits: Mapping[str, int] = NO_LIMITS,
    targets: Targets = NO_TARGETS,
    leave_out: LeaveOut | None = None,
) -> Claim:
    """Move up to ``limit`` due rows of these newsletters to ``sending`` for this sender and return them.

    Rows that consent forbids go to ``skipped`` in the same statement. ``message_id_of(edition, subscriber_id)`` makes
    a row's Message-ID the first time; it is kept afterwards. A plan or language changed meanwhile is taken up here: a
    plan that is not in ``plans`` reads as the first of them, and a language, of those ``languages`` names for each
    newsletter, is taken up only where the edition was rendered in it. ``domain_limits`` are messages a minute by domain
    group; rows beyond them are postponed (``domain_limits``). Who is no longer in a newsletter's target is skipped, and
    which of its promotions' targets she is in is written down (``targets``). ``leave_out`` writes down what she had
    elsewhere, and skips those who have had all of it.
    """
    statements = _claiming(
        connection.dialect,
        tuple(sorted(newsletters)),
        tuple(sorted(plans)),
        next(iter(plans), "free"),
        tuple((name, tuple(offered)) for name, offered in sorted(languages.items())),
        None if only_addresses is None else frozenset(only_addresses),
        targets,
    )
    # Of what is stopped or withdrawn from here on, the sender is told before it writes a body. (SQLite has one writing
    # transaction at a time: there the claim itself reads the newest.)
    seen = None if statements.newest is None else int(statements.newest.run(connection).scalar() or 0)
    due, postponed = _within_limits(connection, statements.due, limit, now, domain_limits)
    if not due:
        return Claim((), 0, postponed)
    group = [
        (row_id, message_id or message_id_of(f"{newsletter}/{stream}/{occurrence}", subscriber_id))
        for row_id, subscriber_id, newsletter, stream, occurrence, message_id, *_ in due
    ]
    given = statements.group.given(group)
    if statements.lock is not None:
        # Whoever withdraws consent locks the subscriber's row FOR NO KEY UPDATE; after these shared locks the next
        # statement's snapshot (READ COMMITTED) holds every withdrawal that was committed before us.
        statements.lock.run(connection, who=sorted({row[1] for row in due}))
    statements.move.run(connection, now=now, us=sender, **given)
    if leave_out is not None:
        leave_out(connection, sender, [row_id for row_id, _ in group], now)
    order = {row_id: place for place, (row_id, _) in enumerate(group)}
    rows = sorted(
        (_claimed(row, seen) for row in statements.moved.all(connection, us=sender, **given)),
        key=lambda row: order[row.id],
    )
    return Claim(tuple(rows), len(group) - len(rows), postponed)


def _within_limits(
    connection: Connection, statement: PreparedRows, limit: int, now: datetime, per_minute: Mapping[str, int]
) -> tuple[Sequence[Any], int]:
    """The due rows to claim, and how many others were given a time of their own instead."""
    due: Sequence[Any] = statement.all(connection, now=now, most=limit)
    if not per_minute:
        return due, 0
    limits = DomainLimits(connection, per_minute, now, going_out)
    taken: dict[int, Any] = {}
    row: Any
    postponed = 0
    for most in (limit, limit + _LOOK_BEHIND):
        if most > limit:  # the front was theirs who have to wait: look far behind it, at once
            due = statement.all(connection, now=now, most=most)
        for row in due:
            if len(taken) == limit:
                break
            candidate = Due(row[0], row[6], row[7], row[8] == _POSTPONED)
            if candidate.row not in taken and limits.take(candidate):
                taken[candidate.row] = row
        moved = limits.postpone()
        postponed += moved
        if not moved or len(taken) == limit:
            break
    if len(taken) < limit:
        postponed += limits.move_up()
    limits.close()
    return list(taken.values()), postponed


@dataclass(frozen=True, slots=True)
class _Claiming:
    """The statements of a claim, prepared for one sender's rules."""

    group: RowSet
    due: PreparedRows
    newest: Prepared | None
    lock: Prepared | None
    move: Prepared
    moved: PreparedRows


@lru_cache(maxsize=32)  # a dialect is one opened database's
def _claiming(
    dialect: Dialect,
    newsletters: tuple[str, ...],
    plans: tuple[str, ...],
    first_plan: str,
    languages: tuple[tuple[str, tuple[str, ...]], ...],
    only_addresses: frozenset[str] | None,
    targets: Targets = NO_TARGETS,
) -> _Claiming:
    group = RowSet(dialect, {"row": Id, "message_id": String()})
    given = group.rows.c
    now = parameter("now", UtcDateTime())
    plan = case((subscribers.c.plan.in_(plans), subscribers.c.plan), else_=literal(first_plan))
    checked = (
        with_reader(
            deliveries.c.id.label("id"),
            given.message_id.label("message_id"),
            verdict(now, only_addresses, outside=outside(targets), due_at=deliveries.c.due_at).label("verdict"),
            plan.label("plan"),
            _rendered_key(dialect, plan, dict(languages)).label("rendered_key"),
            digests_of_delivery(targets).label("targets"),
        )
        .where(deliveries.c.id == given.row)
        # A fence: either planner would write the verdict out wherever it is named, and look into four tables each time.
        .offset(0)
        .subquery("checked")
    )
    allowed = checked.c.verdict == ""
    sender = parameter("us", Integer)
    move = (
        update(deliveries)
        .where(deliveries.c.id == checked.c.id, found_in_state(DeliveryState.QUEUED))
        .values(
            state=case((allowed, DeliveryState.SENDING.value), else_=DeliveryState.SKIPPED.value),
            reason=checked.c.verdict,
            sender=case((allowed, sender), else_=0),
            attempt=deliveries.c.attempt + case((allowed, 1), else_=0),
            message_id=checked.c.message_id,
            plan=checked.c.plan,
            rendered_key=checked.c.rendered_key,
            targets=checked.c.targets,
            changed_at=now,
        )
    )
    lock = newest = None
    if dialect.name == "postgresql":
        newest = Prepared(dialect, select(func.max(revocations.c.id)))
        locking = select(subscribers.c.id).where(subscribers.c.id == func.any(parameter("who", ARRAY(Id))))
        lock = Prepared(dialect, locking.order_by(subscribers.c.id).with_for_update(read=True))
    return _Claiming(
        group,
        PreparedRows(dialect, _due(dialect, newsletters, now)),
        newest,
        lock,
        Prepared(dialect, move),
        PreparedRows(dialect, _moved_rows(group.rows, sender)),
    )


def found_in_state(state: DeliveryState) -> ColumnElement[bool]:
    """That a row found by its id is in this state; written so that no partial index seems to fit."""
    return deliveries.c.state.concat("") == state.value


def _rendered_key(
    dialect: Dialect, plan: ColumnElement[str], languages: Mapping[str, Sequence[str]]
) -> ColumnElement[str]:
    """Her language and ``plan`` as they are now; the language she was queued with where there is no document in hers.

    A newsletter in one language alone has nothing to choose.
    """
    position = func.strpos if dialect.name == "postgresql" else func.instr
    queued = func.substr(deliveries.c.rendered_key, 1, position(deliveries.c.rendered_key, "/")) + plan
    choosing: list[tuple[ColumnElement[bool], ColumnElement[str]]] = []
    for newsletter, offered in sorted(languages.items()):
        if len(offered) > 1:
            hers = reader_language(offered) + "/" + plan
            there = exists().where(
                pieces.c.edition_id == func.coalesce(editions.c.pieces_of, editions.c.id),
                pieces.c.revision == func.coalesce(editions.c.pieces_revision, editions.c.revision),
                editions.c.id == deliveries.c.edition_id,
                pieces.c.rendered_key == hers,
            )
            choosing.append((and_(deliveries.c.newsletter == newsletter, there), hers))
    return case(*choosing, else_=queued) if choosing else queued


def going_out() -> ColumnElement[bool]:
    """Whether mail of an occurrence may go now: it is sending, or partial.

    A partial occurrence goes to the readers named by hand while it stays open for the rest, also one that waits for
    approval: it is rendered and checked.
    """
    return or_(
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
    )


def _due(dialect: Dialect, newsletters: Sequence[str], now: ColumnElement[datetime]) -> Select[Any]:
    sending = exists().where(occurrences.c.id == deliveries.c.occurrence_id, going_out())
    statement = (
        select(
            deliveries.c.id,
            deliveries.c.subscriber_id,
            deliveries.c.newsletter,
            deliveries.c.stream,
            deliveries.c.occurrence,
            deliveries.c.message_id,
            deliveries.c.domain_group,
            deliveries.c.priority,
            deliveries.c.reason,
        )
        .where(
            # Written out, not as a parameter, or the queue's partial index would not be seen to fit; and that index has
            # the order, so that no other may seem better.
            deliveries.c.state == literal_column(f"'{DeliveryState.QUEUED.value}'"),
            deliveries.c.due_at <= now,
            deliveries.c.newsletter.concat("").in_(newsletters),
            sending,
        )
        .order_by(deliveries.c.priority, deliveries.c.due_at, deliveries.c.id)
        .limit(parameter("most", Integer))
    )
    if dialect.name == "postgresql":
        return statement.with_for_update(of=deliveries, skip_locked=True)
    return statement


def _moved_rows(group: FromClause, sender: ColumnElement[int]) -> Select[Any]:
    """What a message is assembled from, of the rows of a group that are this sender's now; as ``_claimed`` reads it."""
    return (
        select(
            deliveries.c.id,
            deliveries.c.subscriber_id,
            deliveries.c.edition_id,
            func.coalesce(editions.c.pieces_of, editions.c.id),
            func.coalesce(editions.c.pieces_revision, editions.c.revision),
            deliveries.c.newsletter,
            deliveries.c.stream,
            deliveries.c.occurrence,
            deliveries.c.kind,
            deliveries.c.rendered_key,
            deliveries.c.sections,
            deliveries.c.format,
            deliveries.c.message_id,
            deliveries.c.attempt,
            deliveries.c.expires_at,
            subscribers.c.address,
            subscribers.c.first_name,
            subscribers.c.last_name,
            subscribers.c.secret,
            func.coalesce(select(func.max(revocations.c.id)).scalar_subquery(), 0),
            deliveries.c.in_reply_to,
            deliveries.c.targets,
            deliveries.c.had,
            deliveries.c.doubted,
        )
        .select_from(group)
        .join(deliveries, deliveries.c.id == group.c.row)
        .join(editions, editions.c.id == deliveries.c.edition_id + 0)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id + 0)
        .where(found_in_state(DeliveryState.SENDING), deliveries.c.sender + 0 == sender)
    )


def _claimed(row: Sequence[Any], seen_before: int | None) -> Claimed:
    (
        row_id,
        subscriber_id,
        edition_id,
        pieces_of,
        pieces_revision,
        newsletter,
        stream,
        occurrence,
        kind,
        rendered_key,
        sections,
        mail_format,
        message_id,
        attempt,
        expires_at,
        address,
        first_name,
        last_name,
        secret,
        seen,
        in_reply_to,
        targets,
        had,
        doubted,
    ) = row
    return Claimed(
        row_id,
        subscriber_id,
        edition_id,
        pieces_of,
        pieces_revision,
        newsletter,
        _STREAMS[stream],
        occurrence,
        _KINDS[kind],
        _key(rendered_key),
        sections,
        _FORMATS[mail_format],
        message_id,
        attempt,
        _instant(expires_at),
        address,
        first_name,
        last_name,
        secret,
        seen if seen_before is None else seen_before,
        in_reply_to,
        targets,
        had,
        bool(doubted),
    )


_STREAMS = {one.value: one for one in Stream}
_KINDS = {one.value: one for one in Kind}
_FORMATS = {one.value: one for one in MailFormat}


@lru_cache(maxsize=256)
def _key(text: str) -> RenderedKey:
    return RenderedKey.parse(text)


@lru_cache(maxsize=256)
def _instant(stored: str | datetime) -> datetime:
    """A time as the driver reads it: SQLite's is text in UTC without a zone."""
    if isinstance(stored, datetime):
        return stored.astimezone(UTC)
    return datetime.fromisoformat(stored).replace(tzinfo=UTC)
