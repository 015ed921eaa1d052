"""Pieces of one rendered key + a joined key -> a variant: the encoded parts of the message, with slots in them.

Works from the pieces alone, in any process. The joined facts only choose and order pieces; subject, preheader and
summary are small texts rendered here once per list of stories.
"""

from __future__ import annotations

import html
import json
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import count, groupby
from typing import Any

from newsletter.model import JoinedKey, Role
from newsletter.render.encoding import Place, Reference, Slot, pack, quoted_printable, unpack
from newsletter.render.facts import Story
from newsletter.render.pool import (
    LEAD,
    MANIFEST,
    MISSED,
    MORE,
    NOTE,
    NOTHING,
    NUMBER,
    PREHEADER,
    PROMOTION,
    RELATED,
    SECTIONS,
    SUBJECT,
    piece_name,
)
from newsletter.render.slots import SUBSCRIBE
from newsletter.render.small_texts import SmallTexts, Text
from newsletter.render.words import Words

Chunk = bytes | Slot
KEPT_VARIANTS = 64  # of each rendered key
_NUMBERED = pack([Place(NUMBER)])


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

    @cached_property
    def offers(self) -> tuple[str, ...]:
        """The newsletters that this mail has a link to subscribe to."""
        named = [one.name.partition("/") for one in (*self.text, *self.html) if isinstance(one, Slot)]
        return tuple(dict.fromkeys(newsletter for slot, _, newsletter in named if slot == SUBSCRIBE))


@dataclass(frozen=True, slots=True)
class _Section:
    number: int
    name: str
    cards: int
    stories: tuple[Story, ...]
    home: str = ""
    whole: bool = True
    """Whether no story of it is left out."""

    def without(self, had: Collection[int]) -> _Section:
        left = tuple(story for story in self.stories if story.id not in had)
        return self if len(left) == len(self.stories) else replace(self, stories=left, whole=False)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What one reader gets: what leads every mail (None: nothing does), her sections, what was missed, and which of
    the targets of promotions she is in."""

    leads: _Section | None
    sections: tuple[_Section, ...]
    missed: tuple[_Section, ...]
    targets: tuple[str, ...]

    @property
    def lead(self) -> Story:
        """The first story: that of the subject, and what leads where anything does."""
        return self.leads.stories[0] if self.leads is not None else self.sections[0].stories[0]

    @property
    def stories(self) -> tuple[Story, ...]:
        """All in the order of the mail."""
        lead = self.lead
        listed = [story for section in (*self.sections, *self.missed) for story in section.stories]
        return (lead, *[story for story in listed if story is not lead])


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands around the stories: chunks and the place after them, again and again, then the ``end``.

    The note and the related newsletters follow the place ``note_at`` and ``related_at``: their own where it is there.
    """

    runs: tuple[tuple[tuple[Chunk, ...], str], ...]
    end: tuple[Chunk, ...]
    has_lead: bool
    note_at: str
    related_at: str

    @classmethod
    def of(cls, chunks: Sequence[bytes | Reference]) -> _Frame:
        runs: list[tuple[tuple[Chunk, ...], str]] = []
        run: list[Chunk] = []
        for chunk in chunks:
            if isinstance(chunk, Place):
                runs.append((tuple(run), chunk.name))
                run = []
            else:
                run.append(chunk)
        places = {place for _, place in runs}
        return cls(
            tuple(runs),
            tuple(run),
            has_lead=LEAD in places,
            note_at=next(name for name in (NOTE, LEAD, SECTIONS) if name in places),
            related_at=next((name for name in (RELATED, SECTIONS) if name in places), ""),
        )


