"""Invariant 9: each local date has each of its turns exactly once, in order, in every zone, across all changes.

What is expected is computed here from UTC alone: a zone's year is cut into stretches of one offset, and the instant of
a local time is looked for in them. Nothing of PEP 495's fold, on which the code under test rests, is used.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from newsletter.config.models import Schedule
from newsletter.errors import ConfigurationError
from newsletter.schedule.turns import Turn, coming_turns, next_turn, turns, turns_between

TIMES = ("00:00", "00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "07:00", "23:30")
ODD = ("Australia/Lord_Howe", "Africa/Cairo", "Antarctica/Troll", "Pacific/Apia", "Africa/Casablanca",
       "America/Santiago", "Europe/Berlin", "America/New_York", "America/Nuuk")  # fmt: skip
ZONES = sorted(available_timezones())
SAMPLE = sorted({*ODD, *random.Random(11).sample(ZONES, 51)})
YEAR = (date(2026, 1, 1), date(2026, 12, 31))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

Stretch = tuple[datetime, datetime, timedelta]


def at(*times: str, **more: object) -> Schedule:
    return Schedule.model_validate({"at": list(times), **more})


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def offset(instant: datetime, zone: str) -> timedelta:
    found = instant.astimezone(ZoneInfo(zone)).utcoffset()
    assert found is not None
    return found


@cache
def stretches(zone: str, first: date, last: date) -> list[Stretch]:
    """From instant, to instant, offset: the zone's clock from two days before ``first`` to three after ``last``."""
    begin = datetime.combine(first - 2 * DAY, time(), UTC)
    end = datetime.combine(last + 3 * DAY, time(), UTC)
    found: list[Stretch] = []
    start, moment = begin, begin
    while moment < end:
        following = moment + HOUR
        if offset(following, zone) != offset(moment, zone):
            low, high = moment, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (low, middle) if offset(middle, zone) != offset(moment, zone) else (middle, high)
            found.append((start, high, offset(moment, zone)))
            start = high
        moment = following
    return [*found, (start, end, offset(start, zone))]


def expected(zone: str, wall: datetime, first: date, last: date) -> tuple[datetime, bool]:
    """When a clock there first shows ``wall``, True; where none does, when the clock of before would have, False."""
    before = timedelta()
    for start, end, by in stretches(zone, first, last):
        instant = (wall - by).replace(tzinfo=UTC)
        if instant < start:
            return (wall - before).replace(tzinfo=UTC), False
        if instant < end:
            return instant, True
        before = by
    raise AssertionError("not in these stretches")


def dates(zone: str, first: date, last: date) -> Iterator[date]:
    """The dates that some clock there shows."""
    for number in range(first.toordinal(), last.toordinal() + 1):
        dawn = datetime.combine(date.fromordinal(number), time(), UTC)
        if any(start < dawn + DAY - by and end > dawn - by for start, end, by in stretches(zone, first, last)):
            yield dawn.date()


def check_each_time_alone(zone: str, first: date, last: date) -> None:
    days = list(dates(zone, first, last))
    for clock in TIMES:
        found = list(turns(at(clock), zone, first, last))
        assert [(turn.occurrence.local_date, turn.occurrence.ordinal) for turn in found] == [(day, 1) for day in days]
        walls = [datetime.combine(day, time.fromisoformat(clock)) for day in days]
        assert [turn.local for turn in found] == walls
        assert [turn.utc for turn in found] == [expected(zone, wall, first, last)[0] for wall in walls]
        assert all(one.utc < other.utc for one, other in pairwise(found)), f"{zone} {clock} out of order"


def check_all_times_together(zone: str, first: date, last: date) -> None:
    days = list(dates(zone, first, last))
    found = list(turns(at(*TIMES), zone, first, last))
    assert [(turn.occurrence.local_date, turn.occurrence.ordinal) for turn in found] == [
        (day, ordinal) for day in days for ordinal in range(1, len(TIMES) + 1)
    ]
    assert all(one.utc <= other.utc for one, other in pairwise(found)), f"{zone} out of order"
    for turn in found:
        instant, exists = expected(zone, turn.local, first, last)
        assert turn.utc == instant if exists else turn.utc <= instant
        there = turn.utc.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert there >= turn.local, f"{zone}: a turn in a gap went back"


@pytest.mark.parametrize("zone", SAMPLE)
def test_each_local_date_has_its_turn_exactly_once_and_in_order(zone: str) -> None:
    check_each_time_alone(zone, *YEAR)


@pytest.mark.parametrize("zone", SAMPLE)
def test_several_turns_a_day_keep_their_order_through_every_gap_and_fold(zone: str) -> None:
    check_all_times_together(zone, *YEAR)


