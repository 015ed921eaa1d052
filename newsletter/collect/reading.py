"""What a source holds, as every kind of reader gives it."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.model import IncomingArticle


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source holds: its articles in its own order, and URLs that are the source's own, not an article's."""

    articles: tuple[IncomingArticle, ...]
    homes: tuple[str, ...] = ()
