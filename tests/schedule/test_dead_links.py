"""Links are asked for over the guarded client: what is gone is an error, what does not answer a warning."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from newsletter.net.client import Fetcher
from newsletter.render.lint import Mail, Severity
from newsletter.schedule.dead_links import addresses_of, ask, dead_links
from tests.support.web_server import a_site

WEB = "https://mail.news.example"


async def served(asked: list[str]) -> TestServer:
    """A site on 127.0.0.1: /gone is, /ill fails, everything else answers."""

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status={"/gone": 410, "/missing": 404, "/ill": 503}.get(request.path, 200))

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    return server


async def test_each_address_is_asked_once_and_what_is_gone_is_an_error(tmp_path: Path) -> None:
    asked: list[str] = []
    server = await served(asked)
    base = str(server.make_url("")).rstrip("/")
    configuration = a_site(tmp_path, WEB, sources=f'{{cms: {{feed: "{base}/rss", allow_private: true}}}}')
    html = "".join(f'<p><a href="{base}/{path}">x</a></p>\n' for path in ("good", "gone", "ill", "good"))
    mail = Mail(f"<!DOCTYPE html><html><body>\n{html}</body></html>", f"More\n{base}/missing.\n")
    try:
        async with Fetcher(jitter=timedelta(0)) as client:
            refused = await ask(configuration, addresses_of(configuration, [mail, mail]), client)
    finally:
        await server.close()
    assert sorted(asked) == ["/gone", "/good", "/ill", "/missing"]
    found = dead_links(mail, refused)
    assert [(one.severity, one.rule, one.what, one.spot.line) for one in found] == [
        (Severity.ERROR, "dead-link", f"{base}/gone: it answered 410 Gone", 3),
        (Severity.WARNING, "dead-link", f"{base}/ill: it answered 503 Service Unavailable", 4),
        (Severity.ERROR, "dead-link", f"{base}/missing: it answered 404 Not Found", 2),
    ]


async def test_a_private_address_is_not_asked_unless_it_is_ours(tmp_path: Path) -> None:
    asked: list[str] = []
    server = await served(asked)
    address = str(server.make_url("/inside"))
    mail = Mail(f'<a href="{address}">x</a>', "")
    try:
        async with Fetcher(jitter=timedelta(0)) as client:
            configuration = a_site(tmp_path, WEB)
            refused = await ask(configuration, addresses_of(configuration, [mail]), client)
            assert asked == []
            assert "is not a public address" in dead_links(mail, refused)[0].what
            ours = a_site(tmp_path, str(server.make_url("")))
            assert await ask(ours, [address], client) == {}
    finally:
        await server.close()
    assert asked == ["/inside"]


def test_what_is_made_for_one_reader_is_never_asked_for(tmp_path: Path) -> None:
    configuration = a_site(tmp_path, WEB)
    mail = Mail(f'<a href="{WEB}/u/0/token">x</a><img src="{WEB}/media/a.jpg"><a href="mailto:x@y.example">y</a>', "")
    assert addresses_of(configuration, [mail]) == [f"{WEB}/media/a.jpg"]
