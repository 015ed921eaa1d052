"""A site with one reader, and a client that talks to its pages over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from newsletter.collect.parsing import Parser
from newsletter.config.reading import Configuration
from newsletter.members.links import Links
from newsletter.model import Occurrence, StreamName, Subscriber, SubscriptionState
from newsletter.store import Store, subscribers, subscriptions
from tests.builders import NOW, add_subscribers
from tests.support.web_server import a_site, served
from tests.web.api_site import SOURCES, Api


@dataclass
class Visit:
    """One served site: its store, its reader Ann, her links on this server, and a client without cookies."""

    base: str
    store: Store
    configuration: Configuration
    ann: Subscriber
    client: aiohttp.ClientSession

    @property
    def links(self) -> Links:
        return Links(self.base)

    def unsubscribe(self, newsletter: str = "daily") -> str:
        return self.links.unsubscribe(self.ann.id, self.ann.secret, newsletter)

    def preferences(self) -> str:
        return self.links.preferences(self.ann.id, self.ann.secret)

    def states(self) -> dict[str, SubscriptionState]:
        return {one.newsletter: one.state for one in self.store.read(subscriptions.of, self.ann.id)}


async def browser_copy(subscriber_id: int, of: StreamName, occurrence: Occurrence) -> str | None:
    """What the lead's callable gives: a page, or None where the edition is gone."""
    if occurrence.ordinal > 1:
        return None
    return f'<!DOCTYPE html><html lang="en"><p style="color:red">{subscriber_id} {of} {occurrence}</p></html>'


@pytest.fixture
async def visit(store: Store, tmp_path: Path) -> AsyncIterator[Visit]:
    (ann_id, _) = add_subscribers(store, 2, newsletters=("daily", "weekly"))
    ann = store.read(subscribers.by_id, ann_id)
    assert ann is not None
    configuration = a_site(tmp_path)
    async with (
        served(configuration, store, browser_copy=browser_copy) as base,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        yield Visit(base, store, configuration, ann, client)


@pytest.fixture(scope="session")
def parser() -> Iterator[Parser]:
    """One parser for all of these tests: its process takes half a second to start."""
    with Parser(1) as opened:
        yield opened


@pytest.fixture
async def api(store: Store, tmp_path: Path, parser: Parser) -> AsyncIterator[Api]:
    clock = [NOW]
    site = a_site(tmp_path, sources=SOURCES)
    async with (
        served(site, store, clock=lambda: clock[0], parser=parser) as base,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        yield Api(base, store, client, clock)
