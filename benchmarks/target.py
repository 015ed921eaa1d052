"""How long it takes to count who is in a target, among a million readers, on either store.

``python -m benchmarks.target [--json] [--readers N] [--rounds N]``. ``count`` is what ``newsletter target`` asks, of
the widest expression below; ``explain`` counts each of its parts as well. Each is the median of the rounds after a
first one. The other keys are how long single tests take, for whoever wants to know what costs what.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from sqlalchemy import Connection, insert

from newsletter.model import Stream
from newsletter.store import Store, fan_out, tables, targeting
from newsletter.store.subscriptions import encode_sections
from newsletter.target import Target, Targeting, traits
from tests.support.postgresql import PostgreSQL

PLANS = ("free", "metered", "member")
SECTIONS = ("National", "World", "Sport", "Arts", "Business")
TAGS = ("founder", "press", "student", "staff")
CITIES = ("Pune", "Chennai", "Delhi", "Goa", "Kochi")
WIDEST = (
    'plan in (metered, member) and (tag = founder or attribute.city in (Pune, "Goa")) and joined before 2026-01-01 '
    "and not section chosen Sport"
)
SINGLE = {
    "plan": "plan = member",
    "tag": "tag = founder",
    "attribute": "attribute.city = Pune",
    "joined": "joined after 2025-06-30",
    "section": "section chosen Sport",
}
_BATCH = 5000
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)


def measure(readers: int, rounds: int) -> dict[str, Any]:
    """Seconds by what was counted, for each store; and how many there were."""
    found: dict[str, Any] = {"readers": readers}
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{folder}/n.db") as store:
        _fill(store, readers)
        store.write(lambda connection: connection.exec_driver_sql("ANALYZE"))
        found |= _counted(store, "sqlite", rounds)
    server = PostgreSQL(durable=True)
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE target")
        url = f"{server.url.rpartition('/')[0]}/target"
        with Store.open(url) as store:
            _fill(store, readers)
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")  # as its own daemon would have done within a minute
            found |= _counted(store, "postgresql", rounds)
    finally:
        server.stop()
    if found["sqlite_in_target"] != found["postgresql_in_target"]:
        raise AssertionError("the stores disagree about who is in the target")
    return found


def _fill(store: Store, readers: int) -> None:
    people = _people(readers)
    while batch := list(islice(people, _BATCH)):
        store.write(_add, batch)


def _counted(store: Store, name: str, rounds: int) -> dict[str, Any]:
    who = fan_out.gets("daily", Stream.EACH.value, counted=True)

    def seconds(expression: str, *, parts: bool = False) -> float:
        asked = Targeting(Target.parse(expression), PLANS, SECTIONS, ZoneInfo("Asia/Kolkata"))
        times: list[float] = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            store.read(targeting.count, who, asked, parts=parts)
            times.append(time.perf_counter() - began)
        return round(statistics.median(times[1:]), 3)

    widest = Targeting(Target.parse(WIDEST), PLANS, SECTIONS, ZoneInfo("Asia/Kolkata"))
    found: dict[str, Any] = {
        f"{name}_count_s": seconds(WIDEST),
        f"{name}_explain_s": seconds(WIDEST, parts=True),
        f"{name}_in_target": store.read(targeting.count, who, widest).readers,
    }
    return found | {f"{name}_{test}_s": seconds(expression) for test, expression in SINGLE.items()}


def _people(number: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Subscribers with their subscriptions, the same in every run: a fifth has chosen sections of her own."""
    chance = random.Random(17)
    for one in range(1, number + 1):
        attributes = {"city": chance.choice(CITIES), "employer": f"Employer {chance.randrange(500)}"}
        joined = _FIRST_DAY + timedelta(minutes=chance.randrange(1_500_000))
        chosen = chance.sample(SECTIONS, chance.randint(1, 4)) if chance.random() < 0.2 else ()
        yield (
            {
                "id": one,
                "address": f"reader{one}@mail{one % 50}.example",
                "address_hash": f"{one:064x}",
                "first_name": "Reader",
                "last_name": "Rao",
                "plan": chance.choice(PLANS),
                "traits": traits([tag for tag in TAGS if chance.random() < 0.2], attributes),
                "attributes": attributes,
                "secret": one.to_bytes(32, "big"),
                "created_at": joined,
            },
            {
                "newsletter": "daily",
                "subscriber_id": one,
                "state": "active",
                "sections": encode_sections(chosen),
                "created_at": joined,
                "confirmed_at": joined,
            },
        )


def _add(connection: Connection, batch: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    connection.execute(insert(tables.subscribers), [subscriber for subscriber, _ in batch])
    connection.execute(insert(tables.subscriptions), [subscription for _, subscription in batch])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.target", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--readers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    found = measure(chosen.readers, chosen.rounds)
    if chosen.json:
        print(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        print(f"{key:28} {value:>12,}")


if __name__ == "__main__":
    main()
