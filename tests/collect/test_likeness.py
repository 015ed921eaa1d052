"""Stories that share neither URL nor guid: which are one, and which only look like it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.collect.identity import same_story, to_remember
from newsletter.likeness import resemblance, sketch, templated, words
from newsletter.model import IncomingArticle
from newsletter.store import Store, article_merges, articles
from newsletter.store.articles import Remembered
from tests.builders import NOW, an_incoming_article

FERRY = """\
A ferry carrying 214 passengers ran aground on a sandbank off the island of Lunde on Tuesday evening, the coast guard
said, and all on board were brought to safety before midnight. The ship, the Havbris, had left the mainland at 17:40
and was within sight of the harbour when its steering failed. Two tugs and a rescue helicopter were sent, but the sea
was calm and most passengers climbed into fishing boats that had come out to meet them. "We sang on the deck, and
nobody was afraid," said Ingrid Moen, a teacher who was travelling with 31 pupils. The company that runs the line
promised every traveller a refund and said that an older ship would take over the service from Thursday. Divers will
examine the rudder once the tide has lifted the hull. It is the third failure of its kind since the fleet was sold in
2021, and the mayor of Lunde called for an inquiry. The transport ministry said that it would wait for the report of
its own inspectors, who are expected on the island by the end of the week and who will interview the crew of nine."""

OWN = """\
When the lights of the Havbris stopped moving, Tor Lian was mending nets in his kitchen. He did not wait for the radio.
By the time the coast guard called, a dozen boats from Lunde were already alongside, and the schoolchildren were being
handed down one after another, each with a blanket and a bun. The grounding on Tuesday evening ended without a scratch,
but on the island it has reopened an old quarrel about the sale of the ferries. The mayor wants an inquiry, the union
wants the old company back, and the ministry wants, as ever, to wait for its inspectors. Our reporter spent the night
in the harbour hall, where 214 strangers slept on gym mats and drank the parish's coffee until the morning bus came."""

GOLD = """\
Gold opened at {0} rupees per gram for 24 carat in Chennai on {1}, while 22 carat jewellery gold was quoted at {2}
rupees. A sovereign of eight grams costs {3} rupees. Silver stood at {4} rupees per kilogram. Prices do not include
goods and services tax and making charges, which differ from shop to shop. Traders said that demand for the wedding
season and the dollar's exchange rate would decide where prices go from here. Check with your jeweller before buying."""


def a_story(**changes: Any) -> IncomingArticle:
    values: dict[str, Any] = {
        "source": "front",
        "url": "https://news.example/ferry",
        "guid": "ferry",
        "headline": "Ferry runs aground off Lunde, all 214 passengers safe",
        "standfirst": "Fishing boats took most of the travellers ashore before midnight.",
        "authors": (),
        "body_text": FERRY,
        "published_at": NOW,
        "updated_at": None,
    }
    return an_incoming_article(**(values | changes))


def elsewhere(story: IncomingArticle, name: str = "agency", **changes: Any) -> IncomingArticle:
    """The same under a source, URL and guid of its own."""
    return replace(story, **({"source": name, "url": f"https://{name}.example/9", "guid": f"{name}-9"} | changes))


def again(story: IncomingArticle, number: int = 2, **changes: Any) -> IncomingArticle:
    """The same in its own source, under another URL and guid."""
    return replace(story, **({"url": f"https://news.example/{number}", "guid": f"g{number}"} | changes))


def collect(store: Store, *found: IncomingArticle, days: float = 0) -> Remembered:
    now = NOW + timedelta(days=days)
    return store.write(articles.remember, to_remember(found), now=now, match=same_story)


def are_one(store: Store, first: IncomingArticle, second: IncomingArticle, days: float = 0) -> bool:
    assert len(collect(store, first).new) == 1
    return collect(store, second, days=days).new == ()


EDITED = (
    FERRY.replace("ran aground on a sandbank", "became stuck on a sandbank")
    .replace('"We sang on the deck, and\nnobody was afraid," said', "There was no panic, said")
    .replace("The company that runs the line\npromised", "The operator promised")
    .replace("called for an inquiry", "wants to know why")
)


