"""Whose clock a newsletter goes by: the readers of one occurrence who share a time zone and an hour.

What a reader has written down (``zone``, ``hour``) may be nothing, or nothing that anybody knows; a cohort is what
stands in its place (``Configuration.cohort_of``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

from newsletter.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Cohort:
    """An IANA zone and a wall-clock hour in it, written ``Asia/Kolkata@07:00``; both '' for everybody at once."""

    zone: str = ""
    hour: str = ""

    def __str__(self) -> str:
        return f"{self.zone}@{self.hour}" if self.zone else ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``Asia/Kolkata@07:00``, or '' for everybody. Raises UsageError."""
        zone, at, hour = text.partition("@")
        if text and not (at and zone and hour):
            raise UsageError(f"'{text}' is no cohort", remedy="Write ZONE@HOUR, as in Asia/Kolkata@07:00")
        return cls(zone, hour)


EVERYBODY = Cohort()
LONGEST_DATE = timedelta(days=3)
"""From the first instant of a date on earth to its last there are two days and two hours."""


@lru_cache(maxsize=1024)
def known_zone(name: str) -> ZoneInfo | None:
    """The zone of this name; None where there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
