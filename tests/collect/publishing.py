"""Pages of a made-up newspaper: articles long enough to be extracted, section pages and sitemaps that list them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

OUT = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)

_PARAGRAPHS = (
    """The council of {place} voted on Monday to rebuild the {number} bridges that the September floods had carried off,
and to pay for them out of the road fund rather than a new tax on houses.""",
    """“We have waited a year for this evening,” said Anjali Verghese, who runs a bakery on the east bank and had walked
forty minutes around the gap each morning since the water fell.""",
    """Engineers expect the first of the {number} spans to be open to carts and bicycles before the rains of next June,
if the quarry at {place} delivers its stone on time.""",
)


def article_page(number: int, *, place: str = "Ranipur", headline: str = "", extra: str = "") -> bytes:
    """One story; ``number`` makes its words its own."""
    title = headline or f"{place} will rebuild bridge {number} before the next rains"
    body = "".join(f"<p>{escape(text.format(place=f'{place} {number}', number=number))}</p>" for text in _PARAGRAPHS)
    return f"""<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>
<meta name="description" content="The council of {place} pays for bridge {number} out of the road fund.">
<meta property="article:published_time" content="{OUT.isoformat()}">{extra}</head>
<body><nav><a href="/">Home</a></nav><article><h1>{escape(title)}</h1>{body}</article></body></html>""".encode()


def section_page(paths: Iterable[str]) -> bytes:
    """A page of links, among others to ``paths``."""
    links = "".join(f'<li><a href="{path}">A story</a></li>' for path in paths)
    return f'<!DOCTYPE html><html><body><a href="/about">About</a><ul>{links}</ul></body></html>'.encode()


def sitemap(entries: Iterable[tuple[str, datetime]]) -> bytes:
    """A news sitemap of (URL, published) pairs."""
    listed = "".join(
        f"<url><loc>{escape(url)}</loc><lastmod>{at.isoformat()}</lastmod><news:news><news:publication_date>"
        f"{at.isoformat()}</news:publication_date><news:title>A story</news:title></news:news></url>"
        for url, at in entries
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
        f'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">{listed}</urlset>'
    ).encode()


def sitemap_index(urls: Iterable[str]) -> bytes:
    """An index of sitemaps that do not say when they changed."""
    listed = "".join(f"<sitemap><loc>{escape(url)}</loc></sitemap>" for url in urls)
    return f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</sitemapindex>'.encode()
