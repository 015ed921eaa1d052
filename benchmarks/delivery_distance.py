"""With 40 ms of round trip between us and the server: pipelined, against the same server without PIPELINING."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.delivery_contenders import Round, ours
from benchmarks.delivery_servers import DiscardServer, apart
from benchmarks.delivery_site import Site, fill, queue
from newsletter.store import Store

ONE_WAY = 0.02
MESSAGES = 3000


def measure(connections: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Messages a second each way, and their ratio."""
    found: dict[str, Round] = {}
    with tempfile.TemporaryDirectory() as folder:
        prepared = Site(Path(folder) / "prepared", f"sqlite:///{folder}/prepared/n.db")
        prepared.configure(25)
        configuration = prepared.configuration()
        for name, pipelining, messages in (("pipelined", True, MESSAGES), ("one_by_one", False, MESSAGES // 3)):
            site = Site(Path(folder) / name, f"sqlite:///{folder}/{name}/n.db")
            site.configure(25, connections=connections)
            configuration = site.configuration()
            with Store.open(configuration.store_url) as store:
                fill(store, messages)
                queue(configuration, store)
            with DiscardServer(pipelining=pipelining) as server:
                found[name] = apart(_through_the_distance, site, server.port, messages, connections)
            say(f"40 ms away, {name:12} {found[name].rate:7.0f}/s")
    return {
        "far_per_second": {name: round(one.rate) for name, one in found.items()},
        "pipelined_over_one_by_one": round(found["pipelined"].rate / found["one_by_one"].rate, 2),
    }


def _through_the_distance(site: Site, port: int, messages: int, connections: int) -> Round:
    import threading

    ready: list[int] = []
    there = threading.Event()

    def proxy() -> None:
        async def serve() -> None:
            server = await asyncio.start_server(lambda r, w: _relay(r, w, port), "127.0.0.1", 0, limit=2**20)
            ready.append(server.sockets[0].getsockname()[1])
            there.set()
            await server.serve_forever()

        asyncio.run(serve())

    threading.Thread(target=proxy, daemon=True).start()
    there.wait()
    site.configure(ready[0], connections=connections)
    return ours(site.folder, site.store_url, messages)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    await asyncio.gather(_delayed(reader, back), _delayed(there, writer))


async def _delayed(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Everything that comes goes on after half a round trip, in order and without holding up what follows."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def take() -> None:
        while data := await source.read(2**18):
            queue.put_nowait((loop.time() + ONE_WAY, data))
        queue.put_nowait((loop.time() + ONE_WAY, b""))

    taking = asyncio.create_task(take())
    try:
        while True:
            at, data = await queue.get()
            await asyncio.sleep(max(at - loop.time(), 0))
            if not data:
                return
            target.write(data)
    finally:
        taking.cancel()
        target.close()
