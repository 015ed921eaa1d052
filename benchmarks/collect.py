"""How fast sources become stored articles, and what our reading costs beside bare feedparser and bare trafilatura.

``python -m benchmarks.collect [--json] [--sources N] [--rounds N]``. The sources are served by a process of its own, a
tenth of them slow, failing, moved or never ending; fetching, parsing, recognising and committing are inside the clock.
Memory is this process's peak and its parsing processes' together. The two ratios alternate ours and the bare library
over the same bytes and compare medians.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.extraction import extract_over_trafilatura
from benchmarks.parsing import parse_over_feedparser
from newsletter.collect.collecting import CollectResult, collect_all
from newsletter.collect.parsing import Parser
from newsletter.config.models import Source
from newsletter.net import Fetcher
from newsletter.store import Store
from tests.support.many_sources import feed_of, many_sources

PATIENCE = timedelta(seconds=10)


def main() -> None:
    """Parse the arguments, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--sources", type=int, default=500)
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    results = measure(chosen.sources, chosen.rounds)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        for key, value in results.items():
            print(f"{key:28} {value}")


def measure(count: int, rounds: int) -> dict[str, object]:
    """Collect ``count`` sources once, into a new SQLite store, and again unchanged; then the two ratios."""
    with tempfile.TemporaryDirectory() as folder, many_sources(count) as sites:
        store = Store.open(f"sqlite:///{folder}/newsletter.db")
        with store, Parser() as parser:
            wanted = {
                f"s{number}": Source.model_validate(
                    {"feed": site.url, "allow_private": True, "fetch_timeout": PATIENCE}
                )
                for number, site in enumerate(sites)
            }
            results, seconds = asyncio.run(_collect(wanted, store, parser, Path(folder), 0))
            again, again_seconds = asyncio.run(_collect(wanted, store, parser, Path(folder), 1))
            peak = _peak_megabytes(parser)
    new = sum(result.new for result in results)
    size = sum(len(feed_of(int(result.source[1:]))) for result in results if result.new)
    return {
        "sources": count,
        "good": sum(not result.error for result in results),
        "articles": new,
        "seconds": round(seconds, 1),
        "articles_per_second": round(new / seconds),
        "bytes_per_second": round(size / seconds),
        "unchanged_seconds": round(again_seconds, 1),
        "unchanged_304": sum(result.not_modified for result in again),
        "parse_over_feedparser": round(parse_over_feedparser(rounds), 2),
        "extract_over_trafilatura": round(extract_over_trafilatura(rounds), 2),
        "peak_rss_mb": peak,
    }


async def _collect(
    wanted: dict[str, Source], store: Store, parser: Parser, folder: Path, hours: int
) -> tuple[list[CollectResult], float]:
    began = time.perf_counter()
    async with Fetcher(jitter=timedelta()) as fetcher:
        results = await collect_all(
            wanted,
            store=store,
            fetcher=fetcher,
            parser=parser,
            media_folder=folder / "media",
            now=datetime.now(UTC) + timedelta(hours=hours),
        )
    return results, time.perf_counter() - began


def _peak_megabytes(parser: Parser) -> int:
    """Peak resident memory of this process and its parsing processes, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for process in parser.processes:
        status = Path(f"/proc/{process}/status").read_text()
        kilobytes += int(status.partition("VmHWM:")[2].split()[0])
    return round(kilobytes / 1000)


if __name__ == "__main__":
    main()
