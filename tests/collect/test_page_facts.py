"""What a page says about its story: JSON-LD, meta elements and what readers see, one fact at a time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.collect.bylines import authors_of, names_in_text
from newsletter.collect.datelines import dateline_of
from newsletter.collect.html_tree import decode_html
from newsletter.collect.pages import read_page
from newsletter.collect.sanitising import sanitise
from newsletter.collect.source_facts import SourceFacts
from newsletter.errors import SourceError
from newsletter.model import Access, IncomingArticle

URL = "https://www.daily.example/politics/walks-7"
STORY = "".join(
    f"<p>{text}</p>"
    for text in (
        "The minister arrived on foot, which nobody had planned, and stood at the back of the hall for some time.",
        "When he spoke it was for six minutes, about drains, and he said nothing of the tax that had brought so many.",
        "Afterwards he walked back to the station with two reporters and an umbrella that was not his own.",
    )
)


def page(
    head: str = "",
    body: str = f"<article><h1>Minister walks</h1>{STORY}</article>",
    *,
    url: str = URL,
    **facts: Any,
) -> IncomingArticle:
    html = f'<!doctype html><html lang="en"><head><title>Minister walks</title>{head}</head><body>{body}</body></html>'
    return read_page(html.encode(), SourceFacts("outlet", **facts), url=url)


def ld(**facts: Any) -> str:
    node = {"@context": "https://schema.org", "@type": "NewsArticle", "headline": "Minister walks", **facts}
    return f'<script type="application/ld+json">{json.dumps(node)}</script>'


@pytest.mark.parametrize(
    ("head", "access"),
    [
        ("", Access.FREE),
        (ld(isAccessibleForFree=True), Access.FREE),
        (ld(isAccessibleForFree=False), Access.MEMBERS),
        (ld(isAccessibleForFree="False"), Access.MEMBERS),
        (ld(isAccessibleForFree="http://schema.org/False"), Access.MEMBERS),
        (ld(isAccessibleForFree="perhaps"), Access.FREE),
        (ld(hasPart={"@type": "WebPageElement", "isAccessibleForFree": "false", "cssSelector": ".p"}), Access.MEMBERS),
        (ld(hasPart=[{"@type": ["WebPageElement"], "isAccessibleForFree": True}]), Access.FREE),
        ('<meta property="article:content_tier" content="free">', Access.FREE),
        ('<meta property="article:content_tier" content="Metered">', Access.METERED),
        ('<meta property="article:content_tier" content="locked">', Access.MEMBERS),
        ('<meta name="meteredness" content="metered">', Access.METERED),
        ('<meta property="article:content_tier" content="metered">' + ld(isAccessibleForFree=False), Access.METERED),
        ('<meta property="article:content_tier" content="free">' + ld(isAccessibleForFree=False), Access.MEMBERS),
    ],
)
def test_access_is_what_the_page_says(head: str, access: Access) -> None:
    assert page(head).access is access


@pytest.mark.parametrize(
    ("canonical", "url"),
    [
        ("https://www.daily.example/politics/walks", "https://www.daily.example/politics/walks"),
        ("/politics/walks", "https://www.daily.example/politics/walks"),
        ("//daily.example/politics/walks", "https://daily.example/politics/walks"),
        ("https://m.daily.example/politics/walks", "https://m.daily.example/politics/walks"),
        ("https://www.daily.example/", URL),
        ("https://www.daily.example", URL),
        ("https://agency.example/story/9", URL),
        ("https://notdaily.example/politics/walks", URL),
        ("javascript:alert(1)", URL),
        ("", URL),
    ],
)
def test_a_canonical_address_is_believed_if_it_can_be_the_storys(canonical: str, url: str) -> None:
    assert page(f'<link rel="canonical" href="{canonical}">').url == url
    assert page(f'<meta property="og:url" content="{canonical}">').url == url
    assert page(ld(mainEntityOfPage={"@type": "WebPage", "@id": canonical})).url == url


def test_sites_under_one_second_level_are_not_one_site() -> None:
    link = '<link rel="canonical" href="https://agency.co.uk/story">'
    assert page(link, url="https://daily.co.uk/a").url == "https://daily.co.uk/a"
    assert (
        page(link.replace("agency", "news.daily"), url="https://daily.co.uk/a").url == "https://news.daily.co.uk/story"
    )


def test_a_page_from_an_amp_cache_is_at_its_canonical_address() -> None:
    link = '<link rel="canonical" href="https://www.daily.example/politics/walks">'
    cached = "https://www-daily-example.cdn.ampproject.org/c/s/www.daily.example/amp/walks"
    assert page(link, url=cached).url == "https://www.daily.example/politics/walks"


def test_a_base_element_is_where_relative_addresses_start() -> None:
    article = page(
        '<base href="https://cdn.daily.example/x/"><meta property="og:image" content="lead-picture.jpg">',
        f'<article><h1>Minister walks</h1>{STORY}<p>He left <a href="more.html">a note</a> on the desk.</p></article>',
    )
    assert article.images[0].url == "https://cdn.daily.example/x/lead-picture.jpg"
    assert 'href="https://cdn.daily.example/x/more.html"' in article.body_html


@pytest.mark.parametrize(
    ("title", "og_title", "h1", "headline"),
    [
        ("Minister walks | The Daily", "", "", "Minister walks"),
        ("Minister walks - The Daily", "", "", "Minister walks"),
        ("Minister walks – Politics – The Daily", "Minister walks – The Daily", "Minister walks", "Minister walks"),
        ("The Daily: Minister walks home", "", "", "Minister walks home"),
        ("The Daily | Minister walks home", "", "The Daily", "Minister walks home"),
        ("Rain - or shine? - The Daily", "", "", "Rain - or shine?"),
        (
            "SEO words minister walking",
            "Minister walks, and you will not believe where",
            "Minister walks",
            "Minister walks",
        ),
        (
            "Watch | Minister walks | The Daily",
            "Watch | Minister walks",
            "Watch | Minister walks",
            "Watch | Minister walks",
        ),
    ],
)
def test_the_headline_is_without_the_sites_name(title: str, og_title: str, h1: str, headline: str) -> None:
    html = f'<html><head><title>{title}</title><meta property="og:site_name" content="The Daily">'
    html += (
        f'<meta property="og:title" content="{og_title}"></head><body><h1>{h1}</h1><article>{STORY}</article></body>'
    )
    assert read_page(html.encode(), SourceFacts("outlet"), url=URL).headline == headline


@pytest.mark.parametrize(
    ("author", "names"),
    [
        ({"@type": "Person", "name": "Jo Lee"}, ("Jo Lee",)),
        ([{"name": "Jo Lee"}, {"name": "JO LEE"}, "By Ana Roy"], ("Jo Lee", "Ana Roy")),
        ("Jo Lee and Ana Roy", ("Jo Lee", "Ana Roy")),
        ({"@type": "Person", "name": "https://daily.example/jo"}, ()),
        ({"@type": "Organization", "name": "The Daily"}, ()),
        ({"@type": "Person", "name": "Jo Lee &amp; Ana Roy"}, ("Jo Lee", "Ana Roy")),
        ([None, 7, {}, {"name": None}, {"name": {"@value": "Jo Lee"}}], ("Jo Lee",)),
        ("admin", ()),
    ],
)
def test_authors_are_names_of_people_once_each(author: Any, names: tuple[str, ...]) -> None:
    assert page(ld(author=author, publisher={"name": "The Daily"})).authors == names


def test_bylines_are_split_where_names_are_whole() -> None:
    assert names_in_text("Von Jan Müller, Eva Klee und Uwe Ott") == ["Jan Müller", "Eva Klee", "Uwe Ott"]
    assert names_in_text("Khan, Ayesha") == ["Khan, Ayesha"]
    assert names_in_text("Research and Graphics") == ["Research and Graphics"]
    assert authors_of(["Byron Low", "Parker Hill"], []) == ("Byron Low", "Parker Hill")
    assert names_in_text("Byron Low") == ["Byron Low"]


@pytest.mark.parametrize(
    ("opening", "place"),
    [
        ("CHENNAI: Rain fell", "CHENNAI"),
        ("PARIS (Agency) — The minister", "PARIS"),
        ("NEW DELHI, Nov. 3 (Agency) — He", "NEW DELHI"),
        ("RIO DE JANEIRO, Brazil — A", "RIO DE JANEIRO, Brazil"),
        ("WASHINGTON, D.C. — The", "WASHINGTON, D.C."),
        ("SEOUL/MOSCOW: The", "SEOUL/MOSCOW"),
        ("Berlin, 12. März — Die", "Berlin"),
        ("नई दिल्ली (एजेंसी): बारिश", "नई दिल्ली"),
        ("القاهرة (وكالة) — قال", "القاهرة"),
        ("東京（共同）— 雨が", "東京"),
        ("Yes — she said", ""),
        ("UPDATE: The road", ""),
        ("The mayor (Labour) - who", ""),
        ("Budget (2026): more", ""),
        ("I: first", ""),
    ],
)
def test_a_dateline_is_a_place_that_surely_is_one(opening: str, place: str) -> None:
    assert dateline_of(opening) == place


@pytest.mark.parametrize(
    "script",
    [
        '{"@type":"NewsArticle","headline":"Minister walks","author":{"name":"Jo Lee"},}',
        '<!-- {"@type":"NewsArticle","headline":"Minister walks","author":{"name":"Jo Lee"}} -->',
        '/*<![CDATA[*/{"@type":"NewsArticle","headline":"Minister walks","author":{"name":"Jo Lee"}}/*]]>*/',
        '{"@type":"WebSite"}{"@type":"NewsArticle","headline":"Minister walks","author":{"name":"Jo Lee"}};',
        '{"@type":"NewsArticle","headline":"Minister\n walks","author":{"name":"Jo\tLee"}}',
        '{"@type":"NewsArticle","headline":"Minister walks","description":"A \\d","author":{"name":"Jo Lee"}}',
        '{"@type":"NewsArticle","headline":"Minister walks","description":"a "quoted" word","author":{"name":"Jo Lee"}',
        (
            '{"@graph":[{"@type":"http://schema.org/NewsArticle","headline":"Minister walks","author":[{"@id":"#j"}]},'
            '{"@type":"Person","@id":"#j","name":"Jo Lee"}]}'
        ),
        '[[{"@type":["Thing","ReportageNewsArticle"],"headline":"Minister walks","author":"Jo Lee"}]]',
        '{"@type":"WebPage","mainEntity":{"@type":"Article","headline":"Minister walks","author":"Jo Lee"}}',
        (
            "{&quot;@type&quot;:&quot;NewsArticle&quot;,&quot;headline&quot;:&quot;Minister walks&quot;,"
            "&quot;author&quot;:&quot;Jo Lee&quot;}"
        ),
    ],
)
def test_json_ld_is_read_however_a_template_broke_it(script: str) -> None:
    assert page(f'<script type="application/ld+json">{script}</script>').authors == ("Jo Lee",)


def test_times_without_a_zone_are_in_the_sources() -> None:
    article = page(ld(datePublished="2026-11-05T09:20:00", dateModified="2026-11-05"), zone="Asia/Kolkata")
    assert article.published_at == datetime(2026, 11, 5, 3, 50, tzinfo=UTC)
    assert article.updated_at == datetime(2026, 11, 4, 18, 30, tzinfo=UTC)


def test_tags_sections_and_languages_come_from_where_they_stand() -> None:
    article = page(ld(keywords="rain; drains", inLanguage="en-IE", articleSection=["Politics", "Rain"]))
    assert (article.section, article.tags, article.language) == ("Politics", ("Rain", "drains"), "en")
    trail = [(3, "Minister walks"), (1, "Home"), ("2", "Politics")]
    items = [{"position": position, "name": name} for position, name in trail]
    crumbs = {"@type": "BreadcrumbList", "itemListElement": items}
    assert page(f'<script type="application/ld+json">{json.dumps(crumbs)}</script>').section == "Politics"
    assert page("", section="Front", language="de").section == "Front"


def test_a_page_without_text_that_says_what_it_is_about_is_a_story_with_a_warning() -> None:
    head = ld(description="He came on foot and left with an umbrella.", isAccessibleForFree=False)
    article = page(head, "<div id='root'></div>")
    assert (article.body_text, article.teaser) == ("", "He came on foot and left with an umbrella.")
    assert article.warning == "the page holds no text of the story"


def test_a_teaser_is_the_standfirst_or_the_first_words() -> None:
    assert page(teaser_words=8).teaser == "The minister arrived on foot, which nobody had…"
    assert page(ld(description="He came on foot.")).teaser == "He came on foot."


def test_ignore_patterns_take_whole_paragraphs() -> None:
    assert "drains" not in page(ignore=("six minutes",)).body_text


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("café".encode(), "text/html; charset=iso-8859-1", "café"),
        ("café – “x”".encode("cp1252"), "text/html; charset=ISO-8859-1", "café – “x”"),
        ('<meta charset="windows-1251">Привет'.encode("cp1251"), "", '<meta charset="windows-1251">Привет'),
        ("\ufeffcafé".encode("utf-16"), "", "\ufeffcafé"),
        ('<meta charset="x-none">café'.encode("cp1252"), "text/html; charset=\"euc-jp'", '<meta charset="x-none">café'),
        (b"caf\xc3\xa9 \xff", "text/html; charset=utf-8", "café \ufffd"),
    ],
)
def test_a_page_is_decoded_as_a_browser_would(body: bytes, content_type: str, text: str) -> None:
    assert decode_html(body, content_type).replace("\ufeff", "") == text.replace("\ufeff", "")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["NewsArticle", "Minister walks"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["@type", "@id", "@graph", "name", "url", "image", "author", "headline"]), inner
        )
    ),
    max_leaves=12,
)
KEYS = [
    "@id", "author", "publisher", "image", "hasPart", "isAccessibleForFree", "datePublished", "keywords", "dateline",
    "articleSection", "mainEntityOfPage", "articleBody", "description", "breadcrumb", "inLanguage",
]  # fmt: skip


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8))
def test_no_json_ld_does_worse_than_say_nothing(facts: dict[str, Any]) -> None:
    node = {"@type": "NewsArticle", "headline": "Minister walks", **facts}
    script = json.dumps(node).replace("</", "<\\/")
    article = page(f'<script type="application/ld+json">{script}</script>')
    assert article.headline
    assert sanitise(article.body_html, URL) == article.body_html
    assert all(image.url.startswith("http") for image in article.images)


def test_a_page_that_is_named_as_its_site_is_no_story_unless_it_says_so() -> None:
    named = '<meta property="og:site_name" content="Minister Walks">'
    with pytest.raises(SourceError, match="no story"):
        page(named)
    assert page(named + ld()).headline == "Minister walks"


PARAGRAPHS = ["The minister arrived", "When he spoke", "Afterwards he walked"]


def openings(article: IncomingArticle) -> list[str]:
    """The first three words of each paragraph."""
    return [" ".join(text.split()[:3]) for text in article.body_text.split("\n\n")]


def test_a_box_around_a_form_in_the_middle_of_a_story_is_no_part_of_it() -> None:
    box = '<div class="u7"><p>The city at six, in three minutes.</p><form><input type="email"></form></div>'
    body = f"<article><h1>Minister walks</h1><div>{STORY.replace('</p><p>When', f'</p>{box}<p>When')}</div></article>"
    assert openings(page(body=body)) == PARAGRAPHS


def test_a_paragraph_that_the_pages_own_article_body_lacks_is_no_part_of_the_story() -> None:
    words = " ".join(STORY.replace("<p>", "").split("</p>"))
    stray = STORY + "<p>Our offices are open from nine to five on all days but Sunday.</p>"
    body = f"<article><h1>Minister walks</h1>{stray}</article>"
    assert openings(page(ld(articleBody=words), body)) == PARAGRAPHS
    assert len(openings(page(ld(articleBody=words[:90]), body))) == 4  # only a beginning: it says nothing of the rest


def test_a_pull_quote_and_a_repeated_paragraph_stand_once() -> None:
    quote = "<blockquote><p>he said nothing of the tax that had brought so many</p></blockquote>"
    again = STORY.partition("</p>")[0] + "</p>"
    body = f"<article><h1>Minister walks</h1>{STORY.replace('</p><p>When', f'</p>{quote}<p>When')}{again}</article>"
    assert openings(page(body=body)) == PARAGRAPHS


def test_the_lead_picture_does_not_open_the_body_as_well() -> None:
    figure = '<figure><img src="/i/borrowed-umbrella-640x360.jpg"><figcaption>His umbrella</figcaption></figure>'
    head = '<meta property="og:image" content="https://www.daily.example/i/borrowed-umbrella-1200x630.jpg">'
    article = page(head, f"<article><h1>Minister walks</h1>{figure}{STORY}</article>")
    assert [image.caption for image in article.images] == ["His umbrella"]
    assert article.images[0].url.endswith("-1200x630.jpg")
    assert "<img" not in article.body_html
