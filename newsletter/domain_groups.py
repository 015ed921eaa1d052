"""Providers that judge a sender by the mail of all their domains together. Pure."""

from __future__ import annotations

import re

# A family is a name under any public suffix.
_DOMAINS = {
    "gmail.com": "gmail",
    "googlemail.com": "gmail",
    "ymail.com": "yahoo",
    "rocketmail.com": "yahoo",
    "myyahoo.com": "yahoo",
    "aol.com": "yahoo",
    "aim.com": "yahoo",
    "msn.com": "outlook",
    "passport.com": "outlook",
    "icloud.com": "apple",
    "me.com": "apple",
    "mac.com": "apple",
    "proton.me": "proton",
    "protonmail.com": "proton",
    "pm.me": "proton",
    "web.de": "gmx",
    "mail.ru": "mailru",
    "bk.ru": "mailru",
    "inbox.ru": "mailru",
    "list.ru": "mailru",
    "ya.ru": "yandex",
    "rediff.com": "rediff",
    "rediffmail.com": "rediff",
}
_FAMILIES = {
    "yahoo": "yahoo",
    "aol": "yahoo",
    "outlook": "outlook",
    "hotmail": "outlook",
    "live": "outlook",
    "gmx": "gmx",
    "yandex": "yandex",
}
_FAMILY = re.compile(r"([a-z]+)(?:\.[a-z]{2,3}){1,2}")
_LONGEST_GROUP = 64
NAMES = frozenset({*_DOMAINS.values(), *_FAMILIES.values()})
"""The groups that have a name; every other domain is a group of its own."""


def domain_group(address: str) -> str:
    """Who receives mail for a parsed address: ``gmail``, ``yahoo``, ``outlook``, ``apple`` …, else its domain."""
    domain = address.rpartition("@")[2]
    if domain in _DOMAINS:
        return _DOMAINS[domain]
    family = _FAMILY.fullmatch(domain)
    if family is not None and family[1] in _FAMILIES:
        return _FAMILIES[family[1]]
    return domain[-_LONGEST_GROUP:]


def group_called(text: str) -> str | None:
    """The group that somebody means who writes its name, or a domain (``gmail.com``: ``gmail``); None: neither."""
    written = text.strip().lower()
    if "." in written:
        return domain_group(f"x@{written}")
    return written if written in NAMES else None
