from __future__ import annotations

import io
import json
from calendar import timegm
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from xml.etree import ElementTree

import feedparser
import pytest
from aiohttp import ClientSession
from lxml import html
from PIL import Image

from newsletter.demo.site import SECTIONS, DemoSite, build_pages, load_articles
from newsletter.errors import UsageError

NOW = datetime(2026, 11, 1, 1, 30, tzinfo=UTC)
BASE = "http://127.0.0.1:8080"
SECTION_FEEDS = {f"/{name.lower()}.rss": name for name in SECTIONS}
FEEDS = {"/rss.xml": None, "/world.atom": "World"} | SECTION_FEEDS
PAGES = build_pages(NOW, BASE)


def articles_of(section: str | None) -> list[str]:
    return [article.headline for article in load_articles() if section in {None, article.section}]


def published_at(entry: feedparser.FeedParserDict) -> datetime:
    return datetime.fromtimestamp(timegm(entry.published_parsed), UTC)


def article_pages() -> list[tuple[str, html.HtmlElement]]:
    return [
        (article.slug, html.fromstring(PAGES[article.path].body, base_url=BASE + article.path))
        for article in load_articles()
    ]


def test_every_section_has_its_share_and_every_name_is_unique() -> None:
    counts = Counter(article.section for article in load_articles())
    assert counts == {"National": 7, "World": 6, "Business": 5, "Sport": 4, "Culture": 4}
    for unique in ("slug", "guid", "headline", "published_minutes_ago"):
        assert len({getattr(article, unique) for article in load_articles()}) == 26


def test_the_news_is_never_older_than_twenty_hours() -> None:
    assert all(timedelta(0) < article.age <= timedelta(hours=20) for article in load_articles())


@pytest.mark.parametrize("path", FEEDS)
def test_each_feed_is_well_formed_and_has_every_story_newest_first(path: str) -> None:
    ElementTree.fromstring(PAGES[path].body)
    feed = feedparser.parse(PAGES[path].body, response_headers={"content-type": PAGES[path].content_type})
    assert not feed.bozo, feed.get("bozo_exception")
    assert [entry.title for entry in feed.entries] == articles_of(FEEDS[path])
    assert feed.version == ("atom10" if path.endswith(".atom") else "rss20")


def test_a_feed_carries_the_whole_story_with_authors_sections_and_picture() -> None:
    feed = feedparser.parse(PAGES["/rss.xml"].body)
    for article, entry in zip(load_articles(), feed.entries, strict=True):
        assert entry.link == BASE + article.path
        assert entry.id == article.guid
        assert [author.name for author in entry.authors] == list(article.authors)
        assert [tag.term for tag in entry.tags] == [article.section, *article.tags]
        assert entry.content[0].value.count("<p>") == article.body.count("\n\n") + 1
        assert published_at(entry) == NOW - article.age
        if article.picture:
            assert entry.media_content[0]["url"] == BASE + article.picture.path
            assert entry.media_credit[0]["content"] == article.picture.credit
        else:
            assert "media_content" not in entry


def test_quotes_ampersands_dashes_accents_and_hindi_survive_the_feeds() -> None:
    text = " ".join(entry.title + entry.content[0].value for entry in feedparser.parse(PAGES["/rss.xml"].body).entries)
    for fragment in (
        "“Not for sale”: Murthy & Daughters",
        "river — six",
        "São Bento do Vale",
        "किताब अभी बाकी है",
    ):
        assert fragment in text
    assert b"Murthy &amp; Daughters" in PAGES["/business.rss"].body
    assert b"Murthy &amp;amp;" not in PAGES["/business.rss"].body


def test_the_atom_feed_links_its_pictures_as_enclosures() -> None:
    enclosures = [link for entry in feedparser.parse(PAGES["/world.atom"].body).entries for link in entry.enclosures]
    assert len(enclosures) == sum(1 for article in load_articles() if article.section == "World" and article.picture)
    for enclosure in enclosures:
        assert int(enclosure.length) == len(PAGES[urlsplit(enclosure.href).path].body)


def test_every_article_page_has_linked_data_that_agrees_with_the_page() -> None:
    for (slug, page), article in zip(article_pages(), load_articles(), strict=True):
        (script,) = page.xpath("//script[@type='application/ld+json']/text()")
        data = json.loads(script)
        assert data["@type"] == "NewsArticle", slug
        assert data["headline"] == article.headline == page.findtext(".//h1")
        assert data["isAccessibleForFree"] is (article.access == "free")
        assert data["datePublished"] == page.xpath("string(//article//time/@datetime)")
        assert (
            data["mainEntityOfPage"]["@id"]
            == page.xpath("string(//link[@rel='canonical']/@href)")
            == BASE + article.path
        )
        assert ("image" in data) == bool(page.xpath("//article//figure/figcaption")) == (article.picture is not None)


