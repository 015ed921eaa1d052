"""A mail made the ordinary way: a design's own templates, rendered for one reader's sections as one whole document.

What a system without pieces does for each subscriber, and so what joined pieces must equal (tests/judges) and what they
are measured against (benchmarks.render).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any
from unittest import mock

from jinja2 import Template
from markupsafe import Markup

from newsletter.model import Role
from newsletter.render import document
from newsletter.render.facts import SectionView, Story
from newsletter.render.pool import (
    LEAD,
    MANIFEST,
    MISSED,
    MORE,
    NOTE,
    PROMOTION,
    RELATED,
    SECTIONS,
    SUBJECT,
    PoolSection,
)
from newsletter.render.templates import compile_text
from newsletter.render.translating import TRANSLATIONS
from newsletter.render.whole import Whole

# No network, no attributes that Outlook needs overwritten, kept styles kept; all else is premailer's own.
_PREMAILER: Mapping[str, Any] = {
    "strip_important": False,
    "disable_validation": True,
    "allow_network": False,
    "allow_loading_external_files": False,
    "align_floating_images": False,
    "disable_basic_attributes": ["width", "height", "align", "valign", "bgcolor"],
    "disable_link_rewrites": True,
}


class Values:
    """The ``slot`` of ordinary templates: prints a reader's own values at once."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Callable[..., str]:
        return lambda default="", at="", newsletter="": (
            self._values.get(f"{name}/{newsletter}" if newsletter else name) or default
        )


