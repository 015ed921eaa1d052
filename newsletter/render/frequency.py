"""How often a newsletter comes, in words: its own, or what its schedule says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, timedelta

from babel.dates import format_time, get_day_names
from babel.lists import format_list

from newsletter.config.cron import Cron
from newsletter.config.models import DAYS, Newsletter, Schedule
from newsletter.render.words import Words

_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def frequency_of(newsletter: Newsletter, words: Words) -> str:
    """``Every day at 07:00``: the newsletter's own words as they are, else its schedule in ``words``."""
    if newsletter.frequency:
        return newsletter.frequency
    schedule = newsletter.schedule
    if schedule.every is not None:
        return _every(schedule.every, words)
    found = _days_and_times(schedule)
    return _at(*found, words) if found is not None else words.gettext("Regularly")


def _days_and_times(schedule: Schedule) -> tuple[Sequence[str], Sequence[str]] | None:
    """Days of the week and times of the day; None of a cron line that says something else."""
    if schedule.cron is None:
        return schedule.days or DAYS, schedule.times
    cron = Cron.parse(schedule.cron)
    if (cron.day, cron.month) != ("*", "*") or not (cron.minute.isdigit() and cron.hour.isdigit()):
        return None
    days = DAYS if cron.weekday == "*" else cron.weekday.split(",")
    return days, (f"{int(cron.hour):02}:{int(cron.minute):02}",)


def _at(days: Sequence[str], times: Sequence[str], words: Words) -> str:
    locale = words.locale
    at = format_list([format_time(time.fromisoformat(one), "short", locale=locale) for one in times], locale=locale)
    chosen = [day for day in DAYS if day in days]
    if len(chosen) == len(DAYS):
        return words.gettext("Every day at %(time)s", time=at)
    names = get_day_names("wide", "stand-alone", locale=locale)
    first = DAYS.index(chosen[0])
    if len(chosen) > 2 and tuple(chosen) == tuple(DAYS[first : first + len(chosen)]):
        last = first + len(chosen) - 1
        return words.gettext("%(first)s to %(last)s at %(time)s", first=names[first], last=names[last], time=at)
    listed = format_list([names[DAYS.index(day)] for day in chosen], locale=locale)
    return words.gettext("%(days)s at %(time)s", days=listed, time=at)


def _every(every: timedelta, words: Words) -> str:
    if every % _DAY == timedelta(0):
        return words.ngettext("Every day", "Every %(num)s days", every // _DAY)
    if every % _HOUR == timedelta(0):
        return words.ngettext("Every hour", "Every %(num)s hours", every // _HOUR)
    return words.ngettext("Every minute", "Every %(num)s minutes", every // _MINUTE)
