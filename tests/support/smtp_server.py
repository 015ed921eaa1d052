"""A real SMTP server on 127.0.0.1, in a thread of its own, whose every answer a test may script.

It counts on the receiving side: ``accepted`` holds each message that was answered with 250 to its final dot.
"""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Self


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that the server took."""

    sender: str
    recipient: str
    content: bytes = field(repr=False)

    @property
    def message(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.content, policy=email.policy.SMTP)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def message_id(self) -> str:
        for line in self.content.split(b"\r\n"):
            if line.lower().startswith(b"message-id:"):
                return line.partition(b":")[2].strip().decode()
        return ""


Answer = str | bytes | None
"""What to answer: a reply line, '' for no answer at all, None to hang up, bytes to send just these and hang up."""


class SmtpServer:
    """``async``-free to use: ``with SmtpServer() as server: … server.port``.

    ``answer(verb, argument)`` may return another answer than the usual one, and may be replaced while it runs.
    ``on_body(accepted)`` runs in the server's loop just before the 250; ``after_body(accepted)`` just after it was
    written to the socket.
    """

    def __init__(
        self,
        *,
        extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"),
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        credentials: tuple[str, str] | None = None,
        mechanisms: str = "PLAIN LOGIN",
        extensions_after_tls: tuple[str, ...] | None = None,
        bytewise: bool = False,
    ) -> None:
        self.accepted: list[Accepted] = []
        self.verbs: list[str] = []
        self.early: list[str] = []  # verbs that did not wait for the answer to the one before
        self.connections = 0
        self.answer: Callable[[str, str], Answer | Awaitable[Answer]] = lambda _verb, _argument: "usual"
        self.on_body: Callable[[Accepted], Answer | Awaitable[Answer]] = lambda _accepted: "usual"
        self.after_body: Callable[[Accepted], None] = lambda _accepted: None
        self.cuts_body: Callable[[], bool] = lambda: False  # hang up in the middle of this body?
        self.port = 0
        self._mechanisms = mechanisms
        self._after_tls, self._bytewise = extensions_after_tls, bytewise
        self._extensions, self._tls, self._implicit, self._credentials = extensions, tls, implicit_tls, credentials
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def recipients(self) -> list[str]:
        """Every accepted message's recipient, in the order of acceptance."""
        return [accepted.recipient for accepted in self.accepted]

    async def _start(self) -> int:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._tls if self._implicit else None, limit=2**20
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = recipient = ""
        secure, unanswered = self._implicit, False
        known = self._credentials is None
        if not await self._say(writer, "CONNECT", "", "220 mx.test ESMTP"):
            return
        while line := await reader.readline():
            verb, _, argument = line.decode("utf-8", "surrogateescape").rstrip("\r\n").partition(" ")
            verb = verb.upper()
            self.verbs.append(verb)
            if unanswered:
                self.early.append(verb)
            unanswered = bool(reader._buffer)  # type: ignore[attr-defined]
            if verb == "EHLO":
                offered = list(self._after_tls if secure and self._after_tls is not None else self._extensions)
                if self._tls and not secure:
                    offered.append("STARTTLS")
                if self._credentials:
                    offered.append(f"AUTH {self._mechanisms}")
                lines = ["mx.test", *offered]
                usual = "\r\n".join(f"250{'-' if n < len(lines) - 1 else ' '}{text}" for n, text in enumerate(lines))
            elif verb == "STARTTLS" and self._tls:
                if not await self._say(writer, verb, argument, "220 2.0.0 go ahead"):
                    return
                await writer.start_tls(self._tls)
                secure = True
                continue
            elif verb == "AUTH":
                usual = await self._authenticate(argument, reader, writer)
                known = usual.startswith("235")
            elif verb == "MAIL" and not known:
                usual = "530 5.7.0 authenticate first"
            elif verb == "MAIL":
                sender, recipient, usual = _path(argument) or "<>", "", "250 2.1.0 ok"
            elif verb == "RCPT":
                usual = "250 2.1.5 ok" if sender else "503 5.5.1 MAIL first"
                recipient = _path(argument)
            elif verb == "DATA":
                usual = "354 go ahead"
            elif verb == "QUIT":
                await self._say(writer, verb, argument, "221 2.0.0 bye")
                return
            else:
                usual = "250 2.0.0 ok"
            said = await self._say(writer, verb, argument, usual)
            if said is None:
                return
            if verb in {"MAIL", "RCPT"} and not said.startswith("250"):
                recipient = ""
                sender = "" if verb == "MAIL" else sender
            if verb == "RSET":
                sender = recipient = ""
            if verb == "DATA" and said.startswith("354"):
                if self.cuts_body():
                    await reader.readexactly(2000)
                    return
                content = await reader.readuntil(b"\r\n.\r\n") if recipient else await reader.readuntil(b".\r\n")
                unanswered = bool(reader._buffer)  # type: ignore[attr-defined]
                if not recipient:
                    await self._say(writer, "DOT", "", "554 5.5.1 no valid recipients")
                    continue
                accepted = Accepted(sender, recipient, content[:-3].replace(b"\r\n..", b"\r\n."))
                decided = self.on_body(accepted)
                decided = await decided if isinstance(decided, Awaitable) else decided
                if decided is None:
                    return
                if isinstance(decided, bytes):
                    writer.write(decided)
                    await writer.drain()
                    return
                reply = "250 2.0.0 taken" if decided == "usual" else decided
                if reply.startswith("250"):
                    self.accepted.append(accepted)
                if reply:
                    writer.write(f"{reply}\r\n".encode())
                    await writer.drain()
                    self.after_body(accepted)
                sender = recipient = ""

    async def _say(self, writer: asyncio.StreamWriter, verb: str, argument: str, usual: str) -> str | None:
        decided = self.answer(verb, argument)
        decided = await decided if isinstance(decided, Awaitable) else decided
        if decided is None:
            return None
        if isinstance(decided, bytes):
            writer.write(decided)
            await writer.drain()
            return None
        reply = usual if decided == "usual" else decided
        if reply:
            line = f"{reply}\r\n".encode()
            for part in [line[at : at + 1] for at in range(len(line))] if self._bytewise else [line]:
                writer.write(part)
                await writer.drain()
                if self._bytewise:
                    await asyncio.sleep(0)
        return reply

    async def _authenticate(self, argument: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        method, _, initial = argument.partition(" ")
        if method.upper() not in self._mechanisms.split():
            return "504 5.5.4 no such mechanism"
        said = base64.b64decode(initial).decode()
        if method.upper() == "LOGIN":
            writer.write(b"334 UGFzc3dvcmQ6\r\n")
            said = f"\0{said}\0{base64.b64decode(await reader.readline()).decode()}"
        _, name, password = said.split("\0")
        if (name, password) == self._credentials:
            return "235 2.7.0 welcome"
        return "535 5.7.8 bad credentials"


def _path(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]
