"""Which links of a section page are its stories."""

from __future__ import annotations

import pytest

from newsletter.collect import section_page
from newsletter.collect.section_page import read_links
from newsletter.errors import SourceError

URL = "https://news.example/national/index.html?page=1"
PAGE = """<html><body><nav><a href="/national/">National</a></nav>
<a href="story-1.html">One</a> <a href="story-2.html#comments">Two</a> <a href="./story-1.html">One again</a>
<a href="//www.news.example/national/story-3.html" rel="nofollow">Three</a>
<a href=" /national/story-4.html?b=2&amp;a=1 ">4</a>
<a href="https://elsewhere.example/national/story-5.html">Five</a>
<a href="javascript:go('/national/story-6.html')">Six</a>
<a href="mailto:a@news.example?subject=story-7.html">Seven</a> <a>Eight</a>
<a href="http://[broken/story-9.html">Nine</a>
<map><area href="/national/story-10.html"></map></body></html>"""


def links(page: str, pattern: str, url: str = URL) -> tuple[str, ...]:
    return read_links(page.encode(), url=url, links=pattern)


def test_matching_links_come_absolute_in_order_and_once() -> None:
    assert links(PAGE, r"news\.example/national/story-\d+") == (
        "https://news.example/national/story-1.html",
        "https://news.example/national/story-2.html",
        "https://www.news.example/national/story-3.html",
        "https://news.example/national/story-4.html?b=2&a=1",
        "https://news.example/national/story-10.html",
    )


def test_the_pattern_is_searched_in_the_whole_address() -> None:
    assert links(PAGE, r"^https://elsewhere\.example/") == ("https://elsewhere.example/national/story-5.html",)


def test_a_base_element_is_where_relative_links_start() -> None:
    page = '<html><head><base href="https://cdn.example/a/"></head><body><a href="b/story">x</a><p>y</p></body></html>'
    assert links(page, "story") == ("https://cdn.example/a/b/story",)


def test_the_page_itself_is_none_of_its_stories() -> None:
    page = (
        '<html><body><a href="#top">Top</a><a href="/national/index.html?page=1#x">This page</a><p>y</p></body></html>'
    )
    assert links(page, ".") == ()


def test_no_more_links_are_taken_than_a_page_has_stories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section_page, "MAX_LINKS", 5)
    page = "<html><body>" + "".join(f'<a href="/s/{number}">x</a>' for number in range(50)) + "</body></html>"
    assert len(links(page, "/s/")) == 5


def test_a_pattern_that_is_none_is_one_clear_line() -> None:
    with pytest.raises(SourceError, match="links is not a regular expression"):
        links(PAGE, "story-(")


@pytest.mark.parametrize("body", [b"", b"\x00\x01"])
def test_what_is_no_page_is_refused(body: bytes) -> None:
    with pytest.raises(SourceError, match="read as HTML"):
        read_links(body, url=URL, links=".")
