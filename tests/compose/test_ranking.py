"""How stories rank: few factors, each told, whatever their numbers."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.compose.ranking import Rank, rank, ranked
from newsletter.config.layout import Ranking
from newsletter.model import Article
from tests.builders import NOW, an_article


def old(hours: float, number: int = 1, **changes: object) -> Article:
    return an_article(number, published_at=NOW - timedelta(hours=hours), **changes)


def order(ranking: Ranking, *articles: Article) -> list[int]:
    return [one.article.id for one in ranked([rank(article, ranking, NOW) for article in articles], ranking)]


def test_a_story_loses_half_its_rank_in_each_half_life() -> None:
    ranking = Ranking(half_life=timedelta(hours=6))
    assert [2 ** rank(old(hours), ranking, NOW).power for hours in (0, 6, 12)] == [1, 0.5, 0.25]


def test_a_weighty_source_and_section_stand_above_what_is_newer() -> None:
    ranking = Ranking(half_life=timedelta(hours=6), sources={"desk": 4}, sections={"  WORLD ": 2, "Sport": 0.5})
    newest, desk = old(1, 1), old(6, 2, source="desk")
    world, sport = old(6, 3, section="World"), old(1.1, 4, section="sport", source="agency")
    assert order(ranking, newest, desk, world, sport) == [2, 3, 1, 4]
    assert order(Ranking(), newest, desk, world, sport) == [1, 4, 2, 3]


def test_each_further_story_of_a_source_loses_its_share_of_variety() -> None:
    stories = [old(1, 1), old(1.1, 2), old(1.2, 3), old(3, 4, source="desk"), old(3.1, 5, source="desk")]
    assert order(Ranking(variety=0), *stories) == [1, 2, 3, 4, 5]
    assert order(Ranking(variety=0.2), *stories) == [1, 4, 2, 5, 3]
    assert order(Ranking(variety=1), *stories) == [1, 4, 2, 3, 5], "no source has a second story before each had one"


def test_the_words_name_every_factor_that_counts_and_no_other() -> None:
    ranking = Ranking(sources={"desk": 1.2}, sections={"World": 0.8})
    stories = [old(6, 1, source="desk", section="world"), old(30, 2, source="desk", section="World")]
    first, second = ranked([rank(article, ranking, NOW) for article in stories], ranking)
    assert first.words == "rank 0.68: 6h old 0.71, source desk ×1.2, section world ×0.8"
    assert second.words == "rank 0.15: 1d6h old 0.18, source desk ×1.2, section World ×0.8, 1 better of desk ×0.9"
    assert rank(old(0.01), Ranking(), NOW).words == "rank 1: less than 1m old 1"


def test_even_after_a_thousand_half_lives_what_is_newer_and_weightier_is_better() -> None:
    ranking = Ranking(half_life=timedelta(minutes=1), sources={"desk": 100})
    assert order(ranking, old(5000, 1), old(5001, 2), old(5001, 3, source="desk")) == [1, 3, 2]
    assert rank(old(5000), ranking, NOW).words.startswith("rank 0: 208d8h old 0")


_weights = st.floats(0.01, 100)
rankings = st.builds(
    Ranking,
    half_life=st.integers(1, 10_000).map(lambda minutes: timedelta(minutes=minutes)),
    sources=st.dictionaries(st.sampled_from(["front", "desk"]), _weights),
    sections=st.dictionaries(st.sampled_from(["National", "World"]), _weights),
    variety=st.floats(0, 1),
)
stories = st.lists(
    st.builds(
        old,
        st.integers(0, 5000),
        st.integers(1, 500),
        source=st.sampled_from(["front", "desk", "agency"]),
        section=st.sampled_from(["National", "World", ""]),
    ),
    max_size=20,
    unique_by=lambda article: article.id,
)


@given(rankings, stories)
def test_each_story_is_the_best_of_what_is_left_whatever_their_order(ranking: Ranking, articles: list[Article]) -> None:
    found = ranked([rank(article, ranking, NOW) for article in articles], ranking)
    assert found == ranked([rank(article, ranking, NOW) for article in reversed(articles)], ranking)
    assert sorted(one.article.id for one in found) == sorted(article.id for article in articles)
    assert found == sorted(found, key=lambda one: one.order, reverse=True)
    seen: list[Rank] = []
    for one in found:
        assert one.before == sum(other.article.source == one.article.source for other in seen)
        assert one.power <= one.own or one.variety == 1
        seen.append(one)
