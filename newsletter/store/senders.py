"""Who may send: one lock per sender process, held for its life, and free the moment it dies.

On SQLite an ``flock`` on ``<database>.sender.flock``: one sending process a database. On PostgreSQL a session advisory
lock on a connection of its own, through which every claim and record goes: when the server drops it, they fail too.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from newsletter.errors import SenderLockLost
from newsletter.store import recording
from newsletter.store.database import Store, store_error
from newsletter.store.planning import by_key_in_session
from newsletter.store.tables import senders

P = ParamSpec("P")
T = TypeVar("T")

_LOCK_CLASS = 0x6E6C7364  # "nlsd"
_LOST = "the connection that holds the sender's lock was lost"


class SenderLock(Protocol):
    """A held lock. ``run`` is the only way a sender reaches the ledger."""

    sender: int

    async def run(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``work`` in a writing transaction; raises SenderLockLost when the lock is no longer ours."""
        ...

    async def recover(self, *, keep: Collection[str], now: datetime) -> tuple[int, int]:
        """Deal with the rows of senders that are gone (see ``recording.recover``)."""
        ...

    def close(self, now: datetime) -> None:
        """Give the lock back."""
        ...


def acquire(store: Store, now: datetime) -> SenderLock | None:
    """Become a sender of this store, or None when another process on SQLite is. Raises StoreError."""
    return _FileLock.acquire(store, now) if store.is_sqlite else _AdvisoryLock(store, now)


@asynccontextmanager
async def holding(store: Store, clock: Callable[[], datetime]) -> AsyncIterator[SenderLock | None]:
    """Hold what ``acquire`` gives while inside. Raises StoreError.

    Also whoever is cancelled while still waiting for the lock gives it back: the thread that asks cannot be cancelled.
    """
    acquiring = asyncio.ensure_future(asyncio.to_thread(acquire, store, clock()))
    try:
        lock = await asyncio.shield(acquiring)
    except asyncio.CancelledError:
        lock = await acquiring
        if lock is not None:
            await asyncio.to_thread(lock.close, clock())
        raise
    try:
        yield lock
    finally:
        if lock is not None:
            await asyncio.shield(asyncio.to_thread(lock.close, clock()))


def _register(connection: Connection, now: datetime) -> int:
    row = connection.execute(
        insert(senders).values(host=socket.gethostname(), pid=os.getpid(), started_at=now).returning(senders.c.id)
    )
    return int(row.scalar_one())


def _sign_off(connection: Connection, sender: int, now: datetime) -> None:
    connection.execute(update(senders).where(senders.c.id == sender).values(stopped_at=now))


class _FileLock:
    def __init__(self, store: Store, path: Path, descriptor: int, now: datetime) -> None:
        self._store, self._path, self._descriptor = store, path, descriptor
        self.sender = store.write(_register, now)

    @classmethod
    def acquire(cls, store: Store, now: datetime) -> _FileLock | None:
        assert store.path is not None
        path = store.path.with_name(store.path.name + ".sender.flock")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same_file(descriptor, path):
                return cls(store, path, descriptor, now)
        except BlockingIOError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    async def run(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not _is_same_file(self._descriptor, self._path):
            raise SenderLockLost("the sender's lock file was removed", where=str(self._path))
        return await self._store.write_async(work, *args, **kwargs)

    async def recover(self, *, keep: Collection[str], now: datetime) -> tuple[int, int]:
        # Only one process can hold the file: every other sender named in the ledger is gone.
        def work(connection: Connection) -> tuple[int, int]:
            gone = recording.senders_at_work(connection) - {self.sender}
            return recording.recover(connection, gone, keep=keep, now=now)

        return await self.run(work)

    def close(self, now: datetime) -> None:
        if self._descriptor >= 0:
            self._store.write(_sign_off, self.sender, now)
            os.close(self._descriptor)
            self._descriptor = -1


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(descriptor)
    return (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev)


class _AdvisoryLock:
    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "sender-lock")
        self._connection = store.engine.connect()
        # Of a detached connection that was lost, SQLAlchemy only forgets the session; we close it.
        self._session = self._connection.connection.dbapi_connection
        self._connection.detach()  # never back to the pool: the lock lives and dies with this session
        try:
            with self._connection.begin():
                self.sender = _register(self._connection, now)
                self._connection.execute(select(func.pg_advisory_lock(_LOCK_CLASS, self.sender)))
                by_key_in_session(self._connection)
        except BaseException:
            self._hang_up()
            raise

    async def run(self, work: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        def transaction() -> T:
            if self._connection.invalidated:  # SQLAlchemy would connect anew, and go on without the lock
                raise SenderLockLost(_LOST)
            try:
                with self._connection.begin():
                    return work(self._connection, *args, **kwargs)
            except DBAPIError as error:
                if error.connection_invalidated or self._connection.invalidated:
                    raise SenderLockLost(_LOST) from error
                raise store_error(error, self._store.url) from error

        return await asyncio.wrap_future(self._thread.submit(transaction))

    async def recover(self, *, keep: Collection[str], now: datetime) -> tuple[int, int]:
        def work(connection: Connection) -> tuple[int, int]:
            gone = {
                sender
                for sender in recording.senders_at_work(connection) - {self.sender}
                if connection.execute(select(func.pg_try_advisory_xact_lock(_LOCK_CLASS, sender))).scalar()
            }
            return recording.recover(connection, gone, keep=keep, now=now)

        return await self.run(work)

    def close(self, now: datetime) -> None:
        # In the lock's own thread: what a cancelled caller left there is finished first.
        if self._session is not None:
            self._thread.submit(self._sign_off, now).result()

    def _sign_off(self, now: datetime) -> None:
        try:
            if not self._connection.invalidated:
                with self._connection.begin():
                    _sign_off(self._connection, self.sender, now)
        except DBAPIError as error:
            if not error.connection_invalidated:  # a lost session has no lock to give back
                raise store_error(error, self._store.url) from error
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        session, self._session = self._session, None
        try:
            self._connection.close()
        finally:
            if session is not None:
                session.close()
            self._thread.shutdown(wait=False)
