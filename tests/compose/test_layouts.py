"""A layout in an edition: what leads, what is missed, minimums and the fallback, near-duplicates, what is blocked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.compose.collapsing import Likeness, Used
from newsletter.compose.selecting import Selection, nothing_taken, select_stories, too_few
from newsletter.config.models import Newsletter
from newsletter.likeness import near_duplicate, sketch
from newsletter.model import IN_EDITION, USED_UP, Article, Decision, EditionSection, Reason
from tests.builders import NOW
from tests.support import newsroom
from tests.support.newsroom import a_newsletter

SECTIONS = [
    {"name": "National", "match": {"section": "national"}},
    {"name": "World", "match": {"section": "world"}},
]


def spelt(number: int) -> str:
    """A number in letters: numbers tell stories apart, and these are to be alike."""
    return "".join("bcdfghjkmn"[int(digit)] for digit in str(number))


def a_text(seed: int, words: int = 60) -> str:
    return " ".join(f"word{spelt(seed)}z{spelt(number)}" for number in range(words))


def an_article(number: int, **changes: Any) -> Article:
    words = {"headline": f"News of {spelt(number)}", "standfirst": "", "body_text": a_text(number)}
    return newsroom.an_article(number, **(words | changes))


def world(number: int, **changes: Any) -> Article:
    return an_article(number, section="World", **changes)


def sections(**changes: Any) -> list[dict[str, Any]]:
    """National and World, with changes by name."""
    return [section | changes.get(str(section["name"]), {}) for section in SECTIONS]


def alike(*articles: Article) -> Likeness:
    """What a store would know of their likeness: who shares runs of words with whom."""
    hashes = {article.id: set(sketch(article)) for article in articles}
    return Likeness(
        {
            one: frozenset(other for other, those in hashes.items() if other != one and len(these & those) >= 2)
            for one, these in hashes.items()
        }
    )


def select(candidates: Sequence[Article], newsletter: Newsletter, **given: Any) -> Selection:
    return select_stories(candidates, newsletter, NOW, **({"likeness": alike(*candidates)} | given))


def pool(selection: Selection) -> list[tuple[str, tuple[int, ...]]]:
    return [(section.label, section.article_ids) for section in selection.sections]


def why(selection: Selection, article_id: int) -> Decision:
    return next(decision for decision in selection.decisions if decision.article_id == article_id)


# --- what leads ---


def test_the_best_of_all_leads_outside_its_section_and_takes_no_place_of_it() -> None:
    newsletter = a_newsletter(
        lead="best", sections=sections(World={"max": 2}), ranking={"sections": {"World": 2}}, articles={"max": 4}
    )
    selection = select([an_article(1), an_article(2), world(3), world(4), world(5)], newsletter)
    assert selection.sections == (
        EditionSection("", (3,), home="World"),
        EditionSection("National", (1, 2)),
        EditionSection("World", (4,)),
    )
    assert why(selection, 3) == Decision(3, Reason.LEADS, "World", 1, "rank 2: 3m old 1, section World ×2")
    assert why(selection, 5).reason is Reason.CARRIED_OVER
    assert select([], newsletter).sections == ()


@pytest.mark.parametrize("lead", ["first", "none"])
def test_otherwise_no_story_stands_outside_its_section(lead: str) -> None:
    assert pool(select([an_article(1), world(2)], a_newsletter(lead=lead))) == [("National", (1,)), ("World", (2,))]


def test_what_came_from_the_fallback_leads_only_where_there_is_nothing_else() -> None:
    rules = {"lead": "best", "fallback": {"source": "agency"}, "articles": {"min": 2}}
    spare = [an_article(number, section="", source="agency") for number in (1, 2, 3)]
    assert pool(select([*spare, an_article(9)], a_newsletter(**rules))) == [("lead", (9,)), ("National", (1,))]
    assert pool(select(spare, a_newsletter(**rules))) == [("lead", (1,)), ("World", (2,))]


def test_the_place_that_a_lead_from_the_fallback_leaves_is_filled() -> None:
    newsletter = a_newsletter(
        lead="best",
        fallback={"source": "agency"},
        articles={"min": 2, "max": 2},
        sections=[{"name": "National", "match": {"section": "national"}, "max": 1}],
    )
    agency = [an_article(number, section="Elsewhere", source="agency") for number in (1, 2)]
    selection = select(agency, newsletter)
    assert sorted(selection.article_ids) == [1, 2]


def test_every_source_of_the_fallback_may_fill_the_place_that_its_lead_leaves() -> None:
    newsletter = a_newsletter(
        lead="best",
        fallback={},
        articles={"min": 4, "max": 4},
        sections=[{"name": "National", "match": {"section": "national"}, "max": 3}],
    )
    sources = {1: "front", 2: "front", 4: "desk", 5: "front"}
    spare = [world(number, source=source, published_at=NOW) for number, source in sources.items()]
    assert sorted(select(spare, newsletter).article_ids) == [1, 2, 4, 5]


# --- order, minimums, the fallback ---


@pytest.mark.parametrize(("order", "taken"), [("rank", (3, 1)), ("newest", (1, 3)), ("oldest", (3, 1))])
def test_rank_says_which_stories_are_taken_and_order_how_they_stand(order: str, taken: tuple[int, ...]) -> None:
    newsletter = a_newsletter(sections=sections(National={"max": 2, "order": order}), ranking={"sources": {"desk": 2}})
    assert pool(select([an_article(1), an_article(2), an_article(3, source="desk")], newsletter)) == [
        ("National", taken)
    ]


def test_a_section_below_its_minimum_takes_of_the_fallback_and_says_so() -> None:
    newsletter = a_newsletter(sections=sections(World={"min": 2}), fallback={"source": "agency"})
    spare = [an_article(number, section="Wire", source="agency") for number in (11, 12)]
    selection = select([an_article(1), world(20), *spare], newsletter)
    assert pool(selection) == [("National", (1,)), ("World", (20, 11))], "the section's own first, though it is older"
    assert why(selection, 11).detail.endswith("; from the fallback: World had 1 of its min of 2")
    assert (why(selection, 12).reason, why(selection, 12).section) == (Reason.NO_SECTION, "")
    assert why(selection, 12).detail.startswith("in the fallback, which nothing needed; rank ")


def test_an_edition_below_its_minimum_takes_of_the_fallback_no_more_than_it_needs() -> None:
    newsletter = a_newsletter(articles={"min": 3}, fallback={"tag": "spare"})
    spare = [an_article(number, section="", tags=("Spare",)) for number in (11, 12, 13)]
    selection = select([world(1), *spare], newsletter)
    assert pool(selection) == [("National", (11, 12)), ("World", (1,))]
    assert "the edition had 1 of its min of 3" in why(selection, 11).detail
    assert too_few(select(spare[:2], newsletter), newsletter) is Reason.BELOW_MINIMUM


def test_a_minimum_comes_before_the_further_stories_of_other_sections() -> None:
    newsletter = a_newsletter(sections=sections(World={"min": 3}), articles={"max": 4})
    candidates = [an_article(number) for number in range(1, 6)] + [world(number) for number in range(11, 16)]
    assert pool(select(candidates, newsletter)) == [("National", (1,)), ("World", (11, 12, 13))]


# --- what was missed ---


@pytest.mark.parametrize("overflow", ["carry", "drop"])
def test_what_has_no_place_is_offered_as_missed_the_best_first_and_used_up(overflow: str) -> None:
    newsletter = a_newsletter(
        sections=sections(National={"max": 1}, World={"max": 1}), missed={"max": 2}, articles={"overflow": overflow}
    )
    selection = select([an_article(1), an_article(2), an_article(5), world(3), world(4)], newsletter)
    assert pool(selection) == [("National", (1,)), ("World", (3,)), ("you may have missed", (2, 4))]
    assert selection.sections[-1].missed
    offered = why(selection, 4)
    assert (offered.reason, offered.section, offered.position) == (Reason.OFFERED_AS_MISSED, "World", 2)
    assert offered.detail.endswith("; World is full (max 1)")
    left = Reason.CARRIED_OVER if overflow == "carry" else Reason.DROPPED_OVERFLOW
    assert why(selection, 5).reason is left
    assert selection.number == 2, "an edition is not made of what it has no place for"
    assert {one.reason for one in nothing_taken(selection.decisions)} == {Reason.CARRIED_OVER}


# --- near-duplicates ---


def test_of_near_duplicates_only_the_best_is_taken_wherever_they_stand() -> None:
    same = a_text(1)
    candidates = [
        an_article(1, body_text=f"{same} {a_text(2, 20)}"),
        an_article(2, body_text=a_text(3)),
        world(3, body_text=f"{a_text(4, 20)} {same}", headline="As the agency tells it"),
    ]
    selection = select(candidates, a_newsletter())
    assert pool(selection) == [("National", (1, 2))]
    assert why(selection, 3) == Decision(3, Reason.NEAR_DUPLICATE, "World", detail="doubles article 1, “News of c”")
    better = a_newsletter(ranking={"sections": {"World": 5}})
    assert pool(select(candidates, better)) == [("National", (2,)), ("World", (3,))]
    both = a_newsletter(ranking={"collapse": False})
    assert pool(select(candidates, both)) == [("National", (1, 2)), ("World", (3,))]


def test_a_double_has_a_place_where_the_better_one_has_none() -> None:
    newsletter = a_newsletter(sections=sections(National={"max": 1}), articles={"overflow": "drop"})
    candidates = [
        an_article(1, body_text=a_text(1)),
        an_article(2, body_text=a_text(2)),
        world(3, body_text=a_text(2)),
        world(4, body_text=a_text(2)),
    ]
    selection = select(candidates, newsletter)
    assert pool(selection) == [("National", (1,)), ("World", (3,))]
    assert "in place of article 2, which it doubles and which has no place" in why(selection, 3).detail
    assert [why(selection, number).reason for number in (2, 4)] == [Reason.NEAR_DUPLICATE] * 2
    assert why(selection, 2).detail.startswith("doubles article 3")


@pytest.mark.parametrize("missed", [None, {"max": 2}])
@pytest.mark.parametrize(
    ("least", "needed"), [("section", "World had 0 of its min of 1"), ("edition", "the edition had 1 of its min of 2")]
)
def test_a_double_of_the_fallback_fills_a_minimum_where_the_better_one_has_no_place(
    least: str, needed: str, missed: dict[str, int] | None
) -> None:
    newsletter = a_newsletter(
        sections=sections(National={"max": 1}, World={"min": 1 if least == "section" else 0}),
        articles={"min": 2 if least == "edition" else 1},
        fallback={"source": "agency"},
        missed=missed,
    )
    own = [an_article(1, body_text=a_text(1)), an_article(2, body_text=a_text(2))]
    spare = [an_article(number, section="Wire", source="agency", body_text=a_text(2)) for number in (11, 12)]
    selection = select([*own, *spare], newsletter)
    assert pool(selection) == [("National", (1,)), ("World", (11,))]
    assert f"from the fallback: {needed}; in place of article 2, which it doubles" in why(selection, 11).detail
    assert [why(selection, number).reason for number in (2, 12)] == [Reason.NEAR_DUPLICATE] * 2
    assert why(selection, 2).detail.startswith("doubles article 11")


def test_what_doubles_a_story_of_an_earlier_edition_is_out_unless_it_came_later() -> None:
    used = Used(an_article(9, body_text=a_text(1)), "was sent in daily@2026-11-22/1", NOW - timedelta(hours=2))
    beside = an_article(1, body_text=a_text(1), first_seen_at=NOW - timedelta(hours=3))
    later = an_article(2, body_text=a_text(1), first_seen_at=NOW - timedelta(hours=1))
    sharing = {1: frozenset({9}), 2: frozenset({9})}
    selection = select([beside, later], a_newsletter(), likeness=Likeness(sharing, {9: used}))
    assert pool(selection) == [("National", (2,))]
    assert why(selection, 1).reason is Reason.NEAR_DUPLICATE
    assert why(selection, 1).detail == ("doubles article 9, “News of n”, which was sent in daily@2026-11-22/1")


def test_what_editors_block_is_out_with_their_words() -> None:
    selection = select([an_article(1), an_article(2)], a_newsletter(), blocked={1: "blocked by anna in daily: an ad"})
    assert why(selection, 1) == Decision(1, Reason.BLOCKED, detail="blocked by anna in daily: an ad")
    assert pool(selection) == [("National", (2,))]


# --- whatever the articles and the layout ---


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Article]:
    return [
        an_article(
            number,
            section=draw(st.sampled_from(["National", "World", "Sport", "Wire"])),
            source=draw(st.sampled_from(["front", "desk"])),
            published_at=NOW - timedelta(minutes=draw(st.integers(-5, 3000))),
            first_seen_at=NOW - timedelta(minutes=draw(st.integers(0, 3000))),
            body_text=a_text(draw(st.integers(1, 12)), 45),
        )
        for number in draw(st.lists(st.integers(1, 200), unique=True, max_size=18))
    ]


@st.composite
def layouts(draw: st.DrawFn) -> Newsletter:
    listed: list[dict[str, Any]] = []
    for name in draw(st.lists(st.sampled_from(["National", "World", "Sport"]), min_size=1, unique=True)):
        most = draw(st.integers(1, 4))
        order = draw(st.sampled_from(["rank", "newest", "oldest"]))
        listed.append(
            {"name": name, "match": {"section": name}, "max": most, "min": draw(st.integers(0, most)), "order": order}
        )
    least = sum(section["min"] for section in listed)
    most = draw(st.integers(max(1, least), 12))
    return a_newsletter(
        sections=listed,
        lead=draw(st.sampled_from(["first", "best", "none"])),
        articles={
            "min": draw(st.integers(0, most)),
            "max": most,
            "max_age": draw(st.sampled_from(["1d", "3d"])),
            "overflow": draw(st.sampled_from(["carry", "drop"])),
        },
        missed=draw(st.sampled_from([None, {"max": 2}])),
        fallback=draw(st.sampled_from([None, {}, {"section": "Wire"}])),
        ranking={
            "collapse": draw(st.booleans()),
            "variety": draw(st.sampled_from([0, 0.3, 1])),
            "sources": draw(st.sampled_from([{}, {"desk": 3}])),
        },
    )


@settings(max_examples=40)
@given(candidate_lists(), layouts(), st.randoms(use_true_random=False))
def test_each_story_has_one_reason_and_every_limit_of_the_layout_holds(
    candidates: list[Article], newsletter: Newsletter, random: Any
) -> None:
    likeness = alike(*candidates)
    selection = select(candidates, newsletter, likeness=likeness)
    # One reason each, and what is in the edition stands where its decision says.
    assert [decision.article_id for decision in selection.decisions] == [article.id for article in candidates]
    decided = {decision.article_id: decision for decision in selection.decisions}
    standing = [(number, section) for section in selection.sections for number in section.article_ids]
    assert Counter(number for number, _ in standing) == Counter(
        number for number, decision in decided.items() if decision.reason in IN_EDITION
    )
    for number, section in standing:
        assert decided[number].reason is section.reason
        assert section.article_ids[decided[number].position - 1] == number
        assert decided[number].section == (section.name or section.home or decided[number].section) != ""
    # Limits.
    rules = {section.name: section for section in newsletter.sections}
    taken = {section.name: section.article_ids for section in selection.sections if section.name}
    assert all(0 < len(listed) <= rules[name].max for name, listed in taken.items())
    assert selection.number <= newsletter.articles.max
    assert [name for name in newsletter.section_names if name in taken] == list(taken)
    missed = [section for section in selection.sections if section.missed]
    assert len(missed) <= (newsletter.missed is not None)
    assert all(0 < len(one.article_ids) <= 2 and one is selection.sections[-1] for one in missed)
    leads = [section for section in selection.sections if section.leads]
    assert len(leads) == (newsletter.lead == "best" and selection.number > 0)
    # No section goes short while another one overflows, nor below its minimum while the fallback has some.
    full = selection.number == newsletter.articles.max
    for name, rule in rules.items():
        has = len(taken.get(name, ()))
        waits = any(one.section == name and one.reason in _WAITING for one in selection.decisions)
        assert not waits or full or has == rule.max
        if waits and has < rule.max:
            assert all(len(listed) <= max(has + 1, rules[other].min) for other, listed in taken.items())
    spare = [one for one in selection.decisions if one.detail.startswith("in the fallback")]
    if spare and not full:
        assert all(len(taken.get(name, ())) >= rule.min for name, rule in rules.items())
        room = any(len(taken.get(name, ())) < rule.max for name, rule in rules.items())
        assert selection.number >= newsletter.articles.min or not room
    # No reader gets the same words twice, and what is left out for that names a story that there is.
    articles = {article.id: article for article in candidates}
    if newsletter.ranking.collapse:
        for at, (one, _) in enumerate(standing):
            assert not any(_same(articles[one], articles[other], likeness) for other, _ in standing[at + 1 :])
    for decision in selection.decisions:
        if decision.reason is Reason.NEAR_DUPLICATE:
            double = int(decision.detail.split(",")[0].removeprefix("doubles article "))
            assert _same(articles[decision.article_id], articles[double], likeness)
            assert decided[double].reason in {*USED_UP, Reason.CARRIED_OVER}
    # The same whatever the order in which they are given.
    shuffled = random.sample(candidates, len(candidates))
    again = select(shuffled, newsletter, likeness=likeness)
    assert again.sections == selection.sections
    assert set(again.decisions) == set(selection.decisions)


_WAITING = {Reason.CARRIED_OVER, Reason.DROPPED_OVERFLOW, Reason.OFFERED_AS_MISSED}


def _same(one: Article, other: Article, likeness: Likeness) -> bool:
    shares = other.id in likeness.sharing.get(one.id, ())
    return shares and bool(near_duplicate(one, other, one.published_at - other.published_at))
