"""What an edition holds, how editors changed it, and the facts that its messages are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

from newsletter.model.names import EditionName, Occurrence, Stream
from newsletter.model.states import Reason


class Role(StrEnum):
    """How a story stands in an edition."""

    LEAD = "lead"
    CARD = "card"
    BRIEF = "brief"


@dataclass(frozen=True, slots=True)
class EditionSection:
    """A section of an edition's pool: its article ids, in the order they stand. ``missed``: it is what had no place
    elsewhere.

    One without a name that is not missed holds the one story that leads for every reader; ``home`` is the section that
    it comes from. ``trimmed`` is how many of its stories gave way to the newsletter's size budget.
    """

    name: str
    article_ids: tuple[int, ...]
    missed: bool = False
    home: str = ""
    trimmed: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the story that leads for every reader."""
        return not self.name and not self.missed

    @property
    def reason(self) -> Reason:
        """Why a story that stands here is in the edition."""
        if self.missed:
            return Reason.OFFERED_AS_MISSED
        return Reason.CHOSEN if self.name else Reason.LEADS

    @property
    def label(self) -> str:
        """What it is called among editors; in the mail, only a name is a heading."""
        return "you may have missed" if self.missed else self.name or "lead"


@dataclass(frozen=True, slots=True)
class Decision:
    """Why one candidate is, or is not, in an edition. ``position`` counts from 1 where it stands, 0 outside; of what
    leads, or is offered as missed, ``section`` is the one that it comes from.

    ``detail`` says more in words: the factors of its rank, which story it doubles, who pinned it.
    """

    article_id: int
    reason: Reason
    section: str = ""
    position: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """An article that an editor put into an occurrence: at ``position`` (from 1) of ``section`` ('': its own).

    ``leads``: it leads for every reader, and ``section`` is the one that it comes from. ``by`` is the editor; the same
    pin by another one is the same pin.
    """

    article_id: int
    section: str = ""
    position: int = 1
    leads: bool = False
    by: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Edits:
    """What editors changed of one occurrence: a layer over what each of its cohorts is composed of.

    ``order`` names articles of a section in the order wanted, before the others; ``headlines`` are for this mail only;
    ``subject``, ``preheader`` and ``note`` (Markdown) stand in place of the newsletter's own, None: not changed.
    """

    dropped: tuple[int, ...] = ()
    pinned: tuple[Pin, ...] = ()
    order: tuple[EditionSection, ...] = ()
    headlines: tuple[tuple[int, str], ...] = ()
    subject: str | None = None
    preheader: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """What one cohort gets in one occurrence: its pool, by section. ``due_at`` is UTC."""

    newsletter: str
    stream: Stream
    occurrence: Occurrence
    cohort: str
    due_at: datetime
    sections: tuple[EditionSection, ...]
    revision: int = 1
    edits: Edits = field(default_factory=Edits)

    @property
    def name(self) -> EditionName:
        return EditionName(self.newsletter, self.occurrence, self.cohort, self.stream)

    @property
    def article_ids(self) -> tuple[int, ...]:
        """Every article of the pool, in section order."""
        return tuple(article for section in self.sections for article in section.article_ids)


@dataclass(frozen=True, slots=True, order=True)
class RenderedKey:
    """The rendered facts: all that a template may branch on. One document is rendered per distinct value."""

    language: str
    plan: str

    def __str__(self) -> str:
        return f"{self.language}/{self.plan}"

    @classmethod
    def parse(cls, text: str) -> Self:
        language, _, plan = text.partition("/")
        return cls(language, plan)


@dataclass(frozen=True, slots=True, order=True)
class JoinedKey:
    """The joined facts: they only choose and order pieces. ``sections`` empty means the newsletter's own; ``targets``
    are those of the edition's promotions that the reader is in, by their digests; ``had`` are the ids of stories that
    she had in another newsletter that day and gets no more."""

    sections: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    had: tuple[int, ...] = ()
