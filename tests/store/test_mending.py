"""Stopping, resuming, cancelling and trying again, as the ledger has it afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, insert, select, update

from newsletter.model import DeliveryState, OccurrenceState, Reason
from newsletter.store import Store, audit, decisions, deliveries, mending, occurrences, tables
from newsletter.store.claiming import Claim, claim
from newsletter.store.fan_out import fan_out_page
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.recording import Outcome, record
from newsletter.store.withdrawals import last_withdrawal, withdrawn
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.support.newsroom import add_articles, an_article

HOURS = timedelta(hours=8)
LATER = NOW + timedelta(days=1)
_S, _D = OccurrenceState, DeliveryState


def going_out(store: Store, readers: int) -> OccurrenceRow:
    """An occurrence in ``sending`` with that many queued deliveries, holding article 1."""
    add_subscribers(store, readers)
    _, edition_id = add_occurrence(store)
    while store.write(fan_out_page, edition_id, languages=("en",), expires_at=NOW + HOURS, now=NOW):
        pass

    add_articles(store, an_article(1))

    def use(connection: Connection) -> None:
        connection.execute(
            insert(tables.article_uses).values(
                newsletter="daily", stream="each", cohort="", article_id=1, edition_id=edition_id
            )
        )

    store.write(use)
    return the_row(store)


def the_row(store: Store) -> OccurrenceRow:
    (row,) = store.read(occurrences.listing)
    return row


def take(store: Store, limit: int = 100, *, now: datetime = NOW) -> Claim:
    return store.write(
        claim,
        1,
        newsletters=["daily"],
        limit=limit,
        now=now,
        message_id_of=lambda _edition, subscriber: f"<{subscriber}@test>",
        plans=["free"],
        languages={},
    )


def finish(store: Store, claimed: Claim, *ended: tuple[DeliveryState, Reason]) -> None:
    outcomes = [
        Outcome(row.id, state, reason, "main", "said", doubted=reason is Reason.RESENT_IN_DOUBT)
        for row, (state, reason) in zip(claimed.rows, ended, strict=True)
    ]
    store.write(record, 1, outcomes, NOW)


def held_articles(store: Store) -> list[bool]:
    """For each article that an edition holds, whether it counts as sent."""
    return list(store.read(lambda c: c.execute(select(tables.article_uses.c.sent)).scalars().all()))


def test_nothing_of_a_stopped_occurrence_is_claimed_until_it_goes_on(store: Store) -> None:
    row = going_out(store, 6)
    finish(store, take(store, 2), (_D.SENT, Reason.NONE), (_D.SENT, Reason.NONE))
    assert store.write(mending.stop, row, actor="ann", detail="wrong picture", now=NOW)
    assert not store.write(mending.stop, row, actor="bob", now=NOW)
    assert take(store) == Claim((), 0)
    assert store.read(mending.who_has_it, row.id) == {
        "sent": 2, "in_doubt": 0, "sending": 0, "queued": 4, "failed": 0, "skipped": 0
    }  # fmt: skip
    assert (the_row(store).state, the_row(store).detail) == (_S.STOPPED, "wrong picture")
    assert store.write(mending.resume, row, actor="ann", retry_for=HOURS, now=NOW)
    assert not store.write(mending.resume, row, actor="ann", retry_for=HOURS, now=NOW)
    assert len(take(store).rows) == 4
    assert [(act.actor, act.action) for act in store.read(audit.listing)] == [("ann", "resume"), ("ann", "stop")]


@pytest.mark.parametrize("act", [mending.stop, decisions.hold])
def test_what_was_claimed_before_a_stop_or_hold_is_withheld_before_its_body(store: Store, act: Any) -> None:
    row = going_out(store, 3)
    _, other_edition = add_occurrence(store, "briefing")
    claimed = take(store).rows
    other = claimed[0]._replace(id=99, edition_id=other_edition, newsletter="briefing")
    assert store.read(withdrawn, [*claimed, other]) == frozenset()
    assert store.write(act, row, actor="ann", now=NOW)
    assert store.read(last_withdrawal) > claimed[0].withdrawals_seen, "a sender looks again"
    assert store.read(withdrawn, [*claimed, other]) == {one.id for one in claimed}


def test_what_was_deferred_before_a_long_stop_is_tried_again_after_it(store: Store) -> None:
    row = going_out(store, 1)
    finish(store, take(store), (_D.QUEUED, Reason.DEFERRED))
    store.write(mending.stop, row, actor="ann", now=NOW)
    store.write(mending.resume, row, actor="ann", retry_for=HOURS, now=LATER)
    (claimed,) = take(store, now=LATER).rows
    assert claimed.expires_at == LATER + HOURS


def test_what_goes_out_cannot_be_cancelled_before_it_is_stopped(store: Store) -> None:
    row = going_out(store, 3)
    assert not store.write(mending.cancel, row, actor="ann", now=NOW)
    assert store.write(mending.drop_queued, row.id, NOW) == 0, "nobody is skipped of an occurrence that goes on"
    assert the_row(store).state is _S.SENDING


def test_cancelling_frees_the_stories_where_nobody_has_them(store: Store) -> None:
    row = going_out(store, 3)
    store.write(mending.stop, row, actor="ann", now=NOW)
    assert store.write(mending.cancel, row, actor="ann", now=NOW)
    while store.write(mending.drop_queued, row.id, NOW, limit=2):
        pass
    assert store.read(mending.who_has_it, row.id)["skipped"] == 3
    assert held_articles(store) == []


def test_what_a_sender_gives_back_after_the_cancelling_is_skipped_too(store: Store) -> None:
    row = going_out(store, 4)
    claimed = take(store, 3)
    store.write(mending.stop, row, actor="ann", now=NOW)
    store.write(mending.cancel, row, actor="ann", now=NOW)
    while store.write(mending.drop_queued, row.id, NOW):
        pass
    finish(store, claimed, *[(_D.QUEUED, why) for why in (Reason.RELEASED, Reason.RELEASED, Reason.RESENT_IN_DOUBT)])
    store.write(deliveries.expire, LATER)
    assert store.read(deliveries.counts, row.id) == {
        (_D.SKIPPED, Reason.CANCELLED): 3,
        (_D.SKIPPED, Reason.IN_DOUBT): 1,
    }


def test_what_is_given_back_to_an_occurrence_that_is_only_stopped_stays_queued(store: Store) -> None:
    row = going_out(store, 2)
    claimed = take(store)
    store.write(mending.stop, row, actor="ann", now=NOW)
    finish(store, claimed, (_D.QUEUED, Reason.RELEASED), (_D.QUEUED, Reason.RELEASED))
    store.write(deliveries.expire, LATER)
    assert store.read(deliveries.counts, row.id) == {(_D.QUEUED, Reason.RELEASED): 2}


def test_cancelling_keeps_the_stories_that_somebody_has_and_who_may_have_it(store: Store) -> None:
    row = going_out(store, 4)
    claimed = take(store, 3)
    finish(
        store, claimed, (_D.SENT, Reason.NONE), (_D.QUEUED, Reason.RESENT_IN_DOUBT), (_D.FAILED, Reason.REFUSED_MAILBOX)
    )
    store.write(mending.stop, row, actor="ann", now=NOW)
    store.write(mending.cancel, row, actor="ann", now=NOW)
    assert store.write(mending.drop_queued, row.id, NOW) == 2
    assert store.write(mending.drop_queued, row.id, NOW) == 0
    assert store.read(mending.who_has_it, row.id) == {
        "sent": 1, "in_doubt": 1, "sending": 0, "queued": 0, "failed": 1, "skipped": 1
    }  # fmt: skip
    assert held_articles(store) == [True]


def test_the_failed_are_tried_again_once_and_bounces_only_when_asked_for(store: Store) -> None:
    row = going_out(store, 4)
    failed = [Reason.REFUSED_CONTENT, Reason.EXPIRED, Reason.REFUSED_MAILBOX]
    finish(store, take(store), *((_D.FAILED, reason) for reason in failed), (_D.SENT, Reason.NONE))
    store.write(lambda c: c.execute(update(tables.occurrences).values(state=_S.SENT.value)))
    reasons = mending.OF_FAILURES - mending.NOT_RETRIED
    assert store.write(mending.retry, row, actor="ann", reasons=reasons, now=LATER)

    def page(connection: Connection) -> int:
        return mending.requeue_failed(
            connection, row.id, reasons=reasons, failed_before=LATER, retry_for=HOURS, now=LATER, limit=1
        )

    assert [store.write(page) for _ in range(3)] == [1, 1, 0]
    assert the_row(store).state is _S.SENDING
    claimed = take(store, now=LATER)
    assert [(one.message_id, one.attempt) for one in claimed.rows] == [(f"<{n}@test>", 1) for n in (1, 2)]
    finish(store, claimed, (_D.SENT, Reason.NONE), (_D.SENT, Reason.NONE))
    assert not store.write(mending.retry, row, actor="ann", reasons=reasons, now=LATER), "only a bounce is left"
    assert store.write(mending.retry, row, actor="ann", reasons={Reason.REFUSED_MAILBOX}, now=LATER)


def one_failed(store: Store) -> OccurrenceRow:
    """An occurrence counted as sent, its one delivery failed."""
    row = going_out(store, 1)
    finish(store, take(store), (_D.FAILED, Reason.REFUSED_CONTENT))
    store.write(occurrences.transition, row.id, _S.SENT, from_={_S.SENDING}, now=NOW)
    return the_row(store)


def requeue(connection: Connection, row: OccurrenceRow) -> int:
    return mending.requeue_failed(
        connection, row.id, reasons={Reason.REFUSED_CONTENT}, failed_before=LATER, retry_for=HOURS, now=LATER
    )


def test_what_is_tried_again_is_claimed_although_the_occurrence_was_counted_as_sent_meanwhile(store: Store) -> None:
    row = one_failed(store)
    assert store.write(mending.retry, row, actor="ann", reasons={Reason.REFUSED_CONTENT}, now=LATER)
    # A tick that sees nothing moving; where it was not reopened yet, there is nothing to complete.
    store.write(occurrences.transition, row.id, _S.SENT, from_={_S.SENDING}, now=LATER)
    assert store.write(requeue, row) == 1
    assert the_row(store).state is _S.SENDING
    assert len(take(store, now=LATER).rows) == 1


@pytest.mark.parametrize("state", [_S.STOPPED, _S.HELD, _S.CANCELLED])
def test_nothing_failed_is_queued_into_what_was_stopped_held_or_cancelled_meanwhile(
    store: Store, state: OccurrenceState
) -> None:
    row = one_failed(store)
    assert store.write(mending.retry, row, actor="ann", reasons={Reason.REFUSED_CONTENT}, now=LATER)
    store.write(lambda c: c.execute(update(tables.occurrences).values(state=state.value)))
    assert store.write(requeue, row) == 0
    assert store.read(deliveries.counts, row.id) == {(_D.FAILED, Reason.REFUSED_CONTENT): 1}


@pytest.mark.parametrize("then", ["released", "failed", "deferred", "queued again"])
def test_who_may_have_a_message_is_not_forgotten_whatever_comes_after(store: Store, then: str) -> None:
    occurrence_id, _ = _one_in_doubt(store)
    now = NOW + timedelta(minutes=1)
    if then != "queued again":
        [row] = _claim(store, now)
        outcome = {
            "released": Outcome(row, DeliveryState.QUEUED, Reason.RELEASED, due_at=now),
            "failed": Outcome(row, DeliveryState.FAILED, Reason.REFUSED_MAILBOX, "main", "550 no"),
            "deferred": Outcome(row, DeliveryState.QUEUED, Reason.DEFERRED, "main", "451 later", due_at=now),
        }[then]
        store.write(record, 1, [outcome], now)
    assert store.read(mending.who_has_it, occurrence_id)["in_doubt"] == 1
    counted = store.read(
        lambda c: c.execute(select(func.count()).select_from(tables.deliveries).where(mending.has_it())).scalar()
    )
    assert counted == 1, "a correction goes to her too"


def _one_in_doubt(store: Store) -> tuple[int, int]:
    add_subscribers(store, 1)
    occurrence_id, edition_id = add_occurrence(store)
    store.write(fan_out_page, edition_id, languages=("en",), expires_at=NOW + timedelta(hours=8), now=NOW)
    [row] = _claim(store, NOW)
    doubt = Outcome(row, DeliveryState.QUEUED, Reason.RESENT_IN_DOUBT, "main", "lost", due_at=NOW, doubted=True)
    store.write(record, 1, [doubt], NOW)
    return occurrence_id, row


def _claim(store: Store, now: datetime) -> list[int]:
    found = store.write(
        claim,
        1,
        newsletters=["daily"],
        limit=10,
        now=now,
        message_id_of=lambda _edition, subscriber: f"<{subscriber}@x>",
        plans=("free",),
        languages={},
    )
    return [row.id for row in found.rows]
