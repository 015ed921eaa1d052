"""What is forgotten of old occurrences: what each reader got, the pieces it was made from, why each story was chosen.

    begin        an occurrence is over for so long that it is not kept whole any more, and says so before anything goes
    prune_page   the next rows of those that say so

The occurrence, its editions with their stories and the number of its readers stay for ever, and so does which stories
were sent: nothing old is ever new again. Of an edition with a delivery in doubt, which waits for a person and may be
sent again, all stays until she decides.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, tuple_, update

from newsletter.model import DeliveryState, Kind, OccurrenceState
from newsletter.store.tables import deliveries, editions, occurrences, pieces, selections

PAGE = 1000
_OCCURRENCES_AT_ONCE = 100
_EDITIONS_A_PAGE = 10  # each has pieces of some 100 kB
_OVER = (OccurrenceState.SENT, OccurrenceState.SKIPPED, OccurrenceState.CANCELLED)
_FINAL = (DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.SKIPPED)


def begin(connection: Connection, before: datetime, now: datetime) -> list[int]:
    """Occurrences that were due, and last changed, before then and are over; the ids of these and of what an earlier
    pruning left. From now on each says ``pruned_at``, so that nobody retries or corrects what is half there."""
    unfinished = select(occurrences.c.id).where(occurrences.c.being_pruned).limit(_OCCURRENCES_AT_ONCE)
    left = list(connection.execute(unfinished).scalars())
    if left:
        return left
    oldest = select(occurrences.c.id).where(_is_old(before)).order_by(occurrences.c.due_at, occurrences.c.id)
    ids = list(connection.execute(oldest.limit(_OCCURRENCES_AT_ONCE)).scalars())
    if ids:  # asked once more of the row as it is locked: somebody may have retried it
        these = update(occurrences).where(occurrences.c.id.in_(ids), _is_old(before))
        connection.execute(these.values(pruned_at=now, being_pruned=True))
    return list(connection.execute(unfinished).scalars())


def prunable(connection: Connection, before: datetime) -> int:
    """How many deliveries would be forgotten."""
    old = or_(occurrences.c.being_pruned, _is_old(before))
    theirs = select(editions.c.id).join(occurrences, occurrences.c.id == editions.c.occurrence_id).where(old)
    statement = select(func.count()).select_from(deliveries)
    of_editions = connection.execute(statement.where(deliveries.c.edition_id.in_(theirs))).scalar_one()
    return int(of_editions) + int(connection.execute(statement.where(_old_system_mail(before))).scalar_one())


def prune_page(connection: Connection, ids: Collection[int], limit: int = PAGE) -> int | None:
    """Forget the next rows of what ``begin`` named: deliveries, then what they were made from; how many deliveries.
    None once nothing is left. Small transactions: nothing else that is written waits for it."""
    of_them = select(editions.c.id).where(editions.c.occurrence_id.in_(ids))
    made = _delete_page(connection, deliveries.c.edition_id.in_(of_them), limit)
    if made:
        return made
    with_pieces = of_them.where(exists().where(pieces.c.edition_id == editions.c.id)).limit(_EDITIONS_A_PAGE)
    if connection.execute(delete(pieces).where(pieces.c.edition_id.in_(with_pieces))).rowcount:
        return 0
    key = tuple_(*selections.primary_key.columns)
    page = select(*selections.primary_key.columns).where(selections.c.occurrence_id.in_(ids)).limit(limit)
    if connection.execute(delete(selections).where(key.in_(page))).rowcount:
        return 0
    connection.execute(update(occurrences).where(occurrences.c.id.in_(ids)).values(being_pruned=False))
    return None


def prune_system_mails(connection: Connection, before: datetime, limit: int = PAGE) -> int:
    """Forget the next page of confirmations, sign-in links and other mails of the site's own; 0 when none is left."""
    return _delete_page(connection, _old_system_mail(before), limit)


def _delete_page(connection: Connection, which: ColumnElement[bool], limit: int) -> int:
    page = select(deliveries.c.id).where(which).limit(limit)
    return connection.execute(delete(deliveries).where(deliveries.c.id.in_(page))).rowcount


def _is_old(before: datetime) -> ColumnElement[bool]:
    """Over, and for so long. What is queued still of one that was skipped or cancelled goes nowhere any more."""
    sent = occurrences.c.state == OccurrenceState.SENT.value
    moves = or_(
        deliveries.c.state == DeliveryState.SENDING.value,
        and_(deliveries.c.state == DeliveryState.QUEUED.value, sent),
    )
    of_it = select(editions.c.id).where(editions.c.occurrence_id == occurrences.c.id).correlate(occurrences)
    return and_(
        occurrences.c.due_at < before,
        occurrences.c.changed_at < before,
        occurrences.c.state.in_([state.value for state in _OVER]),
        occurrences.c.kind == Kind.EDITION.value,
        occurrences.c.pruned_at.is_(None),
        ~select(deliveries.c.id).where(deliveries.c.edition_id.in_(of_it), moves).correlate(occurrences).exists(),
    )


def _old_system_mail(before: datetime) -> ColumnElement[bool]:
    """All mails of a kind of the site's own stand under one occurrence, which is never over."""
    theirs = (
        select(editions.c.id)
        .join(occurrences, occurrences.c.id == editions.c.occurrence_id)
        .where(occurrences.c.kind == Kind.SYSTEM.value)
    )
    return and_(
        deliveries.c.edition_id.in_(theirs),
        deliveries.c.state.in_([state.value for state in _FINAL]),
        deliveries.c.changed_at < before,
    )
