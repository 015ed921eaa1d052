"""What the store keeps of sources and of copied pictures, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from newsletter.store import Store, media, sources
from newsletter.store.media import Medium
from newsletter.store.sources import Fetch, Outcome, SourceRow
from tests.builders import NOW

FRONT = SourceRow("front", "feed", "https://news.example/rss", etag='"1"', last_attempt_at=NOW, failures=2)
FETCH = Fetch("front", NOW, Outcome.FAILED, 120)


def test_a_source_is_unknown_before_its_first_attempt(store: Store) -> None:
    assert store.read(sources.get, "front") is None


def test_the_last_attempt_replaces_what_was_known(store: Store) -> None:
    store.write(sources.record, FRONT, FETCH)
    assert store.read(sources.get, "front") == FRONT
    after = replace(FRONT, failures=0, last_success_at=NOW + timedelta(hours=1), last_error="x", moved_to="https://b/")
    store.write(sources.record, after, FETCH)
    assert store.read(sources.get, "front") == after


def test_sources_are_listed_by_name(store: Store) -> None:
    for name in ("world", "desk", "front"):
        store.write(sources.record, replace(FRONT, name=name), FETCH)
    assert [row.name for row in store.read(sources.list_sources)] == ["desk", "front", "world"]


def test_a_copy_is_found_by_its_url_and_by_its_name(store: Store) -> None:
    copy = Medium("abc.jpg", "https://news.example/p.jpg", "image/jpeg", 1280, 720, 90_000, NOW)
    store.write(media.add, copy)
    store.write(media.add, replace(copy, url="https://news.example/same.jpg"))
    assert store.read(media.by_urls, [copy.url, "https://news.example/other.jpg"]) == {copy.url: copy}
    assert store.read(media.by_urls, []) == {}
    assert store.read(media.by_name, "abc.jpg") == copy
    assert store.read(media.by_name, "nothing.jpg") is None
