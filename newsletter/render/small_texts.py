"""Subject, preheader, summary, contents: small texts of a mail that read its reader's own stories.

They travel as templates in the manifest piece and are rendered where the pieces are joined, without the store.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Template

from newsletter.errors import TemplateError
from newsletter.render import slots
from newsletter.render.encoding import Slot
from newsletter.render.facts import EditionView, KeyView, NewsletterView, SiteView, Story
from newsletter.render.filters import minutes
from newsletter.render.slots import SlotKind, SlotPrinter, kind_of
from newsletter.render.templates import compile_text, names_in, render
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.words import Words, direction_of, locale_of

Text = tuple[str | Slot, ...]
_STORY_COUNT = "story_count"
_READING_MINUTES = "reading_minutes"
_KEPT = 4096


class SmallTexts:
    """The small texts of one rendered key. ``manifest`` is the piece of that name, decoded; ``words`` are its own."""

    def __init__(self, manifest: Mapping[str, Any], words: Words) -> None:
        self._texts = {name: _SmallText.of(*source) for name, source in manifest["texts"].items()}
        self._remembered: dict[tuple[str, int, int, int], Text] = {}
        self._context = _context(manifest, words)
        self._nonce = secrets.token_hex(12)  # marks the slots; nothing that the texts print can know it
        self._token = re.compile(f"x{self._nonce}s([0-9]+)x")

    def of(self, stories: Sequence[Story]) -> dict[str, Text]:
        """Each by its name, for a reader of these stories (at least one), on one line, as strings and slots.

        Raises TemplateError where a text cannot be rendered.
        """
        return {name: self._text(name, text, stories) for name, text in self._texts.items()}

    @property
    def names(self) -> frozenset[str]:
        """Which there are."""
        return frozenset(self._texts)

    def _text(self, name: str, text: _SmallText, stories: Sequence[Story]) -> Text:
        """Remembered under what it reads of these stories, unless that is each of them."""
        lead = stories[0].id if text.reads_lead else 0
        number = len(stories) if text.reads_count else 0
        length = _reading_minutes(stories) if text.reads_length else 0
        if text.reads_stories:
            return self._rendered(text, stories, number, length)
        known = (name, lead, number, length)
        if known not in self._remembered:
            if len(self._remembered) >= _KEPT:
                self._remembered.clear()
            self._remembered[known] = self._rendered(text, stories, number, length)
        return self._remembered[known]

    def _rendered(self, text: _SmallText, stories: Sequence[Story], number: int, length: int) -> Text:
        printer = SlotPrinter(lambda kind, number: f"x{self._nonce}{kind}{number}x")
        read = {
            "lead": stories[0],
            "articles": stories,
            _STORY_COUNT: number,
            _READING_MINUTES: length,
            "slot": printer,
        }
        line = " ".join(render(text.template, {**self._context, **read}).split())
        printed = printer.printed()
        if not printed:
            return (line,) if line else ()
        slots.check_complete(line, self._token, printed)
        parts: list[str | Slot] = []
        for index, part in enumerate(self._token.split(line)):
            if index % 2:
                slot, at = printed[int(part)]
                if kind_of(slot.name) is SlotKind.URL:
                    raise TemplateError(f"slot.{slot.name} is a link, and this is not", where=at, remedy="Leave it out")
                parts.append(slot)
            elif part:
                parts.append(part)
        return tuple(parts)


@dataclass(frozen=True, slots=True)
class _SmallText:
    """A template, and what of the reader's stories it reads."""

    template: Template
    reads_stories: bool
    reads_lead: bool
    reads_count: bool
    reads_length: bool

    @classmethod
    def of(cls, source: str, where: str) -> _SmallText:
        reads = names_in(source)
        return cls(
            compile_text(source, where),
            reads_stories="articles" in reads,
            reads_lead="lead" in reads,
            reads_count=_STORY_COUNT in reads,
            reads_length=_READING_MINUTES in reads,
        )


def _context(manifest: Mapping[str, Any], words: Words) -> dict[str, Any]:
    key = KeyView(**manifest["key"])
    edition = manifest["edition"]
    return {
        "edition": EditionView(**{**edition, "date": date.fromisoformat(edition["date"])}),
        "newsletter": NewsletterView(**manifest["newsletter"]),
        "site": SiteView(**{**manifest["site"], "logo": None}),
        "key": key,
        TRANSLATIONS: words,
        "locale": locale_of(key.language),
        "zone": ZoneInfo(manifest["zone"]),
        "direction": direction_of(key.language),
    }


def _reading_minutes(stories: Sequence[Story]) -> int:
    return minutes(sum([story.words for story in stories]))
