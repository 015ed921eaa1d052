"""The consent ledger is only ever added to, and no statistics keep a reader's address."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0007"

# What an entry says of the act itself. Erasing empties the rest (wording, client, detail), and only of who is erased.
_THE_ACT = ("id", "subscriber_id", "newsletter", "action", "channel", "at")
_REFUSAL = "the consent ledger is only ever added to"
# Columns that hold what is personal: PostgreSQL would keep samples of their values beyond an erasure. Each is found by
# a unique index or not at all, so no plan depends on them.
_PERSONAL = {
    "subscribers": ("address", "address_hash", "first_name", "last_name", "secret"),
    "consents": ("client", "detail"),
    "deliveries": ("reply",),
}


def upgrade() -> None:
    there = sa.text("erased_at IS NOT NULL")
    op.create_index(
        "ix_subscribers_erased_at", "subscribers", ["erased_at"], sqlite_where=there, postgresql_where=there
    )
    if op.get_bind().dialect.name == "postgresql":
        _on_postgresql()
    else:
        _on_sqlite()


def _on_sqlite() -> None:
    unchanged = " AND ".join(f"NEW.{column} IS OLD.{column}" for column in _THE_ACT)
    op.execute(
        "CREATE TRIGGER consents_are_not_changed BEFORE UPDATE ON consents WHEN NOT ("  # noqa: S608 - only names of ours
        f"{unchanged} AND NEW.wording = '' AND NEW.client = '' AND NEW.detail = '' AND EXISTS ("
        "SELECT 1 FROM subscribers WHERE subscribers.id = OLD.subscriber_id AND subscribers.erased_at IS NOT NULL)) "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )
    op.execute(
        "CREATE TRIGGER consents_are_not_deleted BEFORE DELETE ON consents "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    )


def _on_postgresql() -> None:
    unchanged = " AND ".join(f"NEW.{column} IS NOT DISTINCT FROM OLD.{column}" for column in _THE_ACT)
    op.execute(
        "CREATE FUNCTION consents_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608 - the same
        f"IF TG_OP = 'UPDATE' THEN IF {unchanged} AND NEW.wording = '' AND NEW.client = '' AND NEW.detail = '' "
        "AND EXISTS (SELECT 1 FROM subscribers WHERE id = OLD.subscriber_id AND erased_at IS NOT NULL) "
        f"THEN RETURN NEW; END IF; END IF; RAISE EXCEPTION '{_REFUSAL}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER consents_are_not_changed BEFORE UPDATE OR DELETE ON consents "
        "FOR EACH ROW EXECUTE FUNCTION consents_only_grow()"
    )
    op.execute(
        "CREATE TRIGGER consents_are_not_emptied BEFORE TRUNCATE ON consents "
        "FOR EACH STATEMENT EXECUTE FUNCTION consents_only_grow()"
    )
    for table, columns in _PERSONAL.items():
        targets = ", ".join(f"ALTER COLUMN {column} SET STATISTICS 0" for column in columns)
        op.execute(f"ALTER TABLE {table} {targets}")
