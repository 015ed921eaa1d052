"""The sender's lock: given back whatever becomes of whoever asked for it."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, select, text

from newsletter.errors import SenderLockLost
from newsletter.store import Store, senders, tables

NOW = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
_LOCKS = """SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND d.datname = current_database()"""

_TERMINATE = "pg_terminate_backend(l.pid)"


def clock() -> datetime:
    return NOW


def locks_held(store: Store) -> int:
    """Advisory locks of senders on PostgreSQL; on SQLite 1 where nobody else can become the sender."""
    if not store.is_sqlite:
        return int(store.read(lambda connection: connection.execute(text(_LOCKS)).scalar_one()))
    lock = senders.acquire(store, NOW)
    if lock is None:
        return 1
    lock.close(NOW)
    return 0


def at_work(store: Store) -> int:
    columns = tables.senders.c
    return len(
        store.read(lambda connection: connection.execute(select(columns.id).where(columns.stopped_at.is_(None))).all())
    )


async def test_the_lock_is_held_inside_and_free_outside(store: Store) -> None:
    async with senders.holding(store, clock) as lock:
        assert lock is not None
        assert locks_held(store) == 1
    assert (locks_held(store), at_work(store)) == (0, 0)


async def test_whoever_is_cancelled_while_waiting_for_the_lock_gives_it_back(store: Store, store_url: str) -> None:
    blocked, go_on = threading.Event(), threading.Event()

    def block(connection: Connection) -> None:
        if not store.is_sqlite:
            connection.execute(text("LOCK TABLE senders IN EXCLUSIVE MODE"))
        blocked.set()
        assert go_on.wait(20)

    async def become_the_sender() -> None:
        async with senders.holding(store, clock):
            pytest.fail("cancelled before it had the lock")

    with Store.open(store_url) as other:
        blocking = threading.Thread(target=other.write, args=(block,))
        blocking.start()
        assert await asyncio.to_thread(blocked.wait, 20)
        waiting = asyncio.create_task(become_the_sender())
        await asyncio.sleep(0)  # it has asked
        waiting.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.to_thread(blocking.join, 20)
    assert (locks_held(store), at_work(store)) == (0, 0)


async def test_closing_waits_for_what_a_cancelled_caller_left_at_work(store: Store) -> None:
    working, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        connection.execute(select(1))
        working.set()
        assert go_on.wait(20)

    async with senders.holding(store, clock) as lock:
        assert lock is not None
        running = asyncio.create_task(lock.run(slow))
        assert await asyncio.to_thread(working.wait, 20)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        threading.Timer(0.1, go_on.set).start()
    assert (locks_held(store), at_work(store)) == (0, 0)


async def test_a_lost_lock_stays_lost_for_everyone_who_comes_after(store: Store) -> None:
    async with senders.holding(store, clock) as lock:
        assert lock is not None
        if store.is_sqlite:
            assert store.path is not None
            store.path.with_name(store.path.name + ".sender.flock").unlink()
        else:
            store.write(lambda connection: connection.execute(text(_LOCKS.replace("count(*)", _TERMINATE))).all())
        for _ in range(2):
            with pytest.raises(SenderLockLost):
                await lock.run(lambda connection: connection.execute(select(1)).all())
