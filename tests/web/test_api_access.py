"""Who may use the API and how: tokens, scopes, "look now", wrong methods, and the document that describes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from newsletter.collect.pushed import PushedArticle
from newsletter.store import api_tokens, sources
from newsletter.store.api_tokens import Scope
from newsletter.store.sources import Fetch, Outcome, SourceRow
from newsletter.web.api import MAX_PUSH
from tests.builders import NOW
from tests.support.ledger import dump
from tests.web.api_site import FERRY, URL, Api


async def test_a_token_is_needed_and_nothing_tells_an_unknown_one_from_a_revoked_one(api: Api) -> None:
    good, revoked = api.token(), api.token()
    api.store.write(api_tokens.revoke, "t2", NOW)
    before = api.store.read(dump)
    body = json.dumps(FERRY).encode()
    for header in ("", "Basic dXNlcjpwYXNz", "Bearer", good, f"Token {good}", f"Bearer {good} {good}"):
        told = await api.ask("/api/articles", body, *([("Authorization", header)] if header else []))
        assert (told.status, told.headers["WWW-Authenticate"]) == (401, 'Bearer realm="newsletter"')
    answers = set()
    for header in (revoked, api_tokens.token_of(bytes(32)), good[:-1], good.lower(), "x", "nlt_" + "é" * 43):
        told = await api.ask("/api/articles", body, ("Authorization", f"Bearer {header}"))
        assert 'error="invalid_token"' in told.headers["WWW-Authenticate"]
        answers.add((told.status, told.detail, told.headers["WWW-Authenticate"]))
    assert [status for status, _, _ in answers] == [401]
    for path in (f"/api/articles?access_token={good}", f"/api/sources/front/poll?access_token={good}"):
        assert (await api.ask(path, body)).status == 401  # RFC 6750 section 2.3 is not offered
    twice = await api.ask("/api/articles", body, *[("Authorization", f"Bearer {good}")] * 2)
    assert (twice.status, 'error="invalid_request"' in twice.headers["WWW-Authenticate"]) == (400, True)
    assert api.store.read(dump) == before
    as_json = ("Content-Type", "application/json; charset=utf-8")
    assert (await api.ask("/api/articles", body, ("Authorization", f"bearer  {good}"), as_json)).status == 200


async def test_a_scope_permits_its_own_act_alone(api: Api) -> None:
    for scope, other in ((Scope.ARTICLES_WRITE, Scope.SOURCES_POLL), (Scope.SOURCES_POLL, Scope.ARTICLES_WRITE)):
        token = api.token(scopes=(scope,))
        told = {Scope.ARTICLES_WRITE: await api.push(FERRY, token), Scope.SOURCES_POLL: await api.poll("front", token)}
        assert told[scope].status in (200, 202)
        assert told[other].status == 403
        challenge = told[other].headers["WWW-Authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert f'scope="{other}"' in challenge


async def test_a_token_pushes_to_its_own_sources_and_names_none_where_it_has_one(api: Api) -> None:
    story = {"url": URL, "headline": "A ferry for the island"}
    feed = api.token("front")
    assert (await api.push(story, feed)).json["outcome"] == "new"
    assert [one.source for one in api.articles()] == ["front"]
    assert "It may push to: front" in (await api.push(story | {"source": "cms"}, feed)).detail
    assert "source: it is missing" in (await api.push(story, api.token("cms", "wire"))).detail
    assert (await api.push(story | {"source": "wire"}, api.token("cms", "wire"))).json["outcome"] == "unchanged"
    gone = await api.push(story, api.token("closed"))
    assert "'closed' is none that this token may push to. It may push to: none" in gone.detail
    assert api.store.read(sources.get, "front") is None  # a feed's own row is what its collections came to


async def test_use_of_a_token_is_written_down_once_a_minute(api: Api) -> None:
    token = api.token()
    used = []
    for seconds in (0, 59, 60):
        api.clock[0] = NOW + timedelta(seconds=seconds)
        await api.push(FERRY, token)
        used += [one.last_used_at for one in api.store.read(api_tokens.list_tokens)]
    assert used == [NOW, NOW, NOW + timedelta(seconds=60)]


async def test_a_body_is_not_waited_for_from_who_has_no_token(api: Api) -> None:
    released = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        yield b"{"
        await released.wait()

    told = await api.ask("/api/articles", late(), ("Content-Type", "application/json"))
    released.set()
    assert told.status == 401


async def test_what_is_asked_the_wrong_way_is_a_problem_too_and_changes_nothing(api: Api) -> None:
    before = api.store.read(dump)
    token = ("Authorization", f"Bearer {api_tokens.token_of(bytes(32))}")
    for method, path, status in (
        ("GET", "/api/articles", 405),
        ("PUT", "/api/articles", 405),
        ("GET", "/api/sources/front/poll", 405),
        ("OPTIONS", "/api/articles", 405),
        ("POST", "/api/article", 404),
        ("POST", "/api/articles/", 404),
        ("GET", "/api/", 404),
    ):
        told = await api.ask(path, b"", token, ("Origin", "https://evil.example"), method=method)
        assert (told.status, bool(told.detail)) == (status, True)
        assert ("Allow" in told.headers) is (status == 405)
    assert api.store.read(dump) == before


async def test_look_now_is_written_down_once_in_ten_seconds(api: Api) -> None:
    token = api.token("front", scopes=(Scope.SOURCES_POLL,))
    for seconds, asked in ((0, 0), (9, 0), (10, 10)):
        api.clock[0] = NOW + timedelta(seconds=seconds)
        told = await api.poll("front", token)
        due = NOW + timedelta(seconds=asked)
        assert (told.status, told.json) == (202, {"source": "front", "due": due.isoformat().replace("+00:00", "Z")})
        row = api.store.read(sources.get, "front")
        assert row is not None
        assert (row.kind, row.location, row.poll_requested_at) == ("feed", "https://news.example/rss", due)


async def test_a_source_that_asked_to_be_left_alone_is_looked_at_then(api: Api) -> None:
    row = SourceRow("front", "feed", "https://news.example/rss", not_before=NOW + timedelta(hours=1))
    api.store.write(sources.record, row, Fetch("front", NOW, Outcome.FAILED, 1))
    assert (await api.poll("front", api.token())).json["due"] == "2026-11-23T07:00:00Z"


async def test_what_cannot_be_looked_at_is_said(api: Api) -> None:
    token = api.token()
    retired = SourceRow("front", "feed", "https://news.example/rss", retired_at=NOW, last_attempt_at=NOW)
    api.store.write(sources.record, retired, Fetch("front", NOW, Outcome.RETIRED, 1))
    for name, status, words in (
        ("front", 409, "was retired"),
        ("cms", 409, "articles are pushed"),
        ("nothing", 404, "no source of that name"),
        ("a%00%0d%0ab", 404, "no source of that name"),
        ("%ff", 404, "no source of that name"),
    ):
        told = await api.poll(name, token)
        assert (told.status, words in told.detail) == (status, True)
    limited = api.token("inbox")
    for name in ("front", "nothing"):
        told = await api.poll(name, limited)
        assert (told.status, told.detail) == (403, "this token is for other sources")
    assert (await api.poll("inbox", limited)).status == 202
    moved = replace(retired, location="https://news.example/old")
    api.store.write(sources.record, moved, Fetch("front", NOW, Outcome.RETIRED, 1))
    assert (await api.poll("front", token)).status == 202


async def test_the_document_describes_both_endpoints_and_refers_to_nothing_that_is_not_there(api: Api) -> None:
    async with api.client.get(f"{api.base}/openapi.json") as response:
        document = await response.json()
    push = document["paths"]["/api/articles"]["post"]
    poll = document["paths"]["/api/sources/{name}/poll"]["post"]
    assert push["security"] == [{"token": ["articles:write"]}]
    assert poll["security"] == [{"token": ["sources:poll"]}]
    scheme = document["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert set(push["responses"]) == {"200", "400", "401", "403", "413", "415", "422"}
    assert set(poll["responses"]) == {"202", "400", "401", "403", "404", "409"}
    article = document["components"]["schemas"]["PushedArticle"]
    assert article["required"] == ["url"]
    assert article["additionalProperties"] is False
    assert "PushedArticle" in json.dumps(push["requestBody"])
    problem = poll["responses"]["404"]["content"]
    assert list(problem) == ["application/problem+json"]
    for reference in _references(document):
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def test_every_key_is_in_the_documents() -> None:
    told = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    for key in PushedArticle.model_fields:
        assert f"`{key}`" in told
    assert f"{MAX_PUSH:,} bytes" in told


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if "$ref" in value else ()
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)
