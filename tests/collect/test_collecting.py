"""Whole collections over HTTP from a server on loopback into a real store."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from PIL import Image
from sqlalchemy import Connection, select

from newsletter.collect.adding import add_article
from newsletter.collect.collecting import (
    CollectResult,
    collect_all,
    collect_source,
    due_sources,
    interval,
)
from newsletter.collect.parsing import Parser
from newsletter.collect.source_facts import SourceFacts
from newsletter.config.models import Source
from newsletter.errors import FetchError, StoreError, UsageError
from newsletter.model import Article, RevisionKind
from newsletter.net import Fetcher
from newsletter.store import Store, articles, sources, tables
from newsletter.store.sources import SourceRow
from tests.builders import NOW
from tests.collect.feeds import content, item, rss
from tests.collect.test_documents import BODY, PAGE
from tests.net.publisher import Publisher, answering, never_ending, publishing, redirecting, with_etag

# Its lead picture would have to be looked for outside.
SAVED = PAGE.replace('<meta property="og:image" content="/lead.jpg">', "").format(BODY)


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(2) as pool:
        yield pool


@dataclass
class Newsroom:
    """What a collection needs, and what tests ask of it."""

    store: Store
    fetcher: Fetcher
    parser: Parser
    publisher: Publisher
    folder: Path

    def source(self, path: str = "/feed", **changes: Any) -> Source:
        return Source(**({"feed": self.publisher.url(path), "allow_private": True} | changes))

    async def collect(self, name: str = "front", source: Source | None = None, now: datetime = NOW) -> CollectResult:
        return await collect_source(name, source or self.source(), now=now, **self.tools())

    async def collect_all(self, **wanted: Source) -> dict[str, CollectResult]:
        return {result.source: result for result in await collect_all(wanted, now=NOW, **self.tools())}

    async def add(self, where: str) -> Article:
        tools = {key: value for key, value in self.tools().items() if key != "root"}
        return await add_article(where, SourceFacts("desk"), now=NOW, allow_private=True, **tools)

    def tools(self) -> dict[str, Any]:
        return {
            "store": self.store,
            "fetcher": self.fetcher,
            "parser": self.parser,
            "media_folder": self.folder / "media",
            "root": self.folder,
        }

    def articles(self) -> list[Article]:
        return self.store.read(articles.list_articles)

    def row(self, name: str = "front") -> SourceRow:
        row = self.store.read(sources.get, name)
        assert row is not None
        return row


@pytest.fixture
async def newsroom(store: Store, parser: Parser, tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with publishing() as publisher, Fetcher(jitter=timedelta()) as fetcher:
        yield Newsroom(store, fetcher, parser, publisher, tmp_path)


def jpeg(width: int = 2000, height: int = 1000, colour: str = "teal") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, "JPEG")
    return out.getvalue()


def everything(connection: Connection) -> dict[str, list[Any]]:
    return {
        table.name: sorted(map(repr, connection.execute(select(table))))
        for table in tables.metadata.sorted_tables
        if table.name not in {"sources", "fetches"}
    }


async def test_a_feed_is_collected(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/feed"] = rss(item(1), item(2))
    result = await newsroom.collect()
    assert (result.new, result.changed, result.unchanged, result.error) == (2, 0, 0, "")
    assert {article.headline for article in newsroom.articles()} == {"Headline of story 1", "Headline of story 2"}
    row = newsroom.row()
    assert (row.first_collected_at, row.last_success_at, row.failures) == (NOW, NOW, 0)
    assert row.next_due_at == NOW + timedelta(minutes=10)


async def test_an_unchanged_feed_is_a_304_and_writes_only_its_row(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/feed"] = with_etag(rss(item(1)))
    await newsroom.collect()
    before = newsroom.store.read(everything)
    later = NOW + timedelta(minutes=10)
    result = await newsroom.collect(now=later)
    assert (result.not_modified, result.new, result.error) == (True, 0, "")
    assert newsroom.publisher.asked[-1].headers["If-None-Match"] == '"v1"'
    assert newsroom.store.read(everything) == before
    assert (newsroom.row().last_success_at, newsroom.row().etag) == (later, '"v1"')


async def test_the_same_feed_without_validators_writes_only_its_row_too(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/feed"] = rss(item(1), item(2))
    await newsroom.collect()
    before = newsroom.store.read(everything)
    result = await newsroom.collect(now=NOW + timedelta(hours=1))
    assert (result.new, result.changed, result.unchanged) == (0, 0, 2)
    assert newsroom.store.read(everything) == before


async def test_a_new_guid_or_slug_is_no_new_story_and_a_new_headline_a_correction(newsroom: Newsroom) -> None:
    for changes in ({}, {"guid": "new"}, {"guid": "new", "link": "https://news.example/b"}):
        newsroom.publisher.pages["/feed"] = rss(item(1, **changes))
        await newsroom.collect()
    newsroom.publisher.pages["/feed"] = rss(item(1, guid="new", link="https://news.example/b", title="Corrected"))
    assert (await newsroom.collect()).changed == 1
    (article,) = newsroom.articles()
    assert (article.headline, article.revision_kind) == ("Corrected", RevisionKind.CORRECTION)


async def test_a_first_collection_offers_only_the_newest(newsroom: Newsroom) -> None:
    dated = [item(number, published=NOW - timedelta(hours=number)) for number in range(1, 31)]
    newsroom.publisher.pages["/feed"] = rss(*reversed(dated))
    await newsroom.collect(source=newsroom.source(backfill=3))
    eligible = {article.headline for article in newsroom.articles() if article.eligible}
    assert eligible == {f"Headline of story {number}" for number in (1, 2, 3)}
    assert len(newsroom.articles()) == 30
    newsroom.publisher.pages["/feed"] = rss(*(item(number) for number in range(40, 45)))
    await newsroom.collect(source=newsroom.source(backfill=3))
    assert sum(article.eligible for article in newsroom.articles()) == 8


async def test_an_empty_feed_or_a_failure_does_not_count_as_the_first_collection(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/feed"] = rss()
    await newsroom.collect()
    newsroom.publisher.pages["/feed"] = b"<html>"
    await newsroom.collect()
    assert newsroom.row().first_collected_at is None
    newsroom.publisher.pages["/feed"] = rss(item(1), item(2))
    await newsroom.collect(source=newsroom.source(backfill=1))
    assert sum(article.eligible for article in newsroom.articles()) == 1


async def test_an_html_page_is_an_error_kept_in_the_row_and_its_etag_is_not(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/feed"] = with_etag(b"<!doctype html><html><title>Sorry</title>")
    result = await newsroom.collect()
    assert "/feed: this is an HTML page, not a feed" in result.error
    row = newsroom.row()
    assert (row.last_error, row.failures, row.etag, row.last_success_at) == (result.error, 1, "", None)
    assert (await newsroom.collect()).error == result.error
    assert newsroom.row().failures == 2
    newsroom.publisher.pages["/feed"] = rss(item(1))
    await newsroom.collect()
    assert (newsroom.row().last_error, newsroom.row().failures) == ("", 0)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (bytes(50_000_000), "50,000,000 bytes, more than the 1,000,000 allowed"),
        (answering(body=gzip.compress(bytes(50_000_000)), Content_Encoding="gzip"), "larger than 1,000,000 bytes"),
        (never_ending(), "no complete answer within 2 s"),
        (answering(500), "it answered 500"),
        (redirecting("http://169.254.169.254/"), "169.254.169.254 is not a public address"),
        (b"", "it is empty, not a feed"),
    ],
)
async def test_a_source_that_misbehaves_costs_one_line(newsroom: Newsroom, page: Any, words: str) -> None:
    newsroom.publisher.pages["/feed"] = page
    source = newsroom.source(max_bytes=1_000_000, fetch_timeout=timedelta(seconds=2))
    result = await newsroom.collect(source=source)
    assert words in result.error
    assert "\n" not in result.error
    assert newsroom.articles() == []


async def test_a_loopback_feed_needs_permission(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/feed"] = rss(item(1))
    result = await newsroom.collect(source=newsroom.source(allow_private=False))
    assert "127.0.0.1 is not a public address" in result.error
    assert newsroom.publisher.asked == []


async def test_one_bad_source_stops_no_other(newsroom: Newsroom) -> None:
    await newsroom.parser.run(timedelta(seconds=30), time.time)
    newsroom.publisher.pages |= {
        "/slow": b"<a>" * 333_333,
        "/html": b"<!doctype html><html>",
        "/never": never_ending(),
        "/good": rss(item(1)),
        "/world": rss(item(2)),
    }
    began = time.monotonic()
    results = await newsroom.collect_all(
        slow=newsroom.source("/slow", parse_timeout=timedelta(seconds=1)),
        html=newsroom.source("/html"),
        never=newsroom.source("/never", fetch_timeout=timedelta(seconds=1)),
        gone=newsroom.source("/gone"),
        good=newsroom.source("/good"),
        world=newsroom.source("/world"),
    )
    assert time.monotonic() - began < 20, "nobody waits for what never ends"
    assert list(results) == ["slow", "html", "never", "gone", "good", "world"]
    assert results["slow"].error == "slow: reading it took longer than 1 s. See parse_timeout"
    assert "within 1 s" in results["never"].error
    assert "404" in results["gone"].error
    assert (results["good"].new, results["world"].new) == (1, 1)
    assert newsroom.row("slow").failures == 1
    assert {row.name for row in newsroom.store.read(sources.list_sources) if row.last_error} == {
        "slow",
        "html",
        "never",
        "gone",
    }


async def test_an_error_nobody_foresaw_is_that_sources_error(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError("oh")

    newsroom.publisher.pages["/feed"] = rss(item(1))
    monkeypatch.setattr("newsletter.collect.identity.to_remember", broken)
    assert (await newsroom.collect()).error == "front: unexpected ZeroDivisionError: oh"
    assert newsroom.row().failures == 1


async def test_a_store_that_refuses_ends_the_collection(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise StoreError("the disk is full")

    newsroom.publisher.pages["/feed"] = rss(item(1))
    monkeypatch.setattr("newsletter.store.articles.remember", full)
    with pytest.raises(StoreError, match="the disk is full"):
        await newsroom.collect_all(front=newsroom.source())


async def test_what_was_interrupted_is_collected_again(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    newsroom.publisher.pages["/feed"] = with_etag(rss(*(item(number) for number in range(120))))
    remember, calls = articles.remember, 0

    def cut_off(connection: Connection, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise StoreError("the machine went away")
        return remember(connection, *args, **kwargs)

    monkeypatch.setattr("newsletter.store.articles.remember", cut_off)
    with pytest.raises(StoreError):
        await newsroom.collect()
    assert 0 < len(newsroom.articles()) < 120
    await newsroom.collect()
    found = newsroom.store.read(articles.list_articles, limit=500)
    assert len(found) == 120
    assert sorted(article.guid for article in found if article.eligible) == sorted(f"story-{n}" for n in range(10))


async def test_the_lead_picture_is_copied_once_and_kept_by_its_content(newsroom: Newsroom) -> None:
    newsroom.publisher.pages |= {
        "/feed": rss(item(1, extra=content(f'<img src="{newsroom.publisher.url("/p.jpg")}" alt="Rain">'))),
        "/p.jpg": jpeg(),
    }
    await newsroom.collect()
    (article,) = newsroom.articles()
    lead = article.images[0]
    assert (lead.width, lead.height, lead.alt) == (1280, 640, "Rain")
    with Image.open(newsroom.folder / "media" / lead.media) as copy:
        assert copy.size == (1280, 640)
    await newsroom.collect()
    newsroom.publisher.pages["/other"] = newsroom.publisher.pages["/feed"]
    await newsroom.collect("other", newsroom.source("/other"))
    assert [request.path for request in newsroom.publisher.asked].count("/p.jpg") == 1
    assert newsroom.articles() == [article]


async def test_a_picture_that_comes_later_is_copied_too(newsroom: Newsroom) -> None:
    newsroom.publisher.pages |= {"/feed": rss(item(1)), "/p.jpg": jpeg()}
    await newsroom.collect()
    newsroom.publisher.pages["/feed"] = rss(
        item(1, extra=f'<media:content url="{newsroom.publisher.url("/p.jpg")}" medium="image"/>')
    )
    await newsroom.collect()
    assert newsroom.articles()[0].images[0].media.endswith(".jpg")


@pytest.mark.parametrize("page", [None, b"not a picture", never_ending(), redirecting("http://169.254.169.254/x.jpg")])
async def test_a_picture_that_cannot_be_had_is_left_out_with_a_warning(
    newsroom: Newsroom, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.collect.pictures._WITHIN", timedelta(seconds=0.5))
    newsroom.publisher.pages["/feed"] = rss(
        item(1, extra=f'<enclosure url="{newsroom.publisher.url("/p.jpg")}" type="image/jpeg" length="1"/>')
    )
    if page is not None:
        newsroom.publisher.pages["/p.jpg"] = page
    result = await newsroom.collect()
    assert (result.new, result.error, len(result.warnings)) == (1, "", 1)
    assert newsroom.articles()[0].images[0].media == ""


async def test_pictures_of_what_is_only_remembered_are_not_fetched(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/feed"] = rss(
        item(1, extra=f'<enclosure url="{newsroom.publisher.url("/p.jpg")}" type="image/jpeg" length="1"/>')
    )
    await newsroom.collect(source=newsroom.source(backfill=0))
    assert [request.path for request in newsroom.publisher.asked] == ["/feed"]


async def test_a_permanent_redirect_is_remembered_until_it_fails(newsroom: Newsroom) -> None:
    newsroom.publisher.pages |= {"/feed": redirecting("/new", 301), "/new": rss(item(1))}
    await newsroom.collect()
    await newsroom.collect()
    assert [request.path for request in newsroom.publisher.asked] == ["/feed", "/new", "/new"]
    newsroom.publisher.pages |= {"/feed": rss(item(1)), "/new": answering(404)}
    assert (await newsroom.collect()).error
    assert (await newsroom.collect()).error == ""
    assert newsroom.publisher.asked[-1].path == "/feed"


async def test_a_source_that_is_configured_elsewhere_starts_afresh(newsroom: Newsroom) -> None:
    newsroom.publisher.pages |= {"/feed": with_etag(rss(item(1))), "/other": with_etag(rss(item(1), item(2)))}
    await newsroom.collect()
    result = await newsroom.collect(source=newsroom.source("/other"))
    assert (result.not_modified, result.new, result.unchanged) == (False, 1, 1)


async def test_a_folder_is_collected_and_then_left_alone(newsroom: Newsroom) -> None:
    inbox = newsroom.folder / "inbox"
    inbox.mkdir()
    (inbox / "flood.txt").write_text("Flood\n\nWater rose.")
    (inbox / "saved.html").write_text(SAVED)
    (inbox / "empty.md").write_text("")
    source = Source(folder=Path("inbox"), section="World")
    result = await newsroom.collect("desk", source)
    assert (result.new, result.error, result.warnings) == (2, "", ("empty.md: the file is empty",))
    assert {article.section for article in newsroom.articles()} == {"World", "National"}
    assert (await newsroom.collect("desk", source)).not_modified
    (inbox / "flood.txt").write_text("Flood\n\nWater rose further.")
    assert (await newsroom.collect("desk", source)).changed == 1


async def test_a_folder_that_is_not_there_is_that_sources_error(newsroom: Newsroom) -> None:
    result = await newsroom.collect("desk", Source(folder=Path("inbox")))
    assert "there is no such folder" in result.error


async def test_an_article_is_added_by_hand_from_a_page_and_from_a_file(newsroom: Newsroom) -> None:
    newsroom.publisher.pages["/dam"] = answering(body=SAVED.encode(), Content_Type="text/html")
    added = await newsroom.add(newsroom.publisher.url("/dam"))
    assert (added.headline, added.source) == ("Dam opens its gates", "desk")
    assert await newsroom.add(newsroom.publisher.url("/dam")) == added
    saved = newsroom.folder / "dam.html"
    saved.write_text(SAVED)
    assert (await newsroom.add(str(saved))).id == added.id


async def test_what_is_added_by_hand_may_be_sent(newsroom: Newsroom) -> None:
    newsroom.publisher.pages |= {
        "/feed": rss(item(1, link="https://news.example/national/dam")),
        "/dam": answering(body=SAVED.encode(), Content_Type="text/html"),
    }
    await newsroom.collect(source=newsroom.source(backfill=0))
    assert not newsroom.articles()[0].eligible
    assert (await newsroom.add(newsroom.publisher.url("/dam"))).eligible


async def test_what_cannot_be_added_is_one_clear_line(newsroom: Newsroom) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        await newsroom.add(str(newsroom.folder / "missing.txt"))
    with pytest.raises(FetchError, match="404"):
        await newsroom.add(newsroom.publisher.url("/missing"))


async def test_many_sources_are_collected_side_by_side(newsroom: Newsroom) -> None:
    arrived = 0
    all_here = asyncio.Event()

    async def together(_request: web.Request) -> web.Response:
        nonlocal arrived
        arrived += 1
        if arrived == 2:
            all_here.set()
        await asyncio.wait_for(all_here.wait(), 10)
        return web.Response(body=rss(item(arrived)))

    newsroom.publisher.pages |= {"/a": together, "/b": together}
    results = await newsroom.collect_all(a=newsroom.source("/a"), b=newsroom.source("/b"))
    assert [result.error for result in results.values()] == ["", ""]


def test_a_source_is_due_when_its_time_has_passed() -> None:
    source = Source(feed="https://news.example/rss", every="10m")
    row = SourceRow("front", "feed", "https://news.example/rss", last_attempt_at=NOW)

    def due(known: list[SourceRow], minutes: float) -> list[str]:
        return due_sources(known, {"front": source}, NOW + timedelta(minutes=minutes))

    assert due([], 0) == ["front"]
    assert due([row], 9) == []
    assert due([row], 10) == ["front"]
    assert due([replace(row, failures=1)], 19) == []
    assert due([replace(row, failures=1)], 20) == ["front"]
    assert due([replace(row, location="https://old.example/")], 1) == ["front"]
    assert due([row], -60) == ["front"]


def test_failures_stretch_the_interval_up_to_six_hours_and_never_shorten_it() -> None:
    assert interval(timedelta(minutes=10), 3) == timedelta(minutes=80)
    assert interval(timedelta(minutes=10), 1000) == timedelta(hours=6)
    assert interval(timedelta(days=1), 5) == timedelta(days=1)


async def test_saved_pages_that_share_a_wrong_address_stay_stories_of_their_own(newsroom: Newsroom) -> None:
    inbox = newsroom.folder / "inbox"
    inbox.mkdir()
    source = Source(folder=Path("inbox"))
    (inbox / "dam.html").write_text(SAVED)
    await newsroom.collect("desk", source)
    told = "".join(f"<p>Councillor {name} had asked for the budget twice, and got no answer.</p>" for name in "ABCDEF")
    other = SAVED.replace("Dam opens its gates", "Mayor resigns").replace(BODY, told)
    (inbox / "mayor.html").write_text(other.replace("Water rose overnight.", "She leaves in May."))
    result = await newsroom.collect("desk", source)
    assert (result.new, result.changed) == (1, 0), "which only both files together tell"
    assert {one.headline for one in newsroom.articles()} == {"Dam opens its gates", "Mayor resigns"}


async def test_an_older_version_that_is_put_beside_a_story_does_not_bring_back_its_words(newsroom: Newsroom) -> None:
    inbox = newsroom.folder / "inbox"
    inbox.mkdir()
    source = Source(folder=Path("inbox"))
    told = [f"The water at gauge {number} rose by {number + 3} centimetres in the night." for number in range(12)]
    (inbox / "flood-2.txt").write_text("\n\n".join(["Flood: two bridges shut", *told, "Two bridges are shut."]))
    await newsroom.collect("desk", source)
    older = inbox / "flood-1.txt"
    older.write_text("\n\n".join(["Flood: one bridge shut", *told, "One bridge is shut."]))
    os.utime(older, (1_000_000, 1_000_000))
    result = await newsroom.collect("desk", source)
    assert (result.new, result.changed) == (0, 0), "the newer file says the same story"
    assert [one.headline for one in newsroom.articles()] == ["Flood: two bridges shut"]


async def test_what_turns_out_to_recur_leaves_the_pages_that_were_read_before(newsroom: Newsroom) -> None:
    inbox = newsroom.folder / "inbox"
    inbox.mkdir()
    source = Source(folder=Path("inbox"))
    own = "The Quarry Examiner has been printed in Malmö since 1888 and is read on the quay."
    results = []
    for number, told in enumerate(
        ["A bus was late.", "Bread got dearer.", "Rain fell all day on the roof of the fair."]
    ):
        (inbox / f"{number}.txt").write_text(f"Headline number {number} of the day\n\n{told}\n\n{own}")
        results.append(await newsroom.collect("desk", source))
    assert [(one.new, one.changed) for one in results] == [(1, 0), (1, 0), (1, 2)]
    assert not any("Quarry" in one.body_text for one in newsroom.articles())
