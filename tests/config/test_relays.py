"""Which relays a newsletter goes through, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from newsletter.config.models import Newsletter, Schedules, WarmUp
from newsletter.errors import ConfigurationError
from tests.config.files import GOOD, loaded


def with_relays(relays: str, newsletter: str = "") -> str:
    """The good file with these relays, and lines added to its newsletter."""
    start = GOOD.index("relays:\n")
    end = start + len("relays:\n")
    while GOOD[end] == " ":
        end = GOOD.index("\n", end) + 1
    text = GOOD[:start] + "relays:\n" + "".join(f"  {line}\n" for line in relays.splitlines()) + GOOD[end:]
    return text.replace("    title: The Daily Example\n", f"    title: The Daily Example\n{newsletter}", 1)


def through(tmp_path: Path, relays: str, newsletter: str = "") -> list[str]:
    return list(loaded(tmp_path, with_relays(relays, newsletter)).relays_of("daily"))


@pytest.mark.parametrize(
    ("relays", "newsletter", "expected"),
    [
        ("one: {host: a}\ntwo: {host: b}", "", ["one"]),
        ("one: {host: a, weight: 3}\ntwo: {host: b, weight: 1}\nthree: {host: c}", "", ["one", "two"]),
        ("one: {host: a}\ntwo: {host: b, domains: [NEWS.example]}", "", ["two"]),
        ("one: {host: a, domains: [other.example]}\ntwo: {host: b}", "", ["two"]),
        ("one: {host: a}\ntwo: {host: b, domains: [news.example]}", "    relay: one\n", ["one"]),
        ("one: {host: a}\ntwo: {host: b}", "    relay: [two, one]\n", ["two", "one"]),
    ],
)
def test_a_newsletter_names_its_relays_or_takes_those_of_its_domain_or_those_with_a_weight(
    tmp_path: Path, relays: str, newsletter: str, expected: list[str]
) -> None:
    assert through(tmp_path, relays, newsletter) == expected


@pytest.mark.parametrize(
    ("relays", "newsletter", "message"),
    [
        ("one: {host: a, domains: [other.example]}", "", r"no relay takes mail from news\.example"),
        ("one: {host: a, weight: 0}", "", "every relay of daily has weight: 0"),
        ("one: {host: a}", "    relay: [one, tow]\n", "there is no relay 'tow'"),
        ("one: {host: a, domains: [no domain]}", "", "is not a domain"),
        ("one: {host: a, messages_per_connection: 0}", "", "messages_per_connection"),
    ],
)
def test_mail_that_could_go_nowhere_is_refused_with_its_line(
    tmp_path: Path, relays: str, newsletter: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        through(tmp_path, relays, newsletter)
    assert "schedules.yaml:" in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "hours"), [({}, 8.0), ({"design": "alert"}, 1 / 12), ({"design": "alert", "retry_for": "2h"}, 2.0)]
)
def test_an_alert_is_stale_sooner_than_a_digest(keys: dict[str, str], hours: float) -> None:
    newsletter = Newsletter.model_validate(
        {"title": "x", "from": "a@news.example", "schedule": {"at": "07:00"}, **keys}
    )
    assert newsletter.tried_for.total_seconds() == pytest.approx(hours * 3600)


def test_domain_limits_are_by_provider_whichever_of_its_domains_is_named() -> None:
    limits = Schedules.model_validate(_SITE | {"domain_limits": {"gmail.com": 30, "Yahoo": 20, "one.example": 10}})
    assert limits.domain_limits == {"gmail": 30, "yahoo": 20, "one.example": 10}


@pytest.mark.parametrize(
    ("limits", "words"), [({"gmial": 3}, "is no group"), ({"gmail": 3, "googlemail.com": 4}, "has a limit already")]
)
def test_a_limit_of_nobody_is_an_error(limits: dict[str, int], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Schedules.model_validate(_SITE | {"domain_limits": limits})


def test_a_domain_that_warms_up_has_its_numbers_day_by_day_and_then_no_limit() -> None:
    plan = WarmUp.model_validate({"start": "2026-12-01", "messages": [50, 100]})
    days = [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 2), date(2026, 12, 3)]
    assert [plan.most(day) for day in days] == [50, 50, 100, None]


_SITE = {
    "site": {"name": "x", "url": "https://news.example", "postal_address": "1 Press Lane"},
    "newsletters": {"daily": {"title": "x", "from": "a@news.example", "schedule": {"at": "07:00"}}},
}
