"""Addresses not to be mailed, and the row each withdrawal leaves for senders.

A suppression knows an address only by its keyed hash, so it outlives the erasure of the person. A revocation is read
by every sender just before it writes a body: its claim was right when it was made, and consent may have gone since.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, text

from newsletter.model import Reason, SuppressionScope
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import revocations, suppressions

_REVOKING = 0x6E6C7276  # "nlrv"
# A revocation that names nobody: senders look anew which occurrences still go out.
EVERYBODY = 0


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What is to become a revocation row. ``newsletter`` '' is every newsletter."""

    subscriber_id: int
    newsletter: str
    reason: Reason


@dataclass(frozen=True, slots=True)
class SuppressionRow:
    """One suppression of an address: what it stops, why and since when (UTC)."""

    scope: SuppressionScope
    reason: str
    created_at: datetime


def suppress(connection: Connection, address_hash: str, scope: SuppressionScope, reason: str, at: datetime) -> bool:
    """Stop mail of ``scope`` to an address; False where that stands already, with its first reason and time."""
    row = {"address_hash": address_hash, "scope": scope, "reason": reason, "created_at": at}
    statement = insert_ignoring_conflicts(connection, suppressions).values(row)
    return connection.execute(statement.returning(suppressions.c.scope)).first() is not None


def lift(connection: Connection, address_hash: str, scope: SuppressionScope, *, but: str | None = None) -> bool:
    """Take back a suppression, unless its reason is ``but``; False where there was none. The caller writes down who
    did so."""
    this = delete(suppressions).where(suppressions.c.address_hash == address_hash, suppressions.c.scope == scope)
    lifted = connection.execute(this if but is None else this.where(suppressions.c.reason != but))
    return lifted.rowcount == 1


def scopes_of(connection: Connection, address_hashes: Sequence[str]) -> dict[str, frozenset[SuppressionScope]]:
    """What stands against each of at most some thousand hashes; those with nothing are left out."""
    found: defaultdict[str, set[SuppressionScope]] = defaultdict(set)
    if address_hashes:
        query = select(suppressions.c.address_hash, suppressions.c.scope)
        for row in connection.execute(query.where(suppressions.c.address_hash.in_(address_hashes))):
            found[row.address_hash].add(SuppressionScope(row.scope))
    return {address_hash: frozenset(scopes) for address_hash, scopes in found.items()}


def entries_of(connection: Connection, address_hashes: Sequence[str]) -> list[SuppressionRow]:
    """What stands against the address of these hashes (one under each site key), with its first reason and time."""
    rows = connection.execute(
        select(suppressions).where(suppressions.c.address_hash.in_(address_hashes)).order_by(suppressions.c.scope)
    )
    return [SuppressionRow(SuppressionScope(row.scope), row.reason, row.created_at) for row in rows]


def halt(connection: Connection, newsletter: str, reason: Reason, at: datetime) -> None:
    """Tell senders that an occurrence of this newsletter was stopped or held, in the transaction that did it."""
    revoke(connection, [Withdrawal(EVERYBODY, newsletter, reason)], at)


def revoke(connection: Connection, withdrawals: Sequence[Withdrawal], at: datetime) -> None:
    """Tell senders. The last statement of its transaction: on PostgreSQL it holds a lock until the commit.

    Senders ask for ids above the last they saw. Without the lock a transaction with a lower id could commit after one
    with a higher, and its withdrawal would never be seen. (SQLite has one writing transaction at a time.)
    """
    if not withdrawals:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _REVOKING})
    connection.execute(
        insert(revocations),
        [
            {"subscriber_id": one.subscriber_id, "newsletter": one.newsletter, "reason": one.reason, "at": at}
            for one in withdrawals
        ],
    )
