"""A cron line -> five checked fields, and the fields -> naive wall-clock times.

Fields and ranges are read by APScheduler; what it reads otherwise than cron(5) is put right here: numeric weekdays
(0 is Monday there, Sunday in cron) are refused, a weekday range may wrap (``sun-thu``), and where both the day of the
month and the weekday are restricted, either suffices.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WEEKDAY_RANGE = re.compile(r"([a-z]{3})(?:-([a-z]{3}))?")


@dataclass(frozen=True, slots=True)
class Cron:
    """The five fields of a cron line, ``weekday`` as a comma list of names or ``*``."""

    minute: str
    hour: str
    day: str
    month: str
    weekday: str

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read ``0 7 * * mon-fri``. Raises ValueError with the reason."""
        if not text.isascii():
            raise ValueError("a cron line is written in plain ASCII")
        fields = text.lower().split()
        if len(fields) != 5:
            raise ValueError(
                f"a cron line has five fields (minute hour day month weekday), as in 0 7 * * mon-fri; "
                f"this one has {len(fields)}"
            )
        minute, hour, day, month, weekday = fields
        cron = cls(minute, hour, day, month, _weekdays(weekday))
        cron._triggers()
        return cron

    def times(self, after: datetime) -> Iterator[datetime]:
        """Naive wall-clock times later than ``after`` (naive), in order; ends where none can come (30 February)."""
        last = None
        for moment in heapq.merge(*(_fire_times(trigger, after) for trigger in self._triggers())):
            if moment != last:
                yield moment
            last = moment

    def _triggers(self) -> list[_Trigger]:
        """One trigger, or two where cron(5) asks for a union of days."""
        if self.day.startswith("*") or self.weekday == "*":
            days = [(self.day, self.weekday)]
        else:
            days = [(self.day, "*"), ("*", self.weekday)]
        return [_trigger(self, day, weekday) for day, weekday in days]


# APScheduler has no types; this names what we use of a CronTrigger.
class _Trigger:
    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        raise NotImplementedError


def _trigger(cron: Cron, day: str, weekday: str) -> _Trigger:
    from apscheduler.triggers.cron import CronTrigger

    # In UTC there is no fold and no gap: the result is wall-clock arithmetic.
    trigger: _Trigger = CronTrigger(
        second="0",
        minute=cron.minute,
        hour=cron.hour,
        day=day,
        month=cron.month,
        day_of_week=weekday,
        timezone=UTC,
    )
    return trigger


def _fire_times(trigger: _Trigger, after: datetime) -> Iterator[datetime]:
    moment = after.replace(tzinfo=UTC, microsecond=0)
    while True:
        found = trigger.get_next_fire_time(None, moment + timedelta(seconds=1))
        if found is None:
            return
        yield found.replace(tzinfo=None)
        moment = found


def _weekdays(field: str) -> str:
    if field == "*":
        return field
    if re.search(r"\d", field.partition("/")[0]):
        raise ValueError(
            f"the weekday '{field}' is a number, and numbers mean different days in different crons "
            "(1 is Monday in cron(5) and Tuesday in APScheduler); write mon, tue, wed, thu, fri, sat or sun"
        )
    chosen: set[int] = set()
    for part in field.split(","):
        match = _WEEKDAY_RANGE.fullmatch(part)
        if match is None or not {match[1], match[2] or match[1]} <= set(WEEKDAYS):
            raise ValueError(f"'{part}' is not a weekday; write mon, mon,thu or mon-fri")
        first = WEEKDAYS.index(match[1])
        last = WEEKDAYS.index(match[2]) if match[2] else first
        chosen.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return ",".join(WEEKDAYS[day] for day in sorted(chosen))
