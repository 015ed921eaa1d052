"""Sending: limits by group of domains, warming up, seeds; and a message that was in doubt stays known as such."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "domain_rates",
        sa.Column("domain_group", sa.String(64), nullable=False),
        sa.Column("next_at", time, nullable=False),
        sa.Column("postponed_to", time, nullable=False),
        sa.PrimaryKeyConstraint("domain_group", name=op.f("pk_domain_rates")),
    )
    op.create_table(
        "warm_up_days",
        sa.Column("domain", sa.String(253), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("queued", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("domain", "day", name=op.f("pk_warm_up_days")),
    )
    op.add_column("deliveries", sa.Column("doubted", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("occurrences", sa.Column("seeded_at", time, nullable=True))
    op.add_column("occurrences", sa.Column("seeds_over", sa.Boolean(), server_default=sa.false(), nullable=False))
    deliveries = sa.table("deliveries", sa.column("doubted", sa.Boolean()), sa.column("reason", sa.String()))
    doubtful = deliveries.c.reason.in_(["in_doubt", "resent_in_doubt", "closed_in_doubt"])
    op.execute(deliveries.update().where(doubtful).values(doubted=sa.true()))
