"""Collecting: fetch log, merges, shingles, API tokens; what sources and articles know besides."""

import sqlalchemy as sa
from alembic import op

from newsletter.store.tables import Id, UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in (
        sa.Column("error_body", sa.LargeBinary(), nullable=True),
        sa.Column("warnings", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("poll_requested_at", UtcDateTime(), nullable=True),
        sa.Column("retired_at", UtcDateTime(), nullable=True),
    ):
        op.add_column("sources", column)
    for column in (
        sa.Column("retracted_why", sa.Text(), server_default="", nullable=False),
        sa.Column("teaser", sa.Text(), server_default="", nullable=False),
        sa.Column("warning", sa.Text(), server_default="", nullable=False),
        sa.Column("merged_into", Id, nullable=True),
        sa.Column("pruned_at", UtcDateTime(), nullable=True),
        sa.Column("page_etag", sa.Text(), server_default="", nullable=False),
        sa.Column("page_last_modified", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("articles", column)
    # Articles are recognised by their shingles now.
    op.drop_index("ix_articles_fingerprint", "articles")
    op.drop_column("articles", "fingerprint")
    op.create_index("ix_articles_source_published_at", "articles", ["source", "published_at"])
    op.create_table(
        "fetches",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(48), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("new", sa.Integer(), server_default="0", nullable=False),
        sa.Column("changed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetches")),
    )
    op.create_index("ix_fetches_source_id", "fetches", ["source", "id"])
    op.create_table(
        "article_merges",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("article_id", Id, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.String(48), nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("guid", sa.Text(), server_default="", nullable=False),
        sa.Column("headline", sa.Text(), server_default="", nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("split_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name=op.f("fk_article_merges_article_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article_merges")),
    )
    op.create_index("ix_article_merges_article_id", "article_merges", ["article_id"])
    op.create_table(
        "article_shingles",
        sa.Column("hash", sa.BigInteger(), nullable=False),
        sa.Column("article_id", Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name=op.f("fk_article_shingles_article_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", "article_id", name=op.f("pk_article_shingles")),
    )
    op.create_index("ix_article_shingles_article_id", "article_shingles", ["article_id"])
    op.create_table(
        "api_tokens",
        sa.Column("name", sa.String(48), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_tokens_token_hash")),
    )
