"""What is forgotten of old occurrences: what each reader got, the pieces it was made from, why each story was chosen.

The occurrence, its editions with their stories and the number of its readers stay for ever, and so does which stories
were sent: nothing old is ever new again. Of an edition with a delivery in doubt, which waits for a person and may be
sent again, all stays until she decides.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, select, update

from newsletter.model import DeliveryState, Kind, OccurrenceState
from newsletter.store.deliveries import of_occurrence
from newsletter.store.tables import deliveries, editions, occurrences, pieces, selections

PAGE = 1000
_EDITIONS_A_PAGE = 10  # each has pieces of some 100 kB
_OVER = (OccurrenceState.SENT, OccurrenceState.SKIPPED, OccurrenceState.CANCELLED)
_FINAL = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SKIPPED)
_MOVING = (DeliveryState.QUEUED, DeliveryState.SENDING)


def oldest(connection: Connection, before: datetime) -> int | None:
    """The id of the first due of the occurrences that were due before then, are over, and are still kept whole."""
    statement = select(occurrences.c.id).where(_is_old(before)).order_by(occurrences.c.due_at, occurrences.c.id)
    found: int | None = connection.execute(statement.limit(1)).scalar()
    return found


def prunable(connection: Connection, before: datetime) -> int:
    """How many deliveries would be forgotten."""
    old = select(editions.c.id).join(occurrences, occurrences.c.id == editions.c.occurrence_id).where(_is_old(before))
    statement = select(func.count()).select_from(deliveries)
    of_editions = connection.execute(statement.where(deliveries.c.edition_id.in_(old), _is_final())).scalar_one()
    return int(of_editions) + int(connection.execute(statement.where(_old_system_mail(before))).scalar_one())


def prune_page(connection: Connection, occurrence_id: int, now: datetime, limit: int = PAGE) -> int | None:
    """Forget the next page of an occurrence's deliveries, then what they were made from; how many deliveries that were.
    None once nothing is left, and the occurrence says so. Small transactions: nothing else that is written waits."""
    made = _delete_page(connection, of_occurrence(occurrence_id), limit)
    if made:
        return made
    of_it = select(editions.c.id).where(editions.c.occurrence_id == occurrence_id)
    with_pieces = of_it.where(exists().where(pieces.c.edition_id == editions.c.id)).limit(_EDITIONS_A_PAGE)
    if connection.execute(delete(pieces).where(pieces.c.edition_id.in_(with_pieces))).rowcount:
        return 0
    connection.execute(delete(selections).where(selections.c.occurrence_id == occurrence_id))
    connection.execute(update(occurrences).where(occurrences.c.id == occurrence_id).values(pruned_at=now))
    return None


def prune_system_mails(connection: Connection, before: datetime, limit: int = PAGE) -> int:
    """Forget the next page of confirmations, sign-in links and other mails of the site's own; 0 when none is left."""
    return _delete_page(connection, _old_system_mail(before), limit)


def _delete_page(connection: Connection, which: ColumnElement[bool], limit: int) -> int:
    page = select(deliveries.c.id).where(which, _is_final()).limit(limit)
    return connection.execute(delete(deliveries).where(deliveries.c.id.in_(page))).rowcount


def _is_old(before: datetime) -> ColumnElement[bool]:
    of_it = select(editions.c.id).where(editions.c.occurrence_id == occurrences.c.id)
    return and_(
        occurrences.c.due_at < before,
        occurrences.c.state.in_([state.value for state in _OVER]),
        occurrences.c.pruned_at.is_(None),
        ~exists().where(deliveries.c.edition_id.in_(of_it), deliveries.c.state.in_([one.value for one in _MOVING])),
    )


def _is_final() -> ColumnElement[bool]:
    return deliveries.c.state.in_([state.value for state in _FINAL])


def _old_system_mail(before: datetime) -> ColumnElement[bool]:
    """All mails of a kind of the site's own stand under one occurrence, which is never over."""
    theirs: Select[tuple[int]] = (
        select(editions.c.id)
        .join(occurrences, occurrences.c.id == editions.c.occurrence_id)
        .where(occurrences.c.kind == Kind.SYSTEM.value)
    )
    return deliveries.c.edition_id.in_(theirs) & _is_final() & (deliveries.c.changed_at < before)
