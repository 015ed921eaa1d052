"""Which of a page's several titles is the headline, and without the site's name. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_BAR = re.compile(r"\s+[|–—·•»«:/~›-]+\s+|\s*\|\s*|\s+::\s+")
_CUT = re.compile(r"\s*(?:…|\.\.\.)$")
_LONGEST_NAME = 6  # words
_NOT_ALNUM = re.compile(r"[\W_]+")


def headline_of(
    structured: str, shown: Sequence[str], marked: Sequence[str], titles: Sequence[str], sites: Iterable[str]
) -> str:
    """The headline: what readers see where the page's own titles agree with it, else the JSON-LD's, else a title.

    ``shown`` are the ``h1`` elements, ``marked`` those that say they are the headline, ``titles`` the ``og:title`` and
    ``title``, ``sites`` the names of the site, which are no headline and not part of one.
    """
    names = {plain_key(site) for site in sites} - {""}
    heads = [text for text in (*marked, *shown) if text and plain_key(text) not in names]
    hints = [text for text in (structured, *titles) if text]
    for head in heads:
        if any(_alike(head, hint) for hint in hints):
            return without_site(head, names, hints)
    for text in (structured, *titles[:-1]):
        if text and plain_key(text) not in names:
            return without_site(text, names, [*heads, *hints])
    if len(heads) == 1:
        return without_site(heads[0], names, hints)
    title = titles[-1] if titles else ""
    if title and plain_key(title) not in names:
        return without_site(title, names, heads, guess=True)
    return heads[0] if heads else structured  # a story may be about the site; a home page states none


def without_site(text: str, names: set[str], others: Iterable[str], *, guess: bool = False) -> str:
    """``text`` without the site's (and section's) name after or before a bar, if ``names`` or another title shows it.

    ``guess`` takes a short last part for the name as well, where nothing shows what it is.
    """
    for other in others:
        bare, whole = plain_key(other), plain_key(text)
        cut = len(text) - len(_BAR.split(text)[-1])
        if bare and bare != whole and whole.startswith(bare) and _BAR.search(text) and len(other) <= cut + 1:
            return other.strip()
    before, colon, after = text.partition(": ")
    if colon and plain_key(before) in names:
        text = after
    while True:
        bars = list(_BAR.finditer(text))
        if not bars:
            return text.strip()
        first, last = text[: bars[0].start()], text[bars[-1].end() :]
        if plain_key(last) in names:
            text, guess = text[: bars[-1].start()], False
        elif plain_key(first) in names:
            text, guess = text[bars[0].end() :], False
        elif guess and len(last.split()) <= _LONGEST_NAME and len(last) < bars[-1].start():
            text = text[: bars[-1].start()]
            guess = "|" in bars[-1][0] and len(bars) > 1
        else:
            return text.strip()


def plain_key(text: str) -> str:
    """What two writings of the same words have in common: letters and digits, lower-cased."""
    return _NOT_ALNUM.sub("", text.casefold())


def _alike(head: str, hint: str) -> bool:
    """Whether one begins or holds the other, or they share most of their words."""
    one, other = plain_key(_CUT.sub("", head)), plain_key(_CUT.sub("", hint))
    if not one or not other:
        return False
    if one in other or other in one:
        return True
    first, second = set(head.casefold().split()), set(hint.casefold().split())
    return len(first & second) >= 0.5 * min(len(first), len(second)) and len(first & second) >= 3
