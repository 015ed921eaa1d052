"""Targets: what readers are tagged with and known by, and which promotions a delivery's reader was shown."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("traits", sa.Text(), server_default="", nullable=False))
    op.add_column("deliveries", sa.Column("targets", sa.Text(), server_default="", nullable=False))
