"""The sender against a real SMTP server and both databases: what readers receive, and what the ledger says of it."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from sqlalchemy import Connection, func, insert, select, update
from structlog.testing import capture_logs

from newsletter.config.models import Relay
from newsletter.deliver import outcomes, sending
from newsletter.deliver.failing import Threshold
from newsletter.deliver.pace import Pace
from newsletter.deliver.sending import Assemble, Post, Rules, Sender
from newsletter.errors import RelayError, SenderLockLost, StoreError, TemplateError
from newsletter.model import DeliveryState, OccurrenceState, Reason
from newsletter.store import Store, deliveries, failing, mending, occurrences, senders, tables
from newsletter.store.claiming import Claimed
from newsletter.store.fan_out import add_recipients, fan_out_page
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.support.smtp_server import Accepted, SmtpServer
from tests.support.waiting import wait_for


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


async def assemble(row: Claimed) -> Post:
    lines = [
        "From: daily@news.example",
        f"To: {row.address}",
        f"Message-ID: {row.message_id}",
        "Subject: x",
        "",
        "..Body",
        "",
    ]
    return Post("daily@news.example", "\r\n".join(lines).encode().replace(b"\r\n.", b"\r\n=2E"))


def rules(*, keep: bool = False, only: frozenset[str] | None = None) -> Rules:
    return Rules(frozenset({"daily"} if keep else ()), ("free",), {}, only, lambda edition, s: f"<{edition}.{s}@test>")


def relay_to(server: SmtpServer, **changes: Any) -> Relay:
    return Relay(**({"host": "127.0.0.1", "port": server.port, "tls": "none", "connections": 3} | changes))


async def send(
    store: Store,
    relay: Relay,
    *,
    keep: bool = False,
    now: datetime = NOW,
    only: frozenset[str] | None = None,
    assembling: Assemble = assemble,
) -> Sender:
    lock = senders.acquire(store, now)
    assert lock is not None
    try:
        sender = Sender(
            store, lock, {"main": relay}, {"main": ["daily"]}, rules(keep=keep, only=only), assembling, lambda: now
        )
        await sender.run(asyncio.Event(), until_idle=True)
        return sender
    finally:
        lock.close(now)


def queue(store: Store, readers: int) -> tuple[list[int], int]:
    """Subscribers with a queued delivery each; their ids and the edition's."""
    ids = add_subscribers(store, readers)
    _, edition_id = add_occurrence(store)
    fan_out(store, edition_id)
    return ids, edition_id


def fan_out(store: Store, edition_id: int, *, limit: int = 1000) -> None:
    expires = NOW + timedelta(hours=8)
    while store.write(fan_out_page, edition_id, languages=("en",), expires_at=expires, now=NOW, limit=limit):
        pass


def states(store: Store) -> Counter[tuple[str, str]]:
    columns = tables.deliveries.c
    statement = select(columns.state, columns.reason, func.count()).group_by(columns.state, columns.reason)
    rows = store.read(lambda connection: connection.execute(statement).all())
    return Counter({(state, reason): number for state, reason, number in rows})


async def test_every_subscriber_gets_one_message_over_connections_that_stay_open(
    store: Store, server: SmtpServer
) -> None:
    queue(store, 60)
    sender = await send(store, relay_to(server))
    assert Counter(server.recipients) == Counter(f"reader{n:05d}@readers.example" for n in range(1, 61))
    assert states(store) == {("sent", ""): 60}
    assert sender.tally.sent == 60
    assert server.connections <= 3


async def test_sending_again_sends_nothing(store: Store, server: SmtpServer) -> None:
    queue(store, 5)
    await send(store, relay_to(server))
    await send(store, relay_to(server))
    assert len(server.accepted) == 5


def test_nobody_is_added_to_an_edition_that_everyone_has(store: Store) -> None:
    _, edition_id = queue(store, 5)
    add_subscribers(store, 1, first=6)  # another process, which read the edition before that, goes on with it
    fan_out(store, edition_id)
    assert states(store) == {("queued", ""): 5}


async def test_a_row_is_in_sending_before_the_wire_sees_its_reader(store: Store, server: SmtpServer) -> None:
    queue(store, 12)
    seen: list[tuple[str, str]] = []
    columns = select(tables.subscribers.c.address, tables.deliveries.c.state)

    def look(said: str, argument: str) -> str:
        if said == "RCPT":
            address = argument.partition("<")[2].partition(">")[0]
            rows = store.read(lambda c: c.execute(columns.join_from(tables.deliveries, tables.subscribers)).all())
            seen.append((address, dict(tuple(row) for row in rows)[address]))
        return "usual"

    server.answer = look
    await send(store, relay_to(server))
    assert len(seen) == 12
    assert {state for _, state in seen} == {"sending"}


