"""The corpus of feeds: each file is read as its ``.expected.yaml`` says, written by reading it, not by running this."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from newsletter.collect.feed import Reading, read_feed
from newsletter.collect.source_facts import SourceFacts
from newsletter.model import IncomingArticle, Picture

CORPUS = Path(__file__).parents[1] / "corpus" / "feeds"
FEEDS = sorted(path for path in CORPUS.iterdir() if path.suffix in {".xml", ".json"})
PLAIN = {
    "url", "guid", "headline", "standfirst", "teaser", "authors", "dateline", "section", "tags", "language", "access",
    "body_html", "warning",
}  # fmt: skip


def expected_of(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(path.with_name(f"{path.stem}.expected.yaml"))
    return loaded


def read(path: Path, body: bytes | None = None) -> Reading:
    fetched = {"url": "https://news.example/feed"} | expected_of(path).get("fetched", {})
    facts = {key: fetched.pop(key) for key in ("section", "language", "zone", "teaser_words") if key in fetched}
    return read_feed(path.read_bytes() if body is None else body, SourceFacts("front", **facts), **fetched)


def check(article: IncomingArticle, wanted: dict[str, Any]) -> None:
    for key, value in wanted.items():
        match key:
            case "published_at" | "updated_at":
                assert getattr(article, key) == (datetime.fromisoformat(value) if value else None), key
            case "images":
                # Their pixels only where the corpus says them.
                sized = [
                    image if "width" in one else replace(image, width=0, height=0)
                    for image, one in zip(article.images, value, strict=True)
                ]
                assert sized == [Picture(**one) for one in value]
            case "body_begins":
                assert article.body_text.startswith(value), article.body_text
            case "body_ends":
                assert article.body_text.endswith(value), article.body_text
            case "body_lacks":
                assert [words for words in value if words in article.body_text] == []
            case "html_lacks":
                assert [words for words in value if words in article.body_html] == []
            case "html_has":
                assert [words for words in value if words not in article.body_html] == []
            case "paragraphs":
                assert len(article.body_text.split("\n\n")) == value, article.body_text
            case _:
                assert key in PLAIN, f"{key} is no key of an expected article"
                found = getattr(article, key)
                assert (list(found) if isinstance(found, tuple) else found) == value, key


def test_the_corpus_is_there_whole() -> None:
    assert len(FEEDS) >= 32
    assert {path.name for path in CORPUS.glob("*.expected.yaml")} == {f"{path.stem}.expected.yaml" for path in FEEDS}


@pytest.mark.parametrize("path", FEEDS, ids=lambda path: path.stem)
def test_a_feed_is_read_as_a_person_reads_it(path: Path) -> None:
    reading, wanted = read(path), expected_of(path)
    assert [article.headline for article in reading.articles] == [one["headline"] for one in wanted["articles"]]
    for article, one in zip(reading.articles, wanted["articles"], strict=True):
        check(article, one)
    if "homes" in wanted:
        assert list(reading.homes) == wanted["homes"]


def _is_utf8(body: bytes) -> bool:
    try:
        return bool(body.decode())
    except UnicodeDecodeError:
        return False


def _in_utf16(body: bytes) -> bytes:
    text = body.decode("utf-8-sig").replace('encoding="UTF-8"', 'encoding="UTF-16"')
    return codecs.BOM_UTF16_BE + text.encode("utf-16-be")


def _with_other_prefixes(body: bytes) -> bytes:
    for prefix in (b"media", b"m", b"content", b"dc", b"itunes"):
        body = re.sub(rb"(</?|xmlns:)" + prefix + rb"(?=[:=])", rb"\g<1>z" + prefix, body)
    return body


# What says nothing else about the stories, done to every feed of the corpus that is UTF-8.
VARIATIONS: dict[str, Callable[[bytes], bytes]] = {
    "lines end as on Windows": lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "a byte order mark and blank lines first": lambda body: codecs.BOM_UTF8 + b"\n\n" + body,
    "a comment and a script after it": lambda body: body + b"\n<!-- 0.2 s --><script>x && y</script>",
    "another name of the outlet": lambda body: re.sub(rb"(<title[^<>]*>)(?!<)", rb"\1Other ", body, count=1),
    "UTF-16": _in_utf16,
    "other namespace prefixes": _with_other_prefixes,
    "elements nobody knows": lambda body: re.sub(rb"<(item|entry)>", rb"<\1><x:y xmlns:x='urn:x'><x:z/></x:y>", body),
}
UTF8 = [path for path in FEEDS if path.suffix == ".xml" and path.stem != "undeclared-namespaces"]
UTF8 = [path for path in UTF8 if _is_utf8(path.read_bytes())]


@pytest.mark.parametrize("name", VARIATIONS)
def test_what_says_nothing_of_the_stories_changes_none(name: str) -> None:
    differing = []
    for path in UTF8:
        varied = read(path, VARIATIONS[name](path.read_bytes())).articles
        if varied != read(path).articles:
            differing.append(path.stem)
    assert len(UTF8) >= 25
    assert differing == []


def test_another_order_of_the_items_is_only_another_order() -> None:
    several = 0
    for path in UTF8:
        body = path.read_bytes()
        items = list(re.finditer(rb"<item\b.*?</item>", body, re.DOTALL))
        if len(items) < 2:
            continue
        several += 1
        turned = body[: items[0].start()] + b"\n".join(one[0] for one in reversed(items)) + body[items[-1].end() :]
        assert read(path, turned).articles == read(path).articles[::-1], path.stem
    assert several >= 8
