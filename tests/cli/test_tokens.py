"""tokens: one is shown once, listed without its secret, and revoked."""

from __future__ import annotations

import pytest

from newsletter.store import api_tokens, audit
from tests.support.console import Folder


def test_a_token_is_printed_alone_and_once(folder: Folder) -> None:
    made = folder.run("tokens", "add", "cms")
    assert made.code == 0, made
    token = made.out.strip()
    assert api_tokens.token_hash(token)
    assert token not in made.err
    listed = folder.run("tokens", "list", "--json")
    assert token not in listed.out
    (row,) = listed.json
    assert (row["name"], row["scopes"], row["sources"]) == ("cms", ["articles:write"], [])
    assert (row["last_used_at"], row["revoked_at"]) == (None, None)
    with folder.store() as store:
        found = store.read(api_tokens.by_hash, api_tokens.token_hash(token))
        assert found is not None
        assert found.name == "cms"


def test_scopes_and_sources_limit_it_and_people_answer_for_it(folder: Folder) -> None:
    every = ("--scope", "sources:poll", "--scope", "articles:write", "--source", "inbox")
    made = folder.run("tokens", "add", "desk", *every, "--json").json
    assert (made["scopes"], made["sources"]) == (["articles:write", "sources:poll"], ["inbox"])
    assert folder.run("tokens", "revoke", "desk", "--json").json == {"revoked": "desk"}
    with folder.store() as store:
        assert store.read(api_tokens.by_hash, api_tokens.token_hash(made["token"])) is None
        acts = [(act.action, act.subject) for act in store.read(audit.listing)]
    assert acts == [("revoke", "token/desk"), ("add", "token/desk")]
    assert "desk" in folder.run("tokens", "list").out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("add", "Two words"), 2, "cannot be a token's name"),
        (("add", "cms", "--scope", "article:write"), 2, "Did you mean 'articles:write'?"),
        (("add", "cms", "--source", "inbux"), 2, "Did you mean 'inbox'?"),
        (("add", "old"), 2, "there is a token 'old' already"),
        (("revoke", "ald"), 2, "Did you mean 'old'?"),
    ],
)
def test_what_does_not_fit_is_one_line(folder: Folder, arguments: tuple[str, ...], code: int, words: str) -> None:
    folder.run("tokens", "add", "old")
    folder.run("tokens", *arguments).refused(code, words)


def test_revoking_twice_is_nothing_to_do(folder: Folder) -> None:
    folder.run("tokens", "add", "cms")
    assert folder.run("tokens", "revoke", "cms").code == 0
    folder.run("tokens", "revoke", "cms").refused(3, "revoked already")
