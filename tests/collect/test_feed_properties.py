"""Whatever bytes a feed is made of: nothing crashes, nothing unsafe comes out, and a refusal says where and why."""

from __future__ import annotations

import json
import re
from datetime import UTC
from html import escape
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.collect.feed import MAX_HEADLINE, MAX_STANDFIRST, MAX_URL, read_feed
from newsletter.collect.source_facts import SourceFacts
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle
from tests.collect.feeds import atom, item, rss

URL = "https://news.example/rss"
JSON_KEYS = [
    "id", "url", "external_url", "title", "content_html", "content_text", "summary", "image", "banner_image", "name",
    "date_published", "date_modified", "authors", "author", "tags", "language", "attachments", "mime_type",
]  # fmt: skip
TOKENS = """
<script> </script> <img src=x onerror=alert(1)> <img src="https://a.example/i.jpg" alt="x"> <a href="javascript:a(1)">
<a href="https://news.example/national/story-1"> </a> <p> </p> <div class="wp-caption"> <p class="wp-caption-text">
</div> <iframe src="//e.example"> <svg onload=alert(1)> <style> &lt;script&gt; &amp;lt;script&amp;gt; &nbsp; &#0; ]]>
<![CDATA[ <!-- --> [&#8230;] <figure> <figcaption> </figure> <img class="wp-smiley" alt="<script>"> <math> <table>
onclick= " ' < > & &#x1F600;
"""
MARKUP = st.lists(st.sampled_from(TOKENS.split()) | st.text(max_size=12), max_size=14).map(" ".join)
DANGER = re.compile(
    r"<\s*(?:script|iframe|style|svg|math|form|object|embed|meta|base|link)\b|\son\w+\s*="
    r"|(?:href|src)\s*=\s*.?\s*(?:javascript|data):",
    re.IGNORECASE,
)


def check(body: bytes) -> None:
    """Read ``body``: harmless articles, or a refusal that says where in one line."""
    refusal = None
    articles: tuple[IncomingArticle, ...] = ()
    try:
        articles = read_feed(body, SourceFacts("front"), url=URL).articles
    except SourceError as error:
        refusal = error
    assert refusal is None or (refusal.where == URL and "\n" not in str(refusal))
    for article in articles:
        check_harmless(article)


def check_harmless(article: IncomingArticle) -> None:
    texts = [article.headline, article.standfirst, article.teaser, article.body_text, article.url, article.guid]
    texts += [article.body_html, article.section, article.language, article.warning, *article.authors, *article.tags]
    for picture in article.images:
        texts += [picture.url, picture.caption, picture.credit, picture.alt]
    assert article.headline
    assert len(article.headline) <= MAX_HEADLINE
    assert len(article.standfirst) <= MAX_STANDFIRST
    assert not any("\x00" in text for text in texts)
    assert all(text.encode() or not text for text in texts)
    for address in (article.url, *(picture.url for picture in article.images)):
        assert address.startswith(("http://", "https://"))
        assert len(address) <= MAX_URL
    assert not any(DANGER.search(tag) for tag in re.findall(r"<[^<>]*>", article.body_html))
    assert article.published_at is None or article.published_at.tzinfo is UTC


@settings(max_examples=120)
@given(
    st.binary(max_size=400)
    | st.text(alphabet="<>/&;!-[]?=\"' \x00abcdlimnrst:", max_size=300).map(lambda text: rss(text))
    | st.text(max_size=100).map(lambda text: rss(item(title=text, description=text, link=text, guid=text)))
)
def test_no_bytes_do_worse_than_be_refused(body: bytes) -> None:
    check(body)


@settings(max_examples=60)
@given(title=MARKUP, text=MARKUP, words=MARKUP, escaped=st.booleans())
def test_nothing_escapes_the_sanitiser(title: str, text: str, words: str, escaped: bool) -> None:
    media = f'<media:content url="/a.jpg"><media:description>{escape(words)}</media:description></media:content>'
    body = escape(text) if escaped else f"<![CDATA[{text}]]>"
    extra = f"<content:encoded>{body}</content:encoded><category>{escape(words)}</category>{media}"
    check(rss(item(title=title, description=text, extra=extra)))
    check(atom(f"<entry><title>{title}</title><content type='html'>{escape(text)}</content></entry>"))


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | MARKUP | st.just("2026-11-23T10:00:00Z"),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(JSON_KEYS), inner, max_size=6),
        max_leaves=12,
    )
)
def test_no_json_does_worse_than_be_left_out(found: Any) -> None:
    worded = {"id": 1, "title": "x"} | (found if isinstance(found, dict) else {})
    check(json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [found, worded]}).encode())
