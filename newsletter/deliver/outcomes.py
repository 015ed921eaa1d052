"""What became of a claimed delivery on the wire -> what the ledger is told of it. Pure but for the jitter of a wait."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime, timedelta

from newsletter.deliver import backoff
from newsletter.deliver.outgoing import Answered, Lacking, LostBeforeBody, LostInDoubt, Transmission, Withheld
from newsletter.deliver.replies import judge
from newsletter.model import DeliveryState, Reason
from newsletter.store.claiming import Claimed
from newsletter.store.recording import MOST_TRIES_IN_DOUBT, Outcome


def outcome_of(
    row: Claimed, result: Transmission, relay: str, now: datetime, *, keep_in_doubt: Collection[str]
) -> Outcome:
    """What to record. ``keep_in_doubt`` names the newsletters whose mail in doubt waits for a person; of every other,
    what is in doubt too often does."""
    match result:
        case Answered(stage, reply):
            state, reason = judge(stage, reply)
            if state is DeliveryState.QUEUED:
                return deferred(row, now, relay, f"{stage.value}: {reply}")
            return Outcome(row.id, state, reason, relay, f"{stage.value}: {reply}")
        case Lacking(extension):
            lacking = f"the relay lacks {extension}"
            return Outcome(row.id, DeliveryState.FAILED, Reason.UNDELIVERABLE_ADDRESS, relay, lacking)
        case Withheld():
            return released(row, now)
        case LostBeforeBody(why):
            return deferred(row, now, relay, why)
        case LostInDoubt(why):
            if row.newsletter in keep_in_doubt or (row.doubted and row.attempt >= MOST_TRIES_IN_DOUBT):
                return Outcome(row.id, DeliveryState.SENDING, Reason.IN_DOUBT, relay, why, doubted=True)
            return deferred(row, now, relay, why, reason=Reason.RESENT_IN_DOUBT)


def released(row: Claimed, now: datetime) -> Outcome:
    """Back to the queue as if it had never been taken."""
    return Outcome(row.id, DeliveryState.QUEUED, Reason.RELEASED, due_at=now)


def deferred(row: Claimed, now: datetime, relay: str, reply: str, reason: Reason = Reason.DEFERRED) -> Outcome:
    """Back to the queue for later, or failed where the mail would be stale by then.

    What is in doubt for the first time goes again at once: one lost connection says nothing about the next.
    """
    doubted = reason is Reason.RESENT_IN_DOUBT
    again = now + backoff.wait_before(
        row.attempt,
        first=timedelta(0) if doubted and not row.doubted else backoff.FIRST_MESSAGE_WAIT,
        longest=backoff.LONGEST_MESSAGE_WAIT,
        jitter=random.random(),  # noqa: S311
    )
    if again > row.expires_at:
        return Outcome(row.id, DeliveryState.FAILED, Reason.EXPIRED, relay, reply, doubted=doubted)
    return Outcome(row.id, DeliveryState.QUEUED, reason, relay, reply, due_at=again, doubted=doubted)
