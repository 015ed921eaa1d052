"""Articles, what each has ever been known by, and their revisions.

``remember`` takes what a source gave, in one transaction: new articles are added, known ones revised where their words
changed, and everything else is left untouched, so that collecting the same twice writes nothing. Which stored article
an incoming one *is* is decided by the ``match`` it is given (``newsletter.collect.identity``); this module finds those
that share an identity or the same words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, exists, func, insert, select, true, update

from newsletter.model import Access, Article, IncomingArticle, Picture, RevisionKind
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import article_identities, article_revisions, article_uses, articles

# How many articles to give to one call of ``remember``, so that the writer is held well under 100 ms.
CHUNK = 25
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
_FUTURE = timedelta(days=1)
# An update changes at least this share of the words, and at least so many; anything less is a correction.
_UPDATE_SHARE = 0.2
_UPDATE_WORDS = 25
_REMEMBER_LOCK = 0x6E657773  # any number that nobody else of this database uses


class IdentityKind(StrEnum):
    """By what an article was recognised. WORDS is never stored as an identity: it is the fingerprint."""

    URL = "url"
    GUID = "guid"
    WORDS = "words"


@dataclass(frozen=True, slots=True)
class Identity:
    """Something an article is known by for ever: a hash (64 hex digits) of its canonical URL or guid."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class Remembrance:
    """One article to remember. ``fingerprint`` is '' where its words are too few to recognise it by."""

    article: IncomingArticle
    identities: tuple[Identity, ...]
    fingerprint: str = ""
    eligible: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """A stored article that shares something with an incoming one, and what."""

    by: IdentityKind
    article: Article


Match = Callable[[Remembrance, Sequence[Known], datetime], Known | None]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What ``remember`` did: the ids of new and changed articles, and of those that were as we had them."""

    new: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    unchanged: tuple[int, ...] = ()

    def __add__(self, other: Remembered) -> Remembered:
        return Remembered(self.new + other.new, self.changed + other.changed, self.unchanged + other.unchanged)


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of an article that was revised: when we first saw it and what it said."""

    article_id: int
    revision: int
    kind: RevisionKind
    seen_at: datetime
    content: dict[str, Any]


def by_identity(_incoming: Remembrance, known: Sequence[Known], _now: datetime | None = None) -> Known | None:
    """The plainest ``match``: whichever shares an identity, URL before guid."""
    return next((one for kind in (IdentityKind.URL, IdentityKind.GUID) for one in known if one.by is kind), None)


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
    lookup = _Lookup(connection, batch)
    new: list[int] = []
    changed: list[int] = []
    unchanged: list[int] = []
    named: list[dict[str, Any]] = []
    for one in batch:
        same = match(one, lookup.known(one), now)
        if same is None:
            article = _add(connection, one, now)
            new.append(article.id)
        else:
            article = same.article
            if article.source == one.article.source and (revised := _revise(connection, article, one, now)):
                article = revised
                changed.append(article.id)
            else:
                unchanged.append(article.id)
        named += [
            {"kind": i.kind.value, "value": i.value, "article_id": article.id, "seen_at": now}
            for i in one.identities
            if not lookup.has(i)
        ]
        lookup.add(article, one)
    if named:
        connection.execute(insert_ignoring_conflicts(connection, article_identities), named)
    return Remembered(tuple(new), tuple(changed), tuple(unchanged))


def known_articles(connection: Connection, batch: Sequence[Remembrance]) -> dict[int, Article]:
    """For each position in ``batch`` that shares an identity with a stored article, that article."""
    lookup = _Lookup(connection, batch)
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
    found: dict[int, Article] = {}
    ids = sorted(set(article_ids))
    for start in range(0, len(ids), 500):
        rows = connection.execute(select(articles).where(articles.c.id.in_(ids[start : start + 500])))
        found.update((row.id, _article(row)) for row in rows)
    return found


