"""What was taken for an article we had, by what, and how an editor undoes or does it herself.

A merge is written down once for each entry (source, URL, guid) that came under another name than its article's own.
``split`` makes an article of such an entry, for good; ``merge`` takes one stored article for another.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from newsletter.errors import UsageError
from newsletter.model import Article, EditionName, IncomingArticle, Occurrence, OccurrenceState, Stream
from newsletter.store import article_identities, article_rows, audit, blocking
from newsletter.store.article_identities import Identity, IdentityKind, Known, Remembrance
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import (
    article_identities as identities_table,
)
from newsletter.store.tables import (
    article_merges,
    article_shingles,
    article_uses,
    articles,
    editions,
    occurrences,
)

# Who decided: an identity, or a person.
BY_EDITOR = "editor"
BEFORE_SENDING = (
    OccurrenceState.PLANNED,
    OccurrenceState.COMPOSED,
    OccurrenceState.APPROVED,
    OccurrenceState.HELD,
)
IN_SENDING = (OccurrenceState.SENDING, OccurrenceState.STOPPED)
UNSENT = (*BEFORE_SENDING, *IN_SENDING)


@dataclass(frozen=True, slots=True)
class MergeRow:
    """Something that came in and was taken for article ``article_id``. ``split_at``: an editor has undone it since."""

    id: int
    article_id: int
    at: datetime
    by: str
    detail: str
    source: str
    url: str
    guid: str
    headline: str
    split_at: datetime | None


@dataclass(frozen=True, slots=True)
class Appearance:
    """Where else an article stands: the source, section and tags of what was taken for it."""

    source: str
    section: str
    tags: tuple[str, ...]


def is_worth_a_row(article: Article, one: Remembrance, lookup: article_identities.Lookup) -> bool:
    """Whether ``one`` came under another source, URL or guid than its article's own, for the first time."""
    if article.source == article_rows.NO_SOURCE or lookup.has(Identity(IdentityKind.MERGED, one.entry)):
        return False
    return (
        article.source != one.article.source
        or one.article.guid != article.guid
        or any(identity.kind is IdentityKind.URL and not lookup.has(identity) for identity in one.identities)
    )


def record(connection: Connection, same: Known, one: Remembrance, added: Collection[Identity], now: datetime) -> None:
    """Write down that ``one`` was taken for ``same.article``, which is known by ``added`` from now on."""
    content = article_rows.columns(one.article, one.article.images) | {
        "published_at": _text(one.article.published_at),
        "updated_at": _text(one.article.updated_at),
        "eligible": one.eligible,
        "entry": one.entry,
        "identities": [[identity.kind.value, identity.value] for identity in added],
        "sketch": list(one.sketch),
    }
    _insert(connection, same.article.id, same.by.value, same.detail, one.article, content, now)
    article_identities.name(
        connection,
        [{"kind": IdentityKind.MERGED.value, "value": one.entry, "article_id": same.article.id, "seen_at": now}],
    )


def listing(connection: Connection, article_id: int) -> list[MergeRow]:
    """All that was ever taken for an article, oldest first."""
    statement = select(article_merges).where(article_merges.c.article_id == article_id).order_by(article_merges.c.id)
    return [_merge(row) for row in connection.execute(statement)]


def appearances(connection: Connection, article_ids: Collection[int]) -> dict[int, tuple[Appearance, ...]]:
    """Where else these articles stand, by article id; those that stand nowhere else are left out."""
    found: dict[int, list[Appearance]] = {}
    ids = sorted(set(article_ids))
    for start in range(0, len(ids), 500):
        statement = (
            select(
                article_merges.c.article_id,
                article_merges.c.source,
                article_merges.c.content["section"].as_string().label("section"),
                article_merges.c.content["tags"].as_json().label("tags"),
            )
            .where(article_merges.c.article_id.in_(ids[start : start + 500]), article_merges.c.split_at.is_(None))
            .order_by(article_merges.c.id)
        )
        for row in connection.execute(statement):
            found.setdefault(row.article_id, []).append(
                Appearance(row.source, row.section or "", tuple(row.tags or ()))
            )
    return {article_id: tuple(dict.fromkeys(several)) for article_id, several in found.items()}


def split(connection: Connection, merge_id: int, *, actor: str, now: datetime) -> Article:
    """Make an article of its own of what a merge took for another; it is never taken for that one again.

    What an editor had merged comes back as it was. Raises UsageError where there is no such merge, or no more.
    """
    statement = select(article_merges).where(article_merges.c.id == merge_id).with_for_update()
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise UsageError(
            f"there is no merge {merge_id}", remedy="`newsletter articles show ID` lists those of an article"
        )
    if row.split_at is not None:
        raise UsageError(f"merge {merge_id} was split already", remedy=f"`newsletter articles show {row.article_id}`")
    content: Mapping[str, Any] = row.content
    if row.by == BY_EDITOR:
        article_id = int(content["article_id"])
        connection.execute(update(articles).where(articles.c.id == article_id).values(merged_into=None))
        _move_merges(connection, row.article_id, article_id, content["merges"])
    else:
        article_id = _own_article(connection, row, now)
        own = [{"kind": IdentityKind.SPLIT.value, "value": content["entry"], "article_id": article_id, "seen_at": now}]
        article_identities.name(connection, own)
    for kind, value in content["identities"]:
        connection.execute(
            update(identities_table)
            .where(
                identities_table.c.kind == kind,
                identities_table.c.value == value,
                identities_table.c.article_id == row.article_id,
            )
            .values(article_id=article_id)
        )
    rows = [{"hash": value, "article_id": article_id} for value in content["sketch"]]
    article_identities.keep_sketches(connection, rows)
    connection.execute(update(article_merges).where(article_merges.c.id == merge_id).values(split_at=now))
    detail = f"merge {merge_id} of article/{row.article_id}"
    audit.record(connection, actor=actor, action="split", subject=f"article/{article_id}", detail=detail, now=now)
    return article_rows.by_id(connection, [article_id])[article_id]


