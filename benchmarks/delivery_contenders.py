"""Those who send: ours from either store, and what it is compared with. Each runs in a fresh process (``apart``)."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import jinja2
import uvloop

from benchmarks.delivery_site import Site
from newsletter.deliver.configured import configured_sender
from newsletter.store import Store, senders


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement: messages a second, our CPU a message in µs, and the most memory in MB."""

    rate: float
    cpu_us: float
    rss_mb: float


def _measured(messages: int, work: Callable[[], object]) -> Round:
    cpu, began = time.process_time(), time.perf_counter()
    work()
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    return Round(messages / seconds, spent / messages * 1e6, _peak_mb())


def _peak_mb() -> float:
    """The most memory this process had; ``ru_maxrss`` would count what its parent had before it was this one."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def _run(main: Coroutine[Any, Any, Any], *, fast_loop: bool = True) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if fast_loop else asyncio.new_event_loop) as runner:
        return runner.run(main)


def ours(folder: Path, store_url: str, messages: int) -> Round:
    """Claim, assemble, send and record everything that is queued; done when the ledger says so."""
    configuration = Site(folder, store_url).configuration()
    with Store.open(configuration.store_url) as store:
        now = datetime.now(UTC)
        lock = senders.acquire(store, now)
        assert lock is not None
        try:

            async def send() -> None:
                sender = configured_sender(configuration, store, lock, lambda: datetime.now(UTC))
                tally = await sender.run(asyncio.Event(), until_idle=True)
                assert tally.sent == messages, tally.outcomes

            return _measured(messages, lambda: _run(send()))
        finally:
            lock.close(now)


def bare_loop(port: int, messages: int, size: int, connections: int, fast_loop: bool) -> Round:
    """Prebuilt bytes and pipelining on an event loop, and nothing else: no store, no check of any reply."""
    body = _filler(size)

    async def send() -> None:
        loop, left = asyncio.get_running_loop(), deque(range(messages))
        protocols = [_Bare(body, left) for _ in range(connections)]
        for protocol in protocols:
            await loop.create_connection(lambda protocol=protocol: protocol, "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.gather(*(protocol.done.wait() for protocol in protocols))

    return _measured(messages, lambda: _run(send(), fast_loop=fast_loop))


class _Bare(asyncio.BufferedProtocol):
    def __init__(self, body: bytes, left: deque[int]) -> None:
        self.done = asyncio.Event()
        self._body, self._left = body, left
        self._buffer = bytearray(65536)
        self._view = memoryview(self._buffer)
        self._state = "greeting"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "writelines")
        self._transport: Any = transport

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, number: int) -> None:
        said = bytes(self._view[:number])
        if self._state == "greeting":
            self._state = "ehlo"
            self._transport.write(b"EHLO bench\r\n")
        elif self._state == "ehlo":
            if b"\r\n250 " in said:
                self._state = "sending"
                self._transport.write(self._envelope())
        elif b"354 " in said:
            self._transport.writelines((self._body, b".\r\n" + self._envelope()))
        elif b"221 " in said:
            self._transport.close()

    def _envelope(self) -> bytes:
        if not self._left:
            return b"QUIT\r\n"
        number = self._left.popleft()
        return f"MAIL FROM:<daily@news.example>\r\nRCPT TO:<reader{number}@readers.example>\r\nDATA\r\n".encode()

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set()


def aiosmtplib_loop(port: int, messages: int, size: int, connections: int) -> Round:
    """``aiosmtplib.SMTP.sendmail`` with prebuilt bytes over as many connections."""
    body, left = b"Subject: bench\r\n\r\n" + _filler(size), iter(range(messages))

    async def one() -> None:
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, start_tls=False, local_hostname=socket.gethostname()
        ) as client:
            for number in left:
                await client.sendmail("daily@news.example", [f"reader{number}@readers.example"], body)

    async def send() -> None:
        await asyncio.gather(*(one() for _ in range(connections)))

    return _measured(messages, lambda: _run(send()))


def jinja_loop(port: int, messages: int, html: str, connections: int) -> Round:
    """What one would write first: an inlined template filled for each reader, EmailMessage, aiosmtplib."""
    template = jinja2.Environment(autoescape=True).from_string(html.replace("Reader1", "{{ name }}"))
    left = iter(range(messages))

    async def one() -> None:
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, start_tls=False, local_hostname=socket.gethostname()
        ) as client:
            for number in left:
                message = EmailMessage()
                message["From"], message["To"] = "daily@news.example", f"reader{number}@readers.example"
                message["Subject"] = "The daily"
                message.set_content(f"Reader{number}, read this in a browser.")
                message.add_alternative(template.render(name=f"Reader{number}"), subtype="html")
                await client.send_message(message)

    async def send() -> None:
        await asyncio.gather(*(one() for _ in range(connections)))

    return _measured(messages, lambda: _run(send()))


def _filler(size: int) -> bytes:
    line = b"x" * 74 + b"\r\n"
    return line * (size // len(line))
