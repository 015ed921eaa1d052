"""The HTTP client against a real server on loopback."""

from __future__ import annotations

import asyncio
import base64
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from time import perf_counter

import brotli
import pytest
import trustme
from aiohttp import web

from newsletter.errors import FetchError
from newsletter.net import Fetched, Fetcher, guard
from newsletter.net.client import without_credentials
from tests.net.publisher import (
    Handler,
    Publisher,
    answering,
    never_ending,
    pieces,
    publishing,
    redirecting,
    with_etag,
)

MEGABYTE = 1_000_000


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher(contact="https://news.example", jitter=timedelta()) as opened:
        yield opened


async def fetched(fetcher: Fetcher, url: str, *, seconds: float = 10, max_bytes: int = MEGABYTE) -> Fetched:
    return await fetcher.fetch(url, max_bytes=max_bytes, within=timedelta(seconds=seconds), allow_private=True)


async def error(fetcher: Fetcher, url: str, *, seconds: float = 10, max_bytes: int = MEGABYTE) -> FetchError:
    with pytest.raises(FetchError) as caught:
        await fetched(fetcher, url, seconds=seconds, max_bytes=max_bytes)
    assert "\n" not in str(caught.value)
    return caught.value


async def refusal(fetcher: Fetcher, url: str, *, seconds: float = 10, max_bytes: int = MEGABYTE) -> str:
    return str(await error(fetcher, url, seconds=seconds, max_bytes=max_bytes))


