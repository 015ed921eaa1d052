"""robots.txt (RFC 9309): whether a page may be fetched, and how soon after the one before.

URL -> its host's robots.txt, fetched once and kept for a while -> nothing, or a FetchError that says why not. Protego
reads the rules; here stand when to ask for them, and what their absence means.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from protego import Protego
from yarl import URL

from newsletter.errors import FetchError
from newsletter.net.client import Fetcher, without_credentials

AGENT = "newsletter"
MAX_BYTES = 500 * 1024  # RFC 9309 section 2.5: at least so much is read, and we read no more
MAX_DELAY = timedelta(seconds=10)
_SHORTEST, _LONGEST = timedelta(hours=1), timedelta(hours=24)  # section 2.4: a day at most
_UNREACHABLE_FOR = timedelta(minutes=5)
_WITHIN = timedelta(seconds=15)
# As loosely as Protego reads it.
_USER_AGENT = re.compile(r"\s*user(?:-|\s*)agent\s*[:\s]([^#]*)", re.IGNORECASE)
_PRODUCT = re.compile(r"[A-Za-z_-]*")
_Host = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a robots.txt says to us. ``delay`` is what it asks to leave between two requests, at most MAX_DELAY."""

    robots: Protego
    delay: timedelta

    def allow(self, url: str) -> bool:
        """Whether ``url`` may be fetched."""
        return bool(self.robots.can_fetch(url, AGENT))


def read_rules(body: bytes) -> Rules:
    """A robots.txt, whatever its bytes are; lines that are no rules do not count (RFC 9309 section 2.2.4)."""
    text = body[:MAX_BYTES].decode("utf-8", "replace").removeprefix("\ufeff")
    robots = Protego.parse("\n".join(_ours_or_not(line) for line in text.splitlines()))
    return Rules(robots, min(timedelta(seconds=min(robots.crawl_delay(AGENT) or 0, 1e6)), MAX_DELAY))


def kept_for(fresh_for: float | None) -> timedelta:
    """How long a robots.txt is good for: as it says itself, but from an hour to a day."""
    said = timedelta(seconds=min(fresh_for, _LONGEST.total_seconds())) if fresh_for is not None else _LONGEST
    return max(said, _SHORTEST)


@dataclass(slots=True)
class _Kept:
    """What we know of a host: its rules until then, or why there are none; and when it may next be asked."""

    until: datetime
    rules: Rules | None
    error: FetchError | None = None


class Robots:
    """The rules of every host we ask, through one Fetcher and for as long as it is open."""

    def __init__(self, fetcher: Fetcher, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._kept: dict[_Host, _Kept] = {}
        self._reading: defaultdict[_Host, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turns: dict[_Host, float] = {}

    async def allowed(self, url: str, allow_private: bool = False) -> None:
        """Return when ``url`` may be fetched: its host's rules permit it, and its ``Crawl-delay`` is over.

        Raises FetchError where they do not, and where they could not be read (a server that fails may not have been
        asked whether we are welcome: RFC 9309 section 2.3.1.4). 4xx means that there are no rules (2.3.1.3).
        """
        host = (_origin(url), allow_private)
        async with self._reading[host]:
            kept = self._kept.get(host)
            if kept is None or self._clock() >= kept.until:
                kept = self._kept[host] = await self._read(host, kept)
        if kept.rules is None:
            remedy = kept.error.remedy if kept.error else ""
            why = f" ({kept.error.what})" if kept.error else ""
            raise FetchError(
                f"robots.txt of {host[0]} could not be read{why}, so nothing there is fetched",
                where=without_credentials(url),
                remedy=remedy or "It is asked again in some minutes; see to it if it is yours",
            )
        if not kept.rules.allow(without_credentials(url)):
            raise FetchError(
                "robots.txt does not allow it",
                where=without_credentials(url),
                remedy=f"Let it allow the user agent '{AGENT}' if the site is yours, or use the site's feed",
            )
        await self._turn(host, kept.rules.delay)

    async def _read(self, host: _Host, before: _Kept | None) -> _Kept:
        origin, allow_private = host
        now = self._clock()
        try:
            fetched = await self._fetcher.fetch_beginning(
                f"{origin}/robots.txt", MAX_BYTES, accept="text/plain", within=_WITHIN, allow_private=allow_private
            )
        except FetchError as error:
            if 300 <= error.status < 500 and error.status != 429:  # also too many redirects: section 2.3.1.2
                return _Kept(now + _LONGEST, await asyncio.to_thread(read_rules, b""))
            # "Too many requests" is no invitation, so it counts as a server in trouble. Rules we had still hold (2.4).
            wait = max(_UNREACHABLE_FOR, min(timedelta(seconds=error.retry_after or 0), _SHORTEST))
            return _Kept(now + wait, before.rules if before else None, error)
        return _Kept(now + kept_for(fetched.fresh_for), await asyncio.to_thread(read_rules, fetched.body))

    async def _turn(self, host: _Host, delay: timedelta) -> None:
        """Wait until ``delay`` has passed since the last one's turn at ``host``."""
        if delay:
            now = asyncio.get_running_loop().time()
            turn = max(now, self._turns.get(host, now))
            self._turns[host] = turn + delay.total_seconds()
            await asyncio.sleep(turn - now)


def _ours_or_not(line: str) -> str:
    """A line that names an agent, as ``newsletter``, ``*`` or ``other``; any other line as it is.

    Section 2.2.1: it is the product token that counts, whatever its case. And Protego's time grows with the number of
    agents times the number of rules, which must not be a stranger's to choose.
    """
    agent = _USER_AGENT.match(line)
    if agent is None:
        return line
    named = agent[1].strip()
    product = _PRODUCT.match(named)
    token = product[0].lower() if product else ""
    return f"User-agent: {AGENT if token == AGENT else '*' if named.startswith('*') else 'other'}"


def _origin(url: str) -> str:
    """``https://host:port`` that a robots.txt is for (section 2.3). Raises FetchError."""
    try:
        return str(URL(url).with_user(None).origin())
    except ValueError:
        raise FetchError("it is not a usable address", where=without_credentials(url)) from None
