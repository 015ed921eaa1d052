"""Articles that came without a copy of their picture get one."""

from __future__ import annotations

from datetime import timedelta

from newsletter.collect.identity import to_remember
from newsletter.collect.illustrating import Illustrating
from newsletter.model import Picture
from newsletter.store import articles
from tests.builders import NOW, an_incoming_article
from tests.collect.test_collecting import Newsroom, jpeg, newsroom, parser  # noqa: F401

HOUR = timedelta(hours=1)


def illustrating(newsroom: Newsroom) -> Illustrating:  # noqa: F811
    return Illustrating(newsroom.store, newsroom.fetcher, newsroom.parser, newsroom.folder / "media")


def push(newsroom: Newsroom, path: str) -> None:  # noqa: F811
    article = an_incoming_article(source="cms", images=(Picture(newsroom.publisher.url(path)),))
    newsroom.store.write(articles.remember, to_remember([article]), now=NOW)


async def test_a_pushed_article_gets_a_copy_of_its_picture(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/dam.jpg"] = jpeg()
    push(newsroom, "/dam.jpg")
    looking = illustrating(newsroom)
    assert await looking.look({"cms": newsroom.source()}, NOW) == 1
    [article] = newsroom.articles()
    assert (newsroom.folder / "media" / article.images[0].media).is_file()
    assert await looking.look({"cms": newsroom.source()}, NOW) == 0


async def test_a_picture_that_could_not_be_had_is_tried_again_an_hour_later(newsroom: Newsroom) -> None:  # noqa: F811
    push(newsroom, "/dam.jpg")
    looking, wanted = illustrating(newsroom), {"cms": newsroom.source()}
    assert await looking.look(wanted, NOW) == 0
    newsroom.publisher.pages["/dam.jpg"] = jpeg()
    assert await looking.look(wanted, NOW + HOUR / 2) == 0
    assert len(newsroom.publisher.asked) == 1, "not asked for again so soon"
    assert await looking.look(wanted, NOW + HOUR) == 1


async def test_an_old_story_is_left_as_it_is(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/dam.jpg"] = jpeg()
    push(newsroom, "/dam.jpg")
    assert await illustrating(newsroom).look({"cms": newsroom.source()}, NOW + 7 * HOUR) == 0


async def test_a_source_whose_pictures_are_linked_gets_no_copies(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/dam.jpg"] = jpeg()
    push(newsroom, "/dam.jpg")
    linked = newsroom.source(images={"mode": "link", "pattern": "https://img.example/fit?u={url}&w={width}"})
    assert await illustrating(newsroom).look({"cms": linked}, NOW) == 0
    assert newsroom.publisher.asked == []
