"""``editions stop`` in the middle of a send by another process: it halts at once, says who has it, and loses nobody."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from newsletter.store import occurrences
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import wait_for

READERS = 60


def test_a_stop_is_obeyed_by_the_process_that_sends_and_a_resume_mails_the_rest_once(
    tmp_path: Path, store_url: str
) -> None:
    dice = random.Random(5)
    with SmtpServer() as server:

        async def slowly(*_arguments: Any) -> str:
            await asyncio.sleep(dice.uniform(0.8, 1.2))
            return "usual"

        server.on_body = slowly  # so slow that what is claimed ahead of the wire would take seconds
        site = SiteFolder(tmp_path, store_url, server.port, connections=4)
        site.fill(readers=READERS)
        sending = site.start("send", "daily", "--yes", "--no-collect")
        wait_for(lambda: len(server.accepted) > 3, "the first messages")
        with site.open() as store:
            (row,) = [
                one for one in store.read(occurrences.listing, newsletter="daily") if one.state.value == "sending"
            ]
        before = len(server.accepted)
        began = time.monotonic()
        stopped = site.command("editions", "stop", str(row.name), "--because", "wrong picture", "--json").json
        had = len(server.accepted)
        sending.wait(60)
        assert len(server.accepted) == had, "nothing followed the answer of stop"
        assert stopped["deliveries"]["sent"] == had
        assert stopped["deliveries"]["sending"] == stopped["deliveries"]["in_doubt"] == 0
        assert before <= had < READERS - 30, f"it went on for {time.monotonic() - began:.1f} s"
        assert site.command("editions", "resume", str(row.name)).code == 0
        server.on_body = lambda *_arguments: "usual"
        again = site.start("send", "daily", "--yes", "--no-collect")
        assert again.wait(60) == 0, site.log
        assert Counter(server.recipients) == Counter(f"reader{n:05d}@readers.example" for n in range(1, READERS + 1))
