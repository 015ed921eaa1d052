"""Every table, with the constraints that make a wrong state impossible to write (docs/architecture.md, Invariants).

SQL stands in this room only. Times are UTC (``UtcDateTime``); JSON columns hold what is only ever read whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from newsletter.model import (
    DeliveryState,
    Kind,
    MailFormat,
    OccurrenceState,
    Stream,
    SubscriptionState,
    SuppressionScope,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """A zone-aware UTC instant: TIMESTAMPTZ on PostgreSQL, sortable text on SQLite. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r} given to the store")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _words(name: str, default: str | None = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default="0")


def _one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _time(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=nullable)


def _reference(name: str, target: str, **kwargs: Any) -> Column[int]:
    return Column(name, Id, ForeignKey(target, ondelete="CASCADE"), nullable=False, **kwargs)


# --- where articles come from, and the articles --------------------------------------------------------------------

sources = Table(
    "sources",
    metadata,
    Column("name", String(48), primary_key=True),
    _words("kind", None),
    _words("location", None),
    _words("moved_to"),
    _words("etag"),
    _words("last_modified"),
    _time("first_collected_at", nullable=True),
    _time("last_attempt_at", nullable=True),
    _time("last_success_at", nullable=True),
    _time("next_due_at", nullable=True),
    _count("failures"),
    _words("last_error"),
    # The bytes that the last error was about, at most 64 KiB of them.
    Column("error_body", LargeBinary, nullable=True),
    Column("warnings", JSON, nullable=False, server_default="[]"),
    # Not asked before this, because it said so (Retry-After).
    _time("not_before", nullable=True),
    # Somebody (a CMS, an editor) said "look now".
    _time("poll_requested_at", nullable=True),
    # It answered 410 Gone: no longer asked.
    _time("retired_at", nullable=True),
)

# What became of each attempt at a source; the last ones are kept.
fetches = Table(
    "fetches",
    metadata,
    _id(),
    Column("source", String(48), nullable=False),
    _time("at"),
    Column("outcome", String(16), nullable=False),
    Column("milliseconds", Integer, nullable=False),
    _count("new"),
    _count("changed"),
    _count("unchanged"),
    _words("error"),
    Index("ix_fetches_source_id", "source", "id"),
)

articles = Table(
    "articles",
    metadata,
    _id(),
    _words("source", None),
    _words("url", None),
    _words("guid"),
    _words("headline", None),
    _words("standfirst"),
    Column("authors", JSON, nullable=False),
    _words("dateline"),
    _words("section"),
    Column("tags", JSON, nullable=False),
    _words("language"),
    _time("published_at"),
    _time("updated_at"),
    _time("first_seen_at"),
    Column("images", JSON, nullable=False),
    _words("body_html"),
    _words("body_text"),
    _words("access", "free"),
    Column("revision", Integer, nullable=False, server_default="1"),
    _words("revision_kind", "first"),
    Column("eligible", Boolean, nullable=False, server_default=text("true")),
    _time("retracted_at", nullable=True),
    _words("retracted_why"),
    _words("teaser"),
    # What we made of what its source said of it, where that could not be ('dated 2091-01-01; taken as first seen').
    _words("warning"),
    # The article that this one turned out to be; it is sent no more under its own id.
    Column("merged_into", Id, nullable=True),
    _time("pruned_at", nullable=True),
    # Validators of its own page, for reading it again just before it is sent.
    _words("page_etag"),
    _words("page_last_modified"),
    Index("ix_articles_first_seen_at", "first_seen_at"),
    Index("ix_articles_source_published_at", "source", "published_at"),
)

# What an article has ever been known by: a URL, a guid within its source. One article a value, for ever.
article_identities = Table(
    "article_identities",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("value", String(64), primary_key=True),
    _reference("article_id", "articles.id", index=True),
    _time("seen_at"),
)

article_revisions = Table(
    "article_revisions",
    metadata,
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    _words("kind", None),
    _time("seen_at"),
    Column("content", JSON, nullable=False),
)

# Each time something that came in was taken for an article we had: by what, and what came.
article_merges = Table(
    "article_merges",
    metadata,
    _id(),
    _reference("article_id", "articles.id", index=True),
    _time("at"),
    Column("by", String(16), nullable=False),
    _words("detail"),
    Column("source", String(48), nullable=False),
    _words("url"),
    _words("guid"),
    _words("headline"),
    Column("content", JSON, nullable=False),
    _time("split_at", nullable=True),
)

