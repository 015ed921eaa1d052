"""Editors' edits: the layer of an occurrence, and at once every edition of it that is composed and not yet sending.

One transaction under the occurrence's row lock, which the move to ``sending`` takes too: an edit is in all of the mail
or is refused. What was approved has to be approved again, and rendered again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select, update

from newsletter.errors import EditedMeanwhile, StoreError, UsageError
from newsletter.model import Decision, EditionSection, Edits, OccurrenceState, Pin, Reason
from newsletter.store import article_uses, audit, deliveries, edition_changes, editions, occurrences
from newsletter.store.editions import EditionRow
from newsletter.store.edits import to_json
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.tables import editions as editions_table
from newsletter.store.tables import occurrences as occurrences_table
from newsletter.store.tables import selections

_S = OccurrenceState
_BEFORE_SENDING = (_S.PLANNED, _S.COMPOSED, _S.APPROVED)
DROPPED = "dropped by an editor"
_PINNED = "pinned by "
Apply = Callable[[Sequence[EditionSection]], tuple[EditionSection, ...]]


def edit(
    connection: Connection,
    seen: OccurrenceRow,
    edits: Edits,
    apply: Apply,
    *,
    pinned: Collection[int],
    required: bool,
    actor: str,
    detail: str,
    now: datetime,
) -> OccurrenceRow:
    """Put ``edits`` in place of the occurrence's; the row as it then stands, ``composed`` if it was approved.

    ``apply`` lays them over what an edition was composed of. What that leaves out is released, what it takes in is
    reserved; what another edition has is left out, unless it is ``pinned`` just now: then nothing is changed.
    ``required``: it needs an approval, which a manual send before this edit no longer stands for. ``detail`` says in
    words what was changed, for the audit. Raises UsageError for a pinned article that is not free, EditedMeanwhile
    where it is not as ``seen`` any more, and StoreError once it is being sent, or on its way to readers named by hand.
    """
    row = _editable(connection, seen)
    _require_free(connection, row, pinned)
    connection.execute(
        update(occurrences_table)
        .where(occurrences_table.c.id == row.id)
        .values(
            layer=to_json(edits),
            edited=row.edited + 1,
            by_hand=row.by_hand and not (required and row.state is not _S.PLANNED),
            changed_at=now,
        )
    )
    _to_be_approved(connection, row, now)
    for edition in editions.for_occurrence(connection, row.id):
        _lay_over(connection, edition, apply, edits, pinned, now)
    audit.record(connection, actor=actor, action="edit", subject=str(row.name), detail=detail, now=now)
    changed = occurrences.get(connection, row.id)
    assert changed is not None
    return changed


def pinned_words(pin: Pin) -> str:
    """Why a story that is pinned stands where it does."""
    return f"{_PINNED}{pin.by or 'an editor'}" + (" to lead" if pin.leads else "")


def require_editable(row: OccurrenceRow) -> None:
    """Raise StoreError where an occurrence in this state can no longer be edited."""
    if (row.resumes if row.state is _S.HELD else row.state) in _BEFORE_SENDING:
        return
    states = {_S.SENDING: "being sent", _S.HELD: "held in the middle of sending"}
    words = states.get(row.state, row.state.value)
    raise StoreError(f"it is {words} and can no longer be edited; nothing was changed", where=str(row.name))


def _editable(connection: Connection, seen: OccurrenceRow) -> OccurrenceRow:
    row = occurrences.get(connection, seen.id, lock=True)
    if row is None:
        raise StoreError("this occurrence is no longer in the store", where=str(seen.name))
    require_editable(row)
    if row.edited != seen.edited:
        raise EditedMeanwhile(
            "somebody else edited it meanwhile; nothing was changed",
            where=str(row.name),
            remedy=f"See `newsletter editions show {row.name}`, then edit it again",
        )
    if deliveries.still_moves(connection, row.id):
        raise StoreError(
            "it is on its way to readers named by hand; nothing was changed",
            where=str(row.name),
            remedy="Edit it when they have it",
        )
    return row


def _require_free(connection: Connection, row: OccurrenceRow, pinned: Collection[int]) -> None:
    if not pinned:
        return
    for article_id, (occurrence, sent) in sorted(
        article_uses.of_others(connection, row.newsletter, row.stream, pinned, row.id).items()
    ):
        if sent:
            whose = f"was sent in {row.name.of}@{occurrence}" if occurrence else "was sent before this system"
            remedy = "An article reaches a reader once per newsletter"
        else:
            whose = f"is in {row.name.of}@{occurrence}, which is not sent yet"
            remedy = f"Drop it there first: `newsletter editions edit {row.name.of}@{occurrence} --drop {article_id}`"
        raise UsageError(f"article {article_id} {whose}; nothing was changed", where=str(row.name), remedy=remedy)


def _to_be_approved(connection: Connection, row: OccurrenceRow, now: datetime) -> None:
    """Back to ``composed``, to be rendered, checked and approved again; a held one when it is released."""
    awaited = row.reason is Reason.AWAITING_APPROVAL
    if row.state is _S.APPROVED:
        occurrences.transition(connection, row.id, _S.COMPOSED, from_={_S.APPROVED}, now=now)
    elif row.state is _S.HELD and awaited:  # nobody held it but its deadline
        occurrences.transition(connection, row.id, _S.COMPOSED, from_={_S.HELD}, now=now)
    elif row.state is _S.HELD and row.resumes is _S.APPROVED:
        resumes = update(occurrences_table).where(occurrences_table.c.id == row.id)
        connection.execute(resumes.values(resumes=_S.COMPOSED.value))
    elif row.state is _S.COMPOSED and awaited:
        waits = update(occurrences_table).where(occurrences_table.c.id == row.id)
        connection.execute(waits.values(reason=Reason.NONE.value, detail=""))


def _lay_over(
    connection: Connection, edition: EditionRow, apply: Apply, edits: Edits, pinned: Collection[int], now: datetime
) -> None:
    wanted = apply(edition.composed)
    ids = [article for section in wanted for article in section.article_ids]
    article_uses.release(connection, editions_table.c.id == edition.id, edition.article_ids - set(ids))
    held = article_uses.reserve(connection, edition.id, ids)
    for article_id in sorted(set(pinned) & set(ids) - held):
        raise UsageError(f"article {article_id} is in another edition; nothing was changed", where=str(edition.name))
    sections = tuple(
        replace(section, article_ids=tuple(article for article in section.article_ids if article in held))
        for section in wanted
    )
    edition_changes.rewrite(connection, edition, sections, edition.composed, now)
    decisions = _decided(connection, edition, sections, edits)
    editions.record_selections(connection, edition.occurrence_id, edition.cohort, decisions)


def _decided(
    connection: Connection, edition: EditionRow, sections: Sequence[EditionSection], edits: Edits
) -> list[Decision]:
    """Why each article that is or was in the edition is where it is now: as composing decided, but for the edits."""
    were = [article for section in edition.sections for article in section.article_ids]
    pinned = {pin.article_id: pin for pin in edits.pinned}
    statement = select(selections).where(
        selections.c.occurrence_id == edition.occurrence_id,
        selections.c.cohort == edition.cohort,
        selections.c.article_id.in_(were),
    )
    before = {row.article_id: row for row in connection.execute(statement)}
    decided = {
        article: Decision(article, Reason.BLOCKED, detail=DROPPED)
        if article in edits.dropped
        else Decision(article, Reason.CARRIED_OVER)
        for article in were
    }
    for section in sections:
        for position, article in enumerate(section.article_ids, start=1):
            known = before.get(article)
            name = section.name or section.home or (known.section if known is not None else "")
            detail = known.detail if known is not None and not known.detail.startswith(_PINNED) else ""
            detail = pinned_words(pinned[article]) if article in pinned else detail
            decided[article] = Decision(article, section.reason, name, position, detail)
    return list(decided.values())
