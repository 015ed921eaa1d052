"""Every feed of feedparser's source distribution: no crash, no hang, and what differs from feedparser is explained."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from html import unescape
from typing import Any

import feedparser
import pytest

from newsletter.collect.feed import read_feed
from newsletter.collect.source_facts import SourceFacts
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle
from tests.support.feedparser_feeds import content_type, feeds, unpacked

URL = "https://news.example/feed"

# How an article may differ from feedparser's entry, and why that is right.
EXPLAINED = {
    "as feedparser": "headline, URL and time are the same",
    "left out": "there is not one word of text in the entry: nothing to put in a newsletter",
    "no words at all": "the feed is refused: nothing in it has a word, and it is broken or of no known format",
    "headline is text": "feedparser leaves tags and references in a title; a headline has none",
    "headline stands in": "the entry has no title: the first sentence, or a picture's title, stands in",
    "URL stands in": "the entry has no link: its guid, its enclosure or the feed itself stands in",
    "by name": "one of the files below",
}
BY_NAME = {
    "wellformed/atom/entry_title_inline_markup_2.xml": "the title is about a tag, whose name stays",
    "wellformed/atom10/entry_title_base64_2.xml": "the title is about a tag, whose name stays",
    "wellformed/atom10/entry_title_inline_markup_2.xml": "the title is about a tag, whose name stays",
    "wellformed/sanitize/entry_title_crazy.xml": "a script's text goes with the script",
    "wellformed/sanitize/entry_title_object.xml": "an object's text goes with the object",
    "wellformed/atom10/entry_content_base64.xml": "the content says it is no text (application/octet-stream)",
    "wellformed/atom10/entry_content_base64_2.xml": "the content says it is no text (application/octet-stream)",
    "wellformed/itunes/itunes_item_subtitle.xml": "the episode's subtitle stands in for its title",
    "wellformed/namespace/atommathml.xml": "all the text is inside a formula, which no mail shows",
    "wellformed/namespace/atomsvgdesc.xml": "all the text is inside a drawing, which no mail shows",
    "wellformed/namespace/atomsvgtitle.xml": "all the text is inside a drawing, which no mail shows",
    "wellformed/namespace/rss2.0mathml.xml": "all the text is inside a formula, which no mail shows",
    "wellformed/namespace/rss2.0svgtitle.xml": "all the text is inside a drawing, which no mail shows",
    "wellformed/rss/item_description_code_br.xml": "its text is '<br />', in print",
    "wellformed/rss/item_description_not_a_doctype.xml": "a browser takes it for a comment, so it has no text",
    "wellformed/rss/item_description_not_a_doctype2.xml": "a browser takes it for a comment, so it has no text",
    "wellformed/sanitize/item_content_encoded_script_nested_cdata.xml": "the end of a CDATA section in print is text",
    "wellformed/lang/http_content_language_entry_title_inherit_2.xml": "the link is '1' of a guid that is no URL",
}


@pytest.mark.soak
def test_every_feed_that_feedparser_is_tested_with_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    tally: Counter[str] = Counter()
    unexplained = []
    slowest = 0.0
    files = feeds(unpacked())
    for path in files:
        name = path.as_posix().rpartition("/tests/")[2]
        body = path.read_bytes()
        bare = feedparser.parse(io.BytesIO(body), response_headers={"content-type": content_type(body) or "text/xml"})
        worded = [entry for entry in bare.entries if _has_words(entry)]
        began = time.process_time()
        try:
            articles = read_feed(body, SourceFacts("front"), url=URL, content_type=content_type(body)).articles
        except SourceError as error:
            found = {"no words at all" if error.where == URL and not worded else f"refused: {error}"}
        else:
            found = _differences(articles, bare.entries, worded)
        slowest = max(slowest, time.process_time() - began)
        if name in BY_NAME:
            found = {"by name"}
        tally.update(found or {"as feedparser"})
        unexplained += [(name, difference) for difference in found if difference not in EXPLAINED]
    with capsys.disabled():
        print(f"\n{len(files)} feeds, the slowest in {slowest:.2f} s")
        print("\n".join(f"{count:5} {difference}: {EXPLAINED.get(difference)}" for difference, count in tally.items()))
    assert unexplained == []
    assert len(files) == 2242
    assert slowest < 3


def _differences(articles: tuple[IncomingArticle, ...], entries: list[Any], worded: list[Any]) -> set[str]:
    found = {"left out"} if len(worded) < len(entries) else set()
    if len(articles) != len(worded):
        return {"another number of entries"}
    for article, entry in zip(articles, worded, strict=True):
        title, link = entry.get("title") or "", entry.get("link") or ""
        if article.headline != " ".join(title.split()):
            text = _plain(title)
            found.add("headline stands in" if not text else "headline is text" if article.headline == text else "title")
        if article.url != link:
            found.add("another URL" if link else "URL stands in")
        times = [dict.get(entry, f"{name}_parsed") for name in ("published", "created", "updated")]
        stated = next((one[:6] for one in times if one), None)
        ours = article.published_at.utctimetuple()[:6] if article.published_at else None
        if ours != stated:
            found.add("another time")
    return found


def _has_words(entry: Any) -> bool:
    texts = [entry.get("title"), entry.get("summary"), *(part.value for part in entry.get("content") or ())]
    return any(_plain(text or "") for text in texts)


def _plain(text: str) -> str:
    for _ in range(3):
        text = unescape(re.sub(r"<[^>]*>", "", text))
    return " ".join(text.split())
