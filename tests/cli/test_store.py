"""store: its tables, and a copy of it."""

from __future__ import annotations

import sqlite3
import stat

from newsletter.store import Store, migrating
from newsletter.store.subscribers import count
from tests.builders import add_subscribers
from tests.support.console import Folder


def test_migrate_says_whether_there_was_anything_to_do(folder: Folder) -> None:
    assert folder.run("store", "migrate", "--json").json["migrated"] is True
    again = folder.run("store", "migrate")
    assert (again.code, again.out) == (0, f"Already at revision {migrating.HEAD}.\n")


def test_a_backup_is_a_store_like_the_first(folder: Folder) -> None:
    with folder.store() as store:
        add_subscribers(store, 3)
        made = folder.run("store", "backup", "copy.db", "--json")  # beside a process that has it open
    assert made.code == 0, made
    copy = folder.path / "copy.db"
    assert made.json == {"file": "copy.db", "bytes": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with Store.open(f"sqlite:///{copy}") as opened:
        assert opened.read(count) == 3


def test_a_backup_replaces_nothing_and_leaves_nothing_half_written(folder: Folder) -> None:
    folder.run("store", "backup", "copy.db").refused(5, "no database yet")
    assert folder.run("store", "migrate").code == 0
    (folder.path / "copy.db").write_text("precious")
    folder.run("store", "backup", "copy.db").refused(2, "copy.db", "there is such a file")
    folder.run("store", "backup", "gone/copy.db").refused(2, "gone", "no such folder")
    (folder.path / "newsletter.db").write_bytes(b"no database " * 400)
    folder.run("store", "backup", "other.db").refused(5, "not a database")
    assert (folder.path / "copy.db").read_text() == "precious"
    assert [path.name for path in folder.path.iterdir() if "other.db" in path.name or "part" in path.name] == []


def test_a_backup_does_not_migrate(folder: Folder) -> None:
    with folder.store():
        pass
    with sqlite3.connect(folder.path / "newsletter.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    assert folder.run("store", "backup", "copy.db").code == 0
    with sqlite3.connect(folder.path / "copy.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0000",)
    connection.close()


def test_a_store_of_a_newer_version_is_refused_and_check_says_so(folder: Folder) -> None:
    with folder.store():
        pass
    with sqlite3.connect(folder.path / "newsletter.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    folder.run("check").refused(2, "schedules.yaml:", "9999")
    folder.run("store", "migrate").refused(5, "9999")


def test_postgresql_has_its_own_tool(folder: Folder) -> None:
    folder.edit("store: sqlite:///newsletter.db", 'store: "postgresql://news@127.0.0.1:1/news"')
    folder.run("store", "backup", "copy.db").refused(2, "schedules.yaml:", "pg_dump")
    folder.run("check").refused(2, "schedules.yaml:")
