"""Cron lines are read as cron(5) reads them, or refused with the reason."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

import pytest

from newsletter.config.cron import Cron


def days(line: str, start: datetime, count: int) -> list[str]:
    return [moment.strftime("%a %d %b %H:%M") for moment in islice(Cron.parse(line).times(start), count)]


WEDNESDAY = datetime.fromisoformat("2025-10-01T12:00")


def test_weekdays_are_those_named() -> None:
    assert days("0 7 * * mon-wed", WEDNESDAY, 4) == ["Mon 06 Oct 07:00", "Tue 07 Oct 07:00", "Wed 08 Oct 07:00",
                                                     "Mon 13 Oct 07:00"]  # fmt: skip
    assert days("0 7 * * SUN,Thu", WEDNESDAY, 2) == ["Thu 02 Oct 07:00", "Sun 05 Oct 07:00"]


def test_a_week_may_begin_on_sunday() -> None:
    assert days("0 7 * * fri-sun", WEDNESDAY, 3) == ["Fri 03 Oct 07:00", "Sat 04 Oct 07:00", "Sun 05 Oct 07:00"]
    assert days("0 7 * * sun-mon", WEDNESDAY, 2) == ["Sun 05 Oct 07:00", "Mon 06 Oct 07:00"]


def test_a_day_of_the_month_or_a_weekday_suffices_where_both_are_given() -> None:
    assert days("0 7 15 * mon", WEDNESDAY, 4) == ["Mon 06 Oct 07:00", "Mon 13 Oct 07:00", "Wed 15 Oct 07:00",
                                                  "Mon 20 Oct 07:00"]  # fmt: skip


def test_a_day_that_is_both_comes_once() -> None:
    assert days("0 7 13 * mon", WEDNESDAY, 3) == ["Mon 06 Oct 07:00", "Mon 13 Oct 07:00", "Mon 20 Oct 07:00"]


def test_times_come_strictly_after_the_start() -> None:
    assert days("0,30 12 * * *", WEDNESDAY, 2) == ["Wed 01 Oct 12:30", "Thu 02 Oct 12:00"]


def test_a_date_that_never_comes_ends_at_once() -> None:
    assert days("0 7 30 feb *", WEDNESDAY, 1) == []


@pytest.mark.parametrize("line", ["0 7 * * 1", "0 7 * * 1-5", "0 7 * * mon,3", "0 7 * * 0"])
def test_numeric_weekdays_are_refused_with_the_reason(line: str) -> None:
    with pytest.raises(ValueError, match=r"1 is Monday in cron\(5\) and Tuesday in APScheduler"):
        Cron.parse(line)


@pytest.mark.parametrize(
    "line",
    ["", "0 7 * *", "0 7 * * mon *", "60 7 * * mon", "0 24 * * mon", "0 7 0 * mon", "0 7 * 13 *", "@daily",
     "0 7 * * someday", "0 7 * * mon-", "0 7 * * */2", "*/0 7 * * *", "٠ 7 * * *", "0 7 * * mon#1",
     "x 7 * * *", "0 7 5-1 * *"],
)  # fmt: skip
def test_a_line_that_is_no_cron_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        Cron.parse(line)
