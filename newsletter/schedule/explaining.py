"""Why did she, or did she not, get an edition? Facts of the store -> one paragraph (Invariant 5).

facts_of     reads what was decided; for what is still open it asks the predicate that will decide
explain      pure: the facts in words
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from newsletter.cohort import EVERYBODY, Cohort
from newsletter.compose.keys import has_stories
from newsletter.config.reading import Configuration
from newsletter.deliver.configured import staging_addresses
from newsletter.errors import UsageError
from newsletter.members.addresses import address_hashes, parse_address
from newsletter.model import (
    ConsentAction,
    DeliveryState,
    EditionName,
    OccurrenceState,
    Reason,
    Stream,
    Subscriber,
    Subscription,
)
from newsletter.schedule.cohorts import Cohorts, due_on
from newsletter.schedule.preferences import Preferences, preferences_of
from newsletter.schedule.turns import turns
from newsletter.store import (
    Store,
    consents,
    deliveries,
    editions,
    moves,
    occurrences,
    subscribers,
    subscriptions,
    suppressions,
)
from newsletter.store.consent_check import verdict_before_delivery
from newsletter.store.consents import Consent
from newsletter.store.deliveries import DeliveryRow
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.subscriptions import encode_sections
from newsletter.store.suppressions import SuppressionRow

_S = OccurrenceState
_BEFORE_SENDING = (_S.PLANNED, _S.COMPOSED, _S.APPROVED)

STATES: Mapping[OccurrenceState, str] = {
    _S.PLANNED: "planned: not composed yet",
    _S.COMPOSED: "composed: editors may look",
    _S.APPROVED: "approved: goes out at its time",
    _S.SENDING: "being sent",
    _S.SENT: "sent",
    _S.HELD: "held",
    _S.STOPPED: "stopped in the middle",
    _S.CANCELLED: "cancelled",
    _S.SKIPPED: "skipped",
}

REASONS: Mapping[Reason, str] = {
    Reason.EMPTY: "there was no new story",
    Reason.BELOW_MINIMUM: "there were fewer new stories than articles.min",
    Reason.MISSED: "nothing was running at its time, and catch_up was over",
    Reason.BY_HAND: "a person decided so",
    Reason.TEMPLATE_ERROR: "a template or the configuration is wrong",
    Reason.GATE: "a check before sending spoke against it",
    Reason.AWAITING_APPROVAL: "it waits for an editor's approval",
    Reason.DELIVERY_FAILING: "too many deliveries failed",
    Reason.SEED_FAILED: "a seed did not get it",
    Reason.UNSUBSCRIBED: "this reader had unsubscribed",
    Reason.UNCONFIRMED: "this reader has not confirmed the subscription",
    Reason.SUPPRESSED_MARKETING: "this address wants no newsletters at all",
    Reason.SUPPRESSED_ALL: "this address must not be mailed at all",
    Reason.PAUSED: "this reader has paused the newsletter",
    Reason.ERASED: "this reader was erased",
    Reason.PLAN_CHANGED: "this reader's plan has changed",
    Reason.PROFILE_CHANGED: "this reader's tags or attributes have changed",
    Reason.NOT_TARGETED: "this reader is not in the newsletter's target",
    Reason.STREAM_CHANGED: "this reader gets the newsletter at another frequency",
    Reason.STAGING: "the environment is staging, and this address is not among staging_recipients",
    Reason.NO_STORIES: "the edition held nothing for the sections this reader chose",
    Reason.ALL_HAD: "this reader had all of its stories that day in another newsletter",
    Reason.CANCELLED: "the edition was cancelled",
    Reason.NOT_SUBSCRIBED: "this reader is not subscribed to the newsletter",
    Reason.WARM_UP: "its From domain is new, and that day's number of messages had gone to readers of longer standing",
    Reason.DOMAIN_LIMIT: "its provider has had as many messages a minute as domain_limits allows; its turn comes",
    Reason.DEFERRED: "the relay asked to try again later",
    Reason.RELEASED: "it was handed back before it went on the wire",
    Reason.IN_DOUBT: "the relay's answer was lost, so nobody knows whether it arrived",
    Reason.CLOSED_IN_DOUBT: "the relay's answer was lost, and a person counted it as sent",
    Reason.RESENT_IN_DOUBT: "the relay's answer was lost, so it is sent again with the same Message-ID",
    Reason.REFUSED_MAILBOX: "the relay refused the address",
    Reason.REFUSED_CONTENT: "the relay refused the message",
    Reason.REFUSED_SENDER: "the relay refused the sender",
    Reason.EXPIRED: "it was tried again until retry_for was over",
    Reason.UNDELIVERABLE_ADDRESS: "no relay of this newsletter can take such an address",
}


class Outcome(StrEnum):
    """What became of one reader's mail. Skipped, failed and unknown are three things (Invariant 5)."""

    SENT = "sent"
    WAITING = "waiting"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_ADDRESSED = "not_addressed"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one reader and one edition. ``verdict`` is what claiming would decide at its time, or now where
    that is past; ``recipients_at`` when the last delivery of the edition was made, None before; ``due_at`` is the
    occurrence's, its turn's, or that of her ``cohort``, whose zone then is ``zone``; ``without`` is why that has no
    edition. ``preferences`` are those of her delivery, or hers now where there is none."""

    address: str
    edition: EditionName
    zone: ZoneInfo
    due_at: datetime
    now: datetime
    occurrence: OccurrenceRow | None = None
    delivery: DeliveryRow | None = None
    verdict: Reason = Reason.NOT_SUBSCRIBED
    known: bool = False
    subscription: Subscription | None = None
    suppressed: tuple[SuppressionRow, ...] = ()
    history: tuple[Consent, ...] = ()
    recipients_at: datetime | None = None
    preferences: Preferences | None = None
    cohort: Cohort = EVERYBODY
    without: Reason = Reason.NONE


@dataclass(frozen=True, slots=True)
class Answer:
    """Why, in one paragraph, and the facts behind it. Times are UTC; ``preferences`` is None where no mail is hers."""

    address: str
    edition: str
    outcome: Outcome
    sentence: str
    state: str = ""
    reason: str = ""
    at: datetime | None = None
    due_at: datetime | None = None
    attempt: int = 0
    relay: str = ""
    reply: str = ""
    message_id: str = ""
    preferences: Preferences | None = None


def why(configuration: Configuration, store: Store, address: str, edition: EditionName, now: datetime) -> Answer:
    """Why ``address`` did, or did not, get ``edition``. Blocking. Raises AddressError and UsageError."""
    return explain(facts_of(configuration, store, parse_address(address), edition, now))


def facts_of(configuration: Configuration, store: Store, address: str, edition: EditionName, now: datetime) -> Facts:
    """Everything the answer depends on. Raises UsageError where there is no such edition."""
    name = edition.newsletter
    row = store.read(occurrences.find, *edition.of, edition.occurrence)
    configured = name in configuration.schedules.newsletters
    if row is None:
        configuration.named(edition.of)
    zone = ZoneInfo(configuration.zone(*edition.of) if configured else configuration.schedules.site.timezone)
    person = store.read(subscribers.by_address, address)
    cohort = _cohort_of(configuration, store, row, edition, person) if configured else EVERYBODY
    due_at = _due_at(configuration, row, edition, cohort)
    if cohort != EVERYBODY:
        zone = ZoneInfo(cohort.zone)
    if person is None:
        hashes = address_hashes(address, configuration.site_keys)
        stands = tuple(store.read(suppressions.entries_of, hashes))
        return Facts(address, edition, zone, due_at, now, occurrence=row, suppressed=stands, cohort=cohort)
    only, then = staging_addresses(configuration), max(now, due_at)
    delivery = _delivery_of(store, edition, person)
    if delivery is not None:
        verdict = store.read(deliveries.verdict_now, delivery.id, then, only, configuration.targets)
    else:
        verdict = store.read(verdict_before_delivery, person.id, name, then, only, configuration.targets.of(name))
    composed = store.read(editions.for_occurrence, row.id) if row is not None else []
    if cohort != EVERYBODY and not edition.occurrence.correction:
        composed = [one for one in composed if one.cohort == str(cohort)]
    made = [one.fanned_out_at for one in composed]
    without = composed[0].reason if composed else Reason.NONE
    past = row is not None and row.state in (_S.SENDING, _S.SENT) and due_at <= now
    if cohort != EVERYBODY and not composed and past:  # nobody was at this hour then, or nothing was running
        made, without = [due_at], Reason.MISSED
    subscription = store.read(subscriptions.one, person.id, name)
    if verdict is Reason.NONE and delivery is None and subscription is not None and not edition.occurrence.correction:
        asked_for = _asked_for(store, subscription, min(due_at, now))
        if configured and configuration.stream_of(name, asked_for) is not edition.stream:
            verdict = Reason.STREAM_CHANGED
    is_composed = row is not None and row.state is not _S.PLANNED
    pool = next((one.edition for one in composed if is_composed and one.edition.article_ids), None)
    if configured and verdict is Reason.NONE and delivery is None and subscription is not None and pool is not None:
        stored = encode_sections(subscription.sections)
        if not edition.occurrence.correction and not has_stories(stored, configuration.of(edition), pool):
            verdict = Reason.NO_STORIES
    entries = store.read(consents.history, person.id)
    return Facts(
        address,
        edition,
        zone,
        due_at,
        now,
        occurrence=row,
        delivery=delivery,
        verdict=verdict,
        known=True,
        subscription=subscription,
        history=tuple(entry for entry in entries if entry.newsletter in ("", name)),
        recipients_at=max((at for at in made if at is not None), default=None) if all(made) else None,
        cohort=cohort,
        without=without,
        preferences=preferences_of(configuration, store, edition.of, person, subscription, delivery, pool)
        if configured
        else None,
    )


def _delivery_of(store: Store, edition: EditionName, person: Subscriber) -> DeliveryRow | None:
    found = store.read(
        deliveries.listing,
        newsletter=edition.newsletter,
        stream=edition.stream,
        occurrence=str(edition.occurrence),
        subscriber_id=person.id,
        limit=1,
    )
    return found[0] if found else None


def _asked_for(store: Store, subscription: Subscription, at: datetime) -> Stream:
    """The stream that she had asked for then, as far back as changes are kept."""
    later = store.read(moves.of_readers, subscription.newsletter, [subscription.subscriber_id], at)
    changes = later.get(subscription.subscriber_id, ())
    return changes[0].place.stream if changes else subscription.stream


def _cohort_of(
    configuration: Configuration,
    store: Store,
    row: OccurrenceRow | None,
    edition: EditionName,
    person: Subscriber | None,
) -> Cohort:
    """The cohort whose edition is, was or would be hers; the newsletter's own where nothing of hers says which."""
    own = configuration.own_cohort(*edition.of)
    if own == EVERYBODY or person is None:
        return own
    if row is not None:
        delivery = _delivery_of(store, edition, person)
        if delivery is not None and delivery.cohort:
            return Cohort.parse(delivery.cohort)
        hers = Cohorts(configuration, store).cohort_of_reader(row, person.id)
        if hers is not None:
            return hers
    held = store.read(subscriptions.one, person.id, edition.newsletter)
    return configuration.cohort_of(*edition.of, person.timezone, held.hour if held is not None else "")


