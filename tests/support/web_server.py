"""The public pages served by a real uvicorn on a free port of 127.0.0.1, and a site to serve them for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from newsletter.collect.parsing import Parser
from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.store import Store
from newsletter.web.app import create_app
from newsletter.web.files import BrowserCopy
from newsletter.web.offers import TakePicture
from tests.builders import NOW

SITE = """\
site: {{name: The Daily Example, url: "https://news.example", postal_address: "1 Press Lane, Chennai 600002, India",
       timezone: Asia/Kolkata, language: en, theme: {{accent: "#7a1f1f"}}}}
web: {{url: "{url}"}}
relays: {{main: {{host: 127.0.0.1, port: 2525, tls: none}}}}
sources: {sources}
newsletters:
  daily:
    title: The Daily Example
    description: The day's news from every desk, at seven each morning.
    from: "The Daily Example <daily@news.example>"
    schedule: {{at: "07:00"}}
    sections: [{{name: National}}, {{name: World}}, {{name: Sport & Games}}]
  weekly:
    title: The Weekend
    description: Long reads for Saturday.
    from: "The Weekend <weekly@news.example>"
    schedule: {{at: "08:00", days: [sat]}}
    sections: [{{name: Reads}}]
"""


DESK = "{desk: {folder: inbox, section: World}}"


def a_site(folder: Path, url: str = "http://127.0.0.1:8025", sources: str = DESK) -> Configuration:
    """A configuration with the newsletters ``daily`` (three sections) and ``weekly`` (one) in ``folder``."""
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "media").mkdir(exist_ok=True)
    file = folder / "schedules.yaml"
    file.write_text(SITE.format(url=url, sources=sources), encoding="utf-8")
    return load(file, {}, keys=SiteKeys.of_one(b"k" * 32))


@asynccontextmanager
async def served(
    configuration: Configuration,
    store: Store,
    *,
    clock: Callable[[], datetime] = lambda: NOW,
    browser_copy: BrowserCopy | None = None,
    parser: Parser | None = None,
    take_picture: TakePicture | None = None,
) -> AsyncIterator[str]:
    """The address of the running server, without a trailing slash."""
    with contextlib.ExitStack() as closing:
        reading = parser or closing.enter_context(Parser(1))  # it starts its process when something is pushed
        app = create_app(
            configuration, store, clock=clock, parser=reading, browser_copy=browser_copy, take_picture=take_picture
        )
        async with _listening(app) as base:
            yield base


@contextmanager
def served_in_a_thread(configuration: Configuration, store: Store, **how: Any) -> Iterator[str]:
    """The same for who does not wait for it: a browser driven from a test that is no coroutine."""
    loop, ready, base = asyncio.new_event_loop(), threading.Event(), ""
    stop = asyncio.Event()

    async def serve() -> None:
        nonlocal base
        async with served(configuration, store, **how) as base:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield base
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


@asynccontextmanager
async def _listening(app: FastAPI) -> AsyncIterator[str]:
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted; without, each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    access = logging.getLogger("uvicorn.access")
    before = access.level
    access.setLevel(logging.INFO)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
            if task.done():
                task.result()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
        access.setLevel(before)
