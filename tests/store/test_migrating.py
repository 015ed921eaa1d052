"""Both databases come from the first migration, and from nothing else."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from newsletter.errors import StoreError
from newsletter.store import Store, migrating, tables


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
