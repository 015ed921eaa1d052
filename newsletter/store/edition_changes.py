"""An edition that changes between its composing and its first message: stories taken out, words brought up to date."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, select, update

from newsletter.errors import StoreError
from newsletter.model import Decision, EditionSection, OccurrenceState, Reason
from newsletter.store import article_uses, occurrences
from newsletter.store import editions as editions_of
from newsletter.store.editions import EditionRow
from newsletter.store.edits import sections_to_json
from newsletter.store.tables import article_revisions, editions

_NOT_YET_SENDING = {OccurrenceState.COMPOSED, OccurrenceState.APPROVED}


def last_revised(connection: Connection, article_ids: Collection[int]) -> dict[int, datetime]:
    """Of those of these articles that were ever revised, when that was seen last (UTC)."""
    statement = (
        select(article_revisions.c.article_id, func.max(article_revisions.c.seen_at))
        .where(article_revisions.c.article_id.in_(sorted(set(article_ids))), article_revisions.c.revision > 1)
        .group_by(article_revisions.c.article_id)
    )
    return dict(connection.execute(statement).all())


def revise(connection: Connection, edition_id: int, dropped: Mapping[int, Reason], now: datetime) -> EditionRow:
    """The edition's next revision, without the articles ``dropped``, which become free again unless some of it was
    mailed; ``now`` is its new composing time. Raises StoreError once it is being sent: then it can only be stopped or
    corrected.
    """
    edition = editions_of.get(connection, edition_id)
    row = occurrences.get(connection, edition.occurrence_id, lock=True) if edition is not None else None
    if edition is None or row is None or not _may_change(edition, row.state):
        raise StoreError("this edition can no longer be changed", where=str(edition.name) if edition else "")
    rewrite(connection, edition, _without(edition.sections, dropped), _without(edition.composed, dropped), now)
    if dropped:
        article_uses.release(connection, editions.c.id == edition_id, dropped)
        decisions = [Decision(article_id, reason) for article_id, reason in dropped.items()]
        editions_of.record_selections(connection, edition.occurrence_id, edition.cohort, decisions)
    changed = editions_of.get(connection, edition_id)
    assert changed is not None
    return changed


def trim(
    connection: Connection, seen: EditionRow, sections: Sequence[EditionSection], dropped: Collection[int], detail: str
) -> EditionRow:
    """The edition's next revision, of ``sections``: the articles ``dropped`` gave way to the size budget (``detail``
    says to what) and become free again. What it was composed of stays, so that an edit may bring them back.

    An edition that is not as ``seen`` any more comes back as it is now. Raises StoreError once its occurrence is being
    sent.
    """
    row = occurrences.get(connection, seen.occurrence_id, lock=True)
    edition = editions_of.get(connection, seen.id)
    state = None if row is None else row.resumes if row.state is OccurrenceState.HELD else row.state
    if edition is None or state is None or not _may_change(edition, state):
        raise StoreError("this edition can no longer be changed", where=str(seen.name))
    if edition.revision != seen.revision:
        return edition
    rewrite(connection, edition, sections, edition.composed, edition.composed_at)
    article_uses.release(connection, editions.c.id == edition.id, dropped)
    stood = {article: section.name for section in edition.sections for article in section.article_ids}
    decisions = [Decision(article, Reason.TRIMMED, stood.get(article, ""), 0, detail) for article in dropped]
    editions_of.record_selections(connection, edition.occurrence_id, edition.cohort, decisions)
    changed = editions_of.get(connection, edition.id)
    assert changed is not None
    return changed


def rewrite(
    connection: Connection,
    edition: EditionRow,
    sections: Sequence[EditionSection],
    composed: Sequence[EditionSection],
    now: datetime,
) -> None:
    """Make the edition's next revision of these sections; ``composed`` is what they are without the editors' layer."""
    connection.execute(
        update(editions)
        .where(editions.c.id == edition.id)
        .values(
            sections=sections_to_json([section for section in sections if section.article_ids]),
            composed=sections_to_json(composed),
            revision=edition.revision + 1,
            composed_at=now,
            pieces_of=None,
            pieces_revision=None,
        )
    )


def _may_change(edition: EditionRow, state: OccurrenceState) -> bool:
    """A later cohort's edition is its own until its first delivery is made, though others are being sent."""
    untouched = edition.cohort and edition.fanned_out_at is None and edition.fanned_out_after == 0
    return state in _NOT_YET_SENDING or (state is OccurrenceState.SENDING and bool(untouched))


def _without(sections: Sequence[EditionSection], dropped: Collection[int]) -> tuple[EditionSection, ...]:
    return tuple(
        replace(section, article_ids=tuple(article for article in section.article_ids if article not in dropped))
        for section in sections
    )