async def test_fan_out_in_small_pages_resumes_where_it_stopped_and_makes_one_row_each(store: Store) -> None:
    add_subscribers(store, 25)
    _, edition_id = add_occurrence(store)
    store.write(fan_out_page, edition_id, languages=("en",), expires_at=NOW, now=NOW, limit=10)
    fan_out(store, edition_id, limit=10)
    fan_out(store, edition_id, limit=10)
    assert states(store) == {("queued", ""): 25}


async def test_a_server_without_pipelining_gets_one_command_at_a_time(store: Store) -> None:
    with SmtpServer(extensions=("8BITMIME",)) as server:
        queue(store, 4)
        await send(store, relay_to(server, connections=1))
        assert len(server.accepted) == 4
        assert server.early == []


async def test_a_server_with_pipelining_gets_the_next_envelope_before_it_has_answered(
    store: Store, server: SmtpServer
) -> None:
    queue(store, 4)
    await send(store, relay_to(server, connections=1))
    assert {"MAIL", "RCPT", "DATA"} <= set(server.early)


async def test_a_reader_whose_address_needs_smtputf8_is_failed_where_the_only_relay_has_it_not(store: Store) -> None:
    ids, _ = queue(store, 3)
    change(store, tables.subscribers, ids[1], address="vögel@readers.example", address_hash="x")
    with SmtpServer(extensions=("PIPELINING", "8BITMIME")) as server:
        sender = await send(store, relay_to(server))
        assert sorted(server.recipients) == ["reader00001@readers.example", "reader00003@readers.example"]
        assert server.verbs.count("MAIL") == 2, "nothing of it went on the wire"  # RFC 6531 §3.2
    assert states(store) == {("sent", ""): 2, ("failed", "undeliverable_address"): 1}
    assert sender.tally.failed == 1
    row = tables.deliveries.c
    replied = select(row.reply).where(row.state == DeliveryState.FAILED.value)
    assert store.read(lambda connection: connection.execute(replied).scalar_one()) == "the relay lacks SMTPUTF8"


async def test_where_smtputf8_is_offered_such_a_reader_is_mailed(store: Store, server: SmtpServer) -> None:
    [reader], _ = queue(store, 1)
    change(store, tables.subscribers, reader, address="vögel@readers.example", address_hash="x")
    await send(store, relay_to(server))
    assert server.recipients == ["vögel@readers.example"]
    assert states(store) == {("sent", ""): 1}


async def test_lines_that_begin_with_a_dot_arrive_as_written(store: Store, server: SmtpServer) -> None:
    queue(store, 1)
    await send(store, relay_to(server))
    assert b"=2E.Body" in server.accepted[0].content


@pytest.mark.parametrize(
    ("verb", "reply", "reason"),
    [
        ("RCPT", "550 5.1.1 no such user", "refused_mailbox"),
        ("RCPT", "550 5.7.1 policy", "refused_content"),
        ("MAIL", "553 5.1.8 bad sender", "refused_sender"),
        ("DATA", "554 5.6.0 no", "refused_content"),
    ],
)
async def test_a_permanent_refusal_is_recorded_with_its_class_and_the_next_message_goes_out(
    store: Store, server: SmtpServer, verb: str, reply: str, reason: str
) -> None:
    queue(store, 3)
    refused = iter([True])
    server.answer = lambda said, _argument: reply if said == verb and next(refused, False) else "usual"
    await send(store, relay_to(server, connections=1))
    assert states(store) == {("sent", ""): 2, ("failed", reason): 1}
    assert len(server.accepted) == 2


async def test_a_message_refused_at_its_final_dot_is_failed_for_its_content(store: Store, server: SmtpServer) -> None:
    queue(store, 2)
    refused = iter(["554 5.7.0 spam"])
    server.on_body = lambda _accepted: next(refused, "usual")
    await send(store, relay_to(server, connections=1))
    assert states(store) == {("sent", ""): 1, ("failed", "refused_content"): 1}