@pytest.mark.parametrize(
    "changes",
    [
        {"body_text": EDITED},
        {
            "body_text": EDITED,
            "headline": "Two hundred saved from stranded ferry",
            "standfirst": "",
            "authors": ("PTI",),
        },
        {"body_text": f"LUNDE (AP) - {FERRY}", "headline": "Ferry strands near island", "standfirst": ""},
        {"body_text": FERRY[: len(FERRY) // 2], "published_at": NOW + timedelta(hours=3)},
        {"body_text": FERRY.replace('"', "\u201d").replace("'", "\u2019").upper()},
        {"body_text": "", "published_at": NOW + timedelta(hours=1)},
    ],
    ids=["edited", "own headline", "dateline", "cut", "typography", "summary only"],
)
def test_an_agencys_story_in_two_feeds_is_one(store: Store, changes: dict[str, Any]) -> None:
    assert are_one(store, a_story(), elsewhere(a_story(), **changes))


def test_a_summary_and_the_full_text_of_one_story_are_one_in_either_order(store: Store) -> None:
    summary = a_story(body_text="")
    assert are_one(store, summary, again(a_story()))
    other = a_story(headline="Harbour fees to rise next year", standfirst="The council voted late in the night for it.")
    collect(store, again(replace(other, body_text=OWN), 3), days=1)
    assert collect(store, again(replace(other, body_text=""), 4), days=1).new == ()


def test_a_long_summary_under_each_papers_own_headline_is_one_story(store: Store) -> None:
    summary = " ".join(FERRY.split()[:45])
    first = a_story(headline="Ferry aground off Lunde", standfirst=summary, body_text="")
    assert are_one(store, first, elsewhere(first, headline="All safe after island ship strands"))


def test_a_story_published_again_days_later_is_one(store: Store) -> None:
    assert are_one(store, a_story(), again(a_story(), published_at=NOW + timedelta(days=3)), days=3)


def test_a_story_that_changes_guid_slug_headline_date_and_feed_at_once_is_one(store: Store) -> None:
    changed = elsewhere(a_story(), headline="What we know of the Havbris", published_at=NOW + timedelta(days=1))
    assert are_one(store, a_story(), changed, days=1)


def test_a_few_figures_brought_up_to_date_make_no_second_story(store: Store) -> None:
    story = a_story(body_text=f"{FERRY}\n{OWN}", headline="Ferry runs aground off Lunde")
    later = replace(story, body_text=story.body_text.replace("214", "219").replace("nine.", "10."))
    assert are_one(store, story, elsewhere(later, published_at=NOW + timedelta(hours=5)))


def gold(day: str, *prices: str) -> str:
    return GOLD.format(prices[0], day, *prices[1:])


MONDAY = gold("Monday", "6,234", "5,715", "45,720", "78,400")
TUESDAY = gold("Tuesday", "6,281", "5,758", "46,064", "78,900")


@pytest.mark.parametrize("hours", [5, 24])
@pytest.mark.parametrize("source", ["front", "agency"])
def test_what_a_template_says_each_day_is_new_each_day(store: Store, hours: int, source: str) -> None:
    first = a_story(headline="Gold price today", standfirst="Rates in Chennai", body_text=MONDAY)
    later = again(first, body_text=TUESDAY, published_at=NOW + timedelta(hours=hours), source=source)
    assert not are_one(store, first, later, days=hours / 24)


def test_a_long_report_whose_figures_are_another_days_is_new(store: Store) -> None:
    figures = FERRY.replace("214", "187").replace("17:40", "16:05").replace("31 pupils", "12 pupils")
    tomorrow = again(a_story(headline="Ferry report"), body_text=figures, published_at=NOW + timedelta(days=1))
    assert not are_one(store, a_story(headline="Ferry report"), tomorrow, days=1)


def test_a_forecast_that_differs_in_its_day_alone_is_new(store: Store) -> None:
    text = (
        "Light rain is expected in the north on {0}, with bright spells along the coast. In the mountains it stays "
        "cold, and fog may linger in the valleys until noon. The wind comes from the west and is weak to moderate. "
        "Drivers should look out for wet leaves. The outlook for the days after it: mild, changeable, often cloudy."
    )
    first = a_story(headline="The weather", standfirst="For the whole country", body_text=text.format("Monday"))
    second = again(first, body_text=text.format("Tuesday"), published_at=NOW + timedelta(days=1))
    assert not are_one(store, first, second, days=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The long road home, part 1", "The long road home, part 2"),
        ("Part 1: out of the valley", "Part 2: into the city"),
        ("The long road home (I)", "The long road home (II)"),
        ("Der lange Weg nach Hause, Teil eins", "Der lange Weg nach Hause, Teil zwei"),
        ("Storm live: Monday", "Storm live: Tuesday"),
    ],
)
@pytest.mark.parametrize("body", ["", " ".join(FERRY.split()[:60])], ids=["summary", "text"])
def test_parts_and_days_that_share_an_introduction_are_two(store: Store, one: str, other: str, body: str) -> None:
    about = "A series on the people who left the valley and on what became of the houses they left behind them there."
    first = a_story(headline=one, standfirst=about, body_text=body)
    assert not are_one(store, first, again(first, headline=other, published_at=NOW + timedelta(hours=1)))


def test_an_agencys_story_and_the_papers_own_on_the_same_event_are_two(store: Store) -> None:
    own = a_story(body_text=OWN, headline=a_story().headline)
    assert not are_one(store, elsewhere(a_story()), own)


def test_live_blogs_of_two_days_are_two(store: Store) -> None:
    about = "Follow the vote count with our reporters in the capital and in the provinces, minute by minute."
    first = a_story(headline="Election live", standfirst=about, body_text=f"{about}\n{FERRY}")
    second = again(first, body_text=f"{about}\n{OWN}", published_at=NOW + timedelta(hours=14))
    assert not are_one(store, first, second, days=0.6)
    one, other = [
        replace(one, headline="Storm live", body_text="", standfirst=about.replace("vote count", "storm"))
        for one in (again(first, 5), again(second, 6))
    ]
    assert not are_one(store, one, other, days=0.6)


@pytest.mark.parametrize(
    ("headline", "first", "second"),
    [
        ("Letters to the editor", "Sir, the trains are late again. " * 12, "Madam, who waters the trees now? " * 12),
        ("Corrections and clarifications", "An article on page 3 gave the wrong year of the flood.",
         "A caption on page 7 named the wrong minister."),
        ("On reflection", OWN, FERRY),
    ],
)  # fmt: skip
def test_columns_with_one_headline_are_two(store: Store, headline: str, first: str, second: str) -> None:
    about = "What our readers write to us, and what we got wrong"
    column = a_story(headline=headline, standfirst=about, body_text=first, authors=("A. Rao",))
    assert not are_one(store, column, again(column, body_text=second, authors=("B. Sen",)))


def test_a_column_whose_feed_shows_a_standing_summary_is_new_each_week(store: Store) -> None:
    about = "In this column our doctor answers what you always wanted to know and never dared to ask anyone else."
    first = a_story(headline="Ask the doctor", standfirst=about, body_text="")
    assert not are_one(store, first, again(first, published_at=NOW + timedelta(days=7)), days=7)


def test_a_story_is_not_recognised_by_its_words_for_ever(store: Store) -> None:
    assert not are_one(store, a_story(), again(a_story(), published_at=NOW), days=20)


def test_a_story_twice_in_one_feed_is_one_and_is_not_revised_back_and_forth(store: Store) -> None:
    feed = [a_story(), again(a_story(), headline="Ferry stranded: 214 safe", body_text=EDITED)]
    (first,) = collect(store, *feed).new
    for order in (feed, feed, feed):
        assert collect(store, *order) == Remembered(unchanged=(first, first))
    (article,) = store.read(articles.list_articles)
    assert article.headline == feed[0].headline
    assert [merge.url for merge in store.read(article_merges.listing, first)] == [feed[1].url]


def test_only_the_newest_of_a_first_collection_may_be_sent_whatever_is_there_twice() -> None:
    feed = [a_story(), again(a_story()), again(a_story(headline="The mayor speaks", body_text=OWN), 3)]
    assert [(one.eligible, one.repeated) for one in to_remember(feed, newest_eligible=2)] == [
        (True, False),
        (False, True),
        (True, False),
    ]


def test_a_standing_remark_in_every_story_makes_none_of_them_alike_and_costs_no_lookups(store: Store) -> None:
    remark = "Support independent reporting from the islands and read every story without advertisements from today on."
    chance = random.Random(5)
    vocabulary = ["".join(chance.choices("abcdefghijklmnoprstuvy", k=chance.randint(3, 9))) for _ in range(900)]

    def story(number: int) -> IncomingArticle:
        body = " ".join(chance.choices(vocabulary, k=120))
        return again(a_story(headline=f"{body[:40]}", standfirst=remark, body_text=f"{body} {remark}"), number)

    for start in range(0, 75, 25):
        assert len(collect(store, *(story(number) for number in range(start, start + 25))).new) == 25


def test_a_sketch_is_the_same_whatever_the_typography() -> None:
    plain = sketch(a_story())
    assert plain == sketch(
        a_story(body_text=FERRY.replace('"', "\u201c").replace("\n", "  "), headline=a_story().headline.upper())
    )
    assert all(-(2**63) <= value < 2**63 for value in plain)
    assert sketch(a_story(headline="Too short", standfirst="", body_text="")) == ()


def test_words_keep_vowel_signs_and_numbers_whole() -> None:
    assert words("It’s 62,340.50 rupees!") == ["it", "s", "62,340.50", "rupees"]
    tamil = "அணை திறப்பு மழை"
    assert words(tamil) == tamil.split()
    assert words("東京で") == ["東", "京", "で"]


def test_texts_that_differ_in_numbers_alone_are_templates() -> None:
    assert templated(MONDAY, TUESDAY)
    assert not templated(FERRY, EDITED)
    assert not templated(FERRY, FERRY)


@given(st.text(max_size=400), st.text(max_size=400))
def test_any_text_can_be_compared(one: str, other: str) -> None:
    assert 0 <= resemblance(one, other) <= 1
    assert len(sketch(a_story(headline=one, body_text=other))) <= 16
