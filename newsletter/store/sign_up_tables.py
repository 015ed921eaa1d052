"""Tables of those who ask: links that can be spent once, and how often somebody asked (see ``tables``)."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from newsletter.model import MailedPurpose
from newsletter.store.columns import id_column, metadata, one_of, reference, time, words

# A link that was mailed and can be spent once. Its token is no column: it is an HMAC under its reader's secret.
mailed_links = Table(
    "mailed_links",
    metadata,
    id_column(),
    Column("purpose", String(16), nullable=False),
    reference("subscriber_id", "subscribers.id", index=True),
    # What is to be confirmed, as ``subscriptions.encode_sections`` writes a list of names.
    words("newsletters"),
    time("created_at"),
    time("expires_at"),
    time("spent_at", nullable=True),
    one_of("purpose", MailedPurpose),
    Index("ix_mailed_links_expires_at", "expires_at"),
)

# How far an address or a network has used what it may ask: the generic cell rate algorithm's theoretical arrival time,
# under a keyed hash of either.
request_rates = Table(
    "request_rates",
    metadata,
    Column("key", String(64), primary_key=True),
    time("next_at"),
    Index("ix_request_rates_next_at", "next_at"),
)