@pytest.mark.soak
@pytest.mark.parametrize("zone", ZONES)
def test_each_local_date_has_its_turns_exactly_once_in_every_zone(zone: str) -> None:
    check_each_time_alone(zone, *YEAR)
    check_all_times_together(zone, *YEAR)


@pytest.mark.parametrize(
    ("zone", "left_out"),
    [("Pacific/Apia", date(2011, 12, 30)), ("Pacific/Kwajalein", date(1993, 8, 21))],
)
def test_a_date_that_a_zone_left_out_has_no_turn(zone: str, left_out: date) -> None:
    first, last = left_out - 20 * DAY, left_out + 20 * DAY
    assert left_out not in set(dates(zone, first, last)), "the expectation knows it too"
    check_each_time_alone(zone, first, last)
    check_all_times_together(zone, first, last)
    assert list(turns(at("07:00"), zone, left_out, left_out)) == []
    crons = turns(Schedule(cron="0 7 * * *"), zone, left_out, left_out + DAY)
    assert [turn.occurrence.local_date for turn in crons] == [left_out + DAY]


def one(schedule: Schedule, zone: str, day: str) -> list[Turn]:
    return list(turns(schedule, zone, date.fromisoformat(day), date.fromisoformat(day)))


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("Europe/Berlin", "2026-03-29T02:30", "2026-03-29T01:30"),  # no 02:30; it is 03:30 there
        ("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30"),  # twice; the first, in summer time
        ("America/New_York", "2026-03-08T02:00", "2026-03-08T07:00"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00"),  # no midnight that day
        ("America/Santiago", "2026-09-06T00:30", "2026-09-06T04:30"),
        ("Antarctica/Troll", "2026-03-29T01:30", "2026-03-29T01:30"),  # two hours forward
        ("America/Nuuk", "2026-03-28T23:30", "2026-03-29T01:30"),  # from 23:00 to 00:00 of the next date
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45"),  # half an hour forward
        ("Asia/Kolkata", "2026-10-04T07:00", "2026-10-04T01:30"),
    ],
)
def test_known_changes_of_clock(zone: str, wall: str, instant: str) -> None:
    (turn,) = one(at(wall[11:]), zone, wall[:10])
    assert (turn.local, turn.utc) == (local(wall), utc(instant))


def test_a_turn_in_a_gap_never_passes_the_turn_after_it() -> None:
    found = one(at("01:30", "02:30", "03:00", "03:15"), "Europe/Berlin", "2026-03-29")
    assert [turn.occurrence.ordinal for turn in found] == [1, 2, 3, 4]
    assert [turn.utc for turn in found] == [
        utc("2026-03-29T00:30"),
        utc("2026-03-29T01:00"),
        utc("2026-03-29T01:00"),
        utc("2026-03-29T01:15"),
    ]


def test_a_turn_every_minute_survives_a_gap_in_order() -> None:
    found = one(Schedule.model_validate({"every": "1m"}), "Europe/Berlin", "2026-03-29")
    assert len(found) == 24 * 60
    assert all(one.utc <= other.utc for one, other in pairwise(found))
    assert found[119].utc == utc("2026-03-29T00:59"), "the turn before the gap stays where it is"


