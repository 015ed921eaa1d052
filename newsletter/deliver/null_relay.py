"""An SMTP relay in this process that takes every message and keeps none: what a rehearsal sends to.

``async with NullRelay() as relay``; ``relay.settings`` is how to reach it, on a free port of 127.0.0.1. It offers what
relays offer (PIPELINING, 8BITMIME, SMTPUTF8) and speaks RFC 5321 just as far as our sender does.
"""

from __future__ import annotations

import asyncio
from typing import Self

from newsletter.config.models import Relay

_END = b"\r\n.\r\n"
_OFFERS = b"250-null.relay\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
_ANSWERS = {b"EHLO": _OFFERS, b"DATA": b"354 go on\r\n", b"QUIT": b"221 2.0.0 bye\r\n"}


class NullRelay:
    """``messages`` and ``octets`` are what it took, headers and bodies as they came."""

    def __init__(self) -> None:
        self.messages = 0
        self.octets = 0
        self._server: asyncio.Server | None = None

    @property
    def settings(self) -> Relay:
        """The relay as ``schedules.yaml`` would have it."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return Relay(host="127.0.0.1", port=port, tls="none", messages_per_connection=10**9)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self), "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()


class _Session(asyncio.Protocol):
    def __init__(self, relay: NullRelay) -> None:
        self._relay = relay
        self._rest = b""
        self._body = 0  # octets of the body so far
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert hasattr(transport, "write")
        self._transport = transport
        self._transport.write(b"220 null.relay ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        data, self._rest = self._rest + data, b""
        answers: list[bytes] = []
        while data:
            if self._in_body:
                end = data.find(_END)
                if end < 0:
                    keep = min(len(data), len(_END) - 1)
                    self._body += len(data) - keep
                    self._rest = data[len(data) - keep :]
                    break
                self._relay.messages += 1
                self._relay.octets += self._body + end + 2
                self._in_body, data = False, data[end + len(_END) :]
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            line, mark, after = data.partition(b"\r\n")
            if not mark:
                self._rest = data
                break
            data, verb = after, line[:4].upper()
            answers.append(_ANSWERS.get(verb, b"250 2.1.0 ok\r\n"))
            if verb == b"DATA":
                self._in_body, self._body = True, 0
        if answers:
            self._transport.write(b"".join(answers))
