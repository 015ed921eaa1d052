"""Tables of who reads, and of what they agreed to (see ``tables``)."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, String, Table

from newsletter.model import MailFormat, Stream, SubscriptionState, SuppressionScope
from newsletter.store.columns import Id, id_column, metadata, one_of, partial_index, reference, time, words

subscribers = Table(
    "subscribers",
    metadata,
    id_column(),
    Column("address", String(320), nullable=False, unique=True),
    Column("address_hash", String(64), nullable=False, unique=True),
    Column("domain_group", String(64), nullable=False, server_default=""),
    words("first_name"),
    words("last_name"),
    words("language"),
    words("timezone"),
    Column("plan", String(48), nullable=False, server_default="free"),
    # Tags, and attributes as they are compared, as lines of one text (``newsletter.target.traits``): a test of a target
    # looks for a line, which costs half of what looking into JSON costs, and nothing beside the row itself.
    words("traits"),
    # The same attributes as they were written.
    Column("attributes", JSON, nullable=False, server_default="{}"),
    Column("secret", LargeBinary, nullable=False),
    time("created_at"),
    time("erased_at", nullable=True),
    partial_index("ix_subscribers_erased_at", "erased_at", where="erased_at IS NOT NULL"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("newsletter", String(48), primary_key=True),
    Column("subscriber_id", Id, ForeignKey("subscribers.id", ondelete="CASCADE"), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("stream", String(16), nullable=False, server_default="each"),
    words("sections"),
    words("hour"),
    # Her time zone as ``subscribers`` has it, so that the readers of one hour and zone are found by an index.
    words("zone"),
    Column("format", String(8), nullable=False, server_default="html"),
    time("paused_until", nullable=True),
    time("created_at"),
    time("confirmed_at", nullable=True),
    time("unsubscribed_at", nullable=True),
    one_of("state", SubscriptionState),
    one_of("stream", Stream),
    one_of("format", MailFormat),
    Index("ix_subscriptions_subscriber_id", "subscriber_id"),
    partial_index(
        "ix_subscriptions_cohort", "newsletter", "stream", "zone", "hour", "subscriber_id", where="state = 'active'"
    ),
    partial_index("ix_subscriptions_pending", "created_at", where="state = 'pending'"),
)

# Where a subscription stood before its reader changed stream, hour or zone.
moves = Table(
    "moves",
    metadata,
    id_column(),
    Column("newsletter", String(48), nullable=False),
    reference("subscriber_id", "subscribers.id"),
    Column("stream", String(16), nullable=False),
    words("zone", None),
    words("hour", None),
    time("at"),
    Index("ix_moves_reader", "subscriber_id", "newsletter", "at"),
    Index("ix_moves_cohort", "newsletter", "at"),
)

# Only ever added to: triggers refuse all else, but emptying the words of who is erased (migration 0010).
consents = Table(
    "consents",
    metadata,
    id_column(),
    Column("subscriber_id", Id, nullable=False, index=True),
    Column("newsletter", String(48), nullable=False, server_default=""),
    words("action", None),
    words("channel", None),
    words("wording"),
    words("client"),
    words("detail"),
    time("at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", String(64), primary_key=True),
    Column("scope", String(16), primary_key=True),
    words("reason", None),
    time("created_at"),
    one_of("scope", SuppressionScope),
)

# One row for each withdrawal, read by senders just before a body is written ('' = every newsletter).
revocations = Table(
    "revocations",
    metadata,
    id_column(),
    Column("subscriber_id", Id, nullable=False),
    Column("newsletter", String(48), nullable=False, server_default=""),
    words("reason", None),
    time("at"),
    sqlite_autoincrement=True,
)
