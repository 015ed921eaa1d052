"""Every sitemap of ``tests/corpus/sitemaps`` read, plain and gzipped; and what must not be read as one."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from newsletter.collect import sitemap
from newsletter.collect.sitemap import SitemapReading, read_sitemap
from newsletter.errors import SourceError

SITEMAPS = Path(__file__).parents[1] / "corpus" / "sitemaps"
FILES = sorted(path for path in SITEMAPS.iterdir() if path.suffix in {".xml", ".txt"})
URL = "https://news.example/sitemap.xml"


def expected_of(path: Path) -> dict[str, Any]:
    text = path.with_name(f"{path.stem}.expected.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return loaded


def plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [plain(one) for one in value]
    if hasattr(value, "caption"):
        return {"url": value.url, "caption": value.caption}
    return value.value if hasattr(value, "value") else value


def assert_as_expected(reading: SitemapReading, expected: dict[str, Any]) -> None:
    for name in ("entries", "children"):
        if name in expected:
            found = getattr(reading, name)
            assert [one.url for one in found] == [one["url"] for one in expected[name]]
            for one, wanted in zip(found, expected[name], strict=True):
                assert {key: plain(getattr(one, key)) for key in wanted} == wanted
    assert {*expected.get("entries_hold", ())} <= {one.url for one in reading.entries}
    for key, value in expected.get("first", {}).items():
        assert getattr(reading.entries[0], key) == value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("times_packed", [0, 1, 2])
def test_a_sitemap_lists_what_it_says_however_it_is_packed(path: Path, times_packed: int) -> None:
    body = path.read_bytes()
    for _ in range(times_packed):
        body = gzip.compress(body)
    expected = expected_of(path)
    assert_as_expected(read_sitemap(body, **expected["read"]), expected)


def test_the_corpus_is_there() -> None:
    assert len(FILES) >= 9


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"<html><body><a href='https://news.example/a'>a</a></body></html>",
        b"<!doctype html><html><head><title>Sign in</title></head><body>",
        b"User-agent: *\nDisallow: /\nSitemap: https://news.example/s.xml",
        b'{"urls": ["https://news.example/a"]}',
        b"\x89PNG\r\n\x1a\n",
        b"\x1f\x8b\x08broken",
    ],
)
def test_what_is_no_sitemap_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(SourceError, match=r"not a sitemap|gzip") as caught:
        read_sitemap(body, url=URL)
    assert caught.value.where == URL


def test_a_packed_bomb_is_refused_before_it_fills_the_memory() -> None:
    entry = b"<url><loc>https://news.example/a</loc></url>"
    bomb = gzip.compress(b"<urlset>" + entry * 3_000_000)
    assert len(bomb) < 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(SourceError, match="unpack"):
            read_sitemap(bomb, url=URL)
        assert tracemalloc.get_traced_memory()[1] < 3 * sitemap.MAX_UNPACKED
    finally:
        tracemalloc.stop()


def test_a_truncated_gzip_gives_what_came() -> None:
    whole = gzip.compress((SITEMAPS / "lastmod_only.xml").read_bytes())
    assert read_sitemap(whole[:-60], url=URL).entries[0].url == "https://lagunaoggi.example/cronaca/chioggia/"


def test_no_more_is_listed_than_the_protocol_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitemap, "MAX_ENTRIES", 50)
    entries = "".join(f"<url><loc>https://news.example/{number}</loc></url>" for number in range(200))
    assert len(read_sitemap(f"<urlset>{entries}</urlset>".encode(), url=URL).entries) == 50
    lines = "\n".join(f"https://news.example/{number}" for number in range(200))
    assert len(read_sitemap(lines.encode(), url=URL).entries) == 50


def test_utf_16_and_byte_order_marks_are_read() -> None:
    text = '<?xml version="1.0" encoding="{}"?><urlset><url><loc>https://news.example/é</loc></url></urlset>'
    for encoding in ("utf-16", "utf-8-sig"):
        body = text.format(encoding.removesuffix("-sig")).encode(encoding)
        assert [one.url for one in read_sitemap(body, url=URL).entries] == ["https://news.example/é"]


PIECES = [*"<>/\"'=&;:! \n", "<url>", "<loc>", "</loc>", "</url>", "<news:title>", "https://a.example/", "<![CDATA["]


@settings(max_examples=150)
@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(PIECES), max_size=40).map(lambda parts: f"<urlset>{''.join(parts)}".encode())
)
def test_no_bytes_do_worse_than_be_refused(body: bytes) -> None:
    try:
        reading = read_sitemap(body, url=URL)
    except SourceError:
        return
    addresses = [one.url for one in reading.entries] + [one.url for one in reading.children]
    assert all(address.startswith(("http://", "https://")) for address in addresses)
