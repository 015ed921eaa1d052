"""Pieces of one rendered key + a joined key -> a variant: the encoded parts of the message, with slots in them.

Works from the pieces alone, in any process. The joined facts only choose and order pieces; subject, preheader and
summary are small texts rendered here once per list of stories.
"""

from __future__ import annotations

import html
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.errors import TemplateError
from newsletter.model import JoinedKey, Role
from newsletter.render import slots
from newsletter.render.encoding import Place, Slot, merge, quoted_printable, unpack
from newsletter.render.facts import EditionView, KeyView, NewsletterView, SiteView, Story
from newsletter.render.pool import (
    LEAD,
    MANIFEST,
    MISSED,
    MORE,
    NOTE,
    NOTHING,
    PREHEADER,
    PROMOTION,
    RELATED,
    SECTIONS,
    SUBJECT,
    piece_name,
)
from newsletter.render.slots import SLOTS, SlotKind, SlotPrinter
from newsletter.render.templates import compile_text, render
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.words import Words, direction_of, locale_of

Text = tuple[str | Slot, ...]


@dataclass(frozen=True, eq=False)
class Variant:
    """One reader's message but for her slots. ``text`` and ``html`` are encoded quoted-printable, CRLF."""

    subject: Text
    preheader: Text
    text: tuple[bytes | Slot, ...]
    html: tuple[bytes | Slot, ...]
    article_ids: tuple[int, ...]
    language: str
    prepared: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What ``message`` keeps per heading; nobody else's."""


