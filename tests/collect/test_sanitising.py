"""What of an article's HTML may reach a mail."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.collect.plain_text import clean, first_sentence, one_line, paragraphs
from newsletter.collect.sanitising import pictures_in, sanitise, without_tags

BASE = "https://news.example/national/story"

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<img src="javascript:alert(1)">',
    "<svg onload=alert(1)><a xlink:href='javascript:alert(1)'>x</a></svg>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href="JaVa&#09;Script:alert(1)">x</a>',
    '<a href="data:text/html,<script>alert(1)</script>">x</a>',
    "<iframe src=https://evil.example></iframe>",
    "<object data=x></object><embed src=x>",
    "<form action=https://evil.example><input name=card><button>Pay</button></form>",
    "<style>*{background:url(https://evil.example)}</style>",
    '<p style="background:url(https://evil.example)" onclick="alert(1)" class="x" id="y">x</p>',
    '<meta http-equiv=refresh content="0;url=https://evil.example"><base href=https://evil.example><link rel=x>',
    "<math><mtext></p><style><!--</style><img src onerror=alert(1)>-->",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<textarea><script>alert(1)</script></textarea>",
    "<template><script>alert(1)</script></template>",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
]
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:\s+[a-z]+=\"[^\"]*\")*)>")
_SAFE_ATTRIBUTES = {"href", "title", "src", "alt", "width", "height", "colspan", "rowspan", "start", "lang"}


def assert_safe(html: str) -> None:
    """Every < begins a tag of the plainest form with known attributes and web addresses."""
    rest = _TAG.sub("", html)
    assert "<" not in rest
    for _, tag, attributes in _TAG.findall(html):
        assert tag not in {
            "script",
            "style",
            "iframe",
            "object",
            "embed",
            "form",
            "input",
            "svg",
            "math",
            "meta",
            "base",
        }
        for name, value in re.findall(r'([a-z]+)="([^"]*)"', attributes):
            assert name in _SAFE_ATTRIBUTES
            if name in {"href", "src"}:
                assert value.startswith(("http://", "https://", "mailto:"))


@pytest.mark.parametrize("html", HOSTILE)
def test_nothing_live_is_left_of_hostile_html(html: str) -> None:
    cleaned = sanitise(f"<p>before</p>{html}<p>after</p>", BASE)
    assert_safe(cleaned)
    assert "alert" not in cleaned
    assert "evil" not in cleaned
    assert "<p>before</p>" in cleaned


PIECES = [
    *"<>/='\"& \n", "<img ", "<a ", "<p ", "<div>", "<svg>", "<math>", "<style>", "</style>", "<script>", "</script>",
    "<iframe ", "<video ", "<blockquote ", "</blockquote>", "<noscript>", "<template>", "<form>", "<!--", "-->",
    "<![CDATA[",     'src="', 'href="', 'style="', 'poster="', 'onerror="', 'title="', 'class="twitter-tweet"',
    'class="instagram-media" ',
    'data-instgrm-permalink="', 'class="fb-post" data-href="', "javascript:alert(1)", "data:text/html,x", "vbscript:x",
    "https://www.youtube.com/embed/abcdefg", "https://a.example/p.jpg", "//evil.example/x", "expression(alert(1))",
    "width:1px",
    "&lt;script&gt;", "&#106;avascript:", "&quot;", "<amp-youtube data-videoid=", "<xmp>", "<plaintext>",
    "<select>", "<table>",
]  # fmt: skip


@settings(max_examples=400)
@given(
    st.text(alphabet=st.sampled_from("<>/='\"& abpimgscrtonle:x\x00\n!-[]"), max_size=200)
    | st.text(max_size=200)
    | st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
)
@example("<a href='x\"y'>")
@example('<video poster="javascript:alert(1)"><source src="data:text/html,x">')
@example('<iframe src="https://www.youtube.com/embed/abcdefg" title="&quot;><script>alert(1)</script>">')
@example('<blockquote class="twitter-tweet"><p>&lt;script&gt;</p><a href="javascript:alert(1)">x</a></blockquote>')
@example('<div class="fb-post" data-href="https://a.example/&quot;onload=&quot;alert(1)"></div>')
@example("<scr<script>ipt>alert(1)</script>")
@example("<a><p>")
@example("<ul><li><ol><li><a><p><br>")
def test_whatever_comes_in_what_goes_out_is_safe(html: str) -> None:
    cleaned = sanitise(html, BASE)
    assert_safe(cleaned)
    assert cleaned == clean(cleaned)
    assert sanitise(cleaned, BASE) == cleaned


def test_the_words_links_and_pictures_of_a_story_stay() -> None:
    html = (
        '<h2>Why</h2><p>Water <em>rose</em> to <a href="/dam" title="The dam">the dam</a>.</p>'
        '<figure><img src="p.jpg" alt="A &gt; B" width="640"><figcaption>Rain</figcaption></figure>'
    )
    assert sanitise(html, BASE) == (
        '<h2>Why</h2><p>Water <em>rose</em> to <a href="https://news.example/dam" title="The dam">the dam</a>.</p>'
        '<figure><img src="https://news.example/national/p.jpg" alt="A &gt; B" width="640">'
        "<figcaption>Rain</figcaption></figure>"
    )


def test_relative_addresses_go_where_there_is_nothing_to_resolve_them_against() -> None:
    assert sanitise('<a href="/dam">dam</a><img src="p.jpg">') == "<a>dam</a>"


@pytest.mark.parametrize(
    "pixel",
    [
        '<img src="https://t.example/x.gif" width="1" height="1">',
        '<img src="https://t.example/x.gif" height="0px">',
        '<img alt="nothing">',
        '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
        '<img src="mailto:a@b.example">',
        '<img src="https://t.example/x" style="height:1px;width:1px">',
        '<img src="https://t.example/x" style="border:0; WIDTH : 0 ">',
        '<img src="https://t.example/x" style="display:none !important">',
        '<img src="https://t.example/x" style="position:absolute;visibility:hidden">',
        '<img src="https://t.example/x" style="opacity:0">',
        '<img src="https://www.facebook.com/tr?id=1&amp;ev=PageView&amp;noscript=1">',
        '<img src="https://pixel.wp.com/b.gif?host=x">',
        '<img src="https://sb.scorecardresearch.com/p?c1=2">',
        '<img src="https://metrics.news.example/pixel.gif?story=1">',
        '<img src="https://metrics.news.example/open.php?u=2">',
        '<img src="https://stats.news.example/b/ss/suite/1/H.2/s1?x">',
        '<a href="https://ad.example/click"><img src="https://ad.doubleclick.net/x"></a>',
    ],
)
def test_tracking_pixels_and_pictures_without_address_are_dropped(pixel: str) -> None:
    assert sanitise(f"<p>Story{pixel}</p><p>{pixel}</p>", BASE) == "<p>Story</p>"


@pytest.mark.parametrize(
    "picture",
    [
        '<img src="https://news.example/p/open-air-pixel-art.jpg" style="width:100%;opacity:0.9">',
        '<img src="https://news.example/tracking-the-lynx.jpg" style="max-width:100%;height:auto">',
        '<img src="https://news.example/count/dracula.jpg" width="1200" height="2000" style="width:10em">',
    ],
)
def test_a_picture_that_can_be_seen_stays_and_loses_its_style(picture: str) -> None:
    kept = sanitise(picture, BASE)
    assert pictures_in(kept)[0]["src"] in picture
    assert "style" not in kept


@pytest.mark.parametrize(
    ("embed", "becomes"),
    [
        (
            '<iframe src="//www.youtube-nocookie.com/embed/dQw4w9WgXcQ?start=3" title="The flood"></iframe>',
            (
                '<figure><a href="https://www.youtube.com/watch?v=dQw4w9WgXcQ"><img src="https://i.ytimg.com/vi/dQw4w9WgXcQ/'
                'hqdefault.jpg" alt="The flood"></a><figcaption><a href="https://www.youtube.com/watch?v=dQw4w9WgXcQ">'
                "▶ The flood</a></figcaption></figure>"
            ),
        ),
        (
            '<iframe src="https://player.vimeo.com/video/123456?h=1"></iframe>',
            '<p><a href="https://vimeo.com/123456">▶ vimeo.com/123456</a></p>',
        ),
        (
            '<video poster="/still.jpg"><source src="/v.mp4"></video>',
            (
                f'<figure><a href="{BASE}"><img src="https://news.example/still.jpg" alt=""></a><figcaption>'
                f'<a href="{BASE}">▶ news.example/national/story</a></figcaption></figure>'
            ),
        ),
        ('<video src="/v.mp4"></video>', '<p><a href="https://news.example/v.mp4">▶ news.example/v.mp4</a></p>'),
        (
            (
                '<blockquote class="twitter-tweet"><p>Rain again</p>A <a href="https://x.com/a/status/1">May '
                "1</a></blockquote>"
            ),
            (
                '<blockquote><p>Rain again</p><p><a href="https://x.com/a/status/1">▶ '
                "x.com/a/status/1</a></p></blockquote>"
            ),
        ),
        (
            (
                '<blockquote class="instagram-media" '
                'data-instgrm-permalink="https://www.instagram.com/p/AbC/"><p>See this</p>'
                "</blockquote>"
            ),
            '<p><a href="https://www.instagram.com/p/AbC/">▶ instagram.com/p/AbC</a></p>',
        ),
        (
            '<div class="fb-post" data-href="https://www.facebook.com/a/posts/1"></div>',
            '<p><a href="https://www.facebook.com/a/posts/1">▶ facebook.com/a/posts/1</a></p>',
        ),
        (
            (
                '<iframe src="https://www.facebook.com/plugins/post.php?href=https%3A%2F%2Fwww.facebook.com%2Fa%2Fposts%2F1">'
                "</iframe>"
            ),
            '<p><a href="https://www.facebook.com/a/posts/1">▶ facebook.com/a/posts/1</a></p>',
        ),
        ('<iframe src="https://ads.example/slot"></iframe>', ""),
        ('<iframe src="https://www.youtube.com/embed/&lt;x&gt;"></iframe>', ""),
        ("<video></video>", ""),
    ],
)
def test_an_embed_becomes_a_picture_with_a_link_or_a_linked_line(embed: str, becomes: str) -> None:
    assert sanitise(f"<p>Before</p>{embed}<p>After</p>", BASE) == f"<p>Before</p>{becomes}<p>After</p>"


def test_pictures_are_found_with_their_words() -> None:
    html = sanitise('<img src="https://a.example/p.jpg?a=1&amp;b=2" alt="&quot;Rain&quot;">')
    assert pictures_in(html) == [{"src": "https://a.example/p.jpg?a=1&b=2", "alt": '"Rain"'}]


def test_paragraphs_keep_their_breaks_and_lose_their_pictures() -> None:
    html = "<h2>Why</h2><p>One<br>two &amp; three</p>\n<figure><figcaption>No</figcaption></figure><ul><li>A</li></ul>"
    assert paragraphs(html) == "Why\n\nOne\ntwo & three\n\nA"


def test_a_headline_loses_its_tags_and_keeps_its_signs() -> None:
    assert without_tags("AT&amp;T <b>wins</b> 5 &lt; 6") == "AT&T wins 5 < 6"


def test_text_is_freed_of_what_no_database_or_reader_should_get() -> None:
    assert clean("a\x00b\ud800c\u202ed\ufeff") == "abcd"


def test_a_long_line_is_cut_at_a_word_and_marked() -> None:
    assert one_line("Water rose, and rose again", 12) == "Water rose…"
    assert one_line("x" * 20, 10) == "x" * 9 + "…"


def test_the_first_sentence_stands_in_for_a_headline() -> None:
    assert first_sentence("Water rose. Nobody was hurt.", 100) == "Water rose."
