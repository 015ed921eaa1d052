"""One reader, erased: her rows, what is on the wire to her, and the log that the store writes ahead.

``erase`` is the whole act for who can wait some seconds; ``consent.erase`` is its transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection

from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.members.subscribing import new_secret
from newsletter.store import Store, audit, subscribers

_MOMENT = timedelta(seconds=1)


async def erase(
    store: Store,
    subscriber_id: int,
    evidence: Evidence,
    *,
    actor: str = "reader",
    make_secret: Callable[[], bytes] = new_secret,
) -> bool:
    """Erase a reader, with a line in the audit that names no address; False where a message to her was still on the
    wire after a second, and may arrive. Raises StoreError."""
    await store.write_async(_erase, subscriber_id, evidence, actor, make_secret())
    quiet = await consent.await_wire(store, subscriber_id, None)
    # What was on the wire meanwhile is recorded with what the relay answered, which may quote her address.
    await store.write_async(subscribers.forget_replies, evidence.at - _MOMENT, subscriber_id)
    await asyncio.to_thread(store.forget)
    return quiet


def _erase(connection: Connection, subscriber_id: int, evidence: Evidence, actor: str, secret: bytes) -> None:
    if consent.erase(connection, subscriber_id, secret, evidence):
        subject = f"subscriber/{subscriber_id}"
        audit.record(connection, actor=actor, action="erase", subject=subject, now=evidence.at)
