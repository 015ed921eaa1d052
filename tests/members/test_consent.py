"""Each act of consent: what it changes, what it writes down, whom it tells, and what it waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from newsletter.members import consent
from newsletter.members.consent import Evidence, Pause, PreferenceChange, Renewal
from newsletter.model import (
    ConsentAction,
    ConsentChannel,
    DeliveryState,
    MailFormat,
    Reason,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.store import Store, consents, deliveries_of, subscribers, subscriptions, suppressions, tables
from tests.builders import NOW, add_subscribers
from tests.support.ledger import add_delivery, dump, move

HOW = Evidence(ConsentChannel.PAGE, NOW, client="192.0.2.0/24")


def states(store: Store, subscriber_id: int) -> dict[str, SubscriptionState]:
    return {one.newsletter: one.state for one in store.read(subscriptions.of, subscriber_id)}


def told(store: Store) -> list[tuple[int, str, str]]:
    """The revocations so far."""
    columns = tables.revocations.c
    query = select(columns.subscriber_id, columns.newsletter, columns.reason).order_by(columns.id)
    return [tuple(row) for row in store.read(lambda connection: connection.execute(query).all())]


def noted(store: Store, subscriber_id: int) -> list[tuple[ConsentAction, str]]:
    return [(entry.action, entry.newsletter) for entry in store.read(consents.history, subscriber_id)]


def scopes(store: Store, subscriber_id: int) -> frozenset[SuppressionScope]:
    address_hash = store.read(subscribers.address_hashes, [subscriber_id])[subscriber_id]
    return store.read(suppressions.scopes_of, [address_hash]).get(address_hash, frozenset())


def test_an_unsubscribe_ends_one_newsletter_is_written_down_and_told_to_senders(store: Store) -> None:
    ann, bob = add_subscribers(store, 2, newsletters=("daily", "weekly"))
    assert store.write(consent.unsubscribe, ann, "daily", HOW) is True
    assert states(store, ann) == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": SubscriptionState.ACTIVE}
    assert set(states(store, bob).values()) == {SubscriptionState.ACTIVE}
    assert told(store) == [(ann, "daily", Reason.UNSUBSCRIBED)]
    (entry,) = store.read(consents.history, ann)
    assert (entry.action, entry.newsletter, entry.channel, entry.client, entry.at) == (
        ConsentAction.UNSUBSCRIBED,
        "daily",
        ConsentChannel.PAGE,
        "192.0.2.0/24",
        NOW,
    )


def test_unsubscribing_twice_writes_nothing_the_second_time(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    store.write(consent.unsubscribe, ann, "daily", HOW)
    assert store.write(consent.unsubscribe, ann, "daily", HOW) is False
    assert len(told(store)) == len(noted(store, ann)) == 1


def test_unsubscribing_from_what_she_never_had_keeps_it_from_her(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    assert store.write(consent.unsubscribe, ann, "weekly", HOW) is True
    assert states(store, ann)["weekly"] is SubscriptionState.UNSUBSCRIBED
    assert store.write(consent.unsubscribe, ann, "weekly", HOW) is False


def test_unsubscribing_from_all_ends_everything_and_suppresses_marketing(store: Store) -> None:
    ann, bob = add_subscribers(store, 2, newsletters=("daily", "weekly"))
    assert store.write(consent.unsubscribe_all, ann, HOW) == ("daily", "weekly")
    assert store.write(consent.unsubscribe_all, ann, HOW) == ()
    assert set(states(store, ann).values()) == {SubscriptionState.UNSUBSCRIBED}
    assert (scopes(store, ann), scopes(store, bob)) == (frozenset({SuppressionScope.MARKETING}), frozenset())
    assert told(store) == [(ann, "", Reason.SUPPRESSED_MARKETING)]
    assert noted(store, ann) == [
        (ConsentAction.UNSUBSCRIBED, "daily"),
        (ConsentAction.UNSUBSCRIBED, "weekly"),
        (ConsentAction.SUPPRESSED, ""),
    ]


def test_subscribing_again_after_all_brings_back_that_newsletter_alone(store: Store) -> None:
    (ann,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    store.write(consent.unsubscribe_all, ann, HOW)
    assert store.write(consent.subscribe_again, ann, "daily", HOW) is Renewal.DONE
    assert store.write(consent.subscribe_again, ann, "daily", HOW) is Renewal.ALREADY
    assert states(store, ann) == {"daily": SubscriptionState.ACTIVE, "weekly": SubscriptionState.UNSUBSCRIBED}
    assert scopes(store, ann) == frozenset()
    assert noted(store, ann)[-2:] == [(ConsentAction.LIFTED, ""), (ConsentAction.SUBSCRIBED, "daily")]


def test_a_complaint_lifted_by_the_reader_leaves_the_rest_ended(store: Store) -> None:
    (ann,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    store.write(consent.suppress, ann, SuppressionScope.MARKETING, "complaint", HOW)
    store.write(consent.subscribe_again, ann, "weekly", HOW)
    assert states(store, ann) == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": SubscriptionState.ACTIVE}


def test_nobody_suppressed_for_all_can_come_back_by_a_link(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    assert store.write(consent.suppress, ann, SuppressionScope.ALL, "hard_bounce", HOW) is True
    assert store.write(consent.suppress, ann, SuppressionScope.ALL, "hard_bounce", HOW) is False
    store.write(consent.unsubscribe, ann, "daily", HOW)
    assert store.write(consent.subscribe_again, ann, "daily", HOW) is Renewal.REFUSED
    saved = store.write(consent.change_preferences, ann, [PreferenceChange("daily", on=True)], HOW)
    assert saved.refused == ("daily",)
    assert states(store, ann) == {"daily": SubscriptionState.UNSUBSCRIBED}
    assert told(store)[0] == (ann, "", Reason.SUPPRESSED_ALL)


def test_preferences_change_only_what_is_named_and_a_pause_is_told(store: Store) -> None:
    (ann,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    until = NOW + timedelta(days=3)
    wanted = [PreferenceChange("daily", sections=("World", "Sport | Games"), pause=Pause(until))]
    saved = store.write(consent.change_preferences, ann, wanted, HOW)
    assert (saved.changed, saved.paused) == (("daily",), ("daily",))
    daily, weekly = store.read(subscriptions.of, ann)
    assert (daily.sections, daily.format, daily.paused_until) == (("World", "Sport | Games"), MailFormat.HTML, until)
    assert (weekly.sections, weekly.state) == ((), SubscriptionState.ACTIVE)
    assert told(store) == [(ann, "daily", Reason.PAUSED)]
    assert store.write(consent.change_preferences, ann, wanted, HOW).changed == ()
    ended = store.write(consent.change_preferences, ann, [PreferenceChange("daily", pause=Pause(None))], HOW)
    assert (ended.changed, ended.paused) == (("daily",), ())
    assert len(told(store)) == 1


def test_a_format_and_order_change_revokes_nothing(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    wanted = [PreferenceChange("daily", sections=("World",), format=MailFormat.TEXT)]
    store.write(consent.change_preferences, ann, wanted, HOW)
    assert told(store) == []
    assert [entry.detail for entry in store.read(consents.history, ann)] == ["sections, format"]


def test_switching_on_and_off_in_one_act(store: Store) -> None:
    (ann,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    store.write(consent.unsubscribe, ann, "weekly", HOW)
    wanted = [PreferenceChange("daily", on=False), PreferenceChange("weekly", on=True, format=MailFormat.TEXT)]
    saved = store.write(consent.change_preferences, ann, wanted, HOW)
    assert (saved.switched_off, saved.switched_on) == (("daily",), ("weekly",))
    assert states(store, ann) == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": SubscriptionState.ACTIVE}
    assert told(store)[-1] == (ann, "daily", Reason.UNSUBSCRIBED)


def test_an_erased_reader_is_gone_from_every_table_but_for_a_keyed_hash(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    queued = add_delivery(store, ann, DeliveryState.QUEUED)
    failed = add_delivery(store, ann, DeliveryState.FAILED, newsletter="weekly")
    store.write(consent.unsubscribe, ann, "weekly", Evidence(ConsentChannel.PAGE, NOW, client="192.0.2.0/24"))
    kept_hash = store.read(subscribers.address_hashes, [ann])[ann]

    assert store.write(consent.erase, ann, b"n" * 32, HOW) is True
    assert store.write(consent.erase, ann, b"m" * 32, HOW) is False

    everything = store.read(dump)
    for personal in ("reader00001", "readers.example", "Reader1", "Rao", "192.0.2.0"):
        assert personal not in everything
    assert everything.count(kept_hash) == 1
    assert store.read(suppressions.scopes_of, [kept_hash]) == {kept_hash: frozenset({SuppressionScope.ALL})}
    rows = store.read(lambda connection: connection.execute(select(tables.deliveries)).all())
    assert {(row.id, row.state, row.reason) for row in rows} == {
        (queued, DeliveryState.SKIPPED, Reason.ERASED),
        (failed, DeliveryState.FAILED, ""),
    }
    assert told(store)[-1] == (ann, "", Reason.ERASED)


async def test_waiting_for_the_wire_ends_when_the_row_leaves_it(store: Store) -> None:
    ann, bob = add_subscribers(store, 2)
    sending = add_delivery(store, ann, DeliveryState.SENDING)
    waiting = asyncio.create_task(consent.await_wire(store, ann, "daily", seconds=30))
    while not await store.read_async(deliveries_of.on_the_wire, ann, "daily"):
        pass
    assert await consent.await_wire(store, bob, "daily") is True
    assert await consent.await_wire(store, ann, "weekly") is True
    assert not waiting.done()
    await asyncio.to_thread(move, store, sending, DeliveryState.SENT)
    assert await waiting is True


async def test_waiting_for_the_wire_ends_when_its_time_is_over(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    add_delivery(store, ann, DeliveryState.SENDING)
    began = asyncio.get_running_loop().time()
    assert await consent.await_wire(store, ann, None, seconds=0.2) is False
    assert 0.2 <= asyncio.get_running_loop().time() - began < 5


async def test_a_row_in_doubt_that_nobody_holds_is_not_waited_for(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    add_delivery(store, ann, DeliveryState.SENDING, sender=0)
    assert await consent.await_wire(store, ann, "daily", seconds=30) is True


def test_a_withdrawal_waits_for_a_claim_that_has_the_reader_locked(new_store: Store) -> None:
    """On PostgreSQL the claim's FOR SHARE and the lock of an unsubscribe exclude each other."""
    (ann,) = add_subscribers(new_store, 1)
    locked, release = threading.Event(), threading.Event()

    def claim(connection: Connection) -> None:
        row = select(tables.subscribers.c.id).where(tables.subscribers.c.id == ann)
        connection.execute(row.with_for_update(read=True))
        locked.set()
        release.wait(30)

    claiming = threading.Thread(target=new_store.write, args=(claim,))
    claiming.start()
    assert locked.wait(30)
    acts = {
        "unsubscribe": (consent.unsubscribe, ann, "daily", HOW),
        "all": (consent.unsubscribe_all, ann, HOW),
        "preferences": (consent.change_preferences, ann, [PreferenceChange("daily", pause=Pause(NOW))], HOW),
    }
    threads = [threading.Thread(target=new_store.write, args=act) for act in acts.values()]
    for thread in threads:
        thread.start()
    threads[0].join(0.3)
    assert all(thread.is_alive() for thread in threads)
    release.set()
    for thread in (claiming, *threads):
        thread.join(30)
    assert states(new_store, ann) == {"daily": SubscriptionState.UNSUBSCRIBED}


@pytest.fixture
def new_store(new_postgresql: Callable[[], str]) -> Iterator[Store]:
    """A store on PostgreSQL, where claims and withdrawals run side by side."""
    with Store.open(new_postgresql()) as opened:
        yield opened


def test_revocations_become_visible_in_the_order_of_their_ids(new_store: Store) -> None:
    """A sender that has read up to an id never misses a lower one that commits later."""
    (ann, bob) = add_subscribers(new_store, 2)
    first_wrote, release = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        consent.unsubscribe(connection, ann, "daily", HOW)
        first_wrote.set()
        release.wait(30)

    first = threading.Thread(target=new_store.write, args=(slow,))
    first.start()
    assert first_wrote.wait(30)
    second = threading.Thread(target=new_store.write, args=(consent.unsubscribe, bob, "daily", HOW))
    second.start()
    second.join(0.3)
    assert told(new_store) == []
    release.set()
    first.join(30)
    second.join(30)
    assert [subscriber_id for subscriber_id, _, _ in told(new_store)] == [ann, bob]
