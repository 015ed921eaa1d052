"""Gates: what they said of an occurrence, how many readers it went to, and under which subjects."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("occurrences", sa.Column("gates", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("occurrences", sa.Column("readers", sa.Integer(), nullable=True))
    op.add_column("occurrences", sa.Column("subjects", sa.JSON(), server_default="{}", nullable=False))
