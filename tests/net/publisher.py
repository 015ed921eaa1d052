"""A publisher's web server on 127.0.0.1, as well or badly behaved as a test wants it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Publisher:
    """``pages`` maps a path to bytes, a Response factory's handler, or nothing (404). ``asked`` are the requests."""

    scheme: str = "http"
    port: int = 0
    pages: dict[str, bytes | Handler] = field(default_factory=dict)
    asked: list[web.Request] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def url(self, path: str = "/feed") -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            page = self.pages.get(request.path)
            if page is None:
                return web.Response(status=404)
            if isinstance(page, bytes):
                return web.Response(body=page, content_type="application/xml")
            return await page(request)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def publishing(tls: ssl.SSLContext | None = None) -> AsyncIterator[Publisher]:
    """A running server; requests still open at the end are dropped."""
    publisher = Publisher("https" if tls else "http")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", publisher.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    publisher.port = runner.addresses[0][1]
    try:
        yield publisher
    finally:
        await runner.cleanup()


def answering(status: int = 200, body: bytes = b"", **headers: str) -> Handler:
    """Always the same answer; an underscore in a header's name stands for a hyphen."""

    async def handle(_request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=named)

    return handle


def redirecting(to: str, status: int = 302) -> Handler:
    return answering(status, Location=to)


def never_ending(chunk: bytes = b"x" * 1000, pause: float = 0.01) -> Handler:
    """A body that has no end, at ``chunk`` each ``pause`` seconds."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(chunk)
            await asyncio.sleep(pause)

    return handle


def pieces(total: int, piece: int = 65_536) -> Handler:
    """``total`` bytes without a Content-Length."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(total // piece):
            await response.write(b" " * piece)
        await response.write_eof()
        return response

    return handle


def with_etag(body: bytes, etag: str = '"v1"') -> Handler:
    """A page that answers 304 to whoever has it."""

    async def handle(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, headers={"ETag": etag}, content_type="application/rss+xml")

    return handle
