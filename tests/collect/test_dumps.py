"""Page dumps beyond the corpus: single rules, per-source patterns, what recurs; no text crashes or holds up."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.collect.boilerplate import normalised, repeated_paragraphs
from newsletter.collect.dumps import read_dump
from newsletter.collect.folder import repeated_in
from newsletter.collect.published_line import read_date_line
from newsletter.collect.source_facts import SourceFacts
from newsletter.errors import SourceError
from newsletter.model import Access, IncomingArticle

FACTS = SourceFacts("archive")
STORY = [
    "Bakers in the old town raise the price of a loaf for the second time since spring.",
    "“Flour, gas and rent,” said Ida Lund, who counted them off on her fingers.",
    "The town has eleven bakeries, two fewer than last year.",
]


def dump(*lines: str, repeated: frozenset[str] = frozenset(), **given: Any) -> IncomingArticle:
    return read_dump("\n\n".join(lines), SourceFacts("archive", **given), name="a.txt", repeated=repeated)


def body(*after: str, **given: Any) -> list[str]:
    article = dump("Bread dearer again", "By Jo Lund", "Published 3 May 2021 08:00", *STORY, *after, **given)
    return article.body_text.split("\n\n")


@pytest.mark.parametrize(
    ("line", "zone", "moment"),
    [
        ("Published - April 23, 2019 10:13 pm IST - Seoul/Moscow", "Asia/Kolkata", "2019-04-23T16:43"),
        ("Published - April 23, 2019 10:13 pm IST - Seoul/Moscow", "Asia/Jerusalem", "2019-04-23T19:13"),
        ("Published - April 23, 2019 10:13 pm IST - Seoul/Moscow", "Europe/Dublin", "2019-04-23T21:13"),
        ("Published: 23 April 2019, 22:13 IST", "America/New_York", "2019-04-23T16:43"),
        ("Publié le 23 avril 2019 à 22h13", "Europe/Paris", "2019-04-23T20:13"),
        ("Tue 23 Apr 2019 22.13 BST", "Europe/London", "2019-04-23T21:13"),
        ("Posted: Apr 23, 2019 / 05:00 PM EDT", "UTC", "2019-04-23T21:00"),
        ("Published 4:30 a.m. ET Jan. 23, 2019", "UTC", "2019-01-23T09:30"),
        ("23.abr.2019 às 22h13", "America/Sao_Paulo", "2019-04-24T01:13"),
        ("2019年4月23日 午後6時30分", "Asia/Tokyo", "2019-04-23T09:30"),
        ("입력 2019.04.23 22:13", "Asia/Seoul", "2019-04-23T13:13"),
        ("प्रकाशित: २३ अप्रैल २०१९, 10:13 PM IST", "Asia/Kolkata", "2019-04-23T16:43"),
        ("نشر في: ٢٣ أبريل ٢٠١٩، 10:13 مساء", "Africa/Cairo", "2019-04-23T20:13"),
        ("23 апреля 2019, 22:13", "Europe/Moscow", "2019-04-23T19:13"),
        ("23. huhtikuuta 2019 klo 22.13", "Europe/Helsinki", "2019-04-23T19:13"),
        ("2019-04-23T22:13:00+05:30", "UTC", "2019-04-23T16:43"),
        ("Thứ ba, 23 tháng 4, 2019, 22:13 (GMT+7)", "UTC", "2019-04-23T15:13"),
        ("April 23, 2019 12:05 am", "Asia/Tokyo", "2019-04-22T15:05"),
    ],
)
def test_a_date_line_is_read_in_its_language_and_its_sources_zone(line: str, zone: str, moment: str) -> None:
    read = read_date_line(line, zone)
    assert read is not None
    assert read.published == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "It opened on April 23, 2019.",
        "On April 23, 2019, the court ruled that the dam must open at 10:30 am.",
        "The fair runs from 3 May 2021 to 9 May 2021 in the old market hall",
        "10:42",
        "",
    ],
)
def test_prose_with_a_date_in_it_is_no_date_line(line: str) -> None:
    assert read_date_line(line, "UTC") is None


def test_both_times_of_one_line_are_told_apart() -> None:
    read = read_date_line(
        "April 23, 2019 10:13 pm | Updated April 24, 2019 12:01 am IST - Seoul/Moscow", "Asia/Kolkata"
    )
    assert read is not None
    assert read.published == datetime(2019, 4, 23, 16, 43, tzinfo=UTC)
    assert read.updated == datetime(2019, 4, 23, 18, 31, tzinfo=UTC)
    assert read.places == ("Seoul/Moscow",)


def test_letters_that_are_not_the_sources_own_are_warned_about() -> None:
    lines = ("A headline of five words", "Published - April 23, 2019 10:13 pm IST", *STORY)
    assert "IST" in dump(*lines, zone="UTC").warning
    assert dump(*lines, zone="Asia/Kolkata").warning == ""


@pytest.mark.parametrize(
    ("line", "authors", "place"),
    [
        ("By Meera Pillai in Kochi", ("Meera Pillai",), "Kochi"),
        ("By Meera Pillai and K. Raman", ("Meera Pillai", "K. Raman"), ""),
        ("By Dale Hutchins, Staff Writer", ("Dale Hutchins",), ""),
        ("Anna Schmidt, Regensburg", ("Anna Schmidt",), "Regensburg"),
        ("Staff Reporter | Siliguri", ("Staff Reporter",), "Siliguri"),
        ("PTI", ("PTI",), ""),
        ("Por Ana Souza — São Paulo", ("Ana Souza",), "São Paulo"),
        ("BY JANE DOE | Associated Press", ("JANE DOE", "Associated Press"), ""),
        ("meera@desk.example", (), ""),
        ("@meerapillai", (), ""),
    ],
)
def test_bylines_name_people_and_places(line: str, authors: tuple[str, ...], place: str) -> None:
    article = dump("Bread dearer again", "Published 3 May 2021 08:00", line, *STORY)
    assert (article.authors, article.dateline) == (authors, place)
    assert article.body_text.split("\n\n") == STORY


@pytest.mark.parametrize(
    "order",
    [(0, 1, 2, 3), (1, 0, 3, 2), (3, 1, 0, 2), (0, 3, 2, 1), (2, 3, 1, 0)],
)
def test_the_lines_between_headline_and_text_may_stand_in_any_order(order: tuple[int, ...]) -> None:
    standfirst = "A loaf costs 12 crowns more than in May, and bakers say that is not the end"
    lines = [standfirst, "By Jo Lund", "Published: 3 May 2021, 08:00 CEST - Malmö", "Share"]
    article = dump("Bread dearer again, bakers say", *(lines[one] for one in order), *STORY)
    assert (article.standfirst, article.authors, article.dateline) == (standfirst, ("Jo Lund",), "Malmö")
    assert article.body_text.split("\n\n") == STORY


@pytest.mark.parametrize(
    "kept",
    [
        "(With inputs from agencies)",
        "Additional reporting by Nora Quist",
        "Correction: An earlier version gave the number of bakeries as nine.",
        "The bakers' guild said it would delete the accounts of members who did not subscribe to its newsletter.",
        "“Sign in, they say, accept our cookies, create your account,” she said.",
        "Why?",
        "— Jo Lund",
    ],
)
def test_what_a_story_closes_with_stays(kept: str) -> None:
    assert body(kept)[-1] == kept
    assert body(kept, "Sign in to read more", "© 2021 The Quarry Examiner. All rights reserved.")[-1] == kept


@pytest.mark.parametrize(
    "dropped",
    [
        "READ MORE: What a loaf cost in 1950",
        "Also read | What a loaf cost in 1950",
        "Lire aussi : Le prix du pain depuis 1950",
        "ADVERTISEMENT",
        "Publicidade",
        "広告",
        "A baker at work in Malmö on Monday.\n\nA baker at work in Malmö on Monday.",
        "A baker at work. | Photo Credit: AP",
        "Photo: Ann Fell",
        "Ann Fell/Getty Images",
    ],
)
def test_what_stands_between_paragraphs_goes_wherever_it_stands(dropped: str) -> None:
    article = dump("Bread dearer again", "Published 3 May 2021 08:00", *STORY[:2], dropped, *STORY[2:])
    assert article.body_text.split("\n\n") == STORY


def test_captions_are_kept_once_each_and_ten_at_most() -> None:
    twice = ["A baker at work in Malmö.", "A baker at work in Malmö. | Photo Credit: AP", "Photo: Ann Fell"]
    article = dump("Bread dearer again", "Published 3 May 2021 08:00", *twice, STORY[0], *twice[:2], *STORY[1:])
    assert [(one.url, one.caption, one.credit) for one in article.images] == [("", "A baker at work in Malmö.", "AP")]
    assert article.body_text.split("\n\n") == STORY
    many = [f"Oven {name} on Monday. | Photo Credit: AP" for name in "ABCDEFGHIJKLM"]
    assert len(dump("Bread dearer again", "Published 3 May 2021 08:00", *STORY[:2], *many, STORY[2]).images) == 10


def test_paragraphs_that_the_source_ignores_are_left_out() -> None:
    own = "The Quarry Examiner has been printed in Malmö since 1888."
    assert body(own) == [*STORY, own]
    assert body(own, ignore=(r"^The Quarry Examiner has been",)) == STORY


def test_what_recurs_on_a_sources_pages_is_left_out() -> None:
    own = "The Quarry Examiner has been printed in Malmö since 1888 and turns {} this year."
    pages = [
        "\n\n".join(
            [f"Headline number {number}, another story", f"Something happened in street {name}.", own.format(133)]
        )
        for number, name in enumerate(["Alva", "Bergs", "Citra", "Dala"])
    ]
    repeated = repeated_in(page.encode() for page in pages)
    assert repeated == {normalised(own.format(134))}
    assert body(own.format(134), repeated=repeated) == STORY


def test_versions_of_one_story_do_not_recur() -> None:
    assert repeated_paragraphs([["Same headline", *STORY]] * 5) == frozenset()
    assert repeated_paragraphs([[f"Headline {word}", STORY[0]] for word in ("one", "two")]) == frozenset()


def test_a_page_that_holds_only_what_recurs_is_left_as_it_is() -> None:
    repeated = frozenset(normalised(one) for one in STORY)
    assert body(repeated=repeated) == STORY
    assert dump("Headline", *STORY, repeated=repeated).body_text.split("\n\n") == STORY


def test_a_page_for_members_says_so() -> None:
    assert dump("Réservé aux abonnés", "Le pain plus cher", "Par Jo Lund", *STORY).access is Access.MEMBERS


def test_the_teaser_is_kept_apart_from_the_body() -> None:
    article = dump("Bread dearer again", "By Jo Lund", *STORY, teaser_words=5)
    assert article.teaser == "Bakers in the old town…"
    assert article.body_text.split("\n\n") == STORY


def test_markup_in_a_dump_is_text() -> None:
    article = dump("A <b>bold</b> headline", "By Jo Lund", "<script>alert(1)</script> is what the page said, it seems.")
    assert article.headline == "A <b>bold</b> headline"
    assert "<script>" not in article.body_html


def test_a_dump_without_words_is_refused() -> None:
    with pytest.raises(SourceError, match=r"no headline"):
        read_dump("\n \n***\n", FACTS, name="a.txt")


LINES = st.sampled_from(
    [
        *STORY,
        *(
            "Sign in",
            "Share",
            "A title of five words",
            "“Yes,” she said.",
            "• item",
            "Photo: x",
            "By Jo Lund",
            "1. One",
        ),
        *(
            "Comments (3)",
            "Published 3 May 2021 08:00",
            "READ MORE: x y z",
            "Most read",
            "",
            " ",
            "を。",
            "؟",
            "\u2028",
        ),
    ]
)


@settings(max_examples=150)
@given(st.text(max_size=400) | st.lists(LINES | st.text(max_size=40), max_size=60).map("\n".join))
def test_no_text_crashes_the_reader(text: str) -> None:
    try:
        article = read_dump(text, FACTS, name="a.txt")
    except SourceError:
        return
    assert article.headline
    assert "<script" not in article.body_html


@settings(max_examples=100)
@given(st.lists(st.sampled_from(STORY), min_size=1, max_size=12), st.sampled_from(["\n", "\n\n"]))
def test_narrative_paragraphs_are_never_lost(paragraphs: list[str], between: str) -> None:
    told = [one for one, after in zip(paragraphs, [*paragraphs[1:], ""], strict=True) if one != after]
    article = read_dump("Headline here\nBy Jo Lund\n\n" + between.join(told), FACTS, name="a.txt")
    assert article.body_text.split("\n\n") == told


PIECES = [
    *("a", "\n", "a\n", "“", "(", ".", "a ", "a/", "• a\n", "sign in ", "We use cookies, you.\n", "2019-04-23 ", "@a "),
    *("April 3, 2019 10:00 pm | ", "あ", "あ\n", "।", "Photo: x\n", "Home > ", "Title Case Words Here\n", "A B\n"),
]


@pytest.mark.parametrize("piece", PIECES)
def test_a_megabyte_of_anything_takes_no_time(piece: str) -> None:
    text = "Headline\n\n" + piece * (1_000_000 // len(piece))
    began = time.process_time()
    read_dump(text, FACTS, name="a.txt")
    assert time.process_time() - began < 2.5  # it takes under 0.8 s; a quadratic rule takes minutes
