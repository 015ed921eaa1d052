"""An unsubscribe over HTTP in the middle of a send: what is answered 200 is kept, counted where the mail arrives."""

from __future__ import annotations

import asyncio
import random
import signal
import threading
import urllib.request
from pathlib import Path
from typing import Any

from newsletter.members.links import Links
from newsletter.store import subscribers
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted, SmtpServer
from tests.support.waiting import free_port, listens, wait_for

READERS = 400
LEAVING = 60


def test_after_its_200_nothing_goes_there_that_was_not_on_the_wire(tmp_path: Path, store_url: str) -> None:
    dice = random.Random(3)
    with SmtpServer() as server:

        async def slowly(*_arguments: Any) -> str:
            await asyncio.sleep(dice.uniform(0, 0.04))
            return "usual"

        server.answer = slowly
        server.on_body = slowly
        site = SiteFolder(tmp_path, store_url, server.port, connections=4, web_port=free_port())
        site.fill(readers=READERS)
        port = int(site_web_port(site))
        with site.open() as store:
            leaving = []
            links = Links(f"http://127.0.0.1:{port}")
            for number in dice.sample(range(1, READERS + 1), LEAVING):
                person = store.read(subscribers.by_address, f"reader{number:05d}@readers.example")
                assert person is not None
                leaving.append((person.address, links.unsubscribe(person.id, person.secret, "daily")))
        web = site.start("web")
        sending = None
        try:
            wait_for(lambda: listens(port), "the web pages")
            sending = site.start("send", "daily", "--yes", "--no-collect")
            late = unsubscribe_while_it_runs(server, leaving)
            assert sending.wait(120) == 0, site.log
        finally:
            for process in filter(None, (web, sending)):
                process.send_signal(signal.SIGTERM)
                process.wait(20)
        assert late == [], "mail that arrived after its reader had been told that it would not"
        arrived = set(server.recipients)
        assert len(arrived) == len(server.accepted)
        stayed = {f"reader{n:05d}@readers.example" for n in range(1, READERS + 1)} - {who for who, _ in leaving}
        assert stayed <= arrived
        assert len(arrived) < READERS, "some of those who left in time were spared"


def site_web_port(site: SiteFolder) -> str:
    text = (site.path / "schedules.yaml").read_text()
    return text.partition('listen: "127.0.0.1:')[2].partition('"')[0]


def unsubscribe_while_it_runs(server: SmtpServer, leaving: list[tuple[str, str]]) -> list[str]:
    """POST each link in turn while mail is accepted; who got mail after the 200."""
    answered: dict[str, bool] = {}
    late: list[str] = []
    guard = threading.Lock()

    def after_acceptance(accepted: Accepted) -> None:
        with guard:
            if answered.get(accepted.recipient):
                late.append(accepted.recipient)

    server.after_body = after_acceptance
    wait_for(lambda: len(server.accepted) > 5, "the first messages")
    for address, link in leaving:
        request = urllib.request.Request(link, data=b"List-Unsubscribe=One-Click", method="POST")
        request.add_header("Content-Type", "application/x-www-form-urlencoded")
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status == 200
        with guard:
            answered[address] = True
    return late
