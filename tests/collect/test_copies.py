"""Copies of a story's pictures: from a real server, through the worker, onto the disk and into the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from newsletter.collect.parsing import Parser
from newsletter.collect.pictures import Copies, candidates, copy_pictures, with_copies
from newsletter.model import IncomingArticle, Picture
from newsletter.net import Fetcher
from newsletter.store import Store, media
from newsletter.store.media import Medium
from tests.builders import NOW, an_incoming_article
from tests.collect.test_pictures import opened, picture
from tests.net.publisher import Publisher, answering, publishing


class Desk:
    """Everything a copy needs."""

    def __init__(self, store: Store, folder: Path, publisher: Publisher, fetcher: Fetcher, parser: Parser) -> None:
        self.store, self.folder, self.publisher = store, folder, publisher
        self._fetcher, self._parser = fetcher, parser

    def article(self, *paths: str) -> IncomingArticle:
        return an_incoming_article(images=tuple(Picture(self.publisher.url(path), alt=path) for path in paths))

    async def copy(self, *wanted: Sequence[str], seconds: float = 30) -> Copies:
        return await copy_pictures(
            wanted,
            store=self.store,
            fetcher=self._fetcher,
            parser=self._parser,
            media_folder=self.folder,
            now=NOW,
            allow_private=True,
            within=timedelta(seconds=seconds),
        )

    async def pictured(self, article: IncomingArticle) -> IncomingArticle:
        return with_copies(article, await self.copy(candidates(article.images)))

    @property
    def asked(self) -> list[str]:
        return [request.path for request in self.publisher.asked]


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser(1) as one:
        yield one


@pytest.fixture
async def desk(store: Store, parser: Parser, tmp_path: Path) -> AsyncIterator[Desk]:
    async with publishing() as publisher, Fetcher(jitter=timedelta()) as fetcher:
        publisher.pages["/dam.jpg"] = picture(1600, 900)
        publisher.pages["/river.png"] = picture(1000, 800, "PNG")
        publisher.pages["/words.jpg"] = b"<html>not here</html>"
        yield Desk(store, tmp_path / "media", publisher, fetcher, parser)


async def test_a_picture_is_kept_large_and_small(desk: Desk) -> None:
    lead = (await desk.pictured(desk.article("/dam.jpg"))).images[0]
    assert (lead.width, lead.height, lead.alt) == (1280, 720, "/dam.jpg")
    assert lead.small == lead.media.removesuffix(".jpg") + "-320.jpg"
    sizes = {path.name: opened(path.read_bytes()).size for path in desk.folder.iterdir()}
    assert sizes == {lead.media: (1280, 720), lead.small: (320, 180)}
    row = desk.store.read(media.by_name, lead.media)
    assert row is not None
    assert (row.url, row.width, row.height) == (lead.url, 1280, 720)


async def test_a_picture_is_asked_for_as_one(desk: Desk) -> None:
    await desk.pictured(desk.article("/dam.jpg"))
    assert desk.publisher.asked[0].headers["Accept"].startswith("image/")


async def test_a_picture_is_fetched_once(desk: Desk) -> None:
    first = await desk.pictured(desk.article("/dam.jpg"))
    one, two = desk.article("/dam.jpg"), desk.article("/dam.jpg", "/river.png")
    again = await desk.copy(candidates(one.images), candidates(two.images))
    assert with_copies(desk.article("/dam.jpg"), again) == first
    assert desk.asked == ["/dam.jpg"]


async def test_several_stories_at_once_fetch_their_picture_once(desk: Desk) -> None:
    wanted = [candidates(desk.article("/dam.jpg", f"/{number}.jpg").images) for number in range(8)]
    await desk.copy(*wanted)
    assert desk.asked == ["/dam.jpg"]


async def test_the_next_picture_that_can_be_had_leads(desk: Desk) -> None:
    article = desk.article("/gone.jpg", "/words.jpg", "/river.png", "/dam.jpg")
    copies = await desk.copy(candidates(article.images))
    found = with_copies(article, copies).images
    assert [bool(image.media) for image in found] == [False, False, True, False]
    assert [image.url for image in found] == [image.url for image in article.images]
    assert desk.asked == ["/gone.jpg", "/words.jpg", "/river.png"]
    assert [line.rpartition("/")[2].split(":")[0] for line in copies.left_out] == ["gone.jpg", "words.jpg"]


async def test_three_tries_are_enough(desk: Desk) -> None:
    article = await desk.pictured(desk.article("/1.jpg", "/2.jpg", "/2.jpg", "/3.jpg", "/dam.jpg"))
    assert not any(image.media for image in article.images)
    assert desk.asked == ["/1.jpg", "/2.jpg", "/3.jpg"]


def test_only_what_is_on_the_web_is_asked_for() -> None:
    urls = ("", "data:image/png;base64,AAAA", "cid:1", "https://news.example/a.jpg")
    assert candidates(tuple(Picture(url) for url in urls)) == urls[3:]


async def test_a_copy_that_was_deleted_is_fetched_again(desk: Desk) -> None:
    lead = (await desk.pictured(desk.article("/dam.jpg"))).images[0]
    (desk.folder / lead.media).unlink()
    assert (await desk.pictured(desk.article("/dam.jpg"))).images[0] == lead
    assert (desk.folder / lead.media).is_file()


async def test_a_copy_of_an_earlier_version_has_no_small_one(desk: Desk) -> None:
    url = desk.publisher.url("/dam.jpg")
    desk.folder.mkdir()
    (desk.folder / "old.jpg").write_bytes(picture())
    desk.store.write(media.add, Medium("old.jpg", url, "image/jpeg", 1280, 720, 90_000, NOW))
    lead = (await desk.pictured(desk.article("/dam.jpg"))).images[0]
    assert (lead.media, lead.small, desk.asked) == ("old.jpg", "", [])


async def test_pictures_that_never_come_hold_nobody_up(desk: Desk) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    desk.publisher.pages |= {"/silent.jpg": silent, "/busy.jpg": answering(503)}
    wanted = [candidates(desk.article(path).images) for path in ("/dam.jpg", "/silent.jpg", "/busy.jpg")]
    await desk.copy(wanted[0])
    copies = await desk.copy(*wanted, seconds=0.5)
    assert list(copies.media) == [desk.publisher.url("/dam.jpg")]
    assert copies.left_out[-1] == "pictures took longer than 0.5 s"
    assert "answered 503" in copies.left_out[0]


async def test_a_disk_that_takes_nothing_costs_the_picture_only(desk: Desk) -> None:
    desk.folder.write_text("a file where the folder should be")
    copies = await desk.copy(candidates(desk.article("/dam.jpg").images))
    assert copies.media == {}
    assert "pictures cannot be written" in copies.left_out[0]
    assert desk.store.read(media.by_urls, [desk.publisher.url("/dam.jpg")]) == {}
