"""When something new was seen of a source, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

from newsletter.store import Store, articles, sources
from newsletter.store.articles import Identity, IdentityKind, Remembrance
from tests.builders import NOW, an_incoming_article


def arrive(store: Store, at: datetime, *names: str, source: str = "front") -> None:
    """Have these articles first seen together."""
    batch = [
        Remembrance(
            an_incoming_article(source=source, url=f"https://news.example/{name}", guid=name),
            (Identity(IdentityKind.URL, f"{name:0>64}"),),
        )
        for name in names
    ]
    store.write(articles.remember, batch, now=at)


def test_an_instant_counts_once_and_only_from_then_on(store: Store) -> None:
    hour = timedelta(hours=1)
    arrive(store, NOW - 3 * hour, "old")
    arrive(store, NOW - 2 * hour, "a", "b")
    arrive(store, NOW - hour, "c")
    arrive(store, NOW - hour, "d", source="world")
    assert store.read(sources.arrivals, "front", NOW - 2 * hour) == [NOW - 2 * hour, NOW - hour]
    assert store.read(sources.arrivals, "desk", NOW - 2 * hour) == []
    arrive(store, NOW, "c")  # as it was: nothing new
    assert store.read(sources.last_arrivals, NOW - 2 * hour) == {"front": NOW - hour, "world": NOW - hour}
    assert store.read(sources.last_arrivals, NOW) == {}
