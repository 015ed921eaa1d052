"""A served site to sign up at: its forms filled in as a browser does, its mailed links taken from the ledger."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select

from newsletter.config.reading import Configuration
from newsletter.config.sign_up import SignUp
from newsletter.members.links import Links
from newsletter.model import MailedPurpose, Subscriber, SubscriptionState, SystemMail
from newsletter.store import Store, subscribers, subscriptions, tables
from newsletter.store.subscriptions import decode_sections
from newsletter.store.system_mails import mail_of
from tests.builders import NOW
from tests.support.web_server import a_site, served

_STAMP = re.compile(r'name="stamp" value="([^"]+)"')


@dataclass(frozen=True)
class Queued:
    """A system mail in the outbox: what it is, to whom, and which newsletters it names."""

    mail: SystemMail
    event: str
    to: str
    newsletters: tuple[str, ...]


@dataclass
class Site:
    """One served site, its clock, and a client without cookies."""

    base: str
    store: Store
    configuration: Configuration
    client: aiohttp.ClientSession
    clock: list[datetime]

    def later(self, by: timedelta) -> None:
        self.clock[0] += by

    async def get(self, path: str) -> tuple[int, str]:
        async with self.client.get(self.base + path, allow_redirects=False) as response:
            return response.status, await response.text()

    async def post(self, path: str, *fields: tuple[str, str], **headers: str) -> tuple[int, str]:
        sent = aiohttp.FormData(list(fields), charset="utf-8")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client.post(self.base + path, data=sent, headers=named, allow_redirects=False) as response:
            return response.status, await response.text()

    async def stamp(self) -> str:
        """Of a form that was opened long enough ago."""
        _, page = await self.get("/subscribe")
        found = _STAMP.search(page)
        assert found is not None
        self.later(timedelta(seconds=5))
        return found[1]

    async def sign_up(self, address: str, *newsletters: str, more: Sequence[tuple[str, str]] = ()) -> tuple[int, str]:
        """Open the form, take one's time, and send it."""
        chosen = [("newsletter", name) for name in newsletters]
        return await self.post("/subscribe", ("stamp", await self.stamp()), ("address", address), *chosen, *more)

    def person(self, address: str) -> Subscriber:
        found = self.store.read(subscribers.by_address, address)
        assert found is not None, address
        return found

    def states(self, address: str) -> dict[str, SubscriptionState]:
        return {one.newsletter: one.state for one in self.store.read(subscriptions.of, self.person(address).id)}

    def outbox(self) -> list[Queued]:
        """Every system mail, the oldest first."""
        row, who = tables.deliveries, tables.subscribers
        query = select(row.c.occurrence, row.c.sections, who.c.address).where(row.c.subscriber_id == who.c.id)
        found = self.store.read(lambda connection: connection.execute(query.order_by(row.c.id)).all())
        return [Queued(*mail_of(one[0]), one[2], decode_sections(one[1])) for one in found]

    def link(self, purpose: MailedPurpose) -> str:
        """The path of the link that was mailed last."""
        links, who = tables.mailed_links, tables.subscribers
        query = (
            select(links.c.id, who.c.secret)
            .where(links.c.subscriber_id == who.c.id, links.c.purpose == purpose.value)
            .order_by(links.c.id.desc())
        )
        number, secret = self.store.read(lambda connection: connection.execute(query).first()) or (0, b"")
        made = Links("")
        return made.confirm(number, secret) if purpose is MailedPurpose.CONFIRM else made.sign_in(number, secret)


@asynccontextmanager
async def signing_up(
    store: Store, folder: Path, *, single: Sequence[str] = (), listed: Sequence[str] = ("daily", "weekly"), **rules: Any
) -> AsyncIterator[Site]:
    """``single`` need no confirmation; ``rules`` are of ``sign_up``."""
    configuration = a_site(folder)
    schedules = configuration.schedules
    newsletters = {
        name: one.model_copy(update={"opt_in": "single" if name in single else "double", "listed": name in listed})
        for name, one in schedules.newsletters.items()
    }
    changed = schedules.model_copy(update={"newsletters": newsletters, "sign_up": SignUp.model_validate(rules)})
    configuration = replace(configuration, schedules=changed)
    clock = [NOW]
    async with (
        served(configuration, store, clock=lambda: clock[0]) as base,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        yield Site(base, store, configuration, client, clock)
