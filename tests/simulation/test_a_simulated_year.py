"""Readers in many zones who change their hours, zones, sections and streams, and pause, through changes of the clocks
and outages: the real scheduler loop, ledger and sender over real SMTP, only time replaced. A plain model written from
the documents (``story_model``) says what each of them should get; nothing may differ.

A week of it here; `make soak` does the year and writes its table into docs/reliability.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from newsletter.collect.identity import to_remember
from newsletter.config.reading import Configuration, load
from newsletter.members import subscribing
from newsletter.members.consent import Evidence, Pause, PreferenceChange, change_preferences
from newsletter.model import ConsentChannel, Stream
from newsletter.schedule.running import run
from newsletter.store import Store, articles, heartbeats, subscribers, tables
from newsletter.store.migrating import migrate
from tests.builders import an_incoming_article
from tests.simulation.story_model import (
    BREAKING,
    BREAKING_EVERY,
    LEAD,
    WEEKLY_HOUR,
    Mail,
    Newsroom,
    Place,
    Reader,
    Story,
    due,
)
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.zones import ZONES

NUDGE = timedelta(seconds=11)  # longer than heartbeats are apart
SECTIONS = ("National", "World", "Sport")
_STREAMS = """\
    streams:
      weekly:
        schedule: {deliver_at: "09:00 subscriber", days: [sun]}
        lead: first
        articles: {max: 200, max_age: 2d}
      breaking:
        schedule: {every: 3h}
        only: {tag: breaking}
