"""One open connection to a relay. aiosmtplib connects, greets, starts TLS and authenticates; then its transport is
handed to ``_Wire``, which writes the envelope in one group where the relay offers PIPELINING (RFC 2920 §3.1), asks
``may_write`` once more when the relay says 354, and writes the body.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self, cast

import aiosmtplib

from newsletter.config.models import Relay
from newsletter.deliver.replies import Reply, Stage
from newsletter.errors import RelayError

# RFC 5321 §4.5.3.2.6: the sender waits at least ten minutes for the reply to the final dot.
FINAL_DOT_SECONDS = 600.0
_LONGEST_LINE = 4096
_LONGEST_REPLY_LINES = 200


@dataclass(frozen=True, slots=True)
class Answered:
    """The relay answered: its reply, and the stage that it decided."""

    stage: Stage
    reply: Reply


@dataclass(frozen=True, slots=True)
class Withheld:
    """``may_write`` said no after the envelope was accepted; no byte of the body was written."""


@dataclass(frozen=True, slots=True)
class LostBeforeBody:
    """The connection broke before a byte of the body was written; the relay cannot have the message."""

    why: str


@dataclass(frozen=True, slots=True)
class LostInDoubt:
    """The connection broke after the body was begun and before its reply: nobody knows (RFC 5321 §4.5.3.2.6)."""

    why: str


Transmission = Answered | Withheld | LostBeforeBody | LostInDoubt


class _Lost(Exception):
    """The wire is gone, or the peer does not speak SMTP."""


class RelayConnection:
    """An authenticated connection, used for one message after another; when ``usable`` is False, open another."""

    def __init__(self, name: str, relay: Relay, client: aiosmtplib.SMTP, wire: _Wire) -> None:
        self.name = name
        self.usable = True
        self._relay = relay
        self._client = client  # kept: it owns the transport
        self._wire = wire
        self._pipelining = client.supports_extension("pipelining")
        self._smtputf8 = client.supports_extension("smtputf8")
        self._timeout = relay.timeout.total_seconds()

    @classmethod
    async def open(cls, name: str, relay: Relay) -> Self:
        """Connect, greet, STARTTLS or TLS (certificate and name verified), authenticate. Raises RelayError."""
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            username=relay.username,
            password=relay.password.get_secret_value() if relay.password is not None else None,
            local_hostname=socket.gethostname(),
            use_tls=relay.tls == "implicit",
            start_tls=relay.tls == "starttls",
            tls_context=None if relay.tls == "none" else ssl.create_default_context(cafile=relay.ca_file),
            timeout=relay.timeout.total_seconds(),
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise RelayError(
                _connect_fault(error, relay), where=f"relay {name} ({relay.host}:{relay.port})", remedy=_remedy(error)
            ) from error
        transport = cast("asyncio.Transport", client.transport)  # uvloop's is not of that class
        wire = _Wire(transport)
        transport.set_protocol(wire)
        return cls(name, relay, client, wire)

    @property
    def takes_utf8_addresses(self) -> bool:
        """Whether the relay offers SMTPUTF8 (RFC 6531), needed for a local part that is not ASCII."""
        return self._smtputf8

    async def transmit(
        self, envelope_sender: str, address: str, message: bytes, may_write: Callable[[], Awaitable[bool]]
    ) -> Transmission:
        """Send one message to one address. ``message`` has CRLF line ends and needs no dot-stuffing.

        Never raises for what the relay or the network does: the result says what is known.
        """
        wire, body_begun = self._wire, False
        try:
            refused = await self._envelope(envelope_sender, address)
            if refused is not None:
                self.usable = self.usable and refused.reply.code != 421
                return refused
            if not await may_write():
                # 354 was given: only closing the connection leaves the message unsent.
                self.abort()
                return Withheld()
            wire.require_open()
            body_begun = True
            wire.write(message if message.endswith(b"\r\n") else message + b"\r\n")
            wire.write(b".\r\n")
            reply = await wire.reply(max(FINAL_DOT_SECONDS, self._timeout))
            self.usable = reply.code != 421
            return Answered(Stage.BODY, reply)
        except _Lost as error:
            self.abort()
            return LostInDoubt(str(error)) if body_begun else LostBeforeBody(str(error))
        except asyncio.CancelledError:
            self.abort()
            raise

    async def quit(self) -> None:
        """Say QUIT and close; what the relay does about it does not matter."""
        self.usable = False
        try:
            self._wire.write(b"QUIT\r\n")
            await self._wire.reply(min(self._timeout, 5.0))
        except _Lost:
            pass
        finally:
            self._wire.transport.close()
            self._client.close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self.usable = False
        self._wire.transport.abort()
        self._client.close()

    async def _envelope(self, envelope_sender: str, address: str) -> Answered | None:
        """MAIL, RCPT and DATA; None when the relay waits for the body (354), else the reply that refused."""
        utf8 = " SMTPUTF8" if self._smtputf8 and not (envelope_sender + address).isascii() else ""
        commands = [
            (Stage.MAIL, f"MAIL FROM:<{envelope_sender}>{utf8}\r\n".encode()),
            (Stage.RCPT, f"RCPT TO:<{address}>\r\n".encode()),
            (Stage.DATA, b"DATA\r\n"),
        ]
        refused: Answered | None = None
        recipient_taken = False
        if self._pipelining:
            self._wire.write(b"".join(line for _, line in commands))
        for stage, line in commands:
            if not self._pipelining:
                if refused is not None:
                    break
                self._wire.write(line)
            reply = await self._wire.reply(self._timeout)
            fine = reply.code == 354 if stage is Stage.DATA else reply.accepted
            recipient_taken = recipient_taken or (stage is Stage.RCPT and fine)
            if not fine and refused is None:
                refused = Answered(stage, reply)
            elif reply.code == 354 and refused is not None:
                # RFC 2920 §3.1: DATA accepted although no recipient was; a lone dot ends it, and its reply is read.
                if recipient_taken:
                    raise _Lost("the relay accepted DATA after it had refused the sender")
                self._wire.write(b".\r\n")
                await self._wire.reply(self._timeout)
        if refused is not None and refused.reply.code != 421:
            self._wire.write(b"RSET\r\n")
            await self._wire.reply(self._timeout)
        return refused


class _Wire(asyncio.Protocol):
    """Splits what the relay says into replies, in order, and holds them until asked for."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._unread = bytearray()
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._lost = ""

    def write(self, data: bytes) -> None:
        self.require_open()
        self.transport.write(data)

    def require_open(self) -> None:
        if self._lost or self.transport.is_closing():
            raise _Lost(self._lost or "the connection is closed")

    async def reply(self, seconds: float) -> Reply:
        """The next reply; raises _Lost after ``seconds`` without one or when the connection breaks."""
        if not self._replies:
            if self._lost:
                raise _Lost(self._lost)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(seconds):
                    await self._waiter
            except TimeoutError:
                raise _Lost(f"no reply within {seconds:g} s") from None
            finally:
                self._waiter = None
        if not self._replies:
            raise _Lost(self._lost)
        return self._replies.popleft()

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\n")) >= 0:
            line = bytes(self._unread[:end]).rstrip(b"\r").decode("utf-8", "replace")
            del self._unread[: end + 1]
            self._line(line)
        if len(self._unread) > _LONGEST_LINE:
            self._break("the relay sent a line without end")

    def connection_lost(self, error: Exception | None) -> None:
        self._break(f"the relay closed the connection{f' ({error})' if error else ''}")

    def eof_received(self) -> bool:
        self._break("the relay closed the connection")
        return False

    def _line(self, line: str) -> None:
        if len(line) < 3 or not line[:3].isdigit() or line[3:4] not in {"", " ", "-"}:
            self._break(f"the relay said {line[:80]!r}, which is not SMTP")
            return
        self._lines.append(line[4:])
        if len(self._lines) > _LONGEST_REPLY_LINES:
            self._break("the relay sent a reply without end")
        elif line[3:4] != "-":
            self._replies.append(Reply(int(line[:3]), " ".join(self._lines).strip()))
            self._lines = []
            self._wake()

    def _break(self, why: str) -> None:
        self._lost = self._lost or why
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _connect_fault(error: Exception, relay: Relay) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid for {relay.host}: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or cause}"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"it refused our user name and password ({error.code} {error.message})"
    if "not supported" in str(getattr(error, "message", "")):  # STARTTLS raises the base class
        return f"it does not offer what is configured: {error.message}"  # type: ignore[attr-defined]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"it answered {error.code} {error.message}"
    if isinstance(error, TimeoutError):
        return f"no answer within {relay.timeout.total_seconds():g} s"
    return f"cannot connect ({getattr(error, 'message', None) or error})"


def _remedy(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "Check username and password of this relay"
    if "not supported" in str(getattr(error, "message", "")):
        return "Check tls (none, starttls or implicit) and username of this relay"
    return "Check host, port and tls of this relay, then run `newsletter check --smtp`"
