"""Occurrences: the turns of each stream, and the one place where their state changes.

The schedule plans a row; composing, approving, sending and people move it on. Each move is one compare-and-set
``UPDATE … WHERE state IN (…)``, checked against ``OCCURRENCE_TRANSITIONS``, so of two processes only one makes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, not_, or_, select, update
from sqlalchemy.sql import ColumnElement

from newsletter.model import (
    OCCURRENCE_TRANSITIONS,
    EditionName,
    Edits,
    Kind,
    Occurrence,
    OccurrenceState,
    Reason,
    Stream,
    StreamName,
)
from newsletter.store import article_uses, suppressions
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.edits import from_json as edits_from_json
from newsletter.store.tables import editions, occurrences

_S = OccurrenceState
_BEFORE_SENDING = (_S.PLANNED, _S.COMPOSED, _S.APPROVED)


@dataclass(frozen=True, slots=True)
class OccurrenceRow:
    """One turn of a stream. Times are UTC; ``resumes`` is the state that ``release`` goes back to, while held.

    ``by_hand``: a person asked for it, so a schedule no longer moves it. ``partial``: sent to some, open for the rest.
    ``layer`` is what editors changed, as it is stored, and ``edited`` how often they did; ``gates`` is for ``gates``.
    ``pruned_at``: since when it is not kept any more what each reader got of it.
    """

    id: int
    newsletter: str
    stream: Stream
    occurrence: Occurrence
    kind: Kind
    due_at: datetime
    compose_at: datetime
    state: OccurrenceState
    reason: Reason
    detail: str
    resumes: OccurrenceState | None
    by_hand: bool
    partial: bool
    created_at: datetime
    changed_at: datetime
    layer: Mapping[str, Any] = field(default_factory=dict)
    edited: int = 0
    gates: Mapping[str, Any] = field(default_factory=dict)
    pruned_at: datetime | None = None

    @property
    def name(self) -> EditionName:
        return EditionName(self.newsletter, self.occurrence, stream=self.stream)

    @property
    def edits(self) -> Edits:
        """What editors changed. Raises UnreadableEdits, so that one broken layer costs one occurrence."""
        return edits_from_json(self.layer, where=str(self.name))


# --- planning --------------------------------------------------------------------------------------------------------


def plan(
    connection: Connection,
    newsletter: str,
    stream: Stream,
    occurrence: Occurrence,
    due_at: datetime,
    compose_at: datetime,
    now: datetime,
    kind: Kind = Kind.EDITION,
    by_hand: bool = False,
) -> OccurrenceRow:
    """Make this occurrence unless it is there, and return it as it stands.

    While it is still ``planned`` its times follow the schedule; afterwards they stay. An occurrence is a date and an
    ordinal, so a schedule moved from 07:00 to 07:30 makes no second one. What was taken by hand the schedule leaves.
    """
    connection.execute(
        insert_ignoring_conflicts(connection, occurrences).values(
            newsletter=newsletter,
            stream=stream.value,
            occurrence=str(occurrence),
            kind=kind.value,
            local_date=occurrence.local_date,
            ordinal=occurrence.ordinal,
            due_at=due_at,
            compose_at=compose_at,
            by_hand=by_hand,
            layer={},
            created_at=now,
            changed_at=now,
        )
    )
    may_follow = [] if by_hand else [occurrences.c.by_hand.is_(False)]
    connection.execute(
        update(occurrences)
        .where(
            occurrences.c.newsletter == newsletter,
            occurrences.c.stream == stream.value,
            occurrences.c.occurrence == str(occurrence),
            occurrences.c.state == _S.PLANNED.value,
            or_(
                occurrences.c.due_at != due_at,
                occurrences.c.compose_at != compose_at,
                occurrences.c.by_hand.is_not(by_hand),
            ),
            *may_follow,
        )
        .values(due_at=due_at, compose_at=compose_at, by_hand=by_hand, changed_at=now)
    )
    row = find(connection, newsletter, stream, occurrence)
    assert row is not None
    return row


def forget_unscheduled(
    connection: Connection, newsletter: str, stream: Stream, scheduled: Collection[Occurrence], after: datetime
) -> int:
    """Delete planned occurrences due after ``after`` that the schedule no longer has; the number of rows."""
    return connection.execute(
        delete(occurrences).where(
            occurrences.c.newsletter == newsletter,
            occurrences.c.stream == stream.value,
            occurrences.c.state == _S.PLANNED.value,
            occurrences.c.by_hand.is_(False),
            occurrences.c.due_at > after,
            occurrences.c.occurrence.not_in([str(occurrence) for occurrence in scheduled]),
        )
    ).rowcount


def take_by_hand(
    connection: Connection, occurrence_id: int, due_at: datetime, now: datetime, *, edited: int | None = None
) -> bool:
    """Make an occurrence that has not begun to send due at ``due_at``, its editions too; False where it is too late,
    or it was edited more often than ``edited`` times.

    A manual ``send`` uses up the due, else the next occurrence this way: the schedule then finds it done.
    """
    taken = connection.execute(
        update(occurrences)
        .where(
            occurrences.c.id == occurrence_id,
            occurrences.c.state.in_(_values(_BEFORE_SENDING)),
            *([occurrences.c.edited == edited] if edited is not None else []),
        )
        .values(due_at=due_at, compose_at=due_at, by_hand=True, changed_at=now)
    ).rowcount
    if taken:
        connection.execute(update(editions).where(editions.c.occurrence_id == occurrence_id).values(due_at=due_at))
    return bool(taken)


def mark_partial(connection: Connection, occurrence_id: int, partial: bool, now: datetime) -> None:
    """Remember whether an occurrence went only to some readers (``send --to``) and is still open for the rest."""
    connection.execute(
        update(occurrences).where(occurrences.c.id == occurrence_id).values(partial=partial, changed_at=now)
    )


# --- changing state --------------------------------------------------------------------------------------------------


def transition(
    connection: Connection,
    occurrence_id: int,
    to: OccurrenceState,
    *,
    from_: Collection[OccurrenceState],
    reason: Reason = Reason.NONE,
    detail: str = "",
    edited: int | None = None,
    now: datetime,
) -> bool:
    """Move an occurrence to ``to`` if it is in one of ``from_``; False when it is not (somebody else was first).

    With ``edited`` also only if it was edited so often: what was decided on was not changed meanwhile. Into ``held`` it
    remembers where it was, and out of it only goes back there, or to ``cancelled`` or ``skipped``. ``skipped`` and
    ``cancelled`` release the articles of its unsent editions; ``sent`` marks theirs as sent. Senders are
    told of ``stopped`` and ``held``, and ask before each body.
    Raises ValueError for a move that OCCURRENCE_TRANSITIONS does not allow.
    """
    refused = sorted(state.value for state in from_ if to not in OCCURRENCE_TRANSITIONS[state])
    if refused or not from_:
        raise ValueError(f"an occurrence cannot go from {' or '.join(refused) or 'no state'} to {to.value}")
    resuming = to in OCCURRENCE_TRANSITIONS[_S.HELD] and to not in (_S.CANCELLED, _S.SKIPPED)
    moved = connection.execute(
        update(occurrences)
        .where(
            occurrences.c.id == occurrence_id,
            occurrences.c.state.in_(_values(from_)),
            *([or_(occurrences.c.state != _S.HELD.value, occurrences.c.resumes == to.value)] if resuming else []),
            *([occurrences.c.edited == edited] if edited is not None else []),
        )
        .values(
            state=to.value,
            reason=reason.value,
            detail=detail,
            resumes=occurrences.c.state if to is _S.HELD else "",
            changed_at=now,
        )
    ).rowcount
    if moved and to in (_S.STOPPED, _S.HELD):
        of = connection.execute(select(occurrences.c.newsletter).where(occurrences.c.id == occurrence_id)).scalar_one()
        suppressions.halt(connection, of, reason, now)
    if moved and to in (_S.SKIPPED, _S.CANCELLED):
        article_uses.release(connection, editions.c.occurrence_id == occurrence_id)
    if moved and to is _S.SENT:
        article_uses.mark_sent(connection, editions.c.occurrence_id == occurrence_id)
    return bool(moved)


def hold(connection: Connection, occurrence_id: int, *, reason: Reason, detail: str = "", now: datetime) -> bool:
    """Hold an occurrence wherever it stands; False where it cannot be held (or is held already)."""
    return transition(
        connection, occurrence_id, _S.HELD, from_=_can_go_to(_S.HELD), reason=reason, detail=detail, now=now
    )


def release(connection: Connection, occurrence_id: int, *, now: datetime) -> OccurrenceState | None:
    """Let a held occurrence go on where it was; that state, or None when it is not held."""
    statement = select(occurrences.c.resumes).where(
        occurrences.c.id == occurrence_id, occurrences.c.state == _S.HELD.value
    )
    resumes = connection.execute(statement).scalar()
    if resumes is None:
        return None
    to = OccurrenceState(resumes)
    return to if transition(connection, occurrence_id, to, from_={_S.HELD}, now=now) else None


def skip(connection: Connection, occurrence_id: int, *, reason: Reason, detail: str = "", now: datetime) -> bool:
    """Skip an occurrence that has not begun to send; its articles are free for the next. False where it has begun."""
    return transition(
        connection,
        occurrence_id,
        _S.SKIPPED,
        from_=_can_go_to(_S.SKIPPED),
        reason=reason,
        detail=detail,
        now=now,
    )


def cancel(
    connection: Connection, occurrence_id: int, *, reason: Reason = Reason.BY_HAND, detail: str = "", now: datetime
) -> bool:
    """Cancel an occurrence that is not sending (stop it first); articles nobody was mailed are free again."""
    return transition(
        connection, occurrence_id, _S.CANCELLED, from_=_can_go_to(_S.CANCELLED), reason=reason, detail=detail, now=now
    )


def _can_go_to(to: OccurrenceState) -> frozenset[OccurrenceState]:
    return frozenset(state for state, following in OCCURRENCE_TRANSITIONS.items() if to in following)


# --- asking ----------------------------------------------------------------------------------------------------------


def get(connection: Connection, occurrence_id: int, *, lock: bool = False) -> OccurrenceRow | None:
    """The occurrence with this id. ``lock`` keeps other writers off the row until this transaction ends."""
    statement = _rows().where(occurrences.c.id == occurrence_id)
    return _one(connection, statement.with_for_update() if lock else statement)


def lock(connection: Connection, ids: Collection[int]) -> None:
    """Keep other writers off these rows until this transaction ends; in order, so that no two wait for each other."""
    connection.execute(
        select(occurrences.c.id).where(occurrences.c.id.in_(ids)).order_by(occurrences.c.id).with_for_update()
    ).all()


def find(connection: Connection, newsletter: str, stream: Stream, occurrence: Occurrence) -> OccurrenceRow | None:
    """The occurrence of this name, or None."""
    statement = _rows().where(
        occurrences.c.newsletter == newsletter,
        occurrences.c.stream == stream.value,
        occurrences.c.occurrence == str(occurrence),
    )
    return _one(connection, statement)


def due_to_compose(connection: Connection, now: datetime) -> list[OccurrenceRow]:
    """Planned occurrences whose ``compose_at`` has come, the most urgent first."""
    return _all(
        connection,
        _turns()
        .where(occurrences.c.state == _S.PLANNED.value, occurrences.c.compose_at <= now)
        .order_by(occurrences.c.due_at, occurrences.c.id),
    )


def due_to_send(connection: Connection, now: datetime) -> list[OccurrenceRow]:
    """Occurrences ``composed`` or ``approved`` whose ``due_at`` has come; whether a composed one may go is for the
    caller to approve."""
    ready = (_S.COMPOSED, _S.APPROVED)
    return _all(
        connection,
        _turns()
        .where(occurrences.c.state.in_(_values(ready)), occurrences.c.due_at <= now)
        .order_by(occurrences.c.due_at, occurrences.c.id),
    )


def sending(connection: Connection) -> list[OccurrenceRow]:
    """Occurrences in ``sending``, oldest first."""
    return _all(
        connection,
        _rows().where(occurrences.c.state == _S.SENDING.value).order_by(occurrences.c.due_at, occurrences.c.id),
    )


def latest(connection: Connection, newsletter: str, stream: Stream) -> OccurrenceRow | None:
    """The occurrence of the latest local date and ordinal, in whatever state."""
    order = (occurrences.c.local_date.desc(), occurrences.c.ordinal.desc())
    return _one(connection, _of(newsletter, stream).order_by(*order).limit(1))


def next_planned(connection: Connection, newsletter: str, stream: Stream = Stream.EACH) -> OccurrenceRow | None:
    """The planned occurrence that is due first."""
    return _first_in(connection, newsletter, stream, (_S.PLANNED,))


def next_open(connection: Connection, newsletter: str, stream: Stream = Stream.EACH) -> OccurrenceRow | None:
    """The occurrence that is due first of those not yet sending: planned, composed or approved."""
    return _first_in(connection, newsletter, stream, _BEFORE_SENDING)


def listing(
    connection: Connection,
    *,
    newsletter: str = "",
    stream: Stream | None = None,
    states: Collection[OccurrenceState] = (),
    due_from: datetime | None = None,
    due_before: datetime | None = None,
    turns_only: bool = False,
    looked_for: Collection[StreamName] = (),
    limit: int = 100,
) -> list[OccurrenceRow]:
    """Occurrences, the latest due first; each filter left at its default filters nothing. ``turns_only``: without
    corrections. ``looked_for``: without those of these streams for which there was nothing new."""
    wanted = [
        *([occurrences.c.newsletter == newsletter] if newsletter else []),
        *([occurrences.c.stream == stream.value] if stream else []),
        *([occurrences.c.state.in_(_values(states))] if states else []),
        *([occurrences.c.due_at >= due_from] if due_from else []),
        *([occurrences.c.due_at < due_before] if due_before else []),
        *([not_(_in_vain(looked_for))] if looked_for else []),
    ]
    order = (occurrences.c.due_at.desc(), occurrences.c.id.desc())
    rows = _turns() if turns_only else _rows()
    return _all(connection, rows.where(*wanted).order_by(*order).limit(limit))


def in_vain(connection: Connection, looked_for: Collection[StreamName], since: datetime | None = None) -> int:
    """How many occurrences of these streams, due since then (UTC), ``listing`` leaves out."""
    if not looked_for:
        return 0
    statement = select(func.count()).select_from(occurrences).where(_in_vain(looked_for))
    if since is not None:
        statement = statement.where(occurrences.c.due_at >= since)
    return int(connection.execute(statement).scalar_one())


def _in_vain(looked_for: Collection[StreamName]) -> ColumnElement[bool]:
    """Whether an occurrence of one of these streams came to nothing because nothing was new."""
    theirs = [
        and_(occurrences.c.newsletter == one.newsletter, occurrences.c.stream == one.stream.value) for one in looked_for
    ]
    return and_(
        occurrences.c.state == OccurrenceState.SKIPPED.value, occurrences.c.reason == Reason.EMPTY.value, or_(*theirs)
    )


def _rows() -> Select[Any]:
    """Turns and their corrections. Rows of alerts and notices have other names; who makes them asks for them."""
    return select(occurrences).where(occurrences.c.kind == Kind.EDITION.value)


def _turns() -> Select[Any]:
    """Turns alone: what a schedule goes by. Only they have a local date of their own."""
    return _rows().where(occurrences.c.local_date.is_not(None))


def _of(newsletter: str, stream: Stream) -> Select[Any]:
    return _turns().where(and_(occurrences.c.newsletter == newsletter, occurrences.c.stream == stream.value))


def _first_in(
    connection: Connection, newsletter: str, stream: Stream, states: Collection[OccurrenceState]
) -> OccurrenceRow | None:
    statement = _of(newsletter, stream).where(occurrences.c.state.in_(_values(states)))
    return _one(connection, statement.order_by(occurrences.c.due_at, occurrences.c.id).limit(1))


def _values(states: Collection[OccurrenceState]) -> list[str]:
    return [state.value for state in states]


def _one(connection: Connection, statement: Select[Any]) -> OccurrenceRow | None:
    row = connection.execute(statement).one_or_none()
    return None if row is None else _row(row)


def _all(connection: Connection, statement: Select[Any]) -> list[OccurrenceRow]:
    return [_row(row) for row in connection.execute(statement)]


def _row(row: Row[Any]) -> OccurrenceRow:
    return OccurrenceRow(
        id=row.id,
        newsletter=row.newsletter,
        stream=Stream(row.stream),
        occurrence=Occurrence.parse(row.occurrence),
        kind=Kind(row.kind),
        due_at=row.due_at,
        compose_at=row.compose_at,
        state=OccurrenceState(row.state),
        reason=Reason(row.reason),
        detail=row.detail,
        resumes=OccurrenceState(row.resumes) if row.resumes else None,
        by_hand=row.by_hand,
        partial=row.partial,
        created_at=row.created_at,
        changed_at=row.changed_at,
        layer=row.layer,
        edited=row.edited,
        gates=row.gates,
        pruned_at=row.pruned_at,
    )