def _due_at(configuration: Configuration, row: OccurrenceRow | None, edition: EditionName, cohort: Cohort) -> datetime:
    if row is not None and (cohort == EVERYBODY or row.by_hand):
        return row.due_at
    if cohort == EVERYBODY:
        return _turn_of(configuration, edition)
    schedule = configuration.of(edition).schedule
    due = due_on(schedule, cohort, edition.occurrence.local_date)
    if due is not None:
        return due
    return row.due_at if row is not None else _turn_of(configuration, edition)


def _turn_of(configuration: Configuration, edition: EditionName) -> datetime:
    of, occurrence = edition.of, edition.occurrence
    schedule, zone = configuration.named(of).schedule, configuration.zone(*of)
    for turn in turns(schedule, zone, occurrence.local_date, occurrence.local_date):
        if turn.occurrence == occurrence:
            return turn.utc
    raise UsageError(
        f"there is no edition {of}@{occurrence}, and the schedule has no such turn",
        remedy=f"`newsletter editions list {of}` and `newsletter schedule {of}` show what there is",
    )


def explain(facts: Facts) -> Answer:
    """The facts in one paragraph. Pure."""
    if facts.delivery is not None:
        return _of_delivery(facts, facts.delivery)
    outcome, reason, words, at = _without_delivery(facts)
    state = facts.occurrence.state.value if facts.occurrence is not None else ""
    hers = outcome is Outcome.WAITING or reason is Reason.NO_STORIES
    return Answer(
        facts.address,
        str(facts.edition),
        outcome,
        f"{words} {_copy(facts)}".rstrip() if hers else words,
        state=state,
        reason=reason.value,
        at=at,
        due_at=facts.due_at,
        preferences=facts.preferences if hers else None,
    )


