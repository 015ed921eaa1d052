"""What of an article's HTML may reach a mail."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
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
_SAFE_ATTRIBUTES = {"href", "title", "src", "alt", "width", "height", "colspan", "rowspan", "start"}


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


@given(st.text(alphabet=st.sampled_from("<>/='\"& abpimgscrtonle:x\x00\n!-[]"), max_size=200) | st.text(max_size=200))
@example("<a href='x\"y'>")
@example("<scr<script>ipt>alert(1)</script>")
def test_whatever_comes_in_what_goes_out_is_safe(html: str) -> None:
    cleaned = sanitise(html, BASE)
    assert_safe(cleaned)
    assert cleaned == clean(cleaned)


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
    ],
)
def test_tracking_pixels_and_pictures_without_address_are_dropped(pixel: str) -> None:
    assert sanitise(f"<p>Story{pixel}</p><p>{pixel}</p>", BASE) == "<p>Story</p>"


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
