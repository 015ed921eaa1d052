"""What readers should get, worked out slowly and plainly from docs/preferences.md and docs/schedules.md alone.

It knows nothing of the product: no table, no cohort that is computed ahead, no page of readers. It goes through time,
minute mark by minute mark, and asks of every reader and date what the documents say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

LEAD, CATCH_UP = timedelta(minutes=30), timedelta(hours=2)
MAX_AGE = {"each": timedelta(days=3), "weekly": timedelta(days=2), "breaking": timedelta(hours=6)}
WEEKLY_HOUR, SUNDAY = "09:00", 6
BREAKING_EVERY = timedelta(hours=3)

Place = tuple[str, str, str]
"""A stream, a zone and an hour, HH:MM: whose readers get it together. The weekly comes on Sundays, at one hour."""
BREAKING: Place = ("breaking", "UTC", "")
"""Breaking news comes to all of its readers together, several times a day."""


@dataclass
class Story:
    """A story, and what became of it. ``headlines`` are (from, words), the first from when it was first seen."""

    number: int
    section: str
    seen: datetime
    headlines: list[tuple[datetime, str]]
    retracted: datetime | None = None
    breaking: bool = False

    def headline_at(self, at: datetime) -> str:
        return [words for since, words in self.headlines if since <= at][-1]


@dataclass
class Reader:
    """A reader, with every change of hers: (when, what it is from then on)."""

    number: int
    places: list[tuple[datetime, Place]]
    sections: list[tuple[datetime, tuple[str, ...]]]
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)
    had: set[int] = field(default_factory=set)
    turns: set[tuple[str, str]] = field(default_factory=set)
    held: dict[tuple[str, date, int], Place | None] = field(default_factory=dict)

    def sections_at(self, at: datetime) -> tuple[str, ...]:
        return [chosen for since, chosen in self.sections if since <= at][-1]

    def stream_at(self, at: datetime) -> str:
        return [place for since, place in self.places if since <= at][-1][0]

    def pauses_for(self, due_at: datetime, now: datetime) -> bool:
        """The last pause that she set is the one that counts, for what is due before it ends."""
        set_by_now = [until for since, until in self.pauses if since <= now]
        return bool(set_by_now) and set_by_now[-1] > due_at

    def place_for(self, stream: str, day: date) -> Place | None:
        """A change counts for every date whose hour is still to come on the new clock. Of a stream that she leaves she
        gets what was due before."""
        known = (stream, day, len(self.places))
        if known not in self.held:
            self.held[known] = self._place_for(stream, day)
        return self.held[known]

    def _place_for(self, stream: str, day: date) -> Place | None:
        holds: Place | None = None
        for at, place in self.places:
            if place[0] == stream:
                if (holds is None and at == self.places[0][0]) or due(place, day) > at:
                    holds = place
            elif holds is not None and due(holds, day) > at:
                holds = None
        return holds


@dataclass(frozen=True)
class Mail:
    """One mail that a reader should get: of which turn, ``2026-11-01/1``, when, and which stories under which
    headlines."""

    reader: int
    stream: str
    turn: str
    at: datetime
    stories: frozenset[tuple[int, str]]


@cache
def due(place: Place, day: date) -> datetime:
    """That hour of that date in that zone: the first where the clock shows it twice, moved on where it shows it not."""
    _, zone, hour = place
    local = datetime(day.year, day.month, day.day, int(hour[:2]), int(hour[3:]), tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC)


class Newsroom:
    """The readers, the stories and the hours when nothing ran."""

    def __init__(self, readers: list[Reader], outages: list[tuple[datetime, datetime]]) -> None:
        self.readers, self.outages = readers, outages
        self.stories: list[Story] = []
        self.used: dict[Place, set[int]] = {}
        self.made: dict[tuple[Place, str], list[Story] | None] = {}
        self.mails: list[Mail] = []
        self.reasons: dict[tuple[int, str, str], str] = {}

    def runs_at(self, at: datetime) -> bool:
        return not any(begin <= at < end for begin, end in self.outages)

    def go_to(self, now: datetime) -> None:
        """What happens at this mark, everything before it having happened."""
        if not self.runs_at(now):
            return
        for day in (now.date() + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2)):
            together: dict[Place, list[Reader]] = {}
            for reader in self.readers:
                for stream in ("each", "weekly") if day.weekday() == SUNDAY else ("each",):
                    if (stream, f"{day}/1") in reader.turns:
                        continue
                    place = reader.place_for(stream, day)
                    if place is not None:
                        together.setdefault(place, []).append(reader)
            for place in sorted(together, key=lambda place: (due(place, day), place)):
                self._compose(place, f"{day}/1", due(place, day), LEAD, now)
            for place, readers in sorted(together.items(), key=lambda pair: (due(pair[0], day), pair[0])):
                self._send(place, f"{day}/1", due(place, day), readers, now)
            self._break(day, now)

    def _break(self, day: date, now: datetime) -> None:
        """Breaking news of that date: whoever has it when it goes out gets it, and nobody where there is none."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for number in range(timedelta(days=1) // BREAKING_EVERY):
            turn, at = f"{day}/{number + 1}", midnight + BREAKING_EVERY * number
            if now < at or (BREAKING, turn) in self.made:
                continue
            self._compose(BREAKING, turn, at, timedelta(0), now)
            if self.made[BREAKING, turn]:
                readers = [one for one in self.readers if one.stream_at(now) == "breaking"]
                self._send(BREAKING, turn, at, readers, now)

    def _compose(self, place: Place, turn: str, at: datetime, lead: timedelta, now: datetime) -> None:
        if (place, turn) in self.made or now < at - lead:
            return
        if now > at + CATCH_UP:
            self.made[place, turn] = None
            return
        used = self.used.setdefault(place, set())
        found = [
            story
            for story in self.stories
            if story.seen <= now
            and story.number not in used
            and now - story.seen <= MAX_AGE[place[0]]
            and (story.breaking or place != BREAKING)
            and not (story.retracted is not None and story.retracted <= now)
        ]
        self.made[place, turn] = found
        used.update(story.number for story in found)

    def _send(self, place: Place, turn: str, at: datetime, readers: list[Reader], now: datetime) -> None:
        if at > now or (place, turn) not in self.made:
            return
        made, stream = self.made[place, turn], place[0]
        if made and now > at + CATCH_UP:  # composed before an outage; it goes to nobody, and is free again
            self.used[place].difference_update(story.number for story in made)
            made = None
        there = [one for one in made or [] if not (one.retracted is not None and one.retracted <= now)]
        for reader in readers:
            reader.turns.add((stream, turn))
            if made is None:
                self.reasons[reader.number, stream, turn] = "missed"
            elif not there:
                self.reasons[reader.number, stream, turn] = "empty"
            else:
                self._mail(reader, stream, turn, there, at, now)

    def _mail(self, reader: Reader, stream: str, turn: str, there: list[Story], at: datetime, now: datetime) -> None:
        chosen = reader.sections_at(now)
        hers = [story for story in there if not chosen or story.section in chosen]
        new = [story for story in hers if story.number not in reader.had]
        if not hers:
            self.reasons[reader.number, stream, turn] = "no_stories"
        elif reader.pauses_for(at, now):
            self.reasons[reader.number, stream, turn] = "paused"
        elif not new:
            self.reasons[reader.number, stream, turn] = "all_had"
        else:
            reader.had.update(story.number for story in new)
            stories = frozenset((story.number, story.headline_at(now)) for story in new)
            self.mails.append(Mail(reader.number, stream, turn, now, stories))
