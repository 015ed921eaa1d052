"""How a source is treated that is gone, tired, moved or asked for: when it is asked again, and what is kept of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from newsletter.collect.collecting import due_sources
from newsletter.store import sources
from newsletter.store.sources import Outcome
from tests.builders import NOW
from tests.collect.feeds import item, rss
from tests.collect.test_collecting import Newsroom, newsroom, parser  # noqa: F401
from tests.net.publisher import answering

MINUTE = timedelta(minutes=1)


def is_due(newsroom: Newsroom, after: timedelta, **changes: Any) -> bool:  # noqa: F811
    rows = newsroom.store.read(sources.list_sources)
    return bool(due_sources(rows, {"front": newsroom.source(**changes)}, NOW + after))


async def test_a_source_that_answers_410_is_retired_until_somebody_asks_for_it(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/feed"] = answering(410)
    result = await newsroom.collect()
    assert (result.retired, "410" in result.error, "`newsletter collect front`" in result.error) == (True, True, True)
    assert not is_due(newsroom, timedelta(days=30))
    newsroom.publisher.pages["/feed"] = rss(item(1))
    assert (await newsroom.collect(now=NOW + MINUTE)).new == 1
    assert newsroom.row().retired_at is None
    assert is_due(newsroom, timedelta(minutes=11))


async def test_a_retired_source_that_gets_another_address_is_asked_there(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/feed"] = answering(410)
    await newsroom.collect()
    assert is_due(newsroom, MINUTE, feed=newsroom.publisher.url("/new"))


async def test_a_404_is_a_failure_like_any_other_and_retires_nothing(newsroom: Newsroom) -> None:  # noqa: F811
    assert (await newsroom.collect()).retired is False
    assert is_due(newsroom, timedelta(minutes=21))


async def test_retry_after_is_waited_for(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/feed"] = answering(429, Retry_After="7200")
    await newsroom.collect()
    assert newsroom.row().next_due_at == NOW + timedelta(hours=2)
    assert not is_due(newsroom, timedelta(minutes=119))
    assert is_due(newsroom, timedelta(minutes=120))


async def test_retry_after_never_makes_us_come_sooner(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/feed"] = answering(503, Retry_After="1")
    await newsroom.collect()
    assert not is_due(newsroom, timedelta(minutes=9))


async def test_who_is_asked_for_is_due_at_once_but_not_twice_in_ten_seconds(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/feed"] = rss(item(1))
    await newsroom.collect()
    source = newsroom.source()

    def ask(after: timedelta) -> None:
        newsroom.store.write(sources.request_poll, "front", source.kind, source.location, NOW + after)

    ask(timedelta(seconds=3))
    assert not is_due(newsroom, timedelta(seconds=4))
    assert is_due(newsroom, timedelta(seconds=10))
    await newsroom.collect(now=NOW + timedelta(seconds=10))
    assert not is_due(newsroom, timedelta(seconds=30)), "it has been done"


async def test_what_is_asked_for_during_a_collection_is_not_forgotten(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/feed"] = rss(item(1))
    await newsroom.collect()
    row = newsroom.row()
    source = newsroom.source()
    newsroom.store.write(sources.request_poll, "front", source.kind, source.location, NOW + timedelta(minutes=1))
    fetch = newsroom.store.read(sources.last_fetches, "front")[0]
    newsroom.store.write(sources.record, row, fetch)
    assert newsroom.row().poll_requested_at == NOW + timedelta(minutes=1)


async def test_the_bytes_behind_an_error_are_kept_until_it_goes_well(newsroom: Newsroom) -> None:  # noqa: F811
    newsroom.publisher.pages["/feed"] = b"<html><title>Maintenance</title>" + b"x" * 100_000
    await newsroom.collect()
    kept = newsroom.store.read(sources.error_body, "front")
    assert (kept[:32], len(kept)) == (b"<html><title>Maintenance</title>", 65_536)
    newsroom.publisher.pages["/feed"] = answering(500, b"database is down")
    await newsroom.collect(now=NOW + MINUTE)
    assert newsroom.store.read(sources.error_body, "front") == b"database is down"
    newsroom.publisher.pages["/feed"] = rss(item(1))
    await newsroom.collect(now=NOW + 2 * MINUTE)
    assert newsroom.store.read(sources.error_body, "front") == b""


async def test_each_attempt_is_logged_and_the_last_hundred_are_kept(newsroom: Newsroom) -> None:  # noqa: F811
    for minute in range(115):
        newsroom.publisher.pages["/feed"] = rss(item(1)) if minute % 2 else answering(500)
        await newsroom.collect(now=NOW + minute * MINUTE)
    fetches = newsroom.store.read(sources.last_fetches, "front", 200)
    assert 100 <= len(fetches) <= 110
    assert [fetch.outcome for fetch in fetches[:2]] == [Outcome.FAILED, Outcome.COLLECTED]
    assert fetches[0].at == NOW + 114 * MINUTE
