"""Fixtures shared by every room's tests. ``store`` is parametrised: each test that takes it runs on both databases."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings

from newsletter.store import Store, migrating, tables
from tests.support.postgresql import ENVIRONMENT, PostgreSQL
from tests.support.waiting import wait_for

# An example is as slow as the machine: a busy one would fail tests that are right.
settings.register_profile("newsletter", deadline=None)
settings.load_profile("newsletter")

_server = pytest.StashKey[PostgreSQL]()
_TEMPLATE = "newsletter_template"


def _database(server: str, name: str) -> str:
    return f"{server.rpartition('/')[0]}/{name}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--without-postgresql",
        action="store_true",
        help="start no PostgreSQL server and leave out the tests that need one (for `make check`)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """The process that started the run owns the PostgreSQL server; xdist's workers find it in the environment."""
    elsewhere = ENVIRONMENT in os.environ or hasattr(config, "workerinput")
    if elsewhere or config.option.collectonly or config.option.without_postgresql:
        return
    server = PostgreSQL()
    config.stash[_server] = server
    os.environ[ENVIRONMENT] = server.url
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    Store.open(_database(server.url, _TEMPLATE)).close()


def pytest_unconfigure(config: pytest.Config) -> None:
    server = config.stash.get(_server, None)
    if server is not None:
        server.stop()
        os.environ.pop(ENVIRONMENT, None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked ``soak`` are left out (not skipped) unless asked for with ``-m soak``."""
    soaking = "soak" in (config.option.markexpr or "")
    left_out = [
        item
        for item in items
        if (item.get_closest_marker("soak") and not soaking)
        or (config.option.without_postgresql and _needs_postgresql(item))
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _needs_postgresql(item: pytest.Item) -> bool:
    if "store_url" in getattr(item, "fixturenames", ()):
        return bool(item.callspec.params["store_url"] == "postgresql")  # type: ignore[attr-defined]
    return "new_postgresql" in getattr(item, "fixturenames", ())


_idle: list[str] = []
"""Databases that this process made before and has emptied: a tenth of the cost of new ones."""


@pytest.fixture
def new_postgresql() -> Iterator[Callable[[], str]]:
    """Gives out fresh, migrated databases by URL; after the test they are emptied for the next."""
    taken: list[str] = []

    def make() -> str:
        server = os.environ[ENVIRONMENT]
        if not _idle:
            name = f"test_{uuid.uuid4().hex}"
            with psycopg.connect(server, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
            _idle.append(name)
        taken.append(_idle.pop())
        return _database(server, taken[-1])

    yield make
    for name in taken:
        if _emptied(os.environ[ENVIRONMENT], name):
            _idle.append(name)


def _emptied(server: str, name: str) -> bool:
    """Take every row and every other connection from a database; False (and it is gone) where its tables changed."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    known = set(tables.metadata.tables)
    with psycopg.connect(_database(server, name)) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        whole = {table for (table,) in found} == known | {"alembic_version"}
        if whole:
            connection.execute("SET session_replication_role = replica")  # rows go in any order
            for table in known:
                connection.execute(f'DELETE FROM "{table}"')
            for (sequence,) in connection.execute("SELECT relname FROM pg_class WHERE relkind = 'S'").fetchall():
                connection.execute(f'ALTER SEQUENCE "{sequence}" RESTART')
            connection.execute("UPDATE alembic_version SET version_num = %s", (migrating.HEAD,))
    if not whole:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return whole


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database to copy: a tenth of the cost of migrating a new one."""
    path = tmp_path_factory.mktemp("store") / "newsletter.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(
    request: pytest.FixtureRequest, tmp_path: Path, new_postgresql: Callable[[], str], migrated_sqlite: Path
) -> str:
    """The URL of a fresh database of either kind."""
    if request.param == "postgresql":
        return new_postgresql()
    shutil.copyfile(migrated_sqlite, tmp_path / "newsletter.db")
    return f"sqlite:///{tmp_path}/newsletter.db"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh, migrated store of either kind."""
    with Store.open(store_url) as opened:
        yield opened
    if not opened.is_sqlite:
        wait_for(lambda: not _sessions(store_url), "every connection of this test to be closed", 10)


def _sessions(url: str) -> int:
    """How many others are connected to this PostgreSQL database."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        ).fetchone()
    assert row is not None
    return int(row[0])