def _copy(facts: Facts) -> str:
    """What her copy follows, as a sentence; '' where that is not known."""
    return facts.preferences.sentence(facts.due_at, facts.zone) if facts.preferences is not None else ""


def occurrence_words(row: OccurrenceRow) -> str:
    """The state of an occurrence and its reason, as a person reads them."""
    waits = row.state is _S.COMPOSED and row.reason is Reason.AWAITING_APPROVAL
    if row.partial and (waits or row.state is _S.APPROVED):
        return f"sent to some readers by hand; {f'for the rest it {row.detail}' if waits else 'open for the rest'}"
    if waits:
        return f"{row.state.value}: {row.detail}"
    reason = row.detail or REASONS.get(row.reason, row.reason.value.replace("_", " "))
    if row.reason is Reason.BY_HAND and row.detail:
        reason = f"{REASONS[row.reason]}: {row.detail}"
    return f"{STATES[row.state]}: {reason}" if reason else STATES[row.state]


def delivery_words(row: DeliveryRow) -> str:
    """Why a delivery is where it is; '' where its state says enough."""
    return REASONS.get(row.reason, row.reason.value.replace("_", " "))


# --- with a row in the ledger ---------------------------------------------------------------------------------------


def _of_delivery(facts: Facts, row: DeliveryRow) -> Answer:
    outcome, words = _delivery_sentence(facts, row)
    return Answer(
        facts.address,
        str(facts.edition),
        outcome,
        f"{words} {_copy(facts)}".rstrip(),
        state=row.state.value,
        reason=row.reason.value,
        at=row.sent_at or row.changed_at,
        due_at=row.due_at,
        attempt=row.attempt,
        relay=row.relay,
        reply=row.reply,
        message_id=row.message_id,
        preferences=facts.preferences,
    )


