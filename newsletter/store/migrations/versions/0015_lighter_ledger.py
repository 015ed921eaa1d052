"""A lighter ledger: a delivery's key begins with its numbers, which are its edition's; checks that SQLite is quick at;
and since when it is not kept any more what each reader got of an occurrence."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_UNIQUE = "uq_deliveries_occurrence_id_subscriber_id_occurrence"
_EDITION = "fk_deliveries_edition_id"


def upgrade() -> None:
    op.add_column("occurrences", sa.Column("pruned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("occurrences", sa.Column("being_pruned", sa.Boolean(), server_default=sa.false(), nullable=False))
    for index, column, where in (
        ("ix_occurrences_kept", "due_at", "pruned_at IS NULL"),
        ("ix_occurrences_being_pruned", "id", "being_pruned"),
    ):
        op.create_index(index, "occurrences", [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("ix_editions_with_occurrence", "editions", ["id", "occurrence_id"], unique=True)
    if op.get_bind().dialect.name == "sqlite":
        _made_anew()
        return
    op.drop_index("ix_deliveries_occurrence_state", "deliveries")
    op.create_unique_constraint(_UNIQUE, "deliveries", ["occurrence_id", "subscriber_id", "occurrence"])
    op.drop_constraint("uq_deliveries_newsletter_stream_occurrence_subscriber_id", "deliveries")
    op.drop_constraint(_EDITION, "deliveries")
    op.drop_constraint("fk_deliveries_occurrence_id", "deliveries")
    op.create_foreign_key(
        _EDITION,
        "deliveries",
        "editions",
        ["edition_id", "occurrence_id"],
        ["id", "occurrence_id"],
        ondelete="CASCADE",
    )


def _made_anew() -> None:
    """SQLite changes no constraint of a table that is there."""
    number = sa.Integer()
    op.create_table(
        "deliveries_anew",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("occurrence_id", number, nullable=False),
        sa.Column("edition_id", number, nullable=False),
        sa.Column("newsletter", sa.String(length=48), nullable=False),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("occurrence", sa.String(length=96), nullable=False),
        sa.Column("cohort", sa.String(length=80), server_default="", nullable=False),
        sa.Column("subscriber_id", number, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="queued", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("domain_group", sa.String(length=64), server_default="", nullable=False),
        sa.Column("sender", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.String(length=32), server_default="", nullable=False),
        sa.Column("zone", sa.String(length=64), server_default="", nullable=False),
        sa.Column("hour", sa.String(length=5), server_default="", nullable=False),
        sa.Column("plan", sa.String(length=48), server_default="free", nullable=False),
        sa.Column("format", sa.String(length=8), server_default="html", nullable=False),
        sa.Column("rendered_key", sa.String(length=96), nullable=False),
        sa.Column("sections", sa.Text(), server_default="", nullable=False),
        sa.Column("targets", sa.Text(), server_default="", nullable=False),
        sa.Column("moved", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("had", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.String(length=200), server_default="", nullable=False),
        sa.Column("in_reply_to", sa.String(length=200), server_default="", nullable=False),
        sa.Column("doubted", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("relay", sa.String(length=48), server_default="", nullable=False),
        sa.Column("reply", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(sender = 0) OR (state = 'sending')", name=op.f("ck_deliveries_sender_only_while_sending")),
        sa.CheckConstraint("format = 'html' OR format = 'text'", name=op.f("ck_deliveries_format_known")),
        sa.CheckConstraint(
            "kind = 'edition' OR kind = 'alert' OR kind = 'notice' OR kind = 'system'",
            name=op.f("ck_deliveries_kind_known"),
        ),
        sa.CheckConstraint(
            "state = 'queued' OR state = 'sending' OR state = 'sent' OR state = 'failed' OR state = 'skipped'",
            name=op.f("ck_deliveries_state_known"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('sending', 'sent') OR message_id <> ''", name=op.f("ck_deliveries_message_id_before_wire")
        ),
        sa.ForeignKeyConstraint(
            ["edition_id", "occurrence_id"],
            ["editions.id", "editions.occurrence_id"],
            name=op.f(_EDITION),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscribers.id"], name=op.f("fk_deliveries_subscriber_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("occurrence_id", "subscriber_id", "occurrence", name=op.f(_UNIQUE)),
    )
    columns = sa.inspect(op.get_bind()).get_columns("deliveries")
    names = ", ".join('"' + column["name"] + '"' for column in columns)
    op.execute(f"INSERT INTO deliveries_anew ({names}) SELECT {names} FROM deliveries ORDER BY id")  # noqa: S608
    op.drop_table("deliveries")
    op.rename_table("deliveries_anew", "deliveries")
    op.create_index("ix_deliveries_edition_state", "deliveries", ["edition_id", "state"])
    op.create_index(
        "ix_deliveries_queue",
        "deliveries",
        ["priority", "due_at", "id"],
        sqlite_where=sa.text("state = 'queued'"),
    )
    op.create_index("ix_deliveries_sending", "deliveries", ["sender"], sqlite_where=sa.text("state = 'sending'"))
    op.create_index("ix_deliveries_subscriber", "deliveries", ["subscriber_id"])
