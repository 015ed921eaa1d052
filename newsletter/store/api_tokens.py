"""Tokens of programs that push articles or ask for collections: names, scopes and hashes in, rows out.

A token is shown once, when it is made; only its SHA-256 is kept. It holds 256 random bits, so a plain hash is enough,
and looking up that hash compares nothing whose timing could tell anything.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from newsletter.errors import UsageError
from newsletter.store.tables import api_tokens

RANDOM_BYTES = 32
USED_EVERY = timedelta(minutes=1)
_PREFIX = "nlt_"
_TOKEN = re.compile(_PREFIX + r"[A-Za-z0-9_-]{43}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,47}", re.ASCII)


class Scope(StrEnum):
    """What a token permits: to push articles, to have a source collected now."""

    ARTICLES_WRITE = "articles:write"
    SOURCES_POLL = "sources:poll"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret. ``sources`` limits it to these; empty, it is for all of the configuration."""

    name: str
    scopes: tuple[Scope, ...]
    sources: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


def token_of(random: bytes) -> str:
    """The token made of RANDOM_BYTES random bytes: ``nlt_`` and base64url without padding (RFC 4648 section 5)."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a token is made of {RANDOM_BYTES} random bytes, not of {len(random)}")
    return _PREFIX + urlsafe_b64encode(random).rstrip(b"=").decode("ascii")


def token_hash(token: str) -> str:
    """What is kept of a token: 64 hex digits; '' for a text that is no token at all."""
    return sha256(token.encode("ascii")).hexdigest() if _TOKEN.fullmatch(token) else ""


def add(
    connection: Connection,
    token: str,
    *,
    name: str,
    scopes: Collection[Scope],
    sources: Collection[str] = (),
    now: datetime,
) -> ApiToken:
    """Permit a new token. Raises UsageError where the name is no name, or that of a token which is not revoked."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name[:60]}' cannot be a token's name", remedy="Write a-z, 0-9, _ and -, a letter first, at most 48"
        )
    if not scopes:
        raise UsageError("a token without a scope permits nothing")
    connection.execute(delete(api_tokens).where(api_tokens.c.name == name, api_tokens.c.revoked_at.is_not(None)))
    if connection.execute(select(api_tokens.c.name).where(api_tokens.c.name == name)).first() is not None:
        raise UsageError(f"there is a token '{name}' already", remedy="Choose another name, or revoke that one first")
    made = ApiToken(name, tuple(sorted(set(scopes))), tuple(sorted(set(sources))), now)
    values = {
        "name": name,
        "token_hash": token_hash(token),
        "scopes": [scope.value for scope in made.scopes],
        "sources": list(made.sources),
        "created_at": now,
    }
    connection.execute(insert(api_tokens).values(values))
    return made


def by_hash(connection: Connection, hashed: str) -> ApiToken | None:
    """The token with this ``token_hash``; None where there is none, or it was revoked."""
    if not hashed:
        return None
    wanted = select(api_tokens).where(api_tokens.c.token_hash == hashed, api_tokens.c.revoked_at.is_(None))
    row = connection.execute(wanted).one_or_none()
    return None if row is None else _token(row)


def list_tokens(connection: Connection) -> list[ApiToken]:
    """Every token by name, the revoked ones too."""
    return [_token(row) for row in connection.execute(select(api_tokens).order_by(api_tokens.c.name))]


def revoke(connection: Connection, name: str, now: datetime) -> bool:
    """Permit a token no longer; False where no token of this name is permitted."""
    standing = update(api_tokens).where(api_tokens.c.name == name, api_tokens.c.revoked_at.is_(None))
    return connection.execute(standing.values(revoked_at=now)).rowcount > 0


def use_is_recent(token: ApiToken, now: datetime) -> bool:
    """Whether ``token`` was marked as used within USED_EVERY, so that marking it again would tell nothing."""
    return token.last_used_at is not None and token.last_used_at <= now < token.last_used_at + USED_EVERY


def touch(connection: Connection, name: str, now: datetime) -> bool:
    """Mark a token as used; False, and nothing written, where it was within USED_EVERY."""
    used = api_tokens.c.last_used_at
    # A use in the future is one of before the clock was put back.
    stale = or_(used.is_(None), used <= now - USED_EVERY, used > now)
    return (
        connection.execute(update(api_tokens).where(api_tokens.c.name == name, stale).values(last_used_at=now)).rowcount
        > 0
    )


def _token(row: Row[Any]) -> ApiToken:
    return ApiToken(
        name=row.name,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        sources=tuple(row.sources),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
