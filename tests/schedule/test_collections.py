"""Collecting while everything else goes on: a slow source delays no other, and a folder is watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.collect.parsing import Parser
from newsletter.config.reading import load
from newsletter.net import Fetcher
from newsletter.schedule.collections import Collections
from newsletter.store import Store, articles, sources
from tests.collect.feeds import item, rss
from tests.net.publisher import Publisher, never_ending, publishing
from tests.support.site_folder import SiteFolder


def clock() -> datetime:
    return datetime.now(UTC)


async def until(condition: object, seconds: float = 20) -> None:
    """Wait until ``condition()`` holds."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(2) as pool:
        yield pool


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as running:
        yield running


@pytest.fixture
async def collections(
    tmp_path: Path, store: Store, store_url: str, publisher: Publisher, parser: Parser
) -> AsyncIterator[Collections]:
    site = SiteFolder(tmp_path, store_url, 25)
    file = tmp_path / "schedules.yaml"
    (tmp_path / "inbox").mkdir()
    lines = f"""sources:
  endless: {{feed: "{publisher.url("/endless")}", allow_private: true, every: 1s, fetch_timeout: 60s}}
  front: {{feed: "{publisher.url("/feed")}", allow_private: true, every: 1s}}
  inbox: {{folder: inbox, every: 1h}}
"""
    file.write_text(file.read_text().replace("newsletters:\n", f"{lines}newsletters:\n", 1))
    publisher.pages |= {"/endless": never_ending(), "/feed": rss(item(1))}
    async with Fetcher(jitter=timedelta()) as fetcher:
        made = Collections(load(file, {}), store, fetcher, parser, clock)
        yield made
        await made.close()
    assert site.path == tmp_path


async def test_a_source_that_never_ends_delays_no_other(
    collections: Collections, publisher: Publisher, store: Store
) -> None:
    def stories() -> int:
        return len(store.read(articles.list_articles, source="front"))

    await collections.start_due()
    await until(lambda: stories() == 1)
    publisher.pages["/feed"] = rss(item(1), item(2))

    async def again() -> None:
        while stories() < 2:
            await collections.start_due()
            await asyncio.sleep(0.05)

    await asyncio.wait_for(again(), 20)
    assert len([request for request in publisher.asked if request.path == "/endless"]) == 1, "and is asked only once"


async def test_a_file_put_into_a_watched_folder_is_collected_at_once(
    collections: Collections, store: Store, tmp_path: Path
) -> None:
    await collections.start_due()

    def tried() -> bool:
        row = store.read(sources.get, "inbox")
        return row is not None and row.last_attempt_at is not None

    await until(tried)
    watching = asyncio.create_task(collections.watch_folders())

    def asked_for() -> bool:
        # The watcher begins a moment after its task does, so the file is changed until it is seen.
        (tmp_path / "inbox" / "flood.txt").write_text(f"Flood in Ranipur\n\nWater rose overnight. {clock()}")
        row = store.read(sources.get, "inbox")
        return row is not None and row.poll_requested_at is not None

    try:
        await until(asked_for)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def test_closing_ends_what_is_under_way(collections: Collections) -> None:
    await collections.start_due()
    await asyncio.wait_for(collections.close(), 10)
    await asyncio.wait_for(collections.idle(), 1)


async def test_two_processes_on_one_store_ask_each_source_once(
    collections: Collections, publisher: Publisher, store: Store, store_url: str, parser: Parser, tmp_path: Path
) -> None:
    with Store.open(store_url) as other_store:
        async with Fetcher(jitter=timedelta()) as fetcher:
            other = Collections(load(tmp_path / "schedules.yaml", {}), other_store, fetcher, parser, clock)
            await asyncio.gather(collections.start_due(), other.start_due())
            await until(lambda: len(store.read(articles.list_articles, source="front")) == 1)
            asked = [request.path for request in publisher.asked]
            assert (asked.count("/feed"), asked.count("/endless")) == (1, 1)
            await other.close()
