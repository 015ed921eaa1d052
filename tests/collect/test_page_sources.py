"""Sources whose articles stand on pages of their own: section pages, sitemaps, feeds read in full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from newsletter.collect.parsing import Parser
from newsletter.model import Access
from newsletter.net import Fetcher
from newsletter.store import articles
from tests.builders import NOW
from tests.collect.feeds import item, rss
from tests.collect.publishing import OUT, article_page, section_page, sitemap, sitemap_index
from tests.collect.test_collecting import Newsroom, jpeg, newsroom, parser  # noqa: F401
from tests.net.publisher import answering, with_etag

LATER = NOW + timedelta(minutes=10)
LOCKED = '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>'


def asked(newsroom: Newsroom) -> list[str]:  # noqa: F811
    """The paths asked for since the last call, without robots.txt."""
    paths = [request.path for request in newsroom.publisher.asked if request.path != "/robots.txt"]
    newsroom.publisher.asked.clear()
    return paths


async def test_the_links_of_a_section_page_are_read_as_articles(newsroom: Newsroom) -> None:  # noqa: F811
    pages = newsroom.publisher.pages
    pages["/city"] = with_etag(section_page(["/story/1", "/story/2?utm_source=x", "/video/3"]))
    pages |= {"/story/1": article_page(1), "/story/2": article_page(2)}
    source = newsroom.source(feed=None, page=newsroom.publisher.url("/city"), links=r"/story/\d+", section="City")
    result = await newsroom.collect("city", source)
    assert (result.new, result.error, result.warnings) == (2, "", ())
    first = next(article for article in newsroom.articles() if "bridge 1 " in article.headline)
    assert (first.section, first.published_at, len(first.body_text.split("\n\n"))) == ("City", OUT, 3)
    assert sorted(asked(newsroom)) == ["/city", "/story/1", "/story/2"]
    again = await newsroom.collect("city", source, LATER)
    assert (again.not_modified, asked(newsroom)) == (True, ["/city"])


async def test_a_young_article_is_read_again_and_its_correction_kept(newsroom: Newsroom) -> None:  # noqa: F811
    pages = newsroom.publisher.pages
    pages |= {"/city": section_page(["/story/1"]), "/story/1": article_page(1)}
    source = newsroom.source(feed=None, page=newsroom.publisher.url("/city"), links=r"/story/\d+")
    await newsroom.collect("city", source)
    pages["/story/1"] = article_page(1, headline="Ranipur will not rebuild bridge 1 before the next rains")
    result = await newsroom.collect("city", source, LATER)
    assert (result.new, result.changed) == (0, 1)
    assert [article.headline for article in newsroom.articles()] == [
        "Ranipur will not rebuild bridge 1 before the next rains"
    ]


async def test_an_article_whose_page_is_gone_is_retracted(newsroom: Newsroom) -> None:  # noqa: F811
    pages = newsroom.publisher.pages
    pages |= {"/city": section_page(["/story/1", "/story/2"])}
    pages |= {"/story/1": article_page(1), "/story/2": article_page(2)}
    source = newsroom.source(feed=None, page=newsroom.publisher.url("/city"), links=r"/story/\d+")
    await newsroom.collect("city", source)
    pages["/story/2"] = answering(410)
    await newsroom.collect("city", source, LATER)
    retracted = {article.url[-1]: article.retracted_at for article in newsroom.articles()}
    assert retracted == {"1": None, "2": LATER}


async def test_a_page_that_failed_is_read_the_next_time(newsroom: Newsroom) -> None:  # noqa: F811
    pages = newsroom.publisher.pages
    pages |= {"/city": with_etag(section_page(["/story/1", "/story/2"]))}
    pages |= {"/story/1": article_page(1), "/story/2": answering(503)}
    source = newsroom.source(feed=None, page=newsroom.publisher.url("/city"), links=r"/story/\d+")
    result = await newsroom.collect("city", source)
    assert (result.new, len(result.warnings), result.error) == (1, 1, "")
    pages["/story/2"] = article_page(2)
    assert (await newsroom.collect("city", source, LATER)).new == 1


async def test_a_page_without_matching_links_says_what_to_compare(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/city"] = section_page(["/story/1"])
    source = newsroom.source(feed=None, page=newsroom.publisher.url("/city"), links=r"/article/\d+")
    result = await newsroom.collect("city", source)
    assert "/city: no link on this page matches links: /article/" in result.error


async def test_robots_txt_is_obeyed_for_pages_and_sitemaps(newsroom: Newsroom) -> None:  # noqa: F811
    pages = newsroom.publisher.pages
    pages |= {"/robots.txt": b"User-agent: *\nDisallow: /story/\n", "/city": section_page(["/story/1"])}
    pages |= {"/story/1": article_page(1)}
    source = newsroom.source(feed=None, page=newsroom.publisher.url("/city"), links=r"/story/\d+")
    result = await newsroom.collect("city", source)
    assert (result.new, "robots.txt" in result.warnings[0]) == (0, True)
    assert asked(newsroom) == ["/city"]


async def test_a_sitemap_gives_its_articles_with_their_dates(newsroom: Newsroom) -> None:  # noqa: F811
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    listed = [(url(f"/story/{number}"), OUT + timedelta(minutes=number)) for number in (1, 2, 3)]
    pages["/news.xml"] = with_etag(sitemap(listed))
    pages |= {f"/story/{number}": article_page(number) for number in (1, 2, 3)}
    source = newsroom.source(feed=None, sitemap=url("/news.xml"))
    assert (await newsroom.collect("site", source)).new == 3
    asked(newsroom)
    assert (await newsroom.collect("site", source, LATER)).not_modified
    assert asked(newsroom) == ["/news.xml"], "unchanged: one 304"


async def test_an_index_of_sitemaps_is_followed_and_an_unchanged_one_costs_a_304_each(
    newsroom: Newsroom,  # noqa: F811
) -> None:
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    pages["/index.xml"] = with_etag(sitemap_index([url("/a.xml"), url("/b.xml")]))
    pages["/a.xml"] = with_etag(sitemap([(url("/story/1"), OUT)]))
    pages["/b.xml"] = with_etag(sitemap([(url("/story/2"), OUT)]))
    pages |= {f"/story/{number}": article_page(number) for number in (1, 2, 3)}
    source = newsroom.source(feed=None, sitemap=url("/index.xml"))
    assert (await newsroom.collect("site", source)).new == 2
    asked(newsroom)
    assert (await newsroom.collect("site", source, LATER)).not_modified
    assert sorted(asked(newsroom)) == ["/a.xml", "/b.xml", "/index.xml"]
    pages["/b.xml"] = with_etag(sitemap([(url("/story/2"), OUT), (url("/story/3"), OUT)]), '"v2"')
    assert (await newsroom.collect("site", source, LATER + timedelta(minutes=10))).new == 1, "the index stood still"


async def test_what_a_first_visit_cannot_read_is_remembered_and_never_sent(newsroom: Newsroom) -> None:  # noqa: F811
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    listed = [(url(f"/story/{number}"), OUT - timedelta(minutes=number)) for number in range(130)]
    pages["/news.xml"] = sitemap(listed)
    pages |= {f"/story/{number}": article_page(number) for number in range(130)}
    source = newsroom.source(feed=None, sitemap=url("/news.xml"), backfill=5)
    result = await newsroom.collect("site", source)
    known = newsroom.store.read(articles.list_articles, limit=200)
    assert (result.new, len(known), sum(article.eligible for article in known)) == (130, 130, 5)
    assert len([path for path in asked(newsroom) if path.startswith("/story/")]) == 100
    assert (await newsroom.collect("site", source, LATER)).new == 0
    assert not [path for path in asked(newsroom) if path.startswith("/story/")]


async def test_an_article_that_left_the_sitemap_between_its_neighbours_is_retracted_until_it_is_back(
    newsroom: Newsroom,  # noqa: F811
) -> None:
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    listed = [(url(f"/story/{number}"), OUT + timedelta(minutes=number)) for number in (1, 2, 3, 4)]
    pages["/news.xml"] = sitemap(listed)
    pages |= {
        f"/story/{number}": article_page(number).replace(
            OUT.isoformat().encode(), (OUT + timedelta(minutes=number)).isoformat().encode()
        )
        for number in (1, 2, 3, 4)
    }
    source = newsroom.source(feed=None, sitemap=url("/news.xml"))
    await newsroom.collect("site", source)

    def retracted() -> set[str]:
        return {article.url[-1] for article in newsroom.articles() if article.retracted_at is not None}

    # 3 left between its neighbours; 1 is the oldest, which a sitemap of the last days lets go of.
    pages["/news.xml"] = sitemap([listed[1], listed[3]])
    await newsroom.collect("site", source, LATER)
    assert retracted() == {"3"}
    pages["/news.xml"] = sitemap(listed)
    await newsroom.collect("site", source, LATER + timedelta(minutes=10))
    assert retracted() == set()


async def test_a_feed_read_in_full_takes_the_body_and_who_may_read_it_from_the_page(
    newsroom: Newsroom,  # noqa: F811
) -> None:
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    pages["/feed"] = rss(item(title="The feed's own headline", link=url("/story/1")))
    pages["/story/1"] = article_page(1, extra=LOCKED)
    source = newsroom.source(full_text=True)
    assert (await newsroom.collect(source=source)).error == ""
    [article] = newsroom.articles()
    assert (article.headline, article.access) == ("The feed's own headline", Access.MEMBERS)
    assert len(article.body_text.split("\n\n")) == 3
    asked(newsroom)
    result = await newsroom.collect(source=source, now=LATER)
    assert (result.changed, asked(newsroom)) == (0, ["/feed"]), "known stories are not read again, nor cut back"


async def test_a_page_without_a_date_is_of_the_day_in_its_address(newsroom: Newsroom) -> None:  # noqa: F811
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    undated = article_page(1).replace(b"article:published_time", b"article:else")
    pages |= {"/city": section_page(["/2026/11/20/bridge"]), "/2026/11/20/bridge": undated}
    source = newsroom.source(feed=None, page=url("/city"), links=r"/2026/", timezone="Asia/Kolkata")
    await newsroom.collect("city", source)
    (article,) = newsroom.articles()
    assert article.published_at == datetime(2026, 11, 19, 18, 30, tzinfo=UTC)


async def test_a_day_in_the_address_yields_to_the_sitemaps_date_and_dates_no_feed(
    newsroom: Newsroom,  # noqa: F811
) -> None:
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    pages["/2026/11/20/bridge"] = article_page(1).replace(b"article:published_time", b"article:else")
    pages["/news.xml"] = sitemap([(url("/2026/11/20/bridge"), OUT)])
    await newsroom.collect("site", newsroom.source(feed=None, sitemap=url("/news.xml")))
    pages["/feed"] = rss(item(1, link=url("/2026/11/20/ferry")))
    await newsroom.collect("front")
    assert {one.source: one.published_at for one in newsroom.articles()} == {"site": OUT, "front": NOW}


class Watched(Parser):
    """A parser that notes what the fetcher holds whenever something is read."""

    def __init__(self, fetcher: Fetcher) -> None:
        super().__init__(2)
        self.fetcher = fetcher
        self.held: list[tuple[str, bool]] = []

    def run_here(self, limit: timedelta, work: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.held.append((work.__name__, self.fetcher.budget.held >= len(args[0])))
        return super().run_here(limit, work, *args, **kwargs)


async def test_a_body_counts_as_held_until_it_is_read(newsroom: Newsroom) -> None:  # noqa: F811
    url, pages = newsroom.publisher.url, newsroom.publisher.pages
    pages |= {"/city": section_page(["/story/1"]), "/news.xml": sitemap([(url("/story/2"), OUT)])}
    pages |= {f"/story/{number}": article_page(number) for number in (1, 2, 3)}
    pages |= {
        "/feed": rss(item(3, link=url("/story/3"), extra=f'<enclosure url="{url("/a.jpg")}" type="image/jpeg"/>'))
    }
    pages["/a.jpg"] = answering(body=jpeg(), Content_Type="image/jpeg")
    with Watched(newsroom.fetcher) as watched:
        newsroom.parser = watched
        await newsroom.collect("city", newsroom.source(feed=None, page=url("/city"), links="/story/"))
        await newsroom.collect("site", newsroom.source(feed=None, sitemap=url("/news.xml")))
        await newsroom.collect("front", newsroom.source(full_text=True))
    assert {name for name, _ in watched.held} == {"read_links", "read_page", "read_sitemap", "read_feed", "shrink"}
    assert all(held for _, held in watched.held), watched.held
    assert newsroom.fetcher.budget.held == 0
