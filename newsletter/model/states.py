"""The states of occurrences and deliveries, what may follow what, and the reasons for where something is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class OccurrenceState(StrEnum):
    """Life of an occurrence; OCCURRENCE_TRANSITIONS says what may follow what."""

    PLANNED = "planned"
    COMPOSED = "composed"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    HELD = "held"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


_S = OccurrenceState
OCCURRENCE_TRANSITIONS: Mapping[OccurrenceState, frozenset[OccurrenceState]] = {
    _S.PLANNED: frozenset({_S.COMPOSED, _S.HELD, _S.CANCELLED, _S.SKIPPED}),
    _S.COMPOSED: frozenset({_S.APPROVED, _S.HELD, _S.CANCELLED, _S.SKIPPED}),
    # Back to composed: edited after it was approved.
    _S.APPROVED: frozenset({_S.SENDING, _S.COMPOSED, _S.HELD, _S.CANCELLED, _S.SKIPPED}),
    _S.SENDING: frozenset({_S.SENT, _S.STOPPED, _S.HELD}),
    _S.SENT: frozenset({_S.SENDING}),
    _S.HELD: frozenset({_S.PLANNED, _S.COMPOSED, _S.APPROVED, _S.SENDING, _S.CANCELLED, _S.SKIPPED}),
    _S.STOPPED: frozenset({_S.SENDING, _S.CANCELLED}),
    _S.CANCELLED: frozenset(),
    _S.SKIPPED: frozenset(),
}


class DeliveryState(StrEnum):
    """Life of a delivery; DELIVERY_TRANSITIONS says what may follow what."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


_D = DeliveryState
DELIVERY_TRANSITIONS: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    _D.QUEUED: frozenset({_D.SENDING, _D.SKIPPED}),
    _D.SENDING: frozenset({_D.QUEUED, _D.SENT, _D.FAILED}),
    _D.SENT: frozenset(),
    _D.FAILED: frozenset({_D.QUEUED}),
    _D.SKIPPED: frozenset(),
}


class Reason(StrEnum):
    """Why something was not sent, not chosen, or is where it is. '' (NONE) where the state says enough."""

    NONE = ""
    # an occurrence
    EMPTY = "empty"
    BELOW_MINIMUM = "below_minimum"
    MISSED = "missed"
    BY_HAND = "by_hand"
    TEMPLATE_ERROR = "template_error"
    GATE = "gate"
    AWAITING_APPROVAL = "awaiting_approval"
    DELIVERY_FAILING = "delivery_failing"
    SEED_FAILED = "seed_failed"
    # a delivery that was not made
    UNSUBSCRIBED = "unsubscribed"
    UNCONFIRMED = "unconfirmed"
    SUPPRESSED_MARKETING = "suppressed_marketing"
    SUPPRESSED_ALL = "suppressed_all"
    PAUSED = "paused"
    ERASED = "erased"
    PLAN_CHANGED = "plan_changed"
    STREAM_CHANGED = "stream_changed"
    PROFILE_CHANGED = "profile_changed"
    STAGING = "staging"
    NO_STORIES = "no_stories"
    ALL_HAD = "all_had"
    CANCELLED = "cancelled"
    NOT_SUBSCRIBED = "not_subscribed"
    WARM_UP = "warm_up"
    NOT_TARGETED = "not_targeted"
    # a delivery in the middle
    DEFERRED = "deferred"
    RELEASED = "released"
    DOMAIN_LIMIT = "domain_limit"
    IN_DOUBT = "in_doubt"
    CLOSED_IN_DOUBT = "closed_in_doubt"
    RESENT_IN_DOUBT = "resent_in_doubt"
    # a delivery that failed
    REFUSED_MAILBOX = "refused_mailbox"
    REFUSED_CONTENT = "refused_content"
    REFUSED_SENDER = "refused_sender"
    EXPIRED = "expired"
    UNDELIVERABLE_ADDRESS = "undeliverable_address"
    # an article in an edition's selection
    CHOSEN = "chosen"
    LEADS = "leads"
    OFFERED_AS_MISSED = "offered_as_missed"
    CARRIED_OVER = "carried_over"
    DROPPED_OVERFLOW = "dropped_overflow"
    TOO_OLD = "too_old"
    ALREADY_SENT = "already_sent"
    RESERVED_ELSEWHERE = "reserved_elsewhere"
    NO_SECTION = "no_section"
    RETRACTED = "retracted"
    NOT_YET = "not_yet"
    BACKFILL = "backfill"
    BLOCKED = "blocked"
    NEAR_DUPLICATE = "near_duplicate"
    TRIMMED = "trimmed"


# An article that is decided so is in the edition; or is used up by it, with no place in it.
IN_EDITION = frozenset({Reason.CHOSEN, Reason.LEADS, Reason.OFFERED_AS_MISSED})
USED_UP = IN_EDITION | {Reason.DROPPED_OVERFLOW}


class Gate(StrEnum):
    """What is looked at before an occurrence goes out, and can hold it. Each value is its key under ``gates:``."""

    READERS = "readers"
    LINKS = "links"
    SAME_SUBJECT = "same_subject"
    STALE_AFTER = "stale_after"
    WEB = "web"
    LEAD_PICTURE = "lead_picture"
    LINT = "lint"


@dataclass(frozen=True, slots=True)
class FailedGate:
    """A gate that speaks against an occurrence: ``what``, with its numbers, and what to do about it (``remedy``)."""

    gate: Gate
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.gate.value}: {self.what}"
