"""Subscriptions change state only from the state they say, and count as an edition's fan-out would."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from newsletter.model import MailFormat, Stream, Subscription, SubscriptionState, SuppressionScope
from newsletter.store import Store, subscribers, subscriptions, suppressions, tables
from newsletter.store.subscriptions import decode_sections, encode_sections
from tests.builders import NOW, add_subscribers


def test_sections_of_any_name_keep_their_order() -> None:
    names = ("World", 'Sport | "Games"', "செய்திகள்", "A;B=C\\")
    assert decode_sections(encode_sections(names)) == names
    assert decode_sections(encode_sections(())) == ()
    assert encode_sections(()) == ""


def test_what_a_page_stores_is_what_composing_reads(store: Store) -> None:
    from newsletter.compose.keys import sections_for
    from tests.support.newsroom import a_newsletter

    assert sections_for(encode_sections(("World",)), a_newsletter()) == ("World",)


def test_adding_a_subscription_never_revives_one(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    store.write(subscriptions.unsubscribe, ann, "daily", NOW)
    again = Subscription(ann, "daily", SubscriptionState.ACTIVE)
    other = Subscription(ann, "weekly", SubscriptionState.ACTIVE, sections=("World",), format=MailFormat.TEXT)
    store.write(subscriptions.add_many, [again, other], NOW)
    daily, weekly = store.read(subscriptions.of, ann)
    assert daily.state is SubscriptionState.UNSUBSCRIBED
    assert weekly == other


def test_unsubscribing_names_what_it_ended_and_only_once(store: Store) -> None:
    ann, bob = add_subscribers(store, 2, newsletters=("daily", "weekly", "evening"))
    assert store.write(subscriptions.unsubscribe, ann, "daily", NOW) == ["daily"]
    assert store.write(subscriptions.unsubscribe, ann, None, NOW) == ["evening", "weekly"]
    assert store.write(subscriptions.unsubscribe, ann, None, NOW) == []
    assert {one.state for one in store.read(subscriptions.of, bob)} == {SubscriptionState.ACTIVE}


def test_activating_tells_whether_anything_changed(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    assert store.write(subscriptions.activate, ann, "daily", NOW) is False
    store.write(subscriptions.unsubscribe, ann, "daily", NOW)
    assert store.write(subscriptions.activate, ann, "daily", NOW) is True
    assert store.write(subscriptions.activate, ann, "weekly", NOW) is True
    assert {one.state for one in store.read(subscriptions.of, ann)} == {SubscriptionState.ACTIVE}


def test_changing_what_is_not_there_changes_nothing(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    assert store.write(subscriptions.change, Subscription(ann, "weekly", SubscriptionState.ACTIVE), NOW) is False
    assert len(store.read(subscriptions.of, ann)) == 1


def test_the_audience_leaves_out_all_who_would_not_be_mailed(store: Store) -> None:
    ids = add_subscribers(store, 5)
    hashes = store.read(subscribers.address_hashes, ids)
    store.write(subscriptions.unsubscribe, ids[0], "daily", NOW)
    store.write(suppressions.suppress, hashes[ids[1]], SuppressionScope.MARKETING, "complaint", NOW)
    store.write(suppressions.suppress, hashes[ids[2]], SuppressionScope.ALL, "hard_bounce", NOW)
    store.write(suppressions.suppress, hashes[ids[2]], SuppressionScope.MARKETING, "complaint", NOW)
    store.write(subscribers.erase, ids[3], b"n" * 32, NOW)
    assert store.read(subscriptions.audience_count, "daily", NOW) == 1
    assert store.read(subscriptions.has_audience, "daily", NOW)
    assert not store.read(subscriptions.has_audience, "weekend", NOW)
    assert not store.read(subscriptions.has_audience, "daily", NOW, None, [Stream.WEEKLY])
    assert store.read(subscriptions.counts)["daily"] == {
        SubscriptionState.PENDING: 0,
        SubscriptionState.ACTIVE: 3,
        SubscriptionState.UNSUBSCRIBED: 1,
    }
    pause = update(tables.subscriptions).where(tables.subscriptions.c.subscriber_id == ids[4])
    until = NOW + timedelta(days=1)
    store.write(lambda connection: connection.execute(pause.values(paused_until=until)))
    for at, number in ((NOW, 0), (until, 1)):
        assert store.read(subscriptions.audience_count, "daily", at) == number
        assert store.read(subscriptions.has_audience, "daily", at) is bool(number)


def test_a_suppression_is_made_and_lifted_once(store: Store) -> None:
    assert store.write(suppressions.suppress, "hash", SuppressionScope.ALL, "hard_bounce", NOW) is True
    assert store.write(suppressions.suppress, "hash", SuppressionScope.ALL, "erased", NOW) is False
    assert store.read(suppressions.scopes_of, ["hash", "other"]) == {"hash": frozenset({SuppressionScope.ALL})}
    assert store.write(suppressions.lift, "hash", SuppressionScope.MARKETING) is False
    assert store.write(suppressions.lift, "hash", SuppressionScope.ALL) is True
    assert store.read(suppressions.scopes_of, ["hash"]) == {}
