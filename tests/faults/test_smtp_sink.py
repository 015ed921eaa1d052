"""Postfix's smtp-sink with its failure flags: a bad server by somebody else's hand.

Only in `make soak`: `make test` asks for no Postfix.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.store import tables
from tests.faults.test_bad_servers import to_the_end
from tests.faults.verdicts import Fault
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted
from tests.support.waiting import free_port, listens, wait_for

READERS = 40
CONNECTIONS = 4
_SINK = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin:/usr/lib/postfix/sbin")


class Sink:
    """One address where now this smtp-sink listens, now that; ``accepted`` is what all of them took."""

    def __init__(self, kept: Path) -> None:
        self.port, self._kept = free_port(), kept
        kept.chmod(0o777)  # as root it wants to be another user

    @contextmanager
    def listening(self, *flags: str) -> Iterator[None]:
        assert _SINK, "smtp-sink is needed: install the package postfix; it need not run"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [_SINK, *user, "-d", f"{self._kept}/%H%M%S.", *flags, f"127.0.0.1:{self.port}", "128"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: listens(self.port), "smtp-sink", 10)
            yield
        finally:
            process.terminate()
            process.wait(10)

    @property
    def accepted(self) -> list[Accepted]:
        dumps = [file.read_bytes() for file in sorted(self._kept.iterdir())]
        return [_read(dump) for dump in dumps if b"X-Rcpt-Args: " in dump]  # else it took nobody's


def _read(dump: bytes) -> Accepted:
    """A message as smtp-sink keeps it, below its own headers."""
    given = dict(line.partition(b": ")[::2] for line in dump.split(b"\n") if line.startswith((b"X-Mail-", b"X-Rcpt-")))
    sender, recipient = (given[name].decode().partition(">")[0].strip("<") for name in (b"X-Mail-Args", b"X-Rcpt-Args"))
    return Accepted(sender, recipient, dump.replace(b"\n", b"\r\n"))


@pytest.fixture
def sink() -> Iterator[Sink]:
    with tempfile.TemporaryDirectory() as kept:  # outside pytest's own folder, into which only its user may look
        yield Sink(Path(kept))


def has_hit(site: SiteFolder) -> bool:
    """Whether the fault has cost a message its first try."""
    row = tables.deliveries.c
    with site.open() as store:
        return bool(store.read(lambda connection: connection.execute(select(row.id).where(row.reply != "")).first()))


@pytest.mark.soak
@pytest.mark.parametrize("flag", ["-f CONNECT", "-q MAIL", "-q DATA", "-q .", "-r RCPT"])
def test_what_smtp_sink_does_to_an_edition_costs_nobody_her_mail(
    flag: str, sink: Sink, tmp_path: Path, store_url: str, table: Callable[[str], None]
) -> None:
    site = SiteFolder(tmp_path, store_url, sink.port, connections=CONNECTIONS)
    site.fill(readers=READERS)
    fault = Fault(f"smtp-sink {flag}", store_url.partition(":")[0], READERS, CONNECTIONS)
    with sink.listening(*flag.split()):
        sending = site.start_at(datetime.now(UTC), 1.0, "send", "daily", "--yes", "--no-collect")
        wait_for(lambda: sending.poll() is not None or has_hit(site), "the first message that it costs")
    with sink.listening():
        sending.wait(120)
        to_the_end(site)
    table(fault.row(site, sink))
