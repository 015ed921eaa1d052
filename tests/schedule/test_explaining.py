"""Why she did, or did not, get an edition: every state has its sentence, and the verdict is the one that claims use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, update

from newsletter.cohort import Cohort
from newsletter.config.reading import Configuration
from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.model import (
    ConsentAction,
    ConsentChannel,
    DeliveryState,
    EditionName,
    EditionSection,
    Kind,
    MailFormat,
    Occurrence,
    OccurrenceState,
    Reason,
    Stream,
    Subscription,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.schedule.explaining import Answer, Outcome, explain, why
from newsletter.schedule.facts import Facts
from newsletter.schedule.preferences import Preferences
from newsletter.schedule.words import REASONS, STATES
from newsletter.store import Store, editions, occurrences, tables
from newsletter.store.claiming import claim
from newsletter.store.consents import Consent
from newsletter.store.deliveries import DeliveryRow
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.subscriptions import encode_sections
from newsletter.store.suppressions import SuppressionRow
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.support.ledger import add_delivery
from tests.support.newsroom import add_articles, an_article, plan_occurrence
from tests.support.web_server import a_site

DUE = NOW - timedelta(hours=1)
DAY = Occurrence(date(2026, 11, 23), 1)
NAME = EditionName("daily", DAY)
READER = "reader00001@readers.example"


def an_occurrence(state: OccurrenceState, **changes: object) -> OccurrenceRow:
    row = OccurrenceRow(
        id=1, newsletter="daily", stream=Stream.EACH, occurrence=DAY, kind=Kind.EDITION, due_at=DUE, compose_at=DUE,
        state=state, reason=Reason.NONE, detail="", resumes=None, by_hand=False, partial=False, created_at=DUE,
        changed_at=DUE,
    )  # fmt: skip
    return replace(row, **changes)  # type: ignore[arg-type]


def a_delivery(state: DeliveryState, reason: Reason = Reason.NONE, **changes: object) -> DeliveryRow:
    row = DeliveryRow(
        id=7, newsletter="daily", occurrence=str(DAY), address=READER, state=state, reason=reason, attempt=2,
        relay="main", reply="250 taken", message_id="<1@x>", due_at=DUE, changed_at=DUE, sent_at=None,
    )  # fmt: skip
    return replace(row, **changes)  # type: ignore[arg-type]


def facts(**changes: object) -> Facts:
    """She is subscribed, and the edition was sent an hour ago."""
    known = Facts(
        READER,
        NAME,
        ZoneInfo("Asia/Kolkata"),
        DUE,
        NOW,
        occurrence=an_occurrence(OccurrenceState.SENT),
        verdict=Reason.NONE,
        known=True,
        subscription=Subscription(1, "daily", SubscriptionState.ACTIVE),
        history=(a_consent(ConsentAction.SUBSCRIBED, hours=-100),),
        recipients_at=DUE,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def a_consent(action: ConsentAction, hours: float) -> Consent:
    return Consent(1, action, ConsentChannel.PAGE, DUE + timedelta(hours=hours), "daily")


def answer(**changes: object) -> Answer:
    found = explain(facts(**changes))
    assert len(found.sentence.splitlines()) == 1
    assert found.sentence.endswith(".")
    return found


@pytest.mark.parametrize(
    ("delivery", "outcome", "words"),
    [
        (a_delivery(DeliveryState.SENT), Outcome.SENT, "relay main answered “250 taken”"),
        (a_delivery(DeliveryState.SENT, Reason.CLOSED_IN_DOUBT), Outcome.UNKNOWN, "It is not known whether"),
        (a_delivery(DeliveryState.SKIPPED, Reason.PAUSED), Outcome.SKIPPED, "has paused"),
        (a_delivery(DeliveryState.FAILED, Reason.REFUSED_MAILBOX), Outcome.FAILED, "refused the address"),
        (a_delivery(DeliveryState.SENDING), Outcome.WAITING, "on its way"),
        (a_delivery(DeliveryState.SENDING, Reason.IN_DOUBT), Outcome.UNKNOWN, "deliveries release 7"),
        (a_delivery(DeliveryState.QUEUED, Reason.DEFERRED), Outcome.WAITING, "attempt 2 was put off"),
        (a_delivery(DeliveryState.QUEUED, Reason.RESENT_IN_DOUBT), Outcome.WAITING, "same Message-ID"),
        (a_delivery(DeliveryState.QUEUED), Outcome.WAITING, "waits for a sender"),
        (a_delivery(DeliveryState.QUEUED, due_at=NOW + timedelta(hours=1)), Outcome.WAITING, "2026-11-23 at 12:30"),
    ],
)
def test_each_state_of_a_delivery_has_its_sentence(delivery: DeliveryRow, outcome: Outcome, words: str) -> None:
    found = answer(delivery=delivery)
    assert found.outcome is outcome
    assert words in found.sentence
    assert READER in found.sentence
    assert "(Asia/Kolkata)" in found.sentence or delivery.state is DeliveryState.SENDING


def test_a_queued_delivery_that_consent_now_forbids_says_so() -> None:
    found = answer(delivery=a_delivery(DeliveryState.QUEUED), verdict=Reason.UNSUBSCRIBED)
    assert "would be skipped now: this reader had unsubscribed" in found.sentence


def test_a_queued_delivery_of_a_held_edition_says_so() -> None:
    held = an_occurrence(OccurrenceState.HELD, reason=Reason.TEMPLATE_ERROR, detail="card.html:3: wrong")
    assert "held: card.html:3: wrong" in answer(delivery=a_delivery(DeliveryState.QUEUED), occurrence=held).sentence


def test_of_an_edition_whose_deliveries_are_forgotten_nothing_is_claimed() -> None:
    sent, cancelled = (an_occurrence(one, pruned_at=NOW) for one in (OccurrenceState.SENT, OccurrenceState.CANCELLED))
    by_hand = an_occurrence(OccurrenceState.SKIPPED, reason=Reason.MISSED, partial=True, pruned_at=NOW)
    moved_since = {"cohort": Cohort("Europe/Berlin", "07:00"), "without": Reason.MISSED, "recipients_at": DUE}
    correction = EditionName("daily", replace(DAY, correction=1))
    for known in (
        {"occurrence": sent},
        {"occurrence": sent, "verdict": Reason.PAUSED},  # what stands against her now did not necessarily then
        {"occurrence": sent, "recipients_at": None},
        {"occurrence": sent, **moved_since},
        {"occurrence": sent, "edition": correction},
        {"occurrence": cancelled},
        {"occurrence": by_hand},
    ):
        found = answer(**known)
        assert (found.outcome, found.reason) == (Outcome.UNKNOWN, ""), known
        assert "It is no longer known whether" in found.sentence
        assert "(keep_deliveries)" in found.sentence
    nobody = answer(occurrence=an_occurrence(OccurrenceState.SKIPPED, reason=Reason.EMPTY, pruned_at=NOW))
    assert nobody.sentence.startswith("Nobody got"), "that is known for ever"


def test_nobody_got_a_skipped_edition() -> None:
    skipped = an_occurrence(OccurrenceState.SKIPPED, reason=Reason.BELOW_MINIMUM)
    found = answer(occurrence=skipped, recipients_at=None)
    assert (found.outcome, found.reason) == (Outcome.SKIPPED, "below_minimum")
    assert "Nobody got daily@2026-11-23/1" in found.sentence


def test_what_is_to_come_says_whether_she_would_get_it() -> None:
    planned = an_occurrence(OccurrenceState.PLANNED)
    assert "would get it" in answer(occurrence=planned, recipients_at=None).sentence
    paused = answer(occurrence=planned, recipients_at=None, verdict=Reason.PAUSED)
    assert (paused.outcome, paused.reason) == (Outcome.NOT_ADDRESSED, "paused")


def test_a_turn_that_nothing_planned_was_missed_by_all() -> None:
    found = answer(occurrence=None, recipients_at=None)
    assert (found.outcome, found.reason) == (Outcome.SKIPPED, "missed")
    coming = answer(occurrence=None, recipients_at=None, due_at=NOW + timedelta(days=3))
    assert coming.outcome is Outcome.WAITING


def test_an_edition_sent_by_hand_to_others_is_open_for_her() -> None:
    found = answer(occurrence=an_occurrence(OccurrenceState.APPROVED, partial=True), recipients_at=None)
    assert "open for the rest" in found.sentence


def test_while_deliveries_are_being_made_hers_may_still_come() -> None:
    found = answer(occurrence=an_occurrence(OccurrenceState.SENDING), recipients_at=None)
    assert (found.outcome, "still to be made" in found.sentence) == (Outcome.WAITING, True)


def test_she_subscribed_after_the_deliveries_were_made() -> None:
    found = answer(history=(a_consent(ConsentAction.SUBSCRIBED, hours=0.5),))
    assert (found.outcome, found.reason) == (Outcome.NOT_ADDRESSED, "not_subscribed")
    assert "subscribed on 2026-11-23 at 11:00 (Asia/Kolkata), after" in found.sentence


def test_she_had_unsubscribed_before_and_came_back_since() -> None:
    history = (
        a_consent(ConsentAction.SUBSCRIBED, hours=-100),
        a_consent(ConsentAction.UNSUBSCRIBED, hours=-2),
        a_consent(ConsentAction.SUBSCRIBED, hours=0.5),
    )
    found = answer(history=history)
    assert (found.reason, "had unsubscribed on 2026-11-23 at 08:30" in found.sentence) == ("unsubscribed", True)


def test_an_address_that_was_erased_is_told_from_a_stranger() -> None:
    stranger = answer(known=False, history=(), verdict=Reason.NOT_SUBSCRIBED)
    assert (stranger.outcome, stranger.reason) == (Outcome.NOT_ADDRESSED, "not_subscribed")
    erased = (SuppressionRow(SuppressionScope.ALL, "erased", DUE),)
    assert answer(known=False, history=(), suppressed=erased).reason == "erased"


def test_a_row_that_ought_to_be_there_is_unknown_not_invented() -> None:
    assert answer().outcome is Outcome.UNKNOWN


def test_every_state_and_every_reason_of_mail_has_words() -> None:
    of_articles = {
        Reason.CHOSEN, Reason.CARRIED_OVER, Reason.DROPPED_OVERFLOW, Reason.TOO_OLD, Reason.ALREADY_SENT,
        Reason.RESERVED_ELSEWHERE, Reason.NO_SECTION, Reason.RETRACTED, Reason.NOT_YET, Reason.BACKFILL,
        Reason.BLOCKED, Reason.NEAR_DUPLICATE, Reason.LEADS, Reason.OFFERED_AS_MISSED,
        Reason.TRIMMED,
    }  # fmt: skip
    assert set(STATES) == set(OccurrenceState)
    assert set(Reason) - of_articles - {Reason.NONE} == set(REASONS)


@pytest.fixture
def site(tmp_path: Path) -> Configuration:
    return a_site(tmp_path)


def suppress(connection: Connection, subscriber_id: int, scope: SuppressionScope) -> None:
    consent.suppress(connection, subscriber_id, scope, "bounce", Evidence(ConsentChannel.CLI, NOW))


@pytest.mark.parametrize("what", ["unsubscribed", "suppressed_all", "suppressed_marketing", "not_subscribed", ""])
def test_why_before_the_claim_says_what_the_claim_then_does(store: Store, site: Configuration, what: str) -> None:
    (reader,) = add_subscribers(store, 1)
    delivery = add_delivery(store, reader, DeliveryState.QUEUED)
    if what == "unsubscribed":
        store.write(consent.unsubscribe, reader, "daily", Evidence(ConsentChannel.CLI, NOW))
    elif what.startswith("suppressed"):
        store.write(suppress, reader, SuppressionScope(what.removeprefix("suppressed_")))
    elif what:
        store.write(lambda connection: connection.execute(tables.subscriptions.delete()))
    said = why(site, store, READER, NAME, NOW)
    claimed = store.write(
        claim,
        1,
        newsletters=["daily"],
        limit=5,
        now=NOW,
        message_id_of=lambda _edition, _id: "<1@x>",
        plans=["free"],
        languages={},
    )
    after = store.read(lambda connection: connection.execute(tables.deliveries.select()).one())
    assert after.id == delivery
    assert (after.state, after.reason) == (("skipped", what) if what else ("sending", ""))
    assert len(claimed.rows) == (0 if what else 1)
    assert ("would be skipped now" in said.sentence) is bool(what)
    if what:
        assert REASONS[Reason(what)] in said.sentence


def test_the_verdict_without_a_delivery_is_the_same(store: Store, site: Configuration) -> None:
    (reader,) = add_subscribers(store, 1)
    add_occurrence(store, state=OccurrenceState.PLANNED, due_at=NOW)
    assert "would get it" in why(site, store, READER, NAME, NOW).sentence

    def pause(connection: Connection) -> None:
        connection.execute(update(tables.subscriptions).values(paused_until=NOW + timedelta(days=1)))

    store.write(pause)
    assert why(site, store, READER, NAME, NOW).reason == "paused"
    store.write(suppress, reader, SuppressionScope.ALL)
    assert why(site, store, READER, NAME, NOW).reason == "suppressed_all"


def test_a_skipped_occurrence_in_the_store_explains_itself(store: Store, site: Configuration) -> None:
    add_subscribers(store, 1)
    occurrence_id, _ = add_occurrence(store, state=OccurrenceState.COMPOSED)
    store.write(occurrences.skip, occurrence_id, reason=Reason.MISSED, now=NOW)
    assert why(site, store, READER, NAME, NOW).reason == "missed"


def test_the_paragraph_says_what_her_copy_follows() -> None:
    hers = Preferences(("World", "Sport"), True, "hi", MailFormat.TEXT, "member", stories=11, of=14)
    found = answer(delivery=a_delivery(DeliveryState.SENT, sent_at=DUE + timedelta(seconds=2)), preferences=hers)
    assert "at 10:30:02 (Asia/Kolkata): relay main" in found.sentence
    assert found.sentence.endswith(
        "Due 10:30 Asia/Kolkata; sections World, Sport, as chosen; 11 of 14 stories; "
        "language hi, text only, plan member."
    )
    assert found.preferences == hers
    nobody = answer(verdict=Reason.NOT_SUBSCRIBED, recipients_at=None, preferences=hers)
    assert nobody.preferences is None, "no copy is hers"


def test_a_pause_that_ends_before_the_time_of_an_edition_is_over_by_then(store: Store, site: Configuration) -> None:
    add_subscribers(store, 1)
    store.write(
        lambda connection: connection.execute(update(tables.subscriptions).values(paused_until=NOW + timedelta(days=2)))
    )
    names = {day: EditionName.parse(f"daily@2026-11-{day}/1") for day in (24, 25, 26)}
    said = {day: why(site, store, READER, name, NOW).reason for day, name in names.items()}
    assert said == {24: "paused", 25: "paused", 26: ""}


def test_a_choice_of_sections_that_holds_nothing_today_is_said_before_it_is_sent(
    store: Store, site: Configuration
) -> None:
    add_subscribers(store, 1)
    add_articles(store, an_article(1))
    row = plan_occurrence(store)
    store.write(editions.create, row, "", "", "", row.due_at, [EditionSection("World", (1,))], [], NOW)

    def choose(connection: Connection, *sections: str) -> None:
        connection.execute(update(tables.subscriptions).values(sections=encode_sections(sections)))

    store.write(choose, "World")
    comes = why(site, store, READER, NAME, NOW)
    assert (comes.outcome, comes.preferences and comes.preferences.stories) == (Outcome.WAITING, 1)
    store.write(choose, "National")
    nothing = why(site, store, READER, NAME, NOW)
    assert (nothing.outcome, nothing.reason) == (Outcome.NOT_ADDRESSED, "no_stories")
    assert "sections National, as chosen; 0 of 1 story" in nothing.sentence
