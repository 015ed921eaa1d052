"""The HTTP client: a URL goes in; its bytes, or one clear FetchError, come out.

Redirects are followed by hand so that each hop meets the guard; the deadline covers all of them; the size limit counts
decoded bytes while they arrive. A host is asked by few at a time and never in step (jitter), and what it says of when
to ask again comes back with its answer. All bodies together are held within a budget (``body_budget``). Proxies and
netrc of the environment are not used.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Self

import aiohttp
from yarl import URL

from newsletter import __version__
from newsletter.errors import FetchError
from newsletter.net.body_budget import BodyBudget, Share
from newsletter.net.decoding import ACCEPT_ENCODING, Decoder, DecodingError
from newsletter.net.freshness import fresh_for, retry_after
from newsletter.net.guard import NEVER_ALLOWED, AddressRefused, guarding_socket_factory

MAX_REDIRECTS = 5
PER_HOST = 2
JITTER = timedelta(milliseconds=200)
_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}  # RFC 9110 sections 15.4.2 and 15.4.9
_CHUNK = 65_536
# Where only the beginning is wanted: little at a time, so that what is unpacked beyond it is little too.
_SMALL_CHUNK = 4096
_DECODED_AT_ONCE = 2_000_000
# Of the answer that an error is about: how much is kept for whoever looks into it, and how long is waited for it.
_ERROR_BODY = 65_536
_ERROR_BODY_WITHIN = 2.0
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/html;q=0.8, */*;q=0.5"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL gave. ``url`` is where the answer came from; ``permanent_url`` is '' unless it moved for good.

    ``retry_after`` and ``fresh_for`` are seconds: not to be asked before, and not going to change before; None where
    the answer says nothing of it.
    """

    status: int
    url: str
    body: bytes
    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    permanent_url: str = ""
    not_modified: bool = False
    retry_after: float | None = None
    fresh_for: float | None = None


_Read = Callable[[aiohttp.ClientResponse, asyncio.Timeout], Awaitable[bytes]]


