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
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.errors import TemplateError
from newsletter.model import JoinedKey, Role
from newsletter.render import slots
from newsletter.render.document import LEAD, MANIFEST, NOTHING, PREHEADER, SECTIONS, SUBJECT, piece_name
from newsletter.render.encoding import Place, Slot, merge, quoted_printable, unpack
from newsletter.render.facts import EditionView, KeyView, NewsletterView, SiteView, Story
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


class Variants:
    """The variants of one rendered key of one edition, the last ``kept`` of them remembered. For one thread."""

    def __init__(self, pieces: Mapping[str, bytes], *, kept: int = 64) -> None:
        self._pieces = dict(pieces)
        self._kept = kept
        self._variants: OrderedDict[tuple[int, ...], Variant | None] = OrderedDict()
        self._unpacked: dict[str, tuple[bytes | Slot | Place, ...]] = {}

    def variant(self, joined: JoinedKey) -> Variant | None:
        """The message for a reader of ``joined.sections``.

        Where the pool holds no story for her: one that says so if the newsletter has ``when_empty: send``, else None.
        """
        chosen = self._choose(joined)
        known = tuple(section.number for section in chosen)
        if known in self._variants:
            self._variants.move_to_end(known)
            return self._variants[known]
        variant = self._join(chosen)
        self._variants[known] = variant
        while len(self._variants) > self._kept:
            self._variants.popitem(last=False)
        return variant

    def _choose(self, joined: JoinedKey) -> tuple[_Section, ...]:
        """Her sections in her order; a name the pool does not have is passed over."""
        if not joined.sections:
            chosen = self._sections
        else:
            by_name = {section.name: section for section in self._sections}
            chosen = tuple(by_name[name] for name in dict.fromkeys(joined.sections) if name in by_name)
        return tuple(section for section in chosen if section.stories)

    def _join(self, sections: Sequence[_Section]) -> Variant | None:
        if not sections:
            return self._nothing() if self._manifest["says_nothing"] else None
        lead = sections[0].stories[0]
        stories = [lead, *(story for section in sections for story in section.stories if story is not lead)]
        texts = {name: self._text(name, stories) for name in self._manifest["texts"]}
        preheader = texts[PREHEADER]
        return Variant(
            subject=texts[SUBJECT] or (self._newsletter.title,),
            preheader=preheader,
            text=self._part("txt", sections, lead, texts),
            html=self._part("html", sections, lead, texts),
            article_ids=tuple(story.id for story in stories),
            language=self._manifest["key"]["language"],
        )

    def _nothing(self) -> Variant:
        """A mail without stories; the small texts read stories, so it has none of them but the newsletter's title."""
        texts: dict[str, Text] = dict.fromkeys(self._manifest["texts"], ())
        return Variant(
            subject=(self._newsletter.title,),
            preheader=(),
            text=self._part("txt", (), None, texts),
            html=self._part("html", (), None, texts),
            article_ids=(),
            language=self._manifest["key"]["language"],
        )

    def _part(
        self, suffix: str, sections: Sequence[_Section], lead: Story | None, texts: Mapping[str, Text]
    ) -> tuple[bytes | Slot, ...]:
        return merge(self._filled(suffix, sections, lead, texts))

    def _filled(
        self, suffix: str, sections: Sequence[_Section], lead: Story | None, texts: Mapping[str, Text]
    ) -> Iterator[bytes | Slot]:
        frame = self._piece(suffix, "frame")
        has_lead = Place(LEAD) in frame
        numbers = count(1)
        for chunk in frame:
            if not isinstance(chunk, Place):
                yield chunk
            elif chunk.name == LEAD:
                if lead is not None:
                    yield from self._story(suffix, lead, Role.LEAD, next(numbers))
            elif chunk.name == SECTIONS:
                if lead is None:
                    yield from self._whole(suffix, NOTHING)
                for section in sections:
                    left = [story for story in section.stories if not (has_lead and story is lead)]
                    if left:
                        yield from self._whole(suffix, f"section/{section.number}")
                    for position, story in enumerate(left):
                        role = Role.CARD if position < section.cards else Role.BRIEF
                        yield from self._story(suffix, story, role, next(numbers))
            else:
                yield from _encoded(texts[chunk.name], in_html=suffix == "html")

    def _whole(self, suffix: str, part: str) -> Iterator[bytes | Slot]:
        for chunk in self._piece(suffix, part):
            assert not isinstance(chunk, Place), "a text is placed in the frame only"
            yield chunk

    def _story(self, suffix: str, story: Story, role: Role, number: int) -> Iterator[bytes | Slot]:
        """A story's piece, with its ``number`` among this reader's stories where it prints one."""
        for chunk in self._piece(suffix, f"{story.id}/{role}"):
            yield quoted_printable(self._words.number(number)) if isinstance(chunk, Place) else chunk

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
            _Section(number, raw["name"], raw["cards"], tuple(Story.from_json(story) for story in raw["stories"]))
            for number, raw in enumerate(self._manifest["sections"])
        )

    @cached_property
    def _newsletter(self) -> NewsletterView:
        return NewsletterView(**self._manifest["newsletter"])

    @cached_property
    def _words(self) -> Words:
        return Words.from_json(self._manifest["key"]["language"], self._manifest["words"])

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
            TRANSLATIONS: self._words,
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
