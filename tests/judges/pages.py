"""Every web page as a browser gets it, from the demo's own site: served by uvicorn once, fetched, and kept.

A kept page has its address, status, headers and body, and so has what it loads (stylesheet, script, frame). Chromium
is then answered from what was kept (``answer``), so that a page which is the answer to a POST is judged like any other.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
from sqlalchemy import select

from newsletter.config.reading import Configuration
from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.members.links import Links
from newsletter.model import ConsentChannel, MailedPurpose, Occurrence, StreamName, Subscriber, SuppressionScope
from newsletter.preview import serving
from newsletter.preview.choice import VIEWS, Choice
from newsletter.preview.workbench import Workbench
from newsletter.store import Store, occurrences, subscribers, tables
from newsletter.web import time_trap
from tests.support.web_server import served

SIGN_UP_PAGES = (
    "subscribe",
    "subscribe-refused",
    "subscribe-once-more",
    "subscribe-sent",
    "confirm",
    "confirmed",
    "confirmed-before",
    "one-more",
    "sign-in",
    "sign-in-refused",
    "sign-in-sent",
    "sign-in-link",
)
WEB_PAGES = (
    *SIGN_UP_PAGES,
    "unsubscribe",
    "unsubscribed",
    "unsubscribed-before",
    "subscribed-again",
    "preferences",
    "preferences-refused",
    "preferences-saved",
    "preferences-none",
    "preferences-paused",
    "erase",
    "erase-unsure",
    "erased",
    "stopped",
    "not-found",
    "not-allowed",
    "edition-gone",
)
PREVIEW_PAGES = (
    "preview",
    "preview-panes",
    "preview-inbox",
    "preview-text",
    "preview-reading",
    "preview-headers",
    "preview-structure",
    "preview-source",
    "preview-inlining",
    "preview-difference",
    "preview-scenario",
    "preview-plain-reader",
    "preview-fault",
    "in-the-mail",
)
PAGES = (*WEB_PAGES, *PREVIEW_PAGES)

_LOADED = re.compile(
    r"<(?:img src|link rel=\"(?:stylesheet|modulepreload)\" href|script (?:type=\"module\" )?src|iframe\b[^>]*\ssrc"
    r"|div id=\"findings\" data-source)=\"([^\"]+)\""
)


@dataclass(frozen=True)
class Kept:
    """One answer of the server. ``body`` is base64; ``html`` is what it says."""

    name: str
    url: str
    status: int
    headers: dict[str, str]
    body: str

    @property
    def content(self) -> bytes:
        return base64.b64decode(self.body)

    @property
    def html(self) -> str:
        return self.content.decode("utf-8")


def fetch_pages(configuration: Configuration, folder: Path) -> None:
    """Write every page, and what pages load, to ``folder/pages.json``."""
    kept = asyncio.run(_fetch(configuration))
    (folder / "pages.json").write_text(json.dumps([asdict(one) for one in kept]), encoding="utf-8")


def load_pages(folder: Path) -> dict[str, Kept]:
    """What ``fetch_pages`` wrote, by name; what pages load is named by its address."""
    found = [Kept(**one) for one in json.loads((folder / "pages.json").read_text(encoding="utf-8"))]
    return {one.name: one for one in found}


async def _fetch(configuration: Configuration) -> list[Kept]:
    kept: list[Kept] = []
    with Store.open(configuration.store_url) as store:
        async with (
            served(configuration, store, clock=lambda: datetime.now(UTC), browser_copy=_kept_no_longer) as base,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        ):
            await _fetch_web(store, client, base, kept)
            await _fetch_sign_up(configuration, store, client, base, kept)
        async with _preview(configuration, store) as (base, token):
            cookie = {"Cookie": f"newsletter-preview-{base.rpartition(':')[2]}={token}"}
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), headers=cookie) as client:
                await _fetch_preview(store, client, base, kept)
    return kept


async def _kept_no_longer(_subscriber_id: int, _of: StreamName, _occurrence: Occurrence) -> str | None:
    return None


async def _fetch_web(store: Store, client: aiohttp.ClientSession, base: str, kept: list[Kept]) -> None:
    def person(name: str) -> Subscriber:
        found = store.read(subscribers.by_address, f"{name}@readers.example")
        assert found is not None
        return found

    links, anitha, jaya = Links(base), person("anitha.raman"), person("jaya.pillai")
    leela = person("leela.fernandes")
    leaving = links.unsubscribe(jaya.id, jaya.secret, "weekend")
    choosing = links.preferences(jaya.id, jaya.secret)
    [last, *_] = store.read(occurrences.listing, newsletter="daily", limit=1)
    gone = links.browser(anitha.id, anitha.secret, StreamName("daily"), last.occurrence)
    visits: list[tuple[str, str, list[tuple[str, str]] | None]] = [
        ("preferences", choosing, None),
        ("unsubscribe", links.unsubscribe(anitha.id, anitha.secret, "daily"), None),
        ("unsubscribed", leaving, [("from", "page")]),
        ("unsubscribed-before", leaving, None),
        ("subscribed-again", leaving + "/again", []),
        ("preferences-refused", choosing, _wrong_choices()),
        ("preferences-paused", choosing + "/pause", []),
        ("preferences-saved", choosing, [("shown", "weekend"), ("was:weekend", "on")]),
        ("preferences-none", choosing + "/none", []),
        ("not-found", base + "/u/7/daily/nothing", None),
        ("not-allowed", base + "/health", []),
        ("edition-gone", gone, None),
        ("erase", choosing + "/erase", None),
        ("erase-unsure", choosing + "/erase", []),
        ("erased", choosing + "/erase", [("sure", "yes")]),
        ("stopped", links.preferences(leela.id, leela.secret), None),
    ]
    how = Evidence(ConsentChannel.CLI, datetime.now(UTC))
    store.write(consent.suppress, leela.id, SuppressionScope.ALL, "hard_bounce", how)
    for name, url, form in visits:
        await _keep(client, name, url, form, kept)


async def _fetch_sign_up(
    configuration: Configuration, store: Store, client: aiohttp.ClientSession, base: str, kept: list[Kept]
) -> None:
    opened = time_trap.stamp(configuration.site_keys, datetime.now(UTC) - timedelta(minutes=1))
    hurried = time_trap.stamp(configuration.site_keys, datetime.now(UTC))
    form = [("address", "new.reader@readers.example"), ("newsletter", "daily"), ("newsletter", "weekend")]
    await _keep(client, "subscribe", f"{base}/subscribe?newsletter=daily", None, kept)
    await _keep(client, "subscribe-refused", f"{base}/subscribe", [("stamp", opened), ("address", "new@")], kept)
    await _keep(client, "subscribe-once-more", f"{base}/subscribe", [("stamp", hurried), *form], kept)
    await _keep(client, "subscribe-sent", f"{base}/subscribe", [("stamp", opened), *form], kept)
    confirming = _mailed(store, base, MailedPurpose.CONFIRM)
    await _keep(client, "confirm", confirming, None, kept)
    await _keep(client, "confirmed", confirming, [], kept)
    await _keep(client, "confirmed-before", confirming, None, kept)
    new = store.read(subscribers.by_address, "new.reader@readers.example")
    assert new is not None
    await _keep(client, "one-more", Links(base).subscribe(new.id, new.secret, "briefing"), None, kept)
    await _keep(client, "sign-in", f"{base}/sign-in", None, kept)
    await _keep(client, "sign-in-refused", f"{base}/sign-in", [("address", "new")], kept)
    await _keep(client, "sign-in-sent", f"{base}/sign-in", [("address", new.address)], kept)
    await _keep(client, "sign-in-link", _mailed(store, base, MailedPurpose.SIGN_IN), None, kept)


def _mailed(store: Store, base: str, purpose: MailedPurpose) -> str:
    """The link of this purpose that was mailed last."""
    row, who = tables.mailed_links, tables.subscribers
    query = select(row.c.id, who.c.secret).where(row.c.subscriber_id == who.c.id, row.c.purpose == purpose.value)
    number, secret = store.read(lambda connection: connection.execute(query.order_by(row.c.id.desc())).first()) or (
        0,
        b"",
    )
    links = Links(base)
    return links.confirm(number, secret) if purpose is MailedPurpose.CONFIRM else links.sign_in(number, secret)


def _wrong_choices() -> list[tuple[str, str]]:
    """A form whose every field of the daily is wrong."""
    return [
        ("shown", "daily"),
        ("was:daily", "on"),
        ("on:daily", "on"),
        ("settings:daily", "yes"),
        ("section:daily", "National"),
        ("place:daily:National", "first"),
        ("format:daily", "papyrus"),
        ("pause:daily", "1999-01-01"),
    ]


async def _fetch_preview(store: Store, client: aiohttp.ClientSession, base: str, kept: list[Kept]) -> None:
    [last, *_] = store.read(occurrences.listing, newsletter="daily", limit=1)
    query = f"{base}/?newsletter=daily&edition={last.occurrence}"
    reader = "david.okafor@readers.example"
    for name, url in (
        ("preview", query),
        ("preview-panes", query + "&pane=375.light&pane=375.dark&pane=640.outlook"),
        *((f"preview-{view}", f"{query}&view={view}") for view in VIEWS if view != "html"),
        ("preview-scenario", f"{base}/?newsletter=daily&edition=scenario:usual-day&view=scenario&pane=375.light"),
        ("preview-plain-reader", f"{query}&as={reader}"),
        ("preview-fault", f"{base}/?newsletter=nothing"),
        ("in-the-mail", f"{base}/in-the-mail/u/7/daily/token"),
    ):
        await _keep(client, name, url, None, kept)


async def _keep(
    client: aiohttp.ClientSession, name: str, url: str, form: list[tuple[str, str]] | None, kept: list[Kept]
) -> None:
    """Keep the page, and what it loads where that is not kept yet."""
    async with client.request("GET" if form is None else "POST", url, data=form, allow_redirects=False) as response:
        body = await response.read()
        headers = {key.lower(): value for key, value in response.headers.items()}
        shown = {key: value for key, value in headers.items() if key not in ("content-length", "transfer-encoding")}
        kept.append(Kept(name, url, response.status, shown, base64.b64encode(body).decode("ascii")))
    if not headers.get("content-type", "").startswith("text/html") or name.startswith("http"):
        return
    for loaded in _LOADED.findall(body.decode("utf-8")):
        address = urljoin(url, loaded.replace("&amp;", "&"))
        if all(one.name != address for one in kept):
            await _keep(client, address, address, None, kept)


@asynccontextmanager
async def _preview(configuration: Configuration, store: Store) -> AsyncIterator[tuple[str, str]]:
    workbench = Workbench(
        configuration, lambda: configuration, store, lambda: datetime.now(UTC), Choice("daily", "next")
    )
    listening, stop, ready = serving.listen(0), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(serving.serve(workbench, listening, stop, ready.set))
    try:
        await ready.wait()
        yield f"http://{serving.HOST}:{listening.port}", listening.token
    finally:
        stop.set()
        await task
