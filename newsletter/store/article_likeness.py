"""Which articles share runs of words, as far as their sketches tell; whoever asks compares what is found whole.

Sketches are kept for some weeks (``article_pruning``); an article without one shares nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from newsletter.store.tables import article_shingles

_CHUNK = 500
_FEWEST_SHARED = 2  # one run is chance


def sharing(connection: Connection, article_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """For each of these articles that shares words with any other: the ids of those, among these or not."""
    other = article_shingles.alias("other")
    found: dict[int, set[int]] = {}
    ids = sorted(set(article_ids))
    for start in range(0, len(ids), _CHUNK):
        statement = (
            select(article_shingles.c.article_id, other.c.article_id.label("other_id"))
            .join(other, other.c.hash == article_shingles.c.hash)
            .where(
                article_shingles.c.article_id.in_(ids[start : start + _CHUNK]),
                other.c.article_id != article_shingles.c.article_id,
            )
            .group_by(article_shingles.c.article_id, other.c.article_id)
            .having(func.count() >= _FEWEST_SHARED)
        )
        for row in connection.execute(statement):
            found.setdefault(row.article_id, set()).add(row.other_id)
    return {article_id: frozenset(others) for article_id, others in found.items()}
