"""Many publishers at once on 127.0.0.1, each on a port of its own; a tenth are slow, failing, moved or never ending.

python -m tests.support.many_sources COUNT     prints their kinds and ports as JSON, then serves until killed
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random

from aiohttp import web

BAD = ("slow", "failing", "moved", "never ending")
STORIES = 20
_SLOW_SECONDS = 2.0
_OUT = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
_WORDS = [
    "river", "council", "bridge", "market", "school", "winter", "doctor", "harvest", "window", "letter", "garden",
    "engine", "harbour", "village", "teacher", "minister", "library", "festival", "hospital", "station", "farmer",
    "journey", "evening", "mountain", "painter", "captain", "kitchen", "winner", "orchard", "voter", "lantern",
    "railway", "forest", "museum", "budget", "coast", "tenant", "copper", "island", "singer", "verdict", "border",
    "theatre", "bakery", "signal",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """One publisher: what it does, and its feed's address."""

    kind: str
    url: str


def kind_of(number: int) -> str:
    """Every tenth source misbehaves, in turn."""
    return "good" if number % 10 else BAD[number // 10 % len(BAD)]


def feed_of(source: int, stories: int = STORIES) -> bytes:
    """A feed of about 45 KB whose stories no other source has."""
    items = []
    for number in range(stories):
        # Words of their own for each story: a paper does not print one story five hundred times.
        chance = Random(f"{source}/{number}")
        body = "".join(f"<p>{' '.join(chance.choices(_WORDS, k=45)).capitalize()}.</p>" for _ in range(7))
        out = format_datetime(_OUT - timedelta(minutes=number))
        items.append(
            f"<item><title>{' '.join(chance.choices(_WORDS, k=8)).capitalize()}</title>"
            f"<link>https://paper{source}.example/story/{number}</link><guid>s{source}-{number}</guid>"
            f"<pubDate>{out}</pubDate><category>National</category>"
            f"<description>{' '.join(chance.choices(_WORDS, k=16)).capitalize()}.</description>"
            f"<content:encoded><![CDATA[{body}]]></content:encoded></item>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        f"<title>Paper {source}</title><link>https://paper{source}.example/</link>{''.join(items)}</channel></rss>"
    ).encode()


def _application(number: int) -> web.Application:
    kind, body = kind_of(number), feed_of(number)

    async def feed(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        if kind == "failing":
            return web.Response(status=500)
        if kind == "moved" and request.path == "/feed":
            return web.Response(status=301, headers={"Location": "/moved"})
        if kind == "never ending":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" " * 1000)
                await asyncio.sleep(0.05)
        if kind == "slow":
            await asyncio.sleep(_SLOW_SECONDS)
        return web.Response(body=body, headers={"ETag": '"1"'}, content_type="application/rss+xml")

    application = web.Application()
    application.router.add_get("/feed", feed)
    application.router.add_get("/moved", feed)
    return application


async def _serve(count: int) -> None:
    sites = []
    for number in range(count):
        runner = web.AppRunner(_application(number), handler_cancellation=True, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=16)
        await site.start()
        sites.append([kind_of(number), f"http://127.0.0.1:{runner.addresses[0][1]}/feed"])
    print(json.dumps(sites), flush=True)
    await asyncio.Event().wait()


@contextmanager
def many_sources(count: int) -> Iterator[list[Site]]:
    """The publishers in a process of their own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.many_sources", str(count)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield [Site(kind, url) for kind, url in json.loads(process.stdout.readline())]
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
