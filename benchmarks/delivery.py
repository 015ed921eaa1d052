"""How fast deliveries leave the ledger: ours, all recorded, against a bare aiosmtplib loop with ready bytes.

``python -m benchmarks.delivery [--json] [--messages N] [--rounds N]``. Both send as many messages of the same
size over ten connections to the same discard server in a process of its own; rounds alternate, medians are compared.
The readers' rows are made before the clock starts; claiming, assembling, sending and recording are inside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import aiosmtplib
from sqlalchemy import update

from newsletter.config.reading import Configuration, load
from newsletter.deliver.assembling import Assembler
from newsletter.deliver.configured import configured_sender
from newsletter.schedule import by_hand
from newsletter.schedule.work import Work
from newsletter.store import Store, senders, tables
from newsletter.store.claiming import claim
from tests.support.site_folder import SiteFolder

CONNECTIONS = 10


def main() -> None:
    """Parse the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--messages", type=int, default=2000)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    results = measure(chosen.messages, chosen.rounds)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        for key, value in results.items():
            print(f"{key:28} {value}")


def measure(messages: int, rounds: int) -> dict[str, object]:
    """Alternate ours and the baseline; rates in messages a second, and their ratio."""
    ours, bare = [], []
    size = 0
    with _DiscardServer() as server:
        for _ in range(rounds):
            rate, size = asyncio.run(_ours(server.port, messages))
            ours.append(rate)
            bare.append(asyncio.run(_bare(server.port, messages, size)))
    return {
        "messages": messages,
        "message_bytes": size,
        "sqlite_per_second": [round(rate) for rate in ours],
        "aiosmtplib_per_second": [round(rate) for rate in bare],
        "sqlite_over_aiosmtplib": round(statistics.median(ours) / statistics.median(bare), 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


async def _ours(port: int, messages: int) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as folder:
        site = SiteFolder(Path(folder), f"sqlite:///{folder}/n.db", port, connections=CONNECTIONS, most=12)
        site.fill(readers=messages, stories=12)
        configuration = load(Path(folder) / "schedules.yaml", {})
        now = datetime.now(UTC)
        with Store.open(configuration.store_url) as store:
            plan = by_hand.plan_send(configuration, store, "daily", extra=False, now=now)
            row = by_hand.begin(Work(configuration, store), plan, [], now)
            lock = senders.acquire(store, now)
            assert lock is not None
            sender = configured_sender(configuration, store, lock, lambda: datetime.now(UTC))
            began = time.perf_counter()
            tally = await sender.run(asyncio.Event(), until_idle=True)
            seconds = time.perf_counter() - began
            lock.close(now)
            assert tally.sent == messages, (row.name, tally.outcomes)
            size = await _one_size(configuration, store)
        return messages / seconds, size


async def _one_size(configuration: Configuration, store: Store) -> int:
    """The bytes of one message as it went out."""
    reset = update(tables.deliveries).where(tables.deliveries.c.id == 1).values(state="queued", reason="")
    store.write(lambda connection: connection.execute(reset))
    now = datetime.now(UTC) + timedelta(minutes=1)
    rows = store.write(
        claim,
        1,
        newsletters=["daily"],
        limit=1,
        now=now,
        message_id_of=lambda e, s: "<x@y>",
        plans=("free", "member"),
        languages={},
    ).rows
    post = await Assembler(configuration, store, lambda: now)(rows[0])
    return len(post.message)


async def _bare(port: int, messages: int, size: int) -> float:
    line = b"x" * 74 + b"\r\n"
    body = b"Subject: bench\r\n\r\n" + line * (size // len(line))
    left = iter(range(messages))
    began = time.perf_counter()

    async def one_connection() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, local_hostname="bench") as client:
            for number in left:
                await client.sendmail("daily@news.example", [f"reader{number}@readers.example"], body)

    await asyncio.gather(*(one_connection() for _ in range(CONNECTIONS)))
    return messages / (time.perf_counter() - began)


class _DiscardServer:
    """An SMTP server in a process of its own that reads messages and forgets them."""

    def __enter__(self) -> _DiscardServer:
        here, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
        self._process.start()
        self.port: int = here.recv()
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.join()


class _Discard(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._unread, self._in_body = transport, b"", False
        transport.write(b"220 bench ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while True:
            end = self._unread.find(b"\r\n.\r\n" if self._in_body else b"\r\n")
            if end < 0:
                if self._in_body:
                    self._unread = self._unread[-4:]
                return
            line, self._unread = self._unread[:end], self._unread[end + (5 if self._in_body else 2) :]
            if self._in_body:
                self._in_body = False
                self._transport.write(b"250 taken\r\n")
            else:
                self._transport.write(self._answer(line[:4].upper()))

    def _answer(self, verb: bytes) -> bytes:
        self._in_body = verb == b"DATA"
        if verb == b"EHLO":
            return b"250-bench\r\n250 PIPELINING\r\n"
        return b"354 go\r\n" if self._in_body else b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n"


def _serve(ready: Pipe) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Discard, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
