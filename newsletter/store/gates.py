"""Gates in the store: an occurrence held by some, what a person overruled, and what later occurrences compare with.

What a person overruled is of the edition that she saw: with the next edit it counts no longer, as an approval does not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from newsletter.model import EditionName, FailedGate, Gate, Occurrence, OccurrenceState, Reason
from newsletter.store import audit, deliveries, edition_changes, editions, occurrences
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.tables import occurrences as table

_S = OccurrenceState
_BEFORE_SENDING = (_S.COMPOSED, _S.APPROVED)
_BEGUN = (_S.SENDING, _S.SENT, _S.STOPPED)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier occurrences of a stream leave to compare with: how many readers each of the last ones went to, the
    latest first, and the subjects (by rendered key) of the latest."""

    readers: tuple[int, ...] = ()
    name: EditionName | None = None
    subjects: Mapping[str, str] = field(default_factory=dict)


def failed_of(row: OccurrenceRow) -> tuple[FailedGate, ...]:
    """The gates that hold this occurrence; none where it is not held, or by something else."""
    if row.state is not _S.HELD or row.reason is not Reason.GATE:
        return ()
    known = set(Gate)
    return tuple(
        FailedGate(Gate(one["gate"]), one["what"], one["remedy"])
        for one in row.gates.get("failed", ())
        if one["gate"] in known
    )


def overruled_of(row: OccurrenceRow) -> frozenset[Gate]:
    """The gates that a person overruled for this occurrence as it is now."""
    if row.gates.get("edited") != row.edited:
        return frozenset()
    return frozenset(Gate(one) for one in row.gates.get("overruled", ()) if one in set(Gate))


def in_order(gates: Iterable[Gate]) -> list[Gate]:
    """Gates in the order in which they are always named."""
    wanted = set(gates)
    return [gate for gate in Gate if gate in wanted]


def hold(
    connection: Connection,
    row: OccurrenceRow,
    failed: Sequence[FailedGate],
    now: datetime,
    *,
    between_cohorts: bool = False,
) -> bool:
    """Hold an occurrence that is not sending yet for those of ``failed`` that nobody has overruled; ``between_cohorts``
    also one that goes out to one cohort after the other.

    False where there are none of them, it has begun to send, or it was edited since ``row`` was read.
    """
    current = occurrences.get(connection, row.id, lock=True)
    may_be_held = {*_BEFORE_SENDING, _S.SENDING} if between_cohorts else set(_BEFORE_SENDING)
    if current is None or current.edited != row.edited or current.state not in may_be_held:
        return False
    overruled = overruled_of(current)
    against = [one for one in failed if one.gate not in overruled]
    if not against:
        return False
    detail = "; ".join(str(one) for one in against)
    occurrences.transition(connection, row.id, _S.HELD, from_=may_be_held, reason=Reason.GATE, detail=detail, now=now)
    _write(connection, current, against, overruled, current.edited)
    return True


def overrule(
    connection: Connection, row: OccurrenceRow, gates: Collection[Gate], *, actor: str, now: datetime
) -> OccurrenceRow:
    """Let an occurrence go out despite these gates; one that only they hold is released. The row as it then stands."""
    current = occurrences.get(connection, row.id, lock=True) or row
    failed = failed_of(current)
    overruled = overruled_of(current) | set(gates)
    only_these = bool(failed) and {one.gate for one in failed} <= overruled
    _write(connection, current, () if only_these else failed, overruled, current.edited)
    audit.record(connection, actor=actor, action="overrule", subject=str(current.name), detail=_listed(gates), now=now)
    if only_these:
        occurrences.release(connection, current.id, now=now)
        _render_anew(connection, current, now)
    return occurrences.get(connection, current.id) or current


def release(
    connection: Connection, row: OccurrenceRow, *, overrule: bool, now: datetime
) -> tuple[OccurrenceState | None, str]:
    """Let a held occurrence go on where it was, and with ``overrule`` despite the gates that hold it.

    That state (None: it is not held), and the gates overruled in words. What gates held is rendered anew, so that what
    was mended in a template counts. The gates that held it are judged again where it was edited since.
    """
    current = occurrences.get(connection, row.id, lock=True)
    if current is None:
        return None, ""
    failed = failed_of(current)
    state = occurrences.release(connection, current.id, now=now)
    if state is None or not failed:
        return state, ""
    seen = int(current.gates.get("edited", current.edited))
    despite = {one.gate for one in failed} if overrule else set()
    _write(connection, current, (), overruled_of(current) | despite, seen)
    _render_anew(connection, current, now)
    return state, _listed(despite) if seen == current.edited else ""


def passed(connection: Connection, row: OccurrenceRow, readers: int, subjects: Mapping[str, str]) -> None:
    """Keep what later occurrences compare with: how many this one is about to go to, and under which subjects."""
    connection.execute(update(table).where(table.c.id == row.id).values(readers=readers, subjects=dict(subjects)))


def earlier(connection: Connection, row: OccurrenceRow, last: int) -> Earlier:
    """The last occurrences of the same stream that began to be sent; ``last`` of them for the number of readers."""
    statement = (
        select(table.c.occurrence, table.c.readers, table.c.subjects)
        .where(
            table.c.newsletter == row.newsletter,
            table.c.stream == row.stream.value,
            table.c.id != row.id,
            table.c.state.in_([state.value for state in _BEGUN]),
            table.c.readers.is_not(None),
            table.c.local_date.is_not(None),
        )
        .order_by(table.c.due_at.desc(), table.c.id.desc())
        .limit(last)
    )
    rows = connection.execute(statement).all()
    if not rows:
        return Earlier()
    name = EditionName(row.newsletter, Occurrence.parse(rows[0].occurrence), stream=row.stream)
    return Earlier(tuple(one.readers for one in rows), name, rows[0].subjects)


def _listed(gates: Iterable[Gate]) -> str:
    return ", ".join(gate.value for gate in in_order(gates))


def _write(
    connection: Connection,
    row: OccurrenceRow,
    failed: Sequence[FailedGate],
    overruled: Collection[Gate],
    edited: int,
) -> None:
    value: dict[str, Any] = {
        "failed": [asdict(one) for one in failed],
        "overruled": [gate.value for gate in in_order(overruled)],
        "edited": edited,
    }
    connection.execute(update(table).where(table.c.id == row.id).values(gates=value))


def _render_anew(connection: Connection, row: OccurrenceRow, now: datetime) -> None:
    """The next revision of each edition, of which there are no pieces yet; not of one on its way to some readers."""
    if row.resumes in _BEFORE_SENDING and not deliveries.still_moves(connection, row.id):
        for edition in editions.for_occurrence(connection, row.id):
            edition_changes.rewrite(connection, edition, edition.sections, edition.composed, now)
