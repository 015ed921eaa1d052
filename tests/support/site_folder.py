"""A site's folder: ``schedules.yaml``, key, store, articles and readers, for tests that run real commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.collect.identity import to_remember
from newsletter.config import site_key
from newsletter.store import Store, articles, occurrences
from tests.builders import add_subscribers, an_incoming_article
from tests.support.commands import LONGEST, Ran, run_forked

_SCHEDULES = """\
site: {{name: The Test, url: "https://news.example", postal_address: "1 Press Lane, Chennai", timezone: {zone}}}
store: "{store}"
web: {{url: "http://127.0.0.1:{web_port}", listen: "127.0.0.1:{web_port}"}}
relays:
  main: {{host: 127.0.0.1, port: {port}, tls: {tls}, connections: {connections}, timeout: {timeout}, {relay}}}
newsletters:
  daily:
    title: The Test
    from: "The Test <daily@news.example>"
    schedule: {schedule}
    catch_up: {catch_up}
    compose_lead: {compose_lead}
    sections: [{{name: National, match: {{section: National}}, max: 5}}]
    articles: {{min: 1, max: {most}, max_age: 30d}}
    in_doubt: {in_doubt}
    gates: {gates}
    {more}
"""


def not_soon(zone: str = "Asia/Kolkata") -> str:
    """A schedule half a day from now, for a scheduler that runs in real time beside what a test sends by hand."""
    return f'{{at: "{datetime.now(ZoneInfo(zone)) + timedelta(hours=12):%H:%M}"}}'


class SiteFolder:
    """One site at ``path``. ``store_url`` may be either database."""

    def __init__(self, path: Path, store_url: str, relay_port: int, **settings: Any) -> None:
        self.path, self.store_url = path, store_url
        path.mkdir(parents=True, exist_ok=True)
        values = {
            "store": store_url,
            "port": relay_port,
            "connections": 10,
            "timeout": "20s",
            "relay": "weight: 1",
            "tls": "none",
            "zone": "Asia/Kolkata",
            "web_port": 8025,
            "schedule": '{at: "07:00"}',
            "catch_up": "2h",
            "compose_lead": "30m",
            "most": 5,
            "in_doubt": "resend",
            "more": "",
            "gates": "{web: false}",  # most tests serve no pages
        } | settings
        self.web_port = int(str(values["web_port"]))
        (path / "schedules.yaml").write_text(_SCHEDULES.format(**values))
        if not (path / site_key.FILE_NAME).exists():
            site_key.create(path / site_key.FILE_NAME)

    def open(self) -> Store:
        """The site's store."""
        return Store.open(self.store_url)

    def has_rows(self) -> bool:
        """Whether any occurrence is planned yet."""
        with self.open() as store:
            return bool(store.read(occurrences.listing))

    def fill(self, *, readers: int = 0, stories: int = 3, seen_at: datetime | None = None) -> None:
        """Put subscribers of ``daily`` and stories into the store."""
        seen_at = seen_at or datetime.now(UTC)
        with self.open() as store:
            if readers:
                add_subscribers(store, readers)
            self.add_stories(store, range(1, stories + 1), seen_at)

    @staticmethod
    def add_stories(store: Store, numbers: Sequence[int], seen_at: datetime) -> None:
        """Stories by number, first seen at ``seen_at``."""
        incoming = [
            an_incoming_article(
                url=f"https://news.example/national/{number}",
                guid=f"story-{number}",
                headline=f"Story number {number} of the test",
                published_at=seen_at - timedelta(minutes=5),
                updated_at=seen_at - timedelta(minutes=5),
            )
            for number in numbers
        ]
        store.write(articles.remember, to_remember(incoming), now=seen_at)

    def start_at(self, start: datetime, speed: float, *arguments: str) -> subprocess.Popen[bytes]:
        """The console script with only time replaced: it begins at ``start`` and goes ``speed`` times as fast."""
        return self._start([sys.executable, "-m", "tests.support.run_at", start.isoformat(), str(speed), *arguments])

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The console script in a process group of its own."""
        return self._start([sys.executable, "-m", "newsletter", *arguments])

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("NEWSLETTER_CONFIG")}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        with (self.path / "process.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.path,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What processes that were started here have printed."""
        return (self.path / "process.log").read_text(errors="replace")

    def command(self, *arguments: str, timeout: int = LONGEST) -> Ran:
        """Run a command to its end, ``timeout`` seconds at most."""
        return run_forked(self.path, *arguments, seconds=timeout)
