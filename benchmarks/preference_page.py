"""What a preferences page costs at the server, with a million subscribers in the store; milliseconds.

``python -m benchmarks.preference_page [--json] [--subscribers N] [--requests N] [--database URL]``. The application is
`newsletter web` in a process of its own; one client at a time asks over 127.0.0.1 for the pages of random readers, each
with three newsletters. ``get`` is the page, ``save`` a form that changes something, ``data`` a reader's copy of all
that is kept. The clock is the client's: all of the server's work, and the loopback, is in it.
A page over 50 ms: exit 1.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from newsletter.members.links import Links
from newsletter.store import Store, tables
from tests.support.site_folder import SiteFolder
from tests.support.waiting import free_port, listens, wait_for

NEWSLETTERS = ("daily", "briefing", "weekend")
MOST_MILLISECONDS = 50
_PAGE = 10_000
_SECTIONS = "[{name: National}, {name: World}, {name: Business}, {name: Sport}, {name: Culture}]"


def main() -> None:
    """Parse the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--subscribers", type=int, default=1_000_000)
    arguments.add_argument("--requests", type=int, default=300)
    arguments.add_argument("--database", default="", help="an empty database; default: a new SQLite file")
    chosen = arguments.parse_args()
    results = measure(chosen.subscribers, chosen.requests, chosen.database)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        for key, value in results.items():
            print(f"{key:28} {value}")
    sys.exit(results["get_p95_ms"] > MOST_MILLISECONDS)


def measure(how_many: int, requests: int, database: str = "") -> dict[str, float]:
    """Fill a store, serve it, ask; the median and the 95th percentile of each kind of request."""
    with tempfile.TemporaryDirectory() as folder:
        url = database or f"sqlite:///{folder}/newsletter.db"
        site = SiteFolder(Path(folder), url, 2525, web_port=free_port())
        _publish(site)
        with site.open() as store:
            _fill(store, how_many)
        web = site.start("web")
        try:
            wait_for(lambda: listens(site.web_port), "the web pages", 120)
            return {"subscribers": how_many, **_ask(site.web_port, how_many, requests)}
        finally:
            web.send_signal(signal.SIGTERM)
            try:
                web.wait(20)
            except subprocess.TimeoutExpired:
                web.kill()


def _publish(site: SiteFolder) -> None:
    """Three newsletters of five sections."""
    file = site.path / "schedules.yaml"
    before, _, _ = file.read_text().partition("newsletters:\n")
    described = [
        f'  {name}:\n    title: The {name}\n    from: "The Test <{name}@news.example>"\n'
        f'    schedule: {{at: "07:00"}}\n    sections: {_SECTIONS}\n'
        for name in NEWSLETTERS
    ]
    file.write_text(before + "newsletters:\n" + "".join(described))


def _secret(number: int) -> bytes:
    return hashlib.sha256(f"reader {number}".encode()).digest()


def _fill(store: Store, how_many: int) -> None:
    now = datetime.now(UTC)
    for first in range(1, how_many + 1, _PAGE):
        numbers = range(first, min(first + _PAGE, how_many + 1))
        people = [
            {
                "id": number,
                "address": f"reader{number}@readers.example",
                "address_hash": hashlib.sha256(str(number).encode()).hexdigest(),
                "first_name": "Ann",
                "last_name": "Rao",
                "attributes": {},
                "secret": _secret(number),
                "created_at": now,
            }
            for number in numbers
        ]
        theirs = [
            {"newsletter": name, "subscriber_id": number, "state": "active", "created_at": now, "confirmed_at": now}
            for number in numbers
            for name in NEWSLETTERS
        ]
        store.write(lambda connection, people=people: connection.execute(insert(tables.subscribers), people))  # type: ignore[misc]
        store.write(lambda connection, theirs=theirs: connection.execute(insert(tables.subscriptions), theirs))  # type: ignore[misc]


def _ask(port: int, how_many: int, requests: int) -> dict[str, float]:
    dice, links = random.Random(16), Links("")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def path() -> str:
        number = dice.randint(1, how_many)
        return links.preferences(number, _secret(number))

    def once(method: str, where: str, body: str | None = None) -> float:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        began = time.perf_counter()
        connection.request(method, where, body, headers)
        response = connection.getresponse()
        response.read()
        took = time.perf_counter() - began
        assert response.status == 200, (response.status, where)
        return took

    form = urllib.parse.urlencode(
        {
            "shown": "daily",
            "was:daily": "on",
            "on:daily": "on",
            "settings:daily": "yes",
            "section:daily": "World",
            "place:daily:World": "1",
            "format:daily": "text",
        }
    )
    kinds: dict[str, Callable[[], float]] = {
        "get": lambda: once("GET", path()),
        "save": lambda: once("POST", path(), form),
        "data": lambda: once("POST", f"{path()}/data", ""),
    }
    found: dict[str, float] = {}
    for kind, ask in kinds.items():
        ask()  # templates are compiled at the first
        times = sorted(ask() * 1000 for _ in range(requests))
        found[f"{kind}_median_ms"] = round(statistics.median(times), 2)
        found[f"{kind}_p95_ms"] = round(times[min(len(times) - 1, int(0.95 * len(times)))], 2)
    connection.close()
    return found


if __name__ == "__main__":
    main()
