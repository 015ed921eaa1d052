"""The disk under the store fills up while mail is going out."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.verdicts import Fault
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer

READERS = 400
CONNECTIONS = 4


@pytest.mark.fault
def test_a_disk_that_fills_while_sending_is_one_clear_line_and_loses_nobody(
    tmp_path: Path, table: Callable[[str], None]
) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", server.port, connections=CONNECTIONS)
        site.fill(readers=READERS)
        fault = Fault("disk full under the store", "sqlite", READERS, CONNECTIONS)
        assert site.command("send", "daily", "--dry-run", "--no-collect").code == 0
        # The store may grow by so much that the send begins, and not by so much that it ends.
        room = max(path.stat().st_size for path in tmp_path.glob("n.db*")) + 500_000
        full = send_with_room_for(site, room)
        lines = [line for line in full.stderr.decode().splitlines() if line.startswith("newsletter:")]
        assert full.returncode == 5, full.stderr.decode()
        assert len(lines) == 1
        assert "disk" in lines[0]
        assert "Traceback" not in full.stderr.decode()
        assert 0 < len(server.accepted) < READERS, "the disk was to fill in the middle"
        before = Counter(server.recipients)
        assert max(before.values()) == 1
        again = site.command("send", "daily", "--yes", "--no-collect")
        assert again.code == 0, again.err
        arrived = Counter(server.recipients)
        assert len(arrived) == READERS
        repeated = [address for address, number in arrived.items() if number > 1]
        assert len(repeated) <= 20 * CONNECTIONS
        assert set(repeated) <= set(before), "only what the full disk left in doubt"
        table(fault.row(site, server))


def test_a_disk_that_is_full_from_the_start_changes_nothing(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", server.port)
        site.fill(readers=3)
        full = send_with_room_for(site, 4096)
        assert full.returncode == 5
        assert server.accepted == []
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        assert Counter(server.recipients).most_common(1)[0][1] == 1
        assert len(server.accepted) == 3


def send_with_room_for(site: SiteFolder, largest_file: int) -> subprocess.CompletedProcess[bytes]:
    """``newsletter send`` that can make no file larger than this (RLIMIT_FSIZE)."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    return subprocess.run(
        [sys.executable, "-m", "newsletter", "send", "daily", "--yes", "--no-collect"],
        cwd=site.path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
        preexec_fn=limit,
    )
