"""An edition that changes between its composing and its first message: stories taken out, words brought up to date."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select, true, update

from newsletter.errors import StoreError
from newsletter.model import Decision, EditionSection, OccurrenceState, Reason
from newsletter.store import editions as editions_of
from newsletter.store import occurrences
from newsletter.store.editions import EditionRow
from newsletter.store.tables import article_revisions, article_uses, editions

_NOT_YET_SENDING = {OccurrenceState.COMPOSED, OccurrenceState.APPROVED}


def revised_since(connection: Connection, article_ids: Collection[int], since: datetime) -> frozenset[int]:
    """Those of these articles that were revised after ``since`` (UTC)."""
    statement = select(article_revisions.c.article_id).where(
        article_revisions.c.article_id.in_(sorted(set(article_ids))),
        article_revisions.c.seen_at > since,
        article_revisions.c.revision > 1,
    )
    return frozenset(connection.execute(statement).scalars())


def revise(connection: Connection, edition_id: int, dropped: Mapping[int, Reason], now: datetime) -> EditionRow:
    """The edition's next revision, without the articles ``dropped``, which become free again; ``now`` is its new
    composing time. Raises StoreError once its occurrence is being sent: then it can only be stopped or corrected.
    """
    edition = editions_of.get(connection, edition_id)
    row = occurrences.get(connection, edition.occurrence_id, lock=True) if edition is not None else None
    if edition is None or row is None or row.state not in _NOT_YET_SENDING:
        raise StoreError("this edition can no longer be changed", where=str(edition.name) if edition else "")
    kept = tuple(
        EditionSection(section.name, tuple(one for one in section.article_ids if one not in dropped))
        for section in edition.sections
    )
    sections = [
        {"name": section.name, "articles": list(section.article_ids)} for section in kept if section.article_ids
    ]
    connection.execute(
        update(editions)
        .where(editions.c.id == edition_id)
        .values(sections=sections, revision=edition.revision + 1, composed_at=now)
    )
    if dropped:
        connection.execute(
            delete(article_uses).where(
                article_uses.c.edition_id == edition_id,
                article_uses.c.article_id.in_(sorted(dropped)),
                article_uses.c.sent != true(),
            )
        )
        decisions = [Decision(article_id, reason) for article_id, reason in dropped.items()]
        editions_of.record_selections(connection, edition.occurrence_id, edition.cohort, decisions)
    changed = editions_of.get(connection, edition_id)
    assert changed is not None
    return changed
