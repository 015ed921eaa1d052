"""Opens the database and runs functions of this room in transactions.

``store.read(work, *args)`` and ``store.write(work, *args)`` call ``work(connection, *args)`` inside one transaction and
return its result; the ``_async`` forms do so off the event loop. On SQLite (WAL, synchronous=FULL) one thread of this
process owns the one writing connection, so writers here queue instead of colliding; other processes wait for the lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, StaticPool

from newsletter.errors import ConfigurationError, StoreBusy, StoreError, StoreFull

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS = 30
_PG_WRITERS = 4
_CLOSE_SECONDS = 10
_FORGET_SECONDS = 2


class Store:
    """One open database. Threads may share it; after a fork open another."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self._reader = _sqlite_engine(url, writing=False)
            self._writer = _sqlite_engine(url, writing=True)
        else:
            self._reader = self._writer = create_engine(
                url, hide_parameters=True, pool_size=_PG_WRITERS + 8, max_overflow=8, pool_pre_ping=True
            )
        self._read_threads = ThreadPoolExecutor(4, "store-read")
        self._write_threads = ThreadPoolExecutor(1 if self.is_sqlite else _PG_WRITERS, "store-write")
        self._in_use = 0
        self._unused = threading.Condition()

    @classmethod
    def open(cls, url: str, *, migrate: bool = True) -> Self:
        """Open the database at ``url``, making or upgrading its tables unless ``migrate`` is False.

        Raises StoreError when it cannot be reached or was made by a newer version, ConfigurationError on a bad URL.
        """
        from newsletter.store import migrating

        store = cls(parse_url(url))
        try:
            if migrate:
                migrating.migrate(store)
            else:
                migrating.require_current(store)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def path(self) -> Path | None:
        """The database file on SQLite, None elsewhere."""
        return Path(self.url.database) if self.is_sqlite and self.url.database else None

    @property
    def engine(self) -> Engine:
        """The writing engine, for migrations and locks; everyone else passes functions."""
        return self._writer

    def read(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work`` in a reading transaction and return its result. Raises StoreError."""
        with self._using(), self._reader.connect() as connection, connection.begin():
            return work(connection, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work`` in a writing transaction, commit, and return its result. Raises StoreError."""
        if self.is_sqlite:
            return self._write_threads.submit(self._write_here, work, *args, **kwargs).result()
        return self._write_here(work, *args, **kwargs)

    async def read_async(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """``read`` off the event loop."""
        return await asyncio.wrap_future(self._read_threads.submit(self.read, work, *args, **kwargs))

    async def write_async(
        self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """``write`` off the event loop. Once started it runs to its end, also when the caller is cancelled."""
        return await asyncio.wrap_future(self._write_threads.submit(self._write_here, work, *args, **kwargs))

    def forget(self) -> bool:
        """Let nothing of what was deleted stay in the write-ahead log; False where others read so that it must wait.

        On SQLite it is emptied into the database, where deleted rows are overwritten. PostgreSQL's own log and dead
        rows are left to its VACUUM and archiving (docs/privacy.md): always True. Blocking, some seconds at most.
        """
        if not self.is_sqlite:
            return True
        return self._write_threads.submit(self._empty_log).result()

    def _empty_log(self) -> bool:
        with self._using(), self._writer.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute(f"PRAGMA busy_timeout={_FORGET_SECONDS * 1000}")
            try:
                [(busy, _, _)] = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                driver.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
        return not busy

    def keep_reading(self) -> KeptReader:
        """A connection of its own for a question asked for every message; to be closed by who asked for it."""
        return KeptReader(self._reader, self.url)

    def close(self) -> None:
        """Wait for what is being read and written, then close every connection."""
        self._write_threads.shutdown(wait=True)
        self._read_threads.shutdown(wait=True)
        with self._unused:  # a connection that comes back to a pool after its disposal would never be closed
            self._unused.wait_for(lambda: not self._in_use, _CLOSE_SECONDS)
        self._reader.dispose()
        self._writer.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _write_here(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self._using(), self._writer.connect() as connection, connection.begin():
            return work(connection, *args, **kwargs)

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Count who holds a connection, and say what goes wrong in our own errors."""
        with self._unused:
            self._in_use += 1
        try:
            yield
        except DBAPIError as error:
            raise store_error(error, self.url) from error
        except SQLAlchemyError as error:
            raise StoreError(f"the database refused: {error}", where=_shown(self.url)) from error
        finally:
            with self._unused:
                self._in_use -= 1
                self._unused.notify_all()


class KeptReader:
    """Asks for one number, again and again, each time what is committed by then. For one thread at a time."""

    def __init__(self, engine: Engine, url: URL) -> None:
        self._engine, self._url = engine, url
        self._connection: PoolProxiedConnection | None = None
        self._cursor: Any = None

    def ask(self, statement: str) -> int:
        """The number a statement without parameters gives, 0 for NULL. Raises StoreError."""
        try:
            if self._cursor is None:
                self._connect()
            self._cursor.execute(statement)
            [(number,)] = self._cursor.fetchall()  # to its end: a read left open would keep seeing the past
            return number or 0
        except self._driver_error as error:
            self.close()
            raise store_error(DBAPIError(statement, (), error), self._url) from error
        except DBAPIError as error:
            self.close()
            raise store_error(error, self._url) from error

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            connection.invalidate()  # it is not as the pool gave it

    def _connect(self) -> None:
        self._connection = self._engine.raw_connection()
        driver: Any = self._connection.dbapi_connection
        if not isinstance(driver, sqlite3.Connection):
            driver.autocommit = True
        self._cursor = driver.cursor()

    @property
    def _driver_error(self) -> type[Exception]:
        error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        return error


def parse_url(text: str) -> URL:
    """``sqlite:///file`` or ``postgresql://…`` as an SQLAlchemy URL with our drivers. Raises ConfigurationError."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigurationError(
            "store is not a database URL", remedy="Write sqlite:///newsletter.db or postgresql://user@host/name"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite" and url.database and url.database != ":memory:":
        return url.set(drivername="sqlite+pysqlite")
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise ConfigurationError(
        f"store cannot be {backend} {url.database or ''}".rstrip(),
        remedy="Write sqlite:///newsletter.db or postgresql://user@host/name",
    )


def store_error(error: DBAPIError, url: URL) -> StoreError:
    """The leaf of our hierarchy that says what happened to the database."""
    text = str(error.orig or error).strip().splitlines()[0]
    where = _shown(url)
    lowered = text.lower()
    if "disk is full" in lowered or "disk i/o error" in lowered or "no space left" in lowered:
        return StoreFull(
            f"the disk is full or cannot be written ({text})", where=where, remedy="Free space, then go on"
        )
    if "database is locked" in lowered or "database is busy" in lowered:
        return StoreBusy(
            f"another process has held the database's lock for {BUSY_SECONDS} s", where=where, remedy="Try again"
        )
    if "unable to open database" in lowered:
        return StoreError("the database file cannot be opened", where=where, remedy="Check that its folder is writable")
    return StoreError(f"the database refused: {text}", where=where)


def _shown(url: URL) -> str:
    return url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def _sqlite_engine(url: URL, *, writing: bool) -> Engine:
    arguments: dict[str, Any] = {"connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False}}
    if writing:
        arguments["poolclass"] = StaticPool
    engine = create_engine(url, hide_parameters=True, **arguments)  # a traceback in the log names no reader

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves; the driver's own rules split transactions
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # what is deleted is overwritten: an erased reader is in no free page, nor in a backup
            f"busy_timeout={BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if not writing:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
