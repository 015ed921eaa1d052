"""What was saved -> the pages that show it: one watcher of templates, settings, scenarios and pictures for any number
of pages.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable
from pathlib import Path

from watchfiles import Change, awatch

_QUIET_MILLISECONDS = 60
_STEP_MILLISECONDS = 5
_KEEP_ALIVE_SECONDS = 15.0
_SURELY_WATCHED_SECONDS = 1.0
_UNFINISHED = ("~", ".swp", ".swx", ".tmp", ".part", ".crdownload")


class Changes:
    """Counts the saves seen. ``files`` are single ones, watched through their folder because editors replace them by
    renaming; ``folders`` are watched with all below them, also where they are made later. ``stop`` ends watcher and
    listeners.
    """

    def __init__(self, files: Iterable[Path], folders: Iterable[Path]) -> None:
        self._files = frozenset(files)
        self._folders = tuple(dict.fromkeys(folders))
        self._watched: set[Path] = set()
        self._seen = 0
        self._changed = asyncio.Condition()
        self.stop = asyncio.Event()

    async def watch(self) -> None:
        """Watch until ``stop`` is set."""
        parents = {path.parent for path in (*self._files, *self._folders)}
        async with asyncio.TaskGroup() as group:
            for parent in sorted(parents):
                if parent.is_dir():
                    group.create_task(self._watch_parent(parent, group))
            self._begin(group)
            await self.stop.wait()
            await self._tell()

    @property
    def seen(self) -> int:
        """How many saves were seen so far."""
        return self._seen

    async def events(self, since: int | None = None) -> AsyncIterator[str]:
        """Server-sent events: one for each save from now on, and comments that keep the connection.

        ``since``: the page shows what so many saves made; what was saved before it began to listen is told at once.
        """
        seen = self._seen if since is None else min(since, self._seen)
        yield "retry: 500\n: here\n\n"
        while not self.stop.is_set():
            try:
                async with asyncio.timeout(_KEEP_ALIVE_SECONDS), self._changed:
                    while self._seen == seen and not self.stop.is_set():
                        await self._changed.wait()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if self._seen != seen:
                seen = self._seen
                yield f"event: changed\ndata: {seen}\n\n"

    async def saves(self) -> AsyncIterator[int]:
        """The number of saves seen, whenever it has grown, until ``stop``."""
        seen = self._seen
        while not self.stop.is_set():
            async with self._changed:
                while self._seen == seen and not self.stop.is_set():
                    await self._changed.wait()
            if self._seen != seen:
                seen = self._seen
                yield seen

    def _begin(self, group: asyncio.TaskGroup) -> bool:
        """Watch each folder that is there and is not watched yet; whether there was one."""
        fresh = [folder for folder in self._folders if folder.is_dir() and folder not in self._watched]
        for folder in fresh:
            self._watched.add(folder)
            group.create_task(self._watch_folder(folder))
        return bool(fresh)

    async def _watch_parent(self, parent: Path, group: asyncio.TaskGroup) -> None:
        names = {path.name for path in (*self._files, *self._folders) if path.parent == parent}

        def wanted(_change: Change, name: str) -> bool:
            return Path(name).name in names

        async for changes in self._awatch(parent, wanted, recursive=False):
            begun = self._begin(group)
            if begun:  # what is saved in it before it is watched, nobody else tells
                group.create_task(self._count_again())
            if begun or self._files & {Path(name) for _, name in changes}:
                await self._count()

    async def _watch_folder(self, folder: Path) -> None:
        def wanted(_change: Change, name: str) -> bool:
            return not Path(name).name.endswith(_UNFINISHED) and not Path(name).name.startswith(".")

        async for _ in self._awatch(folder, wanted, recursive=True):
            await self._count()
            if not folder.is_dir():  # noqa: ASYNC240 - one stat
                break
        self._watched.discard(folder)

    def _awatch(self, path: Path, wanted: object, *, recursive: bool) -> AsyncIterator[Collection[tuple[Change, str]]]:
        return awatch(
            path,
            watch_filter=wanted,  # type: ignore[arg-type]
            recursive=recursive,
            debounce=_QUIET_MILLISECONDS,
            step=_STEP_MILLISECONDS,
            stop_event=self.stop,
            ignore_permission_denied=True,
        )

    async def _count(self) -> None:
        self._seen += 1
        await self._tell()

    async def _count_again(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), _SURELY_WATCHED_SECONDS)
        await self._count()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
