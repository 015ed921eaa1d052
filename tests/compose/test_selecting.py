"""Which stories an edition takes, in which order, and the one reason of each candidate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.compose.selecting import Selection, nothing_taken, select_stories, too_few
from newsletter.config.models import Newsletter
from newsletter.model import Article, Decision, EditionSection, Reason
from newsletter.store.article_merges import Appearance
from tests.builders import NOW
from tests.support.newsroom import a_newsletter, an_article


def reasons(selection: Selection) -> dict[int, Reason]:
    return {decision.article_id: decision.reason for decision in selection.decisions}


def plain(decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    return tuple(replace(decision, detail="") for decision in decisions)


def pool(selection: Selection) -> dict[str, tuple[int, ...]]:
    return {section.name: section.article_ids for section in selection.sections}


def test_stories_stand_by_section_in_the_newsletters_order_and_newest_first() -> None:
    candidates = [an_article(3), an_article(2, section="World"), an_article(1), an_article(4, section="World")]
    selection = select_stories(candidates, a_newsletter(), NOW)
    assert selection.sections == (EditionSection("National", (1, 3)), EditionSection("World", (2, 4)))
    assert plain(selection.decisions) == (
        Decision(3, Reason.CHOSEN, "National", 2),
        Decision(2, Reason.CHOSEN, "World", 1),
        Decision(1, Reason.CHOSEN, "National", 1),
        Decision(4, Reason.CHOSEN, "World", 2),
    )


def test_a_late_back_dated_story_is_in() -> None:
    late = an_article(1, published_at=NOW - timedelta(days=400), first_seen_at=NOW)
    assert reasons(select_stories([late], a_newsletter(), NOW)) == {1: Reason.CHOSEN}


def test_age_counts_from_when_we_first_saw_it_to_the_very_second() -> None:
    newsletter = a_newsletter(articles={"max_age": "3d"})
    edge = NOW - timedelta(days=3)
    just_in = an_article(1, first_seen_at=edge, published_at=edge - timedelta(days=1))
    too_late = edge - timedelta(microseconds=1)
    just_out = an_article(2, first_seen_at=too_late, published_at=too_late)
    assert reasons(select_stories([just_in, just_out], newsletter, NOW)) == {1: Reason.CHOSEN, 2: Reason.TOO_OLD}


def test_a_story_that_waited_for_its_hour_is_as_old_as_that_hour() -> None:
    newsletter = a_newsletter(articles={"max_age": "3d"})
    embargoed = an_article(1, first_seen_at=NOW - timedelta(days=20), published_at=NOW)
    long_over = an_article(2, first_seen_at=NOW - timedelta(days=20), published_at=NOW - timedelta(days=4))
    found = reasons(select_stories([embargoed, long_over], newsletter, NOW))
    assert found == {1: Reason.CHOSEN, 2: Reason.TOO_OLD}
    early = reasons(select_stories([embargoed], newsletter, NOW - timedelta(seconds=1)))
    assert early == {1: Reason.NOT_YET}


def test_a_story_stands_where_any_of_its_appearances_does() -> None:
    from_an_agency = an_article(1, source="agency", section="Wire")
    selection = select_stories([from_an_agency], a_newsletter(), NOW)
    assert reasons(selection) == {1: Reason.NO_SECTION}
    elsewhere = {1: (Appearance("front", "World", ()),)}
    assert pool(select_stories([from_an_agency], a_newsletter(), NOW, elsewhere)) == {"World": (1,)}


def test_what_may_not_be_sent_says_why() -> None:
    selection = select_stories(
        [
            an_article(1, published_at=NOW + timedelta(seconds=1)),
            an_article(2, eligible=False),
            an_article(3, retracted_at=NOW),
            an_article(4, section="Sport"),
            an_article(5, published_at=NOW),
        ],
        a_newsletter(),
        NOW,
    )
    assert reasons(selection) == {
        1: Reason.NOT_YET,
        2: Reason.BACKFILL,
        3: Reason.RETRACTED,
        4: Reason.NO_SECTION,
        5: Reason.CHOSEN,
    }


@pytest.mark.parametrize(
    ("match", "taken"),
    [
        ({}, {1, 2, 3}),
        ({"section": "NATIONAL"}, {1, 2}),
        ({"section": ["sport", " national "]}, {1, 2, 3}),
        ({"source": "Desk"}, {2, 3}),
        ({"tag": "Elections"}, {1, 3}),
        ({"tag": ["rain", "elections"], "section": "national"}, {1}),
        ({"tag": []}, set()),
    ],
)
def test_a_section_takes_what_fulfils_all_that_its_match_names(match: dict[str, object], taken: set[int]) -> None:
    candidates = [
        an_article(1, tags=("elections",)),
        an_article(2, source="desk"),
        an_article(3, source="desk", section="Sport", tags=("cricket", "ELECTIONS")),
    ]
    newsletter = a_newsletter(sections=[{"name": "News", "match": match}])
    assert set(select_stories(candidates, newsletter, NOW).article_ids) == taken


def test_the_first_section_that_matches_takes_a_story_even_when_it_is_full() -> None:
    newsletter = a_newsletter(sections=[{"name": "Top", "max": 1}, {"name": "Rest"}])
    selection = select_stories([an_article(1), an_article(2)], newsletter, NOW)
    assert pool(selection) == {"Top": (1,)}
    assert plain(selection.decisions)[1] == Decision(2, Reason.CARRIED_OVER, "Top")


@pytest.mark.parametrize(("overflow", "reason"), [("carry", Reason.CARRIED_OVER), ("drop", Reason.DROPPED_OVERFLOW)])
def test_what_exceeds_a_sections_maximum_is_carried_or_dropped(overflow: str, reason: Reason) -> None:
    newsletter = a_newsletter(sections=[{"name": "News", "max": 2}], articles={"overflow": overflow})
    selection = select_stories([an_article(number) for number in (1, 2, 3)], newsletter, NOW)
    assert reasons(selection) == {1: Reason.CHOSEN, 2: Reason.CHOSEN, 3: reason}


def test_the_total_maximum_is_dealt_in_rounds_so_that_no_section_starves() -> None:
    newsletter = a_newsletter(articles={"max": 5})
    national = [an_article(number) for number in range(1, 6)]
    world = [an_article(number, section="World") for number in range(100, 105)]
    assert pool(select_stories(national + world, newsletter, NOW)) == {"National": (1, 2, 3), "World": (100, 101)}
    assert pool(select_stories(national + world[:1], newsletter, NOW)) == {"National": (1, 2, 3, 4), "World": (100,)}


def test_stories_of_one_minute_stand_in_the_same_order_however_they_are_given() -> None:
    candidates = [an_article(number, published_at=NOW, first_seen_at=NOW) for number in (1, 2, 3)]
    newsletter = a_newsletter(articles={"max": 2})
    expected = {"National": (3, 2)}
    assert pool(select_stories(candidates, newsletter, NOW)) == expected
    assert pool(select_stories(candidates[::-1], newsletter, NOW)) == expected


@pytest.mark.parametrize(
    ("stories", "least", "when_empty", "reason"),
    [
        (0, 1, "skip", Reason.EMPTY),
        (0, 0, "skip", Reason.EMPTY),
        (2, 3, "skip", Reason.BELOW_MINIMUM),
        (3, 3, "skip", Reason.NONE),
        (0, 3, "send", Reason.NONE),
        (2, 3, "send", Reason.NONE),
    ],
)
def test_too_few_stories_skip_an_edition_unless_empty_ones_are_sent(
    stories: int, least: int, when_empty: str, reason: Reason
) -> None:
    newsletter = a_newsletter(articles={"min": least}, when_empty=when_empty)
    selection = select_stories([an_article(number + 1) for number in range(stories)], newsletter, NOW)
    assert too_few(selection, newsletter) is reason


# --- whatever the articles and the rules -----------------------------------------------------------------------------

_minutes = st.integers(-100, 10_000).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Article]:
    return [
        an_article(
            number,
            section=draw(st.sampled_from(["national", "World", "Sport", ""])),
            source=draw(st.sampled_from(["front", "desk"])),
            tags=tuple(draw(st.lists(st.sampled_from(["rain", "vote"]), max_size=2))),
            published_at=NOW - draw(_minutes),
            first_seen_at=NOW - abs(draw(_minutes)),
            eligible=draw(st.sampled_from([True, True, True, False])),
        )
        for number in draw(st.lists(st.integers(1, 500), unique=True, max_size=40))
    ]


_matches = st.fixed_dictionaries(
    {},
    optional={
        "section": st.sampled_from(["National", "WORLD", "sport"]),
        "source": st.sampled_from(["front", ["desk", "front"]]),
        "tag": st.sampled_from(["rain", ["vote", "rain"]]),
    },
)


@st.composite
def rule_sets(draw: st.DrawFn) -> Newsletter:
    sections = [
        {"name": f"Section {number}", "match": match, "max": draw(st.integers(1, 6))}
        for number, match in enumerate(draw(st.lists(_matches, min_size=1, max_size=4)))
    ]
    most = draw(st.integers(1, 15))
    return a_newsletter(
        sections=sections,
        articles={
            "min": draw(st.integers(0, most)),
            "max": most,
            "max_age": draw(st.sampled_from(["1h", "1d", "3d"])),
            "overflow": draw(st.sampled_from(["carry", "drop"])),
        },
    )


@given(candidate_lists(), rule_sets())
def test_each_candidate_has_exactly_one_reason_and_every_limit_holds(
    candidates: list[Article], newsletter: Newsletter
) -> None:
    selection = select_stories(candidates, newsletter, NOW)
    assert [decision.article_id for decision in selection.decisions] == [article.id for article in candidates]
    chosen = {decision.article_id for decision in selection.decisions if decision.reason is Reason.CHOSEN}
    assert Counter(selection.article_ids) == Counter(chosen)
    assert len(chosen) <= newsletter.articles.max
    most = {section.name: section.max for section in newsletter.sections}
    assert all(0 < len(section.article_ids) <= most[section.name] for section in selection.sections)
    names = [section.name for section in selection.sections]
    assert names == [name for name in newsletter.section_names if name in names]
    for decision in selection.decisions:
        in_place = decision.position and pool(selection)[decision.section][decision.position - 1]
        assert (in_place == decision.article_id) is (decision.reason is Reason.CHOSEN)
        assert bool(decision.section) is (
            decision.reason in {Reason.CHOSEN, Reason.CARRIED_OVER, Reason.DROPPED_OVERFLOW}
        )


@given(candidate_lists(), rule_sets())
def test_no_section_takes_a_second_story_more_than_another_that_still_has_some(
    candidates: list[Article], newsletter: Newsletter
) -> None:
    selection = select_stories(candidates, newsletter, NOW)
    taken = {section.name: len(section.article_ids) for section in selection.sections}
    waiting = Counter(
        decision.section
        for decision in selection.decisions
        if decision.reason in {Reason.CARRIED_OVER, Reason.DROPPED_OVERFLOW}
    )
    for section in newsletter.sections:
        if waiting[section.name] and taken.get(section.name, 0) < section.max:
            assert all(number <= taken.get(section.name, 0) + 1 for number in taken.values())


@given(candidate_lists(), rule_sets())
def test_the_order_in_which_candidates_are_given_changes_nothing(
    candidates: list[Article], newsletter: Newsletter
) -> None:
    one, other = (select_stories(listed, newsletter, NOW) for listed in (candidates, candidates[::-1]))
    assert one.sections == other.sections
    assert set(one.decisions) == set(other.decisions)


@given(candidate_lists(), rule_sets())
def test_carrying_over_loses_nothing_until_max_age(candidates: list[Article], newsletter: Newsletter) -> None:
    rules = newsletter.articles.model_copy(update={"overflow": "carry"})
    newsletter = newsletter.model_copy(update={"articles": rules})
    waiting, sent, now = {article.id: article for article in candidates}, Counter[int](), NOW
    while any(article.first_seen_at + rules.max_age >= now for article in waiting.values()):
        selection = select_stories(list(waiting.values()), newsletter, now)
        for decision in selection.decisions:
            article = waiting[decision.article_id]
            if decision.reason is Reason.TOO_OLD:
                assert now - article.first_seen_at > rules.max_age
            assert decision.reason is not Reason.DROPPED_OVERFLOW
        if too_few(selection, newsletter) is Reason.NONE:
            sent.update(selection.article_ids)
            waiting = {key: article for key, article in waiting.items() if key not in selection.article_ids}
        now += timedelta(hours=6)
    assert all(times == 1 for times in sent.values())
    assert sent.keys() | waiting.keys() == {article.id for article in candidates}


@given(candidate_lists(), rule_sets())
def test_an_edition_that_is_not_made_takes_nothing(candidates: list[Article], newsletter: Newsletter) -> None:
    selection = select_stories(candidates, newsletter, NOW)
    carried = {decision.article_id: decision for decision in nothing_taken(selection.decisions)}
    for decision in selection.decisions:
        taken = decision.reason in {Reason.CHOSEN, Reason.DROPPED_OVERFLOW}
        assert carried[decision.article_id].reason is (Reason.CARRIED_OVER if taken else decision.reason)
        assert carried[decision.article_id].position == 0
