"""The pipelining protocol against a server that a test scripts byte by byte: what is written when, and what is known of
each message when anything goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from newsletter.config.models import Relay
from newsletter.deliver.outgoing import (
    Answered,
    LostBeforeBody,
    LostInDoubt,
    Offers,
    Outgoing,
    Transmission,
    Withheld,
)
from newsletter.deliver.pipelining import Pipeline
from newsletter.deliver.smtp import RelayConnection
from newsletter.deliver.timeouts import Timeouts
from newsletter.errors import RelayError
from tests.support.scripted_smtp import OFFERS, Client, ScriptedServer, Session

SHORT = Timeouts(0.15, 0.15, 0.15, 0.15, 0.15)


class Outbox:
    """A source that remembers what it was told: ``accepted``, and what became of each by number."""

    def __init__(self, messages: int, body: bytes = b"Subject: x\r\n\r\nBody\r\n") -> None:
        self.waiting = deque(
            Outgoing(number, "daily@news.example", f"reader{number}@readers.example", body)
            for number in range(1, messages + 1)
        )
        self.results: dict[int, Transmission] = {}
        self.unsent: list[int] = []
        self.withheld: set[int] = set()
        self.gone = asyncio.Event()
        self.asked: list[int] = []
        self.answers_at_once = True
        self.leaves_when_done = True

    def next_for(self, pipeline: Pipeline) -> Outgoing | None:
        return self.waiting.popleft() if self.waiting else None

    def ask(self, pipeline: Pipeline, outgoing: Outgoing) -> None:
        self.asked.append(outgoing.about)
        if self.answers_at_once:
            pipeline.permit(outgoing, allowed=outgoing.about not in self.withheld)

    def finished(self, pipeline: Pipeline, outgoing: Outgoing, result: Transmission) -> None:
        assert outgoing.about not in self.results, "told twice"
        self.results[outgoing.about] = result
        if self.leaves_when_done and not self.waiting and pipeline.idle:
            pipeline.leave()

    def closed(self, pipeline: Pipeline, unsent: Outgoing | None) -> None:
        self.unsent += [unsent.about] if unsent is not None else []
        self.gone.set()

    def codes(self) -> dict[int, Any]:
        return {
            number: result.reply.code if isinstance(result, Answered) else type(result)
            for number, result in sorted(self.results.items())
        }


async def send(
    outbox: Outbox, server: ScriptedServer, *, most: int = 100, timeouts: Timeouts | None = None, **relay: Any
) -> Pipeline:
    """Send the outbox over one connection, until it is gone."""
    settings = Relay(**({"host": "127.0.0.1", "port": server.port, "tls": "none"} | relay))
    connection = await RelayConnection.open("main", settings)
    pipeline = Pipeline(connection.transport, outbox, connection.offers, timeouts or Timeouts(), most=most)
    pipeline.start()
    async with asyncio.timeout(20):
        await outbox.gone.wait()
    return pipeline


def taking(messages: int, *, offers: tuple[str, ...] = OFFERS, received: list[bytes] | None = None) -> Session:
    """A session that takes so many messages and a QUIT."""

    async def session(client: Client) -> None:
        await client.greets(*offers)
        for _ in range(messages):
            await client.envelope()
            await client.says("250 ok", "250 ok", "354 go")
            body = await client.body()
            if received is not None:
                received.append(body)
            await client.says("250 taken")
        await client.hears("QUIT")
        await client.says("221 bye")

    return session


async def test_a_body_goes_together_with_the_next_envelope_and_no_body_before_its_354() -> None:
    async def session(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        assert await client.is_silent(), "a body came before 354"
        await client.says("250 ok", "250 ok", "354 go")
        await client.body()
        await client.envelope()  # not one reply has been given to the body yet
        await client.says("250 taken", "250 ok", "250 ok")
        assert await client.is_silent(), "a body came before 354"
        await client.says("354 go")
        await client.body()
        await client.says("250 taken")
        await client.hears("QUIT")

    outbox = Outbox(2)
    async with ScriptedServer(session) as server:
        await send(outbox, server)
    assert outbox.codes() == {1: 250, 2: 250}


async def test_without_pipelining_each_command_waits_for_the_reply_before_it() -> None:
    async def session(client: Client) -> None:
        await client.greets("8BITMIME")
        for _ in range(2):
            for verb, reply in (("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go")):
                await client.hears(verb)
                assert await client.is_silent(), f"something came behind {verb}"
                await client.says(reply)
            await client.body()
            assert await client.is_silent(), "an envelope came behind a body"
            await client.says("250 taken")
        await client.hears("QUIT")

    outbox = Outbox(2)
    async with ScriptedServer(session) as server:
        await send(outbox, server)
    assert outbox.codes() == {1: 250, 2: 250}


@pytest.mark.parametrize("offers", [OFFERS, ("8BITMIME",)], ids=["pipelining", "one-by-one"])
async def test_replies_in_single_bytes_and_of_many_lines_are_put_together(offers: tuple[str, ...]) -> None:
    async def session(client: Client) -> None:
        await client.greets(*offers)
        for _ in range(3):
            await client.hears("MAIL")
            await client.says("250-first", "250-second", "250 third")
            await client.hears("RCPT")
            await client.says("250 ok")
            await client.hears("DATA")
            await client.says("354 go")
            await client.body()
            await client.says("250-2.0.0 taken", "250 2.0.0 and kept")
        await client.hears("QUIT")

    outbox = Outbox(3)
    async with ScriptedServer(session, bytewise=True) as server:
        await send(outbox, server)
    assert outbox.codes() == {1: 250, 2: 250, 3: 250}
    assert str(outbox.results[3].reply) == "250 2.0.0 taken 2.0.0 and kept"  # type: ignore[union-attr]


@pytest.mark.parametrize("data", ["354 go", "554 no valid recipients"])
async def test_a_refused_one_of_a_pipelined_pair_costs_itself_alone(data: str) -> None:
    async def session(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "250 ok", "354 go")
        await client.body()
        await client.envelope()
        await client.says("250 taken", "250 ok", "550 5.1.1 no such user", data)
        if data.startswith("354"):
            assert await client.reads(3) == b".\r\n", "RFC 2920 §3.1: a lone dot"
            await client.says("554 no valid recipients")
        await client.hears("RSET")
        await client.envelope()
        await client.says("250 reset", "250 ok", "250 ok", "354 go")
        await client.body()
        await client.says("250 taken")
        await client.hears("QUIT")

    outbox = Outbox(3)
    async with ScriptedServer(session) as server:
        await send(outbox, server)
    assert outbox.codes() == {1: 250, 2: 550, 3: 250}


async def test_452_at_message_45_of_68_defers_that_one() -> None:
    async def session(client: Client) -> None:
        await client.greets(*OFFERS)
        for number in range(1, 69):
            if number == 46:
                await client.hears("RSET")
                await client.says("250 reset")
            await client.envelope()
            if number == 45:
                await client.says("250 ok", "452 4.5.3 too many", "503 5.5.1 no recipient")
                continue
            await client.says("250 ok", "250 ok", "354 go")
            await client.body()
            await client.says("250 taken")
        await client.hears("QUIT")

    outbox = Outbox(68)
    async with ScriptedServer(session) as server:
        await send(outbox, server)
    assert outbox.codes() == {number: 452 if number == 45 else 250 for number in range(1, 69)}


@pytest.mark.parametrize("read", ["a part", "all of it"])
async def test_a_connection_that_drops_in_or_after_a_body_leaves_that_one_in_doubt_and_clears_the_next(
    read: str,
) -> None:
    async def session(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "250 ok", "354 go")
        if read == "a part":
            await client.reads(1000)
        else:
            await client.body()
            await client.envelope()
        client.hangs_up()

    outbox = Outbox(2, body=b"x" * 70 + b"\r\n" + b"y" * 100_000)
    async with ScriptedServer(session) as server:
        await send(outbox, server)
    assert outbox.codes() == {1: LostInDoubt}
    assert outbox.unsent == [2], "nothing speaks against it: it may go over another connection at once"


async def test_421_ends_the_connection_wherever_it_comes() -> None:
    async def on_connect(client: Client) -> None:
        await client.says("421 4.3.2 busy")

    async def after_the_body(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "250 ok", "354 go")
        await client.body()
        await client.says("421 4.3.2 closing")
        await client.ends()

    async def in_an_envelope(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "421 4.3.2 closing")
        assert b"DATA" not in await client.ends()

    async def unasked(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "250 ok", "354 go")
        await client.body()
        await client.envelope()
        await client.says("250 taken", "421 4.4.2 idle for too long")
        await client.ends()

    async with ScriptedServer(on_connect, after_the_body, in_an_envelope, unasked) as server:
        with pytest.raises(RelayError, match="421"):
            await send(Outbox(1), server)
        first, second, third = Outbox(2), Outbox(1), Outbox(2)
        await send(first, server)
        assert first.codes() == {1: 421}
        assert first.unsent == [2]
        await send(second, server)
        assert second.codes() == {1: 421}
        await send(third, server)
        assert third.codes() == {1: 250, 2: 421}


@pytest.mark.parametrize(
    ("verb", "known"),
    [("MAIL", LostBeforeBody), ("RCPT", LostBeforeBody), ("DATA", LostBeforeBody), ("body", LostInDoubt)],
)
@pytest.mark.parametrize("half", ["", "25"], ids=["silent", "half a reply"])
async def test_a_relay_that_hangs_is_left_in_time(verb: str, known: type, half: str) -> None:
    async def session(client: Client) -> None:
        await client.greets("8BITMIME")
        for said, reply in (("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go"), ("body", "")):
            await (client.body() if said == "body" else client.hears(said))
            if said == verb:
                await client.sends(half.encode())
                await client.ends()
                return
            await client.says(reply)

    outbox = Outbox(1)
    async with ScriptedServer(session) as server:
        pipeline = await send(outbox, server, timeouts=SHORT)
    assert outbox.codes() == {1: known}
    assert "in time" in pipeline.why_closed


@pytest.mark.parametrize("silent_at", ["greeting", "EHLO", "STARTTLS"])
async def test_a_relay_that_hangs_before_it_takes_mail_cannot_be_used(silent_at: str) -> None:
    async def session(client: Client) -> None:
        if silent_at != "greeting":
            await client.says("220 mx.test")
            if silent_at == "STARTTLS":
                await client.hello("STARTTLS")
        await client.ends()

    async with ScriptedServer(session) as server:
        with pytest.raises(RelayError, match=r"no answer within 0\.2 s"):
            await send(
                Outbox(1),
                server,
                timeout=timedelta(seconds=0.2),
                tls="starttls" if silent_at == "STARTTLS" else "none",
            )


@pytest.mark.parametrize("said", ["250 more than was asked", "hello there", "x" * 5000])
async def test_what_nobody_asked_for_or_is_not_smtp_ends_the_connection(said: str) -> None:
    async def session(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "250 ok", "354 go")
        await client.body()
        await client.says("250 taken", said)
        await client.ends()

    outbox = Outbox(1)
    outbox.leaves_when_done = False
    async with ScriptedServer(session) as server:
        pipeline = await send(outbox, server)
    assert outbox.codes() == {1: 250}
    assert pipeline.why_closed


async def test_a_withheld_message_costs_the_connection_and_not_one_byte_of_it_is_written() -> None:
    async def session(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "250 ok", "354 go")
        await client.body()
        await client.envelope()
        await client.says("250 taken", "250 ok", "250 ok", "354 go")
        assert await client.ends() == b""

    outbox = Outbox(3)
    outbox.withheld = {2}
    async with ScriptedServer(session) as server:
        await send(outbox, server)
    assert outbox.codes() == {1: 250, 2: Withheld}
    assert [outgoing.about for outgoing in outbox.waiting] == [3]


async def test_nothing_is_written_until_the_question_is_answered() -> None:
    asked = asyncio.Event()

    async def session(client: Client) -> None:
        await client.greets(*OFFERS)
        await client.envelope()
        await client.says("250 ok", "250 ok", "354 go")
        while not outbox.asked:
            await asyncio.sleep(0)
        assert await client.is_silent()
        asked.set()
        await client.body()
        await client.says("250 taken")
        await client.hears("QUIT")

    outbox = Outbox(1)
    outbox.answers_at_once = False
    async with ScriptedServer(session) as server:
        settings = Relay(host="127.0.0.1", port=server.port, tls="none")
        pipeline = (await RelayConnection.open("main", settings)).hand_over(outbox)
        only = outbox.waiting[0]
        pipeline.start()
        await asyncio.wait_for(asked.wait(), 10)
        pipeline.permit(only, allowed=True)
        await asyncio.wait_for(outbox.gone.wait(), 10)
    assert outbox.codes() == {1: 250}


async def test_a_connection_is_left_after_as_many_messages_as_it_may_carry() -> None:
    outbox = Outbox(3)
    async with ScriptedServer(taking(2)) as server:
        await send(outbox, server, most=2)
    assert outbox.codes() == {1: 250, 2: 250}
    assert [outgoing.about for outgoing in outbox.waiting] == [3]
    assert outbox.unsent == []


# --- extensions ---


@pytest.mark.parametrize(
    ("address", "body", "parameters"),
    [
        ("reader@readers.example", b"plain\r\n", ""),
        ("\u00fcber@readers.example", b"plain\r\n", " SMTPUTF8"),
        ("reader@readers.example", "\u00fc\r\n".encode(), " BODY=8BITMIME"),
        ("\u00fcber@readers.example", "\u00fc\r\n".encode(), " SMTPUTF8 BODY=8BITMIME"),
    ],
)
def test_extensions_are_used_only_where_a_message_needs_them(address: str, body: bytes, parameters: str) -> None:
    outgoing = Outgoing(1, "daily@news.example", address, body)
    assert outgoing.commands()[0].decode() == f"MAIL FROM:<daily@news.example>{parameters}\r\n"
    assert outgoing.lacks(Offers(smtputf8=True, eight_bit=True)) == ""
    assert bool(outgoing.lacks(Offers())) == bool(parameters)


@pytest.mark.parametrize("address", ["a@b\r\nRCPT TO:<c@d>", "a@b>\x00", "<a@b>", "a@b> ORCPT"])
def test_an_address_that_would_leave_its_command_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="envelope"):
        Outgoing(1, "daily@news.example", address, b"x")


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def context_of(authority: trustme.CA, name: str = "127.0.0.1", **changes: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, **changes).configure_cert(context)
    return context


def over_starttls(context: ssl.SSLContext, then: Session, *, before: tuple[str, ...], injected: str = "") -> Session:
    async def session(client: Client) -> None:
        await client.greets(*before, "STARTTLS")
        await client.hears("STARTTLS")
        await client.sends(f"220 go ahead\r\n{injected}".encode())
        await client.starts_tls(context)
        await then(client)

    return session


async def test_what_is_put_behind_the_answer_to_starttls_in_clear_is_not_believed(
    authority: trustme.CA, trusted: Path
) -> None:
    async def then(client: Client) -> None:
        await client.hello("8BITMIME")
        for verb, reply in (("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go")):
            await client.hears(verb)
            assert await client.is_silent(), "it pipelined, though only somebody in the middle offered that"
            await client.says(reply)
        await client.body()
        await client.says("250 taken")
        await client.hears("QUIT")

    session = over_starttls(
        context_of(authority), then, before=("8BITMIME",), injected="250-evil\r\n250 PIPELINING\r\n250 ok\r\n"
    )
    outbox = Outbox(1)
    async with ScriptedServer(session) as server:
        try:
            await send(outbox, server, tls="starttls", ca_file=trusted)
        except RelayError:
            return  # refused outright: as good
    assert outbox.codes() == {1: 250}


async def test_what_was_offered_before_tls_is_forgotten(authority: trustme.CA, trusted: Path) -> None:
    async def then(client: Client) -> None:
        await client.hello("SIZE 1000000")
        for verb, reply in (("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go")):
            await client.hears(verb)
            assert await client.is_silent()
            await client.says(reply)
        await client.body()
        await client.says("250 taken")
        await client.hears("QUIT")

    outbox = Outbox(1)
    async with ScriptedServer(over_starttls(context_of(authority), then, before=OFFERS)) as server:
        await send(outbox, server, tls="starttls", ca_file=trusted)
    assert outbox.codes() == {1: 250}


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("fault", ["expired", "another name", "unknown authority"])
async def test_a_certificate_that_does_not_hold_is_refused(
    authority: trustme.CA, trusted: Path, tls: str, fault: str
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    context = {
        "expired": lambda: context_of(authority, not_before=yesterday - timedelta(days=9), not_after=yesterday),
        "another name": lambda: context_of(authority, "other.example"),
        "unknown authority": lambda: context_of(trustme.CA()),
    }[fault]()

    async def never(_client: Client) -> None:
        return

    session = over_starttls(context, never, before=OFFERS)

    async def refused(client: Client) -> None:
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            await (session if tls == "starttls" else never)(client)

    async with ScriptedServer(refused, tls=context if tls == "implicit" else None) as server:
        with pytest.raises(RelayError, match=r"certificate is not valid for 127\.0\.0\.1"):
            await send(Outbox(1), server, tls=tls, ca_file=trusted)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_large_bodies_arrive_whole_over_every_kind_of_transport(
    authority: trustme.CA, trusted: Path, tls: str, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """Larger than what a socket takes at once: writing is paused and goes on."""
    body = b"".join(b"%070d\r\n" % number for number in range(40_000))
    received: list[bytes] = []
    context = context_of(authority)

    async def main() -> None:
        async def after_tls(client: Client) -> None:
            await client.hello(*OFFERS)
            for _ in range(3):
                await client.envelope()
                await client.says("250 ok", "250 ok", "354 go")
                received.append(await client.body())
                await client.says("250 taken")
            await client.hears("QUIT")

        plain = taking(3, received=received)
        session = plain if tls != "starttls" else over_starttls(context, after_tls, before=OFFERS)
        outbox = Outbox(3, body=body)
        async with ScriptedServer(session, tls=context if tls == "implicit" else None) as server:
            await send(outbox, server, tls=tls, ca_file=trusted)
        assert outbox.codes() == {1: 250, 2: 250, 3: 250}

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
    assert [part == body for part in received] == [True, True, True]
