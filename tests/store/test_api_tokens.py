"""Tokens of the API: only their hashes are kept, a revoked one is nobody's, and use is written down once a minute."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest

from newsletter.errors import UsageError
from newsletter.store import Store, api_tokens
from newsletter.store.api_tokens import ApiToken, Scope
from tests.builders import NOW
from tests.support.ledger import dump

TOKEN = api_tokens.token_of(bytes(range(32)))
OTHER = api_tokens.token_of(bytes(32))
BOTH = (Scope.ARTICLES_WRITE, Scope.SOURCES_POLL)


def add(store: Store, token: str = TOKEN, name: str = "cms", sources: tuple[str, ...] = ()) -> ApiToken:
    return store.write(api_tokens.add, token, name=name, scopes=BOTH, sources=sources, now=NOW)


def test_a_token_is_its_prefix_and_32_random_bytes() -> None:
    assert TOKEN.startswith("nlt_")
    assert urlsafe_b64decode(TOKEN.removeprefix("nlt_") + "=") == bytes(range(32))
    with pytest.raises(ValueError):
        api_tokens.token_of(b"short")


def test_what_has_not_the_shape_of_a_token_has_no_hash() -> None:
    assert len(api_tokens.token_hash(TOKEN)) == 64
    for text in ("", "nlt_", TOKEN[:-1], TOKEN + "A", TOKEN.upper(), f"{TOKEN}\n", TOKEN[:-1] + "é", "x" * 47):
        assert api_tokens.token_hash(text) == ""


def test_a_token_is_found_by_its_hash_and_the_token_itself_is_nowhere(store: Store) -> None:
    added = add(store, sources=("wire", "cms"))
    assert added.sources == ("cms", "wire")
    assert store.read(api_tokens.by_hash, api_tokens.token_hash(TOKEN)) == added
    assert store.read(api_tokens.by_hash, api_tokens.token_hash(OTHER)) is None
    assert store.read(api_tokens.by_hash, "") is None
    kept = store.read(dump)
    assert api_tokens.token_hash(TOKEN) in kept
    assert TOKEN not in kept
    assert TOKEN.removeprefix("nlt_") not in kept


def test_a_revoked_token_is_nobodys_and_its_name_may_be_given_again(store: Store) -> None:
    add(store)
    assert store.write(api_tokens.revoke, "cms", NOW)
    assert store.read(api_tokens.by_hash, api_tokens.token_hash(TOKEN)) is None
    assert not store.write(api_tokens.revoke, "cms", NOW + timedelta(days=1))
    assert [token.revoked_at for token in store.read(api_tokens.list_tokens)] == [NOW]
    add(store, OTHER)
    assert [(token.name, token.revoked_at) for token in store.read(api_tokens.list_tokens)] == [("cms", None)]
    assert store.read(api_tokens.by_hash, api_tokens.token_hash(TOKEN)) is None
    assert not store.write(api_tokens.revoke, "nobody", NOW)


def test_a_name_that_stands_or_is_no_name_is_refused(store: Store) -> None:
    add(store)
    with pytest.raises(UsageError, match="a token 'cms' already"):
        add(store, OTHER)
    for name in ("", "Two words", "9lives", "a" * 49, "cms\n"):
        with pytest.raises(UsageError, match="cannot be a token's name"):
            add(store, OTHER, name)
    with pytest.raises(UsageError, match="permits nothing"):
        store.write(api_tokens.add, OTHER, name="idle", scopes=(), now=NOW)


def test_use_is_written_down_at_most_once_a_minute(store: Store) -> None:
    add(store)

    def used(after: timedelta) -> bool:
        now = NOW + after
        token = store.read(api_tokens.by_hash, api_tokens.token_hash(TOKEN))
        assert token is not None
        wrote = store.write(api_tokens.touch, "cms", now)
        assert wrote is not api_tokens.use_is_recent(token, now)
        return wrote

    seconds = [0, 1, 59, 60, 61, 119, 120, -3600, -3599]  # at the end the clock is put back
    assert [used(timedelta(seconds=after)) for after in seconds] == [
        True, False, False, True, False, False, True, True, False
    ]  # fmt: skip
