"""How many bytes of answers are held at once, over all fetches: each takes more as it grows, and gives all back.

What finds nothing left waits until others give back. It cannot wait for ever: of those that find nothing left one at a
time goes on beyond the budget, and no longer counts, until it is done. So somebody always gets on, and at most the
budget and one whole answer are held. Part of the budget is kept for small answers, which so need not wait for large
ones that come slowly; and those that wait are served in the order of what they hold, the least first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

MOST = 64_000_000
SMALL = 512_000
_FOR_SMALL = 4  # one part in so many


class BodyBudget:
    """Bytes to share among the fetches of one event loop. ``held`` are taken now, ``most_held`` were at most."""

    def __init__(self, most: int = MOST, small: int = SMALL) -> None:
        """``most`` bytes at once; a quarter of them is for answers of at most ``small`` bytes alone."""
        self.held = 0
        self.most_held = 0
        self._most = most
        self._small = small
        self._counted = 0  # held by all but the one that is beyond
        self._beyond: Share | None = None
        self._waiting: dict[Share, asyncio.Future[None]] = {}

    @contextmanager
    def share(self) -> Iterator[Share]:
        """What one answer takes; given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.held -= share.held
            if self._beyond is share:
                self._beyond = None
            else:
                self._counted -= share.held
            self._wake()

    async def take(self, share: Share, size: int, limit: asyncio.Timeout | None = None) -> None:
        """Count ``size`` bytes more as ``share``'s, once they may be; ``limit`` stands still until then."""
        if not self._may_take(share, size):
            with _standing_still(limit):
                await self._until_it_may(share, size)
        share.held += size
        self.held += size
        if self._beyond is not share:
            self._counted += size
        self.most_held = max(self.most_held, self.held)

    async def _until_it_may(self, share: Share, size: int) -> None:
        while not self._may_take(share, size):
            self._waiting[share] = asyncio.get_running_loop().create_future()
            try:
                await self._waiting[share]
            finally:
                del self._waiting[share]

    def _may_take(self, share: Share, size: int) -> bool:
        is_small = share.held + size <= self._small
        room = self._most if is_small else self._most - self._most // _FOR_SMALL
        if self._beyond is share or self._counted + size <= room:
            return True
        if self._beyond is not None:
            return False
        self._beyond = share
        self._counted -= share.held
        self._wake()
        return True

    def _wake(self) -> None:
        """Let those that wait look again."""
        for share in sorted(self._waiting, key=lambda one: one.held):
            if not self._waiting[share].done():
                self._waiting[share].set_result(None)


class Share:
    """The bytes that one answer holds."""

    def __init__(self, budget: BodyBudget) -> None:
        self.held = 0
        self._budget = budget

    async def take(self, size: int, limit: asyncio.Timeout | None = None) -> None:
        """Wait until ``size`` bytes more may be held; meanwhile the time of ``limit`` stands still."""
        await self._budget.take(self, size, limit)


@contextmanager
def _standing_still(limit: asyncio.Timeout | None) -> Iterator[None]:
    """No time of ``limit`` passes: who waits for others is not slow himself."""
    until = None if limit is None else limit.when()
    if limit is None or until is None:
        yield
        return
    clock = asyncio.get_running_loop().time
    left = until - clock()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(clock() + left)
