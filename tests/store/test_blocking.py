"""Articles that are kept out of a newsletter: for good, by somebody, with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from newsletter.errors import UsageError
from newsletter.store import Store, article_merges, audit, blocking
from newsletter.store.blocking import Block
from tests.builders import NOW
from tests.support.newsroom import add_articles, an_article

ANNA: dict[str, Any] = {"actor": "anna@desk", "now": NOW}


def test_a_block_holds_for_the_newsletters_named_or_for_every_one(store: Store) -> None:
    add_articles(store, *(an_article(number) for number in (1, 2, 3)))
    assert store.write(blocking.block, [1], ["daily", "weekend"], because="an advertisement", **ANNA) == 2
    assert store.write(blocking.block, [2], [], **ANNA) == 1
    daily = store.read(blocking.blocked, "daily", [1, 2, 3])
    assert daily == {
        1: Block("daily", 1, "anna@desk", "an advertisement", NOW),
        2: Block("*", 2, "anna@desk", "", NOW),
    }
    assert daily[1].words == "blocked by anna@desk in daily: an advertisement"
    assert daily[2].words == "blocked by anna@desk in every newsletter"
    assert list(store.read(blocking.blocked, "briefing", [1, 2, 3])) == [2]
    (act, _) = store.read(audit.listing, subject="article/1")
    assert (act.actor, act.action, act.detail) == ("anna@desk", "block", "weekend: an advertisement")


def test_blocking_again_and_lifting_what_is_not_blocked_change_nothing(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2))
    store.write(blocking.block, [1], ["daily"], **ANNA)
    assert store.write(blocking.block, [1, 2], ["daily"], actor="ben", now=NOW) == 1
    assert [one.actor for one in store.read(blocking.of_article, 1)] == ["anna@desk"]
    assert store.write(blocking.unblock, [1], ["weekend"], **ANNA) == 0
    assert store.write(blocking.unblock, [1], ["daily"], **ANNA) == 1
    assert store.write(blocking.unblock, [1, 2], [], **ANNA) == 1
    assert store.read(blocking.blocked, "daily", [1, 2]) == {}
    assert [act.action for act in store.read(audit.listing, subject="article/1")] == ["unblock", "block"]


def test_what_is_not_there_or_is_another_article_blocks_nothing(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2), an_article(3, merged_into=2))
    with pytest.raises(UsageError, match="there is no article 9; nothing was blocked"):
        store.write(blocking.block, [1, 9], ["daily"], **ANNA)
    with pytest.raises(UsageError, match="article 3 is article 2 now"):
        store.write(blocking.block, [1, 3], ["daily"], **ANNA)
    assert store.read(blocking.of_article, 1) == []


def test_a_blocked_article_that_turns_out_to_be_another_blocks_that_one(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2))
    store.write(blocking.block, [1], ["daily"], because="withdrawn", **ANNA)
    store.write(article_merges.merge, 1, 2, **ANNA)
    assert [one.words for one in store.read(blocking.of_article, 2)] == ["blocked by anna@desk in daily: withdrawn"]