def list_articles(
    connection: Connection, *, source: str = "", section: str = "", before_id: int | None = None, limit: int = 50
) -> list[Article]:
    """The articles we saw last, newest first; ``before_id`` continues after the last one of a page."""
    statement = select(articles).order_by(articles.c.id.desc()).limit(limit)
    if source:
        statement = statement.where(articles.c.source == source)
    if section:
        statement = statement.where(func.lower(articles.c.section) == section.lower())
    if before_id is not None:
        statement = statement.where(articles.c.id < before_id)
    return [_article(row) for row in connection.execute(statement)]


def unused_articles(
    connection: Connection, *, newsletter: str, stream: str, cohort: str, first_seen_after: datetime, limit: int
) -> list[Article]:
    """What may still go into an edition: eligible, not retracted, in no edition of this newsletter, stream and cohort.

    First seen at or after ``first_seen_after``; newest published first, then by id.
    """
    used = exists().where(
        article_uses.c.newsletter == newsletter,
        article_uses.c.stream == stream,
        article_uses.c.cohort == cohort,
        article_uses.c.article_id == articles.c.id,
    )
    statement = (
        select(articles)
        .where(
            articles.c.first_seen_at >= first_seen_after,
            articles.c.eligible == true(),
            articles.c.retracted_at.is_(None),
            ~used,
        )
        .order_by(articles.c.published_at.desc(), articles.c.id)
        .limit(limit)
    )
    return [_article(row) for row in connection.execute(statement)]


def revisions(connection: Connection, article_id: int) -> list[Revision]:
    """All revisions of an article that was ever revised, oldest first; none of one that never was."""
    statement = (
        select(article_revisions)
        .where(article_revisions.c.article_id == article_id)
        .order_by(article_revisions.c.revision)
    )
    return [
        Revision(row.article_id, row.revision, RevisionKind(row.kind), row.seen_at, row.content)
        for row in connection.execute(statement)
    ]


def kind_of_change(old: Article | IncomingArticle, new: Article | IncomingArticle) -> RevisionKind | None:
    """What sort of revision ``new`` is of ``old``; None where a reader would read the same words."""
    if all(getattr(old, name) == getattr(new, name) for name in _WORDED):
        return None
    before, after = (Counter(f"{one.standfirst} {one.body_text}".split()) for one in (old, new))
    changed = ((before - after) + (after - before)).total()
    much = changed >= _UPDATE_WORDS and changed >= _UPDATE_SHARE * max(before.total(), after.total())
    return RevisionKind.UPDATE if much else RevisionKind.CORRECTION


_INSERT = insert(articles).returning(articles)
_WORDED = ("headline", "standfirst", "authors", "dateline", "body_text")
_CONTENT = (*_WORDED, "url", "guid", "section", "tags", "language", "body_html", "access", "teaser")


class _Lookup:
    """What of a batch we know already, kept up to date while the batch is worked through."""

    def __init__(self, connection: Connection, batch: Sequence[Remembrance]) -> None:
        self._owners = {
            Identity(IdentityKind(row.kind), row.value): row.article_id for row in _identities(connection, batch)
        }
        prints = {one.fingerprint for one in batch if one.fingerprint}
        rows = connection.execute(select(articles).where(articles.c.fingerprint.in_(prints))) if prints else ()
        self._articles: dict[int, Article] = {}
        self._by_words: dict[str, list[int]] = {}
        for row in rows:
            self._articles[row.id] = _article(row)
            self._by_words.setdefault(row.fingerprint, []).append(row.id)
        self._articles.update(get_many(connection, set(self._owners.values()) - self._articles.keys()))

    def has(self, identity: Identity) -> bool:
        return identity in self._owners

    def known(self, one: Remembrance) -> list[Known]:
        found = [Known(i.kind, self._articles[self._owners[i]]) for i in one.identities if i in self._owners]
        same_words = self._by_words.get(one.fingerprint, ()) if one.fingerprint else ()
        return found + [Known(IdentityKind.WORDS, self._articles[article_id]) for article_id in same_words]

    def add(self, article: Article, one: Remembrance) -> None:
        self._articles[article.id] = article
        for identity in one.identities:
            self._owners.setdefault(identity, article.id)
        if one.fingerprint and article.id not in self._by_words.setdefault(one.fingerprint, []):
            self._by_words[one.fingerprint].append(article.id)


