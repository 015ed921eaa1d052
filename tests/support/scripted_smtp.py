"""An SMTP server whose every byte a test writes: ``session`` talks to one connection, in the test's own loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

OFFERS = ("PIPELINING", "8BITMIME", "SMTPUTF8")


class Client:
    """The client as a session sees it. ``unread`` is what it has sent and nobody has taken."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, bytewise: bool = False) -> None:
        self._reader, self._writer, self._bytewise = reader, writer, bytewise
        self.verbs: list[str] = []

    async def hears(self, verb: str) -> str:
        """The next line, which must begin with this verb; what stands behind it."""
        line = (await self._reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
        self.verbs.append(line.partition(" ")[0])
        assert line.upper().startswith(verb), f"{line!r} came where {verb} was due"
        return line[len(verb) :].strip()

    async def says(self, *lines: str) -> None:
        await self.sends("".join(f"{line}\r\n" for line in lines).encode())

    async def sends(self, data: bytes) -> None:
        for part in [data[n : n + 1] for n in range(len(data))] if self._bytewise else [data]:
            self._writer.write(part)
            await self._writer.drain()
            if self._bytewise:
                await asyncio.sleep(0)

    async def greets(self, *offers: str) -> None:
        """The greeting and the answer to EHLO."""
        await self.says("220 mx.test ESMTP")
        await self.hello(*offers)

    async def hello(self, *offers: str) -> None:
        await self.hears("EHLO")
        lines = ["mx.test", *offers]
        await self.says(*(f"250{'-' if n < len(lines) - 1 else ' '}{text}" for n, text in enumerate(lines)))

    async def envelope(self) -> str:
        """One envelope, read whole before any answer; the address in it."""
        await self.hears("MAIL FROM:")
        address = (await self.hears("RCPT TO:")).strip("<>")
        await self.hears("DATA")
        return address

    async def body(self) -> bytes:
        return (await self._reader.readuntil(b"\r\n.\r\n"))[:-3]

    async def reads(self, number: int) -> bytes:
        return await self._reader.readexactly(number)

    async def ends(self) -> bytes:
        """What comes until the client closes."""
        try:
            return await self._reader.read()
        except ConnectionError:
            return b""

    async def is_silent(self) -> bool:
        """Whether nothing more has come, after everything else in this loop had its turn."""
        for _ in range(20):
            await asyncio.sleep(0.001)
        return not self._reader._buffer  # type: ignore[attr-defined]

    async def starts_tls(self, context: ssl.SSLContext) -> None:
        await self._writer.start_tls(context)

    def hangs_up(self) -> None:
        self._writer.transport.abort()


Session = Callable[[Client], Awaitable[None]]


class ScriptedServer:
    """``async with ScriptedServer(session) as server: … server.port``; an error in a session fails the test."""

    def __init__(self, *sessions: Session, tls: ssl.SSLContext | None = None, bytewise: bool = False) -> None:
        self._sessions, self._tls, self._bytewise = list(sessions), tls, bytewise
        self._tasks: list[asyncio.Task[None]] = []
        self.connections = 0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        done, waiting = await asyncio.wait(self._tasks, timeout=5) if self._tasks else (set(), set())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for task in done:
            if kind is None and not task.cancelled() and (failed := task.exception()) is not None:
                raise failed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = self._sessions[min(self.connections, len(self._sessions) - 1)]
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        try:
            await session(Client(reader, writer, bytewise=self._bytewise))
        finally:
            writer.transport.abort()
