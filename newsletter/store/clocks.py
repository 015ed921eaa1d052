"""Under which clocks an occurrence went out: where its newsletter's file put readers who wrote down this or that hour
and zone (``Configuration.clocks``). Once the file puts them elsewhere, they have had other editions than those they now
stand with.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from newsletter.store.tables import occurrences


def keep(connection: Connection, occurrence_id: int, clocks: str) -> None:
    """Write down the clocks of the first deliveries of an occurrence; what is written already stays."""
    connection.execute(
        update(occurrences).where(occurrences.c.id == occurrence_id, occurrences.c.clocks == "").values(clocks=clocks)
    )


def others(connection: Connection, newsletter: str, clocks: str, since: datetime) -> bool:
    """Whether any occurrence of a newsletter due after ``since`` (UTC) went out under other clocks than these."""
    statement = select(occurrences.c.id).where(
        occurrences.c.newsletter == newsletter,
        occurrences.c.due_at > since,
        occurrences.c.pruned_at.is_(None),
        occurrences.c.clocks.not_in(["", clocks]),
    )
    return connection.execute(statement.limit(1)).first() is not None
