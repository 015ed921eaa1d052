"""The rows of people: found, listed in pages, filtered, corrected."""

from __future__ import annotations

from newsletter.model import SubscriptionState
from newsletter.store import Store, subscribers
from newsletter.store.subscribers import NewSubscriber, Profile
from tests.builders import NOW, add_subscribers


def a_new_subscriber(address: str) -> NewSubscriber:
    return NewSubscriber(address, f"hash of {address}", "example.org", b"s" * 32, NOW, first_name="Ann", plan="member")


def test_a_subscriber_is_found_by_address_and_by_id(store: Store) -> None:
    store.write(subscribers.add_many, [a_new_subscriber("ann@example.org")])
    found = store.read(subscribers.by_address, "ann@example.org")
    assert found is not None
    assert store.read(subscribers.by_id, found.id) == found
    assert (found.address, found.first_name, found.plan, found.secret, found.created_at) == (
        "ann@example.org",
        "Ann",
        "member",
        b"s" * 32,
        NOW,
    )
    assert store.read(subscribers.by_address, "bob@example.org") is None
    assert store.read(subscribers.by_id, found.id + 1) is None


def test_a_secret_is_not_shown(store: Store) -> None:
    store.write(subscribers.add_many, [a_new_subscriber("ann@example.org")])
    assert "ssss" not in repr(store.read(subscribers.by_address, "ann@example.org"))
    assert "ssss" not in repr(a_new_subscriber("ann@example.org"))


def test_adding_an_address_twice_leaves_the_first_as_it_was(store: Store) -> None:
    store.write(subscribers.add_many, [a_new_subscriber("ann@example.org")])
    before = store.read(subscribers.by_address, "ann@example.org")
    other = NewSubscriber("ann@example.org", "another hash", "example.org", b"t" * 32, NOW)
    store.write(subscribers.add_many, [other, a_new_subscriber("bob@example.org")])
    assert store.read(subscribers.by_address, "ann@example.org") == before
    assert store.read(subscribers.count) == 2


def test_pages_list_everyone_once_in_order(store: Store) -> None:
    ids = add_subscribers(store, 7)
    listed: list[int] = []
    after = 0
    while page := store.read(subscribers.page, after=after, limit=3):
        assert len(page) <= 3
        listed += [subscriber.id for subscriber in page]
        after = page[-1].id
    assert listed == ids


def test_filters_narrow_a_page_and_its_count_alike(store: Store) -> None:
    daily = add_subscribers(store, 2, newsletters=["daily"])
    both = add_subscribers(store, 2, newsletters=["daily", "weekly"], first=3, domain="mail.example")
    left = add_subscribers(store, 1, first=5, state=SubscriptionState.UNSUBSCRIBED)
    store.write(subscribers.update_profiles, [Profile(daily[0], "A", "B", "en", "", "member", (), {})], NOW)
    for filters, expected in (
        ({}, daily + both + left),
        ({"newsletter": "daily"}, daily + both + left),
        ({"newsletter": "daily", "state": SubscriptionState.ACTIVE}, daily + both),
        ({"newsletter": "weekly"}, both),
        ({"state": SubscriptionState.UNSUBSCRIBED}, left),
        ({"plan": "member"}, daily[:1]),
        ({"search": "@MAIL"}, both),
        ({"search": "reader0000_"}, []),
        ({"search": "%"}, []),
    ):
        found = [subscriber.id for subscriber in store.read(subscribers.page, **filters)]
        assert found == expected, filters
        assert store.read(subscribers.count, **filters) == len(expected), filters


def test_an_erased_subscriber_is_not_listed(store: Store) -> None:
    ann, bob = add_subscribers(store, 2)
    store.write(subscribers.erase, ann, b"n" * 32, NOW)
    assert [subscriber.id for subscriber in store.read(subscribers.page)] == [bob]
    erased = store.read(subscribers.by_id, ann)
    assert erased is not None
    assert (erased.erased_at, erased.secret) == (NOW, b"n" * 32)


def test_the_reader_before_is_the_nearest_active_one_of_the_same_newsletter(store: Store) -> None:
    first, second = add_subscribers(store, 2)
    [away] = add_subscribers(store, 1, first=3, state=SubscriptionState.UNSUBSCRIBED)
    [other] = add_subscribers(store, 1, first=4, newsletters=("weekend",))
    [last] = add_subscribers(store, 1, first=5)
    found = [store.read(subscribers.before, one, newsletter="daily") for one in (last, other, away, second, first)]
    assert [one.id if one else None for one in found] == [second, second, second, first, None]
