"""How long a page takes us beside bare trafilatura with its metadata: over the corpus, and pages of a paper's size.

Rounds alternate over the same pages in one process, and medians are compared. Trafilatura gets the options we would
need of it (links, formatting, pictures, metadata with the publication date) and the text our reader decodes as well.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from trafilatura import extract_with_metadata

from newsletter.collect.pages import read_page
from newsletter.collect.source_facts import SourceFacts

CORPUS = Path(__file__).parent.parent / "tests" / "corpus" / "pages"
_URL = "https://benchmark.example/2026/story"
_DATES = {"outputformat": "%Y-%m-%dT%H:%M:%S%z", "original_date": True, "extensive_search": False}


def extract_over_trafilatura(rounds: int) -> float:
    """The time ``read_page`` takes over the time trafilatura takes for the same pages, medians of ``rounds``."""
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it reports each page it finds nothing in
    pages = [path.read_bytes() for path in sorted(CORPUS.glob("*.html"))]
    pages += [_page(paragraphs, links) for paragraphs in (8, 30, 120) for links in (20, 400)]
    ours: list[float] = []
    bare: list[float] = []
    _timed(_read, pages[:3])
    _timed(_extract, pages[:3])
    for turn in range(rounds):
        for work, times in ((_read, ours), (_extract, bare))[:: 1 if turn % 2 else -1]:
            times.append(_timed(work, pages))
    return statistics.median(ours) / statistics.median(bare)


def _timed(work: Callable[[bytes], object], pages: Sequence[bytes]) -> float:
    began = perf_counter()
    for page in pages:
        work(page)
    return perf_counter() - began


def _read(page: bytes) -> object:
    return read_page(page, SourceFacts("benchmark"), url=_URL)


def _extract(page: bytes) -> object:
    return extract_with_metadata(
        page,
        url=_URL,
        output_format="html",
        include_comments=False,
        include_images=True,
        include_links=True,
        include_formatting=True,
        date_extraction_params=_DATES,
    )


def _page(paragraphs: int, links: int) -> bytes:
    """A story of this many paragraphs among as many links as a paper's page carries."""
    menu = "".join(
        f'<li class="menu-item"><a href="/section/{number}">Section {number}</a></li>' for number in range(links)
    )
    cards = "".join(
        f'<div class="card"><a href="/story/{number}"><img src="/i/{number}.jpg" alt=""><h3>Another story, number '
        f"{number}</h3></a><p>What it is about, in a line or so.</p></div>"
        for number in range(links // 4)
    )
    story = "".join(
        f"<p>Paragraph {number} of the story says at some length what was decided, by <b>whom</b>, and what "
        f'<a href="/background/{number}">came before</a>; the next one says what those who lost the vote replied.</p>'
        for number in range(paragraphs)
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Council votes | The Paper</title>'
        '<meta property="og:title" content="Council votes"><meta name="author" content="Jo Lee">'
        '<meta property="article:published_time" content="2026-11-01T08:00:00Z">'
        '<script type="application/ld+json">{"@context":"https://schema.org","@type":"NewsArticle",'
        '"headline":"Council votes","datePublished":"2026-11-01T08:00:00Z"}</script></head>'
        f'<body><nav><ul>{menu}</ul></nav><main><article><h1>Council votes</h1><div class="article-body">{story}</div>'
        f'</article><section class="related">{cards}</section></main><footer><ul>{menu}</ul></footer></body></html>'
    ).encode()


if __name__ == "__main__":
    print(f"extract_over_trafilatura {extract_over_trafilatura(7):.2f}")
