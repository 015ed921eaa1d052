"""Corrections: which message of hers a reader's message follows up."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("in_reply_to", sa.String(200), server_default="", nullable=False))
