"""Links that were mailed and can be spent once: to confirm, to sign in. A GET never spends one, only a POST.

The token in a link is made under its reader's secret (``members.links``), so nothing here is worth stealing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from newsletter.model import MailedPurpose
from newsletter.store.subscriptions import decode_sections, encode_sections
from newsletter.store.tables import mailed_links


@dataclass(frozen=True, slots=True)
class MailedLink:
    """One of them. Times are UTC; ``newsletters`` are those to confirm."""

    id: int
    purpose: MailedPurpose
    subscriber_id: int
    newsletters: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    spent_at: datetime | None

    def is_good(self, now: datetime) -> bool:
        """Whether it can still be spent."""
        return self.spent_at is None and now < self.expires_at


def add(
    connection: Connection,
    purpose: MailedPurpose,
    subscriber_id: int,
    newsletters: Sequence[str],
    now: datetime,
    expires_at: datetime,
) -> int:
    """Make one; its number."""
    statement = insert(mailed_links).values(
        purpose=purpose.value,
        subscriber_id=subscriber_id,
        newsletters=encode_sections(newsletters),
        created_at=now,
        expires_at=expires_at,
    )
    return int(connection.execute(statement.returning(mailed_links.c.id)).scalar_one())


def get(connection: Connection, link_id: int, purpose: MailedPurpose) -> MailedLink | None:
    """The one with this number, or None."""
    row = connection.execute(
        select(mailed_links).where(mailed_links.c.id == link_id, mailed_links.c.purpose == purpose.value)
    ).first()
    return _link(row) if row is not None else None


def spend(connection: Connection, link_id: int, now: datetime) -> bool:
    """Spend it; False where that was done before, or it is too old. Of two at once one is told True."""
    statement = update(mailed_links).where(
        mailed_links.c.id == link_id, mailed_links.c.spent_at.is_(None), mailed_links.c.expires_at > now
    )
    return connection.execute(statement.values(spent_at=now)).rowcount == 1


def forget_expired(connection: Connection, before: datetime) -> int:
    """Delete those that could be spent until ``before`` at most; how many."""
    return connection.execute(delete(mailed_links).where(mailed_links.c.expires_at < before)).rowcount


def _link(row: Row[Any]) -> MailedLink:
    columns = row._mapping
    return MailedLink(
        columns["id"],
        MailedPurpose(columns["purpose"]),
        columns["subscriber_id"],
        decode_sections(columns["newsletters"]),
        columns["created_at"],
        columns["expires_at"],
        columns["spent_at"],
    )
