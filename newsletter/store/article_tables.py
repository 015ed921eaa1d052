"""Tables of where articles come from, and of the articles (see ``tables``)."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, text

from newsletter.store.columns import Id, count, id_column, metadata, reference, time, words

sources = Table(
    "sources",
    metadata,
    Column("name", String(48), primary_key=True),
    words("kind", None),
    words("location", None),
    words("moved_to"),
    words("etag"),
    words("last_modified"),
    time("first_collected_at", nullable=True),
    time("last_attempt_at", nullable=True),
    time("last_success_at", nullable=True),
    time("next_due_at", nullable=True),
    count("failures"),
    words("last_error"),
    # The bytes that the last error was about, at most 64 KiB of them.
    Column("error_body", LargeBinary, nullable=True),
    Column("warnings", JSON, nullable=False, server_default="[]"),
    # Not asked before this, because it said so (Retry-After).
    time("not_before", nullable=True),
    # Somebody (a CMS, an editor) said "look now".
    time("poll_requested_at", nullable=True),
    # It answered 410 Gone: no longer asked.
    time("retired_at", nullable=True),
)

# What became of each attempt at a source; the last ones are kept.
fetches = Table(
    "fetches",
    metadata,
    id_column(),
    Column("source", String(48), nullable=False),
    time("at"),
    Column("outcome", String(16), nullable=False),
    Column("milliseconds", Integer, nullable=False),
    count("new"),
    count("changed"),
    count("unchanged"),
    words("error"),
    Index("ix_fetches_source_id", "source", "id"),
)

articles = Table(
    "articles",
    metadata,
    id_column(),
    words("source", None),
    words("url", None),
    words("guid"),
    words("headline", None),
    words("standfirst"),
    Column("authors", JSON, nullable=False),
    words("dateline"),
    words("section"),
    Column("tags", JSON, nullable=False),
    words("language"),
    time("published_at"),
    time("updated_at"),
    time("first_seen_at"),
    Column("images", JSON, nullable=False),
    words("body_html"),
    words("body_text"),
    words("access", "free"),
    Column("revision", Integer, nullable=False, server_default="1"),
    words("revision_kind", "first"),
    Column("eligible", Boolean, nullable=False, server_default=text("true")),
    time("retracted_at", nullable=True),
    words("retracted_why"),
    words("teaser"),
    # What we made of what its source said of it, where that could not be ('dated 2091-01-01; taken as first seen').
    words("warning"),
    # The article that this one turned out to be; it is sent no more under its own id.
    Column("merged_into", Id, nullable=True),
    time("pruned_at", nullable=True),
    # Validators of its own page, for reading it again just before it is sent.
    words("page_etag"),
    words("page_last_modified"),
    Index("ix_articles_first_seen_at", "first_seen_at"),
    Index("ix_articles_source_published_at", "source", "published_at"),
)

# What an article has ever been known by: a URL, a guid within its source. One article a value, for ever.
article_identities = Table(
    "article_identities",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("value", String(64), primary_key=True),
    reference("article_id", "articles.id", index=True),
    time("seen_at"),
)

article_revisions = Table(
    "article_revisions",
    metadata,
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    words("kind", None),
    time("seen_at"),
    Column("content", JSON, nullable=False),
)

# Each time something that came in was taken for an article we had: by what, and what came.
article_merges = Table(
    "article_merges",
    metadata,
    id_column(),
    reference("article_id", "articles.id", index=True),
    time("at"),
    Column("by", String(16), nullable=False),
    words("detail"),
    Column("source", String(48), nullable=False),
    words("url"),
    words("guid"),
    words("headline"),
    Column("content", JSON, nullable=False),
    time("split_at", nullable=True),
)

# The least hashes of the runs of words of recent articles: two that share some may be one story.
article_shingles = Table(
    "article_shingles",
    metadata,
    Column("hash", BigInteger, primary_key=True),
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True, index=True),
)

# What editors keep out of a newsletter for good; '*' is every newsletter.
article_blocks = Table(
    "article_blocks",
    metadata,
    Column("newsletter", String(48), primary_key=True),
    Column("article_id", Id, ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True, index=True),
    words("actor", None),
    words("because"),
    time("at"),
)

# Who may push articles and ask for collections; the token itself is shown once and kept as a hash.
api_tokens = Table(
    "api_tokens",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("scopes", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    time("created_at"),
    time("last_used_at", nullable=True),
    time("revoked_at", nullable=True),
)

media = Table(
    "media",
    metadata,
    Column("name", String(80), primary_key=True),
    words("url", None),
    words("content_type", None),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    time("fetched_at"),
    Index("ix_media_url", "url"),
)
