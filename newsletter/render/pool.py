"""What a document is made of: the pool's sections, the roles their stories may take, and the names of its pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from newsletter.config.models import Newsletter
from newsletter.model import Edition, Role
from newsletter.render.facts import Story

MANIFEST = "manifest"
NOTHING = "nothing"
MISSED = "missed"
MORE = "more"
PROMOTION = "promotion"
# Places of a frame. Stories stand in the first two; the other two are put where the frame does not place them.
LEAD = "lead"
SECTIONS = "sections"
NOTE = "note"
RELATED = "related"
STORY_PLACES = (LEAD, SECTIONS)
BLOCK_PLACES = (NOTE, RELATED)
# In a story: which of the reader's stories it is, written as her mail is joined.
NUMBER = "number"
# Small texts that read joined facts.
PREHEADER = "preheader"
SUBJECT = "subject"


@dataclass(frozen=True, slots=True)
class PoolSection:
    """A section of the pool with its stories, each standing in one section only; ``cards`` of them are cards.

    ``missed``: what had no place elsewhere, all briefs. ``leads``: not a section, but the one story that leads every
    reader's mail, whatever her sections; ``home`` is the section it comes from.
    """

    name: str
    cards: int
    stories: tuple[Story, ...]
    missed: bool = False
    leads: bool = False
    home: str = ""


@dataclass(frozen=True, slots=True)
class Pool:
    """The sections in order. ``lead`` says which story leads a mail: ``edition`` (the one in front of all sections),
    ``first`` (of the reader's first section) or ``none``. ``gaps``: some readers get it without some of its stories, so
    that any may stand in any place."""

    sections: tuple[PoolSection, ...]
    lead: str
    gaps: bool = False

    def placed(self) -> Iterator[tuple[PoolSection, Story, tuple[Role, ...]]]:
        """Every story with every role that it may take for some reader."""
        for section in self.sections:
            for position, story in enumerate(section.stories):
                if section.leads:  # as a card where a frame has no place for a lead
                    yield section, story, (Role.CARD,) if self.lead == "none" else (Role.LEAD, Role.CARD)
                elif section.missed:
                    yield section, story, (Role.BRIEF,)
                elif self.gaps:
                    yield section, story, _ANYWHERE[self.lead == "none" :]
                else:
                    # A frame without a place for a lead leaves the first story where it stands.
                    yield section, story, roles(position, section.cards, leads=self.lead == "first")


_ANYWHERE = (Role.LEAD, Role.CARD, Role.BRIEF)


def roles(position: int, cards: int, *, leads: bool = True) -> tuple[Role, ...]:
    """Every role that the story at ``position`` of its section may take for some reader.

    Where a section's first story ``leads`` for some, the one after it stands one place further up for them.
    """
    if not leads:
        return (Role.CARD,) if position < cards else (Role.BRIEF,)
    taken = [Role.LEAD] if position == 0 else []
    if max(position - 1, 0) < cards:
        taken.append(Role.CARD)
    if position >= cards:
        taken.append(Role.BRIEF)
    return tuple(taken)


def pool_of(edition: Edition, stories: Mapping[int, Story], newsletter: Newsletter) -> Pool:
    """The pool of an edition; a section without a name, in front, is its lead for every reader."""
    cards = {section.name: section.cards for section in newsletter.sections}
    taken: set[int] = set()
    sections = []
    for number, section in enumerate(edition.sections):
        mine = [article for article in dict.fromkeys(section.article_ids) if article not in taken]
        leads = number == 0 and not section.name and not section.missed and len(mine) == 1
        taken.update(mine)
        sections.append(
            PoolSection(
                section.name,
                0 if section.missed else cards.get(section.name, 2),
                tuple(stories[article] for article in mine),
                missed=section.missed,
                leads=leads,
                home=section.home,
            )
        )
    if newsletter.lead == "none":
        lead = "none"
    else:
        lead = "edition" if any(section.leads for section in sections) else "first"
    # Who moves from one hour to another had some of its stories before.
    gaps = newsletter.unless_sent is not None or newsletter.schedule.by_reader
    return Pool(tuple(sections), lead, gaps=gaps)


def piece_name(suffix: str, part: str) -> str:
    """``html/frame``, ``html/7/card``, ``txt/section/0`` …"""
    return f"{suffix}/{part}"
