"""Hundreds of sources in one collection, a tenth of them bad."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.collect.collecting import CollectResult, collect_all
from newsletter.collect.parsing import Parser
from newsletter.config.models import Source
from newsletter.net import Fetcher
from newsletter.store import Store, sources
from tests.builders import NOW
from tests.support.many_sources import STORIES, many_sources

PATIENCE = timedelta(seconds=6)


async def _collected_twice(store: Store, folder: Path, count: int) -> None:
    with many_sources(count) as sites, Parser() as parser:
        wanted = {
            f"s{number}": Source.model_validate({"feed": site.url, "allow_private": True, "fetch_timeout": PATIENCE})
            for number, site in enumerate(sites)
        }
        kinds = {f"s{number}": site.kind for number, site in enumerate(sites)}
        came: list[CollectResult] = []

        async def collect(now_later: timedelta) -> dict[str, CollectResult]:
            async with Fetcher(jitter=timedelta()) as fetcher:
                results = await collect_all(
                    wanted,
                    store=store,
                    fetcher=fetcher,
                    parser=parser,
                    media_folder=folder / "media",
                    now=NOW + now_later,
                    each=came.append,
                )
            return {result.source: result for result in results}

        found = await collect(timedelta())
        for name, kind in kinds.items():
            result = found[name]
            if kind == "failing":
                assert "500" in result.error
            elif kind == "never ending":
                assert "no complete answer within 6 s" in result.error
            else:
                assert (result.new, result.error) == (STORIES, ""), (name, kind)
        waited = max(result.seconds for result in came if kinds[result.source] == "never ending")
        assert waited < 2 * PATIENCE.total_seconds(), "and what never ends is given up in time"
        rows = {row.name: row for row in store.read(sources.list_sources)}
        assert all(rows[name].moved_to for name, kind in kinds.items() if kind == "moved")
        again = await collect(timedelta(hours=1))
        assert {again[name].not_modified for name, kind in kinds.items() if kind in ("good", "slow", "moved")} == {True}


async def test_a_tenth_of_the_sources_misbehaving_costs_the_others_nothing(store: Store, tmp_path: Path) -> None:
    await _collected_twice(store, tmp_path, 60)


@pytest.mark.soak
async def test_five_hundred_sources_a_tenth_of_them_misbehaving(store: Store, tmp_path: Path) -> None:
    await _collected_twice(store, tmp_path, 500)
