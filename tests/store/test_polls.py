"""Somebody says "look now" at a source: what is written, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from newsletter.store import Store, sources
from newsletter.store.sources import Fetch, Outcome, SourceRow
from tests.builders import NOW

URL = "https://news.example/rss"
SECOND = timedelta(seconds=1)


def ask(store: Store, now: datetime = NOW, url: str = URL) -> SourceRow:
    return store.write(sources.request_poll, "front", "feed", url, now)


def test_asking_makes_the_row_of_a_source_never_tried(store: Store) -> None:
    assert ask(store) == SourceRow("front", "feed", URL, poll_requested_at=NOW)
    assert store.read(sources.get, "front") == SourceRow("front", "feed", URL, poll_requested_at=NOW)


def test_asking_again_within_ten_seconds_changes_nothing(store: Store) -> None:
    ask(store)
    assert ask(store, NOW + 9 * SECOND).poll_requested_at == NOW
    assert ask(store, NOW + 10 * SECOND).poll_requested_at == NOW + 10 * SECOND
    assert ask(store, NOW - 60 * SECOND).poll_requested_at == NOW - 60 * SECOND


def test_a_retired_source_is_not_asked_for_unless_it_is_elsewhere_now(store: Store) -> None:
    fetch = Fetch("front", NOW, Outcome.RETIRED, 1)
    store.write(sources.record, SourceRow("front", "feed", URL, retired_at=NOW, last_attempt_at=NOW), fetch)
    assert ask(store, NOW + 60 * SECOND).poll_requested_at is None
    assert ask(store, NOW + 60 * SECOND, "https://news.example/new").poll_requested_at == NOW + 60 * SECOND


def test_a_collection_that_was_under_way_does_not_forget_that_somebody_asked(store: Store) -> None:
    row = SourceRow("front", "feed", URL)
    ask(store, NOW + SECOND)
    store.write(sources.record, replace(row, last_attempt_at=NOW), Fetch("front", NOW, Outcome.COLLECTED, 1))
    after = store.read(sources.get, "front")
    assert after is not None
    assert after.poll_requested_at == NOW + SECOND
