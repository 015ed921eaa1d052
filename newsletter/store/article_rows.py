"""Rows of ``articles`` <-> the model's types, for the modules of this room that read or write articles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from newsletter.model import Access, Article, IncomingArticle, Picture, RevisionKind
from newsletter.store.tables import articles

# The source of a row that stands for a URL somebody named before any source brought it (``handing_over``).
NO_SOURCE = ""


def columns(article: Article | IncomingArticle, images: Sequence[Picture]) -> dict[str, Any]:
    """What a source says of an article, as columns; also what a revision or a merge keeps of it."""
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


COLUMNS = tuple(columns(IncomingArticle("", "", "", ""), ()))


def kept(content: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an article out of what a merge kept of it."""
    return {name: content[name] for name in COLUMNS if name in content}


def from_row(row: Row[Any]) -> Article:
    """One whole row of ``articles``."""
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


def as_added(
    article_id: int,
    new: IncomingArticle,
    published: datetime,
    updated: datetime,
    first_seen: datetime,
    *,
    eligible: bool,
) -> Article:
    """What ``from_row`` makes of the row that ``new`` has just become."""
    return Article(
        id=article_id,
        source=new.source,
        url=new.url,
        guid=new.guid,
        headline=new.headline,
        standfirst=new.standfirst,
        authors=new.authors,
        dateline=new.dateline,
        section=new.section,
        tags=new.tags,
        language=new.language,
        published_at=published,
        updated_at=updated,
        first_seen_at=first_seen,
        images=new.images,
        body_html=new.body_html,
        body_text=new.body_text,
        access=new.access,
        eligible=eligible,
        teaser=new.teaser,
        warning=new.warning,
    )


def by_id(connection: Connection, article_ids: Collection[int]) -> dict[int, Article]:
    """Those articles that exist, by id."""
    found: dict[int, Article] = {}
    ids = sorted(set(article_ids))
    for start in range(0, len(ids), 500):
        rows = connection.execute(select(articles).where(articles.c.id.in_(ids[start : start + 500])))
        found.update((row.id, from_row(row)) for row in rows)
    return found
