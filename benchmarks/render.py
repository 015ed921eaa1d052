"""What a message costs from edition to bytes for the wire: ours, the naive way, and bare concatenation; CPU time.

``python -m benchmarks.render [--json] [--messages N] [--rounds N] [--distinct N]``. The newsletter has the design
``daily``, twelve stories a message and six slots. Ours is the sender's own way: each rendered key's document, its
pieces into the store and out again, the Message-ID, then ``Assembler`` for each row. The naive way is one Jinja2 render
of the whole document for each reader, then premailer, then EmailMessage; its templates and stylesheets are warm. Rounds
alternate, medians are compared; each of ours starts with nothing made or remembered. Rows are made outside the clock.

With *ten keys* there are two plans and five orders of the sections; *all distinct* gives each reader twelve of twenty
sections in an order of her own. ``first_variant_ms`` is from edition to the first message, ``next_key_ms`` what the
next section set costs. ``peak_rss_mb`` is of a process that assembles for ``--distinct`` different section sets.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import json
import multiprocessing
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import partial
from itertools import islice
from pathlib import Path

from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.deliver.assembling import Assembler, message_id
from newsletter.members.links import Links
from newsletter.model import (
    Article,
    Edition,
    Kind,
    MailFormat,
    Occurrence,
    OccurrenceState,
    Picture,
    RenderedKey,
    Role,
    Stream,
    StreamName,
)
from newsletter.render import inlining, templates
from newsletter.render.rendering import render_edition, templates_of
from newsletter.store import Store, editions, pieces
from newsletter.store.claiming import Claimed
from tests.builders import add_occurrence, an_article
from tests.support.ordinary import Ordinary, ordinary

WEB = "https://mail.news.example"
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
STORIES = 12
NAIVE_MESSAGES = 8
BATCH = 500
PLANS = ("free", "member")

_SCHEDULES = """\
site: {{name: The Daily Example, url: "https://news.example", timezone: Asia/Kolkata,
       postal_address: "1 Press Lane, Chennai 600002, India"}}
web: {{url: "{web}"}}
relays: {{main: {{host: 127.0.0.1, port: 2525, tls: none}}}}
plans: {{free: [free], member: [free, metered, members]}}
newsletters:
  daily:
    title: The Daily Example
    from: "The Daily Example <daily@news.example>"
    schedule: {{at: "07:00"}}
    sections: {sections}
"""
# Beside the four slots of the shipped footer.
_GREETING = "{{ slot.first_name(default='Reader') }} {{ slot.last_name() }}"


def main() -> None:
    """Parse the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--messages", type=int, default=100_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--distinct", type=int, default=100_000)
    chosen = arguments.parse_args()
    results = measure(chosen.messages, chosen.rounds, chosen.distinct)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        for key, value in results.items():
            print(f"{key:28} {value}")


