"""Readers' own hours and zones: where each subscription stands, how it moved, and editions that were not made."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_ACTIVE = sa.text("state = 'active'")


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("zone", sa.Text(), server_default="", nullable=False))
    op.execute(
        "UPDATE subscriptions SET zone = (SELECT timezone FROM subscribers WHERE id = subscriptions.subscriber_id) "
        "WHERE subscriber_id IN (SELECT id FROM subscribers WHERE timezone <> '')"
    )
    op.create_index(
        "ix_subscriptions_cohort",
        "subscriptions",
        ["newsletter", "stream", "zone", "hour", "subscriber_id"],
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_table(
        "moves",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("newsletter", sa.String(length=48), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("hour", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"],
            ["subscribers.id"],
            name=op.f("fk_moves_subscriber_id_subscribers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_moves")),
    )
    op.create_index("ix_moves_reader", "moves", ["subscriber_id", "newsletter", "at"])
    op.create_index("ix_moves_cohort", "moves", ["newsletter", "at"])
    op.add_column("deliveries", sa.Column("moved", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("editions", sa.Column("reason", sa.String(length=32), server_default="", nullable=False))
    op.add_column("editions", sa.Column("pieces_of", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))
    op.add_column("editions", sa.Column("pieces_revision", sa.Integer()))
    op.create_index("ix_editions_due", "editions", ["occurrence_id", "due_at"])
    op.create_index("ix_article_uses_article", "article_uses", ["newsletter", "article_id", "stream"])
