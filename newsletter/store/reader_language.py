"""The language a reader gets a newsletter in, as a column: what ``config.languages`` decides, for all rows at once."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import case, func, literal, or_
from sqlalchemy.sql import ColumnElement

from newsletter.store.tables import subscribers


def reader_language(offered: Sequence[str]) -> ColumnElement[str]:
    """Of ``offered``, the newsletter's own first, a subscriber's: hers, else the most special one that is more general,
    else the newsletter's own. Needs ``subscribers`` in the statement.
    """
    if len(offered) == 1:
        return literal(offered[0])
    hers = func.lower(subscribers.c.language)
    fitting = [
        (or_(hers == one.lower(), hers.startswith(f"{one.lower()}-")), literal(one))
        for one in sorted(offered, key=len, reverse=True)
    ]
    return case(*fitting, else_=literal(offered[0]))
