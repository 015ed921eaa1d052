"""Editions: what each cohort gets in an occurrence, and why each candidate is in it or not.

An edition, its reserved articles, its decisions and the occurrence's move to ``composed`` are one transaction: whoever
is killed, at whatever instant, leaves all of them or none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select

from newsletter.cohort import Cohort
from newsletter.errors import EditedMeanwhile, StoreError
from newsletter.model import (
    USED_UP,
    Decision,
    Edition,
    EditionName,
    EditionSection,
    Occurrence,
    OccurrenceState,
    Reason,
    Stream,
)
from newsletter.store import article_uses, occurrences
from newsletter.store.edits import from_json as edits_from_json
from newsletter.store.edits import sections_from_json, sections_to_json
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.tables import articles, editions, selections
from newsletter.store.tables import occurrences as occurrences_table

_S = OccurrenceState
_CHUNK = 500
OPEN = (_S.PLANNED, _S.COMPOSED, _S.APPROVED, _S.SENDING, _S.SENT)
"""In which states of an occurrence one more cohort's edition may be made."""


@dataclass(frozen=True, slots=True)
class EditionRow:
    """One cohort's edition of an occurrence. Times are UTC; ``fanned_out_at`` is None until everyone has a delivery.

    ``composed`` is what it was composed of, before the editors' layer was laid over it to make ``sections``. ``reason``
    says why this cohort gets none; then nobody has a delivery of it.
    """

    id: int
    occurrence_id: int
    newsletter: str
    stream: Stream
    occurrence: Occurrence
    cohort: str
    zone: str
    hour: str
    due_at: datetime
    revision: int
    sections: tuple[EditionSection, ...]
    composed_at: datetime
    fanned_out_at: datetime | None
    composed: tuple[EditionSection, ...] = ()
    layer: Mapping[str, Any] = field(default_factory=dict)
    reason: Reason = Reason.NONE
    pieces_of: int | None = None
    pieces_revision: int | None = None
    fanned_out_after: int = 0

    @property
    def pieces_at(self) -> tuple[int, int]:
        """The edition and the revision whose pieces its readers are sent: its own, or a cohort's with the same."""
        if self.pieces_of is None or self.pieces_revision is None:
            return self.id, self.revision
        return self.pieces_of, self.pieces_revision

    @property
    def name(self) -> EditionName:
        return EditionName(self.newsletter, self.occurrence, self.cohort, self.stream)

    @property
    def article_ids(self) -> frozenset[int]:
        """Every article of the pool."""
        return frozenset(article for section in self.sections for article in section.article_ids)

    @property
    def placed(self) -> frozenset[int]:
        """Every article that has a place: the pool without what is only offered as missed."""
        return frozenset(article for one in self.sections if not one.missed for article in one.article_ids)

    def revised(self, revised_at: Mapping[int, datetime]) -> frozenset[int]:
        """Its articles that were revised after it was composed; ``revised_at``: when each was last."""
        return frozenset(one for one in self.article_ids & revised_at.keys() if revised_at[one] > self.composed_at)

    @property
    def edition(self) -> Edition:
        """The same as the model's type, which rendering takes. Raises UnreadableEdits."""
        return Edition(
            newsletter=self.newsletter,
            stream=self.stream,
            occurrence=self.occurrence,
            cohort=self.cohort,
            due_at=self.due_at,
            sections=self.sections,
            revision=self.revision,
            edits=edits_from_json(self.layer, where=str(replace(self.name, cohort=""))),
        )


@dataclass(frozen=True, slots=True)
class WhyRow:
    """Why one candidate is, or is not, in an occurrence's edition of ``cohort``."""

    cohort: str
    article_id: int
    headline: str
    url: str
    source: str
    reason: Reason
    section: str
    position: int
    detail: str = ""


# --- composing -------------------------------------------------------------------------------------------------------


