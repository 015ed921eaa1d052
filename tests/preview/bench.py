"""The workbench of a site, served by a real uvicorn in a thread, and a client that can lie about its origin."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

from newsletter.cli.previewing import turns_to_send
from newsletter.config.reading import Configuration, load
from newsletter.preview import serving
from newsletter.preview.choice import Choice
from newsletter.preview.workbench import Workbench
from newsletter.schedule.inbox import inbox
from newsletter.schedule.logo import publish_logo
from newsletter.schedule.testing import transmit_test
from newsletter.store import Store
from tests.builders import NOW
from tests.support.site_folder import SiteFolder

READER = "reader00001@readers.example"


def a_site(folder: Path, *, readers: int = 1, stories: int = 3, url: str = "", **settings: str) -> SiteFolder:
    """A site whose newsletter ``daily`` has this many readers and stories, first seen a minute before NOW."""
    port = settings.pop("port", 2525)
    site = SiteFolder(folder, url or f"sqlite:///{folder}/newsletter.db", int(port), **settings)
    site.fill(readers=readers, stories=stories, seen_at=NOW - timedelta(minutes=1))
    return site


def configuration_of(site: SiteFolder) -> Configuration:
    return load(site.path / "schedules.yaml", {})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Bench:
    """A running workbench."""

    port: int
    token: str
    url: str

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str = "/", *, method: str = "GET", known: bool = True, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, with the cookie of this start unless not ``known``; header names of the answer in lower case."""
        sent = {"Cookie": f"newsletter-preview-{self.port}={self.token}"} if known else {}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, headers={**sent, **(headers or {})})
            response = connection.getresponse()
            body = response.read().decode("utf-8", "replace")
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)
        finally:
            connection.close()


@contextmanager
def bench(site: SiteFolder, *, now: datetime = NOW) -> Iterator[Bench]:
    """The workbench of ``site``, at ``now``, as the command makes it, until the block ends."""
    configuration = configuration_of(site)
    with Store.open(site.store_url) as store:
        workbench = Workbench(
            configuration,
            lambda: configuration_of(site),
            store,
            lambda: now,
            Choice("daily"),
            turns=turns_to_send,
            logo=publish_logo,
            post=transmit_test,
            inbox=inbox,
        )
        listening = serving.listen(0)
        loop, stop, ended = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

        def run() -> None:
            try:
                loop.run_until_complete(serving.serve(workbench, listening, stop))
            finally:
                loop.close()
                ended.set()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield Bench(listening.port, listening.token, listening.url())
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(20)
            assert ended.is_set(), "the workbench did not stop"
            listening.socket.close()
