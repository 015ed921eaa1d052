"""Near-duplicates: stories that a reader need not get, because she gets or was mailed another that says the same. Pure.

The store names the pairs that share words (``store.article_likeness``); here each is compared whole, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.likeness import near_duplicate
from newsletter.model import Article


@dataclass(frozen=True, slots=True)
class Used:
    """A story that an earlier edition holds or has mailed; ``until``: what was seen by then stood beside it."""

    article: Article
    words: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Likeness:
    """What is known of the candidates' likeness: for each, which articles share words with it; and those of these that
    an earlier edition used."""

    sharing: Mapping[int, Collection[int]] = field(default_factory=dict)
    used: Mapping[int, Used] = field(default_factory=dict)


class Doubles:
    """Answers, for the candidates of one edition, which story doubles which; a pair is compared once."""

    def __init__(self, articles: Mapping[int, Article], likeness: Likeness, *, collapse: bool) -> None:
        """``collapse`` False: nothing doubles anything."""
        self._articles, self._likeness, self._collapse = articles, likeness, collapse
        self._compared: dict[tuple[int, int], bool] = {}

    def used(self, article: Article) -> Used | None:
        """The story of an earlier edition that this one doubles.

        What was first seen after that edition went out is a new story: a follow-up repeats much of what it follows.
        """
        found = (
            used
            for other in self._sharing(article.id)
            if (used := self._likeness.used.get(other)) is not None
            and article.first_seen_at <= used.until
            and self._same(article, used.article)
        )
        return next(found, None)

    def of(self, article_id: int, among: Iterable[int]) -> int | None:
        """The first of ``among`` (ids of candidates) that this candidate doubles."""
        sharing = set(self._sharing(article_id))
        if not sharing:
            return None
        article = self._articles[article_id]
        return next((one for one in among if one in sharing and self._same(article, self._articles[one])), None)

    def _sharing(self, article_id: int) -> list[int]:
        return sorted(self._likeness.sharing.get(article_id, ())) if self._collapse else []

    def _same(self, one: Article, other: Article) -> bool:
        first, second = sorted((one, other), key=lambda article: article.id)
        pair = (first.id, second.id)
        if pair not in self._compared:
            apart = first.published_at - second.published_at
            self._compared[pair] = bool(near_duplicate(first, second, apart))
        return self._compared[pair]