def create(
    connection: Connection,
    occurrence_row: OccurrenceRow,
    cohort: str,
    zone: str,
    hour: str,
    due_at: datetime,
    sections: Sequence[EditionSection],
    decisions: Sequence[Decision],
    now: datetime,
    *,
    composed: Sequence[EditionSection] | None = None,
) -> EditionRow:
    """Make this cohort's edition, reserve its articles, record the decisions, move a planned occurrence to composed.

    ``composed`` is what ``sections`` were before the occurrence's edits were applied; None: there were none.
    An article that another edition reserved meanwhile is left out, with reason ``reserved_elsewhere``. Where the
    edition is there already, that one is returned and nothing is changed. Raises StoreError where the occurrence can no
    longer be composed (held, skipped, cancelled, stopped, sent), and EditedMeanwhile where it was edited since
    ``occurrence_row`` was read: then compose again from what it is now.
    """
    current = occurrences.get(connection, occurrence_row.id, lock=True)
    if current is None:
        raise StoreError("this occurrence is no longer in the store", where=str(occurrence_row.name))
    existing = find(connection, occurrence_row.id, cohort)
    if existing is not None:
        return existing
    if current.state not in OPEN:
        raise StoreError(f"an occurrence that is {current.state.value} is not composed", where=str(current.name))
    if current.edited != occurrence_row.edited:
        raise EditedMeanwhile("it was edited while it was composed", where=str(current.name))
    edition_id = _insert(connection, current, cohort, zone, hour, due_at, now)
    wanted = [article for section in sections for article in section.article_ids]
    dropped = [decision.article_id for decision in decisions if decision.reason is Reason.DROPPED_OVERFLOW]
    held = article_uses.reserve(connection, edition_id, [*wanted, *dropped])
    kept = _only(sections, held)
    before = sections if composed is None else composed
    connection.execute(
        editions.update()
        .where(editions.c.id == edition_id)
        .values(sections=sections_to_json(kept), composed=sections_to_json(before))
    )
    record_selections(connection, current.id, cohort, _without(decisions, kept, held))
    if current.state is _S.PLANNED:
        occurrences.transition(connection, current.id, _S.COMPOSED, from_={_S.PLANNED}, now=now)
    if current.state is _S.SENT:  # a cohort that came into being after all others had theirs
        occurrences.transition(connection, current.id, _S.SENDING, from_={_S.SENT}, now=now)
    made = get(connection, edition_id)
    assert made is not None
    return made


def without(
    connection: Connection,
    occurrence: OccurrenceRow,
    cohort: Cohort,
    due_at: datetime,
    reason: Reason,
    now: datetime,
) -> None:
    """Write down that a cohort gets no edition, and why; nothing where it has one."""
    occurrences.get(connection, occurrence.id, lock=True)
    if find(connection, occurrence.id, str(cohort)) is not None:
        return
    edition_id = _insert(connection, occurrence, str(cohort), cohort.zone, cohort.hour, due_at, now)
    connection.execute(
        editions.update().where(editions.c.id == edition_id).values(reason=reason.value, fanned_out_at=now)
    )


def give_up(connection: Connection, edition: EditionRow, reason: Reason, now: datetime) -> None:
    """Let a cohort go without the edition it has, nobody of it having a delivery; its articles are free again."""
    release_uses(connection, edition.id)
    connection.execute(
        editions.update().where(editions.c.id == edition.id).values(reason=reason.value, fanned_out_at=now)
    )


def share_pieces(connection: Connection, edition: EditionRow, twin: EditionRow | None) -> bool:
    """Have an edition's readers sent the pieces of another cohort's, or (None) its own; False where it was changed
    meanwhile."""
    of, revision = twin.pieces_at if twin is not None else (None, None)
    return bool(
        connection.execute(
            editions.update()
            .where(editions.c.id == edition.id, editions.c.revision == edition.revision)
            .values(pieces_of=of, pieces_revision=revision)
        ).rowcount
    )


def record_selections(connection: Connection, occurrence_id: int, cohort: str, decisions: Sequence[Decision]) -> None:
    """Write why each of these articles is in this cohort's edition or not, in place of what was decided before."""
    if not decisions:
        return
    rows = [
        {
            "occurrence_id": occurrence_id,
            "cohort": cohort,
            "article_id": decision.article_id,
            "reason": decision.reason.value,
            "section": decision.section,
            "position": decision.position,
            "detail": decision.detail,
        }
        for decision in decisions
    ]
    before = delete(selections).where(selections.c.occurrence_id == occurrence_id, selections.c.cohort == cohort)
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        connection.execute(before.where(selections.c.article_id.in_([row["article_id"] for row in chunk])))
        connection.execute(insert(selections), chunk)


