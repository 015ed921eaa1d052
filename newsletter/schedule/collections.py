"""Collecting while ``newsletter run`` goes on: each source in a task of its own, so that a slow one delays no other.

A tick starts what is due and not already under way; it waits for nothing. A folder is watched, and collected as soon as
something in it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial

import structlog
from watchfiles import awatch

from newsletter.collect.collecting import collect_configured, due_sources
from newsletter.collect.illustrating import Illustrating
from newsletter.collect.parsing import Parser
from newsletter.config.models import Source
from newsletter.config.reading import Configuration
from newsletter.deliver.sending import Clock
from newsletter.errors import StoreError
from newsletter.net import Fetcher
from newsletter.net.robots import Robots
from newsletter.store import Store, sources

log = structlog.get_logger()

_PICTURES = "(pictures)"  # no source's name
_WATCH_DEBOUNCE_MILLISECONDS = 400


class Collections:
    """The collections of one process. ``start_due`` may be called as often as one likes."""

    def __init__(
        self, configuration: Configuration, store: Store, fetcher: Fetcher, parser: Parser, clock: Clock
    ) -> None:
        self._configuration, self._store, self._clock = configuration, store, clock
        self._fetcher, self._parser, self._robots = fetcher, parser, Robots(fetcher)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._failed: StoreError | None = None
        self._illustrating = Illustrating(store, fetcher, parser, configuration.media_folder)

    async def start_due(self) -> None:
        """Start collecting what is due. Raises the StoreError of a collection that ended since."""
        failed, self._failed = self._failed, None
        if failed is not None:
            raise failed
        rows = await self._store.read_async(sources.list_sources)
        wanted = self._configuration.schedules.sources
        now, before = self._clock(), {row.name: row.last_attempt_at for row in rows}
        for name in due_sources(rows, wanted, now):
            if name in self._under_way or not await self._claimed(name, wanted[name], before.get(name), now):
                continue
            self._start(name, partial(self._collect, name, wanted[name]))
        self._start(_PICTURES, self._illustrate)

    async def _claimed(self, name: str, source: Source, before: datetime | None, now: datetime) -> bool:
        """Whether this attempt is ours: two processes on one store ask each source once."""
        return await self._store.write_async(sources.claim, name, source.kind, source.location, before=before, now=now)

    def _start(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin this in a task of its own, unless it is under way."""
        if name not in self._under_way:
            self._under_way[name] = asyncio.create_task(work(), name=name)
            self._under_way[name].add_done_callback(partial(self._ended, name))

    def _ended(self, name: str, _task: asyncio.Task[None]) -> None:
        self._under_way.pop(name, None)

    async def _illustrate(self) -> None:
        try:
            number = await self._illustrating.look(self._configuration.schedules.sources, self._clock())
        except StoreError as error:
            self._failed = error
            return
        if number:
            log.info("pictures copied", articles=number)

    async def idle(self) -> None:
        """Return when nothing that was started is still under way."""
        while self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    async def watch_folders(self) -> None:
        """Have each folder collected as soon as it changes, until cancelled."""
        root = self._configuration.folder
        folders = {
            name: (root / source.folder).resolve()
            for name, source in self._configuration.schedules.sources.items()
            if source.folder is not None and (root / source.folder).is_dir()
        }
        if not folders:
            return
        async for changes in awatch(*set(folders.values()), debounce=_WATCH_DEBOUNCE_MILLISECONDS):
            for name, folder in folders.items():
                if any(path.startswith(str(folder)) for _change, path in changes):
                    source = self._configuration.schedules.sources[name]
                    await self._store.write_async(
                        sources.request_poll, name, source.kind, source.location, self._clock()
                    )

    async def close(self) -> None:
        """End what is under way; it is done again next time."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _collect(self, name: str, source: Source) -> None:
        try:
            [result] = await collect_configured(
                self._configuration,
                {name: source},
                store=self._store,
                fetcher=self._fetcher,
                parser=self._parser,
                now=self._clock(),
                robots=self._robots,
            )
        except StoreError as error:
            self._failed = error
            return
        if result.error:
            log.warning("source failed", source=name, error=result.error, retired=result.retired)
        elif result.new or result.changed:
            log.info("collected", source=name, new=result.new, changed=result.changed)
        for warning in result.warnings:
            log.warning("left out", source=name, warning=warning)