async def test_a_temporary_refusal_goes_back_to_the_queue_for_later(store: Store, server: SmtpServer) -> None:
    queue(store, 2)
    refused = iter([True])
    server.answer = lambda said, _argument: "452 4.2.2 full" if said == "RCPT" and next(refused, False) else "usual"
    await send(store, relay_to(server, connections=1))
    assert states(store) == {("sent", ""): 1, ("queued", "deferred"): 1}
    await send(store, relay_to(server), now=NOW + timedelta(seconds=10))
    assert len(server.accepted) == 1, "not before its time"
    await send(store, relay_to(server), now=NOW + timedelta(minutes=5))
    assert Counter(server.recipients).most_common(1)[0][1] == 1
    assert states(store) == {("sent", ""): 2}


async def test_mail_that_would_be_stale_by_its_next_try_is_failed_as_expired(store: Store, server: SmtpServer) -> None:
    queue(store, 1)
    server.answer = lambda said, _argument: "451 4.3.0 later" if said == "RCPT" else "usual"
    await send(store, relay_to(server), now=NOW + timedelta(hours=7, minutes=59, seconds=50))
    assert states(store) == {("failed", "expired"): 1}


async def test_a_lost_reply_to_the_final_dot_is_in_doubt_and_sent_again_with_the_same_message_id(
    store: Store, server: SmtpServer
) -> None:
    queue(store, 1)
    seen: list[str] = []

    def hang_up_once(accepted: Any) -> str | None:
        seen.append(accepted.message_id)
        return None if len(seen) == 1 else "usual"

    server.on_body = hang_up_once
    await send(store, relay_to(server, connections=1))
    assert states(store) in ({("sent", ""): 1}, {("queued", "resent_in_doubt"): 1})
    await send(store, relay_to(server, connections=1), now=NOW + timedelta(minutes=1))
    assert states(store) == {("sent", ""): 1}
    assert len(seen) == 2
    assert seen[0] == seen[1]


async def test_who_is_in_doubt_again_and_again_is_sent_it_three_times_at_most_with_waits_and_then_a_person_decides(
    store: Store, server: SmtpServer
) -> None:
    queue(store, 20)

    def take_hers_and_drop(accepted: Accepted) -> str | None:
        if accepted.recipient != "reader00001@readers.example":
            return "usual"
        server.accepted.append(accepted)
        return None

    server.on_body = take_hers_and_drop
    copies: list[int] = []
    with capture_logs() as said:
        for minutes in (0, 0.5, 2, 60):
            async with asyncio.timeout(20):
                await send(store, relay_to(server), now=NOW + timedelta(minutes=minutes))
            copies.append(server.recipients.count("reader00001@readers.example"))
    assert copies == [2, 2, 3, 3], "again at once, then by the back-off of the deferred, then no more"
    assert len(server.accepted) == 19 + 3
    assert len({accepted.message_id for accepted in server.accepted}) == 20
    assert states(store) == {("sent", ""): 19, ("sending", "in_doubt"): 1}
    [row] = store.read(deliveries.listing, in_doubt=True)
    told = [one for one in said if one["event"] == "a delivery in doubt waits for a person"]
    assert [(one["delivery"], one["log_level"]) for one in told] == [(row.id, "error")]
    server.on_body = lambda _accepted: "usual"
    assert store.write(deliveries.release_in_doubt, [row.id], NOW + timedelta(hours=1)) == 1
    await send(store, relay_to(server), now=NOW + timedelta(hours=1))
    assert states(store) == {("sent", ""): 20}


async def test_a_doubt_stays_one_where_the_mail_is_stale_by_then(store: Store, server: SmtpServer) -> None:
    queue(store, 1)
    server.on_body = lambda _accepted: None
    await send(store, relay_to(server, connections=1), now=NOW + timedelta(hours=9))
    assert states(store) == {("failed", "expired"): 1}
    assert who_may_have_it(store) == 1, "a correction goes to her"


def who_may_have_it(store: Store) -> int:
    statement = select(func.count()).select_from(tables.deliveries).where(mending.has_it())
    return int(store.read(lambda connection: connection.execute(statement).scalar_one()))


async def test_under_keep_a_lost_reply_is_listed_for_a_person_who_may_release_or_close_it(
    store: Store, server: SmtpServer
) -> None:
    queue(store, 2)
    server.on_body = lambda _accepted: None
    await send(store, relay_to(server, connections=1), keep=True)
    assert states(store) == {("sending", "in_doubt"): 2}
    first, second = store.read(deliveries.listing, in_doubt=True)
    server.on_body = lambda _accepted: "usual"
    assert store.write(deliveries.release_in_doubt, [first.id], NOW) == 1
    assert store.write(deliveries.close_in_doubt, [second.id], NOW) == 1
    await send(store, relay_to(server), keep=True)
    assert server.recipients == [first.address]
    assert states(store) == {("sent", ""): 1, ("sent", "closed_in_doubt"): 1}