async def test_a_page_comes_with_its_validators(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = answering(
        body=b"<rss/>", ETag='"1"', Last_Modified="Mon, 23 Nov 2026 06:00:00 GMT", Content_Type="text/xml"
    )
    assert await fetched(fetcher, publisher.url()) == Fetched(
        200, publisher.url(), b"<rss/>", "text/xml", '"1"', "Mon, 23 Nov 2026 06:00:00 GMT"
    )


async def test_the_user_agent_says_who_we_are_and_whom_to_ask(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = b"x"
    await fetched(fetcher, publisher.url())
    agent = publisher.asked[0].headers["User-Agent"]
    assert agent.startswith("newsletter/")
    assert agent.endswith("(+https://news.example)")


async def test_what_has_not_changed_is_not_sent_again(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = with_etag(b"<rss/>")
    again = await fetcher.fetch(publisher.url(), etag='"v1"', allow_private=True)
    assert (again.not_modified, again.status, again.body) == (True, 304, b"")


async def test_a_304_that_nobody_asked_for_is_an_error(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = answering(304)
    assert "answered 304" in await refusal(fetcher, publisher.url())


async def test_a_loopback_url_is_refused_in_one_line(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = b"secret"
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(publisher.url())
    assert str(caught.value) == (
        f"{publisher.url()}: 127.0.0.1 is not a public address, so it is not connected to. "
        "Say allow_private: true at the source if it is yours"
    )
    assert publisher.asked == []


@pytest.mark.parametrize(
    "host", ["localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0", "0", "169.254.169.254", "[::1]"]
)
async def test_no_spelling_of_a_private_address_gets_through(fetcher: Fetcher, publisher: Publisher, host: str) -> None:
    publisher.pages["/feed"] = b"secret"
    with pytest.raises(FetchError):
        await fetcher.fetch(f"http://{host}:{publisher.port}/feed", within=timedelta(seconds=5))
    assert publisher.asked == []


async def test_a_connection_kept_for_a_private_source_serves_no_other(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = b"x"
    await fetched(fetcher, publisher.url())
    with pytest.raises(FetchError, match="not a public address"):
        await fetcher.fetch(publisher.url())


async def test_each_hop_of_a_redirect_meets_the_guard(
    fetcher: Fetcher, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "is_public", lambda host: host == "127.0.0.1")
    publisher.pages["/feed"] = redirecting(f"http://127.0.0.2:{publisher.port}/inside")
    with pytest.raises(FetchError, match=r"127\.0\.0\.2 is not a public address"):
        await fetcher.fetch(publisher.url())
    assert [request.path for request in publisher.asked] == ["/feed"]


async def test_a_permitted_private_source_cannot_lead_to_cloud_metadata(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = redirecting("http://169.254.169.254/latest/meta-data/")
    line = await refusal(fetcher, publisher.url())
    assert "169.254.169.254 is not a public address nor one that allow_private permits" in line
    assert "Say allow_private" not in line  # it would not help


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1", "http://[::1", ""])
async def test_a_redirect_leads_to_http_or_nowhere(fetcher: Fetcher, publisher: Publisher, target: str) -> None:
    publisher.pages["/feed"] = redirecting(target)
    await refusal(fetcher, publisher.url())
    assert len(publisher.asked) == 1


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://news.example/", "news.example", "", "http://", "http://a b"]
)
async def test_what_is_not_a_web_address_is_not_fetched(fetcher: Fetcher, url: str) -> None:
    await refusal(fetcher, url)


async def test_a_redirect_is_followed_to_the_end(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages |= {"/feed": redirecting("there"), "/there": b"found"}
    answer = await fetched(fetcher, publisher.url())
    assert (answer.url, answer.body, answer.permanent_url) == (publisher.url("/there"), b"found", "")


async def test_only_what_moved_for_good_is_worth_remembering(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages |= {"/feed": redirecting("/new", 301), "/new": redirecting("/today", 302), "/today": b"found"}
    answer = await fetched(fetcher, publisher.url())
    assert (answer.url, answer.permanent_url) == (publisher.url("/today"), publisher.url("/new"))


async def test_a_redirect_loop_ends(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = redirecting("/feed")
    assert "redirects more than 5 times" in await refusal(fetcher, publisher.url())
    assert len(publisher.asked) == 6


async def test_credentials_stay_with_the_host_they_were_written_for(fetcher: Fetcher, publisher: Publisher) -> None:
    async with publishing() as elsewhere:
        publisher.pages |= {"/feed": redirecting("/here"), "/here": redirecting(elsewhere.url("/there"))}
        elsewhere.pages["/there"] = b"found"
        answer = await fetched(fetcher, f"http://jane:s3cret@127.0.0.1:{publisher.port}/feed")
    expected = "Basic " + base64.b64encode(b"jane:s3cret").decode()
    assert [request.headers.get("Authorization") for request in publisher.asked] == [expected, expected]
    assert [request.headers.get("Authorization") for request in elsewhere.asked] == [None]
    assert answer.url == elsewhere.url("/there")


async def test_credentials_are_never_in_an_error(fetcher: Fetcher, publisher: Publisher) -> None:
    line = await refusal(fetcher, f"http://jane:s3cret@127.0.0.1:{publisher.port}/missing")
    assert line == f"{publisher.url('/missing')}: it answered 404 Not Found"


@pytest.mark.parametrize("url", ["http://jane:s3cret@x.example/a#b", "http://jane:s3cret@[broken/a"])
def test_credentials_can_be_taken_off_any_url(url: str) -> None:
    assert "s3cret" not in without_credentials(url)


async def test_50_megabytes_are_refused_by_their_announcement(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = bytes(50 * MEGABYTE)
    assert await refusal(fetcher, publisher.url()) == (
        f"{publisher.url()}: it is 50,000,000 bytes, more than the 1,000,000 allowed"
    )


async def test_50_megabytes_without_a_length_are_refused_on_the_way(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = pieces(50 * MEGABYTE)
    assert "larger than 1,000,000 bytes" in await refusal(fetcher, publisher.url())


@pytest.mark.parametrize("limit", [MEGABYTE, 500 * MEGABYTE])
@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_a_bomb_is_refused_before_it_is_unpacked(
    fetcher: Fetcher, publisher: Publisher, coding: str, limit: int
) -> None:
    nothing = bytes(100 * MEGABYTE)
    bomb = gzip.compress(nothing, mtime=0) if coding == "gzip" else brotli.compress(nothing, quality=3)
    publisher.pages["/feed"] = answering(body=bomb, Content_Encoding=coding)
    line = await refusal(fetcher, publisher.url(), max_bytes=limit)
    assert "larger than 1,000,000 bytes" in line or "unpacks to more than 200 times its size" in line


async def test_a_body_that_never_ends_is_given_up_on(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = never_ending()
    line = await refusal(fetcher, publisher.url(), seconds=0.3)
    assert line == f"{publisher.url()}: no complete answer within 0.3 s"


async def test_an_answer_that_never_begins_is_given_up_on(fetcher: Fetcher, publisher: Publisher) -> None:
    async def silent(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    publisher.pages["/feed"] = silent
    assert "within 0.3 s" in await refusal(fetcher, publisher.url(), seconds=0.3)


async def test_the_deadline_covers_all_redirects_together(fetcher: Fetcher, publisher: Publisher) -> None:
    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return web.Response(status=302, headers={"Location": "/feed"})

    publisher.pages["/feed"] = slow
    assert "within 0.5 s" in await refusal(fetcher, publisher.url(), seconds=0.5)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello ", mtime=0) + gzip.compress(b"world", mtime=0)),
        ("x-gzip", gzip.compress(b"hello world", mtime=0) + bytes(100)),
        ("deflate", zlib.compress(b"hello world")),
        ("deflate", zlib.compress(b"hello world")[2:-4]),
        ("br", brotli.compress(b"hello world")),
        ("identity", b"hello world"),
    ],
)
async def test_content_codings_are_undone(fetcher: Fetcher, publisher: Publisher, coding: str, body: bytes) -> None:
    publisher.pages["/feed"] = answering(body=body, Content_Encoding=coding)
    assert (await fetched(fetcher, publisher.url())).body == b"hello world"


@pytest.mark.parametrize(
    ("coding", "body", "words"),
    [
        ("gzip", b"not gzip at all", "gzip encoding is broken"),
        ("deflate", b"\xff\xff\xff\xff", "encoding is broken"),
        ("gzip", gzip.compress(b"hello world" * 50, mtime=0)[:-12], "ends too early"),
        ("br", b"not brotli at all", "br encoding is broken"),
        ("br", brotli.compress(b"hello world" * 50)[:-3], "ends too early"),
        ("zstd", b"\x28\xb5", "encoded as 'zstd', which was not asked for"),
        ("gzip, gzip", b"", "which was not asked for"),
    ],
)
async def test_a_broken_coding_is_one_clear_line(
    fetcher: Fetcher, publisher: Publisher, coding: str, body: bytes, words: str
) -> None:
    publisher.pages["/feed"] = answering(body=body, Content_Encoding=coding)
    assert words in await refusal(fetcher, publisher.url())


async def test_an_answer_that_is_cut_short_is_not_taken_for_whole(fetcher: Fetcher) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "cut short" in await refusal(fetcher, f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "garbage", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"]
)
async def test_an_answer_that_is_not_http_is_one_clear_line(fetcher: Fetcher, garbage: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(garbage)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert len(await refusal(fetcher, f"http://127.0.0.1:{port}/")) < 300


async def test_a_refused_connection_is_one_clear_line(fetcher: Fetcher) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        line = await refusal(fetcher, f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert "cannot be connected to" in line


async def test_a_certificate_that_nobody_signed_is_refused(fetcher: Fetcher) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    async with publishing(server) as publisher:
        publisher.pages["/feed"] = b"x"
        assert "TLS" in await refusal(fetcher, publisher.url())
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        async with Fetcher(tls=trusting) as believer:
            assert (await fetched(believer, publisher.url())).body == b"x"


async def test_a_proxy_in_the_environment_is_not_used(
    fetcher: Fetcher, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    publisher.pages["/feed"] = b"x"
    assert (await fetched(fetcher, publisher.url())).body == b"x"


async def test_at_most_two_requests_go_to_a_host_at_a_time(fetcher: Fetcher, publisher: Publisher) -> None:
    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.02)
        return web.Response(body=b"x")

    publisher.pages["/feed"] = slow
    await asyncio.gather(*(fetched(fetcher, publisher.url()) for _ in range(6)))
    assert publisher.most_at_once == 2


async def test_waiting_for_a_place_does_not_use_up_the_time(fetcher: Fetcher, publisher: Publisher) -> None:
    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response(body=b"x")

    publisher.pages["/feed"] = slow
    await asyncio.gather(*(fetched(fetcher, publisher.url(), seconds=1) for _ in range(8)))
    assert len(publisher.asked) == 8


async def test_a_page_is_reachable_without_its_body_being_read(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/health"] = never_ending()
    await fetcher.reachable(publisher.url("/health"), within=timedelta(seconds=5), allow_private=True)
    with pytest.raises(FetchError, match="answered 404"):
        await fetcher.reachable(publisher.url("/picture"), allow_private=True)


async def test_an_error_carries_what_the_server_said(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages |= {
        "/gone": answering(410, b"it is gone"),
        "/busy": answering(429, gzip.compress(b"slow down", mtime=0), Content_Encoding="gzip", Retry_After="120"),
        "/odd": answering(503, b"not gzip", Content_Encoding="gzip", Retry_After="sometime"),
    }
    found = [await error(fetcher, publisher.url(path)) for path in ("/gone", "/missing", "/busy", "/odd")]
    assert [(one.status, one.retry_after, one.body) for one in found] == [
        (410, None, b"it is gone"),
        (404, None, b""),
        (429, 120.0, b"slow down"),
        (503, None, b""),
    ]


async def test_an_error_with_a_date_to_come_back_at(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = answering(
        503, Date="Mon, 23 Nov 2026 06:00:00 GMT", Retry_After="Mon, 23 Nov 2026 06:10:00 GMT"
    )
    assert (await error(fetcher, publisher.url())).retry_after == 600.0


async def test_without_an_answer_there_is_no_status(fetcher: Fetcher, publisher: Publisher) -> None:
    found = await error(fetcher, "http://127.0.0.1:9/")
    assert (found.status, found.retry_after, found.body) == (0, None, b"")
    publisher.pages["/feed"] = redirecting("/feed")
    assert (await error(fetcher, publisher.url())).status == 302


async def test_what_came_of_a_broken_answer_is_kept_with_its_error(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = pieces(2 * MEGABYTE)
    found = await error(fetcher, publisher.url())
    assert (found.status, found.body) == (200, b" " * 65_536)


async def test_an_error_page_without_end_is_cut_off(fetcher: Fetcher, publisher: Publisher) -> None:
    def failing(pause: float) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(status=500)
            await response.prepare(request)
            while True:
                await response.write(b"e" * 10_000)
                await asyncio.sleep(pause)

        return handle

    publisher.pages |= {"/fast": failing(0), "/slow": failing(30)}
    assert (await error(fetcher, publisher.url("/fast"))).body == b"e" * 65_536
    slow = await error(fetcher, publisher.url("/slow"), seconds=0.4)
    assert (slow.status, slow.body) == (500, b"e" * 10_000)


async def test_what_an_answer_says_of_time_comes_with_it(fetcher: Fetcher, publisher: Publisher) -> None:
    async def handle(request: web.Request) -> web.Response:
        known = request.headers.get("If-None-Match") == '"1"'
        headers = {"Cache-Control": "max-age=600", "Retry-After": "60", "ETag": '"1"'}
        return web.Response(status=304 if known else 200, headers=headers)

    publisher.pages["/feed"] = handle
    for etag in ("", '"1"'):
        answer = await fetcher.fetch(publisher.url(), etag=etag, allow_private=True)
        assert (answer.fresh_for, answer.retry_after, answer.etag) == (600.0, 60.0, '"1"')
        assert answer.not_modified is bool(etag)


async def test_a_page_may_be_asked_for_as_a_page(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/story"] = b"x"
    await fetcher.fetch(publisher.url("/story"), accept="text/html", allow_private=True)
    await fetched(fetcher, publisher.url("/story"))
    assert publisher.asked[0].headers["Accept"] == "text/html"
    assert "rss" in publisher.asked[1].headers["Accept"]
    assert publisher.asked[0].headers["Accept-Encoding"] == "gzip, deflate, br"


async def test_a_304_needs_a_condition_and_an_accept_header_is_none(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages["/feed"] = answering(304)
    with pytest.raises(FetchError, match="answered 304"):
        await fetcher.fetch(publisher.url(), accept="text/html", allow_private=True)


async def test_the_beginning_of_an_answer_is_enough(fetcher: Fetcher, publisher: Publisher) -> None:
    publisher.pages |= {"/long": never_ending(), "/short": b"short"}
    assert (await fetcher.fetch_beginning(publisher.url("/long"), 2500, allow_private=True)).body == b"x" * 2500
    assert (await fetcher.fetch_beginning(publisher.url("/short"), 2500, allow_private=True)).body == b"short"


class Halfway(Random):
    """Chance that always falls in the middle."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


async def test_each_request_to_a_host_but_the_first_waits_a_little(publisher: Publisher) -> None:
    publisher.pages["/feed"] = b"x"
    async with Fetcher(jitter=timedelta(seconds=0.4), random=Halfway()) as fetcher:
        began = perf_counter()
        await fetched(fetcher, publisher.url())
        first = perf_counter() - began
        await fetched(fetcher, publisher.url(), seconds=0.15)  # the wait is no part of the time allowed
        second = perf_counter() - began - first
        # Nor is it when a redirect leads on to the same host: three requests, each but the first after 0.2 s.
        publisher.pages |= {"/old": redirecting("/older"), "/older": redirecting("/feed")}
        assert (await fetched(fetcher, publisher.url("/old"), seconds=0.15)).body == b"x"
    assert first < 0.2 <= second
