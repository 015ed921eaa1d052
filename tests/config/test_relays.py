"""Which relays a newsletter goes through, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

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
