"""One document of one kind (``html`` or ``txt``): rendered whole, with markers, then cut at them into pieces.

The frame is rendered first and says where stories go; every piece is rendered for itself and put there, so that
premailer sees them all in their place. A reader's mail is joined from the pieces afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from newsletter.errors import TemplateError
from newsletter.model import Role
from newsletter.render import slots, stylesheets
from newsletter.render.blocks import Blocks
from newsletter.render.campaigns import Campaign
from newsletter.render.contexts import Printed, refuse_context, require_whole
from newsletter.render.encoding import Chunk, Place, pack
from newsletter.render.facts import SectionView, Story
from newsletter.render.inlining import inline
from newsletter.render.pool import (
    BLOCK_PLACES,
    LEAD,
    MISSED,
    MORE,
    NOTE,
    NOTHING,
    NUMBER,
    PROMOTION,
    RELATED,
    SECTIONS,
    STORY_PLACES,
    Pool,
    PoolSection,
    piece_name,
)
from newsletter.render.slots import SlotPrinter
from newsletter.render.templates import Templates, render


@dataclass
class Whole:
    """``texts`` are the places of small texts; ``nonce`` stands in nothing that is printed. ``file`` of the design is
    rendered; ``needs`` is the place without which it would say nothing."""

    templates: Templates
    design: str
    suffix: str
    pool: Pool
    blocks: Blocks
    shared: Mapping[str, Any]
    texts: frozenset[str]
    nonce: str
    campaign: Campaign
    says_nothing: bool = False
    file: str = "edition"
    needs: str = SECTIONS
    names: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    placed_at: list[str] = field(default_factory=list)

    def pieces(self) -> dict[str, bytes]:
        """The pieces by name, encoded. Raises TemplateError at ``file:line``."""
        printer = SlotPrinter(self._mint)
        document = self.campaign.added(self._filled(self._frame(printer), printer), self.suffix)
        slot_token = self._token("s")
        if self.suffix == "html":
            stylesheets.check_printed(document, self._edition)
            slots.check_document(document, slot_token, printer.printed())
            if self.templates.inlines:
                document = inline(document, where=self._edition)
            _require_doctype(document, self._edition)
        slots.check_complete(document, slot_token, printer.printed())
        return {name: pack(chunks) for name, chunks in self._cut(document, printer)}

    @property
    def _edition(self) -> str:
        return f"{self.design}/{self.file}.{self.suffix}"

    def _frame(self, printer: SlotPrinter) -> str:
        """The frame, with a mark at each of its places."""

        def place(name: str, at: str = "") -> str:
            known = (*STORY_PLACES, *BLOCK_PLACES)
            if name in known and name in self.places:
                raise TemplateError(f"place('{name}') stands twice", remedy="It is placed once; remove one")
            if name not in (*known, *self.texts):
                raise TemplateError(
                    f"there is no place '{name}'", remedy=f"The places are {', '.join((*known, *sorted(self.texts)))}"
                )
            self.places.append(name)
            self.placed_at.append(at)
            number = len(self.places) - 1
            if name in self.texts:
                return self._mint("t", number)
            mark = self._mark("p", number)
            return Markup(mark) if self.suffix == "html" else mark  # noqa: S704 - nothing but a comment

        template = self.templates.file(self.design, f"{self.file}.{self.suffix}")
        frame = render(template, {**self.shared, "slot": printer, "place": place})
        if self.needs not in self.places:
            raise TemplateError(
                "the design never places its " + ("stories" if self.needs == SECTIONS else self.needs),
                where=self._edition,
                remedy=f"Write {{{{ place('{self.needs}') }}}} where "
                + ("they go" if self.needs == SECTIONS else "it goes"),
            )
        self._check_places(frame)
        return frame

    def _check_places(self, frame: str) -> None:
        """Refuse a frame in which a place was changed, doubled or lost, or stands where nothing can be put."""
        for number, name in enumerate(self.places):
            is_text, at, what = name in self.texts, self.placed_at[number] or self._edition, f"place('{name}')"
            token = self._mint("t" if is_text else "p", number)
            printed = token if is_text else self._mark("p", number)
            if frame.count(token) != 1 or printed not in frame:
                raise TemplateError(
                    f"what {what} printed was changed before it came out",
                    where=at,
                    remedy=f"Print it alone, as in {{{{ {what} }}}}",
                )
            if self.suffix == "html":
                kind = Printed.TEXT if is_text else Printed.ELEMENTS
                refuse_context(
                    what, kind, frame.partition(printed)[0], at, urls="story.url or a slot", in_title=is_text
                )

    def _filled(self, frame: str, printer: SlotPrinter) -> str:
        """The frame with every piece in its place."""
        context = {**self.shared, "slot": printer}
        note_at = next(name for name in (NOTE, LEAD, SECTIONS) if name in self.places)
        related_at = next((name for name in (RELATED, SECTIONS) if name in self.places), "")
        for number, name in enumerate(tuple(self.places)):  # stories print places of their own
            if name in self.texts:
                continue
            filled: list[str] = []
            if name == note_at and self.blocks.note is not None:
                filled.append(self._piece(NOTE, NOTE, context))
            if name == LEAD:
                filled += self._leads(context)
            elif name == SECTIONS:
                filled += self._sections(context)
            if name == related_at and self.blocks.related:
                filled.append(self._piece(RELATED, RELATED, context))
            mark = self._mark("p", number)
            frame = frame.replace(mark, mark + "".join(filled) + self._mark("q", number))
        return frame

    def _leads(self, context: Mapping[str, Any]) -> Iterator[str]:
        for section, story, taken in self.pool.placed():
            if Role.LEAD in taken:
                yield self._story(story, Role.LEAD, section, context)

    def _sections(self, context: Mapping[str, Any]) -> Iterator[str]:
        if self.says_nothing:
            yield self._piece(NOTHING, NOTHING, context)
        for number, promotion in enumerate(self.blocks.promotions):
            yield self._piece(f"{PROMOTION}/{number}", PROMOTION, {**context, "promotion": promotion})
        for number, section in enumerate(self.pool.sections):
            named = {**context, "section": SectionView(section.name)}
            if section.missed:
                yield self._piece(MISSED, MISSED, {**context, "section": SectionView(self.blocks.missed_title)})
            elif not section.leads:
                yield self._piece(f"section/{number}", "section", named)
        for section, story, taken in self.pool.placed():
            for role in taken:
                if role is not Role.LEAD:
                    yield self._story(story, role, section, context)
        if self.blocks.trimmed:
            yield self._piece(MORE, MORE, context)

    def _story(self, story: Story, role: Role, section: PoolSection, context: Mapping[str, Any]) -> str:
        name = section.name or section.home or story.section or self.shared["newsletter"].title
        if section.missed:
            name = self.blocks.missed_title
        seen = {"story": story, "section": SectionView(name), "role": role, "place": self._place_in_a_story}
        return self._piece(f"{story.id}/{role}", role, {**context, **seen})

    def _place_in_a_story(self, name: str, at: str = "") -> str:
        """The mark where joining writes which story of the reader's mail this one is: printed, never branched on."""
        if name != NUMBER:
            raise TemplateError(
                f"place('{name}') stands in a story",
                where=at,
                remedy=f"A story has place('{NUMBER}'); the others stand in the design's edition file",
            )
        self.places.append(name)
        return self._mint("t", len(self.places) - 1)

    def _piece(self, part: str, template: str, context: Mapping[str, Any]) -> str:
        found = self.templates.file(self.design, f"{template}.{self.suffix}")
        self.names.append(part)
        self.files.append(found.name or template)
        number = len(self.names) - 1
        return self._mark("b", number) + render(found, context) + self._mark("e", number)

    def _cut(self, document: str, printer: SlotPrinter) -> Iterator[tuple[str, list[Chunk]]]:
        """The named pieces of the rendered document: the text between their markers, or outside all for the frame."""
        frame: list[Chunk] = []
        piece: list[Chunk] = []
        current = frame
        skipping = False
        end = 0
        for match in self._token("[pqbets]", markers=True).finditer(document):
            text = document[end : match.start()]
            kind, number = match["kind"], int(match["number"])
            end = match.end()
            if not (skipping and current is frame) and text:
                current.append(text)
            if kind == "p":
                frame.append(Place(self.places[number]))
                skipping = True
            elif kind == "q":
                skipping = False
                if self.suffix == "txt" and document[end : end + 1] == "\n":
                    end += 1  # the line that held only {{ place(…) }}
            elif kind == "b":
                current = piece = []
            elif kind == "e":
                if self.suffix == "html":
                    require_whole("".join(part for part in piece if isinstance(part, str)), self.files[number])
                yield piece_name(self.suffix, self.names[number]), _trimmed(piece, self.suffix)
                current = frame
            elif kind == "t":
                current.append(Place(self.places[number]))
            else:
                current.append(printer.printed()[number][0])
        frame.append(document[end:].rstrip() + "\n")
        yield piece_name(self.suffix, "frame"), frame

    def _mint(self, kind: str, number: int) -> str:
        return f"x{self.nonce}{kind}{number}x"

    def _mark(self, kind: str, number: int) -> str:
        token = self._mint(kind, number)
        return f"<!--{token}-->" if self.suffix == "html" else token

    def _token(self, kind: str, *, markers: bool = False) -> re.Pattern[str]:
        if markers:
            return re.compile(f"(?:<!--)?x{self.nonce}(?P<kind>{kind})(?P<number>[0-9]+)x(?:-->)?")
        return re.compile(f"x{self.nonce}{kind}([0-9]+)x")


def _trimmed(piece: list[Chunk], suffix: str) -> list[Chunk]:
    """A piece of the text part ends with one empty line, whatever white space its template ends with."""
    if suffix == "html" or not piece:
        return piece
    if isinstance(piece[0], str):
        piece[0] = piece[0].lstrip("\n")
    if isinstance(piece[-1], str):
        piece[-1] = piece[-1].rstrip() + "\n\n"
    else:
        piece.append("\n\n")
    return piece


def _require_doctype(document: str, where: str) -> None:
    if not document.startswith("<!DOCTYPE html"):
        raise TemplateError(
            "the document lost its doctype, or has none",
            where=where,
            remedy="Begin it with <!DOCTYPE html>, in capitals: premailer deletes a lower-case one",
        )
