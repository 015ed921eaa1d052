"""What is saved is told to every page, whenever it began to listen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from newsletter.preview.watching import Changes


@asynccontextmanager
async def watched(file: Path) -> AsyncIterator[Changes]:
    changes = Changes([file], [])
    watching = asyncio.create_task(changes.watch())
    try:
        yield changes
    finally:
        changes.stop.set()
        await asyncio.wait_for(watching, 10)


async def save(file: Path, changes: Changes) -> None:
    """Save until it is seen: nobody says when the watcher has begun."""
    before = changes.seen
    async with asyncio.timeout(10):
        while changes.seen == before:
            file.write_text(file.read_text() + "x")
            await asyncio.sleep(0.02)


async def told(changes: Changes, since: int | None) -> int:
    """The next save that a page is told of which shows what ``since`` saves made."""
    async for event in changes.events(since):
        if event.startswith("event: changed"):
            return int(event.partition("data: ")[2])
    raise AssertionError("it has ended")


async def test_what_was_saved_before_a_page_began_to_listen_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "schedules.yaml"
    file.write_text("a")
    async with watched(file) as changes:
        shown = changes.seen
        await save(file, changes)
        assert await asyncio.wait_for(told(changes, shown), 10) > shown


@pytest.mark.parametrize("ahead", [0, None, 1000], ids=["up to date", "says nothing", "of a watcher before this one"])
async def test_what_a_page_shows_already_is_not_told_again(tmp_path: Path, ahead: int | None) -> None:
    file = tmp_path / "schedules.yaml"
    file.write_text("a")
    async with watched(file) as changes:
        await save(file, changes)
        since = None if ahead is None else changes.seen + ahead
        listening = asyncio.create_task(told(changes, since))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not listening.done()
        before = changes.seen
        await save(file, changes)
        assert await asyncio.wait_for(listening, 10) > before
