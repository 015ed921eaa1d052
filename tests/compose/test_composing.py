"""Composing against both databases: once, in one transaction, with nothing lost and everything explained."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, func, select

from newsletter.cohort import Cohort
from newsletter.compose import composing
from newsletter.compose.composing import Composed, Proposal, compose, compose_preview
from newsletter.compose.explaining import explain, explain_proposal
from newsletter.config.models import Newsletter
from newsletter.model import Decision, EditionSection, OccurrenceState, Reason
from newsletter.store import Store, editions, occurrences, tables
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW
from tests.support.newsroom import (
    DUE,
    a_newsletter,
    add_articles,
    an_article,
    occurrence_now,
    plan_occurrence,
)

S = OccurrenceState
NEWSLETTER = a_newsletter(articles={"min": 2, "max": 4, "max_age": "3d"})


def compose_day(
    store: Store, day: int, newsletter: Newsletter = NEWSLETTER, name: str = "daily", now: datetime = NOW
) -> Composed:
    return compose(store, plan_occurrence(store, name, day=day), name, newsletter, now=now)


def chosen(composed: Composed) -> tuple[int, ...]:
    assert composed.edition is not None
    return composed.edition.edition.article_ids


def why(store: Store, composed: Composed) -> dict[int, Reason]:
    return {row.article_id: row.reason for row in store.read(editions.why, composed.occurrence.id)}


def count(store: Store, table: Any) -> int:
    return store.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one())


def send(store: Store, composed: Composed) -> None:
    for state in (S.APPROVED, S.SENDING, S.SENT):
        before = occurrence_now(store, composed.occurrence).state
        assert store.write(occurrences.transition, composed.occurrence.id, state, from_={before}, now=NOW)


# --- once ------------------------------------------------------------------------------------------------------------


def test_an_occurrence_is_composed_into_an_edition(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2, section="World"), an_article(3, section="Sport"))
    composed = compose_day(store, 23)
    assert composed.made
    assert composed.occurrence.state is S.COMPOSED
    assert composed.edition is not None
    assert composed.edition.sections == (EditionSection("National", (1,)), EditionSection("World", (2,)))
    assert composed.edition.due_at == DUE
    assert why(store, composed) == {1: Reason.CHOSEN, 2: Reason.CHOSEN, 3: Reason.NO_SECTION}


def test_composing_again_returns_the_same_edition(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2))
    first = compose_day(store, 23)
    add_articles(store, an_article(3))
    again = compose_day(store, 23)
    assert (again.edition, again.made) == (first.edition, False)
    assert why(store, again) == {1: Reason.CHOSEN, 2: Reason.CHOSEN}


def _compose_in_a_process(url: str, occurrence: OccurrenceRow, barrier: Any) -> tuple[bool, int]:
    with Store.open(url) as store:
        barrier.wait(60)
        composed = compose(store, occurrence, "daily", NEWSLETTER, now=NOW)
        assert composed.edition is not None
        return composed.made, composed.edition.id


def test_two_processes_that_compose_one_occurrence_make_one_edition(store: Store, store_url: str) -> None:
    add_articles(store, *(an_article(number) for number in range(1, 10)))
    occurrence = plan_occurrence(store)
    context = get_context("spawn")
    with context.Manager() as manager, context.Pool(2) as pool:
        barrier = manager.Barrier(2)
        outcomes = pool.starmap(_compose_in_a_process, [(store_url, occurrence, barrier)] * 2)
    assert sorted(made for made, _ in outcomes) == [False, True]
    assert len({edition for _, edition in outcomes}) == 1
    assert count(store, tables.editions) == 1
    assert count(store, tables.article_uses) == 4


def test_many_threads_that_compose_several_occurrences_share_no_article(store: Store) -> None:
    add_articles(store, *(an_article(number) for number in range(1, 21)))
    newsletter = a_newsletter(sections=[{"name": "News", "max": 4}], articles={"max": 4})
    turns = [plan_occurrence(store, day=day) for day in (20, 21, 22, 23)] * 2
    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda turn: compose(store, turn, "daily", newsletter, now=NOW), turns))
    assert sum(composed.made for composed in done) == 4
    held = {composed.edition.id: chosen(composed) for composed in done if composed.edition}
    every = [article for articles in held.values() for article in articles]
    assert len(every) == len(set(every))
    assert count(store, tables.article_uses) == len(every)


def test_a_composer_overtaken_below_the_minimum_chooses_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_articles(store, *(an_article(number) for number in range(1, 7)))
    overtakers = [plan_occurrence(store, day=24)]

    def read_then_be_overtaken(*arguments: Any, **named: Any) -> Proposal:
        proposal = compose_preview(*arguments, **named)
        if overtakers:  # what another process commits between our reading and our writing
            held = EditionSection("National", (1, 2, 3))
            decided = [Decision(article, Reason.CHOSEN, "National", article) for article in (1, 2, 3)]
            store.write(editions.create, overtakers.pop(), "", "", "", DUE, [held], decided, NOW)
        return proposal

    monkeypatch.setattr(composing, "compose_preview", read_then_be_overtaken)
    composed = compose_day(store, 23)
    assert not overtakers
    assert chosen(composed) == (4, 5, 6)
    assert count(store, tables.editions) == 2


# --- killed in the middle --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["get", "record_selections"])
def test_a_composer_killed_in_the_middle_leaves_no_reserved_article(
    store: Store, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    add_articles(store, an_article(1), an_article(2))
    occurrence = plan_occurrence(store)
    with monkeypatch.context() as patch:
        patch.setattr(editions, where, die)
        with pytest.raises(Killed):
            compose(store, occurrence, "daily", NEWSLETTER, now=NOW)
    for table in (tables.article_uses, tables.editions, tables.selections):
        assert count(store, table) == 0
    assert occurrence_now(store, occurrence) == occurrence
    assert chosen(compose(store, occurrence, "daily", NEWSLETTER, now=NOW)) == (1, 2)


# --- nothing lost, nothing repeated ----------------------------------------------------------------------------------


def test_an_article_is_never_in_two_editions_of_a_newsletter(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2))
    first = compose_day(store, 23)
    send(store, first)
    add_articles(store, an_article(3), an_article(4))
    second = compose_day(store, 24)
    assert chosen(second) == (3, 4)
    assert why(store, second) == {
        1: Reason.ALREADY_SENT,
        2: Reason.ALREADY_SENT,
        3: Reason.CHOSEN,
        4: Reason.CHOSEN,
    }


def test_an_article_held_by_an_edition_that_is_not_sent_yet_says_so(store: Store) -> None:
    add_articles(store, *(an_article(number) for number in range(1, 5)))
    small = a_newsletter(articles={"min": 1, "max": 2})
    compose_day(store, 23, small)
    second = compose_day(store, 24, small)
    assert chosen(second) == (3, 4)
    assert why(store, second)[1] is Reason.RESERVED_ELSEWHERE


def test_two_newsletters_may_both_use_an_article(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2))
    assert chosen(compose_day(store, 23)) == (1, 2)
    assert chosen(compose_day(store, 23, name="weekly")) == (1, 2)


def test_a_skip_below_the_minimum_loses_nothing(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2, section="Sport"))
    skipped = compose_day(store, 23)
    assert (skipped.edition, skipped.made) == (None, True)
    assert (skipped.occurrence.state, skipped.occurrence.reason) == (S.SKIPPED, Reason.BELOW_MINIMUM)
    assert skipped.occurrence.detail == "1 story, at least 2 needed"
    assert why(store, skipped) == {1: Reason.CARRIED_OVER, 2: Reason.NO_SECTION}
    assert count(store, tables.article_uses) == 0
    add_articles(store, an_article(3))
    assert chosen(compose_day(store, 24)) == (1, 3)


def test_with_no_story_at_all_the_edition_is_skipped_as_empty_or_sent_empty(store: Store) -> None:
    skipped = compose_day(store, 23)
    assert (skipped.occurrence.state, skipped.occurrence.reason) == (S.SKIPPED, Reason.EMPTY)
    sent = compose_day(store, 24, a_newsletter(when_empty="send"))
    assert chosen(sent) == ()
    assert sent.occurrence.state is S.COMPOSED


def test_overflow_is_carried_to_the_next_edition(store: Store) -> None:
    add_articles(store, *(an_article(number) for number in range(1, 7)))
    first = compose_day(store, 23)
    assert chosen(first) == (1, 2, 3, 4)
    assert why(store, first)[5] is Reason.CARRIED_OVER
    assert chosen(compose_day(store, 24)) == (5, 6)


def test_dropped_overflow_is_used_up_and_stays_explained(store: Store) -> None:
    newsletter = a_newsletter(articles={"max": 2, "overflow": "drop"})
    add_articles(store, *(an_article(number) for number in (1, 2, 3)))
    send(store, compose_day(store, 23, newsletter))
    add_articles(store, an_article(4))
    second = compose_day(store, 24, newsletter)
    assert chosen(second) == (4,)
    assert why(store, second)[3] is Reason.DROPPED_OVERFLOW


def test_a_skipped_edition_does_not_use_up_its_overflow(store: Store) -> None:
    newsletter = a_newsletter(sections=[{"name": "News", "max": 1}], articles={"min": 2, "overflow": "drop"})
    add_articles(store, an_article(1), an_article(2))
    assert compose_day(store, 23, newsletter).occurrence.state is S.SKIPPED
    assert chosen(compose_day(store, 24)) == (1, 2)


def test_a_missed_edition_gives_its_articles_to_the_next(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2))
    missed = compose_day(store, 23)
    assert store.write(occurrences.skip, missed.occurrence.id, reason=Reason.MISSED, now=NOW)
    assert chosen(compose_day(store, 24)) == (1, 2)


def test_a_story_too_old_is_told_of_once_however_long_nothing_was_composed(store: Store) -> None:
    add_articles(store, *(an_article(number) for number in range(1, 7)))
    compose_day(store, 20)
    month_later = NOW + timedelta(days=30)
    fresh = [an_article(number, published_at=NOW, first_seen_at=month_later) for number in (7, 8, 9, 10)]
    add_articles(store, *fresh)
    second = compose_day(store, 23, now=month_later)
    assert chosen(second) == (10, 9, 8, 7)
    assert {article for article, reason in why(store, second).items() if reason is Reason.TOO_OLD} == {5, 6}
    third = compose_day(store, 24, a_newsletter(when_empty="send"), now=month_later + timedelta(hours=1))
    assert Reason.TOO_OLD not in why(store, third).values()


def test_what_the_first_collection_only_remembered_is_out_with_that_reason(store: Store) -> None:
    add_articles(store, an_article(1), an_article(2), an_article(3, eligible=False), an_article(4, retracted_at=NOW))
    composed = compose_day(store, 23)
    assert chosen(composed) == (1, 2)
    assert why(store, composed)[3] is Reason.BACKFILL
    assert why(store, composed)[4] is Reason.RETRACTED


@pytest.mark.parametrize("state", [S.HELD, S.CANCELLED, S.SKIPPED])
def test_an_occurrence_taken_aside_is_left_as_it_is(store: Store, state: OccurrenceState) -> None:
    add_articles(store, an_article(1), an_article(2))
    occurrence = plan_occurrence(store)
    assert store.write(occurrences.transition, occurrence.id, state, from_={S.PLANNED}, now=NOW)
    composed = compose(store, occurrence, "daily", NEWSLETTER, now=NOW)
    assert (composed.edition, composed.made, composed.occurrence.state) == (None, False, state)
    assert count(store, tables.article_uses) == 0


def test_a_cohort_without_stories_goes_without_and_skips_nobody_else(store: Store) -> None:
    occurrence = plan_occurrence(store)
    first = compose(store, occurrence, "daily", NEWSLETTER, cohort=Cohort.parse("Pacific/Apia@07:00"), now=NOW)
    assert (first.edition, first.occurrence.state) == (None, S.PLANNED)
    add_articles(store, an_article(1), an_article(2))
    second = compose(store, occurrence, "daily", NEWSLETTER, cohort=Cohort.parse("Asia/Kolkata@07:00"), now=NOW)
    assert (chosen(second), second.occurrence.state) == ((1, 2), S.COMPOSED)
    later = NOW + timedelta(days=5)
    third = compose(store, occurrence, "daily", NEWSLETTER, cohort=Cohort.parse("Pacific/Honolulu@07:00"), now=later)
    assert (third.edition, third.occurrence.state) == (None, S.COMPOSED)


def test_of_a_thousand_candidates_each_has_its_reason(store: Store) -> None:
    add_articles(store, *(an_article(number, section="Sport") for number in range(1, 1201)))
    add_articles(store, *(an_article(number, eligible=False) for number in range(1201, 1301)))
    add_articles(store, an_article(1301), an_article(1302))
    composed = compose_day(store, 23)
    found = Counter(why(store, composed).values())
    assert found == {Reason.NO_SECTION: 1200, Reason.BACKFILL: 100, Reason.CHOSEN: 2}


# --- previewing and explaining ---------------------------------------------------------------------------------------


def test_a_preview_is_what_composing_makes_and_writes_nothing(store: Store) -> None:
    add_articles(store, *(an_article(number) for number in range(1, 7)))
    proposal = compose_preview(store, "daily", NEWSLETTER, now=NOW)
    for table in (tables.article_uses, tables.editions, tables.selections, tables.occurrences):
        assert count(store, table) == 0
    composed = compose_day(store, 23)
    assert composed.edition is not None
    assert composed.edition.sections == proposal.sections
    assert proposal.skip is Reason.NONE
    assert proposal.articles[1].headline == "Headline of story 1"
    assert compose_preview(store, "daily", NEWSLETTER, now=NOW).skip is Reason.NONE
    compose_day(store, 24)
    assert compose_preview(store, "daily", NEWSLETTER, now=NOW).skip is Reason.EMPTY


def test_an_edition_explains_itself_in_its_own_order_and_in_words(store: Store) -> None:
    add_articles(
        store,
        an_article(1, section="World"),
        an_article(2),
        an_article(3),
        an_article(4, section="Sport"),
        an_article(5),
        an_article(6),
    )
    expected = [
        ("Headline of story 2", "National", 1, "chosen"),
        ("Headline of story 3", "National", 2, "chosen"),
        ("Headline of story 5", "National", 3, "chosen"),
        ("Headline of story 1", "World", 1, "chosen"),
        (
            "Headline of story 6",
            "National",
            0,
            "carried over: no place for it, or no edition; the next one may have it",
        ),
        ("Headline of story 4", "", 0, "matches no section of this newsletter"),
    ]
    proposal = compose_preview(store, "daily", NEWSLETTER, now=NOW)
    composed = compose_day(store, 23)
    written = explain(store.read(editions.why, composed.occurrence.id), NEWSLETTER.section_names)
    proposed = explain_proposal(proposal, NEWSLETTER.section_names)
    assert written == proposed
    assert [
        (row.headline, row.section, row.position, row.words.removesuffix(f"; {row.detail}")) for row in written
    ] == expected
    assert written[0].detail == "rank 1: 2m old 1"
    assert written[0].words == "chosen; rank 1: 2m old 1"
    assert written[4].detail == "rank 0.72: 6m old 0.99, 3 better of front ×0.73; the edition is full (articles.max 4)"


# --- whatever arrives ------------------------------------------------------------------------------------------------

_day = st.tuples(
    st.integers(0, 9),  # stories that arrive
    st.sampled_from(["send", "send", "skip", "leave"]),  # what becomes of the edition
)


@settings(
    max_examples=8,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(_day, min_size=3, max_size=7), st.sampled_from(["carry", "drop"]), st.integers(0, 4))
def test_over_many_days_each_story_is_sent_once_or_says_why_not(
    store: Store, days: list[tuple[int, str]], overflow: str, least: int
) -> None:
    def clear(connection: Connection) -> None:
        for table in (tables.occurrences, tables.articles):
            connection.execute(delete(table))

    store.write(clear)
    newsletter = a_newsletter(
        sections=[{"name": "News", "max": 3}, {"name": "World", "match": {"section": "world"}}],
        articles={"min": least, "max": 4, "max_age": "2d", "overflow": overflow},
    )
    number, in_editions, last_reason = 0, list[int](), dict[int, Reason]()
    for day, (arriving, fate) in enumerate(days, start=1):
        now = NOW + timedelta(days=day)
        new = [an_article(number + one, first_seen_at=now, published_at=NOW) for one in range(1, arriving + 1)]
        number += arriving
        add_articles(store, *new)
        composed = compose_day(store, day, newsletter, now=now)
        last_reason |= why(store, composed)
        if composed.edition is None:
            continue
        if fate == "skip":
            assert store.write(occurrences.skip, composed.occurrence.id, reason=Reason.MISSED, now=now)
            continue
        in_editions += chosen(composed)
        if fate == "send":
            send(store, composed)
    assert len(in_editions) == len(set(in_editions))
    assert last_reason.keys() == set(range(1, number + 1))
    never = {article: last_reason[article] for article in last_reason.keys() - set(in_editions)}
    assert set(never.values()) <= {
        Reason.CARRIED_OVER,
        Reason.TOO_OLD,
        Reason.DROPPED_OVERFLOW,
        Reason.CHOSEN,  # by an edition that was then skipped, on the last day
    }
    if overflow == "carry":
        assert Reason.DROPPED_OVERFLOW not in last_reason.values()