def merge(connection: Connection, article_id: int, into_id: int, *, actor: str, now: datetime) -> list[str]:
    """Take one stored article for another: what it was known by leads there, and it is sent no more.

    Where it was sent or is reserved, the other counts as sent or reserved too. The editions that hold it and are not
    sent yet, ``daily@2026-11-01/1``: they keep it. Raises UsageError.
    """
    there = article_rows.by_id(connection, [article_id, into_id])
    for number in (article_id, into_id):
        if number not in there:
            raise UsageError(f"there is no article {number}", remedy="`newsletter articles list` shows them")
        if there[number].merged_into is not None:
            other = there[number].merged_into
            raise UsageError(
                f"article {number} was merged into article {other}", remedy=f"Name article {other} instead"
            )
    if article_id == into_id:
        raise UsageError(f"article {article_id} cannot be merged into itself")
    old = there[article_id]
    owned = article_identities.owned_by(connection, article_id)
    sketch = select(article_shingles.c.hash).where(article_shingles.c.article_id == article_id)
    hashes = list(connection.execute(sketch).scalars())
    merges = [one.id for one in listing(connection, article_id)]
    content = article_rows.columns(old, old.images) | {
        "article_id": article_id,
        "identities": [[identity.kind.value, identity.value] for identity in owned],
        "sketch": hashes,
        "merges": merges,
    }
    _move_merges(connection, article_id, into_id, merges)
    _insert(connection, into_id, BY_EDITOR, f"article {article_id}, merged by {actor}", old, content, now)
    connection.execute(
        update(identities_table).where(identities_table.c.article_id == article_id).values(article_id=into_id)
    )
    # Its own entry goes on coming, and this is its merge.
    urls = [identity.value for identity in owned if identity.kind is IdentityKind.URL]
    entries = [article_identities.entry(old.source, url, old.guid) for url in ("", *urls)]
    article_identities.name(
        connection,
        [
            {"kind": IdentityKind.MERGED.value, "value": value, "article_id": into_id, "seen_at": now}
            for value in entries
        ],
    )
    connection.execute(delete(article_shingles).where(article_shingles.c.article_id == article_id))
    article_identities.keep_sketches(connection, [{"hash": value, "article_id": into_id} for value in hashes])
    _carry_uses(connection, article_id, into_id)
    blocking.carry(connection, article_id, into_id)
    connection.execute(update(articles).where(articles.c.id == article_id).values(merged_into=into_id))
    detail = f"into article/{into_id}"
    audit.record(connection, actor=actor, action="merge", subject=f"article/{article_id}", detail=detail, now=now)
    return unsent_editions(connection, article_id)


def unsent_editions(connection: Connection, article_id: int, states: Collection[OccurrenceState] = UNSENT) -> list[str]:
    """The editions that hold an article and are not sent yet (in these ``states``), by name."""
    statement = (
        select(editions.c.newsletter, editions.c.stream, editions.c.occurrence, editions.c.cohort)
        .join(article_uses, article_uses.c.edition_id == editions.c.id)
        .join(occurrences, occurrences.c.id == editions.c.occurrence_id)
        .where(article_uses.c.article_id == article_id, occurrences.c.state.in_([one.value for one in states]))
        .order_by(editions.c.due_at, editions.c.id)
    )
    return [
        str(EditionName(row.newsletter, Occurrence.parse(row.occurrence), row.cohort, Stream(row.stream)))
        for row in connection.execute(statement)
    ]


def _own_article(connection: Connection, row: Row[Any], now: datetime) -> int:
    content = row.content
    published = _time(content["published_at"]) or row.at
    values = article_rows.kept(content) | {
        "source": row.source,
        "published_at": published,
        "updated_at": max(_time(content["updated_at"]) or published, published),
        "first_seen_at": row.at,
        "eligible": content["eligible"],
    }
    return int(connection.execute(insert(articles).values(values).returning(articles.c.id)).scalar_one())


def _carry_uses(connection: Connection, article_id: int, into_id: int) -> None:
    rows = connection.execute(select(article_uses).where(article_uses.c.article_id == article_id)).mappings()
    carried = [dict(row) | {"article_id": into_id} for row in rows]
    if carried:
        connection.execute(insert_ignoring_conflicts(connection, article_uses), carried)


def _move_merges(connection: Connection, from_id: int, to_id: int, merges: Collection[int]) -> None:
    connection.execute(
        update(article_merges)
        .where(article_merges.c.id.in_(sorted(merges)), article_merges.c.article_id == from_id)
        .values(article_id=to_id)
    )


def _insert(
    connection: Connection,
    article_id: int,
    by: str,
    detail: str,
    what: IncomingArticle | Article,
    content: Mapping[str, Any],
    now: datetime,
) -> None:
    connection.execute(
        insert(article_merges).values(
            article_id=article_id,
            at=now,
            by=by,
            detail=detail,
            source=what.source,
            url=what.url,
            guid=what.guid,
            headline=what.headline,
            content=content,
        )
    )


def _merge(row: Row[Any]) -> MergeRow:
    return MergeRow(
        id=row.id,
        article_id=row.article_id,
        at=row.at,
        by=row.by,
        detail=row.detail,
        source=row.source,
        url=row.url,
        guid=row.guid,
        headline=row.headline,
        split_at=row.split_at,
    )


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
