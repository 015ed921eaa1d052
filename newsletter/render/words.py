"""The fixed words of a mail (Unsubscribe, 9 stories …) in the edition's language, and what Babel says of it.

``shared/words/LANGUAGE.json`` of the template folders -> ``Words``, which templates call as ``word('unsubscribe')``.
"""

from __future__ import annotations

from collections.abc import Mapping

from babel import Locale, UnknownLocaleError
from babel.numbers import format_decimal

from newsletter.errors import TemplateError


def locale_of(language: str) -> Locale:
    """Babel's locale of a BCP 47 tag; the nearest it knows, at last English."""
    tag = language.replace("_", "-")
    while tag:
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError):
            tag = tag.rpartition("-")[0]
    return Locale("en")


def direction_of(language: str) -> str:
    """``rtl`` or ``ltr``."""
    return "rtl" if locale_of(language).text_direction == "rtl" else "ltr"


class Words:
    """The words of one language. ``catalogue`` has the language's own over English for what it lacks."""

    def __init__(self, language: str, catalogue: Mapping[str, str]) -> None:
        self.language = language
        self.catalogue = dict(catalogue)
        self._locale = locale_of(language)

    def __call__(self, name: str, **values: object) -> str:
        """The word ``name`` with ``{value}`` filled in; ``n`` chooses the plural (``stories.one``, ``stories.other``).

        Raises TemplateError for a name no catalogue has.
        """
        chosen = self.catalogue.get(name)
        number = values.get("n")
        if isinstance(number, int):
            form = str(self._locale.plural_form(number))
            chosen = self.catalogue.get(f"{name}.{form}", self.catalogue.get(f"{name}.other", chosen))
            values["n"] = format_decimal(number, locale=self._locale)
        if chosen is None:
            raise TemplateError(
                f"there is no word '{name}'",
                remedy="Add it to shared/words/en.json, or write the text in the template",
            )
        for key, value in values.items():
            chosen = chosen.replace("{" + key + "}", str(value))
        return chosen
