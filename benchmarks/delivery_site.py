"""The site that deliveries are measured on: a ``daily`` of some 45 kB on the wire, readers, and their store.

Everything is made for one run, in a folder of its own. Half of the readers have chosen sections of their own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, insert, select

from newsletter.collect.identity import to_remember
from newsletter.config import site_key
from newsletter.config.reading import Configuration, load
from newsletter.deliver.assembling import Assembler
from newsletter.deliver.dkim import new_key, pem
from newsletter.model import StreamName
from newsletter.schedule import by_hand
from newsletter.schedule.work import Work
from newsletter.store import Store, articles, occurrences, tables
from newsletter.store.claiming import claim
from tests.builders import an_incoming_article

SECTIONS = ("National", "World", "Business", "Sport", "Culture")
CHOICES = (
    ("World", "National"),
    ("Sport", "National", "Business", "World"),
    ("Culture", "World", "National", "Sport"),
    ("Business", "World", "National", "Culture"),
    ("National", "Sport", "Culture", "World", "Business"),
    ("World", "Culture", "Business", "National", "Sport"),
    ("Business", "National", "Sport"),
    ("Culture", "Sport", "World", "Business", "National"),
)
_PAGE = 20_000
_SCHEDULES = """\
site: {{name: The Daily Example, url: "https://news.example", postal_address: "1 Press Lane, Chennai"}}
store: "{store}"
web: {{url: "https://mail.news.example", listen: "127.0.0.1:{web_port}"}}
relays:
  main: {{host: 127.0.0.1, port: {port}, tls: none, connections: {connections}, messages_per_connection: {recycled}}}
newsletters:
  daily:
    title: The Daily Example
    from: "The Daily Example <daily@news.example>"
    reply_to: desk@news.example
    schedule: {{at: "07:00"}}
    catch_up: 2h
    sections: [{sections}]
    articles: {{min: 1, max: 24, max_age: 30d}}
    gates: {{web: false, lead_picture: false}}  # no web server stands behind web.url here
"""
_WORDS = re.findall(
    r"\w+",
    """
    river board opens every gate after longest monsoon in years engineers lowered reservoir overnight council moved
    families school hill harvest market price steel port strike court ruling minister budget vote coast storm
    railway bridge hospital museum festival singer striker captain final league harbour fishing village power
    station solar satellite launch debt bank interest rate trade talks border pact refugees camp forest fire rain
    forecast
    """,
)


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with ``schedules.yaml`` for a store and a relay."""

    folder: Path
    store_url: str

    def configure(self, port: int, *, connections: int = 10, recycled: int = 1_000_000, web_port: int = 8025) -> None:
        """Write the file for a relay on this port of this machine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        sections = ", ".join(f"{{name: {name}, match: {{section: {name}}}, max: 5, cards: 4}}" for name in SECTIONS)
        text = _SCHEDULES.format(
            store=self.store_url,
            port=port,
            connections=connections,
            recycled=recycled,
            web_port=web_port,
            sections=sections,
        )
        (self.folder / "schedules.yaml").write_text(text)
        if not (self.folder / site_key.FILE_NAME).exists():
            site_key.create(self.folder / site_key.FILE_NAME)

    def sign_with(self, kind: str) -> None:
        """Sign every mail with a new DKIM key, ``ed25519`` or ``rsa``."""
        (self.folder / "dkim.pem").write_bytes(pem(new_key(kind)))
        with (self.folder / "schedules.yaml").open("a") as file:
            file.write("dkim: {news.example: {keys: [{selector: bench, key: dkim.pem}]}}\n")

    def configuration(self) -> Configuration:
        return load(self.folder / "schedules.yaml", {})

    def copied_to(self, folder: Path) -> Site:
        """The same site with its SQLite file in another folder."""
        folder.mkdir(parents=True)
        for name in ("n.db", site_key.FILE_NAME, "schedules.yaml"):
            shutil.copyfile(self.folder / name, folder / name)
        return Site(folder, f"sqlite:///{folder}/n.db")


def fill(store: Store, readers: int) -> None:
    """Subscribers of ``daily``, and the stories of one edition."""
    now = datetime.now(UTC)
    for first in range(1, readers + 1, _PAGE):
        store.write(_add_readers, range(first, min(first + _PAGE, readers + 1)), now)
    incoming = [
        an_incoming_article(
            url=f"https://news.example/{section.lower()}/{number}",
            guid=f"{section}-{number}",
            headline=_sentence(f"{section}/{number}", 14),
            standfirst=_sentence(f"{section}:{number}", 34),
            section=section,
            published_at=now - timedelta(minutes=number),
            updated_at=now - timedelta(minutes=number),
        )
        for section in SECTIONS
        for number in range(1, 7)
    ]
    store.write(articles.remember, to_remember(incoming), now=now)


def _sentence(seed: str, words: int) -> str:
    """Words in an order of its own, so that no two stories are taken for the same."""
    chosen = random.Random(seed).sample(_WORDS, words)
    return f"{' '.join(chosen).capitalize()}."


def _add_readers(connection: Connection, numbers: range, now: datetime) -> None:
    people = [
        {
            "id": number,
            "address": f"reader{number:07d}@readers.example",
            "address_hash": hashlib.sha256(b"%d" % number).hexdigest(),
            "first_name": f"Reader{number}",
            "last_name": "Rao",
            "attributes": {},
            "secret": hashlib.sha256(b"secret %d" % number).digest(),
            "created_at": now,
        }
        for number in numbers
    ]
    connection.execute(insert(tables.subscribers), people)
    subscriptions = [
        {
            "newsletter": "daily",
            "subscriber_id": number,
            "state": "active",
            "format": "html",
            "sections": json.dumps(CHOICES[number // 2 % len(CHOICES)]) if number % 2 else "",
            "created_at": now,
            "confirmed_at": now,
        }
        for number in numbers
    ]
    connection.execute(insert(tables.subscriptions), subscriptions)


def queue(configuration: Configuration, store: Store) -> int:
    """Compose, render and queue one edition to everyone; the number of deliveries."""
    now = datetime.now(UTC)
    plan = by_hand.plan_send(configuration, store, StreamName("daily"), extra=False, now=now)
    row = by_hand.begin(Work(configuration, store), plan, [], now)
    assert store.read(occurrences.get, row.id) is not None
    return store.read(lambda connection: len(connection.execute(select(tables.deliveries.c.id)).all()))


def sample(configuration: Configuration, store: Store, number: int) -> Iterator[bytes]:
    """The messages of the first deliveries, as they will go out; the rows are left as they were."""
    now = datetime.now(UTC) + timedelta(minutes=1)
    assembler = Assembler(configuration, store, lambda: now)
    with store.engine.connect() as connection:
        transaction = connection.begin()
        rows = claim(
            connection,
            1,
            newsletters=["daily"],
            limit=number,
            now=now,
            message_id_of=lambda _edition, subscriber: f"<{subscriber}.daily@news.example>",
            plans=("free", "member"),
            languages={},
        ).rows
        transaction.rollback()

    async def assembled() -> list[bytes]:
        return [(await assembler(row)).message for row in rows]

    yield from asyncio.run(assembled())
