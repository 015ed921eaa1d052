"""Stories that their sitemap lists no more, while it still lists their neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from newsletter.collect.identity import same_story, to_remember, url_identity
from newsletter.collect.listings import gone_and_back
from newsletter.store import Store, article_listings, articles
from newsletter.store.article_listings import GONE_FROM_LISTING, Gone, Listed
from tests.builders import NOW, an_incoming_article


def url(number: int) -> str:
    return f"https://news.example/{number}"


def fill(store: Store, count: int, source: str = "map") -> tuple[int, ...]:
    """Stories 0 … of a source, each an hour older than the one before it."""
    found = [
        an_incoming_article(
            source=source,
            url=url(number),
            guid="",
            headline=f"Story {number}",
            standfirst="",
            body_text="",
            published_at=NOW - timedelta(hours=number),
        )
        for number in range(count)
    ]
    return store.write(articles.remember, to_remember(found), now=NOW, match=same_story).new


def listed(store: Store, numbers: Iterable[int]) -> Gone:
    keys = [identity.value for number in numbers if (identity := url_identity(url(number))) is not None]
    return store.write(article_listings.gone_from_listing, "map", keys, NOW, gone_and_back)


def retracted(store: Store) -> set[int]:
    return {article.id for article in store.read(articles.list_articles) if article.retracted_at is not None}


def test_a_story_missing_between_its_neighbours_is_retracted_and_may_come_back(store: Store) -> None:
    ids = fill(store, 6)
    assert listed(store, (0, 1, 3, 4, 5)) == Gone(gone=(ids[2],))
    assert retracted(store) == {ids[2]}
    assert listed(store, (0, 1, 3, 4, 5)) == Gone()
    assert listed(store, range(6)) == Gone(back=(ids[2],))
    assert retracted(store) == set()


def test_what_a_list_dropped_for_its_age_or_has_not_yet_is_not_gone(store: Store) -> None:
    fill(store, 6)
    assert listed(store, (1, 2, 3)) == Gone()
    assert listed(store, ()) == Gone()


def test_many_missing_at_once_are_a_list_that_was_cut(store: Store) -> None:
    fill(store, 9)
    assert listed(store, (0, 8)) == Gone(suspicious=7)
    assert retracted(store) == set()


def test_a_story_retracted_for_another_reason_does_not_come_back_by_being_listed(store: Store) -> None:
    ids = fill(store, 3)
    store.write(articles.retract, ids[1], "410 Gone", NOW)
    assert listed(store, range(3)) == Gone()
    assert retracted(store) == {ids[1]}


def test_another_sources_stories_are_not_asked_about(store: Store) -> None:
    fill(store, 5, source="front")
    assert listed(store, (0, 1, 3, 4)) == Gone()


def test_the_decision_needs_a_neighbour_on_either_side() -> None:
    times = [NOW - timedelta(hours=number) for number in range(4)]
    there = [Listed(number, time, number in (0, 2)) for number, time in enumerate(times)]
    assert gone_and_back(there) == Gone(gone=(1,))
    back = Listed(1, times[1], True, NOW, gone_from_listing=True)
    assert gone_and_back([there[0], back, there[2]]) == Gone(back=(1,))
    assert GONE_FROM_LISTING
