"""Links permit one thing to one reader, for ever, and nothing near them permits anything."""

from __future__ import annotations

import random
from datetime import date

from newsletter.members.links import Links, is_browser, is_mailed_unsubscribe, is_preferences, is_unsubscribe
from newsletter.model import Occurrence, StreamName

ANN, BOB = b"a" * 32, b"b" * 32
TODAY = Occurrence(date(2026, 11, 1), 1)
LINKS = Links("https://mail.news.example")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/.%\0é"


def token(link: str) -> str:
    return link.rpartition("/")[2]


def test_links_already_mailed_keep_working() -> None:
    """These exact links are in mails: a change of the scheme breaks every one of them."""
    assert LINKS.unsubscribe(7, ANN, "daily") == "https://mail.news.example/u/7/daily/jPxinDdiGaBRcD4YYbdTFg"
    assert LINKS.preferences(7, ANN) == "https://mail.news.example/p/7/pS6JA4zbUBQLf52pCNnVfw"
    assert (
        LINKS.browser(7, ANN, StreamName("daily"), TODAY)
        == "https://mail.news.example/e/daily/2026-11-01/1/7/k0re6PQHuZk4ihVHNQcCHQ"
    )


def test_each_link_permits_what_it_was_made_for() -> None:
    assert is_unsubscribe(token(LINKS.unsubscribe(7, ANN, "daily")), ANN, "daily")
    assert is_preferences(token(LINKS.preferences(7, ANN)), ANN)
    assert is_browser(token(LINKS.browser(7, ANN, StreamName("daily"), TODAY)), ANN, StreamName("daily"), TODAY)


def test_no_link_permits_anything_else() -> None:
    tokens = {
        "u daily": token(LINKS.unsubscribe(7, ANN, "daily")),
        "p": token(LINKS.preferences(7, ANN)),
        "e": token(LINKS.browser(7, ANN, StreamName("daily"), TODAY)),
    }
    tomorrow = Occurrence(date(2026, 11, 2), 1)
    permitted = {
        (kind, what)
        for kind, one in tokens.items()
        for what, allowed in {
            "u daily": is_unsubscribe(one, ANN, "daily"),
            "u weekly": is_unsubscribe(one, ANN, "weekly"),
            "u nothing": is_unsubscribe(one, ANN, ""),
            "p": is_preferences(one, ANN),
            "e": is_browser(one, ANN, StreamName("daily"), TODAY),
            "e tomorrow": is_browser(one, ANN, StreamName("daily"), tomorrow),
            "e weekly": is_browser(one, ANN, StreamName("weekly"), TODAY),
            "bob u": is_unsubscribe(one, BOB, "daily"),
            "bob p": is_preferences(one, BOB),
            "bob e": is_browser(one, BOB, StreamName("daily"), TODAY),
        }.items()
        if allowed
    }
    assert permitted == {("u daily", "u daily"), ("p", "p"), ("e", "e")}


def test_ten_thousand_altered_tokens_are_refused_and_the_true_one_accepted_between() -> None:
    chance = random.Random(11)
    true = token(LINKS.unsubscribe(7, ANN, "daily"))
    for number in range(10_000):
        altered = list(true)
        for _ in range(chance.randint(1, 3)):
            altered[chance.randrange(len(altered))] = chance.choice(ALPHABET)
        candidate = "".join(altered)[: chance.choice((len(true), len(true), chance.randrange(len(true))))]
        candidate += chance.choice(("", "", "A", "=="))
        if candidate != true:
            assert not is_unsubscribe(candidate, ANN, "daily"), candidate
        if number % 100 == 0:
            assert is_unsubscribe(true, ANN, "daily")


def test_the_spare_bits_of_the_last_character_are_not_free_to_alter() -> None:
    true = token(LINKS.unsubscribe(7, ANN, "daily"))
    accepted = [last for last in ALPHABET if is_unsubscribe(true[:-1] + last, ANN, "daily")]
    assert accepted == [true[-1]]


def test_an_address_that_unsubscribes_fits_and_means_one_newsletter_of_one_reader() -> None:
    links = Links("https://mail.news.example", "unsubscribe@news.example")
    mailto = links.unsubscribe_mailto(2**63 - 1, ANN, "daily")
    local, _, domain = mailto.removeprefix("mailto:").partition("@")
    assert (domain, local.isascii(), len(local) <= 64) == ("news.example", True, True)
    assert local.partition("-")[0] == f"unsubscribe+{2**63 - 1}"
    mailed = local.partition("-")[2]
    for written in (mailed, mailed.upper()):  # some servers change letter case
        assert is_mailed_unsubscribe(written, ANN, "daily")
        assert not is_mailed_unsubscribe(written, ANN, "weekly")
        assert not is_mailed_unsubscribe(written, BOB, "daily")
    for wrong in (mailed[:-1], mailed + "a", "", "é" * 26):
        assert not is_mailed_unsubscribe(wrong, ANN, "daily")
    assert LINKS.unsubscribe_mailto(7, ANN, "daily") == ""
