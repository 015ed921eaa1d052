"""What of the ledger a reader's own copy of an edition is made from again: for the browser and for preview."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from newsletter.model import MailFormat, Occurrence, RenderedKey, StreamName
from newsletter.store.tables import deliveries, editions


@dataclass(frozen=True, slots=True)
class Copy:
    """The facts of one delivery that decided its bytes. ``sections``, ``targets`` and ``had`` are the columns' texts;
    ``sent_at`` is UTC, None while no server's answer has been recorded."""

    edition_id: int
    pieces_at: tuple[int, int]
    rendered_key: RenderedKey
    sections: str
    targets: str
    had: str
    format: MailFormat
    message_id: str
    in_reply_to: str
    sent_at: datetime | None


def find(connection: Connection, subscriber_id: int, of: StreamName, occurrence: Occurrence) -> Copy | None:
    """Her copy of this occurrence; None where no sender ever took it up, so that she cannot have it."""
    row = connection.execute(
        select(deliveries, editions.c.revision, editions.c.pieces_of, editions.c.pieces_revision)
        .join(editions, editions.c.id == deliveries.c.edition_id)
        .where(
            deliveries.c.subscriber_id == subscriber_id,
            deliveries.c.newsletter == of.newsletter,
            deliveries.c.stream == of.stream.value,
            deliveries.c.occurrence == str(occurrence),
            deliveries.c.attempt > 0,
        )
        .order_by(deliveries.c.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return Copy(
        edition_id=row.edition_id,
        pieces_at=(row.pieces_of or row.edition_id, row.pieces_revision or row.revision),
        rendered_key=RenderedKey.parse(row.rendered_key),
        sections=row.sections,
        targets=row.targets,
        had=row.had,
        format=MailFormat(row.format),
        message_id=row.message_id,
        in_reply_to=row.in_reply_to,
        sent_at=row.sent_at,
    )
