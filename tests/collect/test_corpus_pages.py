"""Every page of ``tests/corpus/pages`` read as an article: what its ``.expected.yaml`` says, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from newsletter.collect.pages import read_page
from newsletter.collect.source_facts import SourceFacts
from newsletter.model import IncomingArticle

PAGES = Path(__file__).parent.parent / "corpus" / "pages"
NAMES = sorted(path.stem for path in PAGES.glob("*.html"))
BODY_KEYS = {"body_begins", "body_ends", "body_has", "body_lacks", "body_html_has", "body_html_lacks", "paragraphs"}


def expected_of(name: str) -> dict[str, Any]:
    facts: dict[str, Any] = YAML(typ="safe", pure=True).load(
        (PAGES / f"{name}.expected.yaml").read_text(encoding="utf-8")
    )
    return facts


def read(name: str, expected: dict[str, Any], body: bytes | None = None) -> IncomingArticle:
    body = (PAGES / f"{name}.html").read_bytes() if body is None else body
    given = expected["read"]
    facts = {key: given[key] for key in ("section", "language", "zone", "ignore") if key in given}
    fetched = {key: given[key] for key in ("url", "guid", "content_type") if key in given}
    assert facts.keys() | fetched.keys() == given.keys()
    return read_page(body, SourceFacts("outlet", **facts), **fetched)


def assert_as_expected(article: IncomingArticle, expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        if key == "read" or key in BODY_KEYS:
            continue
        assert (key, plain(getattr(article, key))) == (key, plain(value))
    assert article.body_text.startswith(expected["body_begins"]) if "body_begins" in expected else True
    assert article.body_text.endswith(expected["body_ends"]) if "body_ends" in expected else True
    if "paragraphs" in expected:
        assert len(re.split(r"\n+", article.body_text)) == expected["paragraphs"], article.body_text
    for key, text in (("body", article.body_text), ("body_html", article.body_html)):
        for words in expected.get(f"{key}_has", ()):
            assert words in text
        for words in expected.get(f"{key}_lacks", ()):
            assert words not in text
    for repeated in {article.headline, article.standfirst, *(image.caption for image in article.images)} - {""}:
        assert repeated not in article.body_text.split("\n\n")


def plain(value: Any) -> Any:
    """A value of an article as its expected file writes it."""
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    if hasattr(value, "credit"):
        return {key: getattr(value, key) for key in ("url", "caption", "credit", "alt")}
    return value.value if hasattr(value, "value") else value


def test_the_corpus_is_there_and_each_page_says_what_is_expected_of_it() -> None:
    assert len(NAMES) >= 28
    assert all((PAGES / f"{name}.expected.yaml").is_file() for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_read_as_a_person_reads_it(name: str) -> None:
    expected = expected_of(name)
    assert_as_expected(read(name, expected), expected)


NAMES_OF_OUTLETS = {
    "national_daily": "The Malabar Post", "wordpress_theme": "Harbour Echo", "ghost_post": "Slow City",
    "amp_page": "Campo y Vega", "metered": "Red River Tribune", "hindi": "नवप्रभात", "arabic": "صوت النيل",
    "french": "Nord Matin", "wrong_canonical": "Zeeuwse Courant", "related_links_heavy": "Laguna Oggi",
    "cookie_wall": "Fjordbladet", "date_in_text": "Weir Valley Times", "latin_1": "Börde-Anzeiger",
}  # fmt: skip


@pytest.mark.parametrize(
    "other", ["Zenith", "The North-West Examiner & Gazette", "Дневник", "朝の新聞", "news24.example"]
)
@pytest.mark.parametrize("name", NAMES_OF_OUTLETS)
def test_the_name_of_the_outlet_changes_nothing(name: str, other: str) -> None:
    expected = expected_of(name)
    encoding = {"latin_1": "cp1252"}.get(name, "utf-8")
    page = (PAGES / f"{name}.html").read_bytes().decode(encoding)
    changed = page.replace(NAMES_OF_OUTLETS[name], other.replace("&", "&amp;"))
    assert changed != page
    assert_as_expected(read(name, expected, changed.encode(encoding, "xmlcharrefreplace")), expected)


# What one site says around its stories, in the words of several. Each tuple: related, newsletter, comments, cookies,
# footer, "also read", two further headlines.
SAYINGS = [
    ("Related stories", "Never miss what matters: our letter comes every morning at six, and it costs nothing.",
     ("Keep it civil. Comments with abuse, links or capital letters throughout are not published, and we close "
     "the forum at night."),
     ("We and 300 partners store small files on your device to measure what you read and to show you "
     "less of what you hate."), "All rights reserved. No part of this page may be copied without leave.", "Also read:",
     "A bridge too low", "Ten ways to cook a turnip"),
    ("Das könnte Sie auch interessieren", ("Der Tag in drei Minuten: Melden Sie sich für unseren Newsletter an, er ist "
     "kostenlos und jederzeit kündbar."), ("Bitte bleiben Sie sachlich. Die Redaktion behält sich vor, Kommentare zu "
     "kürzen oder nicht zu veröffentlichen."), ("Wir verwenden Cookies und ähnliche Techniken, um unser Angebot zu "
     "verbessern und Werbung zu messen."), "Alle Rechte vorbehalten. Nachdruck nur mit Genehmigung des Verlags.",
     "Lesen Sie auch:", "Eine zu niedrige Brücke", "Zehn Arten, Rüben zu kochen"),
    ("यह भी पढ़ें", "हर सुबह की बड़ी ख़बरें सीधे आपके इनबॉक्स में पाने के लिए हमारी चिट्ठी से जुड़ें।",
     "टिप्पणी करते समय भाषा की मर्यादा रखें। अपमानजनक टिप्पणियाँ हटा दी जाएँगी।",
     "हम आपके अनुभव को बेहतर बनाने के लिए कुकीज़ का उपयोग करते हैं।", "सर्वाधिकार सुरक्षित। बिना अनुमति प्रकाशन वर्जित है।",
     "इसे भी पढ़ें:", "बहुत नीचा पुल", "शलजम पकाने के दस तरीक़े"),
    ("関連記事", "毎朝六時、知っておきたい三つの話題をお届けします。登録は無料です。",
     "コメントは日本語でお願いします。中傷を含む投稿は予告なく削除することがあります。",
     "当サイトでは利用状況の分析のためクッキーを使用しています。", "無断転載を禁じます。", "あわせて読みたい：",
     "低すぎる橋", "かぶ料理十選"),
    ("اقرأ أيضا", "أهم أخبار الصباح في بريدك كل يوم، اشترك مجانا في نشرتنا البريدية.",
     "نرجو الالتزام بآداب الحوار، وستحذف التعليقات المسيئة من غير إشعار.", "نستخدم ملفات تعريف الارتباط لتحسين تجربتك.",
     "جميع الحقوق محفوظة ولا يجوز النسخ إلا بإذن.", "اقرأ أيضا:", "جسر منخفض جدا", "عشر طرق لطهي اللفت"),
]  # fmt: skip
STORY = [
    (
        "The lock keeper at Great Haywood has painted his gate green every spring since 1988, and this "
        "spring the trust "
        "that employs him has asked him, by letter, to stop."
    ),
    (
        "Green, the letter says, is not among the colours of the waterway. The colours of the waterway are black and "
        "white, and have been since a committee of engineers chose them in 1962."
    ),
    (
        "He has answered that the committee is dead and the gate is not, and that boats have steered by "
        "it in the mist for "
        "longer than the trust has had a name."
    ),
    (
        "The matter goes to the regional meeting on the ninth. Until then the tin stands open on the "
        "wall of his house, with "
        "the brush across it."
    ),
]


def page_with(sayings: tuple[str, ...], outlet: str, order: list[int], classed: bool) -> bytes:
    related, letter, rules, cookies, rights, also, one, two = sayings

    def box(kind: str, inner: str) -> str:
        return f'<div class="{kind if classed else "c" + str(len(kind) * 7)}">{inner}</div>'

    links = f'<ul><li><a href="/1">{one}</a></li><li><a href="/2">{two}</a></li></ul>'
    boxes = [
        box("related", f"<h3>{related}</h3>{links}"),
        box("newsletter-box", f"<h4>{outlet}</h4><p>{letter}</p><form><input type='email'><button>OK</button></form>"),
        box("comments-policy", f"<p>{rules}</p>"),
        box("most-read", f"<h3>{outlet}</h3><ol><li><a href='/3'>{two}</a></li><li><a href='/4'>{one}</a></li></ol>"),
    ]
    also_read = f'<p><strong>{also}</strong> <a href="/5">{one}</a></p>'
    body = [f"<p>{text}</p>" for text in STORY]
    body.insert(1 + order[0] % 3, also_read)
    over = f'<div style="position:fixed" class="q"><p>{cookies}</p><button>OK</button></div>'
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A gate too green | {outlet}</title>'
        f'<meta property="og:site_name" content="{outlet}"><meta property="og:title" content="A gate too '
        f'green | {outlet}">'
        f"</head><body>{over if order[1] % 2 else ''}<nav><a href='/'>{outlet}</a></nav><article><h1>A "
        f"gate too green</h1>"
        f'<div class="t1">{"".join(body)}</div>{"".join(boxes[place] for place in order)}</article>'
        f"<footer><p>{rights}</p></footer>{'' if order[1] % 2 else over}</body></html>"
    ).encode()


@pytest.mark.parametrize("classed", [True, False], ids=["with telling class names", "with names that tell nothing"])
@pytest.mark.parametrize("sayings", SAYINGS, ids=["en", "de", "hi", "ja", "ar"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]], ids=str)
def test_what_a_site_says_around_a_story_is_no_part_of_it(
    sayings: tuple[str, ...], order: list[int], classed: bool
) -> None:
    outlet = ["The Daily", "Ein Blatt", "दैनिक", "日報"][order[0]]
    article = read_page(
        page_with(sayings, outlet, order, classed), SourceFacts("outlet"), url="https://cut.example/gate"
    )
    assert (article.headline, article.standfirst, article.authors) == ("A gate too green", "", ())
    assert article.body_text.split("\n\n") == STORY
