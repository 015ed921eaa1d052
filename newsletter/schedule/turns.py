"""When a newsletter's turns are: a schedule and a time zone -> occurrences, each with its local and its UTC time. Pure.

Turns are computed on the naive wall clock and only then placed in time (PEP 495), so that each local date has each of
its turns exactly once, in every zone:

- in a fold, when a local time comes twice, it is the first of the two (fold=0);
- in a gap, when a local time does not come, it moves forward by the gap's length (also fold=0), but never past the
  schedule's next turn, so that turns never change their order (two may then come at one instant);
- a local date that a zone left out altogether (Apia, 2011-12-30) has no turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from newsletter.config.cron import WEEKDAYS, Cron
from newsletter.config.models import Schedule
from newsletter.errors import ConfigurationError
from newsletter.model import Occurrence

_DAY = timedelta(days=1)
# A gap is at most a day long and reaches over at most two dates, so the turn after one is within three.
_BEYOND_A_GAP = 3
# 29 February skips 2100: eight years are the longest wait of a cron line, 3650 days that of `every`.
_HORIZON = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Turn:
    """One occurrence in time: ``local`` is the naive wall-clock time the schedule names, also where a gap swallows it;
    ``utc`` is when it comes."""

    occurrence: Occurrence
    local: datetime
    utc: datetime


def turns(schedule: Schedule, zone: str, first: date, last: date) -> Iterator[Turn]:
    """The turns of the local dates ``first`` to ``last``, both included, in order.

    ``zone`` is the zone whose wall clock counts: the newsletter's, or a cohort's; ``schedule.timezone`` is not looked
    at. Raises ConfigurationError on an unusable cron line or an unknown zone.
    """
    try:
        place = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(f"'{zone}' is not an IANA time zone", remedy="Write one like Asia/Kolkata") from None
    # The dates beyond `last` are looked at because what follows a gap decides where the turns in it go.
    for turn in _placed(_numbered(schedule, place, first, _later(last, _BEYOND_A_GAP)), place):
        if turn.occurrence.local_date > last:
            return
        yield turn


def turns_between(schedule: Schedule, zone: str, after: datetime, until: datetime) -> Iterator[Turn]:
    """The turns with ``after < utc <= until``, in order. Raises as ``turns`` does."""
    place = ZoneInfo(zone)
    # A gap moves a turn at most one date away from the one it belongs to, forward or (ordered) back.
    first, last = _earlier(after.astimezone(place).date(), 1), _later(until.astimezone(place).date(), 1)
    for turn in turns(schedule, zone, first, last):
        if turn.utc > until:
            return
        if turn.utc > after:
            yield turn


def next_turn(schedule: Schedule, zone: str, after: datetime) -> Turn | None:
    """The first turn later than ``after`` (UTC), or None where none comes within ten years, as with 30 February."""
    return next(coming_turns(schedule, zone, after), None)


def coming_turns(schedule: Schedule, zone: str, after: datetime) -> Iterator[Turn]:
    """The turns later than ``after`` (UTC) that come within ten years, one after the other: after a gap several may
    come at one instant. Raises as ``turns`` does."""
    return turns_between(schedule, zone, after, after + _HORIZON)


def _placed(numbered: Iterable[tuple[Occurrence, datetime]], place: ZoneInfo) -> Iterator[Turn]:
    """Each occurrence with its instant; those in a gap wait for the first one after it."""
    in_gap: list[tuple[Occurrence, datetime]] = []
    for occurrence, local in numbered:
        if not _exists(local, place):
            in_gap.append((occurrence, local))
            continue
        utc = _utc(local, place)
        yield from _in_order(in_gap, place, utc)
        in_gap = []
        yield Turn(occurrence, local, utc)
    yield from _in_order(in_gap, place, None)


def _numbered(schedule: Schedule, place: ZoneInfo, first: date, last: date) -> Iterator[tuple[Occurrence, datetime]]:
    """Each wall-clock time of the dates that exist, numbered from 1 on each date."""
    for today, times in groupby(_wall_clock(schedule, first, last), key=datetime.date):
        if any(_exists(datetime.combine(today, edge), place) for edge in (time.min, time.max)):
            for ordinal, local in enumerate(times, 1):
                yield Occurrence(today, ordinal), local


def _wall_clock(schedule: Schedule, first: date, last: date) -> Iterator[datetime]:
    """Naive times in order, from ``first`` 00:00 until the end of ``last``."""
    if schedule.cron is not None:
        yield from _cron(schedule.cron, first, last)
        return
    days = schedule.days or WEEKDAYS
    every_days = schedule.every.days if schedule.every is not None and schedule.every >= _DAY else 1
    times = _times_of_day(schedule)
    for number in range(first.toordinal(), last.toordinal() + 1):
        today = date.fromordinal(number)
        if WEEKDAYS[today.weekday()] in days and number % every_days == 0:
            midnight = datetime.combine(today, time.min)
            for offset in times:
                yield midnight + offset


def _times_of_day(schedule: Schedule) -> list[timedelta]:
    if schedule.every is None:
        return [timedelta(hours=int(at[:2]), minutes=int(at[3:])) for at in schedule.times]
    every = min(schedule.every, _DAY)
    return [every * step for step in range(-(-_DAY // every))]


def _cron(line: str, first: date, last: date) -> Iterator[datetime]:
    try:
        cron = Cron.parse(line)
    except ValueError as error:
        raise ConfigurationError(f"cron: {error}") from None
    end = datetime.combine(last, time.max)
    for local in cron.times(datetime.combine(first, time.min) - timedelta(seconds=1)):
        if local > end:
            return
        yield local


def _in_order(in_gap: list[tuple[Occurrence, datetime]], place: ZoneInfo, before: datetime | None) -> Iterator[Turn]:
    """The turns a gap swallowed, moved forward but none past the one after it."""
    found: list[Turn] = []
    for occurrence, local in reversed(in_gap):
        utc = _utc(local, place)
        if before is not None:
            utc = min(utc, before)
        found.append(Turn(occurrence, local, utc))
        before = utc
    yield from reversed(found)


def _utc(local: datetime, place: ZoneInfo) -> datetime:
    return local.replace(tzinfo=place, fold=0).astimezone(UTC)


def _exists(local: datetime, place: ZoneInfo) -> bool:
    """Whether a clock in that place ever shows this time: a time in a gap comes back from UTC as another."""
    return _utc(local, place).astimezone(place).replace(tzinfo=None) == local


def _earlier(day: date, days: int) -> date:
    return date.fromordinal(max(day.toordinal() - days, 2))


def _later(day: date, days: int) -> date:
    return date.fromordinal(min(day.toordinal() + days, date.max.toordinal() - 1))