def measure(messages: int, rounds: int, distinct: int, naive_messages: int = NAIVE_MESSAGES) -> dict[str, float]:
    """Alternate the naive way, ours and concatenation; ratios of the medians of CPU time a message."""
    naive_ten, ours_ten, bare, naive_all, ours_all, first, following = ([] for _ in range(7))
    with tempfile.TemporaryDirectory() as folder:
        ten, every = _Paper.of_ten_keys(Path(folder) / "ten"), _Paper.all_distinct(Path(folder) / "all")
        for _ in range(rounds):
            naive_ten.append(ten.naive(naive_messages))
            ours_ten.append(ten.ours(messages))
            bare.append(ten.concatenation(messages))
            naive_all.append(every.naive(naive_messages))
            ours_all.append(every.ours(max(messages // 2, 1)))
            one, next_one = ten.first_and_next()
            first.append(one)
            following.append(next_one)
        ten.close()
        every.close()
    median = statistics.median
    return {
        "naive_over_ours_10_keys": round(median(naive_ten) / median(ours_ten)),
        "naive_over_ours_all_distinct": round(median(naive_all) / median(ours_all)),
        "ours_over_concatenation": round(median(ours_ten) / median(bare), 2),
        "first_variant_ms": round(1000 * median(first), 1),
        "next_key_ms": round(1000 * median(following), 2),
        "peak_rss_mb": _peak_megabytes(distinct),
    }


@dataclass
class _Paper:
    """One newsletter and its edition in a store; ``section_sets`` gives each reader's sections, over and over."""

    configuration: Configuration
    store: Store
    articles: Mapping[int, Article]
    pool: Mapping[str, Sequence[int]]
    random_sets: bool
    editions_made: int = 0

    @classmethod
    def of_ten_keys(cls, folder: Path) -> _Paper:
        """Four sections of three stories: the lead, cards and briefs."""
        names = ("National", "World", "Business", "Sport")
        return cls._of(folder, {name: [3 * n + 1, 3 * n + 2, 3 * n + 3] for n, name in enumerate(names)}, False)

    @classmethod
    def all_distinct(cls, folder: Path) -> _Paper:
        """Twenty sections of one story, of which each reader has twelve."""
        return cls._of(folder, {f"Section {number}": [number] for number in range(1, 21)}, True)

    @classmethod
    def _of(cls, folder: Path, pool: Mapping[str, Sequence[int]], random_sets: bool) -> _Paper:
        folder.mkdir()
        file = folder / "schedules.yaml"
        file.write_text(_SCHEDULES.format(web=WEB, sections=json.dumps([{"name": name} for name in pool])))
        for name, greeting in {"footer.html": f"<p>{_GREETING}</p>\n", "footer.txt": f"\n{_GREETING}\n"}.items():
            own = folder / "templates" / "shared" / name
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text((templates.shipped_templates() / "shared" / name).read_text() + greeting)
        configuration = load(file, {}, keys=SiteKeys.of_one(b"k" * 32))
        stories = {number: _story(number) for ids in pool.values() for number in ids}
        return cls(configuration, Store.open(configuration.store_url), stories, pool, random_sets)

    def close(self) -> None:
        self.store.close()

    def naive(self, messages: int) -> float:
        """Seconds of CPU a message: everything anew for each reader, but templates and stylesheets, which are warm."""
        edition = self.store.read(editions.load, self._new_edition())
        ways = {plan: ordinary(partial(self._made, edition, RenderedKey("en", plan))) for plan in PLANS}
        rows = list(islice(self._rows(0), messages + 1))
        _naive_message(ways[rows[0].rendered_key.plan], rows[0], edition)
        began = time.process_time()
        for row in rows[1:]:
            _naive_message(ways[row.rendered_key.plan], row, edition)
        return (time.process_time() - began) / messages

    def ours(self, messages: int) -> float:
        """Seconds of CPU a message, rendering included."""
        _forget()
        edition_id = self._new_edition()
        began = time.process_time()
        for plan in PLANS[: 1 if self.random_sets else 2]:
            self._render(edition_id, RenderedKey("en", plan))
        seconds = time.process_time() - began
        return (seconds + asyncio.run(self._assemble(edition_id, messages))) / messages

    def first_and_next(self) -> tuple[float, float]:
        """Seconds of CPU from edition to the first message, and for a message with the next section set."""
        _forget()
        edition_id = self._new_edition()
        rows = [row._replace(rendered_key=RenderedKey("en", "free")) for row in islice(self._rows(edition_id), 0, 4, 2)]

        async def run() -> tuple[float, float]:
            began = time.process_time()
            self._render(edition_id, rows[0].rendered_key)
            assembler = Assembler(self.configuration, self.store, lambda: NOW)
            await assembler(rows[0])
            first = time.process_time()
            await assembler(rows[1])
            return first - began, time.process_time() - first

        return asyncio.run(run())

    def concatenation(self, messages: int) -> float:
        """Seconds of CPU a message for joining the same pieces and six HMACs, and nothing else."""
        edition_id = self._new_edition()
        for plan in PLANS:
            self._render(edition_id, RenderedKey("en", plan))
        made = {plan: self.store.read(pieces.load, edition_id, 1, RenderedKey("en", plan)) for plan in PLANS}
        keys = [(row, _piece_names(self.pool, json.loads(row.sections))) for row in islice(self._rows(0), 10)]
        joined = [(row.secret, [made[row.rendered_key.plan][name] for name in names]) for row, names in keys]
        began = time.process_time()
        for number in range(messages):
            secret, bodies = joined[number % 10]
            b"".join(bodies)
            for _ in range(6):
                hmac.digest(secret, b"u\0daily", "sha256")
        return (time.process_time() - began) / messages

    async def _assemble(self, edition_id: int, messages: int) -> float:
        assembler = Assembler(self.configuration, self.store, lambda: NOW)
        edition_key = f"daily/each/{self._occurrence}"
        rows = self._rows(edition_id)
        seconds = 0.0
        while batch := list(islice(rows, min(BATCH, messages))):
            messages -= len(batch)
            began = time.process_time()
            ids = [message_id(self.configuration, "daily", edition_key, row.subscriber_id) for row in batch]
            seconds += time.process_time() - began
            batch = [row._replace(message_id=id_) for row, id_ in zip(batch, ids, strict=True)]
            began = time.process_time()
            for row in batch:
                await assembler(row)
            seconds += time.process_time() - began
        return seconds

    def _render(self, edition_id: int, key: RenderedKey) -> None:
        made = self._made(self.store.read(editions.load, edition_id), key)
        self.store.write(pieces.save, edition_id, 1, key, made)

    def _made(self, edition: Edition, key: RenderedKey) -> dict[str, bytes]:
        return render_edition(self.configuration, edition, self.articles, key, templates_of(self.configuration))

    def _new_edition(self) -> int:
        self.editions_made += 1
        sections = [{"name": name, "articles": list(ids)} for name, ids in self.pool.items()]
        made = add_occurrence(
            self.store, occurrence=self._occurrence, state=OccurrenceState.SENDING, sections=sections, due_at=NOW
        )
        return made[1]

    @property
    def _occurrence(self) -> Occurrence:
        return Occurrence(date(2026, 11, 23), self.editions_made)

    def _rows(self, edition_id: int) -> Iterator[Claimed]:
        """Claimed deliveries without end, their section sets in turn or all different."""
        chance = random.Random(edition_id)
        names = list(self.pool)
        few = [names, names[::-1], names[1:] + names[:1], names[2:] + names[:2], names[3:] + names[:3]]
        seen: set[tuple[str, ...]] = set()
        number = 0
        while True:
            number += 1
            chosen = chance.sample(names, STORIES) if self.random_sets else few[number // 2 % 5]
            if self.random_sets:
                if tuple(chosen) in seen:
                    continue
                seen.add(tuple(chosen))
            plan = PLANS[0] if self.random_sets else PLANS[number % 2]
            yield _row(number, edition_id, str(self._occurrence), plan, json.dumps(chosen))


def _row(number: int, edition_id: int, occurrence: str, plan: str, sections: str) -> Claimed:
    return Claimed(
        id=number,
        subscriber_id=number,
        edition_id=edition_id,
        pieces_of=edition_id,
        pieces_revision=1,
        newsletter="daily",
        stream=Stream.EACH,
        occurrence=occurrence,
        kind=Kind.EDITION,
        rendered_key=RenderedKey("en", plan),
        sections=sections,
        format=MailFormat.HTML,
        message_id="<1.daily@news.example>",
        attempt=1,
        expires_at=NOW + timedelta(hours=8),
        address=f"anitha.raman.{number}@readers.example",
        first_name="Anitha",
        last_name=f"Raman{number}",
        secret=os.urandom(32),
        withdrawals_seen=0,
    )


def _story(number: int) -> Article:
    picture = Picture(
        url=f"https://news.example/pictures/{number}.jpg",
        caption="The reservoir at dusk, after the gates were opened",
        credit="R. Iyer",
        alt="Water over a spillway between two hills",
        media=f"{number:064x}.jpg",
        width=1184,
        height=790,
        small=f"{number:064x}-small.jpg",
    )
    return an_article(
        number,
        headline=f"River board opens every gate as the longest monsoon in {number + 20} years goes on",
        standfirst="Engineers lowered the reservoir by two metres overnight, and villages below the dam were warned in "
        "time. The board says that levels will stay high until the end of the week.",
        body_text="word " * (200 + 83 * number),
        images=(picture,),
    )


def _naive_message(way: Ordinary, row: Claimed, edition: Edition) -> bytes:
    """One reader's message as one makes it who keeps nothing."""
    links, sections = Links(WEB), json.loads(row.sections)
    unsubscribe = links.unsubscribe(row.subscriber_id, row.secret, "daily")
    values = {
        "first_name": row.first_name,
        "last_name": row.last_name,
        "address": row.address,
        "unsubscribe_url": unsubscribe,
        "preferences_url": links.preferences(row.subscriber_id, row.secret),
        "browser_url": links.browser(row.subscriber_id, row.secret, StreamName("daily"), edition.occurrence),
    }
    message = EmailMessage(policy=SMTP)
    message["Date"] = format_datetime(NOW)
    message["From"] = "The Daily Example <daily@news.example>"
    message["To"] = row.address
    message["Message-ID"] = row.message_id
    message["Subject"] = way.subject(sections, values)
    message["List-Id"] = "<daily.news.example>"
    message["List-Unsubscribe"] = f"<{unsubscribe}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(way.text(sections, values))
    message.add_alternative(way.html(sections, values), subtype="html")
    return message.as_bytes()


def _piece_names(pool: Mapping[str, Sequence[int]], sections: Sequence[str]) -> list[str]:
    """The names of the pieces of a message for ``sections``."""
    numbers = {name: number for number, name in enumerate(pool)}
    lead = pool[sections[0]][0]
    names = []
    for suffix in ("txt", "html"):
        names += [f"{suffix}/frame", f"{suffix}/{lead}/{Role.LEAD}"]
        for section in sections:
            left = [story for story in pool[section] if story != lead]
            names += [f"{suffix}/section/{numbers[section]}"] if left else []
            names += [f"{suffix}/{one}/{Role.CARD if at < 2 else Role.BRIEF}" for at, one in enumerate(left)]
    return names


def _forget() -> None:
    """Empty what this process remembers of earlier rounds."""
    import premailer.cache  # after newsletter.render, which sets its size

    inlining._parsed.cache_clear()
    premailer.cache.cache.clear()
    templates.compile_text.cache_clear()
    templates.messages_of.cache_clear()


def _peak_megabytes(distinct: int) -> int:
    """Peak resident memory, in MB, of a new process that assembles a message for each of so many section sets."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_assemble_distinct, args=(distinct, there))
    process.start()
    there.close()  # so that a process that fails is not waited for
    peak: int = here.recv()
    process.join()
    return peak


def _assemble_distinct(distinct: int, done: multiprocessing.connection.Connection) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paper = _Paper.all_distinct(Path(folder) / "all")
        paper.ours(distinct)
        paper.close()
    done.send(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


if __name__ == "__main__":
    main()
