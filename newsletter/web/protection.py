"""Every response's security headers, every request's size limit, and an access log without tokens."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 65_536
_YEAR = 31_536_000
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_PERSONAL = re.compile(r"/([upecis])/.*", re.DOTALL)


def edition_policy(origin: str) -> str:
    """The Content-Security-Policy of a mail shown as a page: its own styles and pictures, no script, no form, and an
    origin apart from ours (``sandbox``). ``origin`` is where our pictures are."""
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src 'self' {origin} https: data:; font-src https:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    )


class Protection:
    """ASGI middleware. ``https`` says that the public address is https, so that browsers may insist on it; ``limits``
    names the paths that take a larger body than MAX_BODY, with its bytes."""

    def __init__(self, app: ASGIApp, *, https: bool, limits: Mapping[str, int]) -> None:
        self._app = app
        self._https = https
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        most = self._limits.get(scope["path"], MAX_BODY)
        too_large = announced.isascii() and announced.isdigit() and int(announced[:20]) > most
        received = 0

        async def receive_limited() -> Message:
            nonlocal received
            message = {"type": ""} if too_large else await receive()
            received += len(message.get("body", b""))
            if too_large or received > most:
                raise HTTPException(413, headers={"Connection": "close"})
            return message

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                protect(MutableHeaders(scope=message), https=self._https)
            await send(message)

        await self._app(scope, receive_limited, send_protected)


def protect(headers: MutableHeaders, *, https: bool) -> None:
    """Add what a response lacks; what a route chose for itself stands."""
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if https:
        headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR}")
    if headers.get("content-type", "").startswith("text/html"):
        headers.setdefault("X-Robots-Tag", "noindex, nofollow, noarchive")
        headers.setdefault("Cache-Control", "no-store")


class _WithoutTokens(logging.Filter):
    """uvicorn's access log holds the path; of a personal link only its kind is kept."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(without_token(part) if isinstance(part, str) else part for part in record.args)
        return True


def without_token(path: str) -> str:
    """``/u/7/daily/TOKEN`` as ``/u/…``."""
    return _PERSONAL.sub(r"/\1/…", path, count=1)


def keep_tokens_out_of_the_access_log() -> None:
    """Filter uvicorn's access log in this process, once."""
    access = logging.getLogger("uvicorn.access")
    if not any(isinstance(present, _WithoutTokens) for present in access.filters):
        access.addFilter(_WithoutTokens())
