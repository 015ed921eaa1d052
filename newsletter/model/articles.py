"""Stories: as a source gives them, and as the store knows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Access(StrEnum):
    """What a reader needs to read an article in full."""

    FREE = "free"
    METERED = "metered"
    MEMBERS = "members"


class RevisionKind(StrEnum):
    """Why an article has a new revision."""

    FIRST = "first"
    UPDATE = "update"
    CORRECTION = "correction"
    RETRACTION = "retraction"


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of an article. ``media`` is the name of our own copy under ``media/`` ('' while there is none) and
    ``small`` of the same for small places; ``width`` and ``height`` are that copy's pixels, without one what the
    source says they are (0: not known)."""

    url: str
    caption: str = ""
    credit: str = ""
    alt: str = ""
    media: str = ""
    width: int = 0
    height: int = 0
    small: str = ""


@dataclass(frozen=True, slots=True)
class IncomingArticle:
    """One article as a source gives it, before the store knows it. Times are UTC; text is already sanitised.

    ``teaser`` is what those may read who may not read the body; ``warning`` says what of it could not be as it came.
    """

    source: str
    url: str
    guid: str
    headline: str
    standfirst: str = ""
    authors: tuple[str, ...] = ()
    dateline: str = ""
    section: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    images: tuple[Picture, ...] = ()
    body_html: str = ""
    body_text: str = ""
    access: Access = Access.FREE
    teaser: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """One stored story. ``eligible`` is False for what a source's first collection only remembered (backfill)."""

    id: int
    source: str
    url: str
    guid: str
    headline: str
    standfirst: str
    authors: tuple[str, ...]
    dateline: str
    section: str
    tags: tuple[str, ...]
    language: str
    published_at: datetime
    updated_at: datetime
    first_seen_at: datetime
    images: tuple[Picture, ...]
    body_html: str
    body_text: str
    access: Access
    revision: int = 1
    revision_kind: RevisionKind = RevisionKind.FIRST
    eligible: bool = True
    retracted_at: datetime | None = None
    teaser: str = ""
    warning: str = ""
    merged_into: int | None = None

    @property
    def words(self) -> int:
        """Number of words of the body, or of the standfirst where there is no body."""
        return len((self.body_text or self.standfirst).split())
