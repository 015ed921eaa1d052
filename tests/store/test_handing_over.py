"""What an old tool has sent counts as used, whether we have it already or not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from newsletter.collect.identity import same_story, to_remember, url_identity
from newsletter.model import IncomingArticle, Reason, Stream
from newsletter.store import Store, article_uses, articles, editions, handing_over, occurrences
from newsletter.store.handing_over import HandedOver
from tests.builders import NOW, add_occurrence, an_incoming_article


def story(number: int, **changes: Any) -> IncomingArticle:
    values: dict[str, Any] = {
        "url": f"https://news.example/{number}",
        "guid": f"g{number}",
        "headline": f"Story {number}",
        "standfirst": f"Of number {number}",
        "published_at": NOW - timedelta(hours=number),
    }
    return an_incoming_article(**(values | changes))


def collect(store: Store, *found: IncomingArticle) -> tuple[int, ...]:
    remembered = store.write(articles.remember, to_remember(found), now=NOW, match=same_story)
    return remembered.new + remembered.changed + remembered.unchanged


def candidates(store: Store, newsletter: str = "daily", stream: str = "each", cohort: str = "") -> list[int]:
    found = store.read(
        articles.unused_articles,
        newsletter=newsletter,
        stream=stream,
        cohort=cohort,
        first_seen_after=NOW - timedelta(days=1),
        limit=10,
    )
    return sorted(article.id for article in found)


def mark_urls(store: Store, *urls: str, newsletters: tuple[str, ...] = ("daily",)) -> HandedOver:
    known = {identity: url for url in urls if (identity := url_identity(url)) is not None}
    return store.write(handing_over.mark_urls, known, newsletters, actor="ann", now=NOW)


def test_what_was_sent_is_no_candidate_in_any_stream_or_cohort_of_that_newsletter(store: Store) -> None:
    first, second = collect(store, story(1), story(2))
    marked = mark_urls(store, "http://news.example/1/?utm_source=mail")
    assert marked == HandedOver(frozenset({first}))
    assert candidates(store) == candidates(store, cohort="Asia/Kolkata@07:00") == [second]
    assert candidates(store, stream="weekly") == [second]
    assert candidates(store, newsletter="weekend") == [first, second]
    assert mark_urls(store, "https://news.example/1").marked == frozenset()
    passed_over = store.read(
        article_uses.passed_over,
        newsletter="daily",
        stream=Stream.EACH,
        cohort="",
        too_old_before=NOW,
        told_before=NOW,
        limit=9,
    )
    assert passed_over == {first: Reason.ALREADY_SENT}


def test_a_url_that_comes_later_is_known_and_used_already(store: Store) -> None:
    marked = mark_urls(store, "https://news.example/1")
    assert (len(marked.marked), marked.unknown) == (1, 1)
    assert store.read(articles.list_articles) == []
    (came,) = collect(store, story(1))
    assert collect(store, story(1)) == (came,)
    (article,) = store.read(articles.list_articles)
    assert (article.id, article.headline, article.source, article.eligible) == (came, "Story 1", "front", True)
    assert article.first_seen_at == NOW
    assert candidates(store) == []
    assert candidates(store, newsletter="weekend") == [came]


def test_an_edition_chosen_before_and_made_after_does_not_hold_it(store: Store) -> None:
    first, second = collect(store, story(1), story(2))
    mark_urls(store, "https://news.example/1")
    _, edition = add_occurrence(store)
    assert store.write(article_uses.reserve, edition, [first, second]) == {second}


def test_what_an_unsent_edition_holds_is_told(store: Store) -> None:
    (first,) = collect(store, story(1))
    _, edition = add_occurrence(store)
    store.write(article_uses.reserve, edition, [first])
    assert mark_urls(store, "https://news.example/1").held == ("daily@2026-11-23/1",)


def test_all_before_a_day_is_marked_page_by_page(store: Store) -> None:
    for start in (0, 25):
        collect(store, *(story(number) for number in range(start, start + 25)))
    day = NOW - timedelta(hours=10)
    page = store.write(handing_over.mark_before, day, ["daily", "weekend"], actor="ann", now=NOW)
    assert (len(page.marked), page.after) == (39, None)
    assert len(candidates(store)) == len(candidates(store, newsletter="weekend")) == 10
    again = store.write(handing_over.mark_before, day, ["daily"], actor="ann", now=NOW)
    assert again.marked == frozenset()


def test_what_a_source_brings_first_after_the_hand_over_counts_by_its_day_too(store: Store) -> None:
    store.write(handing_over.mark_before, NOW - timedelta(hours=3), ["daily"], actor="ann", now=NOW)
    old, new, other = collect(store, story(5), story(1), story(6, source="world"))
    assert store.write(handing_over.extend, "front") == 1
    assert candidates(store) == [new, other]
    assert candidates(store, newsletter="weekend") == [old, new, other]


def test_a_hand_over_is_one_skipped_occurrence_that_says_so(store: Store) -> None:
    collect(store, story(1), story(2))
    mark_urls(store, "https://news.example/1")
    mark_urls(store, "https://news.example/2")
    (row,) = store.read(occurrences.listing, newsletter="daily")
    assert (row.state.value, row.reason, row.detail) == ("skipped", Reason.BY_HAND, handing_over.DETAIL)
    (edition,) = store.read(editions.for_occurrence, row.id)
    assert edition.edition.article_ids == ()
    assert store.write(editions.release_uses, edition.id) == 0
    assert candidates(store) == []