def mark_uses_sent(connection: Connection, edition_id: int) -> int:
    """Mark the articles of an edition as sent, as ``occurrences.transition`` to sent does; the number newly marked."""
    return article_uses.mark_sent(connection, editions.c.id == edition_id)


def release_uses(connection: Connection, edition_id: int) -> int:
    """Free the articles of an edition for the next one, unless any of it was mailed; the number freed."""
    return article_uses.release(connection, editions.c.id == edition_id)


def _insert(
    connection: Connection,
    occurrence: OccurrenceRow,
    cohort: str,
    zone: str,
    hour: str,
    due_at: datetime,
    now: datetime,
) -> int:
    statement = (
        insert(editions)
        .values(
            occurrence_id=occurrence.id,
            newsletter=occurrence.newsletter,
            stream=occurrence.stream.value,
            occurrence=str(occurrence.occurrence),
            cohort=cohort,
            zone=zone,
            hour=hour,
            due_at=due_at,
            sections=[],
            composed_at=now,
        )
        .returning(editions.c.id)
    )
    return int(connection.execute(statement).scalar_one())


def _only(sections: Sequence[EditionSection], held: Collection[int]) -> tuple[EditionSection, ...]:
    kept = (
        replace(section, article_ids=tuple(article for article in section.article_ids if article in held))
        for section in sections
    )
    return tuple(section for section in kept if section.article_ids)


def _without(decisions: Sequence[Decision], kept: Sequence[EditionSection], held: Collection[int]) -> list[Decision]:
    """The decisions as they came out: what somebody else holds is left out, and the rest move up."""
    positions = {article: position for section in kept for position, article in enumerate(section.article_ids, start=1)}
    return [
        replace(decision, reason=Reason.RESERVED_ELSEWHERE, position=0)
        if decision.reason in USED_UP and decision.article_id not in held
        else replace(decision, position=positions.get(decision.article_id, 0))
        for decision in decisions
    ]


# --- asking ----------------------------------------------------------------------------------------------------------


def get(connection: Connection, edition_id: int) -> EditionRow | None:
    """The edition with this id, or None."""
    return _one(connection, _rows().where(editions.c.id == edition_id))


def get_many(connection: Connection, edition_ids: Collection[int]) -> list[EditionRow]:
    """The editions with these ids, in order of cohort."""
    statement = _rows().where(editions.c.id.in_(sorted(set(edition_ids)))).order_by(editions.c.cohort)
    return [_row(row) for row in connection.execute(statement)]


def load(connection: Connection, edition_id: int) -> Edition:
    """The edition with this id, for rendering. Raises StoreError where there is none."""
    row = get(connection, edition_id)
    if row is None:
        raise StoreError(f"there is no edition {edition_id}")
    return row.edition


def find(connection: Connection, occurrence_id: int, cohort: str = "") -> EditionRow | None:
    """This cohort's edition of an occurrence, or None."""
    return _one(
        connection,
        _rows().where(editions.c.occurrence_id == occurrence_id, editions.c.cohort == cohort),
    )


def nearest(connection: Connection, occurrence_id: int, cohort: Cohort) -> EditionRow | None:
    """This cohort's edition, else the first that any cohort has; None where none has."""
    made = [one for one in for_occurrence(connection, occurrence_id) if one.reason is Reason.NONE]
    return min(made, key=lambda one: one.cohort != str(cohort), default=None)


def for_occurrence(connection: Connection, occurrence_id: int) -> list[EditionRow]:
    """Every edition of an occurrence, in order of cohort."""
    statement = _rows().where(editions.c.occurrence_id == occurrence_id).order_by(editions.c.cohort)
    return [_row(row) for row in connection.execute(statement)]


