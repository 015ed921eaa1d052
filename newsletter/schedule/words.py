"""The words for what became of an occurrence and of a delivery: one for each state and for each reason."""

from __future__ import annotations

from collections.abc import Mapping

from newsletter.model import OccurrenceState, Reason
from newsletter.store.deliveries import DeliveryRow
from newsletter.store.occurrences import OccurrenceRow

_S = OccurrenceState

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

LET_GO: Mapping[str, str] = {"approve": "approved", "release": "released", "resume": "resumed"}
"""What a person may do, by its name in the audit, without which an edition that waits does not go."""

REASONS: Mapping[Reason, str] = {
    Reason.EMPTY: "there was no new story",
    Reason.BELOW_MINIMUM: "there were fewer new stories than articles.min",
    Reason.MISSED: "it was late by more than catch_up",
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
    Reason.ALL_HAD: "this reader had all of its stories already",
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
