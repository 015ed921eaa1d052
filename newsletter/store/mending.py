"""What a person does about an occurrence that is going out, or went: stop, resume, cancel, try the failed again.

The change of state and its line in the audit are one transaction; what then moves many rows does so in pages of its
own, each safe to repeat, so that nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select, update

from newsletter.model import DeliveryState, OccurrenceState, Reason
from newsletter.store import article_uses, audit, occurrences
from newsletter.store.deliveries import dropping, of_occurrence
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.tables import deliveries, editions
from newsletter.store.tables import occurrences as occurrences_

PAGE = 1000
# Refused for the mailbox itself: to try these again on one's own account costs a sender its name.
OF_FAILURES = frozenset(
    {
        Reason.REFUSED_MAILBOX,
        Reason.REFUSED_CONTENT,
        Reason.REFUSED_SENDER,
        Reason.EXPIRED,
        Reason.UNDELIVERABLE_ADDRESS,
    }
)
NOT_RETRIED = frozenset({Reason.REFUSED_MAILBOX, Reason.UNDELIVERABLE_ADDRESS})
_S = OccurrenceState
_D = DeliveryState


def stop(connection: Connection, row: OccurrenceRow, *, actor: str, detail: str = "", now: datetime) -> bool:
    """Stop an occurrence that is going out; False where it is not. Senders ask before each body, so what is not on the
    wire by then goes back to the queue."""
    stopped = occurrences.transition(
        connection, row.id, _S.STOPPED, from_={_S.SENDING}, reason=Reason.BY_HAND, detail=detail, now=now
    )
    if stopped:
        audit.record(connection, actor=actor, action="stop", subject=str(row.name), detail=detail, now=now)
    return stopped


def resume(
    connection: Connection, row: OccurrenceRow, *, actor: str, retry_for: timedelta, detail: str = "", now: datetime
) -> bool:
    """Let a stopped occurrence go on, and be tried for at least ``retry_for`` from now; False where it is not."""
    resumed = occurrences.transition(connection, row.id, _S.SENDING, from_={_S.STOPPED}, now=now)
    if resumed:
        audit.record(connection, actor=actor, action="resume", subject=str(row.name), detail=detail, now=now)
        until = now + retry_for
        connection.execute(
            update(deliveries)
            .where(
                of_occurrence(row.id),
                deliveries.c.state == _D.QUEUED.value,
                deliveries.c.attempt > 0,  # the others have no end before they are tried
                deliveries.c.expires_at < until,
            )
            .values(expires_at=until)
        )
    return resumed


def cancel(connection: Connection, row: OccurrenceRow, *, actor: str, detail: str = "", now: datetime) -> bool:
    """Cancel an occurrence that is not going out now; False where it is (stop it first), or is over.

    Its stories are free for the next, but for those of an edition of which anybody has a message, or may have: these
    count as sent. Then ``drop_queued`` takes what is left out of the queue.
    """
    cancelled = occurrences.cancel(connection, row.id, detail=detail, now=now)
    if cancelled:
        article_uses.mark_sent(connection, and_(editions.c.occurrence_id == row.id, article_uses.mailed()))
        audit.record(connection, actor=actor, action="cancel", subject=str(row.name), detail=detail, now=now)
    return cancelled


def drop_queued(connection: Connection, occurrence_id: int, now: datetime, limit: int = PAGE) -> int:
    """Skip the next page of what a cancelled occurrence still has in the queue; 0 when nothing is left.

    Whose message was ever in doubt is told by that reason: she may have it. What senders give back later,
    ``deliveries.expire`` skips.
    """
    cancelled = exists().where(occurrences_.c.id == occurrence_id, occurrences_.c.state == _S.CANCELLED.value)
    page = (
        select(deliveries.c.id)
        .where(of_occurrence(occurrence_id), deliveries.c.state == _D.QUEUED.value, cancelled)
        .limit(limit)
    )
    return connection.execute(update(deliveries).where(deliveries.c.id.in_(page)).values(**dropping(now))).rowcount


def retry(
    connection: Connection, row: OccurrenceRow, *, actor: str, reasons: Collection[Reason], now: datetime
) -> bool:
    """Write down that the failed deliveries of an occurrence (for these reasons) are to be tried again; False where
    there are none, or it is neither sent nor being sent. Then ``requeue_failed`` opens it and queues them."""
    if not _retryable(connection, row.id):
        return False
    there = connection.execute(select(exists().where(_failed(row.id, reasons)))).scalar_one()
    if there:
        detail = " ".join(sorted(reason.value for reason in reasons))
        audit.record(connection, actor=actor, action="retry", subject=str(row.name), detail=detail, now=now)
    return bool(there)


def requeue_failed(
    connection: Connection,
    occurrence_id: int,
    *,
    reasons: Collection[Reason],
    failed_before: datetime,
    retry_for: timedelta,
    now: datetime,
    limit: int = PAGE,
) -> int:
    """Queue the next page of the failed again, as if never tried, with the same Message-IDs; 0 when none is left, or
    the occurrence was stopped, held or cancelled meanwhile. One that is sent is sending again (see ``completing``).

    Only what failed before ``failed_before``: what fails anew meanwhile is not taken again.
    """
    if not _retryable(connection, occurrence_id):
        return 0
    page = (
        select(deliveries.c.id)
        .where(_failed(occurrence_id, reasons), deliveries.c.changed_at <= failed_before)
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    queued = connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(page))
        .values(
            state=_D.QUEUED.value,
            reason=Reason.NONE.value,
            attempt=0,
            due_at=now,
            expires_at=now + retry_for,
            changed_at=now,
        )
    ).rowcount
    if queued:
        occurrences.transition(connection, occurrence_id, _S.SENDING, from_={_S.SENT}, now=now)
    return queued


def has_it() -> ColumnElement[bool]:
    """Whether the reader of a delivery has its message, or may have it: who gets a correction."""
    return or_(deliveries.c.state.in_([_D.SENT.value, _D.SENDING.value]), deliveries.c.doubted)


def who_has_it(connection: Connection, occurrence_id: int) -> dict[str, int]:
    """How many readers of an occurrence have it (``sent``), may have it (``in_doubt``), have it on the wire just now
    (``sending``), wait for it (``queued``), or do not get it (``failed``, ``skipped``)."""
    in_doubt = or_(
        and_(deliveries.c.state == _D.SENDING.value, deliveries.c.sender == 0),
        and_(deliveries.c.state.in_([_D.QUEUED.value, _D.SKIPPED.value, _D.FAILED.value]), deliveries.c.doubted),
    )
    stands: ColumnElement[str] = case((in_doubt, "in_doubt"), else_=deliveries.c.state)
    rows = connection.execute(
        select(stands.label("stands"), func.count().label("number"))
        .where(deliveries.c.occurrence_id == occurrence_id)
        .group_by(stands)
    )
    counted = dict.fromkeys(("sent", "in_doubt", "sending", "queued", "failed", "skipped"), 0)
    return counted | {row.stands: row.number for row in rows}


def _retryable(connection: Connection, occurrence_id: int) -> bool:
    """Whether what failed of an occurrence may be tried again; it stays so until this transaction ends."""
    current = occurrences.get(connection, occurrence_id, lock=True)
    return current is not None and current.state in (_S.SENT, _S.SENDING) and current.pruned_at is None


def _failed(occurrence_id: int, reasons: Collection[Reason]) -> ColumnElement[bool]:
    return and_(
        of_occurrence(occurrence_id),
        deliveries.c.state == _D.FAILED.value,
        deliveries.c.reason.in_(sorted(reason.value for reason in reasons)),
    )
