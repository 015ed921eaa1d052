"""How long to wait before trying again: exponential, with jitter, capped."""

from __future__ import annotations

from datetime import timedelta

FIRST_MESSAGE_WAIT = timedelta(minutes=1)
LONGEST_MESSAGE_WAIT = timedelta(minutes=30)
FIRST_RELAY_WAIT = timedelta(seconds=1)
LONGEST_RELAY_WAIT = timedelta(minutes=1)


def wait_before(attempt: int, *, first: timedelta, longest: timedelta, jitter: float) -> timedelta:
    """The wait after ``attempt`` failures (from 1): doubling from ``first`` to ``longest``.

    ``jitter`` is a random number in [0, 1); the wait is spread over its upper half, so that many deliveries refused
    together do not come back together.
    """
    doubled = first * (1 << min(max(attempt, 1) - 1, 30))
    return min(doubled, longest) * (0.5 + jitter / 2)
