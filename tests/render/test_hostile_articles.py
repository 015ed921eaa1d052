"""Hostile articles on their real way, from a feed's bytes to a message's: what comes out is valid and contained."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from newsletter.collect.feed import read_feed
from newsletter.collect.source_facts import SourceFacts
from newsletter.model import Article, IncomingArticle
from newsletter.render.lint import CLIPPED_BYTES
from newsletter.render.templates import Templates
from tests.builders import an_article
from tests.render.mails import PICTURE, UNSUBSCRIBE, Mail, a_design, a_newsletter, mail, pieces, variant

DESIGNS = Templates().designs()
POOL = {"National": [1, 2, 3], "World": [4, 5]}
_TOKEN = "x" + "a1" * 12
_PIXEL = "data:image/gif;base64," + "R0lGODlhAQABAAAAACw" * 2200
HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)>",
    "css": "</style><style>*{display:none}</style><p style='position:fixed;background:url(//evil.example)'>\\3c script",
    "unclosed": "<table><tr><td><div><b><a href='https://evil.example'><blockquote><ul><li>" * 20,
    "unopened": "</a></p></td></tr></table></div></body></html>" * 5 + "<tr><td>after</td></tr>",
    "comment": "<!-- <!--[if mso]><table><tr><td><![endif]--> --> <![endif]--> <!-- ]]>",
    "conditional": "&lt;!--[if mso]&gt;&lt;/td&gt;&lt;![endif]--&gt; <![if !mso]> <?xml version='1.0'?> <!DOCTYPE x>",
    "long": "After the longest monsoon " * 2500,
    "unbroken": "Donaudampfschifffahrt" * 500,
    "invisible": "".join(f"w{c}" for c in "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u2028\u2029") * 40,
    "bidi": "\u202eevil\u202d \u2067\u2066\u2068 \u200f\u200e\u061c \u202a\u202b" * 30,
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈\U0001f1ee\U0001f1f3" * 60,
    "pictures": "".join(f'<img src="{_PIXEL}" alt="p{n}" width="600">' for n in range(3)),
    "hindi": "चालीस साल की सबसे लंबी बारिश के बाद बाँध के सभी फाटक खोले गए " * 8,
    "arabic": "بعد أطول موسم أمطار منذ أربعين عامًا، فتح بوابات السد كلها " * 8,
    "korean": "사십 년 만에 가장 긴 장마가 끝나고 댐의 모든 수문이 열렸다 " * 8,
    "tokens": f"{_TOKEN}s0x <!--{_TOKEN}b0x--> {_TOKEN}e0x {_TOKEN}p0x \0" + '{"slot": "unsubscribe_url"}' + "\0",
    "controls": "\0\x01\x08\x0b\x0c\x1b[31m\x7f\x85\x9f a\rb\nc\td \ufffe\uffff\ufdd0",
    "surrogates": "\ud800 \udfff\ud83d \ude00",
    "templates": "{{ slot.first_name() }} {% raw %} {{ 7*7 }} {# #} {{ ''.__class__.__mro__ }} ${x} %(n)s %s %%",
    "premailer": "&lt;style&gt;p{}&lt;/style&gt; <head><style>p{color:red}} @media{</style> data-premailer='ignore'",
    "mail": "\r\n.\r\nQUIT\r\n--=_boundary--\r\nFrom x@y.example\r\nBcc: all@x.example\r\n=3D=\r\n=?utf-8?q?=41?=",
    "entities": "&amp;lt;script&amp;gt; &#0; &#x110000; &nbsp; &amp;amp;amp; &#60;b&#62; &notanentity; &#xD800;",
}  # fmt: skip
FRAGMENT = st.sampled_from(sorted({piece for text in HOSTILE.values() for piece in text.split()[:12]})) | st.text(
    st.characters() | st.sampled_from("<>&'\"=/\0\n.{}% \ud800\u202e\u2067"), max_size=40
)
BODY = """{% from "shared/parts.html" import tongue with context %}
<tr><td class="cell" id="story-{{ story.id }}"{{ tongue(story) }}><h3>{{ story.headline }}</h3>
<div>{{ story.body }}</div><p>the end of {{ story.id }}</p></td></tr>
"""


def collected(text: str) -> IncomingArticle | None:
    """What a source's reader makes of a story all of whose words are ``text``; None where it makes nothing."""
    entry = {
        "id": text,
        "url": "https://news.example/national/story-1",
        "title": text,
        "summary": text,
        "content_html": f"<p>Before.</p>{text}<p>After.</p>",
        "authors": [{"name": text}],
        "tags": [text],
        "image": "https://news.example/p.jpg",
    }
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": text, "items": [entry]}
    found = read_feed(json.dumps(feed).encode(), SourceFacts("front"), url="https://news.example/feed.json").articles
    return found[0] if found else None