def _delivery_sentence(facts: Facts, row: DeliveryRow) -> tuple[Outcome, str]:
    name, address, at = facts.edition, facts.address, _time(facts, row.sent_at or row.changed_at)
    answered = f": relay {row.relay} answered “{row.reply}”" if row.relay and row.reply else ""
    words = delivery_words(row)
    match row.state:
        case DeliveryState.SENT if row.reason is Reason.CLOSED_IN_DOUBT:
            return Outcome.UNKNOWN, f"It is not known whether {address} got {name}: {words} {at}."
        case DeliveryState.SENT:
            exactly = _time(facts, row.sent_at or row.changed_at, "%H:%M:%S")
            return Outcome.SENT, f"{name} was sent to {address} {exactly}{answered}."
        case DeliveryState.SKIPPED:
            return Outcome.SKIPPED, f"{name} was not sent to {address}: {words} (decided {at})."
        case DeliveryState.FAILED:
            return Outcome.FAILED, f"{name} could not be delivered to {address}: {words} {at}{answered}."
        case DeliveryState.SENDING if row.reason is Reason.IN_DOUBT:
            remedy = f"`newsletter deliveries release {row.id}` sends it again, `close {row.id}` leaves it"
            return Outcome.UNKNOWN, f"It is not known whether {address} got {name}: {words} (since {at}); {remedy}."
        case DeliveryState.SENDING:
            return Outcome.WAITING, f"{name} is on its way to {address} at this moment, attempt {row.attempt}."
        case DeliveryState.QUEUED:
            return Outcome.WAITING, _queued(facts, row, answered)


