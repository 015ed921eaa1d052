"""Both databases come from the first migration, and from nothing else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

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