async def test_a_connection_lost_before_the_body_leaves_nothing_in_doubt(store: Store, server: SmtpServer) -> None:
    queue(store, 1)
    cut = iter([True])
    server.answer = lambda said, _argument: None if said == "DATA" and next(cut, False) else "usual"
    await send(store, relay_to(server, connections=1), keep=True)
    assert states(store) == {("queued", "deferred"): 1}


async def test_a_relay_that_is_down_leaves_every_row_queued(store: Store, server: SmtpServer) -> None:
    queue(store, 3)
    server.answer = lambda said, _argument: "554 5.3.2 closed" if said == "CONNECT" else "usual"
    with pytest.raises(RelayError, match=r"main .*it answered 554"):
        await send(store, relay_to(server))
    assert states(store) == {("queued", ""): 3}


async def test_421_ends_the_connection_and_the_message_goes_over_another(store: Store, server: SmtpServer) -> None:
    queue(store, 3)
    full = iter([True])
    server.answer = lambda said, _argument: "421 4.3.2 busy" if said == "MAIL" and next(full, False) else "usual"
    await send(store, relay_to(server, connections=1))
    await send(store, relay_to(server), now=NOW + timedelta(minutes=5))
    assert len(set(server.recipients)) == len(server.recipients) == 3


# --- faults of ours ---


@pytest.mark.parametrize(
    "fault", [KeyError("headline"), TemplateError("'lead' is undefined", where="card.html:3")], ids=repr
)
@pytest.mark.parametrize("step", ["made", "signed"])
async def test_a_fault_in_assembling_one_message_puts_it_off_and_the_rest_go_out(
    store: Store, server: SmtpServer, step: str, fault: Exception
) -> None:
    unlucky = queue(store, 30)[0][9]

    def fail() -> bytes:
        raise fault

    async def with_a_fault(row: Claimed) -> Post:
        post = await assemble(row)
        if row.subscriber_id != unlucky:
            return post._replace(signature=lambda: b"DKIM-Signature: x\r\n")
        return post._replace(signature=fail) if step == "signed" else post._replace(message=fail())

    sender = await send(store, relay_to(server), assembling=with_a_fault)
    assert sender.tally.sent == 29
    assert sorted(server.recipients) == [f"reader{n:05d}@readers.example" for n in range(1, 31) if n != 10]
    assert states(store) == {("sent", ""): 29, ("queued", "deferred"): 1}
    [row] = store.read(deliveries.listing, subscriber_id=unlucky)
    assert row.reply.startswith("not assembled: ")
    assert str(fault) in row.reply, "why says what went wrong"
    assert row.due_at > NOW
    await send(store, relay_to(server), now=NOW + timedelta(minutes=5))
    assert states(store) == {("sent", ""): 30}
    assert server.recipients[29:] == ["reader00010@readers.example"], (
        "once it can be made, it goes out; nobody else gets theirs again"
    )


