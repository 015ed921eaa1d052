"""A story through ten collections over HTTP, under ever other names: it is sent once, and so are its neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from newsletter.collect.collecting import collect_all
from newsletter.collect.parsing import Parser
from newsletter.compose.composing import compose
from newsletter.config.models import Newsletter, Source
from newsletter.model import OccurrenceState
from newsletter.net import Fetcher
from newsletter.store import Store, article_merges, articles, occurrences
from tests.builders import NOW
from tests.collect.feeds import content, item, rss
from tests.collect.test_likeness import EDITED, FERRY, OWN
from tests.net.publisher import Publisher, publishing
from tests.support.newsroom import a_newsletter, plan_occurrence

S = OccurrenceState
DAILY = a_newsletter(
    sections=[{"name": "All", "max": 20}], articles={"min": 1, "max": 20, "max_age": "30d"}, catch_up="1h"
)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(1) as pool:
        yield pool


@dataclass
class Desk:
    """Collects feeds and sends what is new, once a day."""

    store: Store
    fetcher: Fetcher
    parser: Parser
    publisher: Publisher
    folder: Path

    async def collect(self, feeds: Mapping[str, bytes], now: datetime) -> None:
        self.publisher.pages |= {f"/{name}": feed for name, feed in feeds.items()}
        wanted = {
            name: Source.model_validate({"feed": self.publisher.url(f"/{name}"), "allow_private": True})
            for name in feeds
        }
        results = await collect_all(
            wanted,
            store=self.store,
            fetcher=self.fetcher,
            parser=self.parser,
            media_folder=self.folder,
            now=now,
            root=self.folder,
        )
        assert [result.error for result in results] == [""] * len(feeds)

    def send(self, day: int, newsletter: Newsletter = DAILY) -> list[str]:
        """Compose and send the edition of a day in November; the headlines in it."""
        now = NOW + timedelta(days=day)
        composed = compose(self.store, plan_occurrence(self.store, day=1 + day), "daily", newsletter, now=now)
        if composed.edition is None:
            return []
        for state, before in ((S.APPROVED, S.COMPOSED), (S.SENDING, S.APPROVED), (S.SENT, S.SENDING)):
            assert self.store.write(occurrences.transition, composed.occurrence.id, state, from_={before}, now=now)
        known = self.store.read(articles.get_many, composed.edition.edition.article_ids)
        return sorted(article.headline for article in known.values())


@pytest.fixture
async def desk(store: Store, parser: Parser, tmp_path: Path) -> AsyncIterator[Desk]:
    async with publishing() as publisher, Fetcher() as fetcher:
        yield Desk(store, fetcher, parser, publisher, tmp_path)


def ferry(
    guid: str = "f1",
    slug: str = "ferry",
    title: str = "Ferry runs aground off Lunde",
    published: datetime = NOW,
    summary: str = "Fishing boats took most of the travellers ashore before midnight.",
    body: str = FERRY,
) -> str:
    paragraphs = "".join(f"<p>{sentence}.</p>" for sentence in body.replace("\n", " ").split(". "))
    return item(
        link=f"https://news.example/{slug}",
        guid=guid,
        title=title,
        published=published,
        description=summary,
        extra=content(paragraphs) if body else "",
    )


async def test_a_story_that_changes_in_turn_over_ten_collections_is_sent_once(desk: Desk) -> None:
    later = NOW + timedelta(hours=20)
    turns: list[tuple[str, str]] = [
        ("front", ferry()),
        ("front", ferry(guid="f2")),
        ("front", ferry(guid="f2", slug="lunde-ferry")),
        ("front", ferry(guid="f2", slug="lunde-ferry", title="All safe after ferry strands")),
        ("front", ferry(guid="f2", slug="lunde-ferry", title="All safe after ferry strands", published=later)),
        ("islands", ferry(guid="i1", slug="lunde-ferry", title="All safe after ferry strands", published=later)),
        ("islands", ferry(guid="i2", slug="havbris", title="All safe after ferry strands", published=later)),
        ("islands", ferry(guid="i3", slug="havbris-2", title="Inquiry into the Havbris", published=later)),
        ("world", ferry(guid="w1", slug="w/1", title="Norse ferry freed", published=later, body=EDITED)),
        ("front", ferry(guid="f9", slug="ferry-9", title="Ferry runs aground off Lunde", published=NOW)),
    ]
    sent: list[str] = []
    for day, (feed, entry) in enumerate(turns):
        await desk.collect({feed: rss(entry)}, NOW + timedelta(days=day))
        sent += desk.send(day)
    assert sent == ["Ferry runs aground off Lunde"]
    (article,) = desk.store.read(articles.list_articles)
    assert len(desk.store.read(article_merges.listing, article.id)) >= 6


async def test_one_story_in_two_feeds_of_one_collection_is_sent_once(desk: Desk) -> None:
    feeds = {
        "front": rss(ferry(), ferry("m1", "harbour", "Night in the harbour hall", summary="Reportage.", body=OWN)),
        "agency": rss(ferry("a1", "a/1", "214 passengers rescued off Lunde", summary="", body=EDITED)),
    }
    await desk.collect(feeds, NOW)
    sent = desk.send(0)
    assert len(sent) == 2
    assert "Night in the harbour hall" in sent
    await desk.collect(feeds, NOW + timedelta(days=1))
    assert desk.send(1) == []


async def test_a_story_reaches_the_newsletter_of_one_feed_though_another_brought_it_first(desk: Desk) -> None:
    only_front = a_newsletter(sections=[{"name": "Front", "match": {"source": "front"}}], articles={"min": 1, "max": 9})
    await desk.collect({"agency": rss(ferry("a1", "a/1", body=EDITED))}, NOW)
    assert desk.send(0, only_front) == []
    await desk.collect({"front": rss(ferry())}, NOW + timedelta(hours=1))
    assert len(desk.send(1, only_front)) == 1


async def test_an_embargoed_story_is_sent_after_its_hour(desk: Desk) -> None:
    hour = NOW + timedelta(days=1, hours=12)
    for day in range(4):
        await desk.collect({"front": rss(ferry(published=hour))}, NOW + timedelta(days=day))
    assert [desk.send(day) for day in range(4)] == [[], [], ["Ferry runs aground off Lunde"], []]
