"""robots.txt against a real server: what it allows, what its absence means, how often it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import FetchError
from newsletter.net import Fetcher
from newsletter.net.robots import MAX_BYTES, Robots, kept_for, read_rules
from tests.net.publisher import Publisher, answering, never_ending, publishing, redirecting

HOUR = timedelta(hours=1)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 6, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def robots(clock: Clock) -> AsyncIterator[Robots]:
    async with Fetcher(jitter=timedelta()) as fetcher:
        yield Robots(fetcher, clock=clock)


async def refusal(robots: Robots, url: str) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await robots.allowed(url, allow_private=True)
    return caught.value


RULES = b"""# of a newspaper
User-agent: *
Disallow: /

User-agent: Newsletter/2.0 # whatever its version
User-agent: friend
Disallow: /members/
Allow: /members/free$
Disallow: /*.pdf
"""


async def test_our_own_group_counts_and_the_longest_rule_wins(robots: Robots, publisher: Publisher) -> None:
    publisher.pages["/robots.txt"] = RULES
    for path in ("/story", "/members/free", "/member", "/"):
        await robots.allowed(publisher.url(path), allow_private=True)
    for path in ("/members/", "/members/paid?x=1", "/report.pdf", "/a/b.pdf"):
        assert "robots.txt does not allow it" in str(await refusal(robots, publisher.url(path)))
    assert [request.path for request in publisher.asked] == ["/robots.txt"]


async def test_a_refusal_is_one_line_with_what_to_do(robots: Robots, publisher: Publisher) -> None:
    publisher.pages["/robots.txt"] = b"User-agent: *\nDisallow: /"
    assert str(await refusal(robots, publisher.url("/story"))) == (
        f"{publisher.url('/story')}: robots.txt does not allow it. "
        "Let it allow the user agent 'newsletter' if the site is yours, or use the site's feed"
    )


@pytest.mark.parametrize(
    ("agent", "ours"),
    [
        ("newsletter", True),
        ("NEWSLETTER", True),
        ("newsletter/1.2", True),
        ("*", True),
        ("news", False),
        ("letter", False),
        ("newsletter-reader", False),
        ("other", False),
    ],
)
def test_a_group_is_ours_by_the_whole_product_token(agent: str, ours: bool) -> None:
    rules = read_rules(f"User-agent: {agent}\nDisallow: /\nCrawl-delay: 3\n".encode())
    assert rules.allow("https://news.example/story") is not ours
    assert rules.delay == timedelta(seconds=3 if ours else 0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
async def test_no_robots_txt_allows_everything(robots: Robots, publisher: Publisher, status: int) -> None:
    publisher.pages["/robots.txt"] = answering(status, b"User-agent: *\nDisallow: /")
    await robots.allowed(publisher.url("/story"), allow_private=True)
    await robots.allowed(publisher.url("/other"), allow_private=True)
    assert len(publisher.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_server_in_trouble_has_not_allowed_anything(robots: Robots, publisher: Publisher, status: int) -> None:
    publisher.pages["/robots.txt"] = answering(status)
    line = str(await refusal(robots, publisher.url("/story")))
    assert f"robots.txt of http://127.0.0.1:{publisher.port} could not be read (it answered {status}" in line
    assert "so nothing there is fetched" in line


async def test_a_host_that_cannot_be_reached_has_not_allowed_anything(robots: Robots) -> None:
    assert "could not be read (it cannot be connected to" in str(await refusal(robots, "http://127.0.0.1:9/story"))


async def test_a_server_in_trouble_is_asked_again_in_some_minutes(
    robots: Robots, publisher: Publisher, clock: Clock
) -> None:
    publisher.pages["/robots.txt"] = answering(503, Retry_After="1800")
    await refusal(robots, publisher.url("/story"))
    publisher.pages["/robots.txt"] = b""
    clock.now += timedelta(minutes=29)
    await refusal(robots, publisher.url("/story"))
    clock.now += timedelta(minutes=1)
    await robots.allowed(publisher.url("/story"), allow_private=True)


async def test_rules_we_had_still_hold_while_a_server_is_in_trouble(
    robots: Robots, publisher: Publisher, clock: Clock
) -> None:
    publisher.pages["/robots.txt"] = RULES
    await robots.allowed(publisher.url("/story"), allow_private=True)
    publisher.pages["/robots.txt"] = answering(500)
    clock.now += timedelta(days=2)
    await robots.allowed(publisher.url("/story"), allow_private=True)
    assert "does not allow" in str(await refusal(robots, publisher.url("/members/")))
    assert len(publisher.asked) == 2


@pytest.mark.parametrize(("said", "kept"), [(0.0, HOUR), (7200.0, 2 * HOUR), (1e9, 24 * HOUR), (None, 24 * HOUR)])
def test_rules_are_kept_from_an_hour_to_a_day(said: float | None, kept: timedelta) -> None:
    assert kept_for(said) == kept


async def test_rules_are_read_again_when_they_are_old(robots: Robots, publisher: Publisher, clock: Clock) -> None:
    publisher.pages["/robots.txt"] = answering(body=b"", Cache_Control="max-age=7200")
    await robots.allowed(publisher.url("/story"), allow_private=True)
    publisher.pages["/robots.txt"] = b"User-agent: *\nDisallow: /"
    clock.now += timedelta(seconds=7199)
    await robots.allowed(publisher.url("/story"), allow_private=True)
    clock.now += timedelta(seconds=1)
    await refusal(robots, publisher.url("/story"))


async def test_many_pages_at_once_ask_for_the_rules_once(robots: Robots, publisher: Publisher) -> None:
    publisher.pages["/robots.txt"] = b""
    await asyncio.gather(*(robots.allowed(publisher.url(f"/{n}"), allow_private=True) for n in range(20)))
    assert len(publisher.asked) == 1


async def test_a_robots_txt_may_redirect_but_not_for_ever(robots: Robots, publisher: Publisher) -> None:
    publisher.pages |= {"/robots.txt": redirecting("/rules"), "/rules": b"User-agent: *\nDisallow: /"}
    await refusal(robots, publisher.url("/story"))
    async with publishing() as elsewhere:
        elsewhere.pages["/robots.txt"] = redirecting("/robots.txt")
        await robots.allowed(elsewhere.url("/story"), allow_private=True)


async def test_a_guarded_host_is_not_asked_for_its_rules(robots: Robots, publisher: Publisher) -> None:
    publisher.pages["/robots.txt"] = b""
    with pytest.raises(FetchError, match=r"not a public address.*allow_private: true"):
        await robots.allowed(publisher.url("/story"))
    assert publisher.asked == []


async def test_only_the_beginning_of_a_huge_robots_txt_is_read(robots: Robots, publisher: Publisher) -> None:
    line = b"Disallow: /closed\n"
    publisher.pages["/robots.txt"] = never_ending(b"User-agent: *\n" + line * 3000, pause=0)
    await robots.allowed(publisher.url("/story"), allow_private=True)
    await refusal(robots, publisher.url("/closed"))
    filler = b"# \n" * (MAX_BYTES // 3)
    assert read_rules(filler + b"User-agent: *\nDisallow: /\n").allow("https://news.example/story")


async def test_pages_are_fetched_no_sooner_than_the_crawl_delay(robots: Robots, publisher: Publisher) -> None:
    publisher.pages["/robots.txt"] = b"User-agent: *\nCrawl-delay: 0.1\n"
    await robots.allowed(publisher.url("/1"), allow_private=True)
    began = perf_counter()
    await asyncio.gather(*(robots.allowed(publisher.url(f"/{n}"), allow_private=True) for n in range(3)))
    assert 0.28 < perf_counter() - began < 5


@pytest.mark.parametrize(("asked", "left"), [("600", 10), ("2.5", 2.5), ("-3", 0), ("nan", 0), ("1e999", 0), ("x", 0)])
def test_a_crawl_delay_is_at_most_ten_seconds(asked: str, left: float) -> None:
    assert read_rules(f"User-agent: *\nCrawl-delay: {asked}".encode()).delay == timedelta(seconds=left)


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_no_bytes_are_too_strange_for_a_robots_txt(body: bytes) -> None:
    read_rules(b"User-agent: *\n" + body).allow("https://news.example/a?b=c")


@pytest.mark.parametrize("end", ["\n", "\r", "\x0c", "\u2028"])
@pytest.mark.parametrize("name", ["User-agent: ", "user\tagent ", "USERAGENT:"])
def test_thousands_of_agents_hold_nothing_up(end: str, name: str) -> None:
    lines = [f"{name}x{n}" for n in range(12_000)] + [f"Disallow: /{n}" for n in range(12_000)]
    began = perf_counter()
    read_rules(end.join(lines).encode())
    assert perf_counter() - began < 3
