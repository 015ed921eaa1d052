"""Why did she, or did she not, get an edition? What is known (``facts``) -> one paragraph (Invariant 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from newsletter.cohort import EVERYBODY
from newsletter.config.reading import Configuration
from newsletter.members.addresses import parse_address
from newsletter.members.signing_up import AWAITING
from newsletter.model import ConsentAction, DeliveryState, EditionName, OccurrenceState, Reason, StreamName
from newsletter.schedule.facts import Facts, facts_of
from newsletter.schedule.preferences import Preferences
from newsletter.schedule.words import LET_GO, REASONS, delivery_words, occurrence_words
from newsletter.store import Store
from newsletter.store.consents import Consent
from newsletter.store.deliveries import DeliveryRow

_S = OccurrenceState
_BEFORE_SENDING = (_S.PLANNED, _S.COMPOSED, _S.APPROVED)


class Outcome(StrEnum):
    """What became of one reader's mail. Skipped, failed and unknown are three things (Invariant 5)."""

    SENT = "sent"
    WAITING = "waiting"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_ADDRESSED = "not_addressed"


@dataclass(frozen=True, slots=True)
class Answer:
    """Why, in one paragraph, and the facts behind it. Times are UTC; ``preferences`` is None where no mail is hers.

    ``zone`` is by whose clock it is due, ``hour`` what that clock shows then; ``cohort`` is '' at one time for all."""

    address: str
    edition: str
    outcome: Outcome
    sentence: str
    state: str = ""
    reason: str = ""
    at: datetime | None = None
    due_at: datetime | None = None
    zone: str = ""
    hour: str = ""
    cohort: str = ""
    attempt: int = 0
    relay: str = ""
    reply: str = ""
    message_id: str = ""
    preferences: Preferences | None = None


def why(configuration: Configuration, store: Store, address: str, edition: EditionName, now: datetime) -> Answer:
    """Why ``address`` did, or did not, get ``edition``. Blocking. Raises AddressError and UsageError."""
    return explain(facts_of(configuration, store, parse_address(address), edition, now))


def explain(facts: Facts) -> Answer:
    """The facts in one paragraph. Pure."""
    if facts.delivery is not None:
        return _of_delivery(facts, facts.delivery)
    outcome, reason, words, at = _without_delivery(facts)
    state = facts.occurrence.state.value if facts.occurrence is not None else ""
    hers = outcome is Outcome.WAITING or reason in (Reason.NO_STORIES, Reason.ALL_HAD)
    return Answer(
        facts.address,
        str(facts.edition),
        outcome,
        f"{words} {_copy(facts)}".rstrip() if hers else words,
        state=state,
        reason=reason.value,
        at=at,
        due_at=facts.due_at,
        zone=facts.zone.key,
        hour=_hour(facts),
        cohort=str(facts.cohort),
        preferences=facts.preferences if hers else None,
    )


def _copy(facts: Facts) -> str:
    """What her copy follows, as a sentence; '' where that is not known."""
    return facts.preferences.sentence(facts.due_at, facts.zone) if facts.preferences is not None else ""


def _because(facts: Facts, reason: Reason) -> str:
    """A reason in words; of what she had already, where she had it."""
    if reason is not Reason.ALL_HAD or facts.preferences is None or not facts.preferences.carried:
        return REASONS[reason]
    ours = facts.edition.newsletter
    same = {StreamName.parse(carrier).newsletter == ours for carrier, *_ in facts.preferences.carried}
    where = [
        *(["that day in another newsletter"] if False in same else []),
        *(["in this one before a change of hour, zone or frequency"] if True in same else []),
    ]
    return f"this reader had all of its stories {' and '.join(where)}"


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
        zone=facts.zone.key,
        hour=_hour(facts),
        cohort=str(facts.cohort),
        attempt=row.attempt,
        relay=row.relay,
        reply=row.reply,
        message_id=row.message_id,
        preferences=facts.preferences,
    )


