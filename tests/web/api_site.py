"""A served site with sources of three kinds, tokens for its API, and a client that asserts what every answer owes."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import aiohttp

from newsletter.model import Article
from newsletter.store import Store, api_tokens, articles
from newsletter.store.api_tokens import Scope
from tests.builders import NOW

SOURCES = """{cms: {push: true, section: News, language: en, timezone: Asia/Kolkata},
  wire: {push: true}, hasty: {push: true, parse_timeout: 1s}, front: {feed: "https://news.example/rss"},
  inbox: {folder: inbox}}"""
URL = "https://news.example/world/ferry"
FERRY = {"source": "cms", "url": URL, "headline": "A ferry for the island", "body_html": "<p>It sails at nine.</p>"}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, its body read as JSON."""

    status: int
    json: Any
    headers: Any

    @property
    def detail(self) -> str:
        """The one sentence of a problem (RFC 9457)."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        assert self.json["status"] == self.status, self
        assert self.json["title"], self
        return str(self.json["detail"])


@dataclass
class Api:
    """A served site, tokens for it, and a client."""

    base: str
    store: Store
    client: aiohttp.ClientSession
    clock: list[datetime]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def token(self, *named: str, scopes: tuple[Scope, ...] = tuple(Scope)) -> str:
        number = next(self._numbers)
        token = api_tokens.token_of(number.to_bytes(32))
        self.store.write(api_tokens.add, token, name=f"t{number}", scopes=scopes, sources=named, now=NOW)
        return token

    async def ask(
        self, path: str, body: bytes | AsyncIterator[bytes], *headers: tuple[str, str], method: str = "POST"
    ) -> Answer:
        sent = io.BytesIO(body) if isinstance(body, bytes) else body
        async with self.client.request(method, self.base + path, data=sent, headers=headers) as response:
            raw = await response.read()
            assert "Set-Cookie" not in response.headers
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert not [name for name in response.headers if name.startswith("Access-Control")]
            return Answer(response.status, json.loads(raw), response.headers)

    async def push(self, given: Any, token: str) -> Answer:
        body = given if isinstance(given, bytes) else json.dumps(given).encode()
        as_json = ("Content-Type", "application/json")
        return await self.ask("/api/articles", body, ("Authorization", f"Bearer {token}"), as_json)

    async def poll(self, name: str, token: str) -> Answer:
        return await self.ask(f"/api/sources/{name}/poll", b"", ("Authorization", f"Bearer {token}"))

    def articles(self) -> list[Article]:
        return self.store.read(articles.list_articles)
