"""Tables of what is to be sent, and of who is at work (see ``tables``)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
)

from newsletter.model import DeliveryState, Kind, MailFormat, OccurrenceState
from newsletter.store.columns import Id, count, id_column, metadata, one_of, partial_index, reference, time, words

occurrences = Table(
    "occurrences",
    metadata,
    id_column(),
    Column("newsletter", String(48), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("occurrence", String(96), nullable=False),
    Column("kind", String(16), nullable=False, server_default="edition"),
    Column("local_date", Date, nullable=True),
    count("ordinal"),
    time("due_at"),
    time("compose_at"),
    Column("state", String(16), nullable=False, server_default="planned"),
    Column("reason", String(32), nullable=False, server_default=""),
    words("detail"),
    Column("resumes", String(16), nullable=False, server_default=""),
    # What editors changed (``edits``), and how often: who composes or approves what was edited meanwhile begins anew.
    Column("layer", JSON, nullable=False, server_default="{}"),
    count("edited"),
    # What the gates said of it (``gates``); how many readers it went to and under which subjects, for later ones.
    Column("gates", JSON, nullable=False, server_default="{}"),
    Column("readers", Integer, nullable=True),
    Column("subjects", JSON, nullable=False, server_default="{}"),
    Column("by_hand", Boolean, nullable=False, server_default=text("false")),
    Column("partial", Boolean, nullable=False, server_default=text("false")),
    # Under which clocks its first deliveries were made (``clocks``), '' while there are none.
    Column("clocks", String(16), nullable=False, server_default=""),
    # When its seeds had their deliveries made, and whether the rest may follow (``seeding``).
    time("seeded_at", nullable=True),
    Column("seeds_over", Boolean, nullable=False, server_default=false()),
    # Since when it is not kept any more what each reader got of it, and whether some of that is still to be deleted
    # (``delivery_pruning``).
    time("pruned_at", nullable=True),
    Column("being_pruned", Boolean, nullable=False, server_default=false()),
    time("created_at"),
    time("changed_at"),
    UniqueConstraint("newsletter", "stream", "occurrence"),
    one_of("state", OccurrenceState),
    one_of("kind", Kind),
    partial_index("ix_occurrences_open", "due_at", where="state IN ('planned', 'composed', 'approved', 'sending')"),
    partial_index("ix_occurrences_kept", "due_at", where="pruned_at IS NULL"),
    partial_index("ix_occurrences_being_pruned", "id", where="being_pruned"),
)

editions = Table(
    "editions",
    metadata,
    id_column(),
    reference("occurrence_id", "occurrences.id"),
    Column("newsletter", String(48), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("occurrence", String(96), nullable=False),
    Column("cohort", String(80), nullable=False, server_default=""),
    Column("zone", String(64), nullable=False, server_default=""),
    Column("hour", String(5), nullable=False, server_default=""),
    time("due_at"),
    Column("revision", Integer, nullable=False, server_default="1"),
    # As it goes out, and as it was composed: without what editors changed, which is laid over it anew at each edit.
    Column("sections", JSON, nullable=False),
    Column("composed", JSON, nullable=False, server_default="[]"),
    time("composed_at"),
    # Why this cohort has none, '' where it has one.
    Column("reason", String(32), nullable=False, server_default=""),
    # Whose pieces these readers are sent, where they are the same as another cohort's: its edition and revision.
    Column("pieces_of", Id, nullable=True),
    Column("pieces_revision", Integer, nullable=True),
    Column("fanned_out_after", Id, nullable=False, server_default="0"),
    time("fanned_out_at", nullable=True),
    UniqueConstraint("newsletter", "stream", "occurrence", "cohort"),
    Index("ix_editions_due", "occurrence_id", "due_at"),
    Index("ix_editions_with_occurrence", "id", "occurrence_id", unique=True),  # what a delivery refers to
)

# Which articles an edition of this newsletter holds or has sent: at most one use each (Invariant 4).
article_uses = Table(
    "article_uses",
    metadata,
    Column("newsletter", String(48), primary_key=True),
    Column("stream", String(16), primary_key=True),
    Column("cohort", String(80), primary_key=True),
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    reference("edition_id", "editions.id", index=True),
    Column("sent", Boolean, nullable=False, server_default=text("false")),
    Index("ix_article_uses_article", "newsletter", "article_id", "stream"),
)

# Why each candidate is, or is not, in an occurrence.
selections = Table(
    "selections",
    metadata,
    Column("occurrence_id", Id, ForeignKey("occurrences.id", ondelete="CASCADE"), primary_key=True),
    Column("cohort", String(80), primary_key=True),
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", String(32), nullable=False),
    words("section"),
    count("position"),
    words("detail"),
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
    id_column(),
    Column("occurrence_id", Id, nullable=False),
    Column("edition_id", Id, nullable=False),
    Column("newsletter", String(48), nullable=False),
    Column("stream", String(16), nullable=False),
    Column("occurrence", String(96), nullable=False),
    Column("cohort", String(80), nullable=False, server_default=""),
    Column("subscriber_id", Id, ForeignKey("subscribers.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("state", String(16), nullable=False, server_default="queued"),
    time("due_at"),
    time("expires_at"),
    Column("domain_group", String(64), nullable=False, server_default=""),
    Column("sender", Integer, nullable=False, server_default="0"),
    count("attempt"),
    Column("reason", String(32), nullable=False, server_default=""),
    Column("zone", String(64), nullable=False, server_default=""),
    Column("hour", String(5), nullable=False, server_default=""),
    Column("plan", String(48), nullable=False, server_default="free"),
    Column("format", String(8), nullable=False, server_default="html"),
    Column("rendered_key", String(96), nullable=False),
    words("sections"),
    # The digests of the targets of its newsletter's promotions that its reader was in when it was claimed.
    words("targets"),
    # Its reader came from another hour, zone or stream not long ago, where she had other editions.
    Column("moved", Boolean, nullable=False, server_default=false()),
    # The ids of the edition's stories that its reader had elsewhere, that day or before she moved, as a JSON array; it
    # goes without them.
    words("had"),
    Column("message_id", String(200), nullable=False, server_default=""),
    # The Message-ID that this one follows up: of a correction, the reader's own copy of what it corrects.
    Column("in_reply_to", String(200), nullable=False, server_default=""),
    # A relay's answer to it was lost once: its reader may have it, whatever became of it since.
    Column("doubted", Boolean, nullable=False, server_default=false()),
    Column("relay", String(48), nullable=False, server_default=""),
    words("reply"),
    time("changed_at"),
    time("sent_at", nullable=True),
    ForeignKeyConstraint(
        ["edition_id", "occurrence_id"], ["editions.id", "editions.occurrence_id"], ondelete="CASCADE"
    ),
    # Of one newsletter, stream and occurrence a reader has one at most. The number, which is the edition's too, says
    # the first two; mails of a kind that are made for one person at a time have an occurrence each under one number.
    UniqueConstraint("occurrence_id", "subscriber_id", "occurrence"),
    one_of("state", DeliveryState),
    one_of("kind", Kind),
    one_of("format", MailFormat),
    CheckConstraint("(sender = 0) OR (state = 'sending')", name="sender_only_while_sending"),
    CheckConstraint("state NOT IN ('sending', 'sent') OR message_id <> ''", name="message_id_before_wire"),
    partial_index("ix_deliveries_queue", "priority", "due_at", "id", where="state = 'queued'"),
    partial_index("ix_deliveries_sending", "sender", where="state = 'sending'"),
    Index("ix_deliveries_edition_state", "edition_id", "state"),
    Index("ix_deliveries_subscriber", "subscriber_id"),
)

# --- who is at work -------------------------------------------------------------------------------------------------

senders = Table(
    "senders",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    words("host", None),
    Column("pid", Integer, nullable=False),
    time("started_at"),
    time("stopped_at", nullable=True),
    sqlite_autoincrement=True,
)

# How far each limited group of domains has used its messages a minute (``domain_limits``).
domain_rates = Table(
    "domain_rates",
    metadata,
    Column("domain_group", String(64), primary_key=True),
    time("next_at"),
    time("postponed_to"),
)

# How many messages a From domain that warms up was given on each of the site's days (``warming_up``).
warm_up_days = Table(
    "warm_up_days",
    metadata,
    Column("domain", String(253), primary_key=True),
    Column("day", Date, primary_key=True),
    count("queued"),
)

# When each recurring thing last ran and is next due; ``status`` warns when one is silent.
heartbeats = Table(
    "heartbeats",
    metadata,
    Column("name", String(80), primary_key=True),
    time("last_at"),
    time("next_due_at", nullable=True),
    words("error"),
)

# What a person did to an occurrence or a delivery.
audit = Table(
    "audit",
    metadata,
    id_column(),
    time("at"),
    words("actor", None),
    words("action", None),
    words("subject", None),
    words("detail"),
)