"""
HOURS = ("06:30", "07:00", "20:00")
_HEADLINE = re.compile(r"Story (\d+), version (\d+)")


@dataclass(frozen=True)
class Size:
    begin: datetime
    days: int
    readers: int
    zones: int
    stories_a_day: int
    changes_a_day: int
    outages: tuple[tuple[timedelta, timedelta], ...]
    mark: timedelta = timedelta(minutes=15)
    """Time goes by such steps: every hour that is asked for, and half an hour before it, is one."""


WEEK = Size(
    datetime(2026, 10, 29, tzinfo=UTC), 7, 60, 14, 12, 12,
    ((timedelta(days=2, hours=5), timedelta(hours=1)), (timedelta(days=4, hours=11), timedelta(hours=7))),
    mark=timedelta(minutes=30),
)  # fmt: skip
YEAR = Size(
    datetime(2026, 10, 1, tzinfo=UTC), 365, 500, 40, 40, 30,
    (
        (timedelta(days=23, hours=22), timedelta(hours=3)),
        (timedelta(days=100, hours=5), timedelta(hours=1)),
        (timedelta(days=178, hours=4), timedelta(days=2, hours=6)),
    ),
)  # fmt: skip


class Clock:
    """The time that the product is told; it moves when the test says so."""

    def __init__(self, begin: datetime) -> None:
        self.now = begin

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def running(configuration: Configuration, url: str, clock: Clock) -> Iterator[None]:
    """``newsletter run`` without its pages, in a thread of its own."""
    stop, failed = threading.Event(), list[BaseException]()

    def work() -> None:
        async def main() -> None:
            stopping = asyncio.Event()
            with Store.open(url) as store:
                task = asyncio.create_task(run(configuration, store, clock, stopping, tick=timedelta(seconds=0.02)))
                while not stop.is_set() and not task.done():
                    await asyncio.sleep(0.01)
                stopping.set()
                await task

        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)

    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a tick is as short as a tick takes
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    assert not failed, failed


class Simulation:
    """The world outside: stories, readers' changes, the passing of time."""

    def __init__(self, size: Size, site: SiteFolder, store: Store, server: SmtpServer, seed: int) -> None:
        self.size, self.site, self.store, self.server = size, site, store, server
        self.dice = random.Random(seed)
        self.clock = Clock(size.begin)
        self.outages = [(size.begin + after, size.begin + after + lasting) for after, lasting in size.outages]
        self.model = Newsroom([], self.outages)
        self.ids: dict[int, int] = {}
        self.hours: dict[int, str] = {}
        self.zones: dict[int, str] = {}
        self.mails: list[Mail] = []
        self.reasons: dict[tuple[int, str, str], str] = {}
        """Of each reader, stream and turn without a mail that the ledger has a row of: why."""

    def people(self) -> None:
        evidence = Evidence(ConsentChannel.CLI, self.size.begin - timedelta(hours=1))
        zones = ZONES[: self.size.zones]
        for number in range(self.size.readers):
            stream = self._stream()
            zone, hour = self.dice.choice(zones), self.dice.choice(HOURS)
            chosen = self._sections()
            wanted = subscribing.Wanted("daily", sections=chosen, hour="" if hour == "07:00" else hour, stream=stream)
            one = subscribing.Enrolment(
                f"reader{number}@readers.example", (f"hash-{number}",), (wanted,), timezone=zone
            )
            self.ids[number] = self.store.write(subscribing.subscribe, [one], evidence)[0].subscriber_id
            self.hours[number], self.zones[number] = hour, zone
            self.model.readers.append(
                Reader(number, [(evidence.at, self._place(stream, zone, hour))], [(evidence.at, chosen)])
            )

    def _stream(self) -> Stream:
        return self.dice.choices((Stream.EACH, Stream.WEEKLY, Stream.BREAKING), (7, 2, 1))[0]

    @staticmethod
    def _place(stream: Stream, zone: str, hour: str) -> Place:
        if stream is Stream.BREAKING:
            return BREAKING
        return stream.value, zone, WEEKLY_HOUR if stream is Stream.WEEKLY else hour

    def _sections(self) -> tuple[str, ...]:
        return () if self.dice.random() < 0.3 else tuple(self.dice.sample(SECTIONS, self.dice.randint(1, 2)))

    # --- what happens between two marks ---

    def live(self, until: datetime) -> None:
        """What happens after the mark before ``until``, at odd minutes."""
        share = self.size.mark / timedelta(days=1)
        for _ in range(self._how_many(self.size.stories_a_day * share)):
            self._publish(until - timedelta(minutes=self.dice.randint(4, 9)))
        at = until - timedelta(minutes=3)
        if self.dice.random() < 0.1:
            self._correct_or_retract(at)
        if self.model.runs_at(at):  # the preference page is down as well
            for _ in range(self._how_many(self.size.changes_a_day * share)):
                self._change(self.dice.choice(self.model.readers), at)

    def _how_many(self, expected: float) -> int:
        return int(expected) + (self.dice.random() < expected % 1)

    def _publish(self, at: datetime) -> None:
        number = len(self.model.stories) + 1
        section, breaking = self.dice.choice(SECTIONS), self.dice.random() < 0.15
        story = Story(number, section, at, [(at, f"Story {number}, version 1")], breaking=breaking)
        self.model.stories.append(story)
        # Late, and dated back by up to half a day.
        self._remember(story, at, at - timedelta(minutes=self.dice.choice((1, 1, 1, 50, 700))))

    def _remember(self, story: Story, at: datetime, published: datetime) -> None:
        incoming = an_incoming_article(
            url=f"https://news.example/story/{story.number}",
            guid=f"story-{story.number}",
            headline=story.headlines[-1][1],
            standfirst="",
            section=story.section,
            tags=("breaking",) if story.breaking else (),
            published_at=published,
            updated_at=at,
            body_html=f"<p>{self.dice.random()} {self.dice.random()}</p>",
            body_text="",
        )
        self.store.write(articles.remember, to_remember([incoming]), now=at)

    def _correct_or_retract(self, at: datetime) -> None:
        recent = [one for one in self.model.stories[-30:] if one.retracted is None and one.seen < at]
        if not recent:
            return
        story = self.dice.choice(recent)
        if self.dice.random() < 0.5:
            story.headlines.append((at, f"Story {story.number}, version {len(story.headlines) + 1}"))
            self._remember(story, at, story.seen - timedelta(minutes=1))
        else:
            story.retracted = at
            rows = tables.articles
            self.store.write(
                lambda connection: connection.execute(
                    rows.update().where(rows.c.guid == f"story-{story.number}").values(retracted_at=at)
                )
            )

    def _change(self, reader: Reader, at: datetime) -> None:
        subscriber, how = self.ids[reader.number], Evidence(ConsentChannel.PAGE, at)
        stream, zone, hour = Stream(reader.places[-1][1][0]), self.zones[reader.number], self.hours[reader.number]
        match self.dice.choice(("hour", "zone", "sections", "pause", "both", "stream")):
            case "sections":
                chosen = self._sections()
                reader.sections.append((at, chosen))
                changes = [PreferenceChange("daily", sections=chosen)]
                self.store.write(change_preferences, subscriber, changes, how)
            case "pause":
                until = at + timedelta(days=self.dice.randint(1, 4))
                reader.pauses.append((at, until))
                self.store.write(change_preferences, subscriber, [PreferenceChange("daily", pause=Pause(until))], how)
            case "stream":
                stream = self._stream()
                changes = [PreferenceChange("daily", stream=stream)]
                self.store.write(change_preferences, subscriber, changes, how)
                reader.places.append((at, self._place(stream, zone, hour)))
            case what:
                if what in ("hour", "both"):
                    hour = self.hours[reader.number] = self.dice.choice(HOURS)
                    changes = [PreferenceChange("daily", hour="" if hour == "07:00" else hour)]
                    self.store.write(change_preferences, subscriber, changes, how)
                    reader.places.append((at, self._place(stream, zone, hour)))
                if what in ("zone", "both"):
                    zone = self.zones[reader.number] = self.dice.choice(ZONES[: self.size.zones])
                    self.store.write(subscribers.live_in, subscriber, zone, at)
                    reader.places.append((at, self._place(stream, zone, hour)))

    # --- the passing of time ---

    def go(self, configuration: Configuration) -> None:
        end = self.size.begin + timedelta(days=self.size.days)
        mark = self.size.begin
        while mark < end:
            upto = next((begin for begin, _ in self.outages if begin > mark), end)
            self.clock.now = mark
            with running(configuration, self.site.store_url, self.clock):
                starts = mark
                while mark < min(upto, end):
                    if mark == starts or self._matters(mark):
                        self._settle(mark)
                        self.model.go_to(mark)
                    if mark.hour == 0 and mark.minute == 0:
                        self.read_reasons()
                    mark += self.size.mark
                    self.live(mark)
            over = next((until for begin, until in self.outages if begin <= mark < until), mark)
            while mark < over:
                mark += self.size.mark
                self.live(mark)

    def _matters(self, mark: datetime) -> bool:
        """Whether it is anybody's hour, or time to compose for one, or to look for breaking news."""
        if (mark - self.size.begin) % BREAKING_EVERY == timedelta(0):
            return True
        hours = [("each", hour) for hour in HOURS] + [("weekly", WEEKLY_HOUR)]
        days = [mark.date() + timedelta(days=offset) for offset in (-1, 0, 1)]
        return any(
            due((stream, zone, hour), day) in (mark, mark + LEAD)
            for zone in ZONES[: self.size.zones]
            for stream, hour in hours
            for day in days
        )

    def _settle(self, mark: datetime) -> None:
        """Wait until the scheduler has seen this time, and all that was due has been sent."""
        for at in (mark, mark + NUDGE):  # a tick that began before the clock moved does not count
            self.clock.now = max(self.clock.now, at)
            self._until(partial(self._beaten, at), f"a tick at {at}")
        self._until(self._idle, f"an empty outbox at {mark}")
        self._read_mails(mark)

    def _beaten(self, at: datetime) -> bool:
        beats = {one.name: one for one in self.store.read(heartbeats.listing)}
        return "scheduler" in beats and beats["scheduler"].last_at >= at

    def _idle(self) -> bool:
        rows = tables.deliveries
        moving = select(func.count()).where(rows.c.state.in_(["queued", "sending"]))
        return not self.store.read(lambda connection: connection.execute(moving).scalar_one())

    @staticmethod
    def _until(holds: Callable[[], bool], what: str) -> None:
        deadline, pause = time.monotonic() + 120, 0.004
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)  # asking takes the product's time

    # --- what came of it ---

    def _read_mails(self, at: datetime) -> None:
        """Every mail that the server took at this mark, as the model writes one."""
        for accepted in self.server.accepted:
            text = accepted.message.get_body(("plain",))
            assert text is not None
            named = {
                (int(number), f"Story {number}, version {version}")
                for number, version in _HEADLINE.findall(text.get_content())
            }
            reader = int(accepted.recipient.partition("@")[0].removeprefix("reader"))
            self.mails.append(Mail(reader, *self._edition_of(reader, accepted.message_id), at, frozenset(named)))
        self.server.accepted.clear()

    def _edition_of(self, reader: int, message_id: str) -> tuple[str, str]:
        rows = tables.deliveries
        hers = (rows.c.subscriber_id == self.ids[reader]) & (rows.c.message_id == message_id)
        statement = select(rows.c.stream, rows.c.occurrence).where(hers)
        stream, name = self.store.read(lambda connection: connection.execute(statement).one())
        return stream, name

    def read_reasons(self) -> None:
        """Every day: a year is longer than the ledger keeps them (``keep_deliveries``)."""
        rows, numbers = tables.deliveries, {subscriber: number for number, subscriber in self.ids.items()}
        which = select(rows.c.subscriber_id, rows.c.stream, rows.c.occurrence, rows.c.reason)
        found = self.store.read(lambda connection: connection.execute(which.where(rows.c.state == "skipped")).all())
        self.reasons |= {(numbers[row[0]], row[1], row[2]): row[3] for row in found}


