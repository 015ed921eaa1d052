"""Under which clocks an occurrence went out."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("occurrences", sa.Column("clocks", sa.String(length=16), server_default="", nullable=False))
