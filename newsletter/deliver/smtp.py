"""Opens connections to a relay: aiosmtplib connects, greets, starts TLS (certificate and name verified) and
authenticates; then its transport is handed over to a ``Pipeline``, which sends.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Self, cast

import aiosmtplib

from newsletter.config.models import Relay
from newsletter.deliver.outgoing import LostBeforeBody, Offers, Outgoing, Transmission
from newsletter.deliver.pipelining import Pipeline, Source
from newsletter.deliver.timeouts import Timeouts
from newsletter.errors import RelayError

CONNECT_SECONDS = 60.0


class _Single:
    """A source of one message, for who sends one alone: ``result`` is what became of it."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.result: asyncio.Future[Transmission] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self._outgoing: Outgoing | None = outgoing

    def next_for(self, pipeline: Pipeline) -> Outgoing | None:
        outgoing, self._outgoing = self._outgoing, None
        return outgoing

    def ask(self, pipeline: Pipeline, outgoing: Outgoing) -> None:
        pipeline.permit(outgoing, allowed=True)

    def finished(self, pipeline: Pipeline, outgoing: Outgoing, result: Transmission) -> None:
        self.result.set_result(result)
        pipeline.leave()

    def closed(self, pipeline: Pipeline, unsent: Outgoing | None) -> None:
        self.gone.set()
        if not self.result.done():
            self.result.set_result(LostBeforeBody(pipeline.why_closed))


class RelayConnection:
    """An authenticated connection that has sent nothing yet; what it ``offers`` is what its last EHLO said."""

    def __init__(self, relay: Relay, client: aiosmtplib.SMTP) -> None:
        self.offers = Offers(
            pipelining=client.supports_extension("pipelining"),
            smtputf8=client.supports_extension("smtputf8"),
            eight_bit=client.supports_extension("8bitmime"),
        )
        self._relay = relay
        self._client = client  # kept: it owns the transport
        self.transport = cast("asyncio.Transport", client.transport)  # uvloop's is not of that class

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
            timeout=_seconds(relay) or CONNECT_SECONDS,
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
        except BaseException:
            client.close()
            raise
        return cls(relay, client)

    def hand_over(self, source: Source) -> Pipeline:
        """A pipeline on this connection, which is its from now on; ``start`` it."""
        return Pipeline(
            self.transport,
            source,
            self.offers,
            Timeouts.of(_seconds(self._relay)),
            most=self._relay.messages_per_connection,
        )

    async def transmit(self, outgoing: Outgoing) -> Transmission:
        """Send one message alone, then leave. Never raises for what the relay does: the result says what is known."""
        single = _Single(outgoing)
        pipeline = self.hand_over(single)
        pipeline.start()
        try:
            result = await single.result
            await single.gone.wait()
            return result
        except asyncio.CancelledError:
            pipeline.abort()
            raise

    async def quit(self) -> None:
        """Say QUIT and close; what the relay does about it does not matter."""
        try:
            await self._client.quit(timeout=5.0)
        except aiosmtplib.SMTPException:
            self._client.close()


def _seconds(relay: Relay) -> float | None:
    return relay.timeout.total_seconds() if relay.timeout is not None else None


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
        return f"no answer within {_seconds(relay) or CONNECT_SECONDS:g} s"
    return f"cannot connect ({getattr(error, 'message', None) or error})"


def _remedy(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "Check username and password of this relay"
    if "not supported" in str(getattr(error, "message", "")):
        return "Check tls (none, starttls or implicit) and username of this relay"
    return "Check host, port and tls of this relay, then run `newsletter check --smtp`"
