"""kill -9 of the sending process group, again and again, in the middle of an edition.

Half of the kills come from the mail server itself, at once after its 250 to a final dot, so that they land between the
250 and its commit; most others a random moment after one, a few while the process is still starting. What was on its
way at each kill is read from the store; what arrived is counted by the server.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from newsletter.store import tables
from newsletter.store.recording import MOST_TRIES_IN_DOUBT
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted, SmtpServer

CONNECTIONS = 10
MOST_A_CONNECTION = 20


@dataclass(slots=True)
class Struck:
    """What the store and the server said right after one kill."""

    sending: set[str] = field(default_factory=set)
    accepted_unrecorded: int = 0


def strike(site: SiteFolder, server: SmtpServer, kind: str, dice: random.Random, remaining: int) -> Struck | None:
    """Start a send, kill its process group at a moment of this kind; None when it was done before the moment came."""
    already = len(server.accepted)
    threshold = already + dice.randint(1, max(1, remaining // 3))
    late = dice.uniform(0, 0.1)
    process = site.start("send", "daily", "--yes", "--no-collect")
    killed = threading.Event()

    def kill() -> None:
        if not killed.is_set():
            killed.set()
            os.killpg(process.pid, signal.SIGKILL)

    def after(_accepted: Accepted) -> None:
        if len(server.accepted) >= threshold:
            if kind == "after_250":
                kill()
            else:
                asyncio.get_running_loop().call_later(late, kill)

    if kind == "starting":
        threading.Timer(dice.uniform(0.2, 1.0), kill).start()
    else:
        server.after_body = after
    process.wait(timeout=120)
    server.after_body = lambda _accepted: None
    if not killed.is_set():
        killed.set()
        return None
    # What the server has read of a dead connection is still being answered; it is quiet when nothing more arrives.
    settle(lambda: len(server.accepted))
    with site.open() as store:
        rows = store.read(in_sending)
    ids = {accepted.message_id for accepted in server.accepted[already:]}
    return Struck({address for address, _ in rows}, sum(message_id in ids for _, message_id in rows))


def in_sending(connection: Connection) -> list[tuple[str, str]]:
    """(address, Message-ID) of every delivery in ``sending`` that a sender held."""
    statement = (
        select(tables.subscribers.c.address, tables.deliveries.c.message_id)
        .join_from(tables.deliveries, tables.subscribers)
        .where(tables.deliveries.c.state == "sending", tables.deliveries.c.sender > 0)
    )
    return [(address, message_id) for address, message_id in connection.execute(statement)]


def settle(measure: Callable[[], int], quiet: float = 0.15) -> None:
    """Wait until ``measure`` has not changed for ``quiet`` seconds."""
    last, since = measure(), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(0.01)
        if (now := measure()) != last:
            last, since = now, time.monotonic()


def slow_by(dice: random.Random, seconds: float) -> Callable[[str, str], object]:
    async def answer(_verb: str, _argument: str) -> str:
        await asyncio.sleep(dice.uniform(0, seconds))
        return "usual"

    return answer


def run(folder: Path, store_url: str, in_doubt: str, *, readers: int, kills: int, seed: int) -> str:
    """Kill so often, let it end, and judge; the row for the table."""
    began = time.monotonic()
    dice = random.Random(seed)
    kinds = ["after_250"] * (kills // 2) + ["starting"] * (kills // 10)
    kinds += ["random"] * (kills - len(kinds))
    dice.shuffle(kinds)
    with SmtpServer() as server:
        server.answer = slow_by(dice, 0.05)  # type: ignore[assignment]

        async def slow_body(_accepted: Accepted) -> str:
            await asyncio.sleep(dice.uniform(0, 0.05))
            return "usual"

        server.on_body = slow_body
        site = SiteFolder(folder, store_url, server.port, connections=CONNECTIONS, in_doubt=in_doubt)
        site.fill(readers=readers)
        struck: list[Struck] = []
        for number, kind in enumerate(kinds):
            share = (readers - len(set(server.recipients))) // (kills - number + 1)
            result = strike(site, server, kind, dice, share)
            assert result is not None, f"kill {number} ({kind}) came too late: {len(server.accepted)} accepted"
            struck.append(result)
        finish(site)
        twice, doubtful = judge(site, server, struck, in_doubt, readers)
    case, kind = f"kill -9, {kills} times, `in_doubt: {in_doubt}`", store_url.partition(":")[0]
    return f"| {case} | {kind} | {readers:,} | 0 | {twice} | {doubtful} | {time.monotonic() - began:.0f} |"


def finish(site: SiteFolder) -> None:
    """Let it end by itself."""
    ended = site.command("send", "daily", "--yes", "--no-collect", timeout=300)
    if ended.code not in (0, 9):
        raise AssertionError(ended.err)


def judge(site: SiteFolder, server: SmtpServer, struck: list[Struck], in_doubt: str, readers: int) -> tuple[int, int]:
    """Nobody lost, nobody twice but who was in doubt; how many were mailed twice, and how many were in doubt."""
    with_rows = [one for one in struck if one.sending]
    between = [one for one in struck if one.accepted_unrecorded]
    assert len(with_rows) * 4 >= len(struck) * 3, f"only {len(with_rows)} of {len(struck)} kills hit rows in sending"
    assert len(between) * 2 >= len(struck), f"only {len(between)} of {len(struck)} kills hit between 250 and commit"
    assert all(len(one.sending) <= CONNECTIONS * MOST_A_CONNECTION for one in struck)
    everyone = {f"reader{n:05d}@readers.example" for n in range(1, readers + 1)}
    arrived = Counter(server.recipients)
    struck_times = Counter(address for one in struck for address in one.sending)
    doubtful = set(struck_times)
    with site.open() as store:
        statement = select(tables.subscribers.c.address, tables.deliveries.c.state, tables.deliveries.c.reason)
        ledger = {
            address: (state, reason)
            for address, state, reason in store.read(
                lambda connection: connection.execute(statement.join_from(tables.deliveries, tables.subscribers)).all()
            )
        }
    assert set(ledger) == everyone
    twice = {address for address, number in arrived.items() if number > 1}
    message_ids = Counter((accepted.recipient, accepted.message_id) for accepted in server.accepted)
    assert len({message_id for _, message_id in message_ids}) == len({recipient for recipient, _ in message_ids})
    kept = {address for address, (state, reason) in ledger.items() if (state, reason) == ("sending", "in_doubt")}
    assert set(arrived) | kept == everyone, f"lost: {sorted(everyone - set(arrived) - kept)[:5]}"
    assert {state for address, (state, _) in ledger.items() if address not in kept} == {"sent"}
    if kept:
        listed = site.command("deliveries", "list", "--in-doubt", "--json", "--limit", "10000").out
        assert all(address in listed for address in kept)
    if in_doubt == "keep":
        assert not twice
        assert kept <= doubtful
    else:
        assert all(struck_times[address] >= MOST_TRIES_IN_DOUBT for address in kept)
        assert twice <= doubtful, "somebody was mailed twice who was never in doubt"
        assert max(arrived.values()) <= MOST_TRIES_IN_DOUBT
    return len(twice), len(doubtful)


@pytest.mark.parametrize(
    ("store_url", "in_doubt"), [("sqlite", "resend"), ("postgresql", "keep")], indirect=["store_url"]
)
def test_killing_the_sender_loses_nobody_and_repeats_only_what_was_in_doubt(
    tmp_path: Path, store_url: str, in_doubt: str, table: Callable[[str], None]
) -> None:
    table(run(tmp_path, store_url, in_doubt, readers=240, kills=6, seed=11))


@pytest.mark.soak
@pytest.mark.parametrize("in_doubt", ["resend", "keep"])
def test_fifty_kills_over_five_thousand_readers(
    tmp_path: Path, store_url: str, in_doubt: str, table: Callable[[str], None]
) -> None:
    table(run(tmp_path, store_url, in_doubt, readers=5000, kills=50, seed=int.from_bytes(os.urandom(4))))
