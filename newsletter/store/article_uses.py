"""Which articles an edition holds or has sent, and who may let go of them again (Invariant 4).

A row of ``article_uses`` takes an article out of the reach of every other edition of the same newsletter, stream and
cohort. It is reserved in the transaction that makes the edition, and released when nothing of that edition was mailed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select, true, update

from newsletter.model import DeliveryState, Reason, Stream, StreamName
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import article_uses, articles, deliveries, editions, selections

# A use that holds for every stream or cohort: what an old tool has sent (``handing_over``).
EVERY = "*"
_CHUNK = 500
# An article waits this long at most for its hour (``collect.dating``), a day to be sure.
LONGEST_EMBARGO = timedelta(days=31)


def reserve(connection: Connection, edition_id: int, article_ids: Collection[int]) -> frozenset[int]:
    """Reserve these articles for an edition; the ids of those that it now holds (another edition has the rest)."""
    edition = connection.execute(select(editions).where(editions.c.id == edition_id)).one()
    article_ids = set(article_ids) - _handed_over(connection, edition.newsletter, article_ids)
    if article_ids:
        # In order of id, so that two transactions reserving the same articles wait for, not deadlock, each other.
        connection.execute(
            insert_ignoring_conflicts(connection, article_uses),
            [
                {
                    "newsletter": edition.newsletter,
                    "stream": edition.stream,
                    "cohort": edition.cohort,
                    "article_id": article_id,
                    "edition_id": edition_id,
                }
                for article_id in sorted(set(article_ids))
            ],
        )
    held = select(article_uses.c.article_id).where(article_uses.c.edition_id == edition_id)
    return frozenset(connection.execute(held).scalars())


def of_cohort(cohort: str) -> ColumnElement[bool]:
    """The uses that these readers have had a part in: those of their cohort, and of the time before there were any.

    Where the newsletter has one time for all, so have they in those of every cohort that there once was.
    """
    return article_uses.c.cohort.in_((cohort, "", EVERY)) if cohort else true()


def _handed_over(connection: Connection, newsletter: str, article_ids: Collection[int]) -> frozenset[int]:
    """Those that every stream and cohort of a newsletter has had: they may have been marked since they were chosen."""
    statement = select(article_uses.c.article_id).where(
        article_uses.c.newsletter == newsletter,
        article_uses.c.stream == EVERY,
        article_uses.c.article_id.in_(sorted(set(article_ids))),
    )
    return frozenset(connection.execute(statement).scalars()) if article_ids else frozenset()


def mark_sent(connection: Connection, which: ColumnElement[bool]) -> int:
    """Mark as sent what the editions ``which`` picks have mailed; the number of rows. Idempotent.

    What overflowed and was dropped is used up, but it was not sent, and is not marked.
    """
    dropped = exists().where(
        editions.c.id == article_uses.c.edition_id,
        selections.c.occurrence_id == editions.c.occurrence_id,
        selections.c.cohort == editions.c.cohort,
        selections.c.article_id == article_uses.c.article_id,
        selections.c.reason == Reason.DROPPED_OVERFLOW.value,
    )
    return connection.execute(
        update(article_uses)
        .where(
            article_uses.c.edition_id.in_(select(editions.c.id).where(which)),
            article_uses.c.sent != true(),
            ~dropped,
        )
        .values(sent=True)
    ).rowcount


def mailed() -> ColumnElement[bool]:
    """Whether any message of an edition went on the wire, whatever became of it."""
    return exists().where(
        deliveries.c.edition_id == editions.c.id,
        or_(deliveries.c.attempt > 0, deliveries.c.state.in_([DeliveryState.SENDING.value, DeliveryState.SENT.value])),
    )


def release(connection: Connection, which: ColumnElement[bool], article_ids: Collection[int] | None = None) -> int:
    """Let go of the articles (of ``article_ids`` only) of the editions ``which`` picks; the number of rows.

    An edition of which any message went on the wire keeps its articles, whatever became of that message: releasing
    them could mail a story twice.
    """
    marked = article_uses.alias("marked")
    sent = exists().where(marked.c.edition_id == editions.c.id, marked.c.sent == true())
    unsent = select(editions.c.id).where(and_(which, ~mailed(), ~sent))
    these = [] if article_ids is None else [article_uses.c.article_id.in_(sorted(set(article_ids)))]
    return connection.execute(delete(article_uses).where(article_uses.c.edition_id.in_(unsent), *these)).rowcount


def of_others(
    connection: Connection, newsletter: str, stream: Stream, article_ids: Collection[int], occurrence_id: int
) -> dict[int, tuple[str, bool]]:
    """Those of these articles that another occurrence of this newsletter has: its occurrence, and whether it was sent.

    '' for an occurrence where an old tool has sent it (``handing_over``).
    """
    statement = (
        select(article_uses.c.article_id, article_uses.c.sent, article_uses.c.stream, editions.c.occurrence)
        .join(editions, editions.c.id == article_uses.c.edition_id)
        .where(
            article_uses.c.newsletter == newsletter,
            article_uses.c.stream.in_((stream.value, EVERY)),
            article_uses.c.article_id.in_(sorted(set(article_ids))),
            or_(editions.c.occurrence_id != occurrence_id, article_uses.c.stream == EVERY),
        )
        .order_by(article_uses.c.sent)
    )
    rows = connection.execute(statement)
    return {row.article_id: ("" if row.stream == EVERY else row.occurrence, row.sent) for row in rows}


@dataclass(frozen=True, slots=True)
class Use:
    """That an edition holds an article or has mailed it. ``until`` (UTC): the later of when it was due and when it was
    last composed."""

    words: str
    until: datetime


def of_readers(
    connection: Connection, newsletter: str, stream: Stream, cohort: str, article_ids: Collection[int]
) -> dict[int, Use]:
    """What of these articles an edition for these readers holds, has mailed or has used up, by article id."""
    found: dict[int, Use] = {}
    ids = sorted(set(article_ids))
    for start in range(0, len(ids), _CHUNK):
        statement = (
            select(
                article_uses.c.article_id,
                article_uses.c.sent,
                article_uses.c.stream,
                editions.c.occurrence,
                editions.c.due_at,
                editions.c.composed_at,
            )
            .join(editions, editions.c.id == article_uses.c.edition_id)
            .where(
                article_uses.c.newsletter == newsletter,
                article_uses.c.stream.in_((stream.value, EVERY)),
                of_cohort(cohort),
                article_uses.c.article_id.in_(ids[start : start + _CHUNK]),
            )
        )
        for row in connection.execute(statement):
            verb = "was sent" if row.sent else "is"
            name = f"{StreamName(newsletter, stream)}@{row.occurrence}"
            where = "before this system" if row.stream == EVERY else f"in {name}"
            found[row.article_id] = Use(f"{verb} {where}", max(row.due_at, row.composed_at))
    return found


def passed_over(
    connection: Connection,
    *,
    newsletter: str,
    stream: Stream,
    cohort: str,
    too_old_before: datetime,
    told_before: datetime,
    limit: int,
) -> dict[int, Reason]:
    """Articles that are no candidates for these readers, and why: used, retracted, remembered only, or too old.

    Those first seen (or, of what waited for its hour, published) from ``too_old_before`` on, and of the older ones
    those that no edition has told of: unused and first seen from ``told_before`` on. What was merged into another
    article is left out. The newest by id, at most ``limit``.
    """
    unused = article_uses.c.article_id.is_(None)
    free = and_(unused, articles.c.eligible == true(), articles.c.retracted_at.is_(None))
    young = or_(articles.c.first_seen_at >= too_old_before, articles.c.published_at >= too_old_before)
    oldest = min(told_before, too_old_before)
    statement = (
        select(articles.c.id, articles.c.retracted_at, articles.c.eligible, article_uses.c.sent, selections.c.reason)
        .outerjoin(
            article_uses,
            and_(
                article_uses.c.newsletter == newsletter,
                article_uses.c.stream.in_((stream.value, EVERY)),
                of_cohort(cohort),
                article_uses.c.article_id == articles.c.id,
            ),
        )
        .outerjoin(editions, editions.c.id == article_uses.c.edition_id)
        .outerjoin(
            selections,
            and_(
                selections.c.occurrence_id == editions.c.occurrence_id,
                selections.c.cohort == cohort,
                selections.c.article_id == articles.c.id,
            ),
        )
        .where(
            articles.c.first_seen_at >= oldest - LONGEST_EMBARGO,
            or_(articles.c.first_seen_at >= oldest, articles.c.published_at >= oldest),
            articles.c.source != "",
            articles.c.merged_into.is_(None),
            or_(young & ~free, ~young & free),
        )
        .order_by(articles.c.id.desc())
        .limit(limit)
    )
    return {row.id: _why_passed_over(row) for row in connection.execute(statement)}


def _why_passed_over(row: Any) -> Reason:
    if row.sent is not None:
        if row.reason == Reason.DROPPED_OVERFLOW.value:
            return Reason.DROPPED_OVERFLOW
        return Reason.ALREADY_SENT if row.sent else Reason.RESERVED_ELSEWHERE
    if row.retracted_at is not None:
        return Reason.RETRACTED
    return Reason.TOO_OLD if row.eligible else Reason.BACKFILL