def _identities(connection: Connection, batch: Iterable[Remembrance]) -> Sequence[Row[Any]]:
    values = {identity.value for one in batch for identity in one.identities}
    return connection.execute(select(article_identities).where(article_identities.c.value.in_(values))).all()


def _add(connection: Connection, one: Remembrance, now: datetime) -> Article:
    new = one.article
    published = _settled(new.published_at, now) or now
    values = {
        **_columns(new, new.images),
        "source": new.source,
        "published_at": published,
        "updated_at": max(_settled(new.updated_at, now) or published, published),
        "first_seen_at": now,
        "fingerprint": one.fingerprint,
        "eligible": one.eligible,
    }
    return _article(connection.execute(_INSERT, values).one())


def _revise(connection: Connection, old: Article, one: Remembrance, now: datetime) -> Article | None:
    """Bring a stored article up to what its source says now; None if it says the same."""
    new = one.article
    images = _with_copies(new.images, old.images)
    if images == old.images and all(getattr(old, name) == getattr(new, name) for name in _CONTENT):
        return None
    kind = kind_of_change(old, new)
    values = {
        **_columns(new, images),
        "updated_at": max(_settled(new.updated_at, now) or (now if kind else old.updated_at), old.updated_at),
        "fingerprint": one.fingerprint,
    }
    if kind is not None:
        values |= {"revision": old.revision + 1, "revision_kind": kind.value}
        if old.revision == 1:
            _keep_revision(connection, old, old.first_seen_at)
    revised = update(articles).where(articles.c.id == old.id).values(values).returning(articles)
    article = _article(connection.execute(revised).one())
    if kind is not None:
        _keep_revision(connection, article, now)
    return article


def _keep_revision(connection: Connection, article: Article, seen_at: datetime) -> None:
    connection.execute(
        insert(article_revisions).values(
            article_id=article.id,
            revision=article.revision,
            kind=article.revision_kind.value,
            seen_at=seen_at,
            content=_columns(article, article.images),
        )
    )


def _with_copies(images: Sequence[Picture], known: Sequence[Picture]) -> tuple[Picture, ...]:
    """``images`` with the copies that we already have of them."""
    copies = {image.url: image for image in known if image.media}
    return tuple(
        replace(image, media=copy.media, width=copy.width, height=copy.height)
        if not image.media and (copy := copies.get(image.url))
        else image
        for image in images
    )


def _settled(time: datetime | None, now: datetime) -> datetime | None:
    """A time as a source gives it, or None where it cannot be: before 1990 or more than a day ahead of us."""
    return time if time is not None and _OLDEST <= time <= now + _FUTURE else None


def _columns(article: Article | IncomingArticle, images: Sequence[Picture]) -> dict[str, Any]:
    return {
        "url": article.url,
        "guid": article.guid,
        "headline": article.headline,
        "standfirst": article.standfirst,
        "authors": list(article.authors),
        "dateline": article.dateline,
        "section": article.section,
        "tags": list(article.tags),
        "language": article.language,
        "images": [asdict(image) for image in images],
        "body_html": article.body_html,
        "body_text": article.body_text,
        "access": article.access.value,
        "teaser": article.teaser,
        "warning": article.warning,
    }


def _article(row: Row[Any]) -> Article:
    return Article(
        id=row.id,
        source=row.source,
        url=row.url,
        guid=row.guid,
        headline=row.headline,
        standfirst=row.standfirst,
        authors=tuple(row.authors),
        dateline=row.dateline,
        section=row.section,
        tags=tuple(row.tags),
        language=row.language,
        published_at=row.published_at,
        updated_at=row.updated_at,
        first_seen_at=row.first_seen_at,
        images=tuple(Picture(**image) for image in row.images),
        body_html=row.body_html,
        body_text=row.body_text,
        access=Access(row.access),
        revision=row.revision,
        revision_kind=RevisionKind(row.revision_kind),
        eligible=row.eligible,
        retracted_at=row.retracted_at,
        teaser=row.teaser,
        warning=row.warning,
        merged_into=row.merged_into,
    )