@dataclass
class Ordinary:
    """The templates of one edition and rendered key with what they are given, all ready; a mail is then one render."""

    pieces: Mapping[str, bytes]
    kinds: Mapping[str, Whole]
    texts: Mapping[str, Sequence[str]]
    _loaded: dict[str, Template] = field(default_factory=dict)

    def html(self, sections: Sequence[str], values: Mapping[str, str]) -> str:
        """The HTML for a reader of ``sections``, in that order, its styles inlined in one go."""
        from premailer import Premailer  # after newsletter.render, which sets the size of its cache

        html = self._render("html", sections, values)
        return str(Premailer(html, **_PREMAILER).transform(pretty_print=False))

    def text(self, sections: Sequence[str], values: Mapping[str, str]) -> str:
        """The plain text."""
        return self._render("txt", sections, values)

    def subject(self, sections: Sequence[str], values: Mapping[str, str]) -> str:
        return self._small(SUBJECT, self._chosen(sections), {**self.kinds["txt"].shared, "slot": Values(values)})

    def _render(self, suffix: str, sections: Sequence[str], values: Mapping[str, str]) -> str:
        kind, chosen = self.kinds[suffix], self._chosen(sections)
        context = {**kind.shared, "slot": Values(values)}
        context["numbers"] = count(1)
        marked = Markup if suffix == "html" else str
        note_at = next(name for name in (NOTE, LEAD, SECTIONS) if name in kind.places)
        related_at = next(name for name in (RELATED, SECTIONS) if name in kind.places)

        def block(name: str, there: object) -> str:
            return self._template(suffix, name).render(context) if there else ""

        def place(name: str, at: str = "") -> str:
            if name in self.texts:
                return self._small(name, chosen, context)
            stands = block(NOTE, kind.blocks.note) if name == note_at else ""
            if name == LEAD and self._leads(suffix):
                stands += self._story(suffix, self._lead(chosen), Role.LEAD, self._leading or chosen[0], context)
            elif name == SECTIONS:
                stands += self._body(suffix, chosen, context) + block(MORE, kind.blocks.trimmed)
            return marked(stands + (block(RELATED, kind.blocks.related) if name == related_at else ""))

        return self._template(suffix, "edition").render({**context, "place": place})

    def _body(self, suffix: str, chosen: Sequence[PoolSection], context: Mapping[str, Any]) -> str:
        """All but the lead: her sections, what an advertiser put between them, what was missed."""
        blocks, lead = self.kinds[suffix].blocks, self._lead(chosen)
        body = []
        if self._leading is not None and not self._leads(suffix):
            body.append(self._story(suffix, lead, Role.CARD, self._leading, context))
        for number in range(len(chosen) + 1):
            section = chosen[number - 1] if number else None
            if section is not None:
                body.append(self._section(suffix, section, lead, context))
            for promotion in blocks.promotions:
                if isinstance(promotion.after, int):
                    follows = number == min(promotion.after, len(chosen))
                else:
                    follows = section is not None and section.name.casefold() == promotion.after.casefold()
                if follows:
                    body.append(self._template(suffix, PROMOTION).render({**context, "promotion": promotion}))
        for section in self._missed:
            body.append(self._template(suffix, MISSED).render({**context, "section": SectionView(blocks.missed_title)}))
            body += [self._story(suffix, story, Role.BRIEF, section, context) for story in section.stories]
        return "".join(body)

    def _section(self, suffix: str, section: PoolSection, lead: Story, context: Mapping[str, Any]) -> str:
        left = [story for story in section.stories if not (self._leads(suffix) and story is lead)]
        if not left:
            return ""
        render = partial(self._story, suffix, section=section, context=context)
        cards = [render(story, Role.CARD) for story in left[: section.cards]]
        briefs = [render(story, Role.BRIEF) for story in left[section.cards :]]
        return "".join(
            [
                self._template(suffix, "section").render({**context, "section": SectionView(section.name)}),
                *cards,
                *briefs,
            ]
        )

    def _story(self, suffix: str, story: Story, role: Role, section: PoolSection, context: Mapping[str, Any]) -> str:
        number = context[TRANSLATIONS].number(next(context["numbers"]))
        blocks, newsletter = self.kinds[suffix].blocks, context["newsletter"]
        name = section.name or section.home or story.section or newsletter.title
        named = SectionView(blocks.missed_title if section.missed else name)
        seen = {"story": story, "section": named, "role": role, "place": lambda name, at="": number}
        return self._template(suffix, role).render({**context, **seen})

    def _small(self, name: str, chosen: Sequence[PoolSection], context: Mapping[str, Any]) -> str:
        source, where = self.texts[name]
        lead = self._lead(chosen)
        listed = [story for section in (*chosen, *self._missed) for story in section.stories]
        stories = [lead, *(story for story in listed if story is not lead)]
        read = {
            "lead": lead,
            "articles": stories,
            "story_count": len(stories),
            "reading_minutes": max(1, -(-sum(story.words for story in stories) // 230)),
        }
        rendered = compile_text(source, where).render({**context, **read})
        return " ".join(rendered.split())

    def _chosen(self, sections: Sequence[str]) -> list[PoolSection]:
        by_name = {section.name: section for section in self._pool if not (section.leads or section.missed)}
        return [by_name[name] for name in sections if by_name[name].stories]

    def _leads(self, suffix: str) -> bool:
        """Whether a story stands above the sections."""
        return LEAD in self.kinds[suffix].places and self.kinds[suffix].pool.lead != "none"

    def _lead(self, chosen: Sequence[PoolSection]) -> Story:
        return (self._leading or chosen[0]).stories[0]

    @property
    def _pool(self) -> Sequence[PoolSection]:
        return self.kinds["html"].pool.sections

    @property
    def _leading(self) -> PoolSection | None:
        return next((section for section in self._pool if section.leads), None)

    @property
    def _missed(self) -> Sequence[PoolSection]:
        return [section for section in self._pool if section.missed]

    def _template(self, suffix: str, name: str) -> Template:
        file = f"{name}.{suffix}"
        if file not in self._loaded:
            self._loaded[file] = self.kinds[suffix].templates.file(self.kinds[suffix].design, file)
        return self._loaded[file]


def ordinary(make_pieces: Callable[[], Mapping[str, bytes]]) -> Ordinary:
    """What the templates of an edition are given, noted while its pieces are made."""
    kinds: dict[str, Whole] = {}

    class Noted(Whole):
        def pieces(self) -> dict[str, bytes]:
            kinds[self.suffix] = self
            return super().pieces()

    with mock.patch.object(document, "Whole", Noted):
        pieces = make_pieces()
    return Ordinary(pieces, kinds, json.loads(pieces[MANIFEST])["texts"])
