"""Nobody learns who reads the paper: the same bytes for a known and an unknown address, after the same time."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from newsletter.store import Store
from newsletter.web.asking import BEAT_SECONDS
from tests.builders import add_subscribers
from tests.web.sign_up_site import Site, signing_up

SAMPLE, ALL = 20, 1_000


async def told_apart(store: Store, folder: Path, requests: int, *, timed: bool) -> None:
    async with signing_up(store, folder, requests_per_client=100_000, mails_per_address=1000) as site:
        add_subscribers(store, requests // 2, newsletters=("daily", "weekly"))
        stamp = await site.stamp()

        async def form(address: str) -> tuple[int, str]:
            return await site.post("/subscribe", ("stamp", stamp), ("address", address), ("newsletter", "daily"))

        async def sign_in(address: str) -> tuple[int, str]:
            return await site.post("/sign-in", ("address", address))

        async def api(address: str) -> tuple[int, str]:
            body = json.dumps({"address": address, "newsletters": ["daily"]})
            kind = {"Content-Type": "application/json"}
            async with site.client.post(f"{site.base}/api/subscribe", data=body, headers=kind) as response:
                return response.status, await response.text()

        for way in (form, sign_in, api):
            await alike(site, way, requests, timed=timed)


async def alike(site: Site, way: Callable[[str], Awaitable[tuple[int, str]]], requests: int, *, timed: bool) -> None:
    """Each answer is the same and takes whole beats; ``timed``, on a quiet machine, as many for both."""
    answers: set[tuple[int, str]] = set()
    took: dict[str, list[float]] = {"reader": [], "random": []}
    for number in range(1, requests // 2 + 1):
        for who, times in took.items():
            began = time.perf_counter()
            answers.add(await way(f"{who}{number:05d}@readers.example"))
            times.append(time.perf_counter() - began)
    assert len(answers) == 1
    assert min(took["reader"] + took["random"]) >= BEAT_SECONDS * 0.99, way.__name__
    if not timed:
        return
    known, unknown = (statistics.median(times) for times in took.values())
    assert abs(known - unknown) <= 0.05 * unknown, (way.__name__, known, unknown)


async def test_known_and_unknown_addresses_are_answered_alike_and_in_whole_beats(store: Store, tmp_path: Path) -> None:
    await told_apart(store, tmp_path, SAMPLE, timed=False)


@pytest.mark.soak
async def test_a_thousand_requests_tell_nobody_who_reads(store: Store, tmp_path: Path) -> None:
    await told_apart(store, tmp_path, ALL, timed=True)