def simulate(size: Size, tmp_path: Path, store: Store, store_url: str, seed: int) -> tuple[Simulation, list[str]]:
    """Run it; what differs between the model and the mail, in words."""
    hours = ", ".join(f'"{hour}"' for hour in HOURS)
    sections = ", ".join(f"{{name: {name}, match: {{section: {name}}}, max: 100}}" for name in SECTIONS)
    with SmtpServer() as server:
        site = SiteFolder(
            tmp_path,
            store_url,
            server.port,
            zone="UTC",
            schedule=f'{{deliver_at: "07:00 subscriber", hours: [{hours}]}}',
            gates="{web: false, same_subject: false, lint: false}",
            timeout="600s",
            more="",
        )
        file = tmp_path / "schedules.yaml"
        text = "plans: {free: [free, metered, members]}\n" + file.read_text()
        text = re.sub(r"sections: .*\n", f"sections: [{sections}]\n", text)
        text = re.sub(
            r"articles: .*\n",
            "articles: {min: 1, max: 200, max_age: 3d}\n    ranking: {collapse: false}\n    size_budget: 10000000\n"
            + _STREAMS,
            text,
        )
        file.write_text(text)
        simulation = Simulation(size, site, store, server, seed)
        simulation.people()
        simulation.go(load(file, {}))
        assert not server.accepted, "a mail came when nothing was due"
        expected, got = Counter(simulation.model.mails), Counter(simulation.mails)
    differences = [f"should have come: {one}" for one in (expected - got)]
    differences += [f"should not have come: {one}" for one in (got - expected)]
    foretold = {at: why for at, why in simulation.model.reasons.items() if why not in ("missed", "empty")}
    simulation.read_reasons()
    told = simulation.reasons
    differences += [
        f"{at}: {foretold.get(at)} expected, {told.get(at)} found"
        for at in foretold.keys() | told.keys()
        if foretold.get(at) != told.get(at)
    ]
    return simulation, differences


