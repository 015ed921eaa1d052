"""What was saved -> the pages that show it: one watcher of templates and ``schedules.yaml`` for any number of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

_QUIET_MILLISECONDS = 60
_STEP_MILLISECONDS = 20
_KEEP_ALIVE_SECONDS = 15.0


class Changes:
    """Counts the saves seen. ``stop`` ends watcher and listeners."""

    def __init__(self, file: Path, folder: Path) -> None:
        self._file, self._folder = file, folder
        self._seen = 0
        self._changed = asyncio.Condition()
        self.stop = asyncio.Event()

    async def watch(self) -> None:
        """Watch until ``stop`` is set. The file is watched through its folder: editors replace it by renaming."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(self._file.parent, only=self._file.name))
            if self._folder.is_dir():
                group.create_task(self._watch(self._folder))
            await self.stop.wait()
            await self._tell()

    async def events(self) -> AsyncIterator[str]:
        """Server-sent events: one for each save from now on, and comments that keep the connection."""
        seen = self._seen
        yield ": here\n\n"
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

    async def _watch(self, path: Path, only: str = "") -> None:
        def wanted(_change: Change, name: str) -> bool:
            found = Path(name)
            return found.name == only if only else not found.name.endswith(("~", ".swp", ".tmp"))

        async for _ in awatch(
            path,
            watch_filter=wanted,
            recursive=not only,
            debounce=_QUIET_MILLISECONDS,
            step=_STEP_MILLISECONDS,
            stop_event=self.stop,
        ):
            self._seen += 1
            await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()
