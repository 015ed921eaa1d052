"""Editing: editions as they were composed, how often an occurrence was edited, what a decision says in words."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("selections", sa.Column("detail", sa.Text(), server_default="", nullable=False))
    op.add_column("occurrences", sa.Column("edited", sa.Integer(), server_default="0", nullable=False))
    op.add_column("editions", sa.Column("composed", sa.JSON(), server_default="[]", nullable=False))
    # What is there already was edited by nobody.
    op.execute("UPDATE editions SET composed = sections")
