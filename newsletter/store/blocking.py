"""Articles that editors keep out of a newsletter for good: who said so, when, and why.

It holds for editions composed later; what one holds that is not yet sending is taken out when it is due
(``schedule.work``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from newsletter.errors import UsageError
from newsletter.store import article_rows, audit
from newsletter.store.article_uses import EVERY
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import article_blocks

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Block:
    """One article kept out of ``newsletter``, EVERY for all of them."""

    newsletter: str
    article_id: int
    actor: str
    because: str
    at: datetime

    @property
    def words(self) -> str:
        """``blocked by anna in every newsletter: it is an advertisement``."""
        where = "every newsletter" if self.newsletter == EVERY else self.newsletter
        return f"blocked by {self.actor} in {where}" + (f": {self.because}" if self.because else "")


def block(
    connection: Connection,
    article_ids: Collection[int],
    newsletters: Collection[str],
    *,
    actor: str,
    because: str = "",
    now: datetime,
) -> int:
    """Keep these articles out of these newsletters (none named: out of every one, also those to come); how many blocks
    are new. Raises UsageError, and changes nothing, where one is not there or was merged into another.
    """
    known = article_rows.by_id(connection, article_ids)
    for article_id in sorted(set(article_ids)):
        if article_id not in known:
            raise UsageError(
                f"there is no article {article_id}; nothing was blocked", remedy="`newsletter articles list` shows them"
            )
        if (other := known[article_id].merged_into) is not None:
            raise UsageError(
                f"article {article_id} is article {other} now; nothing was blocked", remedy=f"Block article {other}"
            )
    made = 0
    for article_id in sorted(known):
        there = {one.newsletter for one in of_article(connection, article_id)}
        for newsletter in sorted(set(newsletters) or {EVERY}):
            if newsletter in there:
                continue
            connection.execute(
                insert(article_blocks).values(
                    newsletter=newsletter, article_id=article_id, actor=actor, because=because, at=now
                )
            )
            _record(connection, "block", newsletter, article_id, actor, because, now)
            made += 1
    return made


def unblock(
    connection: Connection, article_ids: Collection[int], newsletters: Collection[str], *, actor: str, now: datetime
) -> int:
    """Let these articles into these newsletters again (none named: into every one); how many blocks were lifted."""
    lifted = 0
    for article_id in sorted(set(article_ids)):
        for one in of_article(connection, article_id):
            if newsletters and one.newsletter not in newsletters:
                continue
            connection.execute(
                delete(article_blocks).where(
                    article_blocks.c.article_id == article_id, article_blocks.c.newsletter == one.newsletter
                )
            )
            _record(connection, "unblock", one.newsletter, article_id, actor, "", now)
            lifted += 1
    return lifted


def blocked(connection: Connection, newsletter: str, article_ids: Collection[int]) -> dict[int, Block]:
    """Those of these articles that are kept out of a newsletter, by id."""
    found: dict[int, Block] = {}
    ids = sorted(set(article_ids))
    for start in range(0, len(ids), _CHUNK):
        statement = select(article_blocks).where(
            article_blocks.c.newsletter.in_((newsletter, EVERY)),
            article_blocks.c.article_id.in_(ids[start : start + _CHUNK]),
        )
        found |= {row.article_id: _block(row) for row in connection.execute(statement)}
    return found


def of_article(connection: Connection, article_id: int) -> list[Block]:
    """All that keeps an article out, by newsletter."""
    statement = select(article_blocks).where(article_blocks.c.article_id == article_id)
    return [_block(row) for row in connection.execute(statement.order_by(article_blocks.c.newsletter))]


def carry(connection: Connection, article_id: int, into_id: int) -> None:
    """What keeps an article out keeps out the one that it turned out to be."""
    rows: list[Mapping[str, Any]] = [
        dict(row) | {"article_id": into_id}
        for row in connection.execute(
            select(article_blocks).where(article_blocks.c.article_id == article_id)
        ).mappings()
    ]
    if rows:
        connection.execute(insert_ignoring_conflicts(connection, article_blocks), rows)


def _record(
    connection: Connection, action: str, newsletter: str, article_id: int, actor: str, because: str, now: datetime
) -> None:
    where = "every newsletter" if newsletter == EVERY else newsletter
    detail = f"{where}: {because}" if because else where
    audit.record(connection, actor=actor, action=action, subject=f"article/{article_id}", detail=detail, now=now)


def _block(row: Row[Any]) -> Block:
    return Block(row.newsletter, row.article_id, row.actor, row.because, row.at)
