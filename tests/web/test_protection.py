"""What stands around every page: headers, limits, the log, pictures, editions, health."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import Connection, text

from newsletter.model import Occurrence, StreamName, SubscriptionState
from newsletter.store import Store
from newsletter.web.protection import MAX_BODY, without_token
from newsletter.web.readers import truncated
from tests.support.web_server import a_site, served
from tests.web.conftest import Visit


async def test_every_page_forbids_scripts_sniffing_framing_and_telling_where_one_was(visit: Visit) -> None:
    for method, address, status in (
        ("GET", visit.unsubscribe(), 200),
        ("POST", visit.unsubscribe(), 200),
        ("GET", visit.preferences(), 200),
        ("GET", f"{visit.base}/nothing", 404),
        ("DELETE", visit.preferences(), 405),
    ):
        async with visit.client.request(method, address) as response:
            page = await response.text()
            policy = response.headers["Content-Security-Policy"]
            assert response.status == status
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "script-src" not in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "noindex" in response.headers["X-Robots-Tag"]
            assert response.headers["Cache-Control"] == "no-store"
            assert "<script" not in page
            assert "style=" not in page


async def test_browsers_are_told_to_insist_on_https_only_where_the_site_has_it(store: Store, tmp_path: Path) -> None:
    for url, insisted in (("https://mail.news.example/letters", True), ("http://mail.news.example", False)):
        async with (
            served(a_site(tmp_path, url), store) as base,
            aiohttp.ClientSession() as client,
            client.get(f"{base}/nothing") as response,
        ):
            assert ("Strict-Transport-Security" in response.headers) is insisted
            assert ('href="/letters/style.css' in await response.text()) is insisted


async def test_a_body_that_is_too_large_is_refused(visit: Visit) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 1000 + 2):
            yield b"x" * 1000

    for body in (b"x" * (MAX_BODY + 1), endless()):
        try:
            async with visit.client.post(visit.unsubscribe(), data=body) as response:
                assert response.status == 413
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            pass  # the server hung up while we were still writing, which is as good
    assert visit.states()["daily"] is SubscriptionState.ACTIVE
    async with visit.client.post(visit.unsubscribe(), data=b"x" * MAX_BODY) as response:
        assert response.status == 200


async def test_the_access_log_holds_no_token(visit: Visit, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="uvicorn.access"):
        for address in (
            visit.unsubscribe(),
            visit.preferences(),
            f"{visit.preferences()[:-1]}?x=1",
            visit.base + "/health",
        ):
            async with visit.client.get(address):
                pass
    written = caplog.text
    assert written.count("GET") >= 4
    assert "/health" in written
    for address in (visit.unsubscribe(), visit.preferences()):
        assert address.rpartition("/")[2][:-1] not in written
    assert without_token("//u/7/daily/TOKEN/again?x") == "//u/…"


async def test_health_is_ok_while_the_store_answers_and_says_when_it_does_not(visit: Visit) -> None:
    async with visit.client.get(f"{visit.base}/health") as response:
        assert (response.status, (await response.json())["status"]) == (200, "ok")

    def break_it(connection: Connection) -> None:
        connection.execute(text("ALTER TABLE alembic_version RENAME TO gone"))
        connection.execute(text("CREATE TABLE alembic_version (other TEXT)"))

    visit.store.write(break_it)
    async with visit.client.get(f"{visit.base}/health") as response:
        assert (response.status, (await response.json())["status"]) == (503, "store unavailable")


async def test_a_store_that_fails_is_a_503_page_that_may_be_tried_again(visit: Visit) -> None:
    visit.store.write(lambda connection: connection.execute(text("ALTER TABLE revocations RENAME TO gone")))
    async with visit.client.post(visit.unsubscribe()) as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert visit.states()["daily"] is SubscriptionState.ACTIVE


async def test_a_picture_is_served_for_ever_under_its_name_and_nothing_else_is(visit: Visit) -> None:
    media = visit.configuration.media_folder
    (media / "0123456789abcdef.jpg").write_bytes(b"\xff\xd8picture")
    (media / "0123456789abcdef-320.jpg").write_bytes(b"\xff\xd8small")
    (media / "notes.txt").write_text("not a picture")
    (media / ".hidden.jpg").write_text("hidden")
    async with visit.client.get(f"{visit.base}/media/0123456789abcdef.jpg") as response:
        assert (response.status, await response.read()) == (200, b"\xff\xd8picture")
        assert response.headers["Content-Type"] == "image/jpeg"
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with visit.client.get(f"{visit.base}/media/0123456789abcdef-320.jpg") as response:
        assert (response.status, await response.read()) == (200, b"\xff\xd8small")
    async with visit.client.head(f"{visit.base}/media/0123456789abcdef.jpg") as response:
        assert response.status == 200
    for name in (
        "notes.txt",
        ".hidden.jpg",
        "absent.jpg",
        "..%2Fschedules.yaml",
        "%2Fetc%2Fpasswd",
        "a.jpg%00",
        "a.svg",
    ):
        async with visit.client.get(f"{visit.base}/media/{name}") as response:
            assert response.status == 404


async def test_an_edition_in_the_browser_is_hers_alone_and_cannot_act(visit: Visit) -> None:
    first, gone = (Occurrence(date(2026, 11, 1), ordinal) for ordinal in (1, 2))
    link = visit.links.browser(visit.ann.id, visit.ann.secret, StreamName("daily"), first)
    async with visit.client.get(link) as response:
        assert (response.status, "daily 2026-11-01/1" in await response.text()) == (200, True)
        policy = response.headers["Content-Security-Policy"]
        assert "sandbox" in policy
        assert "script" not in policy
        assert "noindex" in response.headers["X-Robots-Tag"]
    async with visit.client.head(link) as response:
        assert (response.status, await response.read()) == (200, b"")
    async with visit.client.get(link.replace("2026-11-01", "2026-11-02")) as response:
        assert response.status == 404
    async with visit.client.get(
        visit.links.browser(visit.ann.id, visit.ann.secret, StreamName("daily"), gone)
    ) as response:
        assert (response.status, "no longer kept" in await response.text()) == (410, True)


async def test_the_stylesheet_has_the_sites_colour_made_readable(visit: Visit) -> None:
    async with visit.client.get(f"{visit.base}/style.css") as response:
        style = await response.text()
        assert response.headers["Content-Type"].startswith("text/css")
    assert style.count("--accent: #") == 2
    assert "{{" not in style


async def test_only_what_is_no_page_is_in_the_schema(visit: Visit) -> None:
    async with visit.client.get(f"{visit.base}/openapi.json") as response:
        assert {path.split("/")[1] for path in (await response.json())["paths"]} == {"health", "api"}
    for path in ("/docs", "/redoc"):
        async with visit.client.get(visit.base + path) as response:
            assert response.status == 404


def test_a_client_is_remembered_by_its_network_alone() -> None:
    assert truncated("192.0.2.77") == "192.0.2.0/24"
    assert truncated("2001:db8:1:2:3::4") == "2001:db8:1::/48"
    assert truncated("::ffff:192.0.2.77") == "192.0.2.0/24"
    assert truncated("fe80::1%eth0") == "fe80::/48"
    assert truncated("unix") == ""
