"""When a newsletter, or a stream of one, goes out: ``schedule`` in ``schedules.yaml``."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from newsletter.config.strict import Strict
from newsletter.config.values import ClockTime, CronText, Day, Duration, Zone

_ONE_DAY = timedelta(days=1)


class Schedule(Strict):
    """When a newsletter goes out: exactly one of ``at``, ``cron``, ``every`` and ``deliver_at``; wall-clock time of
    ``timezone``, or with ``deliver_at`` of each reader's own zone."""

    at: ClockTime | Annotated[list[ClockTime], Field(min_length=1)] | None = None
    cron: CronText | None = Field(None, description="Five fields; weekdays by name: 0 7 * * mon-fri")
    every: Duration | None = Field(
        None, description="6h: at 00:00, 06:00 … of each date. 2d: at 00:00 of every second date"
    )
    deliver_at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9] subscriber$")] | None = Field(
        None, description='"07:00 subscriber": once a day, at seven on each reader\'s own clock'
    )
    hours: Literal["any"] | Annotated[list[ClockTime], Field(min_length=1)] | None = Field(
        None, description="With deliver_at, the hours that readers may have it at instead; any: every full hour"
    )
    days: Annotated[list[Day], Field(min_length=1)] | None = None
    timezone: Zone | None = None

    @model_validator(mode="after")
    def _exactly_one_rule(self) -> Schedule:
        if sum(rule is not None for rule in (self.at, self.cron, self.every, self.deliver_at)) != 1:
            raise ValueError("a schedule has exactly one of at, cron, every and deliver_at")
        if self.hours is not None and self.deliver_at is None:
            raise ValueError("hours goes with deliver_at: the hours that readers may choose")
        if self.cron is not None and self.days is not None:
            raise ValueError("cron names its own days; leave days out")
        if self.every is not None and self.every < timedelta(minutes=1):
            raise ValueError("every is at least 1m")
        if self.every is not None and self.every > _ONE_DAY and self.every % _ONE_DAY:
            raise ValueError("every counts from local midnight: write less than a day, or whole days like 2d")
        return self

    @property
    def times(self) -> tuple[str, ...]:
        """``at``, or the hour of ``deliver_at``, as a tuple of HH:MM, in order of the clock."""
        if self.deliver_at is not None:
            return (self.deliver_at.partition(" ")[0],)
        if self.at is None:
            return ()
        return (self.at,) if isinstance(self.at, str) else tuple(sorted(set(self.at)))

    @property
    def by_reader(self) -> bool:
        """Whether it comes on each reader's own clock."""
        return self.deliver_at is not None

    @cached_property
    def offered_hours(self) -> tuple[str, ...]:
        """The hours that a reader may have it at, HH:MM in order of the clock; () where that is not hers to say."""
        if self.deliver_at is None:
            return ()
        wanted = [f"{hour:02}:00" for hour in range(24)] if self.hours == "any" else (self.hours or [])
        return tuple(sorted({*self.times, *wanted}))

    def at_hour(self, hour: str) -> Schedule:
        """The same days at another hour, HH:MM."""
        return self.model_copy(update={"deliver_at": None, "hours": None, "at": hour})
