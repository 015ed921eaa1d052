"""What makes two articles one, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.collect.identity import canonical_url, is_home_page, same_story, to_remember
from newsletter.model import IncomingArticle
from newsletter.store import Store, articles
from newsletter.store.articles import Remembered
from tests.builders import NOW, an_incoming_article

LONG = "The water came at night and took the bridge before anybody could be warned of it. " * 5


def collect(store: Store, *found: IncomingArticle, days: float = 0, homes: tuple[str, ...] = ()) -> Remembered:
    now = NOW + timedelta(days=days)
    return store.write(articles.remember, to_remember(found, homes=homes), now=now, match=same_story)


def story(number: int = 1, **changes: Any) -> IncomingArticle:
    values: dict[str, Any] = {
        "url": f"https://news.example/story-{number}",
        "guid": f"g{number}",
        "headline": f"Story number {number} has a headline of its own",
        "standfirst": f"Number {number} is not like the others at all.",
        "body_text": "",
    }
    return an_incoming_article(**(values | changes))


@pytest.mark.parametrize(
    "url",
    [
        "https://news.example/a/b?id=3",
        "HTTPS://News.Example:443/a/b/?id=3#comments",
        "http://news.example/a/b?utm_source=rss&id=3&utm_medium=feed&fbclid=xyz",
        "https://jane:secret@news.example./a/b?id=3&at_campaign=x",
        " https://news.example/a/%62?id=3 ",
    ],
)
def test_spellings_of_one_address_are_one(url: str) -> None:
    assert canonical_url(url) == "https://news.example/a/b?id=3"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://news.example/a?id=3", "https://news.example/a?id=4"),
        ("https://news.example/a", "https://news.example/A"),
        ("https://news.example/a", "https://news.example:8080/a"),
        ("https://news.example/a", "https://www.news.example/a"),
        ("https://news.example/a?page=1", "https://news.example/a"),
    ],
)
def test_different_addresses_stay_different(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize("url", ["", "mailto:a@b.example", "/relative", "https://", "https://[x", "https://a:b/"])
def test_what_is_no_web_address_has_no_canonical_form(url: str) -> None:
    assert canonical_url(url) == ""


@given(st.text(max_size=80).map(lambda text: f"https://news.example/{text}"))
def test_a_canonical_address_is_its_own(url: str) -> None:
    assert canonical_url(canonical_url(url)) == canonical_url(url)


def test_a_home_page_is_no_article() -> None:
    assert is_home_page(canonical_url("https://news.example"))
    assert not is_home_page(canonical_url("https://news.example/?p=17"))


def test_a_story_that_changes_everything_in_turn_stays_one(store: Store) -> None:
    first = story(published_at=NOW)
    changes: list[dict[str, Any]] = [
        {"guid": "g-new"},
        {"url": "https://news.example/new-slug"},
        {"headline": "Quite another headline over the same story"},
        {"published_at": NOW + timedelta(days=1)},
        {"source": "world"},
        {"guid": "g-newer"},
        {"standfirst": "Rewritten from the first word to the last one."},
        {"url": "https://news.example/newer-slug"},
        {"headline": "A third headline"},
    ]
    assert len(collect(store, first).new) == 1
    for days, change in enumerate(changes, 1):
        first = replace(first, **change)
        assert collect(store, first, days=days).new == (), change
    assert len(store.read(articles.list_articles)) == 1


def test_a_new_headline_and_slug_do_not_make_a_new_story_of_the_same_text(store: Store) -> None:
    collect(store, story(body_text=LONG))
    renamed = story(body_text=LONG, headline="The night of the flood", url="https://news.example/night")
    assert collect(store, renamed).new == ()


def test_a_guid_used_again_for_another_story_is_another_story(store: Store) -> None:
    collect(store, story(1))
    other = story(2, guid="g1", body_text="Nothing of this was in the other one.")
    assert len(collect(store, other).new) == 1
    assert collect(store, other).new == ()
    assert collect(store, story(1)).new == ()


def test_a_guid_used_again_where_there_are_no_urls_is_another_story_once(store: Store) -> None:
    collect(store, story(1, url=""))
    other = story(2, url="", guid="g1")
    assert len(collect(store, other).new) == 1
    assert collect(store, other).new == ()


def test_a_guid_used_again_each_day_for_what_a_template_says_is_another_story(store: Store) -> None:
    weather = (
        "Rain until noon, then sun in most places of the country. The highest temperature is {0}, the lowest {1} "
        "degrees. The wind comes from the west at {2} km/h along the coast, where waves of {3} m are to be expected."
    )
    for day in range(3):
        numbers = [day + 20, day + 11, day + 30, f"1.{day}"]
        today = story(
            url=f"https://news.example/weather-{day}",
            headline="The weather",
            standfirst="",
            body_text=weather.format(*numbers),
            published_at=NOW + timedelta(days=day, hours=-1),
        )
        assert len(collect(store, today, days=day).new) == 1
        assert collect(store, today, days=day).new == ()


def test_an_undated_story_keeps_its_guid_whenever_its_slug_and_standfirst_change(store: Store) -> None:
    collect(store, story(published_at=NOW, standfirst="Short"))
    days_later = story(published_at=NOW + timedelta(days=4), standfirst="Other", url="https://news.example/b")
    assert collect(store, days_later, days=4).new == ()


def test_a_guid_keeps_a_story_whose_slug_and_headline_change_together(store: Store) -> None:
    first = story(standfirst="", headline="Dam opens its gates after longest monsoon")
    collect(store, first)
    renamed = replace(first, url="https://news.example/b", headline="Dam gates opened after the longest monsoon")
    assert collect(store, renamed).new == ()


def test_one_url_for_whatever_comes_last_names_nobody_from_the_second_on(store: Store) -> None:
    def today(day: int, text: str) -> IncomingArticle:
        when = NOW + timedelta(days=day, hours=-1)
        return story(
            day, url="https://news.example/column", headline=f"{text} today", standfirst=text, published_at=when
        )

    first = today(1, "The river gives back what it took")
    second = today(4, "Nobody repairs umbrellas any longer")
    assert len(collect(store, first, days=1).new) == 1
    assert len(collect(store, second, days=4).new) == 1
    assert collect(store, second, days=4).new == collect(store, first, days=4).new == ()


def test_a_rewritten_story_keeps_its_url(store: Store) -> None:
    collect(store, story(body_text=LONG))
    rewritten = story(body_text=LONG[::-1], headline="All is different now", standfirst="", published_at=NOW)
    assert collect(store, rewritten).new == ()


def test_one_guid_for_a_whole_feed_names_nobody(store: Store) -> None:
    feed = [story(number, guid="same") for number in range(5)]
    assert len(collect(store, *feed).new) == 5
    assert collect(store, *feed).new == ()


def test_the_home_page_as_everybodys_url_names_nobody(store: Store) -> None:
    feed = [story(number, url="https://news.example/") for number in range(3)]
    assert len(collect(store, *feed).new) == 3
    assert collect(store, *feed).new == ()


def test_a_section_page_as_url_names_nobody(store: Store) -> None:
    home = "https://news.example/blog"
    assert len(collect(store, story(1, url=home), homes=(home,)).new) == 1
    assert len(collect(store, story(2, url=home), homes=(home,)).new) == 1


def test_one_url_for_several_stories_of_a_feed_names_none_of_them(store: Store) -> None:
    posts = [story(number, url=f"https://news.example/live#post-{number}") for number in range(4)]
    assert len(collect(store, *posts).new) == 4
    assert collect(store, *posts).new == ()


@pytest.mark.parametrize("words", [{}, {"headline": "Rain again", "standfirst": ""}])
def test_entries_without_guid_or_url_are_known_by_their_words(store: Store, words: dict[str, Any]) -> None:
    entry = story(url="", guid="", **words)
    assert len(collect(store, entry).new) == 1
    assert collect(store, entry).new == ()


def test_the_same_story_twice_in_a_feed_is_taken_once(store: Store) -> None:
    assert len(collect(store, story(1), story(1, headline="Story 1, again")).new) == 1


def test_a_story_published_again_under_another_url_and_guid_is_recognised(store: Store) -> None:
    collect(store, story(body_text=LONG))
    again = story(body_text=LONG, url="https://news.example/again", guid="again", published_at=NOW + timedelta(days=3))
    assert collect(store, again, days=3).new == ()
    late = replace(again, url="https://news.example/late", guid="late")
    assert len(collect(store, late, days=60).new) == 1


def test_a_column_with_the_same_few_words_each_week_is_new_each_week(store: Store) -> None:
    words = {"headline": "Letters to the editor", "standfirst": "What our readers write to us about this week's news."}
    collect(store, story(1, **words, published_at=NOW))
    next_week = story(2, **words, published_at=NOW + timedelta(days=7))
    assert len(collect(store, next_week, days=7).new) == 1


def test_two_columns_with_the_same_headline_are_two(store: Store) -> None:
    first = story(1, headline="Letters", body_text=LONG)
    second = story(2, headline="Letters", body_text="Sir, the trains are late again and nobody says why. " * 6)
    assert len(collect(store, first, second).new) == 2


def test_an_agencys_story_and_the_papers_own_are_two(store: Store) -> None:
    collect(store, story(1, body_text=LONG))
    assert len(collect(store, story(2, headline=story(1).headline, body_text=LONG[::-1])).new) == 1


def test_only_the_newest_of_a_first_collection_may_be_sent() -> None:
    feed = [story(number, published_at=NOW - timedelta(hours=number)) for number in (3, 1, 2)]
    feed.append(story(9, published_at=None))
    kept = to_remember(feed, newest_eligible=2)
    assert [one.eligible for one in kept] == [False, True, True, False]
    assert all(one.eligible for one in to_remember(feed))
    assert not any(one.eligible for one in to_remember(feed, newest_eligible=0))


def test_without_dates_the_order_of_the_feed_counts() -> None:
    feed = [story(number, published_at=None) for number in range(3)]
    assert [one.eligible for one in to_remember(feed, newest_eligible=2)] == [True, True, False]
