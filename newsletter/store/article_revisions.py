"""How an article changes after we first had it: what of a new text is an update or a correction, and retraction.

Every revision is kept. A retracted article is in no edition composed from then on; it keeps its words and identities,
so that it is the same article if it comes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize

from sqlalchemy import Connection, insert, select, update

from newsletter.model import Article, IncomingArticle, Picture, RevisionKind
from newsletter.store.article_rows import columns, from_row
from newsletter.store.tables import article_revisions, articles

# An update changes at least this share of the words, and at least so many; anything less is a correction.
_UPDATE_SHARE = 0.2
_UPDATE_WORDS = 25
_OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
_LONGEST_EMBARGO = timedelta(days=30)
_WORDED = ("headline", "standfirst", "authors", "dateline", "body_text")
_CONTENT = (*_WORDED, "url", "guid", "section", "tags", "language", "body_html", "access", "teaser")
# What typesetting makes of one character: a reader reads the same.
_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033", '"')
    | dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u2032\u00b4`", "'")
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u00ad\u200b\u2060\ufeff", "")
    | {"\u2026": "..."}
)


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of an article that was revised: when we first saw it and what it said."""

    article_id: int
    revision: int
    kind: RevisionKind
    seen_at: datetime
    content: dict[str, Any]


def kind_of_change(old: Article | IncomingArticle, new: Article | IncomingArticle) -> RevisionKind | None:
    """What sort of revision ``new`` is of ``old``; None where a reader would read the same words.

    Spaces, and the shapes of quotation marks and dashes, are not words. Nor is it news when a source that gave only a
    summary gives the body too.
    """
    if all(_read(getattr(old, name)) == _read(getattr(new, name)) for name in _WORDED):
        return None
    opening = ("headline", "standfirst", "authors", "dateline")
    if not old.body_text.strip() and all(_read(getattr(old, name)) == _read(getattr(new, name)) for name in opening):
        return None
    before, after = (Counter(_read(f"{one.standfirst} {one.body_text}").split()) for one in (old, new))
    changed = ((before - after) + (after - before)).total()
    much = changed >= _UPDATE_WORDS and changed >= _UPDATE_SHARE * max(before.total(), after.total())
    return RevisionKind.UPDATE if much else RevisionKind.CORRECTION


def settled(time: datetime | None, now: datetime) -> datetime | None:
    """The last guard on a time that a source gave: None before 1990 or more than 30 days ahead (``collect.dating``
    has said so of it before, with a warning)."""
    return time if time is not None and _OLDEST <= time <= now + _LONGEST_EMBARGO else None


def revise(connection: Connection, old: Article, new: IncomingArticle, now: datetime) -> Article | None:
    """Bring a stored article up to what its source says now; None where it says the same, or its body is pruned.

    A source that has the headline but no body any more has lost it on the way: the body we have stays.
    """
    if old.body_text and not new.body_text:
        new = replace(new, body_text=old.body_text, body_html=old.body_html, teaser=new.teaser or old.teaser)
    images = _with_copies(new.images, old.images)
    published = settled(new.published_at, now) or old.published_at
    # A date is taken once, except that a story which waits for its hour may be given another one.
    waits = old.published_at > now and published != old.published_at
    same = images == old.images and all(getattr(old, name) == getattr(new, name) for name in _CONTENT)
    if (same and not waits) or _pruned(connection, old.id):
        return None
    kind = kind_of_change(old, new)
    values = {
        **columns(new, images),
        "updated_at": max(settled(new.updated_at, now) or (now if kind else old.updated_at), old.updated_at),
    }
    if waits:
        values |= {"published_at": published, "updated_at": settled(new.updated_at, now) or published}
    if kind is None:
        return _update(connection, old.id, values)
    return _next(connection, old, kind, values, now)


def fill(connection: Connection, article_id: int, new: IncomingArticle, *, eligible: bool, now: datetime) -> Article:
    """Give the row that stood for a URL (``handing_over``) the article that has come for it."""
    published = settled(new.published_at, now) or now
    values = {
        **columns(new, new.images),
        "source": new.source,
        "published_at": published,
        "updated_at": max(settled(new.updated_at, now) or published, published),
        "first_seen_at": now,
        "eligible": eligible,
    }
    return _update(connection, article_id, values)


def retract(connection: Connection, article_id: int, why: str, now: datetime) -> bool:
    """Its source has taken the article back: no edition composed from now on holds it. False where that was known."""
    old = _get(connection, article_id)
    if old is None or old.retracted_at is not None:
        return False
    _next(connection, old, RevisionKind.RETRACTION, {"retracted_at": now, "retracted_why": why}, now)
    return True


def reinstate(connection: Connection, article_id: int, now: datetime) -> bool:
    """A retracted article is there again, as a correction of its retraction. False where it was not retracted."""
    old = _get(connection, article_id)
    if old is None or old.retracted_at is None:
        return False
    _next(connection, old, RevisionKind.CORRECTION, {"retracted_at": None, "retracted_why": ""}, now)
    return True


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


def _next(connection: Connection, old: Article, kind: RevisionKind, values: dict[str, Any], now: datetime) -> Article:
    """Write the next revision of an article, and keep it and, the first time, the one before it."""
    if old.revision == 1:
        _keep(connection, old, old.first_seen_at)
    article = _update(connection, old.id, values | {"revision": old.revision + 1, "revision_kind": kind.value})
    _keep(connection, article, now)
    return article


def _update(connection: Connection, article_id: int, values: dict[str, Any]) -> Article:
    statement = update(articles).where(articles.c.id == article_id).values(values).returning(articles)
    return from_row(connection.execute(statement).one())


def _keep(connection: Connection, article: Article, seen_at: datetime) -> None:
    connection.execute(
        insert(article_revisions).values(
            article_id=article.id,
            revision=article.revision,
            kind=article.revision_kind.value,
            seen_at=seen_at,
            content=columns(article, article.images),
        )
    )


def _get(connection: Connection, article_id: int) -> Article | None:
    row = connection.execute(select(articles).where(articles.c.id == article_id).with_for_update()).one_or_none()
    return None if row is None else from_row(row)


def _pruned(connection: Connection, article_id: int) -> bool:
    when = connection.execute(select(articles.c.pruned_at).where(articles.c.id == article_id)).scalar_one()
    return when is not None


def _read(value: str | tuple[str, ...]) -> str:
    """A text as a reader reads it."""
    text = value if isinstance(value, str) else " / ".join(value)
    return " ".join(normalize("NFC", text).translate(_TYPOGRAPHY).split())


def _with_copies(images: Sequence[Picture], known: Sequence[Picture]) -> tuple[Picture, ...]:
    """``images`` with the copies that we already have of them."""
    copies = {image.url: image for image in known if image.media}
    return tuple(
        replace(image, media=copy.media, small=copy.small, width=copy.width, height=copy.height)
        if not image.media and (copy := copies.get(image.url))
        else image
        for image in images
    )
