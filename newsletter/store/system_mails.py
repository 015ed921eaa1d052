"""Mails that somebody asked for just now, in the same ledger as editions: ``queued``, before everything else.

Each kind has one occurrence and one edition, which never end and hold nothing: a system mail's document is rendered
from its templates by who sends it. What is hers is in her delivery, whose occurrence is ``KIND/EVENT``, so that one
event makes one mail, whoever is killed and whatever is tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from newsletter.model import SYSTEM, Kind, OccurrenceState, Priority, RenderedKey, Stream, SystemMail
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.subscriptions import encode_sections
from newsletter.store.tables import deliveries, editions, occurrences, subscribers

_STREAM = Stream.EACH.value


def queue(
    connection: Connection,
    mail: SystemMail,
    event: str,
    subscriber_id: int,
    key: RenderedKey,
    newsletters: Sequence[str],
    *,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """Put one into the outbox, due now; False where this event has its mail already.

    ``newsletters`` are those it names, in order; ``key`` is the language and plan that it is rendered for.
    """
    occurrence_id, edition_id = _edition_of(connection, mail, now)
    domain_group = select(subscribers.c.domain_group).where(subscribers.c.id == subscriber_id).scalar_subquery()
    statement = insert_ignoring_conflicts(connection, deliveries).values(
        occurrence_id=occurrence_id,
        edition_id=edition_id,
        newsletter=SYSTEM,
        stream=_STREAM,
        occurrence=f"{mail.value}/{event}",
        subscriber_id=subscriber_id,
        kind=Kind.SYSTEM.value,
        priority=int(Priority.SYSTEM),
        due_at=now,
        expires_at=expires_at,
        domain_group=domain_group,
        plan=key.plan,
        rendered_key=str(key),
        sections=encode_sections(newsletters),
        changed_at=now,
    )
    return connection.execute(statement.returning(deliveries.c.id)).first() is not None


def mail_of(occurrence: str) -> tuple[SystemMail, str]:
    """What a delivery's occurrence says: the mail and its event."""
    mail, _, event = occurrence.partition("/")
    return SystemMail(mail), event


def _edition_of(connection: Connection, mail: SystemMail, now: datetime) -> tuple[int, int]:
    """The occurrence and the edition that all mails of a kind belong to, made where they are not there."""
    this = {"newsletter": SYSTEM, "stream": _STREAM, "occurrence": mail.value}
    wanted = select(editions.c.occurrence_id, editions.c.id).where(
        *(editions.c[name] == value for name, value in this.items())
    )
    found = connection.execute(wanted).first()
    if found is None:
        connection.execute(
            insert_ignoring_conflicts(connection, occurrences).values(
                **this,
                kind=Kind.SYSTEM.value,
                due_at=now,
                compose_at=now,
                state=OccurrenceState.SENDING.value,
                layer={},
                created_at=now,
                changed_at=now,
            )
        )
        occurrence_id = connection.execute(
            select(occurrences.c.id).where(*(occurrences.c[name] == value for name, value in this.items()))
        ).scalar_one()
        connection.execute(
            insert_ignoring_conflicts(connection, editions).values(
                **this, occurrence_id=occurrence_id, due_at=now, sections=[], composed_at=now, fanned_out_at=now
            )
        )
        found = connection.execute(wanted).one()
    return int(found[0]), int(found[1])