@dataclass(frozen=True, slots=True)
class _Section:
    number: int
    name: str
    cards: int
    stories: tuple[Story, ...]
    missed: bool = False
    leads: bool = False
    home: str = ""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What one reader gets: what leads every mail (None: nothing does), her sections, and what was missed."""

    leads: _Section | None
    sections: tuple[_Section, ...]
    missed: tuple[_Section, ...]

    @property
    def lead(self) -> Story:
        """The first story: that of the subject, and what leads where anything does."""
        return self.leads.stories[0] if self.leads is not None else self.sections[0].stories[0]

    @property
    def stories(self) -> list[Story]:
        """All in the order of the mail."""
        listed = (story for section in (*self.sections, *self.missed) for story in section.stories)
        return [self.lead, *(story for story in listed if story is not self.lead)]


class Variants:
    """The variants of one rendered key of one edition, the last ``kept`` of them remembered. For one thread."""

    def __init__(self, pieces: Mapping[str, bytes], *, kept: int = 64) -> None:
        self._pieces = dict(pieces)
        self._kept = kept
        self._variants: OrderedDict[tuple[int, ...], Variant | None] = OrderedDict()
        self._unpacked: dict[str, tuple[bytes | Slot | Place, ...]] = {}

    def variant(self, joined: JoinedKey) -> Variant | None:
        """The message for a reader of ``joined.sections``.

        Where the pool holds no story for her: one that says so if the newsletter has ``when_empty: send``, else None. A
        story of other sections that leads, and what was missed, are none for her alone.
        """
        leads = next((section for section in self._sections if section.leads), None)
        chosen = self._choose(joined)
        if not chosen and leads is not None and joined.sections and leads.home not in joined.sections:
            leads = None
        known = (leads.number if leads is not None else -1, *(section.number for section in chosen))
        if known in self._variants:
            self._variants.move_to_end(known)
            return self._variants[known]
        variant = self._join(leads, chosen)
        self._variants[known] = variant
        while len(self._variants) > self._kept:
            self._variants.popitem(last=False)
        return variant

    @property
    def section_names(self) -> tuple[str, ...]:
        """The names of the sections that a reader may choose and that hold stories, in order."""
        return tuple(section.name for section in self._choose(JoinedKey()))

    def _choose(self, joined: JoinedKey) -> tuple[_Section, ...]:
        """Her sections in her order; a name the pool does not have is passed over."""
        own = [section for section in self._sections if not (section.missed or section.leads)]
        if joined.sections:
            by_name = {section.name: section for section in own}
            own = [by_name[name] for name in dict.fromkeys(joined.sections) if name in by_name]
        return tuple(section for section in own if section.stories)

    def _join(self, leads: _Section | None, sections: tuple[_Section, ...]) -> Variant | None:
        if not sections and leads is None:
            return self._nothing() if self._manifest["says_nothing"] else None
        chosen = _Chosen(leads, sections, tuple(one for one in self._sections if one.missed and one.stories))
        stories = chosen.stories
        texts = {name: self._text(name, stories) for name in self._manifest["texts"]}
        return Variant(
            subject=texts[SUBJECT] or (self._newsletter.title,),
            preheader=texts[PREHEADER],
            text=self._part("txt", chosen, texts),
            html=self._part("html", chosen, texts),
            article_ids=tuple(story.id for story in stories),
            language=self._manifest["key"]["language"],
        )

    def _nothing(self) -> Variant:
        """A mail without stories; the small texts read stories, so it has none of them but the newsletter's title."""
        texts: dict[str, Text] = dict.fromkeys(self._manifest["texts"], ())
        return Variant(
            subject=(self._newsletter.title,),
            preheader=(),
            text=self._part("txt", None, texts),
            html=self._part("html", None, texts),
            article_ids=(),
            language=self._manifest["key"]["language"],
        )

    def _part(self, suffix: str, chosen: _Chosen | None, texts: Mapping[str, Text]) -> tuple[bytes | Slot, ...]:
        return merge(self._filled(suffix, chosen, texts))

    def _filled(self, suffix: str, chosen: _Chosen | None, texts: Mapping[str, Text]) -> Iterator[bytes | Slot]:
        """One part of a reader's mail; without stories (``chosen`` is None) the words that say so."""
        frame = self._piece(suffix, "frame")
        places = {chunk.name for chunk in frame if isinstance(chunk, Place)}
        note_at = next(name for name in (NOTE, LEAD, SECTIONS) if name in places)
        related_at = next(name for name in (RELATED, SECTIONS) if name in places)
        leads = self._manifest.get("lead") != "none" and LEAD in places
        for chunk in frame:
            if not isinstance(chunk, Place):
                yield chunk
                continue
            if chunk.name in texts:
                yield from _encoded(texts[chunk.name], in_html=suffix == "html")
            if chunk.name == note_at:
                yield from self._if_there(suffix, NOTE)
            if chunk.name == LEAD and leads and chosen is not None:
                yield from self._whole(suffix, f"{chosen.lead.id}/{Role.LEAD}")
            elif chunk.name == SECTIONS:
                yield from self._whole(suffix, NOTHING) if chosen is None else self._stories(suffix, chosen, leads)
            if chunk.name == related_at:
                yield from self._if_there(suffix, RELATED)

    def _stories(self, suffix: str, chosen: _Chosen, leads: bool) -> Iterator[bytes | Slot]:
        """All but what ``leads``: sections with what is put between them, then what was missed."""
        if chosen.leads is not None and not leads:
            yield from self._whole(suffix, f"{chosen.lead.id}/{Role.CARD}")
        count = len(chosen.sections)
        yield from self._promotions(suffix, 0, "", count)
        for number, section in enumerate(chosen.sections, start=1):
            left = [story for story in section.stories if not (leads and story is chosen.lead)]
            if left:
                yield from self._whole(suffix, f"section/{section.number}")
            for position, story in enumerate(left):
                role = Role.CARD if position < section.cards else Role.BRIEF
                yield from self._whole(suffix, f"{story.id}/{role}")
            yield from self._promotions(suffix, number, section.name, count)
        for section in chosen.missed:
            yield from self._whole(suffix, MISSED)
            for story in section.stories:
                yield from self._whole(suffix, f"{story.id}/{Role.BRIEF}")
        yield from self._if_there(suffix, MORE)

    def _promotions(self, suffix: str, number: int, name: str, count: int) -> Iterator[bytes | Slot]:
        """Those that follow her section ``number`` (0: that stand before the first) of ``count``, whose name this is.

        What is to follow a later section than she has follows her last; what follows a section by name, only that."""
        for index, after in enumerate(self._manifest.get("promotions", ())):
            at = min(after, count) == number if isinstance(after, int) else after.casefold() == name.casefold() != ""
            if at:
                yield from self._whole(suffix, f"{PROMOTION}/{index}")

    def _if_there(self, suffix: str, part: str) -> Iterator[bytes | Slot]:
        if piece_name(suffix, part) in self._pieces:
            yield from self._whole(suffix, part)

    def _whole(self, suffix: str, part: str) -> Iterator[bytes | Slot]:
        for chunk in self._piece(suffix, part):
            assert not isinstance(chunk, Place), "a text is placed in the frame only"
            yield chunk

    def _piece(self, suffix: str, part: str) -> tuple[bytes | Slot | Place, ...]:
        name = piece_name(suffix, part)
        if name not in self._unpacked:
            self._unpacked[name] = tuple(unpack(self._pieces[name]))
        return self._unpacked[name]

    def _text(self, name: str, stories: Sequence[Story]) -> Text:
        """A small text for these stories, on one line, as strings and slots."""
        source, where = self._manifest["texts"][name]
        nonce = secrets.token_hex(12)
        printer = SlotPrinter(lambda kind, number: f"x{nonce}{kind}{number}x")
        rendered = render(
            compile_text(source, where),
            {**self._context, "lead": stories[0], "articles": stories, "slot": printer},
        )
        token = re.compile(f"x{nonce}s([0-9]+)x")
        slots.check_complete(rendered, token, printer.printed())
        parts: list[str | Slot] = []
        for index, part in enumerate(token.split(" ".join(rendered.split()))):
            if index % 2:
                slot, at = printer.printed()[int(part)]
                if SLOTS[slot.name] is SlotKind.URL:
                    raise TemplateError(f"slot.{slot.name} is a link, and this is not", where=at, remedy="Leave it out")
                parts.append(slot)
            elif part:
                parts.append(part)
        return tuple(parts)

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._pieces[MANIFEST])
        return found

    @cached_property
    def _sections(self) -> tuple[_Section, ...]:
        return tuple(
            _Section(
                number,
                raw["name"],
                raw["cards"],
                tuple(Story.from_json(story) for story in raw["stories"]),
                raw.get("missed", False),
                raw.get("leads", False),
                raw.get("home", ""),
            )
            for number, raw in enumerate(self._manifest["sections"])
        )

    @cached_property
    def _newsletter(self) -> NewsletterView:
        return NewsletterView(**self._manifest["newsletter"])

    @cached_property
    def _context(self) -> dict[str, Any]:
        manifest = self._manifest
        key = KeyView(**manifest["key"])
        edition = manifest["edition"]
        return {
            "edition": EditionView(**{**edition, "date": date.fromisoformat(edition["date"])}),
            "newsletter": self._newsletter,
            "site": SiteView(**{**manifest["site"], "logo": None}),
            "key": key,
            TRANSLATIONS: Words.from_json(key.language, manifest["words"]),
            "locale": locale_of(key.language),
            "zone": ZoneInfo(manifest["zone"]),
            "direction": direction_of(key.language),
        }


def _encoded(text: Text, *, in_html: bool) -> Iterator[bytes | Slot]:
    for part in text:
        if isinstance(part, Slot):
            yield part
        else:
            yield quoted_printable(html.escape(part, quote=True) if in_html else part)