def test_every_link_on_every_page_leads_somewhere() -> None:
    for path, page in PAGES.items():
        if page.content_type.startswith("text/html"):
            elements = html.fromstring(page.body).iter()
            links = {link for element in elements for link in (element.get("href"), element.get("src")) if link}
            assert {urlsplit(link).path for link in links} <= PAGES.keys(), path


def test_each_picture_is_of_the_promised_size_and_described() -> None:
    pictures = [article.picture for article in load_articles() if article.picture]
    assert len({picture.name for picture in pictures}) == 13
    for picture in pictures:
        assert Image.open(io.BytesIO(picture.jpeg)).size == (1440, 960)
        assert len(picture.jpeg) <= 140_000, picture.name
        assert picture.alt
        assert picture.caption
        assert picture.credit


def test_an_article_held_back_appears_nowhere() -> None:
    slug = "a-lost-film-comes-back"
    pages = build_pages(NOW, BASE, held_back={slug})
    assert pages.keys() == PAGES.keys() - {f"/culture/{slug}", "/pictures/film-projector.jpg"}
    assert not any(slug.encode() in page.body for page in pages.values())


async def test_every_picture_link_answers_200() -> None:
    async with DemoSite() as site, ClientSession() as client:
        async with client.get(f"{site.url}/rss.xml") as response:
            feed = feedparser.parse(await response.read())
        pictures = [entry.media_content[0]["url"] for entry in feed.entries if "media_content" in entry]
        assert len(pictures) == 13
        for url in pictures:
            async with client.get(url) as response:
                assert response.status == 200
                assert response.content_type == "image/jpeg"


@pytest.mark.parametrize("path", ["/", "/rss.xml", "/world.atom", "/pictures/lighthouse.jpg"])
async def test_a_second_conditional_get_is_answered_304(path: str) -> None:
    async with DemoSite() as site, ClientSession() as client:
        async with client.get(site.url + path) as first:
            assert first.status == 200
        for validator in (
            {"If-None-Match": first.headers["ETag"]},
            {"If-Modified-Since": first.headers["Last-Modified"]},
        ):
            async with client.get(site.url + path, headers=validator) as second:
                assert second.status == 304
                assert await second.read() == b""
                assert second.headers["ETag"] == first.headers["ETag"]


async def test_a_published_article_arrives_as_the_newest_and_changes_only_what_shows_it() -> None:
    slug = "rail-strike-called-off"
    later = iter([NOW, NOW + timedelta(minutes=7)])
    async with DemoSite(held_back={slug}, clock=lambda: next(later)) as site, ClientSession() as client:
        async with client.get(f"{site.url}/national.rss") as before:
            assert slug not in await before.text()
        async with client.get(f"{site.url}/culture.rss") as elsewhere:
            assert elsewhere.status == 200

        assert site.publish(slug) == f"{site.url}/national/{slug}"

        assert not site.held_back
        for validator in (
            {"If-None-Match": before.headers["ETag"]},
            {"If-Modified-Since": before.headers["Last-Modified"]},
        ):
            async with client.get(f"{site.url}/national.rss", headers=validator) as after:
                newest = feedparser.parse(await after.read()).entries[0]
        assert newest.link == f"{site.url}/national/{slug}"
        assert published_at(newest) == NOW + timedelta(minutes=7)
        unchanged = {"If-None-Match": elsewhere.headers["ETag"]}
        async with client.get(f"{site.url}/culture.rss", headers=unchanged) as response:
            assert response.status == 304


async def test_an_unknown_path_is_404_and_a_section_without_its_slash_is_redirected() -> None:
    async with DemoSite() as site, ClientSession() as client:
        async with client.get(f"{site.url}/nothing") as response:
            assert response.status == 404
        async with client.get(f"{site.url}/sport", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (301, "/sport/")


async def test_only_an_article_that_exists_can_be_held_back_and_only_once_published() -> None:
    with pytest.raises(UsageError, match="no-such-story"):
        DemoSite(held_back={"no-such-story"})
    async with DemoSite(held_back={"rail-strike-called-off"}) as site:
        site.publish("rail-strike-called-off")
        with pytest.raises(UsageError, match="held back"):
            site.publish("rail-strike-called-off")
