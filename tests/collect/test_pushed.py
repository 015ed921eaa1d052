"""What a CMS pushes: read article by article, refused in words, and nothing of it is live."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.collect.pushed import MAX_BATCH, Push, PushedArticle, Refusal, read_push, read_pushed
from newsletter.collect.source_facts import SourceFacts
from newsletter.model import Access, IncomingArticle, Picture

CMS = SourceFacts("cms")
URL = "https://news.example/world/ferry"
WHOLE = {
    "source": "cms",
    "url": URL,
    "guid": "cms-4711",
    "headline": "A ferry for the island",
    "standfirst": "It sails at nine.",
    "authors": ["Meera Pillai", "Jon Ask"],
    "dateline": "Kollam",
    "section": "World",
    "tags": ["islands", "ferries", "islands"],
    "language": "en_IN",
    "published_at": "2026-11-23T11:30:00+05:30",
    "updated_at": "2026-11-23T06:30:00Z",
    "images": [
        {"url": "https://img.example/f.jpg", "caption": "The ferry", "credit": "A. Nair", "alt": "A white ferry"}
    ],
    "body_html": "<p>It sails at <b>nine</b>, <a href='/times'>every day</a>.</p><script>alert(1)</script>",
    "access": "metered",
    "teaser": "A ferry, at last.",
}


def push(given: Any) -> Push | Refusal:
    return read_push(json.dumps(given).encode())


def one(**changes: Any) -> PushedArticle | Refusal:
    read = push({"url": URL, "headline": "A ferry"} | changes)
    assert isinstance(read, Push)
    (item,) = read.items
    return item


def accepted(**changes: Any) -> PushedArticle:
    item = one(**changes)
    assert isinstance(item, PushedArticle), item
    return item


def refused(**changes: Any) -> str:
    item = one(**changes)
    assert isinstance(item, Refusal), item
    return item.error


def made(**changes: Any) -> IncomingArticle:
    return read_pushed(accepted(**changes), CMS)


def test_everything_that_was_pushed_arrives() -> None:
    read = push(WHOLE)
    assert isinstance(read, Push)
    (item,) = read.items
    assert isinstance(item, PushedArticle)
    assert not read.batch
    assert pickle.loads(pickle.dumps(item)) == item
    assert read_pushed(item, SourceFacts("cms", "News", "hi")) == IncomingArticle(
        source="cms",
        url=URL,
        guid="cms-4711",
        headline="A ferry for the island",
        standfirst="It sails at nine.",
        authors=("Meera Pillai", "Jon Ask"),
        dateline="Kollam",
        section="World",
        tags=("islands", "ferries"),
        language="en-IN",
        published_at=datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
        updated_at=datetime(2026, 11, 23, 6, 30, tzinfo=UTC),
        images=(Picture("https://img.example/f.jpg", "The ferry", "A. Nair", "A white ferry"),),
        body_html='<p>It sails at <b>nine</b>, <a href="https://news.example/times">every day</a>.</p>',
        body_text="It sails at nine, every day.",
        access=Access.METERED,
        teaser="A ferry, at last.",
    )


def test_the_source_stands_in_where_the_article_says_nothing() -> None:
    item = accepted(published_at="2026-11-23T11:30", body_text="One two three four five six seven eight.", section=None)
    article = read_pushed(item, SourceFacts("cms", "News", "hi", "Asia/Kolkata", teaser_words=5))
    assert (article.section, article.language, article.access) == ("News", "hi", Access.FREE)
    assert article.published_at == datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    assert article.teaser == "One two three four five…"


def test_plain_text_becomes_paragraphs_and_stays_text() -> None:
    article = made(body_text="First <b>line</b>,\r\nsecond line.\r\n\r\nNext & last.")
    assert article.body_html == "<p>First &lt;b&gt;line&lt;/b&gt;, second line.</p><p>Next &amp; last.</p>"
    assert article.body_text == "First <b>line</b>, second line.\n\nNext & last."
    assert made(body_text="One\nTwo").body_html == "<p>One</p><p>Two</p>"
    assert made(body_html="<p>This</p>", body_text="That").body_text == "This"


def test_the_pictures_of_the_body_stand_in_for_images() -> None:
    html = '<p>x</p><img src="/a.jpg" alt="A"><img src="/b.jpg"><img src="/a.jpg"><img src="javascript:x">'
    assert [image.url for image in made(body_html=html).images] == [
        "https://news.example/a.jpg",
        "https://news.example/b.jpg",
    ]
    many = made(images=[{"url": f"https://img.example/{n % 12}.jpg"} for n in range(24)])
    assert [image.url[-5:] for image in many.images] == [f"{n}.jpg"[-5:].rjust(5, "/") for n in range(10)]
    assert many.warning == "2 of its 12 images are left out"


def test_a_retraction_needs_its_url_alone() -> None:
    read = push({"url": URL, "retracted": True})
    assert isinstance(read, Push)
    assert isinstance(read.items[0], PushedArticle)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"headlin": "x"}, "headlin: there is no such key. Did you mean 'headline'?"),
        ({"headline": None}, "headline: it is missing"),
        ({"headline": " \u200b\n"[:1]}, "headline: it is missing"),
        ({"headline": 7}, "headline: Input should be a valid string"),
        ({"url": None}, "url: it is missing"),
        ({"url": "javascript:alert(1)"}, "url: it is not an http or https URL"),
        ({"url": "//news.example/x"}, "url: it is not an http or https URL"),
        ({"url": "https://news.example/a\r\nBcc: x@y.example"}, "url: it is not an http or https URL"),
        ({"url": 'https://news.example/"><script>'}, "url: it is not an http or https URL"),
        ({"url": "https://news.example:port/a"}, "url: it is not an http or https URL"),
        ({"url": "https:///a"}, "url: it is not an http or https URL"),
        ({"url": "https://u:p@news.example/a"}, "url: a URL that holds a user name or password"),
        ({"url": "https://news.example/?utm_source=x"}, "url: it is a site's home page"),
        ({"url": "https://news.example/" + "a" * 2000}, "url: a URL has at most 2,000 characters"),
        ({"images": [{"url": "data:image/png;base64,AA"}]}, "images.0.url: it is not an http or https URL"),
        (
            {"images": [{"url": "https://a.example/b", "captoin": ""}]},
            "images.0.captoin: there is no such key. Did you",
        ),
        ({"images": {"url": "x"}}, "images: Input should be a valid list"),
        ({"published_at": "yesterday"}, "published_at: it is not a time in ISO 8601"),
        ({"published_at": 1795413600}, "published_at: a time is text in ISO 8601"),
        ({"published_at": "0001-01-01T00:00:00+14:00"}, "published_at: no article is of that year"),
        ({"language": "English, please"}, "language: a language is written like en or pt-BR"),
        ({"access": "paid"}, "access: Input should be 'free', 'metered' or 'members'"),
        ({"retracted": "yes"}, "retracted: Input should be a valid boolean"),
        ({"authors": "Meera"}, "authors: Input should be a valid list"),
        ({"authors": [None]}, "authors.0: Input should be a valid string"),
        ({"body_html": "x" * 400_001}, "body_html: String should have at most 400000 characters"),
        ({f"k{n}": 1 for n in range(200)}, "it has 202 keys"),
        ({"source": "\ud800"}, "source: Input should be a valid string"),
    ],
)
def test_each_fault_is_said_in_one_line_with_its_key(changes: dict[str, Any], words: str) -> None:
    said = refused(**changes)
    assert said.startswith(words)
    assert len(said) <= 400
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff{}", "the body is not UTF-8"),
        (b'{"a": NaN}', "NaN is no number"),
        (b"9" * 5000, "the body is not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'"text"', "neither an article"),
        (b"null", "neither an article"),
        (b"[" + b"{}," * MAX_BATCH + b"{}]", "at most 100 articles"),
    ],
)
def test_a_body_that_holds_no_articles_is_refused_as_a_whole(body: bytes, words: str) -> None:
    said = read_push(body)
    assert isinstance(said, Refusal)
    assert words in said.error


def test_a_bad_article_costs_only_itself() -> None:
    read = read_push(
        b'\xef\xbb\xbf[{"url": "https://news.example/a", "headline": "A"}, 7, '
        b'{"url": "https://news.example/b", "headline": "B", "headline": "C"}, '
        b'{"url": "https://news.example/c", "headline": "C", "images": [{"url": "x", "url": "y"}]}, '
        b'{"url": "https://news.example/d", "headline": "D"}]'
    )
    assert isinstance(read, Push)
    assert [item.error if isinstance(item, Refusal) else item.headline for item in read.items] == [
        "A",
        "an article is a JSON object",
        "the key 'headline' is there twice",
        "the key 'url' is there twice",
        "D",
    ]
    assert read.items[2].url == "https://news.example/b"


def test_nothing_reorders_text_breaks_a_line_or_is_half_a_character() -> None:
    nasty = "Ferry\r\nBcc: all@readers.example\x00 \ud83d \u202egnihton"
    article = made(headline=nasty, standfirst=nasty, authors=[nasty], tags=[nasty], dateline=nasty, guid=nasty)
    line = "Ferry Bcc: all@readers.example gnihton"
    assert (article.headline, article.authors, article.tags, article.dateline) == (line, (line,), (line,), line)
    for text in (article.guid, article.body_html, made(body_html=nasty).body_html, made(body_text=nasty).body_text):
        assert not set(text) & set("\x00\ud83d\u202e")


def test_the_years_at_both_ends_can_be_told_in_every_zone() -> None:
    for published, zone in (("0002-01-01", "Pacific/Kiritimati"), ("9998-12-31T23:59", "Pacific/Niue")):
        assert read_pushed(accepted(published_at=published), SourceFacts("cms", zone=zone)).published_at is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
TEXT = st.text(st.characters(codec=None), max_size=80) | st.sampled_from(
    ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<a href='javascript:x'>y</a>", "\r\nBcc: x", "\x00"]
)
NEARLY = st.fixed_dictionaries(
    {"url": st.just(URL) | TEXT, "headline": TEXT | st.just("A ferry")},
    optional={
        name: TEXT | JSON
        for name in PushedArticle.model_fields
        if name not in ("url", "headline", "images", "authors", "tags")
    }
    | {"authors": st.lists(TEXT, max_size=3) | JSON, "tags": st.lists(TEXT, max_size=3) | JSON}
    | {"images": st.lists(st.fixed_dictionaries({"url": TEXT | st.just(f"{URL}.jpg")}, optional={"alt": TEXT}) | JSON)},
)


@settings(max_examples=100)
@given(NEARLY | JSON | st.lists(NEARLY, max_size=3))
def test_whatever_is_pushed_is_refused_or_harmless(body: Any) -> None:
    read = read_push(json.dumps(body).encode())
    for item in read.items if isinstance(read, Push) else ():
        if isinstance(item, PushedArticle):
            article = read_pushed(item, CMS)
            json.dumps([str(article), article.url]).encode()
            str(article).encode()  # no lone surrogate, so that every database takes it
            assert "\x00" not in str(article)
            lines = (article.headline, article.standfirst, article.dateline, article.section, article.teaser)
            for line in (*lines, *article.authors, *article.tags):
                assert len(line.splitlines()) <= 1
            lowered = article.body_html.lower()
            assert "<script" not in lowered
            assert "javascript:" not in lowered
            assert "<img src=x" not in lowered
            assert article.url.startswith(("http://", "https://"))


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_no_bytes_raise_anything(body: bytes) -> None:
    read_push(body)


def test_paragraphs_that_the_source_ignores_are_left_out_of_what_is_pushed() -> None:
    facts = SourceFacts("cms", ignore=("^Also read",))
    html = "<p>It sails.</p><p>Also read: <a href='/trains'>Trains</a></p><ul><li>Also read: Buses</li></ul>"
    assert read_pushed(accepted(body_html=html), facts).body_html == "<p>It sails.</p>"
    assert read_pushed(accepted(body_text="Also read: Trains\n\nIt sails."), facts).body_text == "It sails."
