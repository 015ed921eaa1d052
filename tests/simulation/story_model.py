"""What readers should get, worked out slowly and plainly from docs/preferences.md and docs/schedules.md alone.

It knows nothing of the product: no table, no cohort that is computed ahead, no page of readers. It goes through time,
minute mark by minute mark, and asks of every reader and date what the documents say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LEAD, CATCH_UP, MAX_AGE = timedelta(minutes=30), timedelta(hours=2), timedelta(days=3)

Clock = tuple[str, str]
"""A zone and an hour, HH:MM: whose readers get it together."""


@dataclass
class Story:
    """A story, and what became of it. ``headlines`` are (from, words), the first from when it was first seen."""

    number: int
    section: str
    seen: datetime
    headlines: list[tuple[datetime, str]]
    retracted: datetime | None = None

    def headline_at(self, at: datetime) -> str:
        return [words for since, words in self.headlines if since <= at][-1]


@dataclass
class Reader:
    """A reader, with every change of hers: (when, what it is from then on)."""

    number: int
    clocks: list[tuple[datetime, Clock]]
    sections: list[tuple[datetime, tuple[str, ...]]]
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    had: set[int] = field(default_factory=set)
    dates: set[date] = field(default_factory=set)

    def sections_at(self, at: datetime) -> tuple[str, ...]:
        return [chosen for since, chosen in self.sections if since <= at][-1]

    def paused_at(self, at: datetime) -> bool:
        """The last pause that she set is the one that counts."""
        set_by_then = [until for since, until in self.pauses if since <= at]
        return bool(set_by_then) and set_by_then[-1] > at

    def clock_for(self, day: date) -> Clock:
        """A change counts for every date whose hour is still to come on the new clock."""
        holds = self.clocks[0][1]
        for at, clock in self.clocks[1:]:
            if due(clock, day) > at:
                holds = clock
        return holds


@dataclass(frozen=True)
class Mail:
    """One mail that a reader should get: of which date, when, and which stories under which headlines."""

    reader: int
    day: date
    at: datetime
    stories: frozenset[tuple[int, str]]


def due(clock: Clock, day: date) -> datetime:
    """That hour of that date in that zone: the first where the clock shows it twice, moved on where it shows it not."""
    zone, hour = clock
    local = datetime(day.year, day.month, day.day, int(hour[:2]), int(hour[3:]), tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


class Newsroom:
    """The readers, the stories and the hours when nothing ran."""

    def __init__(self, readers: list[Reader], outages: list[tuple[datetime, datetime]]) -> None:
        self.readers, self.outages = readers, outages
        self.stories: list[Story] = []
        self.used: dict[Clock, set[int]] = {}
        self.made: dict[tuple[Clock, date], list[Story] | None] = {}
        self.mails: list[Mail] = []
        self.reasons: dict[tuple[int, date], str] = {}

    def runs_at(self, at: datetime) -> bool:
        return not any(begin <= at < end for begin, end in self.outages)

    def go_to(self, now: datetime) -> None:
        """What happens at this mark, everything before it having happened."""
        if not self.runs_at(now):
            return
        for day in (now.date() + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2)):
            together: dict[Clock, list[Reader]] = {}
            for reader in self.readers:
                if day not in reader.dates:
                    together.setdefault(reader.clock_for(day), []).append(reader)
            for clock in sorted(together, key=lambda clock: (due(clock, day), clock)):
                self._compose(clock, day, now)
            for clock, readers in sorted(together.items(), key=lambda pair: (due(pair[0], day), pair[0])):
                self._send(clock, day, readers, now)

    def _compose(self, clock: Clock, day: date, now: datetime) -> None:
        at = due(clock, day)
        if (clock, day) in self.made or now < at - LEAD:
            return
        if now > at + CATCH_UP:
            self.made[clock, day] = None
            return
        used = self.used.setdefault(clock, set())
        found = [
            story
            for story in self.stories
            if story.seen <= now
            and story.number not in used
            and now - story.seen <= MAX_AGE
            and not (story.retracted is not None and story.retracted <= now)
        ]
        self.made[clock, day] = found
        used.update(story.number for story in found)

    def _send(self, clock: Clock, day: date, readers: list[Reader], now: datetime) -> None:
        if due(clock, day) > now or (clock, day) not in self.made:
            return
        made = self.made[clock, day]
        if made and now > due(clock, day) + CATCH_UP:  # composed before an outage; it goes to nobody, and is free again
            self.used[clock].difference_update(story.number for story in made)
            made = None
        there = [one for one in made or [] if not (one.retracted is not None and one.retracted <= now)]
        for reader in readers:
            reader.dates.add(day)
            if made is None:
                self.reasons[reader.number, day] = "missed"
            elif not there:
                self.reasons[reader.number, day] = "empty"
            else:
                self._mail(reader, day, there, now)

    def _mail(self, reader: Reader, day: date, there: list[Story], now: datetime) -> None:
        chosen = reader.sections_at(now)
        hers = [story for story in there if not chosen or story.section in chosen]
        new = [story for story in hers if story.number not in reader.had]
        if not hers:
            self.reasons[reader.number, day] = "no_stories"
        elif reader.paused_at(now):
            self.reasons[reader.number, day] = "paused"
        elif not new:
            self.reasons[reader.number, day] = "all_had"
        else:
            reader.had.update(story.number for story in new)
            stories = frozenset((story.number, story.headline_at(now)) for story in new)
            self.mails.append(Mail(reader.number, day, now, stories))
