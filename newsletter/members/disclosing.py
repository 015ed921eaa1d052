"""All that is kept about one reader -> plain values for JSON: her copy under GDPR Arts. 15 and 20.

Left out are her secret, which signs the links in her mails, and the hash by which a suppression knows her address.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from newsletter.model import Subscriber
from newsletter.store import consents, deliveries_of, subscribers, subscriptions, suppressions

FORMAT = "newsletter-reader/1"


def everything_about(connection: Connection, person: Subscriber) -> dict[str, Any]:
    """What is kept about ``person``, in one snapshot. Times are UTC; keys are explained in docs/privacy.md."""
    hashes = subscribers.address_hashes(connection, [person.id])
    return {
        "format": FORMAT,
        "reader": {
            "number": person.id,
            "address": person.address,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "language": person.language,
            "timezone": person.timezone,
            "plan": person.plan,
            "tags": list(person.tags),
            "attributes": dict(person.attributes),
            "since": person.created_at,
        },
        "subscriptions": [
            {
                "newsletter": one.newsletter,
                "state": one.state,
                "stream": one.stream,
                "hour": one.hour,
                "sections": one.sections,
                "format": one.format,
                "paused_until": one.paused_until,
            }
            for one in subscriptions.of(connection, person.id)
        ],
        "not_mailed": [
            {"scope": one.scope, "reason": one.reason, "since": one.created_at}
            for one in suppressions.entries_of(connection, list(hashes.values()))
        ],
        "consents": consents_of(connection, person.id),
        "deliveries": [
            {
                "newsletter": one.newsletter,
                "edition": one.occurrence,
                "kind": one.kind,
                "state": one.state,
                "reason": one.reason,
                "format": one.format,
                "plan": one.plan,
                "due_at": one.due_at,
                "sent_at": one.sent_at,
                "message_id": one.message_id,
                "answer": one.reply,
            }
            for one in deliveries_of.reader(connection, person.id)
        ],
    }


def consents_of(connection: Connection, subscriber_id: int) -> list[dict[str, Any]]:
    """Her consent ledger, oldest first."""
    return [
        {
            "at": one.at,
            "action": one.action,
            "newsletter": one.newsletter,
            "channel": one.channel,
            "wording": one.wording,
            "client": one.client,
            "detail": one.detail,
        }
        for one in consents.history(connection, subscriber_id)
    ]
