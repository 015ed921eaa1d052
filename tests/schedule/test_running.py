"""``newsletter run`` goes on whatever goes wrong in it: a fault of ours costs seconds, never the sending."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from newsletter.config.reading import load
from newsletter.deliver import sending
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import SenderLockLost, StoreBusy
from newsletter.model import DeliveryState, OccurrenceState
from newsletter.schedule import running as schedule_running
from newsletter.schedule.running import run
from newsletter.schedule.work import Work
from newsletter.store import Store, deliveries, occurrences
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import wait_for

READERS = 40
SEVEN = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


@asynccontextmanager
async def running(site: SiteFolder, store: Store, now: datetime) -> AsyncIterator[asyncio.Task[None]]:
    """``newsletter run`` without its pages, from ``now`` on; ended in good order."""
    began, stop = time.monotonic(), asyncio.Event()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    configuration = load(site.path / "schedules.yaml", {})
    task = asyncio.create_task(run(configuration, store, clock, stop, tick=timedelta(seconds=0.1)))
    try:
        yield task
    finally:
        stop.set()
        await asyncio.wait_for(task, 30)


def failing_at(
    faults: Sequence[Exception], when: Callable[[], bool], really: Callable[..., Any]
) -> tuple[Callable[..., Any], list[Exception]]:
    """``really``, but for failing with each of these in turn while ``when`` holds; and those that are still to come."""
    left = list(faults)

    def called(*arguments: Any, **values: Any) -> Any:
        if left and when():
            raise left.pop(0)
        return really(*arguments, **values)

    return called, left


@pytest.mark.parametrize(
    "faults",
    [(ZeroDivisionError("a fault of ours"),), (StoreBusy("busy"), SenderLockLost("lost"), KeyError("a fault of ours"))],
    ids=["of ours", "of the store, of the lock, of ours"],
)
@pytest.mark.parametrize(("where", "what"), [(sending, "claim"), (RelayConnection, "open")], ids=["claim", "connect"])
async def test_a_sender_that_fails_in_the_middle_begins_again_and_everybody_has_one_message(
    tmp_path: Path,
    store_url: str,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    what: str,
    faults: Sequence[Exception],
) -> None:
    with SmtpServer() as server, capture_logs() as said:
        settings = {"zone": "UTC", "connections": 1, "relay": "messages_per_connection: 5"}
        site = SiteFolder(tmp_path, store_url, server.port, **settings)
        site.fill(readers=READERS, seen_at=SEVEN - timedelta(hours=1))
        faulty, left = failing_at(faults, lambda: len(server.accepted) >= READERS // 5, getattr(where, what))
        monkeypatch.setattr(where, what, faulty)

        def all_sent() -> bool:
            rows = store.read(deliveries.listing, newsletter="daily", limit=READERS + 1)
            return Counter(row.state for row in rows) == {DeliveryState.SENT: READERS}

        async with running(site, store, SEVEN - timedelta(seconds=1)) as task:
            await asyncio.to_thread(wait_for, all_sent, "everybody's mail", 30)
            assert not task.done(), "and it still runs"
    assert not left
    assert sum(one["event"].endswith("it will start again") for one in said) == len(faults)
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for accepted in server.accepted:
        ids[accepted.recipient].add(accepted.message_id)
    assert set(ids) == {f"reader{number:05d}@readers.example" for number in range(1, READERS + 1)}
    assert {len(its) for its in ids.values()} == {1}, "what was in doubt went again as the same message"


async def test_what_each_reader_got_is_forgotten_once_it_is_older_than_keep_deliveries(
    tmp_path: Path, store_url: str, store: Store
) -> None:
    def sent() -> int:
        return len(store.read(occurrences.listing, newsletter="daily", states=[OccurrenceState.SENT]))

    def readers() -> int:
        return len(store.read(deliveries.listing, newsletter="daily"))

    def planned_for(day: datetime) -> bool:
        return bool(store.read(occurrences.listing, newsletter="daily", due_from=day))

    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port, zone="UTC")
        site.fill(readers=3, seen_at=SEVEN - timedelta(hours=1))
        async with running(site, store, SEVEN - timedelta(seconds=1)):
            await asyncio.to_thread(wait_for, lambda: sent() == 1, "an edition that is sent", 30)
        async with running(site, store, SEVEN + timedelta(days=89)):
            await asyncio.to_thread(wait_for, lambda: planned_for(SEVEN + timedelta(days=89)), "a tick", 30)
        assert readers() == 3
        async with running(site, store, SEVEN + timedelta(days=91)):
            await asyncio.to_thread(wait_for, lambda: not readers(), "an empty ledger", 30)
    assert sent() == 1


async def test_forgetting_what_is_old_keeps_no_mail_waiting(
    tmp_path: Path, store_url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def forgets_for_long(_store: Store, _before: datetime, _now: datetime, stopping: Callable[[], bool]) -> int:
        wait_for(stopping, "the end of the run", 60)
        ended.set()
        return 0

    monkeypatch.setattr(schedule_running, "prune_deliveries", forgets_for_long)
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port, zone="UTC")
        site.fill(readers=3, seen_at=SEVEN - timedelta(hours=1))
        async with running(site, store, SEVEN - timedelta(seconds=1)):
            await asyncio.to_thread(wait_for, lambda: len(server.accepted) == 3, "everybody's mail", 30)
            assert not ended.is_set()
    assert ended.is_set(), "and it has come to its end with the run"


async def test_a_stop_in_the_middle_of_a_tick_waits_for_it_and_is_no_failure(
    tmp_path: Path, store_url: str, store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def composes_for_long(_work: Work, _now: datetime, stopping: Callable[[], bool]) -> bool:
        begun.set()
        wait_for(stopping, "the end of the run", 60)
        ended.set()
        return False

    monkeypatch.setattr(Work, "advance", composes_for_long)
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port, zone="UTC")
        async with running(site, store, SEVEN):
            await asyncio.to_thread(begun.wait, 30)
    assert ended.is_set()
    assert [one.message for one in caplog.records if one.name.startswith("apscheduler.executors")] == []
