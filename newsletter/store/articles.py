"""Articles: what a source gave goes in, what an edition may hold comes out.

``remember`` takes what a source gave, in one transaction: new articles are added, known ones revised where their words
changed, and everything else is left untouched, so that collecting the same twice writes nothing. Which stored article
an incoming one *is* is decided by the ``match`` it is given (``newsletter.collect.identity``); ``article_identities``
finds those that share an identity or runs of words, ``article_merges`` writes down what was taken for what, and
``article_revisions`` says how an article changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select, true, update

from newsletter.model import Article
from newsletter.store import article_identities, article_merges, article_rows
from newsletter.store.article_identities import (
    Identity,
    IdentityKind,
    Known,
    Lookup,
    Match,
    Remembrance,
    by_identity,
)
from newsletter.store.article_revisions import (
    Revision,
    fill,
    kind_of_change,
    reinstate,
    retract,
    revise,
    revisions,
    settled,
)
from newsletter.store.article_uses import EVERY, LONGEST_EMBARGO, of_cohort
from newsletter.store.prepared import insert_row
from newsletter.store.tables import article_uses, articles

__all__ = [
    "CHUNK",
    "Identity",
    "IdentityKind",
    "Known",
    "Match",
    "Remembered",
    "Remembrance",
    "Revision",
    "by_identity",
    "get",
    "get_many",
    "kind_of_change",
    "known_articles",
    "list_articles",
    "make_eligible",
    "reinstate",
    "remember",
    "retract",
    "revisions",
    "unused_articles",
]

# How many articles to give to one call of ``remember``, so that the writer is held well under 100 ms.
CHUNK = 25
_REMEMBER_LOCK = 0x6E657773  # any number that nobody else of this database uses


@dataclass(frozen=True, slots=True)
class Remembered:
    """What ``remember`` did: the ids of new and changed articles, and of those that were as we had them."""

    new: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    unchanged: tuple[int, ...] = ()

    def __add__(self, other: Remembered) -> Remembered:
        return Remembered(self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged)


def remember(
    connection: Connection, batch: Sequence[Remembrance], *, now: datetime, match: Match = by_identity
) -> Remembered:
    """Add what is new of ``batch`` (at most CHUNK), revise what changed, leave the rest. Idempotent.

    A known article is revised by its own source only; another source that carries it adds what it is known by. What
    changed but the words (section, tags, pictures, formatting) is updated without a new revision.
    """
    if connection.dialect.name == "postgresql":
        # Two collections of one new story would each find nothing and both add it; SQLite has one writer anyway.
        connection.execute(select(func.pg_advisory_xact_lock(_REMEMBER_LOCK)))
    lookup = Lookup(connection, batch)
    done: dict[str, list[int]] = {"new": [], "changed": [], "unchanged": []}
    named: list[dict[str, Any]] = []
    sketches: list[dict[str, Any]] = []
    for one in batch:
        by_hand = lookup.split(one)
        same = match(one, lookup.known(one), now) if by_hand is None else Known(IdentityKind.SPLIT, by_hand)
        added = [identity for identity in one.identities if not lookup.has(identity)]
        if same is None:
            became, article = "new", _add(connection, one, now)
        else:
            stored = lookup.article(same.article.id)
            became, article = _take_for(connection, stored, one, now)
            if by_hand is None and article_merges.is_worth_a_row(stored, one, lookup):
                article_merges.record(connection, same, one, added, now)
        done[became].append(article.id)
        named += [{"kind": i.kind.value, "value": i.value, "article_id": article.id, "seen_at": now} for i in added]
        sketches += lookup.add(article, one, new=became == "new")
    article_identities.name(connection, named)
    article_identities.keep_sketches(connection, sketches)
    return Remembered(*(tuple(done[became]) for became in ("new", "changed", "unchanged")))


def known_articles(connection: Connection, batch: Sequence[Remembrance]) -> dict[int, Article]:
    """For each position in ``batch`` that shares an identity with a stored article, that article."""
    lookup = Lookup(connection, batch, words=False)
    found = {index: by_identity(one, lookup.known(one)) for index, one in enumerate(batch)}
    return {index: known.article for index, known in found.items() if known is not None}


def make_eligible(connection: Connection, article_id: int) -> None:
    """Let an article be sent that a source's first collection had only remembered."""
    connection.execute(update(articles).where(articles.c.id == article_id).values(eligible=True))


def get(connection: Connection, article_id: int) -> Article | None:
    """One article by id."""
    return get_many(connection, [article_id]).get(article_id)


def get_many(connection: Connection, article_ids: Collection[int]) -> dict[int, Article]:
    """Those articles that exist, by id."""
    return article_rows.by_id(connection, article_ids)


def list_articles(
    connection: Connection, *, source: str = "", section: str = "", before_id: int | None = None, limit: int = 50
) -> list[Article]:
    """The articles we saw last, newest first; ``before_id`` continues after the last one of a page."""
    statement = (
        select(articles).where(articles.c.source != article_rows.NO_SOURCE).order_by(articles.c.id.desc()).limit(limit)
    )
    if source:
        statement = statement.where(articles.c.source == source)
    if section:
        statement = statement.where(func.lower(articles.c.section) == section.lower())
    if before_id is not None:
        statement = statement.where(articles.c.id < before_id)
    return [article_rows.from_row(row) for row in connection.execute(statement)]


def unused_articles(
    connection: Connection, *, newsletter: str, stream: str, cohort: str, first_seen_after: datetime, limit: int
) -> list[Article]:
    """What may still go into an edition: eligible, not retracted, in no edition of this newsletter, stream and cohort.

    First seen at or after ``first_seen_after``, or, of what waited for its hour, published since then; it may still
    wait for it (``published_at`` to come), which whoever selects has to look at. Newest published first, then by id.
    """
    used = exists().where(
        article_uses.c.newsletter == newsletter,
        article_uses.c.stream.in_((stream, EVERY)),
        of_cohort(cohort),
        article_uses.c.article_id == articles.c.id,
    )
    statement = (
        select(articles)
        .where(
            articles.c.first_seen_at >= first_seen_after - LONGEST_EMBARGO,
            or_(articles.c.first_seen_at >= first_seen_after, articles.c.published_at >= first_seen_after),
            articles.c.eligible == true(),
            and_(articles.c.retracted_at.is_(None), articles.c.merged_into.is_(None)),
            ~used,
        )
        .order_by(articles.c.published_at.desc(), articles.c.id)
        .limit(limit)
    )
    return [article_rows.from_row(row) for row in connection.execute(statement)]


def _add(connection: Connection, one: Remembrance, now: datetime) -> Article:
    new = one.article
    published = settled(new.published_at, now) or now
    updated = max(settled(new.updated_at, now) or published, published)
    values = {
        **article_rows.columns(new, new.images),
        "source": new.source,
        "published_at": published,
        "updated_at": updated,
        "first_seen_at": now,
        "eligible": one.eligible,
    }
    article_id = insert_row(connection, articles, values)
    return article_rows.as_added(article_id, new, published, updated, now, eligible=one.eligible)


def _take_for(connection: Connection, old: Article, one: Remembrance, now: datetime) -> tuple[str, Article]:
    """Bring ``old`` up to what ``one`` says of it; whether that made it new or changed, or left it unchanged."""
    if old.source == article_rows.NO_SOURCE:
        return "new", fill(connection, old.id, one.article, eligible=one.eligible, now=now)
    if old.source != one.article.source or one.repeated:
        return "unchanged", old
    revised = revise(connection, old, one.article, now)
    return ("unchanged", old) if revised is None else ("changed", revised)
