"""Deals the places of one edition to the stories of its sections, in rounds. Pure but for the table itself.

Each section's first story, in the newsletter's order, then each one's second, and so on: so no section takes a further
story while another, listed before or after it, still waits with one of a better rank.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.compose.ranking import Rank
from newsletter.config.models import Newsletter, Section


@dataclass(slots=True)
class Table:
    """The places taken so far, by section, of ``articles.max`` in all; ``outside``: one by the story that leads."""

    newsletter: Newsletter
    outside: int = 0
    taken: dict[str, list[Rank]] = field(default_factory=dict)
    from_fallback: dict[int, str] = field(default_factory=dict)
    """Of the stories taken from the fallback, why, in words."""

    @property
    def number(self) -> int:
        return self.outside + sum(map(len, self.taken.values()))

    @property
    def ids(self) -> list[int]:
        """Every story that has a place."""
        return [one.article.id for listed in self.taken.values() for one in listed]

    def deal(self, own: Mapping[str, Sequence[Rank]], fallback: Sequence[Rank]) -> None:
        """Deal the sections' ``own`` stories and what they need of the ``fallback``, both best first.

        Before all others come those that a section needs for its ``min``; last, as long as there are fewer than
        ``articles.min`` in all, what else the fallback has.
        """
        rules = self.newsletter.articles
        queues = {name: list(listed) for name, listed in own.items()}
        spare = list(fallback)

        def short(section: Section) -> Rank | None:
            if queue := queues[section.name]:
                return queue.pop(0)
            if not spare:
                return None
            has = len(self.taken.get(section.name, ()))
            self.from_fallback[spare[0].article.id] = f"{section.name} had {has} of its min of {section.min}"
            return spare.pop(0)

        def more(section: Section) -> Rank | None:
            return queues[section.name].pop(0) if queues[section.name] else None

        def rest(_section: Section) -> Rank | None:
            if spare:
                self.from_fallback[spare[0].article.id] = f"the edition had {self.number} of its min of {rules.min}"
            return spare.pop(0) if spare else None

        self._rounds(short, lambda section: section.min, rules.max)
        self._rounds(more, lambda section: section.max, rules.max)
        self._rounds(rest, lambda section: section.max, rules.min)

    def deal_spare(self, fallback: Sequence[Rank]) -> None:
        """Deal further stories of the fallback, best first, where sections or the edition are still below their min."""
        self.deal({section.name: () for section in self.newsletter.sections}, fallback)

    def seat(self, name: str, one: Rank) -> bool:
        """Give one more story a place in its section if there is one left."""
        if self.full(name):
            return False
        self.taken.setdefault(name, []).append(one)
        return True

    def full(self, name: str) -> str:
        """Why a further story has no place in a section, in words; '' where it has one."""
        if self.number >= self.newsletter.articles.max:
            return f"the edition is full (articles.max {self.newsletter.articles.max})"
        most = next(section.max for section in self.newsletter.sections if section.name == name)
        return f"{name} is full (max {most})" if len(self.taken.get(name, ())) >= most else ""

    def _rounds(self, take: Callable[[Section], Rank | None], upto: Callable[[Section], int], most: int) -> None:
        for place in range(1, max(upto(section) for section in self.newsletter.sections) + 1):
            for section in self.newsletter.sections:
                if self.number >= most:
                    return
                if len(self.taken.get(section.name, ())) < place <= upto(section):
                    one = take(section)
                    if one is not None:
                        self.taken.setdefault(section.name, []).append(one)
