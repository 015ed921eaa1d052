"""How often a source has something new, and whether it has been quiet for too long to be well. Pure.

When its articles were first seen -> its habit, and its longest usual pause -> ``is_quiet``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

WINDOW = timedelta(days=28)
_FEWEST_ARRIVALS = 6
_SHARE = 0.95
_TIMES = 3
_WEEK = timedelta(days=7)
# A pause that comes every week (a night, a weekend) is not the same length each time.
_LONGER_PAUSE = 1.5


def habit(first_seen: Sequence[datetime]) -> timedelta | None:
    """The time within which all but one in twenty of the arrivals of the last WINDOW followed the one before.

    ``first_seen`` is in any order; what was seen at one instant is one arrival. None of fewer than six.
    """
    gaps = _gaps(first_seen)
    if len(gaps) + 1 < _FEWEST_ARRIVALS:
        return None
    return gaps[math.ceil(_SHARE * len(gaps)) - 1]


def usual_pause(first_seen: Sequence[datetime]) -> timedelta:
    """The longest gap that there was in about every week of WINDOW: a newsroom's night or weekend, not its one outage.

    Without it, a paper that brings forty stories a day would be warned about each night.
    """
    gaps = _gaps(first_seen)
    if not gaps:
        return timedelta()
    weeks = sum(gaps, timedelta()) // _WEEK
    return gaps[-min(max(weeks, 1), len(gaps))]


def is_quiet(last: datetime, habit: timedelta, now: datetime, pause: timedelta = timedelta()) -> bool:
    """Whether nothing has come since ``last`` for three times its ``habit``, and for more than its usual ``pause``."""
    return now - last > max(habit * _TIMES, pause * _LONGER_PAUSE)


def _gaps(first_seen: Sequence[datetime]) -> list[timedelta]:
    """The gaps between the arrivals of the WINDOW that ends with the last of them, shortest first."""
    if not first_seen:
        return []
    since = max(first_seen) - WINDOW
    arrivals = sorted({at for at in first_seen if at >= since})
    return sorted(later - earlier for earlier, later in pairwise(arrivals))