async def test_a_fault_in_understanding_one_answer_leaves_that_one_in_doubt_and_never_sends_it_again(
    store: Store, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlucky = queue(store, 30)[0][9]
    really = outcomes.outcome_of

    def faulty(row: Claimed, *arguments: Any, **values: Any) -> Any:
        if row.subscriber_id == unlucky:
            raise KeyError("headline")
        return really(row, *arguments, **values)

    monkeypatch.setattr(sending, "outcome_of", faulty)
    assert (await send(store, relay_to(server))).tally.sent == 29
    monkeypatch.undo()
    await send(store, relay_to(server), now=NOW + timedelta(minutes=5))
    assert sorted(server.recipients) == [f"reader{n:05d}@readers.example" for n in range(1, 31)]
    assert states(store) == {("sent", ""): 29, ("sending", "in_doubt"): 1}
    [row] = store.read(deliveries.listing, subscriber_id=unlucky)
    assert row.reply == "not understood: KeyError: 'headline'"


async def test_a_fault_in_keeping_pace_costs_a_connection_and_no_outcome(
    store: Store, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(store, 30)
    really, left = Pace.answered, [ZeroDivisionError()]

    def faulty(pace: Pace, *arguments: Any, **values: Any) -> bool:
        if left:
            raise left.pop()
        return really(pace, *arguments, **values)

    monkeypatch.setattr(Pace, "answered", faulty)
    async with asyncio.timeout(20):  # a row that nobody is told of is waited for
        sender = await send(store, relay_to(server, connections=1))
    assert sender.tally.sent == 30
    assert not left
    assert sorted(server.recipients) == [f"reader{n:05d}@readers.example" for n in range(1, 31)]
    assert states(store) == {("sent", ""): 30}


async def send_what_is_refused(store: Store, server: SmtpServer) -> Sender:
    """Send where a third is refused, more than is borne."""
    thirds = itertools.count(1)
    server.answer = lambda said, _argument: "550 5.1.1 no" if said == "RCPT" and next(thirds) % 3 == 0 else "usual"
    lock = senders.acquire(store, NOW)
    assert lock is not None
    watched = dataclasses.replace(rules(), failing={"daily": Threshold(0.1, 10)})
    sender = Sender(store, lock, {"main": relay_to(server)}, {"main": ["daily"]}, watched, assemble, lambda: NOW)
    try:
        async with asyncio.timeout(30):
            await sender.run(asyncio.Event(), until_idle=True)
        return sender
    finally:
        lock.close(NOW)


@pytest.mark.parametrize("times", [1, 1_000_000], ids=["once", "always"])
async def test_what_arrived_is_recorded_also_where_the_edition_that_is_refused_cannot_be_held(
    store: Store, server: SmtpServer, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    queue(store, 60)
    really, failures = store.write_async, iter(range(times))

    async def locked(work: Any, *arguments: Any, **values: Any) -> Any:
        if work is failing.hold and next(failures, None) is not None:
            raise StoreError("another process has held the database's lock for 30 s")
        return await really(work, *arguments, **values)

    monkeypatch.setattr(sending, "_RECORD_RETRY_SECONDS", 0.2)
    monkeypatch.setattr(store, "write_async", locked)
    with pytest.raises(StoreError, match="held the database's lock"):
        await send_what_is_refused(store, server)
    monkeypatch.undo()
    now = states(store)
    assert now["sent", ""] == len(server.accepted)
    assert {state for state, _ in now} == {"sent", "failed", "queued"}, "nothing is claimed any more, or in doubt"
    [occurrence] = store.read(occurrences.listing)
    assert (occurrence.state is OccurrenceState.HELD) == (times == 1), "it was tried again"
    server.answer = lambda _said, _argument: "usual"
    await send(store, relay_to(server))
    assert max(Counter(server.recipients).values()) == 1, "nobody is mailed twice"


# --- consent ---


def change(store: Store, table: Any, subscriber_id: int, **values: Any) -> None:
    column = table.c.subscriber_id if "subscriber_id" in table.c else table.c.id
    store.write(lambda connection: connection.execute(update(table).where(column == subscriber_id).values(**values)))


def suppress(connection: Connection, subscriber_id: int, scope: str) -> None:
    row = connection.execute(select(tables.subscribers).where(tables.subscribers.c.id == subscriber_id)).one()
    values = {"address_hash": row.address_hash, "scope": scope, "reason": "test", "created_at": NOW}
    connection.execute(insert(tables.suppressions).values(**values))


async def test_consent_is_checked_as_the_row_leaves_the_queue_and_each_refusal_has_its_reason(
    store: Store, server: SmtpServer
) -> None:
    ids, _ = queue(store, 8)
    change(store, tables.subscriptions, ids[0], state="unsubscribed")
    change(store, tables.subscriptions, ids[1], paused_until=NOW + timedelta(days=1))
    change(store, tables.subscriptions, ids[2], paused_until=NOW - timedelta(days=1))
    change(store, tables.subscribers, ids[3], erased_at=NOW)
    change(store, tables.subscriptions, ids[4], state="pending")
    store.write(suppress, ids[5], "all")
    store.write(suppress, ids[6], "marketing")
    await send(store, relay_to(server))
    assert sorted(server.recipients) == ["reader00003@readers.example", "reader00008@readers.example"]
    assert states(store) == {
        ("sent", ""): 2,
        ("skipped", "unsubscribed"): 1,
        ("skipped", "paused"): 1,
        ("skipped", "erased"): 1,
        ("skipped", "unconfirmed"): 1,
        ("skipped", "suppressed_all"): 1,
        ("skipped", "suppressed_marketing"): 1,
    }


async def test_staging_mails_its_allow_list_and_says_what_it_held_back(store: Store, server: SmtpServer) -> None:
    queue(store, 3)
    await send(store, relay_to(server), only=frozenset({"reader00002@readers.example"}))
    assert server.recipients == ["reader00002@readers.example"]
    assert states(store) == {("sent", ""): 1, ("skipped", "staging"): 2}


async def test_a_withdrawal_after_the_claim_keeps_the_body_off_the_wire(store: Store, server: SmtpServer) -> None:
    ids, _ = queue(store, 1)

    def withdraw_at_data(said: str, _argument: str) -> str:
        if said == "DATA":
            change(store, tables.subscriptions, ids[0], state="unsubscribed")
            values = {"subscriber_id": ids[0], "newsletter": "daily", "reason": "unsubscribed", "at": NOW}
            store.write(lambda connection: connection.execute(insert(tables.revocations).values(**values)))
        return "usual"

    server.answer = withdraw_at_data
    await send(store, relay_to(server, connections=1))
    assert server.accepted == []
    assert states(store) == {("skipped", "unsubscribed"): 1}


async def test_a_plan_changed_after_fan_out_is_what_the_message_is_rendered_for(store: Store) -> None:
    ids, _ = queue(store, 1)
    change(store, tables.subscribers, ids[0], plan="member")
    lock = senders.acquire(store, NOW)
    assert lock is not None
    from newsletter.store.claiming import claim

    claimed = await lock.run(
        claim,
        lock.sender,
        newsletters=["daily"],
        limit=5,
        now=NOW,
        message_id_of=lambda e, s: "<a>",
        plans=("free", "member"),
        languages={},
    )
    lock.close(NOW)
    assert [str(row.rendered_key) for row in claimed.rows] == ["en/member"]


async def test_an_occurrence_that_is_not_sending_keeps_its_rows_in_the_queue(store: Store, server: SmtpServer) -> None:
    queue(store, 2)
    statement = update(tables.occurrences).values(state=OccurrenceState.STOPPED.value)
    store.write(lambda connection: connection.execute(statement))
    await send(store, relay_to(server))
    assert server.accepted == []


# --- locks ---


async def test_rows_of_a_sender_that_died_are_resent_with_the_same_message_id(store: Store, server: SmtpServer) -> None:
    queue(store, 3)
    orphan(store)
    await send(store, relay_to(server))
    assert sorted(accepted.message_id for accepted in server.accepted) == ["<old1>", "<old2>", "<old3>"]


async def test_rows_of_a_sender_that_died_are_kept_for_a_person_under_keep(store: Store, server: SmtpServer) -> None:
    queue(store, 3)
    orphan(store)
    await send(store, relay_to(server), keep=True)
    assert server.accepted == []
    assert states(store) == {("sending", "in_doubt"): 3}


@pytest.mark.parametrize(
    ("attempt", "doubted", "kept"), [(2, True, False), (3, True, True), (3, False, False)], ids=str
)
async def test_a_sender_that_died_was_one_more_doubtful_transmission(
    store: Store, server: SmtpServer, attempt: int, doubted: bool, kept: bool
) -> None:
    queue(store, 3)
    orphan(store, attempt=attempt, doubted=doubted)
    await send(store, relay_to(server))
    assert len(server.accepted) == (0 if kept else 3)
    assert states(store) == ({("sending", "in_doubt"): 3} if kept else {("sent", ""): 3})


def orphan(store: Store, *, attempt: int = 1, doubted: bool = False, only_queued: bool = False) -> None:
    """Put every row (or those that are queued) in ``sending`` under a sender that is no more."""
    columns = tables.deliveries.c
    message_id = "<old" + func.replace(func.cast(columns.subscriber_id, tables.deliveries.c.reply.type), " ", "") + ">"
    theirs = {"state": "sending", "sender": 4711, "message_id": message_id, "attempt": attempt, "doubted": doubted}
    statement = update(tables.deliveries).values(theirs)
    if only_queued:
        statement = statement.where(columns.state == "queued")
    store.write(lambda connection: connection.execute(statement))


def queue_one(store: Store) -> None:
    """One more reader, whose delivery is due now."""
    (reader,) = add_subscribers(store, 1, first=101)
    [(edition_id,)] = store.read(lambda connection: connection.execute(select(tables.editions.c.id)).all())
    store.write(add_recipients, edition_id, [reader], languages=("en",), expires_at=NOW + timedelta(hours=8), now=NOW)


async def test_rows_of_a_sender_that_lives_are_left_alone(store: Store, server: SmtpServer) -> None:
    if store.is_sqlite:
        first = senders.acquire(store, NOW)
        assert first is not None
        assert senders.acquire(store, NOW) is None, "one sending process on SQLite"
        first.close(NOW)
        return
    queue(store, 2)
    alive = senders.acquire(store, NOW)
    assert alive is not None
    values = {"state": "sending", "sender": alive.sender, "message_id": "<x>"}
    store.write(lambda connection: connection.execute(update(tables.deliveries).values(**values)))
    await send(store, relay_to(server))
    assert server.accepted == []
    alive.close(NOW)
    await send(store, relay_to(server))
    assert len(server.accepted) == 2


def not_yet_due(store: Store, readers: int) -> None:
    """Queued deliveries that nobody claims by himself at NOW."""
    add_subscribers(store, readers)
    _, edition_id = add_occurrence(store, due_at=NOW + timedelta(hours=1))
    fan_out(store, edition_id)


async def arrived(server: SmtpServer, number: int) -> None:
    await asyncio.to_thread(wait_for, lambda: len(server.accepted) >= number, f"{number} messages", 20)


async def test_what_a_sender_leaves_that_dies_later_is_sent_by_one_that_lives(
    store: Store, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_RECOVER_SECONDS", 0.05, raising=False)
    not_yet_due(store, 3)
    stop = asyncio.Event()
    async with senders.holding(store, lambda: NOW) as lock:
        assert lock is not None
        sender = Sender(store, lock, {"main": relay_to(server)}, {"main": ["daily"]}, rules(), assemble, lambda: NOW)
        running = asyncio.create_task(sender.run(stop))
        queue_one(store)
        sender.wake()
        await arrived(server, 1)  # it has recovered once and is at work
        orphan(store, only_queued=True)
        await arrived(server, 4)
        stop.set()
        await asyncio.wait_for(running, 20)
    assert states(store) == {("sent", ""): 4}
    assert Counter(server.recipients).most_common(1)[0][1] == 1


async def test_a_sender_that_goes_until_nothing_is_due_first_takes_over_what_another_left_meanwhile(
    store: Store, server: SmtpServer
) -> None:
    not_yet_due(store, 3)
    queue_one(store)

    def another_dies(_accepted: Any) -> str:
        orphan(store, only_queued=True)
        return "usual"

    server.on_body = another_dies
    await asyncio.wait_for(send(store, relay_to(server)), 20)
    assert states(store) == {("sent", ""): 4}


async def test_rows_of_a_sender_that_lives_stay_its_own_for_as_long_as_it_lives(
    new_postgresql: Callable[[], str], server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "_RECOVER_SECONDS", 0.02, raising=False)
    stop, looks = asyncio.Event(), 0
    with Store.open(new_postgresql()) as store:
        alive = senders.acquire(store, NOW)
        assert alive is not None
        queue(store, 3)
        values = {"state": "sending", "sender": alive.sender, "message_id": "<x>"}
        store.write(lambda connection: connection.execute(update(tables.deliveries).values(**values)))
        async with senders.holding(store, lambda: NOW) as lock:
            assert lock is not None
            recover = lock.recover

            async def counted(**values: Any) -> tuple[int, int]:
                nonlocal looks
                found = await recover(**values)
                looks += 1
                return found

            monkeypatch.setattr(lock, "recover", counted)
            relays = {"main": relay_to(server)}
            sender = Sender(store, lock, relays, {"main": ["daily"]}, rules(), assemble, lambda: NOW)
            running = asyncio.create_task(sender.run(stop))
            await asyncio.to_thread(wait_for, lambda: looks >= 5, "some looks for senders that died", 20)
            assert states(store) == {("sending", ""): 3}
            await asyncio.to_thread(hang_up, alive)
            await arrived(server, 3)
            stop.set()
            await asyncio.wait_for(running, 20)
        assert states(store) == {("sent", ""): 3}


def hang_up(lock: Any) -> None:
    """As kill -9 does: its session ends, and nobody signs off."""
    lock._hang_up()


async def test_a_sender_that_lost_its_lock_puts_nothing_more_on_the_wire(store: Store, server: SmtpServer) -> None:
    queue(store, 200)

    def take_the_lock_away(_accepted: Any) -> str:
        if len(server.accepted) == 5:
            if store.is_sqlite:
                assert store.path is not None
                store.path.with_name(store.path.name + ".sender.flock").unlink()
            else:
                locks = (
                    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
                    "WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND d.datname = current_database()"
                )
                store.write(lambda connection: connection.exec_driver_sql(locks).all())
        return "usual"

    server.on_body = take_the_lock_away
    with pytest.raises(SenderLockLost):
        await send(store, relay_to(server))
    assert len(server.accepted) < 5 + 3 * 20 + 3


async def test_rows_made_while_the_ledger_was_being_asked_are_not_left_behind(
    store: Store, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = senders.acquire(store, NOW)
    assert lock is not None
    sender = Sender(store, lock, {"main": relay_to(server)}, {"main": ["daily"]}, rules(), assemble, lambda: NOW)
    sender.more_to_come = True
    ask = lock.run

    async def and_then_they_come(*arguments: Any, **values: Any) -> Any:
        answer = await ask(*arguments, **values)
        if sender.more_to_come and arguments[0].__name__ == "exchange":
            queue(store, 5)
            sender.more_to_come = False
            sender.wake()
        return answer

    monkeypatch.setattr(lock, "run", and_then_they_come)
    await asyncio.wait_for(sender.run(asyncio.Event(), until_idle=True), 20)
    lock.close(NOW)
    assert len(server.accepted) == 5


# --- TLS and AUTH ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls_is_verified_and_authentication_is_used(
    store: Store, authority: trustme.CA, tmp_path: Path, tls: str
) -> None:
    queue(store, 3)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = server_context(authority, "127.0.0.1")
    with SmtpServer(tls=context, implicit_tls=tls == "implicit", credentials=("news", "secret")) as server:
        relay = relay_to(server, tls=tls, ca_file=tmp_path / "ca.pem", username="news", password="secret")
        await send(store, relay)
        assert len(server.accepted) == 3


async def test_a_certificate_of_another_name_is_refused_in_one_line(
    store: Store, authority: trustme.CA, tmp_path: Path
) -> None:
    queue(store, 1)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with SmtpServer(tls=server_context(authority, "other.example")) as server:
        with pytest.raises(RelayError, match=r"certificate is not valid for 127\.0\.0\.1"):
            await send(store, relay_to(server, tls="starttls", ca_file=tmp_path / "ca.pem"))
        with pytest.raises(RelayError, match=r"certificate is not valid"):
            await send(store, relay_to(server, tls="starttls"))
    assert states(store) == {("queued", ""): 1}


async def test_auth_login_is_used_where_nothing_else_is_offered(store: Store) -> None:
    queue(store, 3)
    with SmtpServer(credentials=("news", "secret"), mechanisms="LOGIN") as server:
        with pytest.raises(RelayError, match="refused our user name and password"):
            await send(store, relay_to(server, username="news", password="hunter2"))
        assert server.accepted == []
        await send(store, relay_to(server, username="news", password="secret"))
        assert len(server.accepted) == 3


async def test_a_wrong_password_says_so_and_does_not_show_it(store: Store) -> None:
    queue(store, 1)
    with SmtpServer(credentials=("news", "secret")) as server:
        with pytest.raises(RelayError, match="refused our user name and password") as caught:
            await send(store, relay_to(server, username="news", password="hunter2"))
        assert "hunter2" not in str(caught.value)


async def test_a_relay_without_starttls_is_refused_rather_than_used_in_clear(store: Store, server: SmtpServer) -> None:
    queue(store, 1)
    with pytest.raises(RelayError, match="does not offer what is configured"):
        await send(store, relay_to(server, tls="starttls"))
    assert not any(verb == "MAIL" for verb in server.verbs)


async def test_stopping_drains_what_is_on_the_wire_and_gives_the_rest_back(store: Store, server: SmtpServer) -> None:
    queue(store, 300)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_at_twenty(_accepted: Any) -> str:
        if len(server.accepted) == 20:
            loop.call_soon_threadsafe(stop.set)
        return "usual"

    server.on_body = stop_at_twenty
    lock = senders.acquire(store, NOW)
    assert lock is not None
    sender = Sender(store, lock, {"main": relay_to(server)}, {"main": ["daily"]}, rules(), assemble, lambda: NOW)
    await asyncio.wait_for(sender.run(stop), 20)
    lock.close(NOW)
    now = states(store)
    assert now["sent", ""] == len(server.accepted) < 300
    assert sum(now.values()) == 300
    assert {state for state, _ in now} == {"sent", "queued"}
    await send(store, relay_to(server))
    assert Counter(server.recipients).most_common(1)[0][1] == 1
    assert states(store)["sent", ""] == 300


def test_what_a_delivery_is_skipped_for_is_what_why_would_answer(store: Store) -> None:
    ids, _ = queue(store, 1)
    change(store, tables.subscriptions, ids[0], state="unsubscribed")
    [row] = store.read(deliveries.listing, subscriber_id=ids[0])
    assert store.read(deliveries.verdict_now, row.id, NOW, None) is Reason.UNSUBSCRIBED
    assert row.state is DeliveryState.QUEUED
