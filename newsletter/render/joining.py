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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.errors import TemplateError
from newsletter.model import JoinedKey, Role
from newsletter.render import slots
from newsletter.render.document import LEAD, MANIFEST, NOTHING, PREHEADER, SECTIONS, SUBJECT, piece_name
from newsletter.render.encoding import Place, Reference, Slot, quoted_printable, unpack
from newsletter.render.facts import EditionView, KeyView, NewsletterView, SiteView, Story
from newsletter.render.slots import SLOTS, SlotKind, SlotPrinter
from newsletter.render.templates import compile_text, names_in, render
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.words import Words, direction_of, locale_of

Text = tuple[str | Slot, ...]


@dataclass(frozen=True, eq=False)
class Variant:
    """One reader's message but for her slots. ``text`` and ``html`` are encoded quoted-printable, CRLF.

    Their bytes are those of all other variants: only a message is a copy.
    """

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
    cards: int
    stories: tuple[Story, ...]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around the stories: chunks and the place after them, again and again, then the ``end``."""

    runs: tuple[tuple[tuple[bytes | Slot, ...], str], ...]
    end: tuple[bytes | Slot, ...]
    has_lead: bool

    @classmethod
    def of(cls, chunks: Sequence[bytes | Reference]) -> _Frame:
        runs: list[tuple[tuple[bytes | Slot, ...], str]] = []
        run: list[bytes | Slot] = []
        for chunk in chunks:
            if isinstance(chunk, Place):
                runs.append((tuple(run), chunk.name))
                run = []
            else:
                run.append(chunk)
        return cls(tuple(runs), tuple(run), any(place == LEAD for _, place in runs))


class Variants:
    """The variants of one rendered key of one edition, the last ``kept`` of them remembered. For one thread."""

    def __init__(self, pieces: Mapping[str, bytes], *, kept: int = 64) -> None:
        self._pieces = dict(pieces)
        self._kept = kept
        self._variants: OrderedDict[tuple[str, ...], Variant | None] = OrderedDict()
        self._texts: dict[tuple[str, int], Text] = {}
        # What variants are made of, cut once: no more than twice the size of the pieces.
        self._frames: dict[str, _Frame] = {}
        self._leads_made: dict[tuple[str, int], tuple[bytes | Slot, ...]] = {}
        self._sections_made: dict[tuple[str, int, bool], tuple[bytes | Slot, ...]] = {}

    def variant(self, joined: JoinedKey) -> Variant | None:
        """The message for a reader of ``joined.sections``.

        Where the pool holds no story for her: one that says so if the newsletter has ``when_empty: send``, else None.
        """
        known = joined.sections
        if known in self._variants:
            self._variants.move_to_end(known)
            return self._variants[known]
        variant = self._variants[known] = self._join(self._choose(joined))
        if len(self._variants) > self._kept:
            self._variants.popitem(last=False)
        return variant

    def _choose(self, joined: JoinedKey) -> tuple[_Section, ...]:
        """Her sections in her order; a name the pool does not have, or has no story for, is passed over."""
        if not joined.sections:
            return tuple(self._sections.values())
        return tuple(self._sections[name] for name in dict.fromkeys(joined.sections) if name in self._sections)

    def _join(self, sections: Sequence[_Section]) -> Variant | None:
        if not sections:
            return self._nothing() if self._manifest["says_nothing"] else None
        lead = sections[0].stories[0]
        stories = (lead, *(story for section in sections for story in section.stories if story is not lead))
        texts = {name: self._text(name, stories) for name in self._manifest["texts"]}
        return Variant(
            subject=texts[SUBJECT] or (self._newsletter.title,),
            preheader=texts[PREHEADER],
            text=self._part("txt", sections, lead, texts),
            html=self._part("html", sections, lead, texts),
            article_ids=tuple([story.id for story in stories]),
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
        chunks: list[bytes | Slot] = []
        frame = self._frame(suffix)
        shown_above = lead if frame.has_lead else None
        for before, place in frame.runs:
            chunks += before
            if place == LEAD:
                if lead is not None:
                    chunks += self._lead(suffix, lead)
            elif place != SECTIONS:
                chunks += _encoded(texts[place], in_html=suffix == "html")
            elif lead is None:
                chunks += self._chunks(suffix, [NOTHING])
            else:
                for section in sections:
                    chunks += self._section(suffix, section, without=shown_above)
        chunks += frame.end
        return tuple(chunks)

    def _section(self, suffix: str, section: _Section, *, without: Story | None) -> tuple[bytes | Slot, ...]:
        """A section with its stories, or with all but its first where that leads: one of two, both remembered."""
        leads = section.stories[0] is without
        known = (suffix, section.number, leads)
        if known not in self._sections_made:
            left = section.stories[leads:]
            names = [f"section/{section.number}"] if left else []
            for position, story in enumerate(left):
                names.append(f"{story.id}/{Role.CARD if position < section.cards else Role.BRIEF}")
            self._sections_made[known] = self._chunks(suffix, names)
        return self._sections_made[known]

    def _lead(self, suffix: str, lead: Story) -> tuple[bytes | Slot, ...]:
        known = (suffix, lead.id)
        if known not in self._leads_made:
            self._leads_made[known] = self._chunks(suffix, [f"{lead.id}/{Role.LEAD}"])
        return self._leads_made[known]

    def _chunks(self, suffix: str, names: Sequence[str]) -> tuple[bytes | Slot, ...]:
        """Pieces, one after the other, cut at their slots."""
        found = unpack(b"".join(self._pieces[piece_name(suffix, name)] for name in names))
        return tuple(chunk for chunk in found if not isinstance(chunk, Place))

    def _frame(self, suffix: str) -> _Frame:
        if suffix not in self._frames:
            self._frames[suffix] = _Frame.of(unpack(self._pieces[piece_name(suffix, "frame")]))
        return self._frames[suffix]

    def _text(self, name: str, stories: Sequence[Story]) -> Text:
        """A small text for these stories, on one line, as strings and slots; remembered where it reads but the lead."""
        source, where = self._manifest["texts"][name]
        reads = names_in(source)
        if "articles" in reads:
            return self._small(source, where, stories)
        known = (name, stories[0].id if "lead" in reads else 0)
        if known not in self._texts:
            self._texts[known] = self._small(source, where, stories)
        return self._texts[known]

    def _small(self, source: str, where: str, stories: Sequence[Story]) -> Text:
        printer = SlotPrinter(lambda kind, number: f"x{self._nonce}{kind}{number}x")
        rendered = render(
            compile_text(source, where),
            {**self._context, "lead": stories[0], "articles": stories, "slot": printer},
        )
        printed = printer.printed()
        line = " ".join(rendered.split())
        if not printed:
            return (line,) if line else ()
        slots.check_complete(line, self._token, printed)
        parts: list[str | Slot] = []
        for index, part in enumerate(self._token.split(line)):
            if index % 2:
                slot, at = printed[int(part)]
                if SLOTS[slot.name] is SlotKind.URL:
                    raise TemplateError(f"slot.{slot.name} is a link, and this is not", where=at, remedy="Leave it out")
                parts.append(slot)
            elif part:
                parts.append(part)
        return tuple(parts)

    @cached_property
    def _nonce(self) -> str:
        """Marks the slots in small texts; nothing that these print contains it."""
        nonce = secrets.token_hex(12)
        while nonce.encode() in self._pieces[MANIFEST]:
            nonce = secrets.token_hex(12)
        return nonce

    @cached_property
    def _token(self) -> re.Pattern[str]:
        return re.compile(f"x{self._nonce}s([0-9]+)x")

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._pieces[MANIFEST])
        return found

    @cached_property
    def _sections(self) -> Mapping[str, _Section]:
        """Those of the pool that have stories, by name, in its order."""
        return {
            raw["name"]: _Section(number, raw["cards"], tuple(map(Story.from_json, raw["stories"])))
            for number, raw in enumerate(self._manifest["sections"])
            if raw["stories"]
        }

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


@lru_cache(maxsize=256)
def _encoded(text: Text, *, in_html: bool) -> tuple[bytes | Slot, ...]:
    """A small text as chunks; what it says is escaped where it stands in HTML."""
    return tuple(
        part if isinstance(part, Slot) else quoted_printable(html.escape(part, quote=True) if in_html else part)
        for part in text
    )
