"""The statements that run for every group of deliveries go by key, also where the planner's statistics are behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from newsletter.model import DeliveryState, Reason
from newsletter.store import Store, senders, tables
from newsletter.store.claiming import Claim, _claiming, claim
from newsletter.store.clocks import other_clocks
from newsletter.store.domain_limits import _postponing
from newsletter.store.fan_out import count_readers, fan_out_page
from newsletter.store.prepared import Prepared
from newsletter.store.recording import Outcome, _recording, exchange
from tests.builders import NOW, add_occurrence, add_subscribers

READERS = 1500


def filled(store: Store, *, analysed: str) -> None:
    """A queue whose statistics are those of an empty one ("empty"), or of one long since sent ("all sent")."""
    if analysed == "empty":
        store.write(lambda connection: connection.exec_driver_sql("ANALYZE"))
    add_subscribers(store, READERS)
    _, edition_id = add_occurrence(store)
    while store.write(fan_out_page, edition_id, languages=("en",), expires_at=NOW + timedelta(hours=8), now=NOW):
        pass
    if analysed == "all sent":

        def look_sent(connection: Connection) -> None:
            connection.exec_driver_sql("UPDATE deliveries SET state = 'sent', message_id = '<x>'")
            connection.exec_driver_sql("ANALYZE")
            connection.exec_driver_sql("UPDATE deliveries SET state = 'queued'")

        store.write(look_sent)


def plan_of(connection: Connection, prepared: Prepared, values: Mapping[str, Any]) -> str:
    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    rows = connection.exec_driver_sql(explain + prepared.text, prepared.parameters(values)).all()
    return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("analysed", ["empty", "all sent"])
async def test_groups_are_found_by_key_and_the_queue_in_its_order(store: Store, analysed: str) -> None:
    filled(store, analysed=analysed)
    lock = senders.acquire(store, NOW)
    assert lock is not None
    ids = [(number, f"<{number}@x>") for number in range(1, 101)]

    def look(connection: Connection) -> dict[str, str]:
        hot = _claiming(connection.dialect, ("daily",), ("free",), "free", (), None)
        group, recording = _recording(connection.dialect)
        given = hot.group.given(ids)
        times, postponing = _postponing(connection.dialect)
        outcomes = [(number, "sent", "", 0, 0, "main", "250 ok", None) for number, _ in ids]
        return {
            "due": plan_of(connection, hot.due.prepared, {"now": NOW, "most": 100}),
            "move": plan_of(connection, hot.move, {"now": NOW, "us": 1, **given}),
            "moved": plan_of(connection, hot.moved.prepared, {"us": 1, **given}),
            "postpone": plan_of(connection, postponing, times.given([(number, NOW) for number, _ in ids])),
            "record": plan_of(connection, recording, {"now": NOW, "us": 1, **group.given(outcomes)}),
        }

    plans = await lock.run(look)
    lock.close(NOW)
    assert "ix_deliveries_queue" in plans["due"]
    assert "sort" not in plans["due"].lower()
    assert "TEMP B-TREE" not in plans["due"]
    for name in ("move", "moved", "postpone", "record"):
        assert "ix_deliveries" not in plans[name], f"{name} goes by another index than the key:\n{plans[name]}"
        if store.is_sqlite:
            assert "SCAN deliveries" not in plans[name]
            assert "SEARCH deliveries USING INTEGER PRIMARY KEY" in plans[name]
        else:
            assert "Seq Scan on deliveries" not in plans[name], plans[name]
            assert "pk_deliveries" in plans[name], plans[name]


@pytest.fixture
def sqlite(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copyfile(migrated_sqlite, tmp_path / "newsletter.db")
    with Store.open(f"sqlite:///{tmp_path}/newsletter.db") as opened:
        yield opened


def explained(connection: Connection, ask: Callable[[Connection], object]) -> tuple[str, list[str]]:
    """The plan of the one statement that is asked, and its steps (on SQLite)."""
    said: list[tuple[str, Any]] = []

    def listen(_c: object, _cursor: object, text: str, parameters: Any, _context: object, _many: bool) -> None:
        said.append((text, parameters))

    event.listen(connection, "before_cursor_execute", listen)
    ask(connection)
    event.remove(connection, "before_cursor_execute", listen)
    [(text, parameters)] = said
    [plan] = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
    return plan.detail, [step.opcode for step in connection.exec_driver_sql(f"EXPLAIN {text}", parameters)]


def test_readers_are_counted_in_an_index_alone(sqlite: Store) -> None:
    add_subscribers(sqlite, READERS)
    assert sqlite.read(count_readers, "daily", "each") == READERS
    plan, steps = sqlite.read(explained, lambda connection: count_readers(connection, "daily", "each"))
    assert "ix_subscriptions_cohort" in plan
    assert "Column" not in steps, "a row of the table is read for each reader"


def test_what_each_page_of_a_fan_out_asks_does_not_grow_with_the_years(sqlite: Store) -> None:
    plan, _ = sqlite.read(explained, lambda connection: other_clocks(connection, "daily", "now", NOW))
    assert "ix_occurrences_kept (due_at>?)" in plan


def test_an_exchange_records_and_claims_in_one_transaction_or_does_neither(store: Store) -> None:
    filled(store, analysed="empty")
    lock = senders.acquire(store, NOW)
    assert lock is not None

    def claim_five(connection: Connection) -> Claim:
        return claim(
            connection,
            lock.sender,
            newsletters=["daily"],
            limit=5,
            now=NOW,
            message_id_of=lambda _edition, subscriber: f"<{subscriber}@x>",
            plans=("free",),
            languages={},
        )

    def fails(connection: Connection) -> Claim:
        raise KeyError("x")

    [first] = store.write(exchange, lock.sender, [], [claim_five], NOW)
    sent = [Outcome(row.id, DeliveryState.SENT, Reason.NONE, "main", "250 ok") for row in first.rows]
    with pytest.raises(KeyError):
        store.write(exchange, lock.sender, sent, [claim_five, fails], NOW)
    assert states(store) == {"sending": 5, "queued": READERS - 5}
    [second] = store.write(exchange, lock.sender, sent, [claim_five], NOW)
    assert states(store) == {"sent": 5, "sending": 5, "queued": READERS - 10}
    assert [row.id for row in second.rows] == [6, 7, 8, 9, 10], "in the order of the queue"
    store.write(exchange, lock.sender + 1, [Outcome(6, DeliveryState.FAILED, Reason.EXPIRED)], [], NOW)
    assert states(store)["sending"] == 5, "another sender's outcome changes nothing"
    lock.close(NOW)


def states(store: Store) -> dict[str, int]:
    read: Callable[[Connection], Any] = lambda connection: connection.exec_driver_sql(  # noqa: E731
        "SELECT state, count(*) FROM deliveries GROUP BY state"
    ).all()
    return dict(tuple(row) for row in store.read(read))


def test_a_claimed_row_shows_no_secret(store: Store) -> None:
    filled(store, analysed="empty")
    secret = store.read(lambda c: c.execute(tables.subscribers.select()).first()).secret  # type: ignore[union-attr]
    claimed = store.write(
        claim,
        1,
        newsletters=["daily"],
        limit=1,
        now=NOW,
        message_id_of=lambda _edition, subscriber: f"<{subscriber}@x>",
        plans=("free",),
        languages={},
    )
    assert claimed.rows[0].secret == secret
    assert repr(secret) not in repr(claimed)
