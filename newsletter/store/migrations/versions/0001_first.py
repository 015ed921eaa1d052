"""The first tables: every column of the final design."""

import sqlalchemy as sa
from alembic import op

from newsletter.store.tables import Id, UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "articles",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("guid", sa.Text(), server_default="", nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("standfirst", sa.Text(), server_default="", nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("dateline", sa.Text(), server_default="", nullable=False),
        sa.Column("section", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("images", sa.JSON(), nullable=False),
        sa.Column("body_html", sa.Text(), server_default="", nullable=False),
        sa.Column("body_text", sa.Text(), server_default="", nullable=False),
        sa.Column("access", sa.Text(), server_default="free", nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("revision_kind", sa.Text(), server_default="first", nullable=False),
        sa.Column("fingerprint", sa.Text(), server_default="", nullable=False),
        sa.Column("eligible", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("retracted_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_articles")),
    )
    op.create_index("ix_articles_fingerprint", "articles", ["fingerprint"], unique=False)
    op.create_index("ix_articles_first_seen_at", "articles", ["first_seen_at"], unique=False)
    op.create_table(
        "audit",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "consents",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("subscriber_id", Id, nullable=False),
        sa.Column("newsletter", sa.String(length=48), server_default="", nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("wording", sa.Text(), server_default="", nullable=False),
        sa.Column("client", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_subscriber_id"), "consents", ["subscriber_id"], unique=False)
    op.create_table(
        "heartbeats",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("next_due_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "media",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("fetched_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_media")),
    )
    op.create_index("ix_media_url", "media", ["url"], unique=False)
    op.create_table(
        "occurrences",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("newsletter", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("occurrence", sa.String(length=96), nullable=False),
        sa.Column("kind", sa.String(length=16), server_default="edition", nullable=False),
        sa.Column("local_date", sa.Date(), nullable=True),
        sa.Column("ordinal", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("compose_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="planned", nullable=False),
        sa.Column("reason", sa.String(length=32), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("resumes", sa.String(length=16), server_default="", nullable=False),
        sa.Column("layer", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("partial", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('edition', 'alert', 'notice', 'system')", name=op.f("ck_occurrences_kind_known")),
        sa.CheckConstraint(
            "state IN ('planned', 'composed', 'approved', 'sending', 'sent', 'held', 'stopped', 'cancelled', 'skipped')",
            name=op.f("ck_occurrences_state_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrences")),
        sa.UniqueConstraint(
            "newsletter", "stream", "occurrence", name=op.f("uq_occurrences_newsletter_stream_occurrence")
        ),
    )
    op.create_index(
        "ix_occurrences_open",
        "occurrences",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('planned', 'composed', 'approved', 'sending')"),
        postgresql_where=sa.text("state IN ('planned', 'composed', 'approved', 'sending')"),
    )
    op.create_table(
        "revocations",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("subscriber_id", Id, nullable=False),
        sa.Column("newsletter", sa.String(length=48), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocations")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "senders",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("stopped_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_senders")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("moved_to", sa.Text(), server_default="", nullable=False),
        sa.Column("etag", sa.Text(), server_default="", nullable=False),
        sa.Column("last_modified", sa.Text(), server_default="", nullable=False),
        sa.Column("first_collected_at", UtcDateTime(), nullable=True),
        sa.Column("last_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("last_success_at", UtcDateTime(), nullable=True),
        sa.Column("next_due_at", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sources")),
    )
    op.create_table(
        "subscribers",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("domain_group", sa.String(length=64), server_default="", nullable=False),
        sa.Column("first_name", sa.Text(), server_default="", nullable=False),
        sa.Column("last_name", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("timezone", sa.Text(), server_default="", nullable=False),
        sa.Column("plan", sa.String(length=48), server_default="free", nullable=False),
        sa.Column("attributes", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscribers")),
        sa.UniqueConstraint("address", name=op.f("uq_subscribers_address")),
        sa.UniqueConstraint("address_hash", name=op.f("uq_subscribers_address_hash")),
    )
    op.create_table(
        "suppressions",
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("scope IN ('marketing', 'all')", name=op.f("ck_suppressions_scope_known")),
        sa.PrimaryKeyConstraint("address_hash", "scope", name=op.f("pk_suppressions")),
    )
    op.create_table(
        "article_identities",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("article_id", Id, nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name=op.f("fk_article_identities_article_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_article_identities")),
    )
    op.create_index(op.f("ix_article_identities_article_id"), "article_identities", ["article_id"], unique=False)
    op.create_table(
        "article_revisions",
        sa.Column("article_id", Id, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name=op.f("fk_article_revisions_article_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("article_id", "revision", name=op.f("pk_article_revisions")),
    )
    op.create_table(
        "editions",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("occurrence_id", Id, nullable=False),
        sa.Column("newsletter", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("occurrence", sa.String(length=96), nullable=False),
        sa.Column("cohort", sa.String(length=80), server_default="", nullable=False),
        sa.Column("zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("hour", sa.String(length=5), server_default="", nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("sections", sa.JSON(), nullable=False),
        sa.Column("composed_at", UtcDateTime(), nullable=False),
        sa.Column("fanned_out_after", Id, server_default="0", nullable=False),
        sa.Column("fanned_out_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["occurrence_id"], ["occurrences.id"], name=op.f("fk_editions_occurrence_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_editions")),
        sa.UniqueConstraint(
            "newsletter", "stream", "occurrence", "cohort", name=op.f("uq_editions_newsletter_stream_occurrence_cohort")
        ),
    )
    op.create_table(
        "selections",
        sa.Column("occurrence_id", Id, nullable=False),
        sa.Column("cohort", sa.String(length=80), nullable=False),
        sa.Column("article_id", Id, nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("section", sa.Text(), server_default="", nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name=op.f("fk_selections_article_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["occurrence_id"], ["occurrences.id"], name=op.f("fk_selections_occurrence_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("occurrence_id", "cohort", "article_id", name=op.f("pk_selections")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("newsletter", sa.String(length=48), nullable=False),
        sa.Column("subscriber_id", Id, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("stream", sa.String(length=16), server_default="each", nullable=False),
        sa.Column("sections", sa.Text(), server_default="", nullable=False),
        sa.Column("hour", sa.Text(), server_default="", nullable=False),
        sa.Column("format", sa.String(length=8), server_default="html", nullable=False),
        sa.Column("paused_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("unsubscribed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("format IN ('html', 'text')", name=op.f("ck_subscriptions_format_known")),
        sa.CheckConstraint("state IN ('pending', 'active', 'unsubscribed')", name=op.f("ck_subscriptions_state_known")),
        sa.CheckConstraint(
            "stream IN ('each', 'daily', 'weekly', 'breaking')", name=op.f("ck_subscriptions_stream_known")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_subscriptions_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("newsletter", "subscriber_id", name=op.f("pk_subscriptions")),
    )
    op.create_index("ix_subscriptions_subscriber_id", "subscriptions", ["subscriber_id"], unique=False)
    op.create_table(
        "article_uses",
        sa.Column("newsletter", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("cohort", sa.String(length=80), nullable=False),
        sa.Column("article_id", Id, nullable=False),
        sa.Column("edition_id", Id, nullable=False),
        sa.Column("sent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name=op.f("fk_article_uses_article_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name=op.f("fk_article_uses_edition_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("newsletter", "stream", "cohort", "article_id", name=op.f("pk_article_uses")),
    )
    op.create_index(op.f("ix_article_uses_edition_id"), "article_uses", ["edition_id"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("occurrence_id", Id, nullable=False),
        sa.Column("edition_id", Id, nullable=False),
        sa.Column("newsletter", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("occurrence", sa.String(length=96), nullable=False),
        sa.Column("cohort", sa.String(length=80), server_default="", nullable=False),
        sa.Column("subscriber_id", Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="queued", nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("domain_group", sa.String(length=64), server_default="", nullable=False),
        sa.Column("sender", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.String(length=32), server_default="", nullable=False),
        sa.Column("zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("hour", sa.String(length=5), server_default="", nullable=False),
        sa.Column("plan", sa.String(length=48), server_default="free", nullable=False),
        sa.Column("format", sa.String(length=8), server_default="html", nullable=False),
        sa.Column("rendered_key", sa.String(length=96), nullable=False),
        sa.Column("sections", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("relay", sa.String(length=48), server_default="", nullable=False),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("(sender = 0) OR (state = 'sending')", name=op.f("ck_deliveries_sender_only_while_sending")),
        sa.CheckConstraint("format IN ('html', 'text')", name=op.f("ck_deliveries_format_known")),
        sa.CheckConstraint("kind IN ('edition', 'alert', 'notice', 'system')", name=op.f("ck_deliveries_kind_known")),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'failed', 'skipped')", name=op.f("ck_deliveries_state_known")
        ),
        sa.CheckConstraint(
            "state NOT IN ('sending', 'sent') OR message_id <> ''", name=op.f("ck_deliveries_message_id_before_wire")
        ),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name=op.f("fk_deliveries_edition_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["occurrence_id"], ["occurrences.id"], name=op.f("fk_deliveries_occurrence_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name=op.f("fk_deliveries_subscriber_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "newsletter",
            "stream",
            "occurrence",
            "subscriber_id",
            name=op.f("uq_deliveries_newsletter_stream_occurrence_subscriber_id"),
        ),
    )
    op.create_index("ix_deliveries_edition_state", "deliveries", ["edition_id", "state"], unique=False)
    op.create_index("ix_deliveries_occurrence_state", "deliveries", ["occurrence_id", "state"], unique=False)
    op.create_index(
        "ix_deliveries_queue",
        "deliveries",
        ["priority", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_deliveries_sending",
        "deliveries",
        ["sender"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index("ix_deliveries_subscriber", "deliveries", ["subscriber_id"], unique=False)
    op.create_table(
        "pieces",
        sa.Column("edition_id", Id, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("rendered_key", sa.String(length=96), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_pieces_edition_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("edition_id", "revision", "rendered_key", "name", name=op.f("pk_pieces")),
    )