@pytest.mark.parametrize("zone", ODD)
@pytest.mark.parametrize(
    "schedule", [at(*TIMES), at("23:30"), Schedule(cron="30 0,1,2,23 * * *")], ids=["at", "once", "cron"]
)
def test_any_range_gives_the_same_turns_as_a_longer_one(zone: str, schedule: Schedule) -> None:
    year = stretches(zone, *YEAR)
    changes = [end.astimezone(ZoneInfo(zone)).date() for _, end, _ in year[:-1]] or [date(2026, 6, 1)]
    for change in changes:
        first, last = change - 3 * DAY, change + 3 * DAY
        whole = list(turns(schedule, zone, first, last))
        days = [first + number * DAY for number in range(7)]
        assert [turn for day in days for turn in turns(schedule, zone, day, day)] == whole
        begin, end = whole[0].utc - HOUR, whole[-1].utc
        middle = whole[len(whole) // 2].utc
        halves = [*turns_between(schedule, zone, begin, middle), *turns_between(schedule, zone, middle, end)]
        assert [turn for turn in halves if turn.occurrence.local_date >= first] == whole
        for turn in whole:
            just_before = turn.utc - timedelta(milliseconds=1)
            at_once = [other for other in whole if other.utc == turn.utc]  # a gap may bring several together
            assert list(turns_between(schedule, zone, just_before, turn.utc)) == at_once
        following = next_turn(schedule, zone, middle)
        assert following == next(turn for turn in whole if turn.utc > middle)


def test_turns_between_leaves_out_its_start_and_takes_in_its_end() -> None:
    seven = utc("2026-05-01T07:00")
    assert [turn.utc for turn in turns_between(at("07:00"), "UTC", seven - DAY, seven)] == [seven]
    assert list(turns_between(at("07:00"), "UTC", seven, seven + HOUR)) == []


def test_what_comes_next_leaves_out_neither_of_two_that_a_gap_brings_together() -> None:
    both = list(islice(coming_turns(at("02:30", "03:00"), "Europe/Berlin", utc("2026-03-29T00:00")), 2))
    assert [str(turn.occurrence) for turn in both] == ["2026-03-29/1", "2026-03-29/2"]
    assert both[0].utc == both[1].utc == utc("2026-03-29T01:00")


def test_moving_seven_to_half_past_keeps_the_occurrence() -> None:
    (before,), (after,) = (one(at(clock), "Asia/Kolkata", "2026-05-04") for clock in ("07:00", "07:30"))
    assert before.occurrence == after.occurrence
    assert str(after.occurrence) == "2026-05-04/1"
    assert after.utc - before.utc == timedelta(minutes=30)


def test_only_the_days_named_have_turns() -> None:
    found = turns(at("07:00", days=["sat", "mon"]), "UTC", date(2026, 5, 1), date(2026, 5, 10))
    assert [f"{turn.local:%a %d}" for turn in found] == ["Sat 02", "Mon 04", "Sat 09"]


def test_every_six_hours_counts_from_local_midnight_also_when_the_clock_changes() -> None:
    schedule = Schedule.model_validate({"every": "6h"})
    for day in ("2026-03-28", "2026-03-29", "2026-10-25"):
        assert [f"{turn.local:%H:%M}" for turn in one(schedule, "Europe/Berlin", day)] == [
            "00:00",
            "06:00",
            "12:00",
            "18:00",
        ]


def test_what_does_not_divide_the_day_begins_again_at_midnight() -> None:
    found = one(Schedule.model_validate({"every": "7h"}), "UTC", "2026-05-04")
    assert [f"{turn.local:%H:%M}" for turn in found] == ["00:00", "07:00", "14:00", "21:00"]


def test_every_second_day_keeps_its_beat_over_the_new_year_and_whatever_is_asked() -> None:
    schedule = Schedule.model_validate({"every": "2d"})
    found = [turn.local.date() for turn in turns(schedule, "UTC", date(2025, 12, 1), date(2026, 3, 1))]
    assert all(other - one == 2 * DAY for one, other in pairwise(found))
    for first in (date(2026, 1, 2), date(2026, 1, 3)):
        later = [turn.local.date() for turn in turns(schedule, "UTC", first, date(2026, 3, 1))]
        assert later == [day for day in found if day >= first]


def test_cron_takes_either_day_of_month_or_weekday_and_numbers_turns_by_the_clock() -> None:
    found = list(turns(Schedule(cron="0 7,19 15 * mon"), "Asia/Kolkata", date(2026, 6, 12), date(2026, 6, 16)))
    assert [str(turn.occurrence) for turn in found] == ["2026-06-15/1", "2026-06-15/2"]
    found = list(turns(Schedule(cron="0 7 16 * mon"), "Asia/Kolkata", date(2026, 6, 12), date(2026, 6, 18)))
    assert [str(turn.occurrence) for turn in found] == ["2026-06-15/1", "2026-06-16/1"]


def test_cron_and_at_agree_over_a_year_of_clock_changes() -> None:
    for zone in ODD:
        by_cron = turns(Schedule(cron="30 2 * * *"), zone, *YEAR)
        assert list(by_cron) == list(turns(at("02:30"), zone, *YEAR))


def test_the_next_turn_is_none_where_no_date_ever_comes() -> None:
    now = utc("2026-05-04T00:00")
    assert next_turn(Schedule(cron="0 7 30 feb *"), "Europe/Berlin", now) is None
    leap = next_turn(Schedule(cron="0 7 29 feb *"), "UTC", utc("2096-03-01T00:00"))
    assert leap is not None
    assert leap.utc == utc("2104-02-29T07:00")


def test_numeric_weekdays_and_unknown_zones_are_refused_here_too() -> None:
    unchecked = Schedule.model_construct(cron="0 7 * * 1", at=None, every=None, days=None)
    with pytest.raises(ConfigurationError, match="numbers mean different days"):
        list(turns(unchecked, "UTC", *YEAR))
    for zone in ("Mars/Olympus", "../etc/passwd", "", "Europe"):
        with pytest.raises(ConfigurationError, match="not an IANA time zone"):
            list(turns(at("07:00"), zone, *YEAR))
