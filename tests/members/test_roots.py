"""Three roots of consent, kept apart; what a double opt-in and a person can take back; a ledger that only grows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, literal, select, update

from newsletter.errors import StoreError
from newsletter.members import consent
from newsletter.members.consent import Confirmed, Evidence, Lift, Pause, PreferenceChange
from newsletter.model import (
    ROOTS,
    ConsentAction,
    ConsentChannel,
    DeliveryState,
    Kind,
    Reason,
    Root,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.schedule.pruning import forget_erased
from newsletter.store import Store, consents, subscribers, subscriptions, suppressions, tables
from newsletter.store.consent_check import verdict
from tests.builders import NOW, add_subscribers
from tests.support.ledger import add_delivery, dump, move

HOW = Evidence(ConsentChannel.FORM, NOW, client="192.0.2.0/24", wording="form-3")
LATER = Evidence(ConsentChannel.FORM, NOW + timedelta(days=1))


def verdicts(store: Store, subscriber_id: int, newsletter: str = "daily") -> dict[Root, str]:
    """What the predicate that claims says of a mail of each root."""

    def ask(connection: Connection) -> dict[Root, str]:
        found: dict[Root, set[str]] = {root: set() for root in Root}
        for kind, root in ROOTS.items():
            query = (
                select(verdict(NOW, None, literal(kind.value)))
                .select_from(tables.subscribers)
                .outerjoin(
                    tables.subscriptions,
                    (tables.subscriptions.c.subscriber_id == tables.subscribers.c.id)
                    & (tables.subscriptions.c.newsletter == newsletter),
                )
                .where(tables.subscribers.c.id == subscriber_id)
            )
            found[root].add(connection.execute(query).scalar_one())
        return {root: said.pop() for root, said in found.items() if len(said) == 1}

    return store.read(ask)


def states(store: Store, subscriber_id: int) -> dict[str, SubscriptionState]:
    return {one.newsletter: one.state for one in store.read(subscriptions.of, subscriber_id)}


def test_every_kind_of_mail_has_a_root() -> None:
    assert set(ROOTS) == set(Kind)


@pytest.mark.parametrize(
    ("act", "promotional", "service", "system"),
    [
        ("nothing", "", "", ""),
        ("unsubscribe", Reason.UNSUBSCRIBED, "", ""),
        ("pause", Reason.PAUSED, "", ""),
        ("all", Reason.UNSUBSCRIBED, "", ""),
        ("complaint", Reason.SUPPRESSED_MARKETING, "", ""),
        ("bounce", Reason.SUPPRESSED_ALL, Reason.SUPPRESSED_ALL, Reason.SUPPRESSED_ALL),
        ("erase", Reason.ERASED, Reason.ERASED, Reason.ERASED),
    ],
)
def test_what_stops_one_root_leaves_the_others(
    store: Store, act: str, promotional: str, service: str, system: str
) -> None:
    (ann,) = add_subscribers(store, 1)
    pause = PreferenceChange("daily", pause=Pause(NOW + timedelta(days=1)))
    match act:
        case "unsubscribe":
            store.write(consent.unsubscribe, ann, "daily", HOW)
        case "pause":
            store.write(consent.change_preferences, ann, [pause], HOW)
        case "all":
            store.write(consent.unsubscribe_all, ann, HOW)
        case "complaint":
            store.write(consent.suppress, ann, SuppressionScope.MARKETING, "complaint", HOW)
        case "bounce":
            store.write(consent.suppress, ann, SuppressionScope.ALL, "hard_bounce", HOW)
        case "erase":
            store.write(consent.erase, ann, b"n" * 32, HOW)
    assert verdicts(store, ann) == {Root.PROMOTIONAL: promotional, Root.SERVICE: service, Root.SYSTEM: system}


def test_a_double_opt_in_after_all_brings_back_what_was_confirmed_and_nothing_else(store: Store) -> None:
    (ann,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    store.write(consent.unsubscribe_all, ann, HOW)
    assert store.write(consent.confirm, ann, ["weekly", "evening", "weekly"], LATER) == Confirmed(("weekly", "evening"))
    assert store.write(consent.confirm, ann, ["weekly"], LATER) == Confirmed(already=("weekly",))
    assert states(store, ann) == {
        "daily": SubscriptionState.UNSUBSCRIBED,
        "evening": SubscriptionState.ACTIVE,
        "weekly": SubscriptionState.ACTIVE,
    }
    assert verdicts(store, ann, "weekly")[Root.PROMOTIONAL] == ""
    noted = [(entry.action, entry.newsletter, entry.detail) for entry in store.read(consents.history, ann)]
    assert noted[-3:] == [
        (ConsentAction.LIFTED, "", "marketing: unsubscribe_all"),
        (ConsentAction.CONFIRMED, "weekly", ""),
        (ConsentAction.CONFIRMED, "evening", ""),
    ]


def test_a_complaint_made_before_is_not_carried_on_by_a_confirmation_of_something_else(store: Store) -> None:
    (ann,) = add_subscribers(store, 1, newsletters=("daily",))
    store.write(consent.suppress, ann, SuppressionScope.MARKETING, "complaint", HOW)
    store.write(consent.confirm, ann, ["weekly"], LATER)
    assert states(store, ann) == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": SubscriptionState.ACTIVE}


def test_who_was_erased_comes_back_by_a_fresh_double_opt_in_alone(store: Store) -> None:
    ann, other = add_subscribers(store, 2)
    address_hash = store.read(subscribers.address_hashes, [ann])[ann]
    store.write(consent.erase, ann, b"n" * 32, HOW)
    row = subscribers.NewSubscriber("reader00001@readers.example", address_hash, "", b"s" * 32, NOW)
    store.write(subscribers.add_many, [row])
    back = store.read(subscribers.by_address, row.address)
    assert back is not None
    # Until she confirms, only the mail that asks her to may go to her.
    assert verdicts(store, back.id) == {
        Root.PROMOTIONAL: Reason.SUPPRESSED_ALL,
        Root.SERVICE: Reason.SUPPRESSED_ALL,
        Root.SYSTEM: "",
    }
    assert store.write(consent.subscribe_again, back.id, "daily", LATER) is consent.Renewal.REFUSED
    assert store.write(consent.lift_bounce, back.id, LATER) is Lift.ERASED
    assert store.write(consent.confirm, back.id, ["daily"], LATER) == Confirmed(("daily",))
    assert verdicts(store, back.id)[Root.PROMOTIONAL] == ""
    assert store.read(suppressions.scopes_of, [address_hash]) == {}
    assert verdicts(store, other)[Root.PROMOTIONAL] == ""


def test_an_erasure_written_under_an_older_site_key_is_lifted_too(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    store.write(suppressions.suppress, "older", SuppressionScope.ALL, Reason.ERASED, NOW)
    assert store.write(consent.confirm, ann, ["weekly"], LATER, ["older"]) == Confirmed(("weekly",))
    assert store.read(suppressions.scopes_of, ["older"]) == {}


def test_a_person_lifts_a_bounce_and_her_subscriptions_go_on(store: Store) -> None:
    (ann,) = add_subscribers(store, 1)
    assert store.write(consent.lift_bounce, ann, LATER) is Lift.NOTHING
    store.write(consent.suppress, ann, SuppressionScope.ALL, "hard_bounce", HOW)
    store.write(consent.suppress, ann, SuppressionScope.MARKETING, "complaint", HOW)
    assert store.write(consent.confirm, ann, ["weekly"], LATER) == Confirmed(refused=True)
    assert store.write(consent.lift_bounce, ann, LATER) is Lift.DONE
    assert verdicts(store, ann) == {
        Root.PROMOTIONAL: Reason.SUPPRESSED_MARKETING,
        Root.SERVICE: "",
        Root.SYSTEM: "",
    }
    assert states(store, ann) == {"daily": SubscriptionState.ACTIVE}
    assert store.read(consents.history, ann)[-1].detail == "all: hard_bounce"


@pytest.mark.parametrize(
    "act",
    [
        update(tables.consents).values(detail="otherwise"),
        update(tables.consents).values(action="unsubscribed"),
        update(tables.consents).values(client="", detail="", wording=""),  # she is not erased
        delete(tables.consents),
    ],
)
def test_the_consent_ledger_is_only_ever_added_to(store: Store, act: object) -> None:
    (ann,) = add_subscribers(store, 1)
    store.write(consent.subscribe_again, ann, "weekly", HOW)
    before = store.read(consents.history, ann)
    with pytest.raises(StoreError, match="only ever added to"):
        store.write(lambda connection: connection.execute(act))  # type: ignore[call-overload]
    assert store.read(consents.history, ann) == before
    assert before[0].wording == "form-3"


def test_an_erasure_empties_her_entries_and_can_change_nothing_else_of_them(store: Store) -> None:
    ann, bob = add_subscribers(store, 2)
    for one in (ann, bob):
        store.write(consent.subscribe_again, one, "weekly", HOW)
    store.write(consent.erase, ann, b"n" * 32, LATER)
    hers, his = (store.read(consents.history, one) for one in (ann, bob))
    assert [(one.action, one.client, one.wording) for one in hers] == [("subscribed", "", ""), ("erased", "", "")]
    assert (his[0].client, his[0].wording) == ("192.0.2.0/24", "form-3")
    moved = update(tables.consents).where(tables.consents.c.subscriber_id == ann).values(subscriber_id=bob)
    for act in (moved, moved.values(at=NOW), delete(tables.consents)):
        with pytest.raises(StoreError, match="only ever added to"):
            store.write(lambda connection, act=act: connection.execute(act))  # type: ignore[misc]


def test_what_a_relay_says_of_her_afterwards_is_forgotten_within_the_hour(store: Store) -> None:
    ann, bob = add_subscribers(store, 2)
    delivery = add_delivery(store, ann, DeliveryState.SENDING)
    add_delivery(store, bob, DeliveryState.SENT, newsletter="weekly")
    store.write(consent.erase, ann, b"n" * 32, HOW)
    move(store, delivery, DeliveryState.FAILED)
    assert (
        store.read(dump).count("550 reader00001@readers.example") == 2
    )  # the other is what the builder writes for bob
    assert forget_erased(store, NOW + timedelta(hours=1)) == 1
    assert store.read(dump).count("550 reader00001@readers.example") == 1
