"""What it costs that readers choose: a day of cohorts against one time for all, in the same run.

``python -m benchmarks.preferences [--json] [--readers N] [--zones N] [--hours N]``

Readers live in 40 zones and want their mail at 24 different hours, each with sections in an order of her own. A day
goes by in quarters of an hour: what is due is composed, rendered, queued and sent to a server that reads and forgets.
The same readers get a second newsletter at one time. ``cohorts_over_single`` compares the rates, deliveries made and
sent; ``compose_day_s`` is the CPU of composing, rendering and looking at a day of cohorts, ``peak_rss_mb`` the most
memory of the one process that does all of it. Nothing is kept from one run to the next.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, func, insert, literal_column, select

from benchmarks.delivery_contenders import _peak_mb, _run
from benchmarks.delivery_servers import DiscardServer, apart
from benchmarks.delivery_site import _sentence
from newsletter.collect.identity import to_remember
from newsletter.config import site_key
from newsletter.config.reading import Configuration, load
from newsletter.deliver.configured import configured_sender
from newsletter.schedule.work import Work
from newsletter.store import Store, articles, editions, occurrences, senders, tables
from newsletter.store.migrating import migrate
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import an_incoming_article
from tests.support.zones import ZONES

SECTIONS = ("National", "World", "Business", "Sport", "Culture", "Science", "Opinion", "Travel", "Food", "Books")
CHOSEN = 8  # of ten in an order of one's own: 1,814,400 ways
DAY = datetime(2026, 11, 23, tzinfo=UTC)
MARK = timedelta(minutes=15)
SINGLE_AT = "07:07"  # a minute at which no cohort is due
_PAGE = 20_000
_SCHEDULES = """\
site: {{name: The Daily Example, url: "https://news.example", postal_address: "1 Press Lane, Chennai"}}
store: "{store}"
web: {{url: "https://mail.news.example", listen: "127.0.0.1:8025"}}
relays:
  main: {{host: 127.0.0.1, port: {port}, tls: none, connections: 10, messages_per_connection: 1000000}}
newsletters:
  daily: &daily
    title: The Daily Example
    from: "The Daily Example <daily@news.example>"
    schedule: {{deliver_at: "07:00 subscriber", hours: any}}
    sections: [{sections}]
    articles: {{min: 1, max: 30, max_age: 30d}}
    gates: {{web: false, lead_picture: false, readers: null, same_subject: false}}
  single:
    title: The Daily Example
    from: "The Daily Example <daily@news.example>"
    schedule: {{at: "{single}"}}
    sections: [{sections}]
    articles: {{min: 1, max: 30, max_age: 30d}}
    gates: {{web: false, lead_picture: false, readers: null, same_subject: false}}
"""


@dataclass
class Spent:
    """Of one newsletter: its messages, seconds of making deliveries and of sending, editions and renderings."""

    messages: int = 0
    making_s: float = 0.0
    sending_s: float = 0.0
    editions: int = 0
    renderings: int = 0

    @property
    def rate(self) -> float:
        seconds = self.making_s + self.sending_s
        return self.messages / seconds if seconds else 0.0


@dataclass
class Day:
    """What a day cost."""

    cohorts: Spent = field(default_factory=Spent)
    single: Spent = field(default_factory=Spent)
    compose_s: float = 0.0
    peak_mb: float = 0.0


class _Timed(Work):
    """Work that tells making deliveries, which grows with the readers, from all else."""

    fanning_out = fanning_out_cpu = 0.0

    def fan_out(self, row: OccurrenceRow, now: datetime, stopping: Callable[[], bool] = lambda: False) -> int:
        began, cpu = time.perf_counter(), time.process_time()
        try:
            return super().fan_out(row, now, stopping)
        finally:
            self.fanning_out += time.perf_counter() - began
            self.fanning_out_cpu += time.process_time() - cpu


def main() -> None:
    """Parse the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments.add_argument("--readers", type=int, default=1_000_000)
    arguments.add_argument("--zones", type=int, default=len(ZONES))
    arguments.add_argument("--hours", type=int, default=24)
    chosen = arguments.parse_args()
    results = measure(chosen.readers, chosen.zones, chosen.hours)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        for name, value in results.items():
            print(f"{name:24} {value}")


def measure(readers: int, zones: int, hours: int) -> dict[str, Any]:
    """A day of ``readers`` in so many zones and at so many hours."""
    with tempfile.TemporaryDirectory() as folder, DiscardServer() as server:
        path = Path(folder)
        _configure(path, server.port)
        with Store.open(load(path / "schedules.yaml", {}).store_url) as store:
            migrate(store)
            fill(store, readers, zones, hours)
        day: Day = apart(_day, path)
        received, _ = server.counts()
    # At the first mark come also those whose hour was in the last two hours of the day before.
    assert received == day.cohorts.messages + day.single.messages >= 2 * readers, (received, day)
    return {
        "readers": readers,
        "editions": day.cohorts.editions,
        "renderings": day.cohorts.renderings,
        "cohorts_per_second": round(day.cohorts.rate, 1),
        "single_per_second": round(day.single.rate, 1),
        "cohorts_making_s": round(day.cohorts.making_s, 1),
        "cohorts_sending_s": round(day.cohorts.sending_s, 1),
        "single_making_s": round(day.single.making_s, 1),
        "single_sending_s": round(day.single.sending_s, 1),
        "cohorts_over_single": round(day.cohorts.rate / day.single.rate, 3),
        "compose_day_s": round(day.compose_s, 1),
        "peak_rss_mb": round(day.peak_mb, 1),
    }