def row_of(what: str, store: Store, simulation: Simulation, differences: list[str], seconds: float) -> str:
    model, size = simulation.model, simulation.size
    reasons = Counter(model.reasons.values())
    without = ", ".join(f"{number:,} {why}" for why, number in sorted(reasons.items()))
    return (
        f"| {what}, {size.readers} readers in {size.zones} zones | {store.url.get_backend_name()} "
        f"| {len(model.mails):,} | {without} | {len(differences)} | {seconds:,.0f} |"
    )


def test_a_week_of_readers_in_many_zones_is_what_the_documents_say(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/newsletter.db"
    with Store.open(url) as store:
        migrate(store)
        simulation, differences = simulate(WEEK, tmp_path, store, url, seed=17)
    assert not differences, "\n".join(sorted(differences)[:40])
    assert len(simulation.model.mails) > WEEK.readers * WEEK.days / 2
    assert set(simulation.model.reasons.values()) >= {"missed", "paused", "no_stories"}, "it has seen all of it"
    for stream in ("weekly", "breaking"):
        assert len([one for one in simulation.model.mails if one.stream == stream]) > 5


@pytest.mark.soak
def test_a_year_of_readers_in_forty_zones_is_what_the_documents_say(
    tmp_path: Path, store: Store, store_url: str, simulated: Callable[[str], None]
) -> None:
    began = time.monotonic()
    simulation, differences = simulate(YEAR, tmp_path, store, store_url, seed=1)
    simulated(row_of("a year", store, simulation, differences, time.monotonic() - began))
    assert not differences, "\n".join(sorted(differences)[:40])


def test_the_model_knows_the_hours_that_a_clock_shows_twice_or_not_at_all() -> None:
    """The model is no use where it shares a mistake: these are from the tz database's own documents."""
    spring, autumn = ("each", "Europe/Berlin", "02:30"), ("each", "America/New_York", "01:30")
    assert due(spring, date(2027, 3, 28)) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert due(autumn, date(2026, 11, 1)) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
