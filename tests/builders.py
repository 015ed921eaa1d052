"""Small builders for what tests need in a store, made with plain inserts so that they depend on no room's behaviour."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from newsletter.domain_groups import domain_group
from newsletter.model import (
    Access,
    Article,
    IncomingArticle,
    MailFormat,
    Occurrence,
    OccurrenceState,
    RevisionKind,
    SubscriptionState,
)
from newsletter.store import Store, tables

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def an_incoming_article(**changes: Any) -> IncomingArticle:
    """A complete article as a source gives it."""
    values: dict[str, Any] = {
        "source": "front",
        "url": "https://news.example/national/dam",
        "guid": "dam-1",
        "headline": "Dam opens its gates after the longest monsoon in years",
        "standfirst": "Engineers lowered the reservoir by two metres overnight.",
        "authors": ("Meera Pillai",),
        "section": "National",
        "published_at": NOW - timedelta(hours=1),
        "updated_at": NOW - timedelta(hours=1),
        "body_html": "<p>Water reached the villages by noon.</p>",
        "body_text": "Water reached the villages by noon.",
    }
    return IncomingArticle(**(values | changes))


def an_article(id: int = 1, **changes: Any) -> Article:  # noqa: A002
    """A complete stored article."""
    values: dict[str, Any] = {
        "id": id,
        "source": "front",
        "url": f"https://news.example/national/story-{id}",
        "guid": f"story-{id}",
        "headline": f"Headline of story {id}",
        "standfirst": f"Standfirst of story {id}.",
        "authors": ("Meera Pillai",),
        "dateline": "Chennai",
        "section": "National",
        "tags": (),
        "language": "en",
        "published_at": NOW - timedelta(hours=1),
        "updated_at": NOW - timedelta(hours=1),
        "first_seen_at": NOW - timedelta(hours=1),
        "images": (),
        "body_html": f"<p>Body of story {id}.</p>",
        "body_text": f"Body of story {id}.",
        "access": Access.FREE,
        "revision": 1,
        "revision_kind": RevisionKind.FIRST,
    }
    return Article(**(values | changes))


def add_subscribers(
    store: Store,
    number: int,
    *,
    newsletters: Iterable[str] = ("daily",),
    first: int = 1,
    state: SubscriptionState = SubscriptionState.ACTIVE,
    mail_format: MailFormat = MailFormat.HTML,
    domain: str = "readers.example",
) -> list[int]:
    """Readers ``reader00001@readers.example`` … subscribed to these newsletters; their ids."""

    def work(connection: Connection) -> list[int]:
        addresses = [f"reader{n:05d}@{domain}" for n in range(first, first + number)]
        connection.execute(
            insert(tables.subscribers),
            [
                {
                    "address": address,
                    "address_hash": hashlib.sha256(address.encode()).hexdigest(),
                    "domain_group": domain_group(address),
                    "first_name": f"Reader{n}",
                    "last_name": "Rao",
                    "attributes": {},
                    "secret": hashlib.sha256(f"secret{n}".encode()).digest(),
                    "created_at": NOW,
                }
                for n, address in enumerate(addresses, first)
            ],
        )
        found = connection.execute(
            select(tables.subscribers.c.id).where(tables.subscribers.c.address.in_(addresses)).order_by("id")
        )
        ids = list(found.scalars())
        rows = [
            {
                "newsletter": newsletter,
                "subscriber_id": subscriber_id,
                "state": state.value,
                "format": mail_format.value,
                "created_at": NOW,
                "confirmed_at": NOW,
            }
            for newsletter in newsletters
            for subscriber_id in ids
        ]
        connection.execute(insert(tables.subscriptions), rows)
        return ids

    return store.write(work)


def add_occurrence(
    store: Store,
    newsletter: str = "daily",
    *,
    occurrence: Occurrence = Occurrence(date(2026, 11, 23), 1),
    state: OccurrenceState = OccurrenceState.SENDING,
    sections: Sequence[dict[str, Any]] = (),
    due_at: datetime = NOW,
) -> tuple[int, int]:
    """An occurrence and its one edition; (occurrence id, edition id)."""

    def work(connection: Connection) -> tuple[int, int]:
        occurrence_id = connection.execute(
            insert(tables.occurrences)
            .values(
                newsletter=newsletter,
                stream="each",
                occurrence=str(occurrence),
                local_date=occurrence.local_date,
                ordinal=occurrence.ordinal,
                due_at=due_at,
                compose_at=due_at,
                state=state.value,
                layer={},
                created_at=due_at,
                changed_at=due_at,
            )
            .returning(tables.occurrences.c.id)
        ).scalar_one()
        edition_id = connection.execute(
            insert(tables.editions)
            .values(
                occurrence_id=occurrence_id,
                newsletter=newsletter,
                stream="each",
                occurrence=str(occurrence),
                due_at=due_at,
                sections=list(sections),
                composed_at=due_at,
            )
            .returning(tables.editions.c.id)
        ).scalar_one()
        return int(occurrence_id), int(edition_id)

    return store.write(work)
