"""Corrections: what is sent afterwards to exactly those who have an edition, or may have it.

A correction is an occurrence of its own, ``2026-11-01/1/correction-1``, which begins in ``sending``: its row, its
edition and its pieces are one transaction, so whoever is killed, at whatever instant, leaves all of them or none. Its
deliveries are made from those of what it corrects, in keyset pages, and go out like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, insert, literal, select, update

from newsletter.model import DeliveryState, Edits, Kind, OccurrenceState, Priority, Reason, RenderedKey
from newsletter.store import audit, occurrences, pieces
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.consent_check import verdict, with_reader
from newsletter.store.edits import to_json
from newsletter.store.mending import has_it
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.planning import by_key_in_transaction
from newsletter.store.tables import deliveries, editions
from newsletter.store.tables import occurrences as occurrences_

_S = OccurrenceState
# Nothing more of it goes out by itself: who has it is settled.
CORRECTABLE = frozenset({_S.SENT, _S.STOPPED, _S.HELD, _S.CANCELLED})


@dataclass(frozen=True, slots=True)
class Issued:
    """A correction, and whether it was ``there`` already, with the same words."""

    row: OccurrenceRow
    there: bool


@dataclass(frozen=True, slots=True)
class Audience:
    """How many have an edition or may have it, and how many of them consent forbids to mail now."""

    readers: int
    refused: int


def issue(
    connection: Connection,
    original: OccurrenceRow,
    edits: Edits,
    documents: Mapping[RenderedKey, Mapping[str, bytes]],
    *,
    again: bool,
    actor: str,
    now: datetime,
) -> Issued | None:
    """Make the next correction of ``original``, in ``sending``; its deliveries are for ``fan_out_page``.

    ``edits`` hold its note and subject, ``documents`` its pieces. Where one with these words is there, not cancelled,
    that one comes back and nothing is made, unless ``again``. None where more of the original may go out by now.
    """
    current = occurrences.get(connection, original.id, lock=True)
    if current is None or current.state not in CORRECTABLE or current.pruned_at is not None:
        return None
    earlier = of(connection, original)
    same = same_words(earlier, edits)
    if same is not None and not again:
        return Issued(same, there=True)
    number = max((one.occurrence.correction for one in earlier), default=0) + 1
    name = replace(original.occurrence.corrected, correction=number)
    common = {"newsletter": original.newsletter, "stream": original.stream.value, "occurrence": str(name)}
    occurrence_id = connection.execute(
        insert(occurrences_)
        .values(
            **common,
            kind=Kind.EDITION.value,
            ordinal=number,
            due_at=now,
            compose_at=now,
            state=_S.SENDING.value,
            by_hand=True,
            layer=to_json(edits),
            created_at=now,
            changed_at=now,
        )
        .returning(occurrences_.c.id)
    ).scalar_one()
    edition_id = connection.execute(
        insert(editions)
        .values(**common, occurrence_id=occurrence_id, due_at=now, sections=[], composed_at=now)
        .returning(editions.c.id)
    ).scalar_one()
    for key, made in documents.items():
        pieces.save(connection, edition_id, 1, key, made)
    row = occurrences.get(connection, occurrence_id)
    assert row is not None
    audit.record(connection, actor=actor, action="correct", subject=str(original.name), detail=str(row.name), now=now)
    return Issued(row, there=False)


def of(connection: Connection, original: OccurrenceRow) -> list[OccurrenceRow]:
    """The corrections of an occurrence, in order."""
    ids = connection.execute(
        select(occurrences_.c.id)
        .where(
            occurrences_.c.newsletter == original.newsletter,
            occurrences_.c.stream == original.stream.value,
            occurrences_.c.occurrence.like(f"{original.occurrence.corrected}/correction-%"),
        )
        .order_by(occurrences_.c.ordinal)
    ).scalars()
    return [row for one in ids.all() if (row := occurrences.get(connection, one)) is not None]


def same_words(corrections: Collection[OccurrenceRow], edits: Edits) -> OccurrenceRow | None:
    """The one of ``corrections``, not cancelled, that says the same; None where none does."""
    wanted = _words(to_json(edits))
    there = (row for row in corrections if row.state is not _S.CANCELLED)
    return next((row for row in there if _words(row.layer) == wanted), None)


def audience(
    connection: Connection, original: OccurrenceRow, now: datetime, only_addresses: Collection[str] | None
) -> Audience:
    """Who would get a correction now: counted by what fans out, and by what decides at claiming."""
    allowed = func.sum(case((verdict(now, only_addresses) == "", 1), else_=0))
    readers, mailed = connection.execute(
        with_reader(func.count(), allowed).where(deliveries.c.occurrence_id == original.id, has_it())
    ).one()
    return Audience(int(readers), int(readers) - int(mailed or 0))


def fan_out_page(
    connection: Connection, correction: OccurrenceRow, *, expires_at: datetime, now: datetime, limit: int = 1000
) -> int:
    """Make the next page of a correction's deliveries and remember how far it went; the number of readers seen.

    0 means that everyone has a row. Each is made from the reader's delivery of what is corrected: the same document
    and sections, in reply to her own message.
    """
    by_key_in_transaction(connection)
    edition = connection.execute(select(editions).where(editions.c.occurrence_id == correction.id)).one()
    original = (
        select(occurrences_.c.id)
        .where(
            occurrences_.c.newsletter == correction.newsletter,
            occurrences_.c.stream == correction.stream.value,
            occurrences_.c.occurrence == str(correction.occurrence.corrected),
        )
        .scalar_subquery()
    )
    theirs = and_(deliveries.c.occurrence_id == original, has_it())
    page = (
        select(deliveries.c.subscriber_id)
        .where(theirs, deliveries.c.subscriber_id > edition.fanned_out_after)
        .order_by(deliveries.c.subscriber_id)
        .limit(limit)
        .subquery()
    )
    seen, last = connection.execute(select(func.count(), func.max(page.c.subscriber_id))).one()
    if seen:
        values: dict[str, Any] = {
            "occurrence_id": literal(correction.id),
            "edition_id": literal(edition.id),
            "newsletter": literal(correction.newsletter),
            "stream": literal(correction.stream.value),
            "occurrence": literal(str(correction.occurrence)),
            "cohort": literal(edition.cohort),
            "kind": literal(Kind.EDITION.value),
            "priority": literal(int(Priority.EDITION)),
            "state": literal(DeliveryState.QUEUED.value),
            "reason": literal(Reason.NONE.value),
            "due_at": literal(edition.due_at, deliveries.c.due_at.type),
            "expires_at": literal(expires_at, deliveries.c.expires_at.type),
            "in_reply_to": deliveries.c.message_id,
            "changed_at": literal(now, deliveries.c.changed_at.type),
        }
        for kept in (
            "subscriber_id",
            "domain_group",
            "zone",
            "hour",
            "plan",
            "format",
            "rendered_key",
            "sections",
            "had",
        ):
            values[kept] = deliveries.c[kept]
        source = (
            select(*(value.label(name) for name, value in values.items()))
            .where(theirs, deliveries.c.subscriber_id.between(edition.fanned_out_after + 1, last))
            .order_by(deliveries.c.subscriber_id)
        )
        connection.execute(insert_ignoring_conflicts(connection, deliveries).from_select(list(values), source))
    connection.execute(
        update(editions)
        .where(editions.c.id == edition.id)
        .values(fanned_out_after=last or edition.fanned_out_after, fanned_out_at=None if seen else now)
    )
    return int(seen)


def _words(layer: Mapping[str, Any]) -> tuple[str, ...]:
    """Note and subject, white space aside."""
    return tuple(" ".join(str(layer.get(name) or "").split()) for name in ("note", "subject"))
