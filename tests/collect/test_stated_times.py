"""A time as pages and sitemaps write it, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.collect.stated_times import read_time


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-03-12T10:00:00Z", "2026-03-12T10:00:00"),
        ("2026-03-12T10:00:00.123+05:30", "2026-03-12T04:30:00"),
        ("2026-03-12T10:00:00+0530", "2026-03-12T04:30:00"),
        ("2026-03-12T10:00-08", "2026-03-12T18:00:00"),
        ("2026-03-12 10:00:00 UTC", "2026-03-12T10:00:00"),
        ("2026-03-12T10:00", "2026-03-12T04:30:00"),
        ("2026-03-12 10:00:00 IST", "2026-03-12T04:30:00"),
        ("20260312T100000Z", "2026-03-12T10:00:00"),
        ("2026/03/12 10:00", "2026-03-12T04:30:00"),
        ("2026-03-12", "2026-03-11T18:30:00"),
        ("2026-03", "2026-02-28T18:30:00"),
        ("2026", "2025-12-31T18:30:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59"),
        ("2026-03-12T24:00:00Z", "2026-03-13T00:00:00"),
        ("Thu, 12 Mar 2026 10:00:00 +0530", "2026-03-12T04:30:00"),
        ("Thu, 12 Mar 2026 10:00:00 EST", "2026-03-12T15:00:00"),
        ("Thu Mar 12 2026 10:00:00 GMT+0530 (India Standard Time)", "2026-03-12T04:30:00"),
        ("1773309600", "2026-03-12T10:00:00"),
        ("1773309600000", "2026-03-12T10:00:00"),
        ("Published - March 12, 2026 10:13 pm IST - Chennai", "2026-03-12T16:43:00"),
        ("12 March 2026", "2026-03-11T18:30:00"),
        ("Updated 4.30 p.m. on 12 March 2026", "2026-03-12T11:00:00"),
        ("12 Sept. 2026 at 12:05 am", "2026-09-11T18:35:00"),
    ],
)
def test_times_of_machines_and_people_are_read(text: str, utc: str) -> None:
    assert read_time(text, zone="Asia/Kolkata", language="en") == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "language", "utc"),
    [
        ("Publié le 16 novembre 2026 à 18h04", "fr-FR", "2026-11-16T17:04:00"),
        ("12. März 2026, 10.13 Uhr", "de", "2026-03-12T09:13:00"),
        ("12.03.2026 10:13", "de", "2026-03-12T09:13:00"),
        ("3 de marzo de 2026 08:15", "es", "2026-03-03T07:15:00"),
        ("2026年3月12日 10時13分", "ja", "2026-03-12T09:13:00"),
        ("12 मार्च 2026, 10:13", "hi", "2026-03-12T09:13:00"),
        ("١٢ مارس ٢٠٢٦", "ar", "2026-03-11T23:00:00"),
        ("03/12/2026", "en-US", "2026-03-11T23:00:00"),
        ("12/03/2026", "en-GB", "2026-03-11T23:00:00"),
        ("May 4, 2026", "no such language", "2026-05-03T22:00:00"),
    ],
)
def test_dates_are_read_in_the_language_of_their_page(text: str, language: str, utc: str) -> None:
    assert read_time(text, zone="Europe/Paris", language=language) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-45", "12 at noon", "9999-12-31T23:59:59-10:00", "0000-01-01"]
)
def test_what_states_no_time_is_none(text: str) -> None:
    assert read_time(text, zone="UTC") is None


def test_an_unknown_zone_is_utc() -> None:
    assert read_time("2026-03-12T10:00", zone="Mars/Base") == datetime(2026, 3, 12, 10, tzinfo=UTC)


@given(st.text(max_size=80) | st.text(alphabet="0123456789-:T+Z ./apmMarch年月日", max_size=60), st.text(max_size=8))
def test_whatever_is_written_it_is_a_utc_time_or_none(text: str, language: str) -> None:
    time = read_time(text, zone="Asia/Kolkata", language=language)
    assert time is None or time.utcoffset() == datetime.now(UTC).utcoffset()