def begun(connection: Connection, occurrence_id: int, now: datetime) -> list[EditionRow]:
    """Those whose time has come and of which not everyone has a delivery yet, the oldest first."""
    statement = _rows().where(
        editions.c.occurrence_id == occurrence_id, editions.c.due_at <= now, editions.c.fanned_out_at.is_(None)
    )
    return [_row(row) for row in connection.execute(statement.order_by(editions.c.due_at, editions.c.cohort))]


def unfinished(connection: Connection, occurrence_id: int) -> bool:
    """Whether of any of its editions not everyone has a delivery yet."""
    statement = select(editions.c.id).where(
        editions.c.occurrence_id == occurrence_id, editions.c.fanned_out_at.is_(None)
    )
    return connection.execute(statement.limit(1)).first() is not None


def cohorts_of(connection: Connection, occurrence_id: int) -> dict[str, Reason]:
    """The cohorts for which an occurrence has been composed, each with why it got none ('' where it has one)."""
    statement = select(editions.c.cohort, editions.c.reason).where(editions.c.occurrence_id == occurrence_id)
    return {row.cohort: Reason(row.reason) for row in connection.execute(statement)}


def last_sent(connection: Connection, newsletter: str, stream: Stream) -> EditionRow | None:
    """The latest edition whose occurrence has been sent, or None."""
    return _one(
        connection,
        _rows()
        .where(
            editions.c.newsletter == newsletter,
            editions.c.stream == stream.value,
            occurrences_table.c.state == _S.SENT.value,
            occurrences_table.c.local_date.is_not(None),  # no correction
        )
        .order_by(editions.c.due_at.desc(), editions.c.id.desc())
        .limit(1),
    )


def last_composed_at(connection: Connection, newsletter: str, stream: Stream, cohort: str) -> datetime | None:
    """When an edition for these readers was last composed, or None: what was too old by then has been reported."""
    statement = (
        select(func.max(editions.c.composed_at))
        .join(occurrences_table, occurrences_table.c.id == editions.c.occurrence_id)
        .where(
            editions.c.newsletter == newsletter,
            editions.c.stream == stream.value,
            editions.c.cohort == cohort,
            occurrences_table.c.local_date.is_not(None),  # a correction is composed of nothing
            editions.c.reason != Reason.MISSED.value,
        )
    )
    return connection.execute(statement).scalar()


def why(connection: Connection, occurrence_id: int) -> list[WhyRow]:
    """Why each candidate is, or is not, in an occurrence, by cohort and then by article id."""
    statement = (
        select(selections, articles.c.headline, articles.c.url, articles.c.source)
        .join(articles, articles.c.id == selections.c.article_id)
        .where(selections.c.occurrence_id == occurrence_id)
        .order_by(selections.c.cohort, selections.c.article_id)
    )
    return [
        WhyRow(
            cohort=row.cohort,
            article_id=row.article_id,
            headline=row.headline,
            url=row.url,
            source=row.source,
            reason=Reason(row.reason),
            section=row.section,
            position=row.position,
            detail=row.detail,
        )
        for row in connection.execute(statement)
    ]


def _rows() -> Select[Any]:
    return select(editions, occurrences_table.c.layer).join(
        occurrences_table, occurrences_table.c.id == editions.c.occurrence_id
    )


def _one(connection: Connection, statement: Select[Any]) -> EditionRow | None:
    row = connection.execute(statement).one_or_none()
    return None if row is None else _row(row)


def _row(row: Row[Any]) -> EditionRow:
    return EditionRow(
        id=row.id,
        occurrence_id=row.occurrence_id,
        newsletter=row.newsletter,
        stream=Stream(row.stream),
        occurrence=Occurrence.parse(row.occurrence),
        cohort=row.cohort,
        zone=row.zone,
        hour=row.hour,
        due_at=row.due_at,
        revision=row.revision,
        sections=sections_from_json(row.sections),
        composed_at=row.composed_at,
        fanned_out_at=row.fanned_out_at,
        composed=sections_from_json(row.composed),
        layer=row.layer,
        reason=Reason(row.reason),
        pieces_of=row.pieces_of,
        pieces_revision=row.pieces_revision,
        fanned_out_after=row.fanned_out_after,
    )
