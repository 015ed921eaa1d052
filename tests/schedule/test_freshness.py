"""Between composing and the first message: what was withdrawn stays at home, what was corrected goes out corrected."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.collect.collecting import collect_all
from newsletter.collect.parsing import Parser
from newsletter.config.reading import Configuration, load
from newsletter.model import OccurrenceState, Reason
from newsletter.net import Fetcher
from newsletter.schedule.freshness import Freshening, Freshness
from newsletter.schedule.work import Work
from newsletter.store import Store, articles, editions, occurrences
from tests.collect.feeds import item, rss
from tests.collect.publishing import article_page
from tests.net.publisher import Publisher, answering, never_ending, publishing
from tests.support.site_folder import SiteFolder

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
_S = OccurrenceState


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(2) as pool:
        yield pool


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as running:
        yield running


class Newsroom:
    """A site whose daily was composed half an hour before seven from a feed of three stories."""

    def __init__(self, path: Path, store: Store, store_url: str, publisher: Publisher, parser: Parser) -> None:
        self.store, self.publisher, self.parser = store, publisher, parser
        self.site = SiteFolder(path, store_url, 25, zone="UTC")
        file = path / "schedules.yaml"
        source = f'sources:\n  front: {{feed: "{publisher.url()}", allow_private: true, section: National}}\n'
        file.write_text(file.read_text().replace("newsletters:\n", f"{source}newsletters:\n", 1))
        self.configuration: Configuration = load(file, {})
        self.publish("One", "Two", "Three")
        for number in (1, 2, 3):
            publisher.pages[f"/story/{number}"] = article_page(number)

    def publish(self, *headlines: str) -> None:
        """What the feed says now."""
        self.publisher.pages["/feed"] = rss(
            *(
                item(
                    number,
                    title=f"{headline} is the headline of this story",
                    link=self.publisher.url(f"/story/{number}"),
                    description=f"What {headline} is about, in a sentence that no other story has.",
                    published=SEVEN - timedelta(hours=number),
                )
                for number, headline in enumerate(headlines, 1)
            )
        )

    async def collect(self, now: datetime) -> None:
        async with Fetcher(jitter=timedelta()) as fetcher:
            [result] = await collect_all(
                self.configuration.schedules.sources,
                store=self.store,
                fetcher=fetcher,
                parser=self.parser,
                media_folder=self.site.path / "media",
                now=now,
            )
        assert result.error == ""

    async def freshen(self, now: datetime = SEVEN) -> Freshness:
        [row] = self.store.read(occurrences.due_to_send, now)
        async with Fetcher(jitter=timedelta()) as fetcher:
            return await Freshening(self.configuration, self.store, fetcher, self.parser).freshen(row, now)

    def advance(self, now: datetime) -> None:
        Work(self.configuration, self.store).advance(now)

    def headlines(self) -> list[str]:
        """Those of the edition, by their first word."""
        row = next(row for row in self.store.read(occurrences.listing) if str(row.occurrence) == "2026-11-01/1")
        [edition] = self.store.read(editions.for_occurrence, row.id)
        known = self.store.read(articles.get_many, edition.edition.article_ids)
        return sorted(article.headline.split()[0] for article in known.values())

    def state(self) -> tuple[OccurrenceState, Reason]:
        row = next(row for row in self.store.read(occurrences.listing) if str(row.occurrence) == "2026-11-01/1")
        return row.state, row.reason


@pytest.fixture
async def newsroom(tmp_path: Path, store: Store, store_url: str, publisher: Publisher, parser: Parser) -> Newsroom:
    room = Newsroom(tmp_path, store, store_url, publisher, parser)
    room.site.fill(readers=2, stories=0)
    await room.collect(SEVEN - timedelta(hours=1))
    room.advance(SEVEN - timedelta(minutes=29))
    assert room.state() == (_S.APPROVED, Reason.NONE)
    assert room.headlines() == ["One", "Three", "Two"]
    return room


async def test_a_story_whose_page_is_gone_does_not_go_out(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/story/2"] = answering(410)
    found = await newsroom.freshen()
    assert (found.asked, len(found.retracted)) == (3, 1)
    newsroom.advance(SEVEN)
    assert newsroom.state() == (_S.SENDING, Reason.NONE)
    assert newsroom.headlines() == ["One", "Three"]
    row = next(row for row in newsroom.store.read(occurrences.listing) if str(row.occurrence) == "2026-11-01/1")
    reasons = {one.headline.split()[0]: one.reason for one in newsroom.store.read(editions.why, row.id)}
    assert reasons["Two"] is Reason.RETRACTED


async def test_a_corrected_headline_goes_out_corrected(newsroom: Newsroom) -> None:
    newsroom.publish("One", "Zwei", "Three")
    assert len((await newsroom.freshen()).retracted) == 0
    newsroom.advance(SEVEN)
    assert newsroom.headlines() == ["One", "Three", "Zwei"]
    row = next(row for row in newsroom.store.read(occurrences.listing) if str(row.occurrence) == "2026-11-01/1")
    [edition] = newsroom.store.read(editions.for_occurrence, row.id)
    assert edition.revision == 2, "and it was rendered again"


async def test_an_unchanged_edition_is_not_rendered_again(newsroom: Newsroom) -> None:
    await newsroom.freshen()
    newsroom.advance(SEVEN)
    row = next(row for row in newsroom.store.read(occurrences.listing) if str(row.occurrence) == "2026-11-01/1")
    [edition] = newsroom.store.read(editions.for_occurrence, row.id)
    assert (edition.revision, newsroom.state()[0]) == (1, _S.SENDING)


async def test_what_cannot_be_reached_in_two_seconds_is_kept(newsroom: Newsroom) -> None:
    newsroom.publisher.pages |= {"/feed": never_ending(), "/story/1": never_ending(), "/story/2": answering(503)}
    found = await newsroom.freshen()
    assert found.retracted == ()
    assert found.kept >= 2
    newsroom.advance(SEVEN)
    assert newsroom.headlines() == ["One", "Three", "Two"]


async def test_a_site_that_answers_404_to_everything_is_broken_and_its_stories_are_kept(newsroom: Newsroom) -> None:
    newsroom.publisher.pages.clear()
    assert (await newsroom.freshen()).retracted == ()
    newsroom.advance(SEVEN)
    assert newsroom.headlines() == ["One", "Three", "Two"]


async def test_an_edition_of_which_nothing_is_left_is_skipped(newsroom: Newsroom) -> None:
    for article in newsroom.store.read(articles.list_articles):
        newsroom.store.write(articles.retract, article.id, "by the desk", SEVEN)
    newsroom.advance(SEVEN)
    assert newsroom.state() == (_S.SKIPPED, Reason.EMPTY)
