"""One whole document per rendered key, cut into pieces.

An edition's pool, rendered with every story in every role it may take, goes through Jinja2 and premailer once; markers
in it say where each piece begins and ends. Pieces are encoded, and ``joining`` needs nothing else: the ``manifest``
piece tells it what the pool holds and carries the small texts (subject, preheader, summary) that read the joined facts.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from newsletter.config.models import Images, Newsletter, Site
from newsletter.errors import TemplateError
from newsletter.model import Access, Article, Edition, Picture, RenderedKey, Role
from newsletter.render import facts, slots
from newsletter.render.encoding import Chunk, Place, pack
from newsletter.render.facts import Story
from newsletter.render.inlining import inline
from newsletter.render.slots import SlotPrinter
from newsletter.render.templates import Templates, compile_text, messages_of, render
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.words import Words, direction_of, locale_of

MANIFEST = "manifest"
LEAD = "lead"
SECTIONS = "sections"
PREHEADER = "preheader"
SUBJECT = "subject"
NOTHING = "nothing"
_TEXT_PLACES = ("summary", "contents")


def render_pieces(
    edition: Edition,
    articles: Mapping[int, Article],
    newsletter: Newsletter,
    newsletter_name: str,
    site: Site,
    plans: Mapping[str, list[Access]],
    key: RenderedKey,
    web_base: str,
    templates: Templates,
    *,
    logo: Picture | None = None,
    images: Mapping[str, Images] | None = None,
) -> dict[str, bytes]:
    """The pieces of ``edition`` for one rendered key, by name; equal input gives equal bytes.

    Takes 50 to 500 ms: call it off the event loop. ``articles`` holds at least those of the edition; ``logo`` is our
    own copy of the theme's, as under ``media/``; ``images`` is what each source says of pictures, by its name. Raises
    TemplateError at ``file:line``.
    """
    web_base = web_base.rstrip("/")
    own_language = newsletter.language or site.language
    language = key.language or own_language
    reads = plans.get(key.plan, [Access.FREE])
    stories = {
        article: facts.story_view(
            articles[article],
            language=language,
            own_language=own_language,
            reads=reads,
            web_base=web_base,
            fallback_url=str(site.url),
            images=(images or {}).get(articles[article].source),
        )
        for article in edition.article_ids
    }
    pool = _pool(edition, stories, {section.name: section.cards for section in newsletter.sections})
    words = templates.words(language)
    shared: dict[str, Any] = {
        "edition": facts.edition_view(edition),
        "newsletter": facts.newsletter_view(newsletter_name, newsletter),
        "site": facts.site_view(site, facts.picture_view(logo, web_base) if logo else None),
        "key": facts.KeyView(language, key.plan),
        TRANSLATIONS: words,
        "locale": locale_of(language),
        "zone": ZoneInfo(newsletter.schedule.timezone or site.timezone),
        "direction": direction_of(language),
    }
    design = newsletter.design
    templates.check(design)
    texts = _text_sources(templates, design, newsletter, newsletter_name)
    written = [*_strings(asdict(story) for story in stories.values()), *_strings([asdict(shared["site"])])]
    pieces: dict[str, bytes] = {}
    for suffix in ("html", "txt"):
        says_nothing = newsletter.when_empty == "send"
        whole = _Whole(templates, design, suffix, pool, shared, frozenset(texts), _unused_nonce(written), says_nothing)
        pieces |= whole.pieces()
    pieces[MANIFEST] = _manifest(edition, pool, shared, words, texts, says_nothing=newsletter.when_empty == "send")
    return pieces


def check_newsletter(templates: Templates, newsletter_name: str, newsletter: Newsletter) -> None:
    """Refuse a newsletter whose design, subject or preheader cannot be used. Raises TemplateError at ``file:line``."""
    templates.check(newsletter.design)
    _text_sources(templates, newsletter.design, newsletter, newsletter_name)


@dataclass(frozen=True, slots=True)
class PoolSection:
    """A section of the pool with its stories, each standing in one section only; ``cards`` of them are cards."""

    name: str
    cards: int
    stories: tuple[Story, ...]


def roles(position: int, cards: int) -> tuple[Role, ...]:
    """Every role that the story at ``position`` of its section may take for some reader.

    It leads where it is a section's first; where the one before it leads, it stands one place further up.
    """
    taken = [Role.LEAD] if position == 0 else []
    if max(position - 1, 0) < cards:
        taken.append(Role.CARD)
    if position >= cards:
        taken.append(Role.BRIEF)
    return tuple(taken)


def piece_name(suffix: str, part: str) -> str:
    """``html/frame``, ``html/7/card``, ``txt/section/0`` …"""
    return f"{suffix}/{part}"


@dataclass
class _Whole:
    """One document of one kind (``html`` or ``txt``): renders it with markers, then cuts it."""

    templates: Templates
    design: str
    suffix: str
    pool: Sequence[PoolSection]
    shared: Mapping[str, Any]
    texts: frozenset[str]
    nonce: str
    says_nothing: bool = False
    names: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def pieces(self) -> dict[str, bytes]:
        document, printer = self._render()
        slot_token = self._token("s")
        if self.suffix == "html":
            slots.check_document(document, slot_token, printer.printed())
            if self.templates.inlines:
                document = inline(document, where=f"{self.design}/edition.html")
            _require_doctype(document, f"{self.design}/edition.html")
        slots.check_complete(document, slot_token, printer.printed())
        return {name: pack(chunks) for name, chunks in self._cut(document, printer)}

    def _render(self) -> tuple[str, SlotPrinter]:
        printer = SlotPrinter(self._mint)
        context = {**self.shared, "slot": printer}

        def place(name: str) -> str:
            if name in (LEAD, SECTIONS) and name in self.places:
                raise TemplateError(
                    f"place('{name}') stands twice",
                    remedy="Stories are placed once; remove one",
                )
            if name not in (LEAD, SECTIONS, *self.texts):
                raise TemplateError(
                    f"there is no place '{name}'",
                    remedy=f"The places are {', '.join((LEAD, SECTIONS, *sorted(self.texts)))}",
                )
            self.places.append(name)
            number = len(self.places) - 1
            if name in self.texts:
                return self._mint("t", number)
            filled = self._lead(context) if name == LEAD else self._sections(context)
            marked = self._mark("p", number) + "".join(filled) + self._mark("q", number)
            return Markup(marked) if self.suffix == "html" else marked  # noqa: S704 - templates' own output

        document = render(self.templates.file(self.design, f"edition.{self.suffix}"), {**context, "place": place})
        if SECTIONS not in self.places:
            raise TemplateError(
                "the design never places its stories",
                where=f"{self.design}/edition.{self.suffix}",
                remedy="Write {{ place('sections') }} where they go",
            )
        return document, printer

    def _lead(self, context: Mapping[str, Any]) -> Iterator[str]:
        for section in self.pool:
            for position, story in enumerate(section.stories):
                if Role.LEAD in roles(position, section.cards):
                    yield self._story(story, Role.LEAD, section, context)

    def _sections(self, context: Mapping[str, Any]) -> Iterator[str]:
        if self.says_nothing:
            yield self._piece(NOTHING, NOTHING, context)
        for number, section in enumerate(self.pool):
            yield self._piece(f"section/{number}", "section", {**context, "section": section})
            for position, story in enumerate(section.stories):
                for role in roles(position, section.cards):
                    if role is not Role.LEAD:
                        yield self._story(story, role, section, context)

    def _story(self, story: Story, role: Role, section: PoolSection, context: Mapping[str, Any]) -> str:
        return self._piece(f"{story.id}/{role}", role, {**context, "story": story, "section": section, "role": role})

    def _piece(self, part: str, template: str, context: Mapping[str, Any]) -> str:
        self.names.append(part)
        number = len(self.names) - 1
        body = render(self.templates.file(self.design, f"{template}.{self.suffix}"), context)
        return self._mark("b", number) + body + self._mark("e", number)

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


def _pool(edition: Edition, stories: Mapping[int, Story], cards: Mapping[str, int]) -> tuple[PoolSection, ...]:
    taken: set[int] = set()
    pool = []
    for section in edition.sections:
        mine = [article for article in dict.fromkeys(section.article_ids) if article not in taken]
        taken.update(mine)
        pool.append(PoolSection(section.name, cards.get(section.name, 2), tuple(stories[i] for i in mine)))
    return tuple(pool)


def _text_sources(templates: Templates, design: str, newsletter: Newsletter, name: str) -> dict[str, tuple[str, str]]:
    """The small texts that read joined facts, by place: source and where it stands. Each is compiled once, to check."""
    sources = {
        SUBJECT: (newsletter.subject, f"newsletters.{name}.subject"),
        PREHEADER: (newsletter.preheader, f"newsletters.{name}.preheader"),
    }
    for place in _TEXT_PLACES:
        if templates.has(design, f"{place}.txt"):
            sources[place] = templates.source(design, f"{place}.txt")
    for source, where in sources.values():
        compile_text(source, where)
    return sources


def _manifest(
    edition: Edition,
    pool: Sequence[PoolSection],
    shared: Mapping[str, Any],
    words: Words,
    texts: Mapping[str, tuple[str, str]],
    *,
    says_nothing: bool,
) -> bytes:
    manifest = {
        "edition": asdict(shared["edition"]) | {"date": edition.occurrence.local_date.isoformat()},
        "newsletter": asdict(shared["newsletter"]),
        "site": asdict(shared["site"]),
        "key": asdict(shared["key"]),
        "zone": shared["zone"].key,
        "words": words.only(key for source, _ in texts.values() for key in messages_of(source)).as_json(),
        "says_nothing": says_nothing,
        "texts": {name: list(source) for name, source in texts.items()},
        "sections": [
            {"name": section.name, "cards": section.cards, "stories": [story.as_json() for story in section.stories]}
            for section in pool
        ],
    }
    return json.dumps(manifest, ensure_ascii=False, sort_keys=True).encode("utf-8")


def _unused_nonce(texts: Sequence[str], new: Callable[[], str] = lambda: secrets.token_hex(12)) -> str:
    """A nonce that nothing we print contains, so that no article can forge a marker."""
    while True:
        nonce = new()
        if not any(nonce in text for text in texts):
            return nonce


def _strings(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield values
    elif isinstance(values, Mapping):
        yield from _strings(values.values())
    elif hasattr(values, "__iter__"):
        for value in values:
            yield from _strings(value)


def _require_doctype(document: str, where: str) -> None:
    if not document.startswith("<!DOCTYPE html"):
        raise TemplateError(
            "the document lost its doctype, or has none",
            where=where,
            remedy="Begin it with <!DOCTYPE html>, in capitals: premailer deletes a lower-case one",
        )
