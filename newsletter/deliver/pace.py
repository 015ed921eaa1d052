"""How fast, and over how many connections, one relay is given mail: its cap, and less than that while it asks for less.

A relay that answers 421, or defers for reasons of its own (RFC 3463 §3: X.3 system, X.4 network, X.7 policy; without
an enhanced code 450, 451 and 452), is given half as much at most every two seconds, over half the connections; every
ten seconds without such an answer it is given a little more, until it has again what it had. Pure: the caller says what
time it is, in seconds of a monotonic clock.
"""

from __future__ import annotations

from newsletter.deliver.replies import Reply

_CUT_SECONDS = 2.0
_RISE_SECONDS = 10.0
_RISES = 8  # of so many steps one at a time back to what it was
_LEAST_PER_SECOND = 0.1
# One says little: some recipients' servers greylist, some relays say 421 after so many messages a connection. So many,
# and such a part of all, are the relay's.
_ENOUGH = 3
_PART = 0.1
_OF_THE_RELAY = (3, 4, 7)
_BURST_SECONDS = 0.1


def asks_for_less(reply: Reply) -> bool:
    """Whether a reply says that the relay, not one mailbox, takes too much or has too little."""
    if reply.code == 421:  # RFC 5321 §3.8: it closes the connection
        return True
    if not 400 <= reply.code < 500:
        return False
    enhanced = reply.enhanced
    if enhanced is None:
        return reply.code in (450, 451, 452)
    return enhanced[1] in _OF_THE_RELAY


class Pace:
    """``per_second`` is the cap that the configuration sets (None: there is none), ``connections`` the most."""

    def __init__(self, connections: int, per_second: float | None = None) -> None:
        self._most_connections, self._cap = connections, per_second
        self._connections = connections
        self._slowed_to: float | None = None  # messages a second while it is slowed
        self._before = 0.0  # what it was given when it first asked for less
        self._changed_at = float("-inf")
        self._answers = self._wanting_less = 0
        self._counted_since = float("-inf")
        self._next = float("-inf")  # the generic cell rate algorithm's theoretical arrival time

    @property
    def connections(self) -> int:
        """How many connections it may be given now."""
        return self._connections

    @property
    def per_second(self) -> float | None:
        """Messages a second that it may be given now; None: as many as it takes."""
        limits = [limit for limit in (self._cap, self._slowed_to) if limit is not None]
        return min(limits, default=None)

    @property
    def slowed(self) -> bool:
        """Whether it is given less than it was, because it asked for that."""
        return self._slowed_to is not None or self._connections < self._most_connections

    def wait(self, now: float) -> float:
        """Seconds until the next message may begin; 0.0: now."""
        if self.per_second is None:
            return 0.0
        return max(self._next - _BURST_SECONDS - now, 0.0)

    def begun(self, now: float) -> None:
        """A message was begun."""
        limit = self.per_second
        if limit is not None:
            self._next = max(self._next, now) + 1 / limit

    def answered(self, now: float, *, wants_less: bool, rate: float) -> bool:
        """Count an answer, at ``rate`` messages a second of late; whether the pace is another now."""
        if not self._answers and not self.slowed:
            self._counted_since = now
        self._answers += 1
        if not wants_less:
            return self._recover(now)
        if now - self._counted_since >= _RISE_SECONDS:
            self._count_anew(now)
            self._answers = 1
        self._wanting_less += 1
        enough = self._wanting_less >= _ENOUGH and self._wanting_less >= _PART * self._answers
        if not enough or now - self._changed_at < _CUT_SECONDS:
            return False
        self._cut(now, rate)
        return True

    def refused_connection(self, now: float, open_now: int) -> bool:
        """It takes no further connection beside those it has; whether the pace is another now."""
        if open_now < 1 or open_now >= self._connections:
            return False
        self._connections = open_now
        self._count_anew(now)
        self._changed_at = now
        return True

    def _recover(self, now: float) -> bool:
        """Give it more where it has not asked for less for a while; whether the pace is another now."""
        if not self.slowed or now - self._changed_at < _RISE_SECONDS:
            return False
        self._changed_at = now
        self._count_anew(now)
        self._connections = min(self._most_connections, self._connections + max(1, self._most_connections // _RISES))
        if self._slowed_to is not None:
            self._slowed_to += self._before / _RISES
            if self._slowed_to >= self._before:
                self._slowed_to = None
        return True

    def _cut(self, now: float, rate: float) -> None:
        # At the start, and after a pause, the rate of late says little; what was answered since then says more.
        since = self._answers / max(now - self._counted_since, _BURST_SECONDS)
        measured = max(rate, since, _LEAST_PER_SECOND)
        given = measured if self.per_second is None else min(self.per_second, measured)
        if self._slowed_to is None:
            self._before = given
        self._slowed_to = max(given / 2, _LEAST_PER_SECOND)
        self._connections = max(1, self._connections // 2)
        self._changed_at = now
        self._count_anew(now)

    def _count_anew(self, now: float) -> None:
        self._answers = self._wanting_less = 0
        self._counted_since = now
