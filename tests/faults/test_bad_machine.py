"""The store locked, restarted or copied, the clock put back, the process stopped, in the middle of an edition."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from newsletter.store import Store
from tests.faults.test_bad_servers import to_the_end
from tests.faults.verdicts import Fault
from tests.support.postgresql import PostgreSQL
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import wait_for

CONNECTIONS = 4
READERS = 400


@contextmanager
def underway(path: Path, store_url: str, readers: int = READERS) -> Iterator[tuple[SiteFolder, SmtpServer]]:
    """A site and a server that takes some milliseconds for each message."""
    with SmtpServer() as server:

        async def takes_a_moment(_accepted: object) -> str:
            await asyncio.sleep(0.01)
            return "usual"

        server.on_body = takes_a_moment
        site = SiteFolder(path, store_url, server.port, connections=CONNECTIONS)
        site.fill(readers=readers)
        yield site, server


def send(site: SiteFolder) -> subprocess.Popen[bytes]:
    return site.start("send", "daily", "--yes", "--no-collect")


def begun(server: SmtpServer, number: int = 40) -> None:
    wait_for(lambda: len(server.accepted) >= number, "the first messages")


def locked(store_url: str, seconds: float) -> None:
    """Keep every writer out, from another connection."""
    if store_url.startswith("sqlite"):
        other = sqlite3.connect(store_url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)  # how long it is locked is the fault itself
        other.execute("COMMIT")
        other.close()
    else:
        with psycopg.connect(store_url) as connection:
            connection.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            time.sleep(seconds)


def run_locked(path: Path, store_url: str, seconds: float, readers: int) -> str:
    with underway(path, store_url, readers) as (site, server):
        fault = Fault(f"store locked by another for {seconds:g} s", store_url.partition(":")[0], readers, CONNECTIONS)
        sending = send(site)
        begun(server)
        locked(store_url, seconds)
        sending.wait(120)
        to_the_end(site)
        return fault.row(site, server)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_store_that_is_locked_for_a_while(tmp_path: Path, store_url: str, table: Callable[[str], None]) -> None:
    table(run_locked(tmp_path, store_url, 3, READERS))


@pytest.mark.soak
def test_a_store_that_is_locked_for_half_a_minute(tmp_path: Path, store_url: str, table: Callable[[str], None]) -> None:
    table(run_locked(tmp_path, store_url, 30, 2000))


@pytest.mark.soak
def test_postgresql_restarted(tmp_path: Path, table: Callable[[str], None]) -> None:
    database = PostgreSQL()
    try:
        Store.open(database.url).close()
        with underway(tmp_path, database.url) as (site, server):
            fault = Fault("PostgreSQL restarted", "postgresql", READERS, CONNECTIONS)
            sending = send(site)
            begun(server)
            database.restart()
            sending.wait(120)
            to_the_end(site)
            table(fault.row(site, server))
    finally:
        database.stop()


@pytest.mark.fault
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_clock_put_back_an_hour(tmp_path: Path, store_url: str, table: Callable[[str], None]) -> None:
    with underway(tmp_path, store_url) as (site, server):
        fault = Fault("clock put back an hour", store_url.partition(":")[0], READERS, CONNECTIONS)
        sending = site.start_at(datetime.now(UTC), 1.0, "send", "daily", "--yes", "--no-collect")
        begun(server)
        (site.path / "clock-stepped-back").touch()
        assert sending.wait(60) == 0, site.log
        assert len(server.accepted) == READERS, "it went on at once"
        table(fault.row(site, server))


@pytest.mark.fault
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_sigterm_in_full_flow(tmp_path: Path, store_url: str, table: Callable[[str], None]) -> None:
    with underway(tmp_path, store_url) as (site, server):
        fault = Fault("SIGTERM in full flow", store_url.partition(":")[0], READERS, CONNECTIONS)
        sending = send(site)
        begun(server)
        sending.terminate()
        sending.wait(30)
        assert len(server.accepted) < READERS
        to_the_end(site)
        assert max(Counter(server.recipients).values()) == 1, "it finished what was on the wire, and recorded it"
        table(fault.row(site, server))


@pytest.mark.fault
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_files_copied_while_the_process_stands_still_open_clean(
    tmp_path: Path, store_url: str, table: Callable[[str], None]
) -> None:
    with underway(tmp_path / "site", store_url) as (site, server):
        fault = Fault("SIGSTOP, files copied, SIGCONT", "sqlite", READERS, CONNECTIONS)
        sending = send(site)
        begun(server)
        os.killpg(sending.pid, signal.SIGSTOP)
        copied = tmp_path / "copy"
        copied.mkdir()
        original = Path(store_url.removeprefix("sqlite:///"))
        for file in original.parent.glob(f"{original.name}*"):
            if file.is_file():
                shutil.copyfile(file, copied / file.name)
        os.killpg(sending.pid, signal.SIGCONT)
        assert sending.wait(60) == 0, site.log
        with sqlite3.connect(copied / original.name) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            counted = dict(database.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())
        assert sum(counted.values()) == READERS
        assert 0 < counted["sent"] < READERS
        table(fault.row(site, server))


_CALL = re.compile(r"^(\d+) +[\d.]+ (?:<\.\.\. )?(\w+)(?: resumed>|\(\d+<([^>]*)>)")


def synced(trace: list[str], suffix: str) -> list[tuple[int, int]]:
    """The lines where each fdatasync of a file whose name ends so begins and where it has returned."""
    begun: dict[str, int] = {}
    found: list[tuple[int, int]] = []
    for number, line in enumerate(trace):
        call = _CALL.match(line)
        if call is None or call[2] not in ("fdatasync", "fsync"):
            continue
        if call[3] is not None and call[3].endswith(suffix):
            begun[call[1]] = number
        if "<unfinished" not in line and call[1] in begun:
            found.append((begun.pop(call[1]), number))
    return found


def first_line(trace: list[str], calls: tuple[str, ...], suffix: str, text: str) -> int:
    """Where one of these calls first writes this text to a file whose name ends so."""
    for number, line in enumerate(trace):
        call = _CALL.match(line)
        if call is not None and call[2] in calls and (call[3] or "").endswith(suffix) and text in line:
            return number
    raise AssertionError(f"nobody wrote {text!r}")


@pytest.mark.soak
@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_disk_has_a_claim_before_the_wire_has_its_envelope(
    tmp_path: Path, store_url: str, table: Callable[[str], None]
) -> None:
    assert shutil.which("strace"), "strace is needed: install the package strace"
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port, connections=1)
        site.fill(readers=30)
        fault = Fault("strace: fdatasync before the envelope", "sqlite", 30, 1)
        traced = tmp_path / "trace"
        command = ["strace", "-f", "-ttt", "-y", "-s", "1000000", "-o", str(traced)]
        command += ["-e", "trace=fdatasync,fsync,pwrite64,sendto,sendmsg,write,writev"]
        subprocess.run(
            [*command, sys.executable, "-m", "newsletter", "send", "daily", "--yes", "--no-collect"],
            cwd=site.path,
            check=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        trace = traced.read_text(errors="replace").splitlines()
        log_synced = synced(trace, "-wal")
        assert len(server.accepted) == 30
        for accepted in server.accepted:
            # A claim gives its rows their Message-IDs: the first page in the log that has one is of that claim.
            claimed = first_line(trace, ("pwrite64",), "-wal", accepted.message_id)
            envelope = first_line(
                trace, ("sendto", "sendmsg", "write", "writev"), "]", f"RCPT TO:<{accepted.recipient}>"
            )
            assert any(claimed < begun and returned < envelope for begun, returned in log_synced), (
                f"the envelope of {accepted.recipient} went before its claim was on the disk"
            )
        table(fault.row(site, server))
