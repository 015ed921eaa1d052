"""Staff get an edition before everybody else, and an edition that is refused is held: real processes, a real server."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from newsletter.model import OccurrenceState, Reason
from newsletter.store import occurrences
from newsletter.store.occurrences import OccurrenceRow
from tests.support.site_folder import SiteFolder, not_soon
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, wait_for

READERS = 30
SEEDS = ["reader00021@readers.example", "reader00022@readers.example"]


def site_of(path: Path, store_url: str, server: SmtpServer, more: str) -> SiteFolder:
    site = SiteFolder(path, store_url, server.port, connections=3, web_port=free_port(), more=more, schedule=not_soon())
    site.fill(readers=READERS)
    return site


def seeded(wait: str) -> str:
    return f"seeds: [{', '.join(SEEDS)}]\n    seed_wait: {wait}"


def the_row(site: SiteFolder) -> OccurrenceRow:
    with site.open() as store:
        return next(row for row in store.read(occurrences.listing) if row.state is not OccurrenceState.PLANNED)


def everyone() -> Counter[str]:
    return Counter(f"reader{number:05d}@readers.example" for number in range(1, READERS + 1))


def test_seeds_get_it_first_and_after_a_kill_in_the_wait_the_rest_follows_once(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = site_of(tmp_path, store_url, server, seeded("5s"))
        sending = site.start("send", "daily", "--yes", "--no-collect")
        wait_for(lambda: len(server.accepted) == 2, "the seeds")
        os.killpg(sending.pid, signal.SIGKILL)
        sending.wait()
        assert sorted(server.recipients) == SEEDS
        shown = site.command("editions", "show", str(the_row(site).name)).out
        assert "The seeds have it; everybody else gets it from" in shown
        running = site.start("run")
        wait_for(lambda: len(server.accepted) >= READERS, "the rest", seconds=60)
        running.terminate()
        assert running.wait(30) == 0, site.log
        assert set(server.recipients) == set(everyone())
        twice = Counter(server.recipients) - everyone()
        assert set(twice) <= set(SEEDS), "whose mail was in doubt at the kill, and nobody else"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_seed_that_fails_holds_it_and_a_release_sends_it_to_the_rest(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = site_of(tmp_path, store_url, server, seeded("1s"))
        server.answer = lambda verb, argument: (
            "550 5.7.1 looks like spam" if verb == "RCPT" and SEEDS[0] in argument else "usual"
        )
        ran = site.command("send", "daily", "--yes", "--no-collect")
        assert ran.code != 0
        assert "reader00021@readers.example did not get it" in ran.err
        assert "looks like spam" in ran.err
        assert server.recipients == [SEEDS[1]]
        row = the_row(site)
        assert (row.state, row.reason) == (OccurrenceState.HELD, Reason.SEED_FAILED)
        assert site.command("editions", "release", str(row.name)).code == 0
        again = site.command("send", "daily", "--yes", "--no-collect")
        assert Counter(server.recipients) == everyone() - Counter(SEEDS[:1]), again.err


def test_stop_during_the_wait_keeps_it_from_everybody_else(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = site_of(tmp_path, f"sqlite:///{tmp_path}/n.db", server, seeded("10m"))
        sending = site.start("send", "daily", "--yes", "--no-collect")
        wait_for(lambda: len(server.accepted) == 2, "the seeds")
        assert site.command("editions", "stop", str(the_row(site).name)).code == 0
        sending.wait(30)
        assert sorted(server.recipients) == SEEDS


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_an_edition_that_is_refused_too_often_is_held_loudly_and_goes_on_when_it_is_released(
    tmp_path: Path, store_url: str
) -> None:
    with SmtpServer() as server:
        site = site_of(tmp_path, store_url, server, "failing: {share: 0.2, after: 5}")
        server.on_body = lambda _accepted: "554 5.7.1 message refused"
        ran = site.command("send", "daily", "--yes", "--no-collect")
        assert ran.code != 0
        assert "messages were refused, more than 20%" in ran.err
        row = the_row(site)
        assert (row.state, row.reason) == (OccurrenceState.HELD, Reason.DELIVERY_FAILING)
        assert server.accepted == []
        server.on_body = lambda _accepted: "usual"
        assert site.command("editions", "release", str(row.name)).code == 0
        site.command("send", "daily", "--yes", "--no-collect")
        got = Counter(server.recipients)
        assert 0 < len(got) < READERS, "the refused are not tried again by themselves"
        site.command("editions", "retry", str(row.name))
        site.command("send", "daily", "--yes", "--no-collect")
        assert Counter(server.recipients) == everyone()