class Variants:
    """The variants of one rendered key of one edition, the last ``kept`` of them remembered. For one thread."""

    def __init__(self, pieces: Mapping[str, bytes], *, kept: int = KEPT_VARIANTS) -> None:
        self._pieces = dict(pieces)
        self._kept = kept
        self._variants: OrderedDict[JoinedKey, Variant | None] = OrderedDict()
        # What variants are made of, cut once: no more than twice the size of the pieces.
        self._frames: dict[str, _Frame] = {}
        self._cuts: dict[tuple[str, str], tuple[Chunk | Place, ...]] = {}
        self._parts_made: dict[tuple[str, str], tuple[Chunk, ...]] = {}
        self._sections_made: dict[tuple[str, int, bool], tuple[Chunk, ...]] = {}

    def variant(self, joined: JoinedKey) -> Variant | None:
        """The message for a reader of ``joined.sections``, without the stories that she ``had``.

        Where the pool holds no story for her: the lead alone if the newsletter has ``nothing_chosen: lead``, one that
        says so if it has ``when_empty: send``, else None. A story of other sections that leads, and what was missed,
        are otherwise none for her alone.
        """
        targets = tuple(target for target in self.targets if target in joined.targets) if joined.targets else ()
        known = JoinedKey(joined.sections, targets, self._here(joined.had) if joined.had else ())
        if known in self._variants:
            self._variants.move_to_end(known)
            return self._variants[known]
        variant = self._variants[known] = self._join(self._choose(known))
        if len(self._variants) > self._kept:
            self._variants.popitem(last=False)
        return variant

    @property
    def section_names(self) -> tuple[str, ...]:
        """The names of the sections that a reader may choose and that hold stories, in order."""
        return tuple(self._sections)

    @cached_property
    def targets(self) -> tuple[str, ...]:
        """The targets of promotions that are not for every reader, by their digests."""
        return tuple(dict.fromkeys(filter(None, self._promotion_targets)))

    def _choose(self, joined: JoinedKey) -> _Chosen | None:
        """Her sections in her order; a name the pool does not have, or has no story for, is passed over."""
        wanted = joined.sections
        if wanted:
            sections = tuple(self._sections[name] for name in dict.fromkeys(wanted) if name in self._sections)
        else:
            sections = tuple(self._sections.values())
        leads, missed = self._leading, self._missed
        if wanted and not sections and (leads is None or leads.home not in wanted):
            return self._lead_alone(joined)
        if joined.had:
            sections, missed = _without(sections, joined.had), _without(missed, joined.had)
            leads = next(iter(_without((leads,), joined.had)), None) if leads is not None else None
        if not sections and (leads is None or (wanted and leads.home not in wanted)):
            return None
        return _Chosen(leads, sections, missed, joined.targets)

    def _lead_alone(self, joined: JoinedKey) -> _Chosen | None:
        """What leads, or else the first story, for her whose sections hold nothing; None where that is no mail."""
        first = self._leading or next(iter(self._sections.values()), None)
        if self._manifest.get("nothing_chosen") != "lead" or first is None or first.stories[0].id in joined.had:
            return None
        alone = first if len(first.stories) == 1 else replace(first, stories=first.stories[:1], whole=False)
        if self._leading is not None:
            return _Chosen(alone, (), (), joined.targets)
        return _Chosen(None, (alone,), (), joined.targets)

    def _here(self, had: Collection[int]) -> tuple[int, ...]:
        """Those that the pool holds, in its order: others make no difference."""
        return tuple(story.id for section, _, _ in self._pool for story in section.stories if story.id in had)

    def _join(self, chosen: _Chosen | None) -> Variant | None:
        if chosen is None:
            return self._nothing() if self._manifest["says_nothing"] else None
        stories = chosen.stories
        texts = self._small_texts.of(stories)
        return Variant(
            subject=texts[SUBJECT] or (self._title,),
            preheader=texts[PREHEADER],
            text=self._part("txt", chosen, texts),
            html=self._part("html", chosen, texts),
            article_ids=tuple([story.id for story in stories]),
            language=self._manifest["key"]["language"],
        )

    def _nothing(self) -> Variant:
        """A mail without stories; the small texts read stories, so it has none of them but the newsletter's title."""
        texts: dict[str, Text] = dict.fromkeys(self._small_texts.names, ())
        return Variant(
            subject=(self._manifest.get("subject_without_stories") or self._title,),
            preheader=(),
            text=self._part("txt", None, texts),
            html=self._part("html", None, texts),
            article_ids=(),
            language=self._manifest["key"]["language"],
        )

    def _part(self, suffix: str, chosen: _Chosen | None, texts: Mapping[str, Text]) -> tuple[Chunk, ...]:
        """One part of a reader's mail; without stories (``chosen`` is None) the words that say so."""
        chunks: list[Chunk] = []
        frame = self._frame(suffix)
        leads = frame.has_lead and self._manifest.get("lead") != "none"
        numbers = count(1)
        for before, place in frame.runs:
            chunks += before
            if place in texts:
                chunks += _encoded(texts[place], in_html=suffix == "html")
            if place == frame.note_at:
                chunks += self._if_there(suffix, NOTE)
            if place == LEAD and leads and chosen is not None:
                chunks += self._story(suffix, chosen.lead, Role.LEAD, numbers)
            elif place == SECTIONS and chosen is not None:
                chunks += self._stories(suffix, chosen, numbers, leads=leads)
            elif place == SECTIONS:
                chunks += self._made(suffix, NOTHING)
            if place == frame.related_at:
                chunks += self._if_there(suffix, RELATED)
        chunks += frame.end
        return tuple(chunks)

    def _stories(self, suffix: str, chosen: _Chosen, numbers: Iterator[int], *, leads: bool) -> list[Chunk]:
        """All but what ``leads``: sections with what is put between them, then what was missed."""
        chunks: list[Chunk] = []
        if chosen.leads is not None and not leads:
            chunks += self._story(suffix, chosen.lead, Role.CARD, numbers)
        lead = chosen.lead if leads else None
        between = bool(self._promotions_after)
        if between:
            chunks += self._promotions(suffix, chosen, 0, "")
        for number, section in enumerate(chosen.sections, start=1):
            chunks += self._section(suffix, section, numbers, without=lead)
            if between:
                chunks += self._promotions(suffix, chosen, number, section.name)
        for section in chosen.missed:
            chunks += self._made(suffix, MISSED)
            for story in section.stories:
                chunks += self._story(suffix, story, Role.BRIEF, numbers)
        chunks += self._if_there(suffix, MORE)
        return chunks

    def _promotions(self, suffix: str, chosen: _Chosen, number: int, name: str) -> Iterator[Chunk]:
        """Those for her that follow her section ``number``, whose name this is; 0: before the first.

        What is to follow a later section than she has follows her last; what follows a section by name, only that."""
        last = len(chosen.sections)
        for index, (after, target) in enumerate(zip(self._promotions_after, self._promotion_targets, strict=True)):
            if target and target not in chosen.targets:
                continue
            at = min(after, last) == number if isinstance(after, int) else after.casefold() == name.casefold() != ""
            if at:
                yield from self._made(suffix, f"{PROMOTION}/{index}")

    def _section(
        self, suffix: str, section: _Section, numbers: Iterator[int], *, without: Story | None
    ) -> tuple[Chunk, ...]:
        """A section with its stories, or with all but its first where that leads: one of two, both remembered unless
        its stories print their number."""
        leads = section.stories[0] is without
        known = (suffix, section.number, leads)
        made = self._sections_made.get(known)
        if made is not None and section.whole:
            return made
        left = section.stories[leads:]
        chunks = list(self._made(suffix, f"section/{section.number}")) if left else []
        for position, story in enumerate(left):
            role = Role.CARD if position < section.cards else Role.BRIEF
            chunks += self._story(suffix, story, role, numbers)
        if self._numbered[suffix] or not section.whole:
            return tuple(chunks)
        made = self._sections_made[known] = _merged(chunks)
        return made

    def _story(self, suffix: str, story: Story, role: Role, numbers: Iterator[int]) -> tuple[Chunk, ...]:
        """A story's piece, with its number among this reader's stories where it prints one."""
        number, part = next(numbers), f"{story.id}/{role}"
        if not self._numbered[suffix]:
            return self._made(suffix, part)
        return tuple(
            quoted_printable(self._words.number(number)) if isinstance(chunk, Place) else chunk
            for chunk in self._cut(suffix, part)
        )

    def _if_there(self, suffix: str, part: str) -> tuple[Chunk, ...]:
        return self._made(suffix, part, optional=True)

    def _made(self, suffix: str, part: str, *, optional: bool = False) -> tuple[Chunk, ...]:
        """A piece that prints no number, remembered; nothing where an ``optional`` one is not there."""
        known = (suffix, part)
        made = self._parts_made.get(known)
        if made is None:
            there = not optional or piece_name(suffix, part) in self._pieces
            cut = self._cut(suffix, part) if there else ()
            made = self._parts_made[known] = tuple([chunk for chunk in cut if not isinstance(chunk, Place)])
        return made

    def _cut(self, suffix: str, part: str) -> tuple[Chunk | Place, ...]:
        """A piece, cut at its slots and numbers; remembered."""
        known = (suffix, part)
        if known not in self._cuts:
            self._cuts[known] = tuple(unpack(self._pieces[piece_name(suffix, part)]))
        return self._cuts[known]

    def _frame(self, suffix: str) -> _Frame:
        if suffix not in self._frames:
            self._frames[suffix] = _Frame.of(unpack(self._pieces[piece_name(suffix, "frame")]))
        return self._frames[suffix]

    @cached_property
    def _promotions_after(self) -> Sequence[int | str]:
        """After which section each promotion stands: its number among the reader's, or its name."""
        found: list[int | str] = self._manifest.get("promotions", [])
        return found

    @cached_property
    def _promotion_targets(self) -> Sequence[str]:
        """Whom each promotion is for; pieces of before there were targets name none."""
        found: list[str] = self._manifest.get("promotion_targets", [""] * len(self._promotions_after))
        return found

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._pieces[MANIFEST])
        return found

    @cached_property
    def _pool(self) -> tuple[tuple[_Section, bool, bool], ...]:
        """What the pool holds, in its order: each with whether it leads, and whether it is what was missed."""
        return tuple(
            (
                _Section(
                    number, raw["name"], raw["cards"], tuple(map(Story.from_json, raw["stories"])), raw.get("home", "")
                ),
                raw.get("leads", False),
                raw.get("missed", False),
            )
            for number, raw in enumerate(self._manifest["sections"])
            if raw["stories"]
        )

    @cached_property
    def _sections(self) -> Mapping[str, _Section]:
        """Those that a reader may choose, by name."""
        return {section.name: section for section, leads, missed in self._pool if not (leads or missed)}

    @cached_property
    def _leading(self) -> _Section | None:
        return next((section for section, leads, _ in self._pool if leads), None)

    @cached_property
    def _missed(self) -> tuple[_Section, ...]:
        return tuple(section for section, _, missed in self._pool if missed)

    @cached_property
    def _numbered(self) -> Mapping[str, bool]:
        """For each kind of part whether any story of it prints its number."""
        return {
            suffix: any(_NUMBERED in piece for name, piece in self._pieces.items() if name.startswith(f"{suffix}/"))
            for suffix in ("html", "txt")
        }

    @cached_property
    def _words(self) -> Words:
        return Words.from_json(self._manifest["key"]["language"], self._manifest["words"])

    @cached_property
    def _small_texts(self) -> SmallTexts:
        return SmallTexts(self._manifest, self._words)

    @cached_property
    def _title(self) -> str:
        return str(self._manifest["newsletter"]["title"])


def _without(sections: Sequence[_Section], had: Collection[int]) -> tuple[_Section, ...]:
    """The sections that hold something else as well, without what she had."""
    return tuple(left for section in sections if (left := section.without(had)).stories)


def _merged(chunks: Sequence[Chunk]) -> tuple[Chunk, ...]:
    """The same chunks with neighbouring bytes joined, so that a message is filled in few steps."""
    return tuple(
        chunk
        for is_bytes, run in groupby(chunks, key=lambda chunk: isinstance(chunk, bytes))
        for chunk in ((b"".join(run),) if is_bytes else run)  # type: ignore[arg-type]
    )


@lru_cache(maxsize=256)
def _encoded(text: Text, *, in_html: bool) -> tuple[bytes | Slot, ...]:
    """A small text as chunks; what it says is escaped where it stands in HTML."""
    return tuple(
        part if isinstance(part, Slot) else quoted_printable(html.escape(part, quote=True) if in_html else part)
        for part in text
    )