def _delivery_sentence(facts: Facts, row: DeliveryRow) -> tuple[Outcome, str]:
    name, address, at = facts.edition, facts.address, _time(facts, row.sent_at or row.changed_at)
    answered = f": relay {row.relay} answered “{row.reply}”" if row.relay and row.reply else ""
    words = _because(facts, row.reason) if row.reason is Reason.ALL_HAD else delivery_words(row)
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
        return f"{begun}, and would be skipped now: {_because(facts, facts.verdict)}."
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
    if facts.without is not Reason.NONE and facts.recipients_at is not None and _was_there(facts):
        words = f"Nobody got {name} at {facts.cohort.hour} ({facts.cohort.zone}): {_why_without(facts)}."
        return Outcome.SKIPPED, facts.without, words, facts.recipients_at
    if row.state in _BEFORE_SENDING:
        if row.partial:
            words = f"{name} went to some readers by hand and is open for the rest; {facts.address} is not among them."
            return Outcome.WAITING, Reason.BY_HAND, words, row.changed_at
        waits = row.reason is Reason.AWAITING_APPROVAL
        return _to_come(facts, f"is {row.state.value}" + (f" and {row.detail}" if waits else ""))
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


def _why_without(facts: Facts) -> str:
    """Why her cohort has no edition."""
    if facts.let_go is None:
        return REASONS[facts.without]
    done = f"{LET_GO[facts.let_go.action]} only {_time(facts, facts.let_go.at)}"
    return f"{REASONS[facts.without]}, as it was {done}"


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
    joined, left = _last(facts.history, _joins, cut), _last(facts.history, _leaves, cut)
    too_late = facts.due_at if facts.cohort != EVERYBODY else cut
    later = next((one for one in facts.history if _joins(one) and one.at > too_late), None)
    if left is not None and (joined is None or left.at >= joined.at):
        words = f"{address} had unsubscribed {_time(facts, left.at)} ({left.channel.value}) and so does not get {name}."
        return Outcome.NOT_ADDRESSED, Reason.UNSUBSCRIBED, words, left.at
    if later is not None and (joined is None or (facts.verdict is Reason.NOT_SUBSCRIBED and forgotten is None)):
        after = f"the deliveries of {name} had been made {_time(facts, cut)}"
        if facts.cohort != EVERYBODY:
            after = f"{name} was due at this reader's hour, {_time(facts, too_late)}"
        words = f"{address} subscribed {_time(facts, later.at)}, after {after}."
        return Outcome.NOT_ADDRESSED, Reason.NOT_SUBSCRIBED, words, later.at
    if forgotten is not None:
        words = (
            f"It is no longer known whether {address} got {name}: what each reader got was forgotten "
            f"{_time(facts, forgotten)} (keep_deliveries)."
        )
        return Outcome.UNKNOWN, Reason.NONE, words, forgotten
    if facts.verdict is not Reason.NONE:
        words = f"{address} gets no {name}: {_because(facts, facts.verdict)}."
        return Outcome.NOT_ADDRESSED, facts.verdict, words, None
    if facts.targeted and facts.recipients_at is not None:
        words = (
            f"{address} was not in the newsletter's target when the deliveries of {name} were made "
            f"{_time(facts, facts.recipients_at)}, and has come into it since."
        )
        return Outcome.NOT_ADDRESSED, Reason.NOT_TARGETED, words, None
    words = f"The ledger holds no delivery of {name} to {address}, and nothing says why."
    return Outcome.UNKNOWN, Reason.NONE, words, None


def _was_there(facts: Facts) -> bool:
    """Whether she was a reader when her hour came."""
    joined, left = (_last(facts.history, one, facts.due_at) for one in (_joins, _leaves))
    return joined is not None and (left is None or left.at < joined.at)


_JOINING = (ConsentAction.SUBSCRIBED, ConsentAction.CONFIRMED, ConsentAction.IMPORTED)


def _joins(one: Consent) -> bool:
    """Whether she has been a reader since; who signed up and has not confirmed yet is none."""
    return one.action in _JOINING and one.detail != AWAITING


def _leaves(one: Consent) -> bool:
    return one.action is ConsentAction.UNSUBSCRIBED


def _last(history: Sequence[Consent], holds: Callable[[Consent], bool], until: datetime) -> Consent | None:
    return next((one for one in reversed(history) if holds(one) and one.at <= until), None)


def _time(facts: Facts, at: datetime, clock: str = "%H:%M") -> str:
    """``on 2026-11-23 at 07:00 (Asia/Kolkata)``: an instant on the newsletter's clock."""
    local = at.astimezone(facts.zone)
    zone = "UTC" if facts.zone.key == "UTC" or facts.zone == UTC else facts.zone.key
    return f"on {local:%Y-%m-%d} at {local:{clock}} ({zone})"


def _hour(facts: Facts) -> str:
    return f"{facts.due_at.astimezone(facts.zone):%H:%M}"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
