"""Saved files and pages read as articles."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.collect.folder import list_folder, read_document
from newsletter.collect.pages import read_page
from newsletter.collect.source_facts import SourceFacts
from newsletter.errors import SourceError
from newsletter.model import Access, IncomingArticle

DESK = SourceFacts("desk")
PAGE = """<!doctype html><html lang="en-IN"><head><title>Dam opens | The Daily</title>
<link rel="canonical" href="https://news.example/national/dam"><meta property="og:title" content="Dam opens its gates">
<meta name="description" content="Water rose overnight."><meta property="og:image" content="/lead.jpg">
<meta property="article:published_time" content="2026-11-23T10:00:00+05:30"><meta name="author" content="Meera Pillai">
<meta property="article:section" content="National"></head>
<body><nav><a href="/">Home</a> <a href="/sport">Sport</a></nav><article><h1>Dam opens its gates</h1>{}</article>
<script>alert(1)</script><footer>Copyright The Daily. All rights reserved.</footer></body></html>"""
BODY = "".join(
    f"<p>Paragraph {number} says what happened at the dam, with <b>strong</b> words and a <a href='/more'>link</a>, "
    "at some length, so that nobody takes it for a caption or a menu.</p>"
    for number in range(5)
)


def document(text: str, name: str = "story.txt") -> IncomingArticle:
    return read_document(text.encode(), SourceFacts("desk", "World", "en"), name=name)


def test_a_page_becomes_an_article() -> None:
    page = PAGE.format(BODY + '<img src="/inside.jpg" alt="The gates" onerror="alert(1)">').encode()
    article = read_page(page, DESK, url="https://news.example/national/dam?utm_source=x")
    assert article.url == "https://news.example/national/dam"
    assert (article.headline, article.standfirst) == ("Dam opens its gates", "Water rose overnight.")
    assert (article.authors, article.section, article.language) == (("Meera Pillai",), "National", "en-IN")
    assert article.published_at == datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
    assert article.images[0].url == "https://news.example/lead.jpg"
    assert article.body_text.startswith("Paragraph 0 says what happened")
    assert "Paragraph 4" in article.body_text
    assert '<a href="https://news.example/more">link</a>' in article.body_html
    for unwanted in ("Sport", "Copyright", "alert", "<h1>"):
        assert unwanted not in article.body_html


def test_a_page_without_pictures_has_none() -> None:
    page = PAGE.replace("og:image", "og:else").format(BODY).encode()
    assert read_page(page, DESK, url="https://news.example/a").images == ()


def test_a_canonical_link_to_the_home_page_is_not_believed() -> None:
    page = PAGE.format(BODY).replace("https://news.example/national/dam", "https://news.example/").encode()
    assert read_page(page, DESK, url="https://news.example/a").url == "https://news.example/a"


@pytest.mark.parametrize("body", [b"", b"\x00\x01", b"<html><body></body></html>", b"just words", b"<a>" * 1000])
def test_a_page_without_a_story_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError, match=r"story|read as HTML"):
        read_page(body, DESK, url="https://news.example/a")


@settings(max_examples=40)
@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: PAGE.format(BODY + text).encode()))
def test_no_page_does_worse_than_be_refused_by_its_parser(body: bytes) -> None:
    try:
        article = read_page(body, DESK, url="https://news.example/a")
    except SourceError:
        return
    assert article.headline
    assert "<script" not in article.body_html


def test_a_text_file_has_its_headline_on_the_first_line() -> None:
    article = document("Dam opens\n\nWater <rose>\nand rose.\n\nNobody was hurt.\n")
    assert article == IncomingArticle(
        source="desk",
        url="",
        guid="story.txt",
        headline="Dam opens",
        section="World",
        language="en",
        body_html="<p>Water &lt;rose&gt; and rose.</p><p>Nobody was hurt.</p>",
        body_text="Water <rose> and rose.\n\nNobody was hurt.",
        teaser="Water <rose> and rose. Nobody was hurt.",
    )


def test_a_markdown_file_may_say_more_about_itself() -> None:
    article = document(
        "---\nheadline: Dam opens\nstandfirst: Water rose.\nurl: https://news.example/dam\nauthors: [Meera Pillai]\n"
        "section: National\ntags: [rain, dams]\npublished_at: 2026-11-23T10:00:00+05:30\ndateline: Idukki\n"
        "access: members\n---\nWater *rose*.\n\n<script>alert(1)</script>\n\n[More](/more)\n",
        "dam.md",
    )
    assert (article.headline, article.standfirst, article.url) == (
        "Dam opens",
        "Water rose.",
        "https://news.example/dam",
    )
    assert (article.authors, article.section, article.tags) == (("Meera Pillai",), "National", ("rain", "dams"))
    assert article.published_at == datetime(2026, 11, 23, 4, 30, tzinfo=UTC)
    assert (article.dateline, article.access) == ("Idukki", Access.MEMBERS)
    assert "<p>Water <em>rose</em>.</p>" in article.body_html
    assert 'href="https://news.example/more"' in article.body_html
    assert "script" not in article.body_html


def test_a_markdown_file_without_front_matter_begins_with_its_headline() -> None:
    article = document("# Dam opens\n\nWater rose.", "dam.md")
    assert (article.headline, article.body_text) == ("Dam opens", "Water rose.")


def test_a_saved_page_knows_its_address_from_its_canonical_link() -> None:
    article = document(PAGE.format(BODY), "saved/dam.html")
    assert (article.url, article.guid) == ("https://news.example/national/dam", "saved/dam.html")


def test_an_old_editors_encoding_is_read() -> None:
    article = read_document("Café “opens”\n\nYes.".encode("cp1252"), DESK, name="a.txt")
    assert article.headline == "Café “opens”"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.txt", "  \n", "the file is empty"),
        ("a.pdf", "%PDF", "a .pdf file cannot be read. Use .html, .txt, .md or .eml"),
        ("a.txt", "a\x00b", "the file is not text"),
        ("a.md", "---\nheadline: [\n---\nBody", "the front matter is not YAML"),
        ("a.md", "---\njust words\n---\nBody", "the front matter does not name values"),
        ("a.md", "---\nheadline: A\naccess: gold\n---\nBody", "'gold' is not an access level"),
        ("a.md", "---\nsection: A\n---\n", "the file has no headline"),
    ],
)
def test_a_file_that_is_no_article_is_refused(name: str, text: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        document(text, name)
    assert str(caught.value).startswith(f"{name}: {words}")


def test_a_folder_lists_what_can_be_read_newest_first(tmp_path: Path) -> None:
    for age, name in enumerate(["new.txt", "old.md", ".hidden.txt", "picture.jpg", "sub/deep.html"]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("words")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    listing = list_folder(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in listing.files] == ["new.txt", "old.md", "sub/deep.html"]
    assert list_folder(tmp_path) == listing
    (tmp_path / "old.md").write_text("other words")
    assert list_folder(tmp_path).mark != listing.mark


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no such folder. Run mkdir"):
        list_folder(tmp_path / "inbox")


def test_times_of_front_matter_are_told_by_the_sources_clocks() -> None:
    text = b"---\nheadline: A\npublished_at: 2021-07-01 09:00\n---\nBody."
    article = read_document(text, SourceFacts("desk", zone="Europe/Berlin"), name="a.md")
    assert article.published_at == datetime(2021, 7, 1, 7, 0, tzinfo=UTC)


def test_a_picture_without_an_address_is_refused() -> None:
    with pytest.raises(SourceError, match=r"'lead' is no picture's address. Write images"):
        document("---\nheadline: A\nimages: [{url: lead, caption: B}]\n---\nBody", "a.md")


LETTER = "From: Meera Pillai <m@desk.example>\nSubject: {}\nDate: {}\nContent-Type: text/plain; charset={}\n\n{}"


def letter(text: str, subject: str = "Dam opens", date: str = "Tue, 23 Apr 2019 22:13:00 +0530") -> IncomingArticle:
    return document(LETTER.format(subject, date, "utf-8", text), "a.eml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LETTER.format("Dam opens", "", "utf-8", ""), "the message has no text"),
        (LETTER.format("Dam opens", "", "utf-8", "> quoted alone\n-- \nMeera"), "the message has no text"),
        (LETTER.format("", "", "utf-8", "Water rose overnight."), "the message has no subject"),
        ("just words and no header", "the message has no"),
    ],
)
def test_a_message_without_subject_or_text_is_refused(text: str, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        document(text, "a.eml")
    assert str(caught.value).startswith(f"a.eml: {words}")


def test_an_unknown_charset_or_date_does_not_lose_a_letter() -> None:
    article = document(LETTER.format("Dam opens", "yesterday", "x-unknown", "Water rose."), "a.eml")
    assert (article.body_text, article.published_at) == ("Water rose.", None)


def test_what_stands_below_a_reply_is_not_the_letters() -> None:
    article = letter(
        "Water rose overnight.\n\nOn Mon, 22 Apr 2019 at 10:00, Desk <d@paper.example> wrote:\n> Any news?\n"
    )
    assert article.body_text == "Water rose overnight."
    assert letter("Water rose.\n\n-----Original Message-----\nFrom: Desk\n\nAny news?").body_text == "Water rose."


def test_what_a_letter_passes_on_is_the_article_unless_much_stands_above_it() -> None:
    passed_on = (
        "\n\nBegin forwarded message:\n\nFrom: Jo Lund <j@x.example>\nSubject: Bridge shut\n\nThe bridge is shut."
    )
    assert (letter("FYI" + passed_on).headline, letter("FYI" + passed_on).authors) == ("Bridge shut", ("Jo Lund",))
    own = "The dam was opened at dawn, and nobody had been told. " * 6
    assert letter(own + passed_on).headline == "Dam opens"
    assert "bridge" not in letter(own + passed_on).body_text


@settings(max_examples=60)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: LETTER.format(text, text, text, text).encode()))
def test_no_message_does_worse_than_be_refused_by_its_reader(body: bytes) -> None:
    try:
        article = read_document(body, DESK, name="a.eml")
    except SourceError:
        return
    assert article.headline
    assert article.body_text
    assert "<script" not in article.body_html


def test_paragraphs_that_the_source_ignores_are_left_out_of_markdown_and_html_letters() -> None:
    facts = SourceFacts("desk", ignore=("^Also read",))
    story = read_document(b"# Dam opens\n\nWater rose.\n\nAlso read: **Floods**\n", facts, name="a.md")
    assert story.body_html == "<p>Water rose.</p>"
    html = "<p>Water rose.</p><p>Also read: <b>Floods</b></p>"
    sent = LETTER.format("Dam opens", "", "utf-8", html).replace("text/plain", "text/html")
    assert read_document(sent.encode(), facts, name="a.eml").body_text == "Water rose."
