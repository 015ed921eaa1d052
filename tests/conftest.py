"""Fixtures shared by every room's tests. ``store`` is parametrised: each test that takes it runs on both databases."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from newsletter.store import Store
from tests.support.postgresql import ENVIRONMENT, PostgreSQL

_server = pytest.StashKey[PostgreSQL]()
_TEMPLATE = "newsletter_template"


def _database(server: str, name: str) -> str:
    return f"{server.rpartition('/')[0]}/{name}"


def pytest_configure(config: pytest.Config) -> None:
    """The process that started the run owns the PostgreSQL server; xdist's workers find it in the environment."""
    if ENVIRONMENT in os.environ or config.option.collectonly or hasattr(config, "workerinput"):
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
    if "soak" in (config.option.markexpr or ""):
        return
    left_out = [item for item in items if item.get_closest_marker("soak")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


@pytest.fixture
def new_postgresql() -> Iterator[Callable[[], str]]:
    """Makes migrated databases and returns their URLs; they are dropped after the test."""
    base, made = os.environ[ENVIRONMENT], []

    def make() -> str:
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(base, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        made.append(name)
        return _database(base, name)

    yield make
    with psycopg.connect(base, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path, new_postgresql: Callable[[], str]) -> str:
    """The URL of a fresh database of either kind."""
    return f"sqlite:///{tmp_path}/newsletter.db" if request.param == "sqlite" else new_postgresql()


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh, migrated store of either kind."""
    with Store.open(store_url) as opened:
        yield opened