def received(text: str, **about: Any) -> Mail:
    """The mail of an edition in which stories 2 and 4 are hostile, from both ends of their sections."""
    incoming = collected(text)

    def change(article: Article) -> Article:
        if article.id not in (2, 4) or incoming is None:
            return article
        shared = {field.name for field in fields(IncomingArticle)} - {"published_at", "updated_at", "images"}
        stored = {name: getattr(incoming, name) for name in shared}
        hostile = replace(PICTURE, alt=incoming.headline, caption=incoming.standfirst, credit=incoming.headline)
        return an_article(article.id, **{**stored, "images": (hostile,)})

    return mail(variant(pieces(POOL, change=change, **about)))


def elements(html: str) -> Counter[str]:
    return Counter(str(element.tag) for element in lxml_html.document_fromstring(html).iter())


def check(hostile: Mail, harmless: Mail) -> None:
    """What must hold of any mail; ``harmless`` is the same without the hostile words."""
    head, _, body = hostile.raw.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert b"\r\n." not in hostile.raw
    assert b"\0" not in hostile.raw
    assert hostile.raw.isascii()
    assert hostile.message.keys() == harmless.message.keys()
    assert len(hostile.html.encode()) < CLIPPED_BYTES
    for part in (hostile.html, hostile.text):
        assert not re.search(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", part)
    assert hostile.html.count(UNSUBSCRIBE.replace("&", "&amp;")) == harmless.html.count(
        UNSUBSCRIBE.replace("&", "&amp;")
    )
    assert hostile.text.count(UNSUBSCRIBE) == harmless.text.count(UNSUBSCRIBE)
    for element in lxml_html.document_fromstring(hostile.html).iter():
        assert element.tag not in {"script", "iframe", "object", "embed", "form", "svg", "math", "link", "base"}
        for name, value in element.attrib.items():
            assert not str(name).startswith("on")
            assert not re.match(r"\s*(?:javascript|data|vbscript):", str(value), re.IGNORECASE)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("design", DESIGNS)
def test_a_hostile_article_is_only_text_in_a_shipped_design(design: str, name: str) -> None:
    newsletter = a_newsletter(tuple(POOL), design=design)
    hostile, harmless = received(HOSTILE[name], newsletter=newsletter), harmless_mail(design)
    check(hostile, harmless)
    more = elements(hostile.html) - elements(harmless.html)
    assert not more, f"{name} brings elements of its own: {more}"
    assert hostile.html.count("<style") == harmless.html.count("<style")
    assert hostile.html.count("<!--") == harmless.html.count("<!--")


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(FRAGMENT, min_size=1, max_size=8).map(" ".join))
def test_whatever_an_article_says_it_is_only_text(words: str) -> None:
    hostile, harmless = received(words), harmless_mail("daily")
    check(hostile, harmless)
    assert not elements(hostile.html) - elements(harmless.html)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_stays_in_its_cell(tmp_path: Path, name: str) -> None:
    check_bodies(tmp_path, HOSTILE[name])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(FRAGMENT, min_size=1, max_size=12).map("".join))
def test_whatever_a_body_says_it_stays_in_its_cell(tmp_path: Path, words: str) -> None:
    check_bodies(tmp_path, words)


def check_bodies(folder: Path, words: str) -> None:
    """A design that prints whole bodies: each story's words stay between the marks of its own cell."""
    a_design(folder, lead_html=BODY, card_html=BODY, brief_html=BODY)
    newsletter = a_newsletter(tuple(POOL), design="mine")
    hostile = received(words, newsletter=newsletter, folders=[folder])
    check_cells(hostile.html)
    for element in lxml_html.document_fromstring(hostile.html).iter():
        assert element.tag not in {"script", "style", "iframe", "object", "embed", "form", "svg", "math", "link"}
        for attribute, value in element.attrib.items():
            assert not str(attribute).startswith("on")
            assert attribute != "style"
            assert not re.match(r"\s*(?:javascript|data|vbscript):", str(value), re.IGNORECASE)


def check_cells(html: str) -> None:
    """Five cells, each a row of the one table, each with its beginning and its end."""
    document: Any = lxml_html.document_fromstring(html)
    (table,) = document.xpath("/html/body/table")
    assert document.xpath("count(/html/body/*)") == 1
    cells = table.xpath("./tr/td[@class='cell'] | ./tbody/tr/td[@class='cell']")
    assert [cell.get("id") for cell in cells] == [f"story-{number}" for number in (1, 2, 3, 4, 5)]
    for number, cell in enumerate(cells, 1):
        first, *_, last = cell
        assert first.tag == "h3"
        assert last.text == f"the end of {number}"
        assert len(cell) == 3
    assert [cell.text_content() for cell in table.xpath(".//td[@class='section']")] == ["National", "World"]


_harmless: dict[str, Mail] = {}


def harmless_mail(design: str) -> Mail:
    if design not in _harmless:
        _harmless[design] = mail(variant(pieces(POOL, newsletter=a_newsletter(tuple(POOL), design=design))))
    return _harmless[design]
