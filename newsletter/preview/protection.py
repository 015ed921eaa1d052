"""Keeps everyone out of the preview but the person who started it: Host, a token per start, and each answer's headers.

A page of another site reaches a loopback port too, by DNS rebinding or a form; other people of this machine reach it
directly. So Host is checked (RFC 9110 section 7.4), reading needs the cookie that the printed address sets, and
whatever is no GET or HEAD needs the token in a header as well, which no form of another site can send.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "x-preview-token"  # noqa: S105 - the name of a header
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Pictures are named by their content's hash, and shown in a frame of nobody's origin: no cookie comes with them.
_OPEN = ("/media/", "/workbench/")


def frame_policy(origin: str) -> str:
    """The policy of the message in its frame: its own styles, our pictures, nothing else; no script, no form, no
    network. Its links open in a tab of their own.

    The frame has our origin, so that the page can measure it, mark elements and turn its colours round; since neither
    this policy nor the sandbox lets anything in it run, that gives the message nothing."""
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {origin}{_OPEN[0]} data:; base-uri 'none'; "
        "script-src 'none'; form-action 'none'; frame-ancestors 'self'; "
        "sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"
    )


class Protection:
    """ASGI middleware. ``hosts`` are the values of Host that are ours, ``cookie`` the name of the cookie."""

    def __init__(self, app: ASGIApp, *, token: str, hosts: Collection[str], cookie: str) -> None:
        self._app, self._token, self._hosts, self._cookie = app, token, frozenset(hosts), cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                _protect(MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_protected)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return PlainTextResponse("This address is not served here.\n", 421)
        if scope["path"].startswith(_OPEN):
            return None
        if scope["method"] not in ("GET", "HEAD") and not self._is_token(headers.get(TOKEN_HEADER, "")):
            return PlainTextResponse("This was not sent by the preview's own page. Nothing was done.\n", 403)
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] == "GET" and any(name == "token" and self._is_token(value) for name, value in query):
            return self._welcome(scope["path"], [(name, value) for name, value in query if name != "token"])
        if not self._is_token(_cookie(headers, self._cookie)):
            return PlainTextResponse("Open the address that `newsletter preview` printed.\n", 403)
        return None

    def _welcome(self, path: str, query: list[tuple[str, str]]) -> Response:
        # The path is ours and begins with one slash: "//host" would lead to another site.
        to = "/" + path.lstrip("/\\") + (f"?{urlencode(query)}" if query else "")
        response = RedirectResponse(to, 303)
        response.set_cookie(self._cookie, self._token, httponly=True, samesite="lax", path="/")
        return response

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _protect(headers: MutableHeaders) -> None:
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cache-Control", "no-store")
