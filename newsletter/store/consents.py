"""The consent ledger: who agreed to or withdrew what, when and how. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from newsletter.model import ConsentAction, ConsentChannel
from newsletter.store.tables import consents


@dataclass(frozen=True, slots=True)
class Consent:
    """One entry. ``newsletter`` '' is every newsletter; ``client`` is a truncated network address."""

    subscriber_id: int
    action: ConsentAction
    channel: ConsentChannel
    at: datetime
    newsletter: str = ""
    wording: str = ""
    client: str = ""
    detail: str = ""


def record(connection: Connection, entries: Sequence[Consent]) -> None:
    """Append entries to the ledger."""
    if entries:
        connection.execute(
            insert(consents),
            [
                {
                    "subscriber_id": entry.subscriber_id,
                    "newsletter": entry.newsletter,
                    "action": entry.action,
                    "channel": entry.channel,
                    "wording": entry.wording,
                    "client": entry.client,
                    "detail": entry.detail,
                    "at": entry.at,
                }
                for entry in entries
            ],
        )


def history(connection: Connection, subscriber_id: int) -> list[Consent]:
    """Everything one subscriber ever agreed to or withdrew, oldest first."""
    rows = connection.execute(select(consents).where(consents.c.subscriber_id == subscriber_id).order_by(consents.c.id))
    return [
        Consent(
            subscriber_id=row.subscriber_id,
            action=ConsentAction(row.action),
            channel=ConsentChannel(row.channel),
            at=row.at,
            newsletter=row.newsletter,
            wording=row.wording,
            client=row.client,
            detail=row.detail,
        )
        for row in rows
    ]
