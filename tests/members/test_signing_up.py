"""Asking for newsletters and confirming, as acts on the store: one transaction each, whoever does what at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from newsletter.members.consent import Confirmed, Evidence
from newsletter.members.signing_in import Limit
from newsletter.members.signing_up import (
    Answer,
    Asked,
    confirm,
    forget_unconfirmed,
    is_role_address,
    request_subscriptions,
)
from newsletter.model import ConsentChannel, MailedPurpose, SubscriptionState
from newsletter.store import Store, mailed_links, subscribers, subscriptions, system_mails, tables
from tests.builders import NOW

ANN = "ann@readers.example"
PUBLISHED = frozenset({"daily", "weekly"})


def how(at: datetime = NOW) -> Evidence:
    return Evidence(ConsentChannel.FORM, at)


def asked(*newsletters: str, address: str = ANN, per_hour: int = 100) -> Asked:
    return Asked(
        address=address,
        address_hashes=(address, f"older {address}"),
        newsletters=newsletters,
        single=frozenset(),
        language="",
        page_language="en",
        confirm_within=timedelta(days=7),
        of_address=Limit(f"a {address}", per_hour),
        of_client=Limit("c", 1000),
    )


def link(store: Store, number: int) -> mailed_links.MailedLink:
    found = store.read(mailed_links.get, number, MailedPurpose.CONFIRM)
    assert found is not None
    return found


def count(store: Store, name: str) -> int:
    table = tables.metadata.tables[name]
    return store.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_many_requests_at_once_make_one_person(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: store.write(request_subscriptions, asked("daily"), how()), range(16)))
    assert set(answers) == {Answer.CONFIRMING}
    assert count(store, "subscribers") == 1
    assert count(store, "deliveries") == 16


def test_a_mail_that_cannot_be_queued_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bool:
        raise OSError("killed")

    monkeypatch.setattr(system_mails, "queue", broken)
    with pytest.raises(OSError, match="killed"):
        store.write(request_subscriptions, asked("daily"), how())
    assert [count(store, name) for name in ("subscribers", "consents", "mailed_links", "request_rates")] == [0] * 4


def test_of_two_who_confirm_at_once_one_is_told_that_it_is_done(store: Store) -> None:
    store.write(request_subscriptions, asked("daily", "weekly"), how())
    ann = store.read(subscribers.by_address, ANN)
    assert ann is not None
    found = link(store, 1)
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: store.write(confirm, found, ann, PUBLISHED, how(), (ANN,), "en"), range(8)))
    assert sorted(done, key=str) == [*[None] * 7, Confirmed(("daily", "weekly"))] or done.count(None) == 7
    assert Confirmed(("daily", "weekly")) in done
    assert count(store, "deliveries") == 2, "the confirmation and one welcome"


def test_what_is_not_published_any_more_is_not_begun(store: Store) -> None:
    store.write(request_subscriptions, asked("daily", "gone"), how())
    ann = store.read(subscribers.by_address, ANN)
    assert ann is not None
    assert store.write(confirm, link(store, 1), ann, PUBLISHED, how(), (ANN,), "en") == Confirmed(("daily",))


def test_who_never_confirms_is_forgotten_and_who_has_anything_else_is_not(store: Store) -> None:
    store.write(request_subscriptions, asked("daily"), how())
    store.write(request_subscriptions, asked("daily", address="bob@readers.example"), how())
    bob = store.read(subscribers.by_address, "bob@readers.example")
    assert bob is not None
    store.write(confirm, link(store, 2), bob, PUBLISHED, how(), ("bob@readers.example",), "en")
    store.write(request_subscriptions, asked("weekly", address="bob@readers.example"), how())
    soon, late = NOW + timedelta(days=7), NOW + timedelta(days=40)
    assert store.write(forget_unconfirmed, NOW, soon) == 0
    assert store.read(subscribers.by_address, ANN) is not None
    assert store.write(forget_unconfirmed, late - timedelta(days=7), late) == 1
    assert store.read(subscribers.by_address, ANN) is None
    states = {one.newsletter: one.state for one in store.read(subscriptions.of, bob.id)}
    assert states["daily"] is SubscriptionState.ACTIVE
    assert count(store, "mailed_links") == 0
    assert count(store, "request_rates") == 0


@pytest.mark.parametrize(
    ("address", "role"),
    [("info@a.example", True), ("newsroom+x@a.example", True), ("ann.info@a.example", False), ("ann@a.example", False)],
)
def test_an_office_is_told_from_a_person(address: str, role: bool) -> None:
    assert is_role_address(address) is role
