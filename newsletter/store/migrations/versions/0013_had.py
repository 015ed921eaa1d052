"""What a reader had elsewhere that day and therefore gets no more."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("had", sa.Text(), server_default="", nullable=False))