# The least hashes of the runs of words of recent articles: two that share some may be one story.
article_shingles = Table(
    "article_shingles",
    metadata,
    Column("hash", BigInteger, primary_key=True),
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True, index=True),
)

# Who may push articles and ask for collections; the token itself is shown once and kept as a hash.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    _time("created_at"),
    _time("last_used_at", nullable=True),
    _time("revoked_at", nullable=True),
)

media = Table(
    "media",
    metadata,
    Column("name", String(80), primary_key=True),
    _words("url", None),
    _words("content_type", None),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    _time("fetched_at"),
    Index("ix_media_url", "url"),
)

# --- who reads ------------------------------------------------------------------------------------------------------

subscribers = Table(
    "subscribers",
    metadata,
    _id(),
    Column("address", String(320), nullable=False, unique=True),
    Column("address_hash", String(64), nullable=False, unique=True),
    Column("domain_group", String(64), nullable=False, server_default=""),
    _words("first_name"),
    _words("last_name"),
    _words("language"),
    _words("timezone"),
    Column("plan", String(48), nullable=False, server_default="free"),
    Column("attributes", JSON, nullable=False, server_default="{}"),
    Column("secret", LargeBinary, nullable=False),
    _time("created_at"),
    _time("erased_at", nullable=True),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("newsletter", String(48), primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("stream", String(16), nullable=False, server_default="each"),
    _words("sections"),
    _words("hour"),
    Column("format", String(8), nullable=False, server_default="html"),
    _time("paused_until", nullable=True),
    _time("created_at"),
    _time("confirmed_at", nullable=True),
    _time("unsubscribed_at", nullable=True),
    _one_of("state", SubscriptionState),
    _one_of("stream", Stream),
    _one_of("format", MailFormat),
    Index("ix_subscriptions_subscriber_id", "subscriber_id"),
)

consents = Table(
    "consents",
    metadata,
    _id(),
    Column("subscriber_id", Id, nullable=False, index=True),
    Column("newsletter", String(48), nullable=False, server_default=""),
    _words("action", None),
    _words("channel", None),
    _words("wording"),
    _words("client"),
    _words("detail"),
    _time("at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", String(64), primary_key=True),
    Column("scope", String(16), primary_key=True),
    _words("reason", None),
    _time("created_at"),
    _one_of("scope", SuppressionScope),
)

# One row for each withdrawal, read by senders just before a body is written ('' = every newsletter).
revocations = Table(
    "revocations",
    metadata,
    _id(),
    Column("subscriber_id", Id, nullable=False),
    Column("newsletter", String(48), nullable=False, server_default=""),
    _words("reason", None),
    _time("at"),
    sqlite_autoincrement=True,
)

# --- what is to be sent ---------------------------------------------------------------------------------------------

occurrences = Table(
    "occurrences",
    metadata,
    _id(),
    Column("newsletter", String(48), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("occurrence", String(96), nullable=False),
    Column("kind", String(16), nullable=False, server_default="edition"),
    Column("local_date", Date, nullable=True),
    _count("ordinal"),
    _time("due_at"),
    _time("compose_at"),
    Column("state", String(16), nullable=False, server_default="planned"),
    Column("reason", String(32), nullable=False, server_default=""),
    _words("detail"),
    Column("resumes", String(16), nullable=False, server_default=""),
    Column("layer", JSON, nullable=False, server_default="{}"),
    Column("by_hand", Boolean, nullable=False, server_default=text("false")),
    Column("partial", Boolean, nullable=False, server_default=text("false")),
    _time("created_at"),
    _time("changed_at"),
    UniqueConstraint("newsletter", "stream", "occurrence"),
    _one_of("state", OccurrenceState),
    _one_of("kind", Kind),
    Index(
        "ix_occurrences_open",
        "due_at",
        sqlite_where=text("state IN ('planned', 'composed', 'approved', 'sending')"),
        postgresql_where=text("state IN ('planned', 'composed', 'approved', 'sending')"),
    ),
)

editions = Table(
    "editions",
    metadata,
    _id(),
    _reference("occurrence_id", "occurrences.id"),
    Column("newsletter", String(48), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("occurrence", String(96), nullable=False),
    Column("cohort", String(80), nullable=False, server_default=""),
    Column("zone", String(64), nullable=False, server_default=""),
    Column("hour", String(5), nullable=False, server_default=""),
    _time("due_at"),
    Column("revision", Integer, nullable=False, server_default="1"),
    Column("sections", JSON, nullable=False),
    _time("composed_at"),
    Column("fanned_out_after", Id, nullable=False, server_default="0"),
    _time("fanned_out_at", nullable=True),
    UniqueConstraint("newsletter", "stream", "occurrence", "cohort"),
)

# Which articles an edition of this newsletter holds or has sent: at most one use each (Invariant 4).
article_uses = Table(
    "article_uses",
    metadata,
    Column("newsletter", String(48), primary_key=True),
    Column("stream", String(16), primary_key=True),
    Column("cohort", String(80), primary_key=True),
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    _reference("edition_id", "editions.id", index=True),
    Column("sent", Boolean, nullable=False, server_default=text("false")),
)

# Why each candidate is, or is not, in an occurrence.
selections = Table(
    "selections",
    metadata,
    Column("occurrence_id", Id, ForeignKey("occurrences.id", ondelete="CASCADE"), primary_key=True),
    Column("cohort", String(80), primary_key=True),
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", String(32), nullable=False),
    _words("section"),
    _count("position"),
)

pieces = Table(
    "pieces",
    metadata,
    Column("edition_id", Id, ForeignKey("editions.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("rendered_key", String(96), primary_key=True),
    Column("name", String(120), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# The outbox and the ledger in one. sender = 0: no process holds the row.
deliveries = Table(
    "deliveries",
    metadata,
    _id(),
    _reference("occurrence_id", "occurrences.id"),
    _reference("edition_id", "editions.id"),
    Column("newsletter", String(48), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("occurrence", String(96), nullable=False),
    Column("cohort", String(80), nullable=False, server_default=""),
    Column("subscriber_id", Id, ForeignKey("subscribers.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("state", String(16), nullable=False, server_default="queued"),
    _time("due_at"),
    _time("expires_at"),
    Column("domain_group", String(64), nullable=False, server_default=""),
    Column("sender", Integer, nullable=False, server_default="0"),
    _count("attempt"),
    Column("reason", String(32), nullable=False, server_default=""),
    Column("zone", String(64), nullable=False, server_default=""),
    Column("hour", String(5), nullable=False, server_default=""),
    Column("plan", String(48), nullable=False, server_default="free"),
    Column("format", String(8), nullable=False, server_default="html"),
    Column("rendered_key", String(96), nullable=False),
    _words("sections"),
    Column("message_id", String(200), nullable=False, server_default=""),
    Column("relay", String(48), nullable=False, server_default=""),
    _words("reply"),
    _time("changed_at"),
    _time("sent_at", nullable=True),
    UniqueConstraint("newsletter", "stream", "occurrence", "subscriber_id"),
    _one_of("state", DeliveryState),
    _one_of("kind", Kind),
    _one_of("format", MailFormat),
    CheckConstraint("(sender = 0) OR (state = 'sending')", name="sender_only_while_sending"),
    CheckConstraint("state NOT IN ('sending', 'sent') OR message_id <> ''", name="message_id_before_wire"),
    Index(
        "ix_deliveries_queue",
        "priority",
        "due_at",
        "id",
        sqlite_where=text("state = 'queued'"),
        postgresql_where=text("state = 'queued'"),
    ),
    Index(
        "ix_deliveries_sending",
        "sender",
        sqlite_where=text("state = 'sending'"),
        postgresql_where=text("state = 'sending'"),
    ),
    Index("ix_deliveries_edition_state", "edition_id", "state"),
    Index("ix_deliveries_occurrence_state", "occurrence_id", "state"),
    Index("ix_deliveries_subscriber", "subscriber_id"),
)

# --- who is at work -------------------------------------------------------------------------------------------------

senders = Table(
    "senders",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _words("host", None),
    Column("pid", Integer, nullable=False),
    _time("started_at"),
    _time("stopped_at", nullable=True),
    sqlite_autoincrement=True,
)

# When each recurring thing last ran and is next due; ``status`` warns when one is silent.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(80), primary_key=True),
    _time("last_at"),
    _time("next_due_at", nullable=True),
    _words("error"),
)

# What a person did to an occurrence or a delivery.
audit = Table(
    "audit",
    metadata,
    _id(),
    _time("at"),
    _words("actor", None),
    _words("action", None),
    _words("subject", None),
    _words("detail"),
)
