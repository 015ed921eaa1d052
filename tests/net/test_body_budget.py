"""What all bodies together hold: bounded, never stuck, and small ones not kept waiting by large ones."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import FetchError
from newsletter.net import Fetched, Fetcher
from newsletter.net.body_budget import BodyBudget, Share
from tests.net.publisher import Handler, answering, publishing

MOST, SMALL, LARGE = 1_000_000, 100_000, 600_000
PATIENCE = timedelta(seconds=20)


@asynccontextmanager
async def serving(*pages: bytes | Handler) -> AsyncIterator[tuple[Fetcher, list[str]]]:
    """A fetcher, and the address of each page: a server of its own, since few are asked of one at a time."""
    async with AsyncExitStack() as open_ones:
        urls = []
        for page in pages:
            publisher = await open_ones.enter_async_context(publishing())
            publisher.pages["/feed"] = page
            urls.append(publisher.url())
        yield await open_ones.enter_async_context(Fetcher(jitter=timedelta(), budget=BodyBudget(MOST, SMALL))), urls


async def fetched(fetcher: Fetcher, url: str, share: Share | None = None, within: timedelta = PATIENCE) -> Fetched:
    return await fetcher.fetch(url, within=within, allow_private=True, share=share)


def in_step(parties: int, size: int) -> Handler:
    """``size`` bytes in two halves, of which nobody is given the second before everybody has been given the first."""
    all_here = asyncio.Barrier(parties)

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b" " * (size // 2))
        await all_here.wait()
        await response.write(b" " * (size - size // 2))
        await response.write_eof()
        return response

    return handle


def stuck_after(size: int, go_on: asyncio.Event) -> Handler:
    """``size`` bytes, and then nothing until ``go_on``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b" " * size)
        await go_on.wait()
        await response.write_eof()
        return response

    return handle


async def test_bodies_that_are_held_stay_within_the_budget_and_one_more() -> None:
    packed = answering(body=gzip.compress(b" " * LARGE), Content_Encoding="gzip")
    held: list[int] = []
    bodies: list[bytes] = []

    async with serving(*[packed] * 12) as (fetcher, urls):

        async def one(url: str) -> None:
            with fetcher.budget.share() as share:
                answer = await fetched(fetcher, url, share)
                bodies.append(answer.body)
                held.append(sum(map(len, bodies)))
                await asyncio.sleep(0)
                bodies.remove(answer.body)

        await asyncio.gather(*map(one, urls))
        assert len(held) == 12
        assert max(held) <= fetcher.budget.most_held <= MOST + LARGE
        assert fetcher.budget.held == 0


async def test_answers_that_fill_the_budget_with_their_beginnings_all_come_in() -> None:
    # Each of three has its first half, which is all there is, and asks for more.
    async with serving(*[in_step(3, LARGE)] * 3) as (fetcher, urls):
        answers = await asyncio.gather(*(fetched(fetcher, url) for url in urls))
        assert [len(one.body) for one in answers] == [LARGE] * 3
        assert fetcher.budget.most_held > MOST


async def test_a_small_answer_does_not_wait_for_large_ones_that_are_stuck() -> None:
    go_on = asyncio.Event()
    pages = [stuck_after(LARGE, go_on)] * 3 + [b" " * SMALL]
    async with serving(*pages) as (fetcher, urls), asyncio.TaskGroup() as group:
        stuck = [group.create_task(fetched(fetcher, url)) for url in urls[:3]]
        while fetcher.budget.held <= 2 * LARGE:
            await asyncio.sleep(0.01)
        answer = await fetched(fetcher, urls[3])
        assert (len(answer.body), any(task.done() for task in stuck)) == (SMALL, False)
        assert fetcher.budget.held < 3 * LARGE, "one of the large ones waits for room"
        go_on.set()


async def test_waiting_for_room_is_no_time_of_the_answers_own() -> None:
    within = timedelta(seconds=1)
    async with serving(b" " * LARGE) as (fetcher, urls):
        with fetcher.budget.share() as most, fetcher.budget.share() as beyond:
            await most.take(MOST - MOST // 4)
            await beyond.take(LARGE)
            answer = asyncio.create_task(fetched(fetcher, urls[0], within=within))
            await asyncio.sleep(1.2 * within.total_seconds())
            assert not answer.done(), "there is no room for it"
        assert len((await answer).body) == LARGE


async def test_what_is_given_up_gives_back_its_share() -> None:
    async with serving(*[stuck_after(LARGE, asyncio.Event())] * 3) as (fetcher, urls):
        for url in urls:
            with pytest.raises(FetchError, match="no complete answer"):
                await fetched(fetcher, url, within=timedelta(seconds=0.3))
        assert fetcher.budget.held == 0


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(1, 400), min_size=1, max_size=6), min_size=1, max_size=12), st.randoms())
def test_whatever_is_taken_all_get_done_within_the_budget_and_one(answers: list[list[int]], chance: object) -> None:
    async def everything() -> BodyBudget:
        budget = BodyBudget(1_000, 200)

        async def one(sizes: list[int]) -> None:
            with budget.share() as share:
                for size in sizes:
                    await share.take(size)
                    assert budget.held <= 1_000 + max(map(sum, answers))
                    await asyncio.sleep(0)

        await asyncio.gather(*map(one, answers))
        return budget

    assert asyncio.run(asyncio.wait_for(everything(), 10)).held == 0


async def test_one_that_is_cancelled_while_it_waits_keeps_nobody_from_going_on() -> None:
    budget = BodyBudget(1_000, 200)
    with budget.share() as first, budget.share() as beyond:
        await first.take(700)
        await beyond.take(700)  # nothing is left for it, and nobody else is beyond the budget

        async def waits() -> None:
            with budget.share() as share:
                await share.take(900)

        waiting = [asyncio.create_task(waits()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        assert not waiting[1].done()
    await asyncio.wait_for(waiting[1], 5)
    assert (budget.held, budget.most_held) == (0, 1_400)
