"""Signing up: links that can be spent once, and how often somebody asked."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "mailed_links",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("subscriber_id", number, nullable=False),
        sa.Column("newsletters", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("spent_at", time, nullable=True),
        sa.CheckConstraint("purpose IN ('confirm', 'sign-in')", name=op.f("ck_mailed_links_purpose_known")),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_mailed_links_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailed_links")),
    )
    op.create_index("ix_mailed_links_subscriber_id", "mailed_links", ["subscriber_id"])
    op.create_index("ix_mailed_links_expires_at", "mailed_links", ["expires_at"])
    op.create_table(
        "request_rates",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("next_at", time, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_request_rates")),
    )
    op.create_index("ix_request_rates_next_at", "request_rates", ["next_at"])
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_subscriptions_pending", "subscriptions", ["created_at"], sqlite_where=pending, postgresql_where=pending
    )
