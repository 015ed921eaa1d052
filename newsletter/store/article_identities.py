"""By what articles are recognised: finds those that an incoming article may be.

Identities (URL, guid) are looked up as they are. A story without either of them known is looked for by its *sketch*:
some hashes of its runs of words, of which ``article_shingles`` holds those of every recent article; two that share some
are shown to ``Match``, which decides (``newsletter.collect.identity``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, select

from newsletter.model import Article, IncomingArticle
from newsletter.store import article_rows
from newsletter.store.prepared import insert_new_rows
from newsletter.store.tables import article_identities, article_merges, article_shingles

_CHUNK = 500
# A run of words that so many recent articles hold (a standing remark, a boilerplate) tells nothing, and is kept of no
# further one; it would only make every lookup longer.
_MOST_HOLDERS = 40
# So many of the stored articles that share most with an incoming one are compared with it; one run is chance.
_MOST_COMPARED = 4
_FEWEST_SHARED = 2


class IdentityKind(StrEnum):
    """By what an article was recognised. WORDS is never stored as an identity: it is the sketch.

    The last two are of one entry exactly (its source, URL and guid): SPLIT leads to the article that an editor made of
    it, before anything else is asked; MERGED says that its merge is written down already.
    """

    URL = "url"
    GUID = "guid"
    WORDS = "words"
    SPLIT = "split"
    MERGED = "merged"


# The key of ``article_identities`` begins with the kind: a lookup that does not say it would read the whole table.
_STORED_KINDS = [kind.value for kind in IdentityKind if kind is not IdentityKind.WORDS]


@dataclass(frozen=True, slots=True)
class Identity:
    """Something an article is known by for ever: a hash (64 hex digits) of its canonical URL or guid."""

    kind: IdentityKind
    value: str


@dataclass(frozen=True, slots=True)
class Remembrance:
    """One article to remember. ``sketch`` is () where its words are too few to recognise it by.

    ``repeated``: the same collection holds this story before, under another name; it adds what the story is known by
    and does not revise it, or the two would revise each other for ever.
    """

    article: IncomingArticle
    identities: tuple[Identity, ...]
    sketch: tuple[int, ...] = ()
    eligible: bool = True
    repeated: bool = False

    @property
    def entry(self) -> str:
        """What stands for this entry exactly."""
        url = next((one.value for one in self.identities if one.kind is IdentityKind.URL), "")
        return entry(self.article.source, url, self.article.guid)


def entry(source: str, url_identity: str, guid: str) -> str:
    """What stands for one entry exactly; ``url_identity`` is '' where its URL is nobody's."""
    return sha256(f"{source}\n{url_identity}\n{guid}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Known:
    """A stored article that shares something with an incoming one, and what; ``detail`` is for an editor."""

    by: IdentityKind
    article: Article
    detail: str = ""


Match = Callable[[Remembrance, Sequence[Known], datetime], Known | None]


def by_identity(_incoming: Remembrance, known: Sequence[Known], _now: datetime | None = None) -> Known | None:
    """The plainest ``match``: whichever shares an identity, URL before guid."""
    return next((one for kind in (IdentityKind.URL, IdentityKind.GUID) for one in known if one.by is kind), None)


class Lookup:
    """What of a batch we know already, kept up to date while the batch is worked through."""

    def __init__(self, connection: Connection, batch: Sequence[Remembrance], *, words: bool = True) -> None:
        """``words`` is False where only identities matter."""
        self._connection = connection
        self._owners = {
            Identity(IdentityKind(row.kind), row.value): row.article_id for row in _stored(connection, batch)
        }
        self._holders: defaultdict[int, set[int]] = defaultdict(set)
        nameless = [one for one in batch if words and not self._by_url(one)]
        for row in _holding(connection, {value for one in nameless for value in one.sketch}):
            self._holders[row.hash].add(row.article_id)
        wanted = set(self._owners.values())
        for one in nameless:
            wanted.update(self._alike(one))
        self._articles = article_rows.by_id(connection, wanted)

    def has(self, identity: Identity) -> bool:
        return identity in self._owners

    def split(self, one: Remembrance) -> Article | None:
        """The article that an editor made of exactly this entry."""
        owner = self._owners.get(Identity(IdentityKind.SPLIT, one.entry))
        return None if owner is None else self._articles[owner]

    def article(self, article_id: int) -> Article:
        """One of the articles found, as it is stored."""
        return self._articles[article_id]

    def known(self, one: Remembrance) -> list[Known]:
        """The articles that share an identity with ``one``; where none shares its URL, those that share words too.

        Those known by a guid of another source than their own are shown as that source last gave them.
        """
        found = [Known(i.kind, self._articles[self._owners[i]]) for i in one.identities if i in self._owners]
        if not self._by_url(one):
            found = [Known(same.by, self._as_given(same.article, one.article.source)) for same in found]
            found += [Known(IdentityKind.WORDS, self._articles[i]) for i in self._alike(one) if i in self._articles]
        return found

    def add(self, article: Article, one: Remembrance, *, new: bool) -> list[dict[str, Any]]:
        """Take note of what ``one`` turned out to be; the rows of ``article_shingles`` to write where it is new."""
        self._articles[article.id] = article
        for identity in one.identities:
            self._owners.setdefault(identity, article.id)
        telling = [value for value in one.sketch if len(self._holders[value]) < _MOST_HOLDERS] if new else []
        for value in telling:
            self._holders[value].add(article.id)
        return [{"hash": value, "article_id": article.id} for value in telling]

    def _by_url(self, one: Remembrance) -> bool:
        return any(identity.kind is IdentityKind.URL and identity in self._owners for identity in one.identities)

    def _as_given(self, article: Article, source: str) -> Article:
        if source == article.source:
            return article
        last = (
            select(article_merges.c.content)
            .where(article_merges.c.article_id == article.id, article_merges.c.source == source)
            .order_by(article_merges.c.id.desc())
            .limit(1)
        )
        content = self._connection.execute(last).scalar()
        if content is None:
            return article
        given = {name: content[name] for name in ("url", "guid", "headline", "standfirst", "body_text")}
        published = datetime.fromisoformat(content["published_at"]) if content.get("published_at") else None
        return replace(article, **given, published_at=published or article.published_at)

    def _alike(self, one: Remembrance) -> list[int]:
        """The articles that share most of the sketch, the newest first among equals."""
        shared = Counter(article_id for value in one.sketch for article_id in self._holders.get(value, ()))
        ranked = sorted(shared.items(), key=lambda item: (-item[1], -item[0]))
        return [article_id for article_id, count in ranked[:_MOST_COMPARED] if count >= _FEWEST_SHARED]


def name(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add identities (columns of ``article_identities``); what is somebody's already stays his."""
    insert_new_rows(connection, article_identities, rows)


def keep_sketches(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Add rows of ``article_shingles``."""
    insert_new_rows(connection, article_shingles, rows)


def owned_by(connection: Connection, article_id: int) -> list[Identity]:
    """All that an article is known by."""
    rows = connection.execute(select(article_identities).where(article_identities.c.article_id == article_id))
    return [Identity(IdentityKind(row.kind), row.value) for row in rows]


def _stored(connection: Connection, batch: Iterable[Remembrance]) -> Sequence[Row[Any]]:
    values = {identity.value for one in batch for identity in one.identities} | {one.entry for one in batch}
    named = article_identities.c.kind.in_(_STORED_KINDS), article_identities.c.value.in_(sorted(values))
    return connection.execute(select(article_identities).where(*named)).all()


def _holding(connection: Connection, hashes: Iterable[int]) -> list[Row[Any]]:
    wanted = sorted(hashes)
    found: list[Row[Any]] = []
    for start in range(0, len(wanted), _CHUNK):
        statement = select(article_shingles).where(article_shingles.c.hash.in_(wanted[start : start + _CHUNK]))
        found += connection.execute(statement).all()
    return found
