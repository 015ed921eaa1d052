"""Both databases come from the first migration, and from nothing else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select, text

from newsletter.errors import StoreError
from newsletter.model import EditionSection, Edits
from newsletter.store import Store, editions, migrating, tables
from newsletter.store.database import parse_url


def test_the_migrated_tables_are_those_of_the_metadata(store: Store) -> None:
    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))

    assert store.read(differences) == []


def test_head_is_the_newest_revision_on_disk() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrating.HEAD


def test_a_database_of_a_newer_version_is_refused(store: Store, store_url: str) -> None:
    store.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match="revision 9999, which this version does not know"):
        Store.open(store_url)


def test_two_processes_that_open_a_new_database_at_once_both_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: Store.open(url), range(4)))
    for opened in stores:
        assert opened.read(migrating.revision) == migrating.HEAD
        opened.close()


def test_a_store_that_was_never_migrated_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="newsletter store migrate"):
        Store.open(f"sqlite:///{tmp_path}/empty.db", migrate=False)


def test_an_edition_made_before_there_were_edits_is_one_that_nobody_edited(tmp_path: Path) -> None:
    store = Store(parse_url(f"sqlite:///{tmp_path}/old.db"))
    sections = '[{"name": "National", "articles": [1, 2]}]'

    def old(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        at = "2026-11-23 06:00:00.000000"
        connection.execute(
            text(
                "INSERT INTO occurrences (id, newsletter, stream, occurrence, local_date, ordinal, due_at, compose_at,"
                " created_at, changed_at)"
                " VALUES (1, 'daily', 'each', '2026-11-23/1', '2026-11-23', 1, :at, :at, :at, :at)"
            ),
            {"at": at},
        )
        connection.execute(
            text(
                "INSERT INTO editions (id, occurrence_id, newsletter, stream, occurrence, due_at, sections,"
                " composed_at) VALUES (1, 1, 'daily', 'each', '2026-11-23/1', :at, :sections, :at)"
            ),
            {"at": at, "sections": sections},
        )

    store.write(old)
    assert migrating.migrate(store)
    row = store.read(editions.get, 1)
    store.close()
    assert row is not None
    assert row.sections == row.composed == (EditionSection("National", (1, 2)),)
    assert row.edition.edits == Edits()


def test_what_was_delivered_before_the_ledger_was_made_anew_is_in_it(tmp_path: Path) -> None:
    store = Store(parse_url(f"sqlite:///{tmp_path}/old.db"))

    def old(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0014")
        named = {"newsletter": "daily", "stream": "each", "occurrence": "2026-11-23/1"}
        at, made = "2026-11-23 06:00:00.000000", {"occurrence_id": 1, "edition_id": 7, "subscriber_id": 3}
        kept = {"message_id": "<a@b>", "had": "[2]", "reply": "ok", "sent_at": at, "changed_at": at}
        for table, row in (
            ("occurrences", named | {"id": 1, "compose_at": at, "due_at": at, "created_at": at, "changed_at": at}),
            ("editions", named | {"id": 7, "occurrence_id": 1, "due_at": at, "sections": "[]", "composed_at": at}),
            (
                "subscribers",
                {"id": 3, "address": "ann@readers.example", "address_hash": "h", "secret": b"x", "created_at": at},
            ),
            (
                "deliveries",
                named | made | kept | {"id": 9, "kind": "edition", "priority": 30, "state": "sent", "due_at": at}
                | {"expires_at": at, "rendered_key": "/free"},
            ),
        ):  # fmt: skip
            names = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO {table} ({names[0]}) VALUES ({names[1]})"), row)

    store.write(old)
    assert migrating.migrate(store)
    row = store.read(lambda connection: connection.execute(select(tables.deliveries)).one())
    assert (row.id, row.edition_id, row.state, row.message_id, row.had, row.reply) == (
        9, 7, "sent", "<a@b>", "[2]", "ok",
    )  # fmt: skip
    assert row.sent_at == datetime(2026, 11, 23, 6, tzinfo=UTC)

    def again(connection: Connection, /, **changes: object) -> None:
        connection.execute(tables.deliveries.insert().values(**{**row._asdict(), "id": 10, **changes}))

    with pytest.raises(StoreError, match="UNIQUE"):
        store.write(again)
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.write(again, occurrence_id=2)
    with pytest.raises(StoreError, match="CHECK"):
        store.write(again, occurrence="2026-11-24/1", state="lost")
    store.close()