class Fetcher:
    """An HTTP client for as long as its ``async with`` lasts; at most two requests to a host at a time."""

    def __init__(
        self,
        *,
        contact: str = "",
        tls: ssl.SSLContext | None = None,
        jitter: timedelta = JITTER,
        budget: BodyBudget | None = None,
        random: Random | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``contact`` is a URL where whoever runs a fetched site learns who we are. ``tls`` replaces the defaults.

        Each request to a host but the first waits up to ``jitter``, as ``random`` has it. ``budget`` is what all bodies
        may take at once.
        """
        self.budget = budget or BodyBudget()
        about = f" (+{contact})" if contact else ""
        self._agent = f"newsletter/{__version__}{about}"
        self._tls = tls
        self._jitter = jitter.total_seconds()
        self._random = random or Random()  # noqa: S311 - nothing secret hangs on it
        self._clock = clock
        self._asked: set[tuple[str | None, int | None]] = set()
        self._resources = AsyncExitStack()
        # Two sessions, because a connection kept open to a private address must never serve a guarded request.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._places: defaultdict[tuple[str | None, int | None], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(PER_HOST)
        )

    async def __aenter__(self) -> Self:
        for allow_private in (False, True):
            self._sessions[allow_private] = await self._resources.enter_async_context(
                aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(
                        socket_factory=guarding_socket_factory(allow_private=allow_private),
                        ssl=self._tls or True,
                        limit=0,
                    ),
                    cookie_jar=aiohttp.DummyCookieJar(),
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=15),
                    auto_decompress=False,
                    trust_env=False,
                    max_line_size=32_768,
                    max_field_size=32_768,
                    headers={"User-Agent": self._agent, "Accept": _ACCEPT, "Accept-Encoding": ACCEPT_ENCODING},
                )
            )
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._sessions.clear()
        await self._resources.aclose()

    async def fetch(
        self,
        url: str,
        *,
        etag: str = "",
        last_modified: str = "",
        accept: str = "",
        max_bytes: int = 10_000_000,
        within: timedelta = timedelta(seconds=30),
        allow_private: bool = False,
        share: Share | None = None,
    ) -> Fetched:
        """GET ``url``, conditionally if ``etag`` or ``last_modified`` is given, decoded size at most ``max_bytes``.

        ``within`` covers everything from the first connection to the last byte, but not waiting for a place at the
        host or in the budget. ``accept`` replaces our Accept header, which is a feed reader's. ``share`` of the budget
        is what the body counts as; without one it counts only while it arrives. Raises FetchError for refused
        addresses, too many redirects, other statuses than 2xx (and 304 when it was asked for), size, time and network.
        """
        headers = {}
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        conditional = bool(headers)
        if accept:
            headers["Accept"] = accept
        with self.budget.share() if share is None else nullcontext(share) as counted:
            read = _whole(max_bytes, counted)
            return await self._follow(url, headers, read, within, allow_private, conditional=conditional)

    async def fetch_beginning(
        self,
        url: str,
        size: int,
        *,
        accept: str = "",
        within: timedelta = timedelta(seconds=30),
        allow_private: bool = False,
    ) -> Fetched:
        """As ``fetch``, but the first ``size`` decoded bytes do; the rest is never read. Raises FetchError."""
        headers = {"Accept": accept} if accept else {}
        return await self._follow(url, headers, _beginning(size), within, allow_private)

    async def reachable(
        self, url: str, *, within: timedelta = timedelta(seconds=10), allow_private: bool = False
    ) -> None:
        """Return if a GET of ``url`` is answered 2xx, without reading the body. Raises FetchError otherwise."""
        await self._follow(url, {}, _nothing, within, allow_private)

    async def _follow(
        self,
        url: str,
        headers: Mapping[str, str],
        read: _Read,
        within: timedelta,
        allow_private: bool,
        *,
        conditional: bool = False,
    ) -> Fetched:
        remaining = within.total_seconds()
        clock = asyncio.get_running_loop().time
        permanent, all_permanent = "", True
        status = 0
        try:
            at = _parsed(URL(url))
            for _hop in range(MAX_REDIRECTS + 1):
                async with self._places[at.host, at.port]:
                    await self._out_of_step(at)
                    started = clock()
                    async with asyncio.timeout(remaining) as limit:
                        session = self._sessions[allow_private]
                        answer = await self._get(session, at, headers, read, limit, conditional)
                    remaining -= clock() - started
                if isinstance(answer, Fetched):
                    return replace(answer, permanent_url=permanent)
                status, target = answer
                at = _next_hop(at, target)
                all_permanent = all_permanent and status in _PERMANENT
                if all_permanent:
                    permanent = without_credentials(at)
            raise _Refusal(f"it redirects more than {MAX_REDIRECTS} times", status=status)
        except TimeoutError:
            raise FetchError(f"no complete answer within {_seconds(within)}", where=without_credentials(url)) from None
        except _Refusal as refusal:
            raise refusal.as_error(url) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            what, remedy = _explained(error)
            raise FetchError(what, where=without_credentials(url), remedy=remedy) from error

    async def _out_of_step(self, at: URL) -> None:
        """Wait a little before each request to a host but the first, so that several sources never knock together."""
        host = (at.host, at.port)
        if host in self._asked and self._jitter:
            await asyncio.sleep(self._random.uniform(0, self._jitter))
        self._asked.add(host)

    async def _get(
        self,
        session: aiohttp.ClientSession,
        url: URL,
        asking: Mapping[str, str],
        read: _Read,
        limit: asyncio.Timeout,
        conditional: bool,
    ) -> Fetched | tuple[int, str]:
        """One request: the answer, or a redirect's status and target."""
        async with session.get(url, headers=asking, allow_redirects=False) as response:
            try:
                headers, status = response.headers, response.status
                now = self._clock()
                if status in _REDIRECTS:
                    if not headers.get("Location"):
                        raise _Refusal(f"it answered {status} without saying where to", status=status)
                    return status, headers["Location"]
                not_modified = status == 304 and conditional
                if not (200 <= status < 300 or not_modified):
                    reason = f" {response.reason}" if response.reason else ""
                    raise _Refusal(
                        f"it answered {status}{reason[:60]}",
                        status=status,
                        retry_after=retry_after(headers, now),
                        body=await _error_body(response, limit),
                    )
                return Fetched(
                    status,
                    without_credentials(url),
                    b"" if not_modified else await read(response, limit),
                    content_type=headers.get("Content-Type", ""),
                    etag=headers.get("ETag", ""),
                    last_modified=headers.get("Last-Modified", ""),
                    not_modified=not_modified,
                    retry_after=retry_after(headers, now),
                    fresh_for=fresh_for(headers, now),
                )
            finally:
                if not response.content.is_eof():
                    response.close()  # what was not read must not be waited for


class _Refusal(Exception):
    """Carries words and facts from where they are known to where the URL asked for is."""

    def __init__(
        self, what: str, remedy: str = "", *, status: int = 0, retry_after: float | None = None, body: bytes = b""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.status = status
        self.retry_after = retry_after
        self.body = body

    def as_error(self, url: str) -> FetchError:
        error = FetchError(self.what, where=without_credentials(url), remedy=self.remedy)
        error.status, error.retry_after, error.body = self.status, self.retry_after, self.body
        return error


def _whole(max_bytes: int, share: Share) -> _Read:
    """Reads all of an answer as it may be held; one that is too large or broken is refused, with what came of it."""

    async def read(response: aiohttp.ClientResponse, limit: asyncio.Timeout) -> bytes:
        body = bytearray()
        try:
            announced = response.content_length
            if announced is not None and announced > max_bytes:
                raise DecodingError(f"it is {announced:,} bytes, more than the {max_bytes:,} allowed")
            decoder = Decoder(response.headers.get("Content-Encoding", ""), max_bytes)
            async for chunk in response.content.iter_chunked(_CHUNK):
                for piece in decoder.pieces(chunk):
                    await share.take(len(piece), limit)
                    body += piece
            decoder.finish()
        except (aiohttp.ClientError, DecodingError) as error:
            what, remedy = _explained(error)
            raise _Refusal(what, remedy, status=response.status, body=bytes(body[:_ERROR_BODY])) from error
        return bytes(body)

    return read


def _beginning(size: int) -> _Read:
    """Reads the first ``size`` bytes of an answer."""

    async def read(response: aiohttp.ClientResponse, _limit: asyncio.Timeout) -> bytes:
        decoder = Decoder(response.headers.get("Content-Encoding", ""), size + _DECODED_AT_ONCE)
        body = bytearray()
        async for chunk in response.content.iter_chunked(_SMALL_CHUNK):
            body += decoder.feed(chunk)
            if len(body) >= size:
                return bytes(body[:size])
        decoder.finish()
        return bytes(body)

    return read


async def _nothing(_response: aiohttp.ClientResponse, _limit: asyncio.Timeout) -> bytes:
    return b""


async def _error_body(response: aiohttp.ClientResponse, limit: asyncio.Timeout) -> bytes:
    """How an error answer begins, as much of it as comes soon: the error must not become a timeout for it."""
    clock = asyncio.get_running_loop().time
    body = bytearray()
    try:
        decoder = Decoder(response.headers.get("Content-Encoding", ""), _DECODED_AT_ONCE)
        async with asyncio.timeout(min(_ERROR_BODY_WITHIN, max((limit.when() or 0) - clock(), 0) / 2)):
            async for chunk in response.content.iter_chunked(_SMALL_CHUNK):
                body += decoder.feed(chunk)
                if len(body) >= _ERROR_BODY:
                    break
    except (TimeoutError, aiohttp.ClientError, OSError, DecodingError):
        pass  # what has come is better than nothing
    return bytes(body[:_ERROR_BODY])


def _parsed(url: URL) -> URL:
    if url.scheme not in {"http", "https"} or not url.host:
        raise _Refusal("only http:// and https:// addresses are fetched")
    return url


def _next_hop(at: URL, location: str) -> URL:
    """Where a redirect leads. Credentials go along only to the same origin (RFC 9110 section 15.4)."""
    target = _parsed(at.join(URL(location)))
    same_origin = target.origin() == at.origin()
    return target.with_user(at.user).with_password(at.password) if same_origin and at.user else target.with_user(None)


def without_credentials(url: str | URL) -> str:
    """``url`` without credentials and fragment, fit for messages and for the store."""
    try:
        parsed = URL(url) if isinstance(url, str) else url
        return str(parsed.with_user(None).with_fragment(None))
    except ValueError:
        return str(url).rpartition("@")[2][:200]


def _seconds(limit: timedelta) -> str:
    return f"{limit.total_seconds():g} s"


def _explained(error: BaseException) -> tuple[str, str]:
    """What went wrong in one line, and what to do about it where we know."""
    cause: BaseException = error
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error.certificate_error
    if isinstance(cause, AddressRefused) or "is not a public address" in str(cause):
        remedy = "" if NEVER_ALLOWED in str(cause) else "Say allow_private: true at the source if it is yours"
        return f"{cause}, so it is not connected to", remedy
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host name cannot be found", ""
    if isinstance(cause, ssl.SSLError):
        return f"its TLS certificate or connection is not valid ({_first_line(cause)})", ""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"it cannot be connected to ({cause.strerror if isinstance(cause, OSError) else cause})", ""
    if isinstance(error, DecodingError):
        return str(error), ""
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "its answer was cut short", ""
    if isinstance(error, aiohttp.InvalidURL | ValueError) and not isinstance(error, aiohttp.ClientResponseError):
        return "it is not a usable address", ""
    return f"its answer could not be read ({type(error).__name__}: {_first_line(error)})", ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[0][:160]
