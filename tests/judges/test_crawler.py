"""A mail scanner gets every link of every kind of mail with GET and HEAD, twice, and follows what it finds: no row
moves.

The demo's own store is copied, so that what the other judges see stays as it is.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin, urlsplit

import aiohttp
import lxml.html

from newsletter.config.reading import load
from newsletter.deliver.copies import browser_copy
from newsletter.members.links import Links
from newsletter.model import MailedPurpose, Occurrence, StreamName
from newsletter.store import Store, mailed_links, subscribers
from newsletter.store.backup import back_up
from tests.judges.gallery import Gallery
from tests.judges.messages import SENT, SYSTEM_MAILS
from tests.support.ledger import dump
from tests.support.web_server import served

_URL = re.compile(r"https?://[^\s<>\"')]+")


def links_of(raw: bytes, web: str) -> set[str]:
    """Every link of a mail that points to our pages: of its headers, its text and its HTML, pictures and all."""
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    found: set[str] = set()
    for _, value in message.items():
        found.update(_URL.findall(str(value)))
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            found.update(_URL.findall(part.get_content()))
        elif part.get_content_type() == "text/html":
            found.update(_links_in(part.get_content().encode()))
    return {urldefrag(link).url for link in found if link.startswith(f"{web}/")}


def _links_in(html: bytes) -> list[str]:
    tree: Any = lxml.html.document_fromstring(html)
    return [address for _, _, address, _ in tree.iterlinks()]


async def crawl(client: aiohttp.ClientSession, base: str, paths: Iterable[str]) -> dict[str, int]:
    """The status of each path and of what their pages link to, forms' addresses too, each with HEAD and GET."""
    waiting, seen = [f"{base}{path}" for path in paths], {}
    while waiting:
        url = waiting.pop()
        if urlsplit(url).path in seen or not url.startswith(f"{base}/"):
            continue
        async with client.head(url, allow_redirects=False) as response:
            assert await response.read() == b""
        async with client.get(url, allow_redirects=False) as response:
            body = await response.read()
            seen[urlsplit(url).path] = response.status
            waiting += [urljoin(url, response.headers["Location"])] if "Location" in response.headers else []
            if response.content_type == "text/html" and body:
                waiting += [urldefrag(urljoin(url, one)).url for one in _links_in(body)]
    return seen


def mailed_links_of(store: Store) -> list[str]:
    """A link of each kind that is mailed to who asks: to confirm, to sign in, to take one more newsletter."""
    reader = store.read(subscribers.by_address, "anitha.raman@readers.example")
    assert reader is not None
    now, links = datetime.now(UTC), Links("")
    confirm, sign_in = (
        store.write(mailed_links.add, purpose, reader.id, ["weekend"], now, now + timedelta(hours=1))
        for purpose in (MailedPurpose.CONFIRM, MailedPurpose.SIGN_IN)
    )
    return [
        links.confirm(confirm, reader.secret),
        links.sign_in(sign_in, reader.secret),
        links.subscribe(reader.id, reader.secret, "weekend"),
    ]


def test_a_crawler_changes_no_row(shown: Gallery, tmp_path: Path) -> None:
    demo = shown.media.parent
    configuration = load(demo / "schedules.yaml", {})
    assert configuration.schedules.web is not None
    web = configuration.schedules.web.base
    assert configuration.store_file is not None
    back_up(configuration.store_file, tmp_path / "copy.db")
    paths = sorted({link.removeprefix(web) for name in SENT for link in links_of(shown.mails[name].raw, web)})
    asked_for = {link.removeprefix(web) for name in SYSTEM_MAILS for link in links_of(shown.mails[name].raw, web)}
    assert {path.split("/")[1] for path in asked_for} >= {"c", "i", "p"}

    async def both(store: Store) -> list[dict[str, int]]:
        async def copy(subscriber_id: int, of: StreamName, occurrence: Occurrence) -> str | None:
            return await browser_copy(configuration, store, subscriber_id, of, occurrence)

        async with (
            served(configuration, store, browser_copy=copy) as base,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
        ):
            return [await crawl(client, base, paths) for _ in range(2)]

    with Store.open(f"sqlite:///{tmp_path}/copy.db") as store:
        paths += [*mailed_links_of(store), "/subscribe", "/sign-in"]
        assert {path.split("/")[1] for path in paths} >= {"u", "p", "e", "media", "c", "i", "s"}
        before = store.read(dump)
        first, second = asyncio.run(both(store))
        assert store.read(dump) == before
    assert first == second
    assert set(paths) <= set(first)
    ways = {path.rpartition("/")[2] for path in first if path.startswith("/p/")}
    assert {"none", "pause", "data", "erase"} <= ways  # it went where the forms would
    assert {status for path, status in first.items() if re.match("/[upecis]/", path)} <= {200, 303}
