"""How the stories of an edition rank, as a product of few factors, each told to an editor. Pure.

    rank = recency x weight of its source x weight of its own section x what variety leaves of it

Recency halves with each ``half_life`` since a story was published; a weight is 1 unless ``ranking`` names it; variety
takes its share for every better story of the same source in the section. Rank decides which stories have a place and,
with ``order: rank``, how they stand; an editor's pin stands above it (``edits``).

Factors are added up as powers of two: a product would be 0 for each story older than a thousand half-lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from math import log2

from newsletter.config.layout import Ranking
from newsletter.config.values import duration_text
from newsletter.model import Article

Order = tuple[float, float, datetime, datetime, int]


@dataclass(frozen=True, slots=True)
class Rank:
    """How one story ranks. ``before`` is how many better ones of its source the section has; ``power`` is the whole
    rank as a power of two."""

    article: Article
    age: timedelta
    recency: float
    source: float
    section: float
    before: int = 0
    variety: float = 1.0
    own: float = 0.0

    @property
    def power(self) -> float:
        return self.own + (log2(self.variety) if self.variety > 0 else float("-inf"))

    @property
    def order(self) -> Order:
        """The greater comes first: by rank, then without regard to variety, then the newest, then the highest id."""
        return (self.power, self.own, self.article.published_at, self.article.first_seen_at, self.article.id)

    @property
    def words(self) -> str:
        """``rank 0.65: 6h old 0.71, source front x1.2, section World x0.8, 1 better of front x0.9``."""
        factors = [f"{_age(self.age)} old {_number(2**self.recency)}"]
        if self.source != 1:
            factors.append(f"source {self.article.source} ×{_number(self.source)}")
        if self.section != 1:
            factors.append(f"section {self.article.section} ×{_number(self.section)}")
        if self.before and self.variety != 1:
            factors.append(f"{self.before} better of {self.article.source} ×{_number(self.variety)}")
        return f"rank {_number(2**self.power)}: {', '.join(factors)}"


def rank(article: Article, ranking: Ranking, now: datetime) -> Rank:
    """How a story ranks by itself, at ``now`` (UTC)."""
    age = max(now - article.published_at, timedelta(0))
    recency = -(age / ranking.half_life)
    source = ranking.sources.get(article.source, 1.0)
    own = _folded(article.section)
    section = next((weight for name, weight in ranking.sections.items() if _folded(name) == own), 1.0)
    return Rank(article, age, recency, source, section, own=recency + log2(source) + log2(section))


def ranked(ranks: Iterable[Rank], ranking: Ranking) -> list[Rank]:
    """The stories of one section, best first: each is the best of what is left once variety has taken its share."""
    by_source: dict[str, list[Rank]] = {}
    for one in sorted(ranks, key=lambda one: one.order, reverse=True):
        by_source.setdefault(one.article.source, []).append(one)
    # What is taken of one source changes the ranks of that source alone, so the heads of all can wait in a heap.
    waiting = [_Waiting(listed[0], listed) for listed in by_source.values()]
    heapify(waiting)
    found: list[Rank] = []
    while waiting:
        head = heappop(waiting)
        found.append(head.rank)
        before = head.rank.before + 1
        if before < len(head.listed):
            further = replace(head.listed[before], before=before, variety=(1 - ranking.variety) ** before)
            heappush(waiting, _Waiting(further, head.listed))
    return found


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The best story left of one source, and all of that source in order."""

    rank: Rank
    listed: Sequence[Rank]

    def __lt__(self, other: _Waiting) -> bool:
        return self.rank.order > other.rank.order


def _age(age: timedelta) -> str:
    unit = timedelta(hours=1) if age >= timedelta(days=1) else timedelta(minutes=1)
    return duration_text(age // unit * unit) if age >= unit else "less than 1m"


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.3g}"


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
