"""Runs the workbench on 127.0.0.1 until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from newsletter.config.reading import Configuration
from newsletter.errors import UsageError
from newsletter.preview import scenarios
from newsletter.preview.app import create_app
from newsletter.preview.watching import Changes
from newsletter.preview.workbench import Workbench

HOST = "127.0.0.1"
PORT = 8026
_LAST_SECONDS = 2


@dataclass(frozen=True, slots=True)
class Listening:
    """A bound socket and the token of this start."""

    socket: socket.socket
    token: str

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def url(self, query: str = "") -> str:
        """The address to open: it holds the token, which the first answer turns into a cookie."""
        return f"http://{HOST}:{self.port}/?token={self.token}" + (f"&{query}" if query else "")


def listen(port: int | None = None) -> Listening:
    """Bind ``port`` of 127.0.0.1; None takes 8026, or where that is taken any free one. Raises UsageError."""
    for wanted in (PORT, 0) if port is None else (port,):
        with contextlib.suppress(OSError):
            return Listening(socket.create_server((HOST, wanted)), secrets.token_urlsafe(24))
    raise UsageError(f"port {port} of {HOST} cannot be used", where="--port", remedy="Leave --port out")


def changes_of(configuration: Configuration) -> Changes:
    """A watcher of everything that a preview is made from: settings, templates, scenarios and pictures."""
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    folder, logo = configuration.folder, configuration.schedules.site.theme.logo
    files = [configuration.file, folder / ".env", *([configuration.resolve(logo)] if logo is not None else [])]
    pictures = (folder / "assets", configuration.media_folder)
    folders = (*configuration.template_folders, scenarios.folder_of(configuration), *pictures)
    return Changes(files, folders)


class _Server(uvicorn.Server):
    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()  # the signals belong to the command that runs us


async def serve(
    workbench: Workbench, listening: Listening, stop: asyncio.Event, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until ``stop`` is set; ``ready`` is called once the address can be opened."""
    changes = changes_of(workbench.configuration)
    server = _Server(
        uvicorn.Config(
            create_app(workbench, changes, token=listening.token, port=listening.port),
            log_config=None,
            access_log=False,  # its lines would hold the token, and readers' addresses
            lifespan="off",
            timeout_graceful_shutdown=_LAST_SECONDS,
        )
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(changes.watch())
        serving = group.create_task(server.serve(sockets=[listening.socket]))
        waiting = group.create_task(stop.wait())
        ready()
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        changes.stop.set()
        server.should_exit = True
        waiting.cancel()
