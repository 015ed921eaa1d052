"""Each gate by itself: facts in, what speaks against sending out, with its numbers. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from newsletter.config.layout import Gates
from newsletter.model import EditionName, Gate, Occurrence
from newsletter.render.lint import Finding, Severity
from newsletter.schedule.gates import Facts, failed_gates

SEVEN = datetime(2026, 11, 4, 7, 0, tzinfo=UTC)
GOOD = Facts(
    name=EditionName("daily", Occurrence(date(2026, 11, 4), 1)),
    goes_out_at=SEVEN,
    readers=1000,
    earlier=(1010, 990, 1000),
    newest=SEVEN - timedelta(hours=1),
    linked=[(3, 3)],
    subjects={"en/free": "Dam opens"},
    last=EditionName("daily", Occurrence(date(2026, 11, 3), 1)),
    last_subjects={"en/free": "Mayor resigns"},
    web_url="https://mail.news.example/health",
)


def failed(gates: Gates | None = None, **changes: Any) -> list[str]:
    return [str(one) for one in failed_gates(replace(GOOD, **changes), gates or Gates())]


def test_an_edition_like_any_other_passes_every_gate() -> None:
    assert failed(Gates(stale_after=timedelta(hours=6))) == []


@pytest.mark.parametrize(
    ("readers", "allowed", "words"),
    [
        (700, 0.3, ""),  # exactly 30 % fewer is not more than 30 %
        (699, 0.3, "699 readers, 30 % fewer than the usual 1,000 (median of the last 3 editions; 30% is allowed)"),
        (1300, 0.3, ""),
        (1301, 0.3, "1,301 readers, 30 % more than the usual 1,000"),
        (710, 0.29, ""),  # 0.29 of 1,000 is 290 exactly, whatever a float makes of it
        (709, 0.29, "709 readers, 29 % fewer"),
        (0, 0.3, "0 readers, 100 % fewer than the usual 1,000"),
    ],
)
def test_readers_are_compared_with_the_median_of_the_last_editions(readers: int, allowed: float, words: str) -> None:
    found = failed(Gates(readers=allowed), readers=readers)
    assert [one.startswith(f"readers: {words}") for one in found] == ([True] if words else [])


def test_one_edition_with_a_wrong_number_does_not_change_what_is_usual() -> None:
    assert failed(earlier=(1000, 9, 1000, 1000)) == []
    assert failed(earlier=(9, 1000, 9), readers=9, gates=Gates(readers_least=5)) == []


@pytest.mark.parametrize(
    ("readers", "earlier", "holds"),
    [
        (500, (1000, 1000), False),  # two editions make no habit
        (500, (), False),
        (10, (40, 40, 40), False),  # a small list may do what it likes
        (10, (50, 50, 50), True),  # a list that was larger may not shrink under the limit unseen
        (50, (10, 10, 10), True),
        (5, (0, 0, 0), False),
        (60, (0, 0, 0), True),
    ],
)
def test_small_and_young_lists_are_not_judged_by_their_number(
    readers: int, earlier: tuple[int, ...], holds: bool
) -> None:
    assert bool(failed(readers=readers, earlier=earlier)) is holds


def test_a_mail_without_a_link_to_its_stories_is_held_in_any_of_its_documents() -> None:
    assert failed(linked=[(3, 1), (2, 2)]) == []
    assert failed(linked=[(3, 3), (3, 0)]) == ["links: the mail has no link to any of its 3 stories"]
    assert failed(linked=[(1, 0)]) == ["links: its story has no link"]
    assert failed(linked=[(0, 0)]) == [], "stories from files have no address"


def test_the_subject_of_the_last_edition_holds_unless_it_is_meant_to_stay() -> None:
    same = {"en/free": "Mayor resigns", "hi/free": "बांध"}
    assert failed(subjects=same) == [
        "same_subject: the subject is that of the last edition, daily@2026-11-03/1: 'Mayor resigns'"
    ]
    assert failed(subjects=same, subject_varies=False) == []
    assert failed(subjects={"hi/free": "Mayor resigns"}) == [], "another language's subject is another subject"
    assert failed(subjects={"en/free": ""}, last_subjects={"en/free": ""}) == []


def test_the_newest_story_may_be_as_old_as_stale_after_and_no_older() -> None:
    gates = Gates(stale_after=timedelta(hours=6))
    assert failed(gates, newest=SEVEN - timedelta(hours=6)) == []
    assert failed(gates, newest=SEVEN - timedelta(hours=6, seconds=1)) == [
        "stale_after: the newest story will be 6 h old (2026-11-04 00:59 UTC), and stale_after is 6 h"
    ]
    assert failed(gates, newest=None) == []
    assert failed(newest=SEVEN - timedelta(days=900)) == [], "by default nothing is too old"


BAD: dict[str, Any] = {
    "readers": 1,
    "linked": [(3, 0)],
    "last_subjects": {"en/free": "Dam opens"},
    "newest": SEVEN - timedelta(days=9),
    "web": "it answered 502 Bad Gateway",
    "pictures": {f"https://mail.news.example/media/{n}.jpg": "it answered 404 Not Found" for n in range(5)},
    "lint": [
        Finding(Severity.ERROR, "alt", f"a picture has no alt text: {n}", "Add one", "card.html:3") for n in range(4)
    ],
}


def test_all_gates_that_fail_are_told_at_once_each_with_what_to_do() -> None:
    found = failed_gates(replace(GOOD, **BAD), Gates(stale_after=timedelta(hours=6)))
    assert [one.gate for one in found] == list(Gate)
    assert all(one.remedy for one in found)
    words = {one.gate: one.what for one in found}
    assert words[Gate.WEB] == (
        "https://mail.news.example/health cannot be reached, so links and pictures in the mail would be dead: "
        "it answered 502 Bad Gateway"
    )
    assert words[Gate.LEAD_PICTURE].startswith(
        "5 pictures cannot be fetched: https://mail.news.example/media/0.jpg: it"
    )
    assert words[Gate.LEAD_PICTURE].endswith("; and 2 more")
    assert words[Gate.LINT].startswith("card.html:3: a picture has no alt text: 0. Add one; ")
    assert words[Gate.LINT].endswith("; and 1 more")


def test_each_gate_can_be_switched_off() -> None:
    off = Gates(
        readers=None, links=False, same_subject=False, stale_after=None, web=False, lead_picture=False, lint=False
    )
    assert failed(off, **BAD) == []
