"""While ``environment`` is ``staging``, mail leaves to its allow-list alone, whichever way it is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from newsletter.model import OccurrenceState
from newsletter.store import occurrences
from tests.support.site_folder import SiteFolder, not_soon
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, wait_for

ALLOWED = "reader00002@readers.example"
OTHER = "reader00003@readers.example"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_every_way_of_sending_keeps_to_the_list(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = SiteFolder(
            tmp_path,
            store_url,
            server.port,
            web_port=free_port(),
            schedule=not_soon(),
            more=f"seeds: [{OTHER}]\n    seed_wait: 0s",
        )
        file = tmp_path / "schedules.yaml"
        file.write_text(f"environment: staging\nstaging_recipients: [{ALLOWED}]\n{file.read_text()}")
        site.fill(readers=5, stories=3)
        answers = ["554 5.7.1 refused"]
        server.answer = lambda verb, _argument: answers.pop() if verb == "RCPT" and answers else "usual"
        site.command("send", "daily", "--yes", "--no-collect", "--to", OTHER)
        site.command("send", "daily", "--yes", "--no-collect")
        assert server.recipients == [], "refused once"
        assert "staging may not mail" in site.command("send", "daily", "--test", OTHER).err
        with site.open() as store:
            name = str(next(row for row in store.read(occurrences.listing) if row.by_hand).name)
        assert site.command("editions", "retry", name).code == 0
        assert site.command("editions", "stop", name).code == 0
        assert site.command("editions", "resume", name).code == 0
        running = site.start("run")
        wait_for(lambda: ALLOWED in server.recipients, "the one that is allowed", seconds=30)
        with site.open() as store:
            sent = OccurrenceState.SENT
            wait_for(lambda: any(row.state is sent for row in store.read(occurrences.listing)), "the ledger to say so")
        corrected = site.command("editions", "correct", name, "--note", "We were wrong.", "--yes")
        assert corrected.code == 0, corrected.err
        wait_for(lambda: len(server.accepted) >= 2, "its correction", seconds=60)
        running.terminate()
        running.wait(30)
        assert set(server.recipients) == {ALLOWED}, site.log
