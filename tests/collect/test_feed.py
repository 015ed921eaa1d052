"""RSS and Atom as they come, read as articles."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from newsletter.collect.feed import MAX_HEADLINE, MAX_STANDFIRST, MAX_URL, Reading, read_feed
from newsletter.collect.parsing import Parser
from newsletter.collect.source_facts import SourceFacts
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle, Picture
from tests.collect.feeds import atom, content, item, rss

URL = "https://news.example/rss"


def read(body: bytes, content_type: str = "", **facts: Any) -> Reading:
    return read_feed(body, SourceFacts("front", **facts), url=URL, content_type=content_type)


def only(body: bytes, **facts: Any) -> IncomingArticle:
    (article,) = read(body, **facts).articles
    return article


def test_an_rss_item_becomes_an_article() -> None:
    body = rss(
        item(
            title="Dam opens",
            link="/national/dam",
            guid="17",
            description="Water <i>rose</i>.",
            published=datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
            extra="<dc:creator>Meera Pillai</dc:creator><category>National</category><category>Rain</category>"
            + content('<p>Water rose.</p><img src="/p.jpg" alt="A dam">'),
        )
    )
    assert read(body).homes == ("https://news.example/",)
    assert only(body) == IncomingArticle(
        source="front",
        url="https://news.example/national/dam",
        guid="17",
        headline="Dam opens",
        standfirst="Water rose.",
        authors=("Meera Pillai",),
        section="National",
        tags=("National", "Rain"),
        language="en",
        published_at=datetime(2026, 11, 23, 6, 0, tzinfo=UTC),
        images=(Picture("https://news.example/p.jpg", alt="A dam"),),
        body_html='<p>Water rose.</p><img src="https://news.example/p.jpg" alt="A dam">',
        body_text="Water rose.",
        teaser="Water rose.",
    )


def test_an_atom_entry_becomes_an_article() -> None:
    article = only(
        atom(
            '<entry><id>tag:news.example,2026:1</id><title type="html">Ein &lt;b&gt;Titel&lt;/b&gt;</title>'
            '<link rel="alternate" href="https://news.example/a"/><updated>2026-11-23T08:00:00+02:00</updated>'
            "<published>2026-11-22T08:00:00Z</published><author><name>Eva Berg</name></author>"
            '<summary>Kurz.</summary><content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Lang &amp; '
            "breit.</p></div></content></entry>"
        )
    )
    assert (article.headline, article.url, article.guid) == (
        "Ein Titel",
        "https://news.example/a",
        "tag:news.example,2026:1",
    )
    assert (article.standfirst, article.body_text, article.authors) == ("Kurz.", "Lang & breit.", ("Eva Berg",))
    assert article.published_at == datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    assert article.updated_at == datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    assert article.language == "de"


def test_rdf_is_read_too() -> None:
    body = (
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
        b"<channel><title>T</title><link>https://news.example/</link></channel>"
        b'<item rdf:about="https://news.example/a"><title>One</title><link>https://news.example/a</link></item></rdf:RDF>'
    )
    assert only(body).headline == "One"


@pytest.mark.parametrize(
    ("title", "headline"),
    [
        ("AT&T wins", "AT&T wins"),
        ("AT&amp;T wins", "AT&T wins"),
        ("<b>Bold</b> &#8217;words&#8217;", "Bold ’words’"),
        ("  one\n  line ", "one line"),
        ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
        ("The <script> tag, explained", "The <script> tag, explained"),
    ],
)
def test_a_headline_is_plain_text_of_one_line(title: str, headline: str) -> None:
    assert only(rss(item(title=title))).headline == headline


def test_a_headline_is_bounded() -> None:
    headline = only(rss(item(title="x " * 500))).headline
    assert MAX_HEADLINE - 3 <= len(headline) <= MAX_HEADLINE
    assert headline.endswith(" x…")


def test_a_standfirst_is_bounded_and_says_nothing_of_its_plugin() -> None:
    standfirst = "Water rose. [&#8230;]<p>The post Dam opens first appeared on The Daily.</p>"
    assert only(rss(item(description=standfirst))).standfirst == "Water rose…"
    long = only(rss(item(description="word " * 130, extra=content("<p>" + "body " * 300 + "</p>"))))
    assert len(long.standfirst) <= MAX_STANDFIRST
    assert long.standfirst.endswith("…")


def test_a_long_description_is_the_story_itself() -> None:
    article = only(rss(item(description="<p>First part.</p>" + "<p>More of it follows here.</p>" * 60)))
    assert article.standfirst == "First part."
    assert article.body_text.count("More of it") == 60


def test_an_item_without_title_is_headed_by_its_first_sentence() -> None:
    assert only(rss(item(title=None, description="Water rose. Nobody was hurt."))).headline == "Water rose."


def test_an_item_without_words_is_left_out_and_stops_nothing() -> None:
    assert [a.guid for a in read(rss(item(1), item(2, title=None, description=None), item(3))).articles] == [
        "story-1",
        "story-3",
    ]


@pytest.mark.parametrize(
    ("link", "guid", "url"),
    [
        (None, "https://news.example/by-guid", "https://news.example/by-guid"),
        (None, "17", "https://news.example/"),
        ("javascript:alert(1)", "17", "https://news.example/"),
        ("//cdn.example/a", "17", "https://cdn.example/a"),
        ("https://news.example/" + "x" * 3000, "17", "https://news.example/"),
        ("https://[broken/", "17", "https://news.example/"),
    ],
)
def test_a_link_is_a_web_address_or_the_next_best(link: str | None, guid: str, url: str) -> None:
    assert only(rss(item(link=link, guid=guid))).url == url


def test_section_and_language_of_the_source_stand_in() -> None:
    assert only(rss(item()), section="World").section == "World"
    assert only(rss(item(extra="<category>Sport</category>")), section="World").section == "Sport"
    assert only(rss(item()), language="ta").language == "ta"


def test_a_picture_has_the_pixels_that_the_feed_says_it_has() -> None:
    picture = '<media:content url="https://img.example/{0}.jpg" medium="image" {0}/>'
    sizes = ('width="1600" height="900"', 'width="1600"', 'width="wide" height="900"')
    for said, known in zip(sizes, [(1600, 900), (0, 0), (0, 0)], strict=True):
        (image,) = only(rss(item(extra=picture.replace("{0}/>", said + "/>")))).images
        assert (image.width, image.height, image.media) == (*known, "")


def test_the_lead_picture_comes_with_its_own_words() -> None:
    article = only(
        rss(
            item(
                extra='<media:content url="https://img.example/a.jpg" medium="image" width="640">'
                "<media:title>Not the headline</media:title><media:description>Rain on &amp; on</media:description>"
                "<media:credit>PTI</media:credit></media:content>"
            )
        )
    )
    assert article.images == (Picture("https://img.example/a.jpg", "Rain on & on", "PTI", "Not the headline"),)
    assert article.headline == "Headline of story 1"
    assert article.standfirst == "What happened in story number 1 and what it means."
    assert article.body_text == ""


@pytest.mark.parametrize(
    ("extra", "first"),
    [
        ('<media:content url="/s.jpg" width="90"/><media:content url="/l.jpg" width="900"/>', "/l.jpg"),
        ('<media:content url="/film.mp4" type="video/mp4"/><media:thumbnail url="/t.jpg"/>', "/t.jpg"),
        ('<enclosure url="/e.jpg" type="image/jpeg" length="1"/>', "/e.jpg"),
        ('<enclosure url="/e.mp3" type="audio/mpeg" length="1"/>' + content('<img src="/i.png">'), "/i.png"),
        (content('<img src="/pixel.gif" width="1" height="1"><img src="/i.png">'), "/i.png"),
    ],
)
def test_the_best_picture_stands_first(extra: str, first: str) -> None:
    assert only(rss(item(extra=extra))).images[0].url == f"https://news.example{first}"


def test_hostile_html_arrives_tame() -> None:
    article = only(
        rss(
            item(
                description="<script>alert(1)</script>Standfirst<iframe src=https://evil.example></iframe>",
                extra=content(
                    '<p onclick="alert(1)">Body</p><form><input></form><a href="javascript:alert(1)">x</a>'
                    '<img src="https://t.example/p.gif" width="1" height="1"><style>p{}</style>'
                ),
            )
        )
    )
    assert article.body_html == "<p>Body</p><a>x</a>"
    assert article.standfirst == "Standfirst"
    assert article.images == ()


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Nov 2026 99:00:00", "0000-00-00", ""])
def test_a_date_that_cannot_be_read_is_no_date(date: str) -> None:
    assert only(rss(item(extra=f"<pubDate>{date}</pubDate>"))).published_at is None


def test_the_announced_encoding_is_used() -> None:
    body = rss(item(title="Žluťoučký kůň")).replace(b' encoding="utf-8"', b"").decode().encode("iso-8859-2")
    assert only(body, content_type="application/rss+xml; charset=iso-8859-2").headline == "Žluťoučký kůň"


def test_control_characters_do_not_reach_the_store() -> None:
    article = only(rss(item(title="a\x00b\x08c", description="d\x00e", extra=content("f\x00g"))))
    assert "\x00" not in article.headline + article.standfirst + article.body_html + article.body_text


def test_broken_xml_gives_what_could_be_read() -> None:
    body = rss(item(1), item(2)).replace(b"</channel></rss>", b"<item><title>Cut & off")
    assert [article.headline for article in read(body).articles][:2] == ["Headline of story 1", "Headline of story 2"]


def test_an_empty_feed_is_a_feed() -> None:
    assert read(rss()).articles == ()


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", "https://news.example/rss: it is empty, not a feed"),
        (b" \n ", "https://news.example/rss: it is empty, not a feed"),
        (b"\x00\x01\xfe\xff" * 50, "https://news.example/rss: this is not an RSS or Atom feed"),
        (
            b'{"version": "https://jsonfeed.org/version/1.1"}',
            "https://news.example/rss: this is JSON, but not a JSON Feed. See jsonfeed.org/version/1.1",
        ),
        (b"<?xml version='1.0'?><urlset/>", "https://news.example/rss: this is not an RSS or Atom feed"),
        (
            b"<!DOCTYPE html><html><body><p>Hello",
            "https://news.example/rss: this is an HTML page, not a feed. Write the feed's own address, not the page's",
        ),
        (
            b'<html><head><link rel="alternate" type="application/rss+xml" href="/index.rss">',
            "https://news.example/rss: this is an HTML page, not a feed. Its feed is at https://news.example/index.rss",
        ),
    ],
)
def test_what_is_no_feed_is_refused_in_one_line(body: bytes, line: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(body)
    assert str(caught.value) == line


def test_a_feed_cut_off_before_its_first_item_is_refused() -> None:
    with pytest.raises(SourceError, match="the feed is broken and holds no readable entry"):
        read(rss(item())[:300])


def test_external_entities_are_not_read() -> None:
    body = b'<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + rss(item(title="XX")).split(b"?>", 1)[1]
    assert "root:" not in repr(read(body.replace(b"XX", b"a &x; b")))


def test_a_body_that_is_a_file_name_is_not_opened() -> None:
    with pytest.raises(SourceError, match="not an RSS"):
        read(b"/etc/passwd")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"items": [' + b"[" * 100_000, "RecursionError"),
        (b'{"version": 1, "items": [', "Expecting value"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "ValueError"),
        (b"{\x00", "Expecting"),
    ],
)
def test_json_that_cannot_be_read_is_refused_in_one_line(body: bytes, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        read(body)
    assert caught.value.where == URL


def test_two_long_guids_that_differ_at_their_end_stay_two() -> None:
    first, second = read(rss(item(1, guid="g" * 3_000 + "1"), item(2, guid="g" * 3_000 + "2"))).articles
    assert first.guid != second.guid
    assert max(len(first.guid), len(second.guid)) <= MAX_URL


def test_the_teaser_is_as_long_as_the_source_wants_it() -> None:
    story = content(f"<p>{'<br>'.join('word ' * 9 for _ in range(30))}</p>")
    body = rss(item(description=None, extra=story.replace("<p>", "<img src='/a.png'>")))
    assert only(body, teaser_words=10).teaser.startswith("word word")
    assert only(rss(item(description="Stated.", extra=story)), teaser_words=10).teaser == "Stated."


PITCH = '<p><a href="https://news.example/letters">Sign up</a> for our <b>newsletter</b> here.</p>'
STORY = "<p>The dam opened at dawn.</p>"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (STORY + PITCH + "<p>Nobody was hurt.</p>", STORY + "<p>Nobody was hurt.</p>"),
        (f"{STORY}<blockquote>{PITCH}</blockquote>", STORY),
        (
            f"{STORY}<ul><li>Also read: Floods</li><li>A bus was late.</li></ul>",
            f"{STORY}<ul><li>A bus was late.</li></ul>",
        ),
        ("It opened.<br><br>Also <i>read</i>: Floods<br><br>It shut.", "It opened.<br><br>It shut."),
        (f"It opened. <b>Wide.</b>{PITCH}It shut.", "It opened. <b>Wide.</b>It shut."),
        ("<p>Also read: A</p>Also read: B<h3>Also read: C</h3>" + STORY, STORY),
        ("<p>They also read our newspaper &amp; laughed.</p>", "<p>They also read our newspaper &amp; laughed.</p>"),
    ],
)
def test_paragraphs_that_the_source_ignores_are_left_out(written: str, kept: str) -> None:
    body = rss(item(description=None, extra=content(written)))
    assert only(body, ignore=("our newsletter", "^Also read")).body_html == kept


def test_a_summary_that_the_source_ignores_is_no_standfirst() -> None:
    body = rss(item(description="Sign up for our newsletter.", extra=content(STORY)))
    assert only(body, ignore=("newsletter",)).standfirst == "The dam opened at dawn."
    assert only(body).standfirst == "Sign up for our newsletter."


async def test_a_megabyte_of_tags_is_ended_and_is_this_feeds_error() -> None:
    body = rss("<a>" * 350_000)
    with Parser(1) as parser:
        await parser.run(timedelta(seconds=60), read_feed, rss(item()), SourceFacts("front"), url=URL)
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"took longer than 0\.3 s") as caught:
            await parser.run(timedelta(seconds=0.3), read_feed, body, SourceFacts("front"), url=URL)
        assert time.monotonic() - began < 20
        assert "parse_timeout" in str(caught.value)
        again = await parser.run(timedelta(seconds=60), read_feed, rss(item()), SourceFacts("front"), url=URL)
    assert len(again.articles) == 1


def test_a_megabyte_of_feed_is_read_in_time() -> None:
    body = rss(*(item(number, extra=content("<p>Some words of the story.</p>" * 130)) for number in range(250)))
    assert len(body) > 1_000_000
    began = time.process_time()
    assert len(read(body).articles) == 250
    assert time.process_time() - began < 3
