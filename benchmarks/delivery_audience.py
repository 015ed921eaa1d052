"""A million readers: how long the outbox takes to fill, how long another writer waits meanwhile, and how soon the first
message of ``newsletter send`` is accepted after its process has started."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.delivery_servers import apart
from benchmarks.delivery_site import Site, fill
from newsletter.model import StreamName
from newsletter.schedule import by_hand
from newsletter.schedule.work import Work
from newsletter.store import Store, heartbeats
from tests.support.postgresql import PostgreSQL
from tests.support.smtp_server import Accepted, SmtpServer

_WRITE_EVERY = 0.005


def measure(readers: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Fan-out on either store, then the first message on SQLite."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder) / "sqlite", f"sqlite:///{folder}/sqlite/n.db")
        site.configure(25)
        with Store.open(site.store_url) as store:
            fill(store, readers)
        first = site.copied_to(Path(folder) / "first")
        seconds, waits = apart(_fan_out, site)
        say(f"sqlite: fan-out {seconds:.2f} s; another writer waited {_shown(waits)}")
        found |= {
            "fan_out_1m_s": round(seconds * 1_000_000 / readers, 2),
            "writer_wait_p99_ms": round(_quantile(waits, 0.99), 1),
            "writer_wait_max_ms": round(max(waits), 1),
        }
        soon = _first_message(first)
        say(f"first message after {soon:.2f} s")
        found["first_message_s"] = round(soon, 2)
        server = PostgreSQL(durable=True)
        try:
            with psycopg.connect(server.url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE audience")
            there = Site(Path(folder) / "pg", f"{server.url.rpartition('/')[0]}/audience")
            there.configure(25)
            with Store.open(there.store_url) as store:
                fill(store, readers)
            seconds, waits = apart(_fan_out, there)
            say(f"postgresql: fan-out {seconds:.2f} s; another writer waited {_shown(waits)}")
            found["fan_out_1m_postgresql_s"] = round(seconds * 1_000_000 / readers, 2)
            found["writer_wait_postgresql_p99_ms"] = round(_quantile(waits, 0.99), 1)
        finally:
            server.stop()
    return found


def _quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def _shown(waits: list[float]) -> str:
    return f"p99 {_quantile(waits, 0.99):.1f} ms, at most {max(waits):.1f} ms, {len(waits)} times"


def _fan_out(site: Site) -> tuple[float, list[float]]:
    """Seconds of the fan-out, and in ms how long each small write beside it took."""
    configuration = site.configuration()
    with Store.open(configuration.store_url) as store:
        now = datetime.now(UTC)
        work = Work(configuration, store)
        row = by_hand.start(
            work, by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=now), [], now
        )
        waits: list[float] = []
        done = threading.Event()

        def write_beside() -> None:
            while not done.is_set():
                began = time.perf_counter()
                store.write(heartbeats.beat, "bench", now, now, "")
                waits.append((time.perf_counter() - began) * 1000)
                done.wait(_WRITE_EVERY)

        writer = threading.Thread(target=write_beside)
        writer.start()
        began = time.perf_counter()
        work.fan_out(row, now)
        seconds = time.perf_counter() - began
        done.set()
        writer.join()
        return seconds, waits


def _first_message(site: Site) -> float:
    """Seconds from the start of the process to the first accepted message; its occurrence is approved already."""
    with SmtpServer() as server:
        site.configure(server.port)
        configuration = site.configuration()
        with Store.open(configuration.store_url) as store:
            now = datetime.now(UTC)
            work = Work(configuration, store)
            plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=now)
            work.prepare(work.compose(plan.row, now), now)
        came: list[float] = []

        def note(_accepted: Accepted) -> None:
            if not came:
                came.append(time.perf_counter())

        server.after_body = note
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "newsletter", "send", "daily", "--yes", "--no-collect"],
            cwd=site.folder,
            env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not came and time.perf_counter() - began < 120 and process.poll() is None:
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
        assert came, "no message came"
        return came[0] - began