def _queued(facts: Facts, row: DeliveryRow, answered: str) -> str:
    begun = f"{facts.edition} has not been sent to {facts.address} yet"
    occurrence = facts.occurrence
    if facts.verdict is not Reason.NONE:
        return f"{begun}, and would be skipped now: {REASONS[facts.verdict]}."
    if occurrence is not None and occurrence.state in (_S.HELD, _S.STOPPED, _S.CANCELLED, _S.SKIPPED):
        return f"{begun}: the edition is {occurrence_words(occurrence)}."
    if row.reason is Reason.DEFERRED:
        again = f"it is tried again {_time(facts, row.due_at)}"
        return f"{begun}: attempt {row.attempt} was put off{answered}; {again}."
    if row.reason is Reason.RESENT_IN_DOUBT:
        return f"{begun} for certain: {REASONS[row.reason]} ({_time(facts, row.due_at)})."
    if row.due_at > facts.now:
        return f"{begun}: it is queued and due {_time(facts, row.due_at)}."
    return f"{begun}: it is queued since {_time(facts, row.changed_at)} and waits for a sender."


# --- without one ----------------------------------------------------------------------------------------------------

_Reasoned = tuple[Outcome, Reason, str, datetime | None]


def _without_delivery(facts: Facts) -> _Reasoned:
    name, row = facts.edition, facts.occurrence
    if row is None:
        if facts.due_at < facts.now:
            words = f"nobody got {name}: nothing was running that would have planned it {_time(facts, facts.due_at)}."
            return Outcome.SKIPPED, Reason.MISSED, _capital(words), None
        return _to_come(facts, "is not planned yet")
    if row.pruned_at is not None and (row.state is not _S.SKIPPED or row.partial):
        return _left_out(facts)
    if row.state in (_S.SKIPPED, _S.CANCELLED):
        words = f"Nobody got {name}: it was {occurrence_words(row)} ({_time(facts, row.changed_at)})."
        return Outcome.SKIPPED, row.reason, words, row.changed_at
    if row.state in _BEFORE_SENDING:
        if row.partial:
            words = f"{name} went to some readers by hand and is open for the rest; {facts.address} is not among them."
            return Outcome.WAITING, Reason.BY_HAND, words, row.changed_at
        waits = row.reason is Reason.AWAITING_APPROVAL
        return _to_come(facts, f"is {row.state.value}" + (f" and {row.detail}" if waits else ""))
    if facts.without is not Reason.NONE and facts.recipients_at is not None and _was_there(facts):
        words = f"Nobody got {name} at {facts.cohort.hour} ({facts.cohort.zone}): {REASONS[facts.without]}."
        return Outcome.SKIPPED, facts.without, words, facts.recipients_at
    if facts.cohort != EVERYBODY and facts.due_at > facts.now and row.state in (_S.SENDING, _S.SENT):
        return _to_come(facts, "goes out at each reader's own hour")
    if row.state is _S.HELD and facts.recipients_at is None:
        return _to_come(facts, f"is {occurrence_words(row)}")
    if facts.recipients_at is not None and facts.edition.occurrence.correction and facts.known:
        words = (
            f"{name} went to those who have {name.of}@{name.occurrence.corrected}, or may have it; "
            f"{facts.address} is not among them."
        )
        return Outcome.NOT_ADDRESSED, Reason.NONE, words, None
    if facts.recipients_at is None and facts.verdict is Reason.NONE:
        words = f"{name} is {occurrence_words(row)}; the delivery to {facts.address} is still to be made."
        return Outcome.WAITING, Reason.NONE, words, None
    return _left_out(facts)


