"""When to ask again: Retry-After, Cache-Control, Expires."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.net.freshness import MAX_RETRY_AFTER, fresh_for, http_date, retry_after

NOW = datetime(2026, 11, 23, 6, 0, 0, tzinfo=UTC)
DAY = 86_400.0


def date(at: datetime) -> str:
    return format_datetime(at, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 23 Nov 2026 06:01:30 GMT", 90.0),
        ("Monday, 23-Nov-26 06:01:30 GMT", 90.0),  # the obsolete forms: RFC 9110 section 5.6.7
        ("Mon Nov 23 06:01:30 2026", 90.0),
        ("Mon, 23 Nov 2026 05:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2099 06:00:00 GMT", DAY),
        ("31536000", DAY),
        ("9" * 5000, DAY),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1.5", None),
        ("٣", None),
        ("Mon, 99 Nov 2026 06:01:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_a_day(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, NOW) == seconds


def test_nothing_said_is_nothing_asked() -> None:
    assert retry_after({}, NOW) is None
    assert fresh_for({}, NOW) is None


def test_a_servers_own_clock_is_what_its_dates_are_measured_by() -> None:
    wrong = NOW - timedelta(hours=5)
    times = {"Date": date(wrong), "Retry-After": date(wrong + timedelta(seconds=30))}
    assert retry_after(times, NOW) == 30.0
    assert fresh_for({"Date": date(wrong), "Expires": date(wrong + timedelta(minutes=5))}, NOW) == 300.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=600"}, 600.0),
        ({"Cache-Control": 'public , Max-Age = "600", must-revalidate'}, 600.0),
        ({"Cache-Control": "public max-age=600"}, 600.0),
        ({"Cache-Control": "max-age=600, max-age=10"}, 600.0),
        ({"Cache-Control": "max-age=600", "Age": "100"}, 500.0),
        ({"Cache-Control": "max-age=600", "Age": "1000"}, 0.0),
        ({"Cache-Control": "max-age=600", "Age": "old"}, 600.0),
        ({"Cache-Control": "max-age=600", "Expires": "0"}, 600.0),
        ({"Cache-Control": "max-age=600, no-store"}, 0.0),
        ({"Cache-Control": "No-Cache"}, 0.0),
        ({"Cache-Control": "max-age=-1"}, 0.0),
        ({"Cache-Control": "max-age"}, 0.0),
        ({"Cache-Control": "max-age=1.5"}, 0.0),
        ({"Cache-Control": "max-age=99999999999999999999999"}, float(2**31)),
        ({"Cache-Control": "s-maxage=600"}, None),
        ({"Cache-Control": "private"}, None),
        ({"Cache-Control": 'extension="no-store, max-age=5"'}, None),
        ({"Cache-Control": "s-maxage=5", "Expires": "Mon, 23 Nov 2026 06:10:00 GMT"}, 600.0),
        ({"Expires": "Mon, 23 Nov 2026 05:10:00 GMT"}, 0.0),
        ({"Expires": "0"}, 0.0),
        ({"Expires": "-1"}, 0.0),
    ],
)
def test_how_long_an_answer_stays_fresh(headers: dict[str, str], seconds: float | None) -> None:
    assert fresh_for(headers, NOW) == seconds


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=20))
def test_no_header_does_worse_than_say_nothing(value: str, other: str, age: str) -> None:
    wait = retry_after({"Retry-After": value, "Date": other}, NOW)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER
    for headers in ({"Cache-Control": value, "Age": age, "Expires": other}, {"Expires": value, "Date": other}):
        fresh = fresh_for(headers, NOW)
        assert fresh is None or fresh >= 0


@given(st.integers(0, 10**12))
def test_every_number_of_seconds_is_understood(seconds: int) -> None:
    assert retry_after({"Retry-After": str(seconds)}, NOW) == min(seconds, DAY)
    assert fresh_for({"Cache-Control": f"public, max-age={seconds}"}, NOW) == min(seconds, 2**31)


@given(st.datetimes(datetime(1970, 1, 2), datetime(2090, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds are naive
def test_every_date_is_read_back(at: datetime) -> None:
    whole = at.replace(microsecond=0)
    assert http_date(date(whole)) == whole


def test_a_long_header_holds_nothing_up() -> None:
    for value in (" " * 32_000, "a " * 16_000, 'a="' * 10_000, "max-age" + " " * 32_000 + "5", "," * 32_000):
        fresh_for({"Cache-Control": value}, NOW)
        retry_after({"Retry-After": value}, NOW)
