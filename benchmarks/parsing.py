"""How long our reading of feeds takes beside bare feedparser's, as its documentation has people call it.

``python -m benchmarks.parsing [--rounds N]``. Both read the same feeds of several shapes and sizes, generated from the
same seed; rounds alternate, and medians are compared. Bare feedparser resolves and sanitises as it does by default.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import statistics
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

import feedparser

from newsletter.collect.feed import read_feed
from newsletter.collect.source_facts import SourceFacts

URL = "https://news.example/feed"
_SEED = 12
_START = datetime(2026, 11, 23, 6, tzinfo=UTC)
_TEXT = """harbour council budget rain teachers’ strike bridge the of a and in for on with after ferry budget quarter
minister said two hundred residents court ruling “no comment” école Straße नगर 市場 per cent night train line closed"""
_WORDS = _TEXT.split()


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    feeds = generated_feeds()
    sizes = {name: len(body) for name, body in feeds.items()}
    results = {name: round(_ratio({name: body}, chosen.rounds), 2) for name, body in feeds.items()}
    together = parse_over_feedparser(chosen.rounds)
    print(json.dumps({"bytes": sizes, "ratios": results, "parse_over_feedparser": round(together, 2)}, indent=2))


def parse_over_feedparser(rounds: int) -> float:
    """Our time over bare feedparser's for all the generated feeds, by the medians of ``rounds`` alternating rounds."""
    return _ratio(generated_feeds(), rounds)


def generated_feeds() -> dict[str, bytes]:
    """Feeds by name, as newsrooms publish them: summaries, full texts, many pictures, Atom; the same each time."""
    chance = random.Random(_SEED)
    return {
        "summaries_20": _rss(chance, items=20, paragraphs=0, pictures=1),
        "pictures_100": _rss(chance, items=100, paragraphs=0, pictures=4),
        "wordpress_10": _rss(chance, items=10, paragraphs=12, pictures=1),
        "wordpress_60": _rss(chance, items=60, paragraphs=25, pictures=2),
        "atom_30": _atom(chance, entries=30, paragraphs=10),
        "large_300": _rss(chance, items=300, paragraphs=20, pictures=1),
    }


def _ratio(feeds: dict[str, bytes], rounds: int) -> float:
    ours: list[float] = []
    bare: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(rounds):
            ours.append(_timed(lambda body: read_feed(body, SourceFacts("bench"), url=URL), feeds))
            bare.append(_timed(lambda body: feedparser.parse(io.BytesIO(body)), feeds))
    return statistics.median(ours) / statistics.median(bare)


def _timed(work: Callable[[bytes], object], feeds: dict[str, bytes]) -> float:
    began = time.process_time()
    for body in feeds.values():
        work(body)
    return time.process_time() - began


def _rss(chance: random.Random, *, items: int, paragraphs: int, pictures: int) -> bytes:
    found = []
    for number in range(items):
        link = f"https://news.example/2026/11/{number}/"
        media = "".join(
            f'<media:content url="https://img.example/{number}-{size}.jpg" medium="image" width="{320 * size}">'
            f"<media:description>{_words(chance, 12)}</media:description>"
            f"<media:credit>{_words(chance, 2)}</media:credit></media:content>"
            for size in range(1, pictures + 1)
        )
        body = _story(chance, paragraphs, link)
        found.append(
            f"<item><title>{_words(chance, 9)}</title><link>{link}</link><dc:creator><![CDATA[{_words(chance, 2)}]]>"
            f"</dc:creator><pubDate>{format_datetime(_START - timedelta(minutes=number))}</pubDate>"
            f"<category><![CDATA[{chance.choice(_WORDS)}]]></category><category><![CDATA[{chance.choice(_WORDS)}]]></category>"
            f'<guid isPermaLink="false">https://news.example/?p={number}</guid>'
            f"<description><![CDATA[<p>{_words(chance, 40)} [&#8230;]</p>]]></description>"
            + (f"<content:encoded><![CDATA[{body}]]></content:encoded>" if paragraphs else "")
            + f"{media}</item>\n"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"><channel>'
        f"<title>News</title><link>https://news.example</link><language>en</language>{''.join(found)}</channel></rss>"
    ).encode()


def _atom(chance: random.Random, *, entries: int, paragraphs: int) -> bytes:
    found = [
        f'<entry><id>tag:news.example,2026:{number}</id><title type="html">{_words(chance, 9)}</title>'
        f'<link rel="alternate" href="https://news.example/{number}"/>'
        f"<updated>2026-11-23T06:{number % 60:02}:00Z</updated>"
        f"<author><name>{_words(chance, 2)}</name></author><summary>{_words(chance, 30)}</summary>"
        f'<content type="html">{escape(_story(chance, paragraphs, f"https://news.example/{number}"))}</content></entry>'
        for number in range(entries)
    ]
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>'
        f'<id>tag:news.example,2026:feed</id><link href="https://news.example/"/>{"".join(found)}</feed>'
    ).encode()


def _story(chance: random.Random, paragraphs: int, link: str) -> str:
    texts = [
        f'<p>{_words(chance, 30)} <a href="/topic/{number}" class="t" onclick="x()">{_words(chance, 3)}</a> '
        f"<strong>{_words(chance, 4)}</strong> {_words(chance, 25)}.</p>"
        for number in range(paragraphs)
    ]
    figure = (
        f'<figure><img src="/p.jpg" alt="{chance.choice(_WORDS)}"><figcaption>{_words(chance, 8)}</figcaption></figure>'
    )
    last = f'<p>The post <a href="{link}">It</a> appeared first on <a href="https://news.example">News</a>.</p>'
    return figure + "\n".join([*texts, last])


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_WORDS, k=count))


if __name__ == "__main__":
    main()
