"""The fixed words of mails and pages (Unsubscribe, 9 stories …) in a reader's language, and what Babel says of it.

``locale/LANGUAGE/LC_MESSAGES/newsletter.po`` of the template folders -> ``Words``, of which templates print through
``{% trans %}``, ``_()`` and ``ngettext()``. The English text is the message id, so what no catalogue has is English.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from gettext import c2py
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

_VALUE = re.compile(r"%%|%\((?P<name>\w+)\)(?P<s>s?)")
_CONTEXT = "\x04"  # between context and message, as in gettext's own files


def locale_of(language: str) -> Locale:
    """Babel's locale of a BCP 47 tag; the nearest it knows, at last English."""
    for tag in fallbacks(language):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


def direction_of(language: str) -> str:
    """``rtl`` or ``ltr``."""
    return "rtl" if locale_of(language).text_direction == "rtl" else "ltr"


def fallbacks(language: str) -> list[str]:
    """A tag and those it falls back to (RFC 4647 §3.4): ``pt-BR``, ``pt``."""
    parts = language.replace("_", "-").split("-") if language else []
    return ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]


@dataclass(frozen=True, slots=True)
class Translation:
    """A message's forms in one language, and gettext's expression that chooses among them ('' for a single one)."""

    forms: tuple[str, ...]
    plural: str = ""

    def of(self, number: int) -> str:
        """The form for ``number``."""
        return self.forms[min(_plural_index(self.plural)(number), len(self.forms) - 1)]


class Words:
    """The words of one language. ``spoken`` is the language they are in: English where there is no catalogue."""

    def __init__(self, language: str, translations: Mapping[str, Translation], *, spoken: str = "en") -> None:
        self.language, self.spoken = language, spoken
        self.locale = locale_of(language)
        self._translations = dict(translations)

    @cached_property
    def digest(self) -> str:
        """A hash of all that this language's catalogues say."""
        said = sorted((key, one.forms) for key, one in self._translations.items())
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def gettext(self, message: str, /, **values: object) -> str:
        """``message`` in this language, with its ``%(value)s`` filled in; numbers as the language writes them."""
        return filled(self.text(message), self.shown(values))

    def ngettext(self, singular: str, plural: str, number: int, /, **values: object) -> str:
        """The form for ``number``, which stands in it as ``%(num)s``."""
        return filled(self.text(singular, plural, number), self.shown({"num": number, **values}))

    def text(self, message: str, plural: str = "", number: int = 1, *, context: str = "") -> str:
        """``message``, or its form for ``number`` where there is a ``plural``, with its values not yet filled in."""
        found = self._translations.get(message_key(message, context))
        if found is None:
            return message if not plural or number == 1 else plural
        return found.of(number) if plural else found.forms[0]

    def shown(self, values: Mapping[str, object]) -> dict[str, object]:
        """``values`` with their numbers as this language writes them."""
        return {name: self.number(value) if _is_number(value) else value for name, value in values.items()}

    def number(self, value: Any) -> str:
        """A number as this language writes it: 1,234.5 or 1.234,5."""
        return _written(value, self.language)

    def only(self, keys: Iterable[str]) -> Words:
        """Of these words the messages of ``keys`` (``message_key``): what a manifest carries."""
        kept = {key: self._translations[key] for key in sorted(keys) if key in self._translations}
        return Words(self.language, kept, spoken=self.spoken)

    def as_json(self) -> dict[str, Sequence[str]]:
        """The translations for a manifest: each key with its plural's expression and its forms."""
        return {key: [one.plural, *one.forms] for key, one in self._translations.items()}

    @classmethod
    def from_json(cls, language: str, translations: Mapping[str, Sequence[str]]) -> Words:
        """What ``as_json`` wrote."""
        return cls(language, {key: Translation(tuple(forms), plural) for key, (plural, *forms) in translations.items()})


def filled(text: str, values: Mapping[str, object]) -> str:
    """``text`` with its ``%(value)s``. Any other per cent sign is one, and ``%%`` is one too.

    Raises KeyError for a value that is not given, ValueError for one that is not written so.
    """

    return "".join([str(values[part]) if is_value else part for is_value, part in _cut(text)])


@lru_cache(maxsize=1024)
def _cut(text: str) -> tuple[tuple[bool, str], ...]:
    """``text`` as values (True, with their names) and what stands between them."""
    parts, end = [], 0
    for match in _VALUE.finditer(text):
        parts.append((False, text[end : match.start()]))
        if match["name"] is not None and not match["s"]:
            raise ValueError(f"a value is written %({match['name']})s")
        parts.append((False, "%") if match["name"] is None else (True, match["name"]))
        end = match.end()
    return (*parts, (False, text[end:]))


def values_in(text: str) -> frozenset[str]:
    """The names of the values that ``text`` prints. Raises ValueError for one that is not written ``%(value)s``."""
    found = [match for match in _VALUE.finditer(text) if match["name"] is not None]
    for match in found:
        if not match["s"]:
            raise ValueError(f"a value is written %({match['name']})s")
    return frozenset(match["name"] for match in found)


def message_key(message: str, context: str = "") -> str:
    """A message's key in a catalogue; of one with a plural it is that of its singular."""
    return f"{context}{_CONTEXT}{message}" if context else message


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


@lru_cache(maxsize=4096)
def _written(value: Any, language: str) -> str:
    return format_decimal(value, locale=locale_of(language))


# gettext's own reader of plural expressions: it takes arithmetic on n and nothing else.
_plural_index = lru_cache(maxsize=64)(c2py)
