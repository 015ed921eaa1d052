"""An unsubscribe over HTTP in the middle of a send: what is answered 200 is kept, counted where the mail arrives.

A message counts as on the wire once the receiving server has the whole of it, answered or not: an unsubscribe waits a
second for one that is, and says so where that was not enough.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from newsletter.members.links import Links
from newsletter.store import subscribers
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted, SmtpServer
from tests.support.waiting import free_port, listens, wait_for

# What the relay takes for an answer, in seconds at most: to a command, and to a body. The last outlasts the page.
RELAYS = {"fast": (0.0, 0.0), "slow": (0.04, 0.04), "stuck": (0.01, 1.6)}


@pytest.mark.parametrize("relay", ["fast", "slow"])
def test_after_its_200_nothing_goes_there_that_was_not_on_the_wire(tmp_path: Path, store_url: str, relay: str) -> None:
    race(tmp_path, store_url, relay, readers=400, leaving=60)


@pytest.mark.soak
@pytest.mark.parametrize("relay", RELAYS)
def test_two_hundred_leave_at_random_instants(tmp_path: Path, store_url: str, relay: str) -> None:
    readers = {"fast": 3_000, "slow": 1_000, "stuck": 400}[relay]
    race(tmp_path, store_url, relay, readers=readers, leaving=200)


def race(tmp_path: Path, store_url: str, relay: str, *, readers: int, leaving: int) -> None:
    """Send to ``readers``, of whom ``leaving`` unsubscribe at random instants of the send."""
    dice = random.Random(f"{relay} {readers}")
    to_command, to_body = RELAYS[relay]
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port, connections=4, web_port=free_port())
        site.fill(readers=readers)
        links = _links(site, dice.sample(range(1, readers + 1), leaving))
        answered: dict[str, float] = {}
        late: list[str] = []
        guard = threading.Lock()

        async def slowly(_verb: str, _argument: str) -> str:
            if to_command:
                await asyncio.sleep(dice.uniform(0, to_command))
            return "usual"

        async def body(accepted: Accepted) -> str:
            with guard:
                if accepted.recipient in answered:
                    late.append(accepted.recipient)
            if to_body:
                await asyncio.sleep(dice.uniform(0, to_body))
            return "usual"

        def leave(address: str) -> None:
            time.sleep(dice.uniform(0, 0.05))  # a random instant, not a wait for something
            request = urllib.request.Request(links[address], data=b"List-Unsubscribe=One-Click", method="POST")
            request.add_header("Content-Type", "application/x-www-form-urlencoded")
            with urllib.request.urlopen(request, timeout=20) as response:
                assert response.status == 200
            with guard:
                answered[address] = time.monotonic()

        server.answer, server.on_body = slowly, body
        with _running(site, "web") as web:
            wait_for(lambda: listens(site.web_port), "the web pages")
            sending = site.start("send", "daily", "--yes", "--no-collect")
            wait_for(lambda: len(server.accepted) > 5, "the first messages")
            with ThreadPoolExecutor(2) as threads:
                list(threads.map(leave, links))
            assert sending.wait(300) == 0, site.log
            assert web.poll() is None
        assert late == [], "mail that was written after its reader had been told that it would not be"
        arrived = set(server.recipients)
        assert len(arrived) == len(server.accepted)
        everybody = {f"reader{number:05d}@readers.example" for number in range(1, readers + 1)}
        assert everybody - links.keys() <= arrived
        if relay != "fast":
            assert len(arrived) < readers, "some of those who left in time were spared"


def _links(site: SiteFolder, numbers: list[int]) -> dict[str, str]:
    """The unsubscribe link of each of these readers, by address."""
    links = Links(f"http://127.0.0.1:{site.web_port}")
    with site.open() as store:
        people = store.read(subscribers.by_addresses, [f"reader{number:05d}@readers.example" for number in numbers])
    assert len(people) == len(numbers)
    return {address: links.unsubscribe(one.id, one.secret, "daily") for address, one in people.items()}


@contextmanager
def _running(site: SiteFolder, command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = site.start(command)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
