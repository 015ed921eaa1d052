"""Do our pages answer where the mail says they are, and do its pictures? Addresses -> what is wrong with each.

Asked over the guarded client just before an occurrence goes out. ``web.url`` is our own configured address, often one
of a private network, behind a proxy. So it is asked whatever network it is in (but a link-local one), as are the hosts
of sources that say ``allow_private``; any other picture only at a public address.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import structlog

from newsletter.config.reading import Configuration
from newsletter.errors import FetchError
from newsletter.net.client import Fetcher
from newsletter.render.rendering import web_base
from newsletter.schedule.dead_links import trusted_hosts

log = structlog.get_logger()

WITHIN = timedelta(seconds=2)
"""For one answer; what does not come is asked for once more."""
IN_ALL = timedelta(seconds=4.5)
_PATIENCE = timedelta(milliseconds=100)
_MOST = 16_384


@dataclass(frozen=True, slots=True)
class Reached:
    """What is wrong with our pages ('' where they answer) and with each picture that cannot be fetched. ``unknown``
    pictures were not answered for in time, and are not blamed."""

    web: str = ""
    pictures: dict[str, str] = field(default_factory=dict)
    unknown: int = 0


class Reachability:
    """Asks, and remembers each answer until ``forget``: of several occurrences due at once, the first one asks."""

    def __init__(self, configuration: Configuration, *, within: timedelta = WITHIN, in_all: timedelta = IN_ALL) -> None:
        self._configuration, self._within, self._in_all = configuration, within, in_all
        self._base = web_base(configuration)
        self._trusted = trusted_hosts(configuration)
        self._answers: dict[str, str] = {}

    @property
    def health(self) -> str:
        """The address at which our pages say that they are well."""
        return f"{self._base}/health"

    def forget(self) -> None:
        """Ask anew from now on."""
        self._answers.clear()

    def ask(self, *, web: bool, lead: Sequence[str], pictures: Sequence[str]) -> Reached:
        """Ask our pages (where ``web``), the ``lead``'s pictures wherever they are, and those of ``pictures`` that we
        serve. Blocking, at most ``in_all``: call it off the event loop."""
        served = self._configuration.schedules.web is not None
        ours = f"{self._base}/media/"
        wanted = [one for one in lead if served or not one.startswith(ours)]
        wanted += [one for one in pictures if served and one.startswith(ours)]
        health = [self.health] if web and served else []
        if health and self._answers.get(self.health):
            wanted = [one for one in wanted if not one.startswith(ours)]  # known to be in vain
        wanted = list(dict.fromkeys(wanted))
        missing = [one for one in (*health, *wanted) if one not in self._answers]
        if missing:
            asyncio.run(self._ask(missing))
        down = self._answers.get(self.health, "") if health else ""
        # Where our pages do not answer, none of our pictures does: one fault, told once.
        told = [one for one in wanted if not (down and one.startswith(ours))]
        unknown = sum(one not in self._answers for one in told)
        if unknown:
            log.warning("pictures were not asked for in time", unknown=unknown)
        return Reached(down, {one: self._answers[one] for one in told if self._answers.get(one)}, unknown)

    async def _ask(self, addresses: Sequence[str]) -> None:
        contact = str(self._configuration.schedules.site.url)
        try:
            async with (
                Fetcher(contact=contact, jitter=timedelta()) as client,
                asyncio.timeout(self._in_all.total_seconds()),
                asyncio.TaskGroup() as group,
            ):
                for address in addresses:
                    group.create_task(self._one(client, address))
        except TimeoutError:
            if self.health in addresses:
                self._answers.setdefault(self.health, f"no answer within {self._in_all.total_seconds():g} s")

    async def _one(self, client: Fetcher, address: str) -> None:
        wrong = await self._wrong(client, address)
        if wrong:
            await asyncio.sleep(_PATIENCE.total_seconds())  # a proxy that was just reloaded
            wrong = await self._wrong(client, address)
        self._answers[address] = wrong

    async def _wrong(self, client: Fetcher, address: str) -> str:
        """What is wrong with the answer of an address, '' where nothing is."""
        private = urlsplit(address).netloc in self._trusted
        try:
            if address == self.health:
                answer = await client.fetch(address, within=self._within, allow_private=private, max_bytes=_MOST)
                return "" if _is_well(answer.body) else "what answers at /health is not this program's page"
            picture = await client.fetch_beginning(address, 1, within=self._within, allow_private=private)
        except FetchError as error:
            return error.what
        kind = picture.content_type.partition(";")[0].strip().lower()
        return "" if kind.startswith("image/") else f"it is no picture but {kind or 'of no type'}"


def _is_well(body: bytes) -> bool:
    try:
        said = json.loads(body)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("status") == "ok"
