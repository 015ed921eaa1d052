"""What a page says of its authors -> their names: no "By", no addresses, nobody twice. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from newsletter.collect.json_ld import as_list, words_of
from newsletter.collect.plain_text import one_line

MAX_AUTHORS = 20
_BY = re.compile(
    r"^(?:(?:(?:written|words|reported|story|text|texte|texto|testo)\s+)?(?:by|von|par|por|di|door|av|af|przez|от|автор)"
    r"|auteur|autor|autore|author|द्वारा|लेखक|بقلم|كتب|文|記者|作者)(?:\s*[:\uff1a]\s*|\s+)",
    re.IGNORECASE,
)
_AND = re.compile(
    r"\s*[;|/•·、]\s*|\s*,\s+(?:(?:and|und|et|y|e|og|och|en)\s+)?|\s+(?:and|und|et|y|&|og|och|en|और|و)\s+"
)
_SURE_AND = re.compile(r"\s*[;|•、]\s*")
_ADDRESS = re.compile(r"https?://\S+|\bwww\.\S+|\S+@\S+|(?:^|\s)@\w+")
_NO_NAME = re.compile(
    r"^(?:admin|administrator|editor|user\d*|root|author|guest|unknown|none|null|n/?a)$", re.IGNORECASE
)
_LETTER = re.compile(r"[^\W\d_]")


def names_in_nodes(values: Iterable[Any]) -> list[str]:
    """The names of the people and desks of a JSON-LD ``author`` property, in order."""
    found: list[str] = []
    for value in values:
        if isinstance(value, Mapping):
            several = [words_of(name) for name in as_list(value.get("name"))]
            if not any(several):
                parts = (words_of(value.get(part)) for part in ("givenName", "additionalName", "familyName"))
                several = [" ".join(part for part in parts if part)]
            for name in several:
                found.extend(names_in_text(name))
        else:
            found.extend(names_in_text(words_of(value)))
    return found


def names_in_text(text: str) -> list[str]:
    """The names in one line such as "By Meera Pillai and Jo Lee", as they stand."""
    line = " ".join(_ADDRESS.sub(" ", _BY.sub("", text.strip())).split())
    names: list[str] = []
    for part in _SURE_AND.split(line):
        several = [one for one in _AND.split(part) if one]
        # "Jo Lee, Ana Roy and Mia Ek" are three; "Khan, Ayesha" and "Research and Graphics" are one.
        each_full = all(1 < len(one.split()) <= 4 for one in several)
        names.extend(several if each_full else [part])
    return [name for one in names if (name := _BY.sub("", one).strip(" ,;:.|-–—·•()"))]


def authors_of(names: Iterable[str], site_names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, in order, without those that name nobody, or only the site itself."""
    nobody = {name.casefold() for name in site_names}
    found: dict[str, str] = {}
    for name in names:
        line = one_line(name, 120)
        key = line.casefold()
        if key in nobody or _NO_NAME.match(line) or not _LETTER.search(line) or "/" in line:
            continue
        found.setdefault(key, line)
    return tuple(found.values())[:MAX_AUTHORS]
