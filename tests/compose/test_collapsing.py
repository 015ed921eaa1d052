"""Near-duplicates over several editions, against both databases: not mailed again as if new, and not lost either."""

from __future__ import annotations

from datetime import timedelta

from newsletter.collect.identity import same_story, to_remember
from newsletter.compose.composing import Composed, compose
from newsletter.compose.explaining import explain
from newsletter.model import OccurrenceState, Reason
from newsletter.store import Store, articles, edition_changes, editions, occurrences
from tests.builders import NOW, an_incoming_article
from tests.support.newsroom import a_newsletter, occurrence_now, plan_occurrence

S = OccurrenceState
REPORT = """\
A ferry carrying two hundred passengers ran aground on a sandbank off the island of Lunde on Tuesday evening, the coast
guard said, and all on board were brought to safety before midnight. The ship had left the mainland in the afternoon and
was within sight of the harbour when its steering failed. Two tugs and a rescue helicopter were sent, but the sea was
calm and most passengers climbed into fishing boats that had come out to meet them."""
OURS = """\
Our reporter spent the night in the harbour hall, where the travellers slept on gym mats and drank the coffee of the
parish until the morning bus came. On the island the grounding has reopened an old quarrel about the sale of the fleet:
the union wants the old company back, the ministry wants to wait for its inspectors, and nobody wants to pay."""
THEIRS = """\
The company that runs the line promised every passenger a refund and said that an older vessel would take over from
Thursday. Divers will examine the rudder once the tide has lifted the hull. It is the third failure of its kind since
a new owner came, and the mayor called for an inquiry into how the crews are trained."""


def collect(store: Store, source: str, headline: str, text: str, *, minutes: int = 60) -> int:
    """One story, published and first seen that many minutes before NOW; its id."""
    at = NOW - timedelta(minutes=minutes)
    one = an_incoming_article(
        source=source,
        url=f"https://{source}.example/{headline.replace(' ', '-')}",
        guid=headline,
        headline=headline,
        standfirst="",
        body_text=text,
        published_at=at,
        updated_at=at,
    )
    (found,) = store.write(articles.remember, to_remember([one]), now=at, match=same_story).new
    return found


def compose_day(store: Store, day: int) -> Composed:
    now = NOW + timedelta(days=day - 23)
    row = plan_occurrence(store, day=day, due_at=now + timedelta(minutes=30), now=now)
    return compose(store, row, "daily", a_newsletter(), now=now)


def chosen(composed: Composed) -> tuple[int, ...]:
    return composed.edition.edition.article_ids if composed.edition is not None else ()


def why(store: Store, composed: Composed, article_id: int) -> tuple[Reason, str]:
    rows = explain(store.read(editions.why, composed.occurrence.id), ["National"])
    return next((row.reason, row.words) for row in rows if row.article_id == article_id)


def send(store: Store, composed: Composed) -> None:
    for state in (S.APPROVED, S.SENDING, S.SENT):
        before = occurrence_now(store, composed.occurrence).state
        assert store.write(occurrences.transition, composed.occurrence.id, state, from_={before}, now=NOW)


def test_a_near_duplicate_is_not_mailed_the_day_after_as_if_it_were_new(store: Store) -> None:
    theirs = collect(store, "agency", "Ferry aground off Lunde", f"{REPORT} {THEIRS}", minutes=90)
    ours = collect(store, "front", "A night in the harbour hall", f"{REPORT} {OURS}")
    today = compose_day(store, 23)
    assert chosen(today) == (ours,)
    doubles = f"doubles article {ours}, “A night in the harbour hall”"
    words = f"near-duplicate: left out for one that says the same; {doubles}"
    assert why(store, today, theirs) == (Reason.NEAR_DUPLICATE, words)
    held = compose_day(store, 24)
    assert why(store, held, theirs) == (Reason.NEAR_DUPLICATE, f"{words}, which is in daily@2026-11-23/1")
    send(store, today)
    tomorrow = compose_day(store, 25)
    assert chosen(tomorrow) == ()
    assert why(store, tomorrow, theirs) == (Reason.NEAR_DUPLICATE, f"{words}, which was sent in daily@2026-11-23/1")


def test_it_is_not_lost_where_its_double_is_taken_back_before_anybody_got_it(store: Store) -> None:
    theirs = collect(store, "agency", "Ferry aground off Lunde", f"{REPORT} {THEIRS}", minutes=90)
    ours = collect(store, "front", "A night in the harbour hall", f"{REPORT} {OURS}")
    today = compose_day(store, 23)
    assert today.edition is not None
    assert chosen(today) == (ours,)
    assert store.write(articles.retract, ours, "withdrawn", NOW)
    store.write(edition_changes.revise, today.edition.id, {ours: Reason.RETRACTED}, NOW)
    assert chosen(compose_day(store, 24)) == (theirs,)


def test_a_follow_up_that_repeats_much_of_what_was_mailed_is_a_new_story(store: Store) -> None:
    collect(store, "agency", "Ferry aground off Lunde", f"{REPORT} {THEIRS}", minutes=90)
    today = compose_day(store, 23)
    send(store, today)
    follow_up = collect(store, "front", "A night in the harbour hall", f"{REPORT} {OURS}", minutes=-60)
    assert chosen(compose_day(store, 24)) == (follow_up,)
