"""What was taken for what: written down once, undone for good, and done by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from newsletter.collect.identity import same_story, to_remember
from newsletter.errors import UsageError
from newsletter.model import Article, IncomingArticle
from newsletter.store import Store, article_merges, article_uses, articles, audit, editions, tables
from newsletter.store.article_merges import MergeRow
from newsletter.store.articles import Remembered
from tests.builders import NOW, add_occurrence, an_incoming_article

LATER = NOW + timedelta(hours=2)
TEXT = " ".join(f"word{number} and thing{number * 7}" for number in range(60))
OURS = an_incoming_article(body_text=TEXT)
THEIRS = replace(OURS, source="agency", url="https://agency.example/1", guid="a1", headline="Gates of the dam open")


def collect(store: Store, *found: IncomingArticle, now: Any = NOW) -> Remembered:
    return store.write(articles.remember, to_remember(found), now=now, match=same_story)


def merges(store: Store, article_id: int) -> list[MergeRow]:
    return store.read(article_merges.listing, article_id)


def get(store: Store, article_id: int) -> Article:
    article = store.read(articles.get, article_id)
    assert article is not None
    return article


def split(store: Store, merge_id: int) -> Article:
    return store.write(article_merges.split, merge_id, actor="ann", now=LATER)


def everything(store: Store) -> dict[str, list[str]]:
    return store.read(
        lambda connection: {
            table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables.metadata.sorted_tables
        }
    )


def test_a_merge_says_by_what_and_what_came_and_is_written_once(store: Store) -> None:
    (ours,) = collect(store, OURS).new
    assert collect(store, THEIRS, now=LATER).unchanged == (ours,)
    before = everything(store)
    assert collect(store, THEIRS, now=LATER + timedelta(hours=1)).unchanged == (ours,)
    assert collect(store, OURS).unchanged == (ours,)
    assert everything(store) == before
    (merge,) = merges(store, ours)
    assert (merge.by, merge.at, merge.source, merge.url) == ("words", LATER, "agency", THEIRS.url)
    assert (merge.headline, merge.guid) == (THEIRS.headline, "a1")
    assert "% of its runs of words are the same" in merge.detail


def test_a_changed_guid_or_slug_is_a_merge_and_the_same_entry_again_is_none(store: Store) -> None:
    (ours,) = collect(store, OURS).new
    world = replace(OURS, source="world")
    for came in (OURS, replace(OURS, guid="g2"), replace(OURS, url="https://news.example/b"), world, world):
        collect(store, came)
    found = [(merge.by, merge.source, merge.url, merge.guid) for merge in merges(store, ours)]
    assert found == [
        ("url", "front", OURS.url, "g2"),
        ("guid", "front", "https://news.example/b", OURS.guid),
        ("url", "world", OURS.url, OURS.guid),
    ]


def test_what_was_split_is_an_article_for_good(store: Store) -> None:
    (ours,) = collect(store, OURS).new
    collect(store, THEIRS, now=LATER)
    own = split(store, merges(store, ours)[0].id)
    assert (own.source, own.headline, own.url, own.body_text) == ("agency", THEIRS.headline, THEIRS.url, TEXT)
    assert (own.first_seen_at, own.eligible) == (LATER, True)
    assert collect(store, THEIRS).unchanged == (own.id,)
    assert collect(store, OURS).unchanged == (ours,)
    assert collect(store, replace(THEIRS, headline="The agency's own headline")).changed == (own.id,)
    assert get(store, ours).headline == OURS.headline
    assert collect(store, replace(THEIRS, guid="a2")).changed == (own.id,)
    assert [merge.split_at for merge in merges(store, ours)] == [LATER]
    (act,) = store.read(audit.listing, subject=f"article/{own.id}")
    assert (act.actor, act.action) == ("ann", "split")


def test_what_shares_its_url_is_split_for_good_too(store: Store) -> None:
    (ours,) = collect(store, OURS).new
    world = replace(OURS, source="world", guid="w1", headline="Of the world")
    collect(store, world)
    own = split(store, merges(store, ours)[0].id)
    for _ in range(2):
        assert collect(store, world).unchanged == (own.id,)
        assert collect(store, OURS).unchanged == (ours,)


@pytest.mark.parametrize("twice", [False, True])
def test_what_cannot_be_split_is_one_line(store: Store, twice: bool) -> None:
    (ours,) = collect(store, OURS).new
    collect(store, THEIRS)
    (merge,) = merges(store, ours)
    if twice:
        split(store, merge.id)
    with pytest.raises(UsageError, match="was split already" if twice else "there is no merge"):
        split(store, merge.id + (0 if twice else 7))


def two_articles(store: Store) -> tuple[int, int]:
    other = replace(THEIRS, body_text="Something else entirely, in the agency's own words, on the dam.", standfirst="")
    first, second = collect(store, OURS).new + collect(store, other).new
    return first, second


def merge_by_hand(store: Store, article_id: int, into: int) -> list[str]:
    return store.write(article_merges.merge, article_id, into, actor="ann", now=LATER)


def test_what_an_editor_merges_leads_to_the_other_and_is_sent_no_more(store: Store) -> None:
    first, second = two_articles(store)
    assert merge_by_hand(store, second, first) == []
    assert get(store, second).merged_into == first
    later = replace(THEIRS, body_text="Something else entirely, in the agency's own words, on the dam.", standfirst="")
    assert collect(store, later).unchanged == (first,)
    candidates = store.read(
        articles.unused_articles, newsletter="daily", stream="each", cohort="", first_seen_after=NOW, limit=9
    )
    assert [article.id for article in candidates] == [first]
    (merge,) = merges(store, first)
    assert (merge.by, merge.url) == ("editor", THEIRS.url)


def test_where_either_was_sent_neither_is_sent_again(store: Store) -> None:
    first, second = two_articles(store)
    _, edition = add_occurrence(store)
    store.write(article_uses.reserve, edition, [second])
    assert merge_by_hand(store, second, first) == ["daily@2026-11-23/1"]
    held = store.read(lambda connection: connection.execute(select(tables.article_uses.c.article_id)).scalars().all())
    assert sorted(held) == [first, second]
    store.write(editions.release_uses, edition)
    assert not store.read(lambda connection: connection.execute(select(tables.article_uses)).all())


def test_an_editors_merge_can_be_split_again_with_all_that_it_was_known_by(store: Store) -> None:
    first, second = two_articles(store)
    collect(store, replace(THEIRS, guid="a7", body_text="x", standfirst=""))
    merge_by_hand(store, second, first)
    assert [merge.by for merge in merges(store, first)] == ["url", "editor"]
    back = split(store, merges(store, first)[1].id)
    assert (back.id, back.merged_into) == (second, None)
    assert [merge.by for merge in merges(store, second)] == ["url"]
    assert collect(store, THEIRS).changed == (second,)
    assert collect(store, OURS).unchanged == (first,)


@pytest.mark.parametrize("case", ["itself", "unknown", "merged", "into merged"])
def test_what_cannot_be_merged_is_one_line_and_changes_nothing(store: Store, case: str) -> None:
    first, second = two_articles(store)
    if "merged" in case:
        merge_by_hand(store, second, first)
    third = (
        999
        if case == "unknown"
        else collect(store, replace(OURS, url="https://x.example/3", guid="3", body_text="", headline="Three")).new[0]
    )
    pair = {
        "itself": (first, first),
        "unknown": (first, 999),
        "merged": (second, third),
        "into merged": (third, second),
    }
    before = everything(store)
    with pytest.raises(UsageError):
        merge_by_hand(store, *pair[case])
    assert everything(store) == before


def test_where_else_a_story_stands_is_told_by_its_merges(store: Store) -> None:
    (ours,) = collect(store, OURS).new
    collect(store, replace(THEIRS, section="Wire", tags=("dam",)))
    found = store.read(article_merges.appearances, [ours, 77])
    assert found == {ours: (article_merges.Appearance("agency", "Wire", ("dam",)),)}
