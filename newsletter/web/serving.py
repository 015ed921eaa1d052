"""Serves an application until told to stop, leaving the process's signals alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

import structlog
import uvicorn
from fastapi import FastAPI

from newsletter.errors import ConfigurationError

_GRACE_SECONDS = 10

log = structlog.get_logger()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()  # the signals belong to the command that runs us


async def serve(
    application: FastAPI, host: str, port: int, stop: asyncio.Event, ready: Callable[[], object] = lambda: None
) -> None:
    """Listen on ``host:port`` and answer until ``stop`` is set; ``ready`` is called once it does.

    Raises ConfigurationError where it cannot listen.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port}: {error.strerror}", where="web.listen", remedy="Choose another port"
            ) from error
        server = _Server(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,  # it would hold the tokens of people's links
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_SECONDS,
            ),
            ready,
        )
        log.info("pages", address=f"http://{host}:{port}")
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listening]))
            waiting = group.create_task(stop.wait())
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            waiting.cancel()
