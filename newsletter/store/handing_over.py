"""What an old tool has sent already: those articles count as used, so that the first edition repeats nothing.

A newsletter's hand-over is an occurrence of its own, skipped by hand: it mails nobody, and its uses hold for every
stream and cohort. A URL that no source has brought yet gets a row without a source, which the article fills when it
comes (``article_revisions.fill``): it is known then, and used already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, insert, select, update

from newsletter.model import IncomingArticle, Occurrence, OccurrenceState, Reason, Stream
from newsletter.store import article_identities, article_rows, audit, occurrences
from newsletter.store.article_identities import Identity
from newsletter.store.article_merges import unsent_editions
from newsletter.store.article_uses import EVERY
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import article_identities as identities_table
from newsletter.store.tables import article_uses, articles, editions
from newsletter.store.tables import occurrences as occurrences_table

_BEFORE = "before"
DETAIL = "hand-over: what an old tool has sent counts as used"
# A page of articles in one transaction, so that the writer is held briefly.
PAGE = 200
# Above all that a schedule can give a date; `send --extra` goes on from the highest there is.
_SCHEDULED = 1440


@dataclass(frozen=True, slots=True)
class HandedOver:
    """One page: ids of the articles marked now, how many of them no source has brought yet, the editions that hold
    one of them and are not sent yet (they keep it), and the id to go on after (None at the end)."""

    marked: frozenset[int] = frozenset()
    unknown: int = 0
    held: tuple[str, ...] = ()
    after: int | None = None


def mark_urls(
    connection: Connection, urls: Mapping[Identity, str], newsletters: Collection[str], *, actor: str, now: datetime
) -> HandedOver:
    """Count the articles with these URLs (at most PAGE), by what they are known by, as used by these newsletters."""
    owners: dict[str, int] = {
        row.value: row.article_id
        for row in connection.execute(
            select(identities_table).where(
                and_(
                    identities_table.c.kind.in_({one.kind.value for one in urls}),
                    identities_table.c.value.in_([one.value for one in urls]),
                )
            )
        )
    }
    unknown = {identity: url for identity, url in urls.items() if identity.value not in owners}
    for identity, url in unknown.items():
        owners[identity.value] = _stand_in(connection, identity, url, now)
    marked = _use(connection, sorted(set(owners.values())), newsletters, actor=actor, now=now)
    return HandedOver(marked, len(unknown), _held(connection, marked))


def mark_before(
    connection: Connection, before: datetime, newsletters: Collection[str], *, after: int = 0, actor: str, now: datetime
) -> HandedOver:
    """Count the articles published before ``before`` as used by these newsletters, one page by id."""
    statement = (
        select(articles.c.id)
        .where(articles.c.id > after, articles.c.published_at < before, articles.c.merged_into.is_(None))
        .order_by(articles.c.id)
        .limit(PAGE)
    )
    if not after:
        for newsletter in newsletters:
            _remember_day(connection, _edition(connection, newsletter, actor, now), before)
    ids = list(connection.execute(statement).scalars())
    marked = _use(connection, ids, newsletters, actor=actor, now=now)
    return HandedOver(marked, 0, _held(connection, marked), ids[-1] if len(ids) == PAGE else None)


def extend(connection: Connection, source: str) -> int:
    """Count what a source's first collection brought from before a hand-over's day as used too; the number of uses.

    The sources of a new site are often collected only after the hand-over.
    """
    days = connection.execute(
        select(editions.c.id, editions.c.newsletter, occurrences_table.c.layer)
        .join(occurrences_table, occurrences_table.c.id == editions.c.occurrence_id)
        .where(occurrences_table.c.detail == DETAIL)
    ).all()
    number = 0
    for row in days:
        if _BEFORE not in row.layer:
            continue
        before = datetime.fromisoformat(row.layer[_BEFORE])
        ids = connection.execute(
            select(articles.c.id).where(articles.c.source == source, articles.c.published_at < before)
        ).scalars()
        number += len(_write_uses(connection, row.newsletter, row.id, list(ids)))
    return number


def _stand_in(connection: Connection, identity: Identity, url: str, now: datetime) -> int:
    incoming = IncomingArticle(source=article_rows.NO_SOURCE, url=url, guid="", headline=url)
    values = article_rows.columns(incoming, ()) | {
        "source": article_rows.NO_SOURCE,
        "published_at": now,
        "updated_at": now,
        "first_seen_at": now,
        "eligible": False,
    }
    article_id = int(connection.execute(insert(articles).values(values).returning(articles.c.id)).scalar_one())
    named = {"kind": identity.kind.value, "value": identity.value, "article_id": article_id, "seen_at": now}
    article_identities.name(connection, [named])
    return article_id


def _use(
    connection: Connection, ids: Collection[int], newsletters: Collection[str], *, actor: str, now: datetime
) -> frozenset[int]:
    """Write the uses; the ids of the articles that some newsletter had not used up yet."""
    marked: set[int] = set()
    for newsletter in newsletters:
        edition_id = _edition(connection, newsletter, actor, now)
        marked |= _write_uses(connection, newsletter, edition_id, ids)
    return frozenset(marked)


def _write_uses(connection: Connection, newsletter: str, edition_id: int, ids: Collection[int]) -> frozenset[int]:
    there = select(article_uses.c.article_id).where(
        article_uses.c.newsletter == newsletter, article_uses.c.stream == EVERY
    )
    new = sorted(set(ids) - set(connection.execute(there.where(article_uses.c.article_id.in_(sorted(ids)))).scalars()))
    if new:
        common = {"newsletter": newsletter, "stream": EVERY, "cohort": EVERY, "edition_id": edition_id, "sent": True}
        rows = [common | {"article_id": article_id} for article_id in new]
        connection.execute(insert_ignoring_conflicts(connection, article_uses), rows)
    return frozenset(new)


def _remember_day(connection: Connection, edition_id: int, before: datetime) -> None:
    """Keep the latest day of a newsletter's hand-overs with its occurrence."""
    occurrence_id = select(editions.c.occurrence_id).where(editions.c.id == edition_id).scalar_subquery()
    this = occurrences_table.c.id == occurrence_id
    layer = connection.execute(select(occurrences_table.c.layer).where(this)).scalar_one()
    if _BEFORE not in layer or datetime.fromisoformat(layer[_BEFORE]) < before:
        kept = layer | {_BEFORE: before.isoformat()}
        connection.execute(update(occurrences_table).where(this).values(layer=kept))


