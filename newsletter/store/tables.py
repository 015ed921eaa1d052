"""Every table, with the constraints that make a wrong state impossible to write (docs/architecture.md, Invariants).

SQL stands in this room only. The tables are defined in ``article_tables``, ``reader_tables``,
``sending_tables`` and ``sign_up_tables``, of the columns in ``columns``; everybody else takes them from here.
"""

from __future__ import annotations

from newsletter.store.article_tables import (
    api_tokens,
    article_blocks,
    article_identities,
    article_merges,
    article_revisions,
    article_shingles,
    articles,
    fetches,
    media,
    sources,
)
from newsletter.store.columns import Id, UtcDateTime, metadata
from newsletter.store.reader_tables import consents, moves, revocations, subscribers, subscriptions, suppressions
from newsletter.store.sending_tables import (
    article_uses,
    audit,
    deliveries,
    domain_rates,
    editions,
    heartbeats,
    occurrences,
    pieces,
    selections,
    senders,
    warm_up_days,
)
from newsletter.store.sign_up_tables import mailed_links, request_rates

__all__ = [
    "Id",
    "UtcDateTime",
    "api_tokens",
    "article_blocks",
    "article_identities",
    "article_merges",
    "article_revisions",
    "article_shingles",
    "article_uses",
    "articles",
    "audit",
    "consents",
    "deliveries",
    "domain_rates",
    "editions",
    "fetches",
    "heartbeats",
    "mailed_links",
    "media",
    "metadata",
    "moves",
    "occurrences",
    "pieces",
    "request_rates",
    "revocations",
    "selections",
    "senders",
    "sources",
    "subscribers",
    "subscriptions",
    "suppressions",
    "warm_up_days",
]
