"""Our pages and the pictures of a mail are asked over real HTTP, in bounded time, and each fault is told once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.config.reading import Configuration, load
from newsletter.schedule.reachability import Reachability, Reached
from newsletter.store import Store
from tests.support.pages_server import PICTURE, WELL, PagesServer, pages_server
from tests.support.waiting import free_port
from tests.support.web_server import SITE, a_site, served


@pytest.fixture
def pages() -> Iterator[PagesServer]:
    with pages_server() as serving:
        yield serving


def media(pages: PagesServer, *names: str) -> list[str]:
    return [f"{pages.url}/media/{name}" for name in names]


def ask(configuration: Configuration, lead: list[str] | None = None, pictures: list[str] | None = None) -> Reached:
    asking = Reachability(configuration, within=timedelta(seconds=0.4), in_all=timedelta(seconds=1.2))
    return asking.ask(web=True, lead=lead or [], pictures=pictures or [])


async def test_our_own_pages_are_well(tmp_path: Path, store: Store) -> None:
    async with served(a_site(tmp_path), store) as url:
        asking = Reachability(a_site(tmp_path, url))
        assert await asyncio.to_thread(asking.ask, web=True, lead=[], pictures=[]) == Reached()


def test_pages_that_answer_with_an_error_or_as_another_site_or_not_at_all_are_not_ours(
    tmp_path: Path, pages: PagesServer
) -> None:
    configuration = a_site(tmp_path, pages.url)
    assert ask(configuration).web == ""
    pages.answers["/health"] = (503, "application/json", b'{"status":"store unavailable"}')
    assert ask(configuration).web == "it answered 503 Service Unavailable"
    for foreign in (b"<html>Welcome</html>", b"[]", b'{"status":"bad"}', b"\xff"):
        pages.answers["/health"] = (200, "text/html", foreign)
        assert ask(configuration).web == "what answers at /health is not this program's page"
    assert ask(a_site(tmp_path, f"http://127.0.0.1:{free_port()}")).web.startswith("it cannot be connected to")


def test_what_fails_once_is_asked_once_more(tmp_path: Path, pages: PagesServer) -> None:
    pages.answers["/health"] = (502, "text/html", b"")
    asking = Reachability(a_site(tmp_path, pages.url))
    assert asking.ask(web=True, lead=[], pictures=[]).web == "it answered 502 Bad Gateway"
    assert pages.asked == ["/health", "/health"]


def test_pages_that_are_silent_cost_little_time(tmp_path: Path, pages: PagesServer) -> None:
    pages.silent.add("/health")
    began = time.monotonic()
    assert ask(a_site(tmp_path, pages.url)).web == "no complete answer within 0.4 s"
    assert time.monotonic() - began < 5


def test_a_picture_that_is_missing_or_is_none_is_told_the_leads_first(tmp_path: Path, pages: PagesServer) -> None:
    pages.answers |= {"/media/a.jpg": PICTURE, "/media/page.jpg": (200, "text/html; charset=utf-8", b"hello")}
    lead, others = media(pages, "gone.jpg"), media(pages, "page.jpg", "a.jpg")
    found = ask(a_site(tmp_path, pages.url), lead, others)
    assert list(found.pictures.items()) == [
        (lead[0], "it answered 404 Not Found"),
        (others[0], "it is no picture but text/html"),
    ]


def test_of_pages_that_are_down_the_pictures_are_not_told_as_well(tmp_path: Path, pages: PagesServer) -> None:
    del pages.answers["/health"]
    found = ask(a_site(tmp_path, pages.url), media(pages, "lead.jpg"), media(pages, "a.jpg"))
    assert (found.web, found.pictures) == ("it answered 404 Not Found", {})


def test_pictures_that_were_not_answered_for_in_time_are_unknown_and_blamed_for_nothing(
    tmp_path: Path, pages: PagesServer
) -> None:
    names = [f"{number}.jpg" for number in range(8)]
    pages.silent |= {f"/media/{name}" for name in names}
    began = time.monotonic()
    found = ask(a_site(tmp_path, pages.url), [], media(pages, *names))
    assert time.monotonic() - began < 6
    assert found.web == ""
    assert len(found.pictures) + found.unknown == 8
    assert found.unknown >= 4, "two at a time, each twice 0.4 s, in 1.2 s"


def test_each_address_is_asked_once_until_it_is_forgotten(tmp_path: Path, pages: PagesServer) -> None:
    pages.answers |= {"/media/a.jpg": PICTURE}
    asking = Reachability(a_site(tmp_path, pages.url))
    for _ in range(3):
        assert asking.ask(web=True, lead=media(pages, "a.jpg"), pictures=media(pages, "a.jpg")) == Reached()
    assert sorted(pages.asked) == ["/health", "/media/a.jpg"]
    asking.forget()
    asking.ask(web=True, lead=[], pictures=[])
    assert sorted(pages.asked) == ["/health", "/health", "/media/a.jpg"]


def test_only_the_leads_picture_is_asked_for_where_somebody_else_serves_it_and_never_inside_our_network(
    tmp_path: Path, pages: PagesServer
) -> None:
    with pages_server() as inside:
        inside.answers = {"/lead.jpg": PICTURE}
        found = ask(a_site(tmp_path, pages.url), [f"{inside.url}/lead.jpg"], [f"{inside.url}/other.jpg"])
        assert list(found.pictures) == [f"{inside.url}/lead.jpg"]
        assert "is not a public address" in found.pictures[f"{inside.url}/lead.jpg"]
        assert inside.asked == []
        trusted = a_site(tmp_path, pages.url, f'{{cms: {{feed: "{inside.url}/rss", allow_private: true}}}}')
        assert ask(trusted, [f"{inside.url}/lead.jpg"], [f"{inside.url}/other.jpg"]).pictures == {}
        assert inside.asked == ["/lead.jpg"]


def test_a_site_without_pages_asks_nobody(tmp_path: Path) -> None:
    file = tmp_path / "schedules.yaml"
    (tmp_path / "inbox").mkdir()
    text = SITE.format(url="x", sources="{desk: {folder: inbox}}").replace('web: {url: "x"}', "environment: staging")
    file.write_text(text)
    found = ask(load(file, {}), ["http://127.0.0.1:8025/media/lead.jpg"], ["http://127.0.0.1:8025/media/a.jpg"])
    assert found == Reached()


def test_what_is_well_is_what_our_pages_say(tmp_path: Path, pages: PagesServer) -> None:
    pages.answers["/health"] = WELL
    with pages_server() as elsewhere:
        pages.answers["/health"] = (302, "text/html", b"")
        assert ask(a_site(tmp_path, pages.url)).web == "it answered 302 without saying where to"
        assert elsewhere.asked == []