def _to_come(facts: Facts, state: str) -> _Reasoned:
    words = f"{facts.edition} {state}; it is due {_time(facts, facts.due_at)}"
    if facts.verdict is Reason.NONE:
        return Outcome.WAITING, Reason.NONE, f"{words}, and {facts.address} would get it.", None
    outcome, reason, because, at = _left_out(facts)
    return outcome, reason, f"{words}. {because}", at


def _left_out(facts: Facts) -> _Reasoned:
    """Why nobody made a delivery for this reader."""
    name, address = facts.edition, facts.address
    if not facts.known:
        if not facts.suppressed:
            words = f"{address} is no subscriber and so does not get {name}."
            return Outcome.NOT_ADDRESSED, Reason.NOT_SUBSCRIBED, words, None
        stands = max(facts.suppressed, key=lambda one: one.scope)
        erased = any(one.reason == Reason.ERASED.value for one in facts.suppressed)
        reason = Reason.ERASED if erased else Reason.SUPPRESSED_ALL
        words = f"{address} does not get {name}: {REASONS[reason]} ({_time(facts, stands.created_at)})."
        return Outcome.NOT_ADDRESSED, reason, words, stands.created_at
    forgotten = facts.occurrence.pruned_at if facts.occurrence is not None else None
    cut = facts.recipients_at or (facts.due_at if forgotten is not None else facts.now)
    joined = _last(facts.history, _JOINING, cut)
    left = _last(facts.history, (ConsentAction.UNSUBSCRIBED,), cut)
    later = next((one for one in facts.history if one.action in _JOINING and one.at > cut), None)
    if left is not None and (joined is None or left.at >= joined.at):
        words = f"{address} had unsubscribed {_time(facts, left.at)} ({left.channel.value}) and so does not get {name}."
        return Outcome.NOT_ADDRESSED, Reason.UNSUBSCRIBED, words, left.at
    if joined is None and later is not None:
        words = (
            f"{address} subscribed {_time(facts, later.at)}, after the deliveries of {name} "
            f"had been made {_time(facts, cut)}."
        )
        return Outcome.NOT_ADDRESSED, Reason.NOT_SUBSCRIBED, words, later.at
    if forgotten is not None:
        words = (
            f"It is no longer known whether {address} got {name}: what each reader got was forgotten "
            f"{_time(facts, forgotten)} (keep_deliveries)."
        )
        return Outcome.UNKNOWN, Reason.NONE, words, forgotten
    if facts.verdict is not Reason.NONE:
        return Outcome.NOT_ADDRESSED, facts.verdict, f"{address} gets no {name}: {REASONS[facts.verdict]}.", None
    words = f"The ledger holds no delivery of {name} to {address}, and nothing says why."
    return Outcome.UNKNOWN, Reason.NONE, words, None


def _was_there(facts: Facts) -> bool:
    """Whether she was a reader when her hour came."""
    joined = _last(facts.history, _JOINING, facts.due_at)
    left = _last(facts.history, (ConsentAction.UNSUBSCRIBED,), facts.due_at)
    return joined is not None and (left is None or left.at < joined.at)


_JOINING = (ConsentAction.SUBSCRIBED, ConsentAction.CONFIRMED, ConsentAction.IMPORTED)


def _last(history: Sequence[Consent], actions: Sequence[ConsentAction], until: datetime) -> Consent | None:
    return next((one for one in reversed(history) if one.action in actions and one.at <= until), None)


def _time(facts: Facts, at: datetime, clock: str = "%H:%M") -> str:
    """``on 2026-11-23 at 07:00 (Asia/Kolkata)``: an instant on the newsletter's clock."""
    local = at.astimezone(facts.zone)
    zone = "UTC" if facts.zone.key == "UTC" or facts.zone == UTC else facts.zone.key
    return f"on {local:%Y-%m-%d} at {local:{clock}} ({zone})"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
