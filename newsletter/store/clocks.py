"""Under which clocks an occurrence went out: where its newsletter's file put readers who wrote down this or that hour
and zone (``Configuration.clocks``). Once the file puts them elsewhere, they have had other editions than those they now
stand with.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from newsletter.store.tables import occurrences


def keep_clocks(connection: Connection, occurrence_id: int, clocks: str) -> None:
    """Write down the clocks of the first deliveries of an occurrence; what is written already stays."""
    connection.execute(
        update(occurrences).where(occurrences.c.id == occurrence_id, occurrences.c.clocks == "").values(clocks=clocks)
    )


def other_clocks(connection: Connection, newsletter: str, clocks: str, since: datetime) -> bool:
    """Whether any occurrence of a newsletter due after ``since`` (UTC) went out under other clocks than these.

    Asked for every page of a fan-out, so it goes by the index of times: a newsletter has some of each day, for ever.
    """
    statement = select(occurrences.c.id).where(
        occurrences.c.newsletter.concat("") == newsletter,  # written so that its own index does not seem to fit
        occurrences.c.due_at > since,
        occurrences.c.pruned_at.is_(None),
        occurrences.c.clocks.not_in(["", clocks]),
    )
    return connection.execute(statement.limit(1)).first() is not None