def _edition(connection: Connection, newsletter: str, actor: str, now: datetime) -> int:
    """The edition that stands for what the old tool sent, made with its skipped occurrence at the first hand-over."""
    found = connection.execute(
        select(editions.c.id)
        .join(occurrences_table, occurrences_table.c.id == editions.c.occurrence_id)
        .where(editions.c.newsletter == newsletter, occurrences_table.c.detail == DETAIL)
    ).scalar()
    if found is not None:
        return int(found)
    highest = select(func.max(occurrences_table.c.ordinal)).where(
        occurrences_table.c.newsletter == newsletter, occurrences_table.c.local_date == now.date()
    )
    occurrence = Occurrence(now.date(), max(_SCHEDULED, connection.execute(highest).scalar() or 0) + 1)
    row = occurrences.plan(connection, newsletter, Stream.EACH, occurrence, now, now, now, by_hand=True)
    made = connection.execute(
        insert(editions)
        .values(
            occurrence_id=row.id,
            newsletter=newsletter,
            stream=Stream.EACH.value,
            occurrence=str(occurrence),
            cohort=EVERY,
            due_at=now,
            sections=[],
            composed_at=now,
            fanned_out_at=now,
        )
        .returning(editions.c.id)
    )
    edition_id = int(made.scalar_one())
    occurrences.transition(
        connection,
        row.id,
        OccurrenceState.SKIPPED,
        from_={OccurrenceState.PLANNED},
        reason=Reason.BY_HAND,
        detail=DETAIL,
        now=now,
    )
    subject = f"{newsletter}@{occurrence}"
    audit.record(connection, actor=actor, action="mark_sent", subject=subject, detail=DETAIL, now=now)
    return edition_id


def _held(connection: Connection, ids: Collection[int]) -> tuple[str, ...]:
    return tuple(sorted({name for article_id in ids for name in unsent_editions(connection, article_id)}))
