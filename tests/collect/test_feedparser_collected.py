"""Every feed of feedparser's source distribution through the whole collector: served, fetched, parsed, stored."""

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
from tests.net.publisher import answering, publishing
from tests.support.feedparser_feeds import content_type, feeds, unpacked

# What the collector may say of such a feed; each is one line that names the feed's address.
REFUSALS = (
    "this is not an RSS or Atom feed",
    "this is an HTML page, not a feed",
    "it is empty, not a feed",
    "the feed is broken and holds no readable entry",
    "holds no",
    "it is not JSON",
)


@pytest.mark.soak
async def test_each_is_collected_or_refused_in_one_line_and_again_without_a_change(
    store: Store, tmp_path: Path
) -> None:
    files = feeds(unpacked())
    wanted: dict[str, Source] = {}
    async with publishing() as publisher:
        for number, path in enumerate(files):
            body = path.read_bytes()
            kind = content_type(body) or "application/xml"
            publisher.pages[f"/{number}"] = answering(200, body, Content_Type=kind)
            wanted[f"f{number}"] = Source.model_validate({"feed": publisher.url(f"/{number}"), "allow_private": True})
        with Parser() as parser:

            async def collect(hours: int) -> list[CollectResult]:
                async with Fetcher(jitter=timedelta()) as fetcher:
                    return await collect_all(
                        wanted,
                        store=store,
                        fetcher=fetcher,
                        parser=parser,
                        media_folder=tmp_path,
                        now=NOW + timedelta(hours=hours),
                    )

            first = await collect(0)
            again = await collect(1)
    assert len(first) == len(files) >= 2_242
    for result in first:
        path = files[int(result.source[1:])]
        assert "unexpected" not in result.error, (path, result.error)
        assert not result.error or any(words in result.error for words in REFUSALS), (path, result.error)
    assert sum(bool(result.error) for result in first) < 60
    # Most of these feeds are about a feed's own elements, and have no entry, or none with a word in it.
    assert sum(result.new + result.unchanged for result in first) > 450
    assert {(result.new, result.changed) for result in again} == {(0, 0)}, "the second time nothing is new"
    assert len(store.read(sources.list_sources)) == len(files)
