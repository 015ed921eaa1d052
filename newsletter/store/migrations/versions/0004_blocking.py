"""Blocking: articles that editors keep out of a newsletter for good."""

import sqlalchemy as sa
from alembic import op

from newsletter.store.columns import Id, UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "article_blocks",
        sa.Column("newsletter", sa.String(48), nullable=False),
        sa.Column("article_id", Id, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), server_default="", nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name=op.f("fk_article_blocks_article_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("newsletter", "article_id", name=op.f("pk_article_blocks")),
    )
    op.create_index("ix_article_blocks_article_id", "article_blocks", ["article_id"])
