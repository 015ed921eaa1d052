"""When a story was published, as far as its source can be believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.collect.dating import LONGEST_EMBARGO, OLDEST, dated_by_address, settle, settled
from newsletter.model import IncomingArticle
from tests.builders import NOW, an_incoming_article


def dated(time: datetime | None, updated: datetime | None = None, **changes: str) -> IncomingArticle:
    return an_incoming_article(published_at=time, updated_at=updated, **changes)


def ahead(*hours: float) -> list[IncomingArticle]:
    return [dated(NOW + timedelta(hours=number)) for number in hours]


def hours_of(articles: list[IncomingArticle]) -> list[float]:
    found = [article.published_at for article in settle(articles, NOW)]
    return [(time - NOW) / timedelta(hours=1) for time in found if time is not None]


def test_what_has_no_date_came_when_we_saw_it() -> None:
    article = settled(dated(None), NOW)
    assert (article.published_at, article.updated_at, article.warning) == (NOW, None, "")


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), "dated 1970-01-01, long past; taken as first seen"),
        (datetime(1, 1, 1, tzinfo=UTC), "dated 0001-01-01, long past"),
        (NOW + timedelta(days=31), "dated 2026-12-24, far ahead"),
        (datetime(9999, 12, 31, tzinfo=UTC), "dated 9999-12-31, far ahead"),
    ],
)
def test_a_date_that_cannot_be_is_when_we_saw_it_and_says_so(time: datetime, words: str) -> None:
    article = settled(dated(time, warning="No body"), NOW)
    assert article.published_at == NOW
    assert article.warning.startswith(f"No body; {words}")


@pytest.mark.parametrize("days", [-9000, -30, 0, 0.2, 3, 29.9])
def test_a_back_dated_and_an_embargoed_story_keep_their_times(days: float) -> None:
    article = dated(NOW + timedelta(days=days))
    assert settled(article, NOW) == article


def test_most_of_a_source_hours_ahead_is_a_wrong_zone() -> None:
    local = ahead(5.5, 5, 3, 1, -2, -4)
    assert hours_of(local) == [0, 0, 0, 0, -2, -4]
    assert "dated 2026-11-23 11:30 UTC, hours ahead like most of its source" in settle(local, NOW)[0].warning
    assert settle(local, NOW)[4].warning == ""


@pytest.mark.parametrize(
    "hours",
    [
        (5.5, 5),  # two may be embargoes
        (5.5, 5, 3, -1, -2, -3, -4),  # a few of many
        (20, 18, 16, 15),  # no zone is so far off
        (0.01, 0.02, 0.03, 0.04),  # clocks differ
    ],
)
def test_what_a_wrong_zone_does_not_explain_waits_for_its_hour(hours: tuple[float, ...]) -> None:
    assert hours_of(ahead(*hours)) == pytest.approx(hours)


def test_old_stories_of_a_source_do_not_hide_its_wrong_clock() -> None:
    assert hours_of(ahead(9, 8, 7, -30, -50, -70, -90))[:3] == [0, 0, 0]


def test_an_update_lies_between_what_can_be_and_now() -> None:
    assert settled(dated(NOW, OLDEST - timedelta(days=1)), NOW).updated_at is None
    assert settled(dated(NOW, NOW + timedelta(days=2)), NOW).updated_at == NOW
    embargo = NOW + timedelta(days=2)
    assert settled(dated(embargo, embargo), NOW).updated_at == embargo


@given(st.lists(st.datetimes(timezones=st.just(UTC)) | st.none(), max_size=8))
def test_every_time_can_be_whatever_a_source_says(times: list[datetime | None]) -> None:
    for article in settle([dated(time, time) for time in times], NOW):
        assert article.published_at is not None
        assert OLDEST <= article.published_at <= NOW + LONGEST_EMBARGO
        assert article.updated_at is None or article.updated_at <= max(NOW, article.published_at)


@pytest.mark.parametrize(
    ("path", "time"),
    [
        ("/2026/11/20/dam-opens", datetime(2026, 11, 19, 18, 30, tzinfo=UTC)),
        ("/world/2026/11/2/dam-opens/", datetime(2026, 11, 1, 18, 30, tzinfo=UTC)),
        ("/20261120/dam-opens.html", datetime(2026, 11, 19, 18, 30, tzinfo=UTC)),
        ("/2026-11-20/dam-opens?edition=2", datetime(2026, 11, 19, 18, 30, tzinfo=UTC)),
        ("/archive/2026/13/40/2026/11/20/dam-opens", datetime(2026, 11, 19, 18, 30, tzinfo=UTC)),
        ("/2026/11/24/tomorrows-paper", None),
        ("/2026/02/30/dam-opens", None),
        ("/0001/01/01/dam-opens", None),
        ("/story/20261120", None),
        ("/120261120/dam-opens", None),
        ("/2026/11/dam-opens", None),
        ("/dam-opens?from=/2026/11/20/x", None),
        ("/2026/11/20/", None),
    ],
)
def test_a_story_without_a_date_is_of_the_day_in_its_address(path: str, time: datetime | None) -> None:
    found = dated_by_address(dated(None, url=f"https://news.example{path}"), "Asia/Kolkata", NOW)
    assert found.published_at == time


def test_a_stated_date_stands_whatever_the_address_says() -> None:
    stated = dated(NOW - timedelta(days=5), url="https://news.example/2026/11/20/dam-opens")
    assert dated_by_address(stated, "UTC", NOW) == stated
    assert dated_by_address(dated(None, url="https://[/2026/11/20/dam"), "UTC", NOW).published_at is None
