"""Several relays: shared by weight, one in the place of another, and none that waits for another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, update

from newsletter.config.models import Relay
from newsletter.deliver import backoff
from newsletter.deliver.sending import Sender
from newsletter.deliver.sharing import choose
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import RelayError
from newsletter.store import Store, senders, tables
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.deliver.test_sending import assemble, fan_out, queue, relay_to, rules, states
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port


@dataclass(slots=True, eq=False)
class Line:
    weight: int
    up: bool = True
    room: int = 1_000_000
    share: float = 0.0


def chosen(lines: list[Line], times: int) -> list[int]:
    counted = Counter(lines.index(line) for _ in range(times) if (line := choose(lines)) is not None)
    return [counted[number] for number in range(len(lines))]


def test_mail_is_shared_in_proportion_to_the_weights() -> None:
    assert chosen([Line(3), Line(1)], 400) == [300, 100]


def test_a_relay_without_room_is_passed_over_and_does_not_make_up_for_it_afterwards() -> None:
    full, free = Line(1, room=0), Line(1)
    assert chosen([full, free], 100) == [0, 100]
    full.room = 1_000_000
    first, second = chosen([full, free], 100)
    assert abs(first - second) <= 2


def test_a_spare_is_used_only_while_no_other_is_up() -> None:
    main, spare = Line(1, room=0), Line(0)
    assert choose([main, spare]) is None, "full is not down"
    main.up = False
    assert choose([main, spare]) is spare


async def send(
    store: Store,
    relays: Mapping[str, Relay],
    routes: Mapping[str, Collection[str]] | None = None,
    stop: asyncio.Event | None = None,
) -> Sender:
    lock = senders.acquire(store, NOW)
    assert lock is not None
    try:
        through = routes or {name: ["daily"] for name in relays}
        sender = Sender(store, lock, relays, through, rules(), assemble, lambda: NOW)
        await asyncio.wait_for(sender.run(stop or asyncio.Event(), until_idle=stop is None), 30)
        return sender
    finally:
        lock.close(NOW)


def unreachable(**changes: Any) -> Relay:
    return Relay(**({"host": "127.0.0.1", "port": free_port(), "tls": "none"} | changes))


async def test_two_relays_share_an_edition_and_nobody_gets_it_twice(store: Store) -> None:
    queue(store, 200)
    with SmtpServer() as first, SmtpServer() as second:
        await send(store, {"one": relay_to(first, weight=3), "two": relay_to(second, weight=1)})
        assert states(store) == {("sent", ""): 200}
        assert len(set(first.recipients) | set(second.recipients)) == 200
        assert len(first.accepted) > 20
        assert len(second.accepted) > 20


async def test_a_relay_that_cannot_be_reached_leaves_its_part_to_the_other(store: Store) -> None:
    queue(store, 40)
    with SmtpServer() as server:
        await send(store, {"down": unreachable(), "up": relay_to(server)})
        assert len(server.accepted) == 40
    assert states(store) == {("sent", ""): 40}


async def test_mail_of_a_relay_that_goes_down_midway_goes_through_the_other(store: Store) -> None:
    queue(store, 150)
    with SmtpServer() as staying, SmtpServer() as failing:
        failing.answer = lambda verb, _argument: (
            "421 4.3.2 closing" if len(failing.accepted) >= 20 and verb in {"CONNECT", "MAIL"} else "usual"
        )
        relays = {"failing": relay_to(failing, weight=5), "staying": relay_to(staying, weight=1)}
        await send(store, relays)
        arrived = Counter(failing.recipients + staying.recipients)
    assert max(arrived.values()) == 1
    left = 150 - len(arrived)
    assert left <= 3 * 3, "only those that were refused themselves wait for their next try"
    assert states(store)["queued", "deferred"] == left


def to_addresses_beyond_ascii(store: Store) -> None:
    columns = tables.subscribers.c
    address = func.replace(columns.address, "reader", "leser-ü")
    store.write(lambda connection: connection.execute(update(tables.subscribers).values(address=address)))


async def test_what_one_relay_lacks_an_extension_for_goes_through_the_other_that_offers_it(store: Store) -> None:
    queue(store, 40)
    to_addresses_beyond_ascii(store)
    with SmtpServer(extensions=("PIPELINING", "8BITMIME")) as old, SmtpServer() as new:
        relays = {"old": relay_to(old, envelope_sender="old@news.example"), "new": relay_to(new)}
        sender = await send(store, relays)
        assert (len(old.accepted), len(set(new.recipients)), len(new.accepted)) == (0, 40, 40)
        assert {accepted.sender for accepted in new.accepted} == {"daily@news.example"}
    assert states(store) == {("sent", ""): 40}
    assert sender.tally.sent == 40


async def test_what_every_relay_lacks_an_extension_for_is_failed(store: Store) -> None:
    queue(store, 5)
    to_addresses_beyond_ascii(store)
    extensions = ("PIPELINING", "8BITMIME")
    with SmtpServer(extensions=extensions) as one, SmtpServer(extensions=extensions) as other:
        await send(store, {"one": relay_to(one), "other": relay_to(other)})
    assert states(store) == {("failed", "undeliverable_address"): 5}


async def test_while_the_relay_that_may_have_the_extension_cannot_be_reached_its_mail_is_put_off(store: Store) -> None:
    queue(store, 5)
    to_addresses_beyond_ascii(store)
    with SmtpServer(extensions=("PIPELINING", "8BITMIME")) as old:
        await send(store, {"old": relay_to(old), "new": unreachable()})
    assert states(store) == {("queued", "deferred"): 5}


async def test_who_waits_for_a_relay_that_is_down_is_told_and_its_rows_stay_queued(store: Store) -> None:
    queue(store, 5)
    with pytest.raises(RelayError, match="cannot connect"):
        await send(store, {"one": unreachable(), "two": unreachable()})
    assert states(store) == {("queued", ""): 5}


async def test_a_relay_that_breaks_every_connection_off_is_not_waited_for_for_ever(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "FIRST_RELAY_WAIT", timedelta(milliseconds=10))
    queue(store, 200)
    with SmtpServer() as server:
        server.answer = lambda verb, _argument: None if verb == "MAIL" else "usual"
        with pytest.raises(RelayError, match="it breaks its connections off"):
            await send(store, {"main": relay_to(server, connections=2)})
        assert server.accepted == []
    assert {state for state, _ in states(store)} == {"queued"}


async def test_a_relay_that_comes_back_is_used_again(store: Store) -> None:
    queue(store, 5)
    stop = asyncio.Event()
    with SmtpServer() as server:
        refusals = iter([True, True])
        server.answer = lambda verb, _argument: (
            "421 4.3.2 starting" if verb == "CONNECT" and next(refusals, False) else "usual"
        )
        loop = asyncio.get_running_loop()

        def stop_at_five(_accepted: object) -> None:
            if len(server.accepted) == 5:
                loop.call_soon_threadsafe(stop.set)

        server.after_body = stop_at_five
        await asyncio.wait_for(send(store, {"main": relay_to(server)}, stop=stop), 30)
        assert len(set(server.recipients)) == 5


async def test_a_slow_relay_delays_no_mail_of_another_newsletter(store: Store) -> None:
    add_subscribers(store, 20, newsletters=("daily", "weekly"))
    for newsletter in ("weekly", "daily"):
        fan_out(store, add_occurrence(store, newsletter)[1])
    released: list[bool] = []

    async def slowly(_accepted: object) -> str:
        while not released:
            await asyncio.sleep(0.01)
        return "usual"

    with SmtpServer() as slow, SmtpServer() as quick:
        slow.on_body = slowly
        stop = asyncio.Event()
        routes = {"slow": ["weekly"], "quick": ["daily"]}
        sending = asyncio.create_task(send(store, {"slow": relay_to(slow), "quick": relay_to(quick)}, routes, stop))
        async with asyncio.timeout(20):
            while len(quick.accepted) < 20:
                await asyncio.sleep(0.01)
        assert slow.accepted == []
        released.append(True)
        stop.set()
        await sending
    assert set(states(store)) <= {("sent", ""), ("queued", "released"), ("queued", "")}


async def test_newsletters_that_share_a_relay_share_its_room(store: Store) -> None:
    add_subscribers(store, 60, newsletters=("daily", "weekly"))
    for newsletter in ("weekly", "daily"):
        fan_out(store, add_occurrence(store, newsletter)[1])
    most = 0

    def look(_accepted: object) -> str:
        nonlocal most
        most = max(most, sum(number for (state, _), number in states(store).items() if state == "sending"))
        return "usual"

    with SmtpServer() as shared, SmtpServer() as other:
        shared.on_body = look
        relays = {"shared": relay_to(shared, connections=1), "other": relay_to(other, connections=1)}
        await send(store, relays, {"shared": ["daily", "weekly"], "other": ["daily"]})
        assert len(shared.accepted) + len(other.accepted) == 120
    assert states(store) == {("sent", ""): 120}
    assert most <= 2 * 20, "at most 20 rows an open connection"


async def test_more_newsletters_than_a_relay_has_room_for_are_all_sent(store: Store) -> None:
    names = [f"letter{number}" for number in range(5)]
    add_subscribers(store, 3, newsletters=names)
    for name in names:
        fan_out(store, add_occurrence(store, name)[1])
    with SmtpServer() as shared, SmtpServer() as other:
        # A relay of its own beside the shared one makes each newsletter a route of its own.
        own = {f"own-{name}": relay_to(other, connections=1) for name in names}
        relays = {"shared": relay_to(shared, connections=1)} | own
        await send(store, relays, {"shared": names} | {f"own-{name}": [name] for name in names})
    assert states(store) == {("sent", ""): 15}


async def test_a_sender_that_is_cancelled_ends_though_a_library_keeps_the_cancellation_to_itself(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``asyncio.wait_for`` does where what it waits for is done at that moment: the store goes away (its server is
    restarted) while a connection is being opened, and the process must end so that it can be started again."""
    opening = asyncio.Event()

    async def kept_to_itself(name: str, _relay: Relay) -> RelayConnection:
        first = not opening.is_set()
        opening.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not first:
                raise
            raise RelayError("the connection was refused", where=name) from None
        raise AssertionError

    monkeypatch.setattr(RelayConnection, "open", kept_to_itself)
    queue(store, 1)
    lock = senders.acquire(store, NOW)
    assert lock is not None
    relay = Relay(host="127.0.0.1", port=2525, tls="none")
    sender = Sender(store, lock, {"main": relay}, {"main": ["daily"]}, rules(), assemble, lambda: NOW)
    running = asyncio.create_task(sender.run(asyncio.Event()))
    try:
        await opening.wait()
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=10)
        assert done == {running}, "it waits for a slot that nobody will wake"
        assert running.cancelled()
    finally:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.gather(running, return_exceptions=True)
        lock.close(NOW)
