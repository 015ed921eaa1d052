"""How often a source has something new, and when its silence is worth a word."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.collect.habits import WINDOW, habit, is_quiet, usual_pause
from tests.builders import NOW

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def every(gap: timedelta, count: int) -> list[datetime]:
    return [NOW - gap * number for number in range(count)]


def working_days(weeks: int) -> list[datetime]:
    """Every half hour from 7 to 19 h, Monday to Friday; NOW is a Monday at 6 h."""
    first = NOW - weeks * 7 * DAY + HOUR
    days = [first + day * DAY for day in range(weeks * 7) if (first + day * DAY).weekday() < 5]
    return [day + timedelta(minutes=30 * turn) for day in days for turn in range(24)]


def test_a_habit_is_what_the_gaps_are_like() -> None:
    assert habit(every(HOUR, 100)) == HOUR


@pytest.mark.parametrize(("count", "known"), [(0, False), (1, False), (5, False), (6, True)])
def test_a_habit_needs_six_arrivals(count: int, known: bool) -> None:
    assert (habit(every(HOUR, count)) is not None) is known


def test_what_came_together_arrived_once() -> None:
    assert habit(every(HOUR, 5) * 20) is None
    assert habit(every(HOUR, 30) * 20) == HOUR


def test_one_gap_in_twenty_does_not_count() -> None:
    seen = every(HOUR, 20)
    assert habit([*seen, seen[-1] - 9 * HOUR]) == HOUR
    assert habit([*seen[:10], seen[9] - 9 * HOUR]) == 9 * HOUR


def test_what_is_longer_ago_than_the_window_is_forgotten() -> None:
    old = [NOW - WINDOW - DAY - number * 2 * DAY for number in range(20)]
    assert habit([*every(HOUR, 30), *old]) == HOUR


def test_three_times_the_habit_is_quiet() -> None:
    assert not is_quiet(NOW - 3 * HOUR, HOUR, NOW)
    assert is_quiet(NOW - 3 * HOUR - timedelta(seconds=1), HOUR, NOW)


def test_a_newsroom_that_rests_at_night_and_on_weekends_is_not_warned_about_then() -> None:
    seen = working_days(4)
    usual, pause = habit(seen), usual_pause(seen)
    assert usual is not None
    last = max(seen)
    monday_at_seven = last + timedelta(days=2, hours=12, minutes=30)
    assert not is_quiet(last, usual, monday_at_seven, pause)
    assert is_quiet(last, usual, last + timedelta(days=4), pause)


def test_one_outage_does_not_hide_the_next() -> None:
    seen = [at for at in every(HOUR, 28 * 24) if not NOW - 10 * DAY < at < NOW - 8 * DAY]
    usual, pause = habit(seen), usual_pause(seen)
    assert usual == HOUR
    assert is_quiet(NOW, usual, NOW + 4 * HOUR, pause)


@given(st.lists(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)), max_size=60), st.randoms())  # noqa: DTZ001
def test_order_and_repetition_say_nothing(seen: list[datetime], chance: random.Random) -> None:
    mixed = seen * 2
    chance.shuffle(mixed)
    assert habit(mixed) == habit(seen)
    assert usual_pause(mixed) == usual_pause(seen)
