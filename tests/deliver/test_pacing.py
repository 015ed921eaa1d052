"""A relay that is capped, or asks for less, against a real SMTP server; and what goes first when it is slow."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from newsletter.deliver.sending import Rules, Sender
from newsletter.store import Store, senders, tables
from newsletter.store.fan_out import fan_out_page
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.deliver.test_sending import assemble, fan_out, queue, relay_to, rules, send, states
from tests.support.smtp_server import SmtpServer


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


async def test_a_capped_relay_gets_no_more_a_minute_than_its_cap(store: Store, server: SmtpServer) -> None:
    queue(store, 30)
    began = time.monotonic()
    await send(store, relay_to(server, messages_per_minute=600))
    assert len(server.accepted) == 30
    assert time.monotonic() - began >= 2.7, "29 messages after the first, ten a second"


async def test_a_relay_that_asks_for_less_is_given_less_over_fewer_connections_and_everyone_still_gets_it(
    store: Store, server: SmtpServer
) -> None:
    queue(store, 32)
    refusing = iter(range(12))

    def too_many(verb: str, _argument: str) -> str:
        if verb == "MAIL" and len(server.accepted) >= 10 and next(refusing, None) is not None:
            return "451 4.7.0 too many messages, slow down"
        return "usual"

    server.answer = too_many
    with capture_logs() as said:
        sender = await send(store, relay_to(server, connections=8))
    assert sender.tally.sent + states(store)[("queued", "deferred")] == 32
    assert states(store)[("queued", "deferred")] == 12
    assert [one["connections"] for one in said if one["event"] == "relay is given less"][:1] == [4]


async def test_a_relay_that_defers_delays_no_other(store: Store) -> None:
    add_subscribers(store, 60, newsletters=("daily", "weekly"))
    for newsletter in ("daily", "weekly"):
        fan_out(store, add_occurrence(store, newsletter)[1])
    with SmtpServer() as slow, SmtpServer() as other:
        slow.answer = lambda verb, _argument: "451 4.7.1 try later" if verb == "MAIL" else "usual"
        lock = senders.acquire(store, NOW)
        assert lock is not None
        relays = {"slow": relay_to(slow, messages_per_minute=600), "other": relay_to(other)}
        sender = Sender(store, lock, relays, {"slow": ["daily"], "other": ["weekly"]}, rules(), assemble, lambda: NOW)
        finished = asyncio.create_task(sender.run(stop := asyncio.Event()))
        try:
            async with asyncio.timeout(20):
                while len(other.accepted) < 60:
                    await asyncio.sleep(0.01)
            assert states(store)[("queued", "deferred")] < 60, "the slow one was not done before the other"
        finally:
            stop.set()
            await finished
            lock.close(NOW)


async def test_a_notice_overtakes_the_digests_that_wait_for_a_connection(store: Store, server: SmtpServer) -> None:
    ids = queue(store, 100)[0]
    notice = ids[-1]

    def make_notice() -> None:
        these = update(tables.deliveries).where(tables.deliveries.c.subscriber_id == notice)
        store.write(lambda c: c.execute(these.values(kind="notice", priority=10)))

    held = asyncio.Event()
    lock = senders.acquire(store, NOW)
    assert lock is not None
    one_by_one = relay_to(server, connections=1, messages_per_minute=1200)
    sender = Sender(store, lock, {"main": one_by_one}, {"main": ["daily"]}, rules(), assemble, lambda: NOW)
    running = asyncio.create_task(sender.run(held))
    try:
        async with asyncio.timeout(20):
            while len(server.accepted) < 20:
                await asyncio.sleep(0.005)
            make_notice()
            before = len(server.accepted)
            address = f"reader{len(ids):05d}@readers.example"
            while address not in server.recipients:
                await asyncio.sleep(0.005)
    finally:
        held.set()
        await running
        lock.close(NOW)
    assert server.recipients.index(address) - before <= 15, "not behind the 80 that were queued before it"
    assert Counter(server.recipients).most_common(1)[0][1] == 1


async def test_a_limited_provider_is_waited_for_by_a_send_that_ends_when_all_is_sent(
    store: Store, server: SmtpServer
) -> None:
    now = datetime.now(UTC)
    add_subscribers(store, 4, domain="gmail.com")
    _, edition_id = add_occurrence(store, due_at=now)
    while store.write(fan_out_page, edition_id, languages=("en",), expires_at=now + timedelta(hours=1), now=now):
        pass
    lock = senders.acquire(store, now)
    assert lock is not None
    limited = Rules(
        frozenset(),
        ("free",),
        {},
        None,
        lambda edition, subscriber: f"<{edition}.{subscriber}@test>",
        domain_limits={"gmail": 120},
    )
    clock = lambda: datetime.now(UTC)  # noqa: E731
    try:
        sender = Sender(store, lock, {"main": relay_to(server)}, {"main": ["daily"]}, limited, assemble, clock)
        began = time.monotonic()
        await sender.run(asyncio.Event(), until_idle=True)
    finally:
        lock.close(now)
    assert len(server.accepted) == 4
    assert time.monotonic() - began >= 0.9