def _configure(path: Path, port: int) -> None:
    sections = ", ".join(f"{{name: {name}, match: {{section: {name}}}, max: 3}}" for name in SECTIONS)
    text = _SCHEDULES.format(store=f"sqlite:///{path}/n.db", port=port, sections=sections, single=SINGLE_AT)
    (path / "schedules.yaml").write_text(text.replace(" &daily", ""))
    site_key.create(path / site_key.FILE_NAME)


def fill(store: Store, readers: int, zones: int, hours: int) -> None:
    """Readers with two newsletters, and a day of stories, one every quarter of an hour."""
    for first in range(readers)[::_PAGE]:
        store.write(_add_readers, range(first, min(first + _PAGE, readers)), zones, hours)
    for number in range(120):
        at = DAY - timedelta(hours=4) + number * MARK
        incoming = an_incoming_article(
            url=f"https://news.example/{number}",
            guid=f"story-{number}",
            headline=_sentence(f"headline {number}", 14),
            standfirst=_sentence(f"standfirst {number}", 34),
            section=SECTIONS[number % len(SECTIONS)],
            published_at=at,
            updated_at=at,
        )
        store.write(articles.remember, to_remember([incoming]), now=at)


def _sections_of(number: int) -> str:
    """An ordered choice that no other number has."""
    left, chosen = list(SECTIONS), []
    for place in range(CHOSEN):
        number, which = divmod(number, len(left))
        chosen.append(left.pop(which))
        del place
    return json.dumps(chosen)


def _add_readers(connection: Connection, numbers: range, zones: int, hours: int) -> None:
    joined = DAY - timedelta(days=3)
    connection.execute(
        insert(tables.subscribers),
        [
            {
                "id": number + 1,
                "address": f"reader{number:07d}@readers.example",
                "address_hash": hashlib.sha256(b"%d" % number).hexdigest(),
                "first_name": f"Reader{number}",
                "last_name": "Rao",
                "timezone": ZONES[number % zones],
                "attributes": {},
                "secret": hashlib.sha256(b"secret %d" % number).digest(),
                "created_at": joined,
            }
            for number in numbers
        ],
    )
    connection.execute(
        insert(tables.subscriptions),
        [
            {
                "newsletter": newsletter,
                "subscriber_id": number + 1,
                "state": "active",
                "format": "html",
                "sections": _sections_of(number),
                "zone": ZONES[number % zones],
                "hour": f"{number // zones % hours:02}:00" if newsletter == "daily" else "",
                "created_at": joined,
                "confirmed_at": joined,
            }
            for newsletter in ("daily", "single")
            for number in numbers
        ],
    )


def _day(path: Path) -> Day:
    """Twenty-four hours, in this process."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    configuration, day = load(path / "schedules.yaml", {}), Day()
    with Store.open(configuration.store_url) as store:
        work = _Timed(configuration, store)
        lock = senders.acquire(store, DAY)
        assert lock is not None
        sending = _Sending(configuration, store, lock)
        try:
            marks = [DAY + number * MARK for number in range(96)]
            hour, minute = map(int, SINGLE_AT.split(":"))
            for mark in sorted([*marks, DAY.replace(hour=hour, minute=minute)]):
                spent = day.cohorts if mark in marks else day.single
                _at(mark, work, day, spent, sending.drain)
        finally:
            sending.close()
            lock.close(DAY)
        for row in store.read(occurrences.listing, newsletter="daily"):
            made = [one for one in store.read(editions.for_occurrence, row.id) if not one.reason]
            day.cohorts.editions += len(made)
            day.cohorts.renderings += len({one.pieces_at for one in made})
        counted = select(tables.deliveries.c.newsletter, func.count()).group_by(tables.deliveries.c.newsletter)
        sent: Counter[str] = Counter(dict(store.read(lambda connection: connection.execute(counted).all())))
    day.cohorts.messages, day.single.messages = sent["daily"], sent["single"]
    day.peak_mb = _peak_mb()
    return day


def _at(mark: datetime, work: _Timed, day: Day, spent: Spent, send: Callable[[datetime], None]) -> None:
    work.fanning_out = work.fanning_out_cpu = 0.0
    cpu = time.process_time()
    work.advance(mark)
    composing = time.process_time() - cpu - work.fanning_out_cpu
    if spent is day.cohorts:
        day.compose_s += composing
    began = time.perf_counter()
    send(mark)
    spent.making_s += work.fanning_out
    spent.sending_s += time.perf_counter() - began


class _Sending:
    """One sender for the whole day, in a thread of its own, as `newsletter run` has it; its clock stands at ``now``."""

    def __init__(self, configuration: Configuration, store: Store, lock: senders.SenderLock) -> None:
        self.now = DAY
        self._store, self._ready, self._stop = store, threading.Event(), asyncio.Event()
        self._sender = configured_sender(configuration, store, lock, lambda: self.now)
        self._thread = threading.Thread(target=lambda: _run(self._main()))
        self._thread.start()
        self._ready.wait()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready.set()
        await self._sender.run(self._stop)

    def drain(self, now: datetime) -> None:
        """Send all that is due by now."""
        self.now = now
        self._loop.call_soon_threadsafe(self._sender.wake)
        while self._store.read(_moving):
            time.sleep(0.01)

    def close(self) -> None:
        """Come to an end."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def _moving(connection: Connection) -> bool:
    states = tables.deliveries.c.state
    # One state after the other, each by an index of its own.
    return any(
        connection.execute(select(tables.deliveries.c.id).where(states == literal_column(one)).limit(1)).first()
        for one in ("'queued'", "'sending'")
    )


if __name__ == "__main__":
    main()
