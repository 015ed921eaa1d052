"""The corpus of page dumps: each is read as its ``.expected.yaml`` says, written by reading it, not by running this.

Then the test varies them: other boilerplate, in other words, languages and order, other line breaks. What comes out
stays.
"""

from __future__ import annotations

import random
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from newsletter.collect.dumps import read_dump
from newsletter.collect.source_facts import SourceFacts
from newsletter.model import IncomingArticle, Picture

CORPUS = Path(__file__).parents[1] / "corpus" / "dumps"
DUMPS = sorted(CORPUS.glob("*.txt"))
PLAIN = {"headline", "standfirst", "authors", "dateline", "section", "tags", "access", "teaser", "warning"}

# Ends of pages that no file of the corpus has, in the words of several kinds of sites and in several languages.
ENDS = {
    "member wall": [
        "Enjoying this? Keep reading with a free account",
        "Unlimited access to 140 local titles",
        "Ad-lite browsing on up to three devices",
        "Your puzzles, saved",
        "Create your account",
        "Already registered? Log in here.",
    ],
    "house rules": [
        "Join the discussion",
        "Be kind and stay on topic. Posts that attack other commenters will be removed by our moderators.",
        "By posting a comment you agree to our community standards and privacy policy.",
        "Our forum moved last spring. If you had an account there, please reset your password before you sign in.",
    ],
    "cookies": [
        "Your privacy matters to us",
        "We and our 412 partners store cookies on your device to show you personalised ads. You may change your mind.",
        "Accept and close",
        "Reject all",
    ],
    "sharing": ["Share", "Copy link", "WhatsApp", "Telegram", "Print this article", "Follow us on Google News"],
    "others": [
        "Latest from the city desk",
        "Tram to the airport delayed again",
        "Mayor’s nephew wins marathon",
        "Most popular",
    ],
    "rights": [
        "© The Morning Lantern Ltd. All rights reserved.",
        "Reproduction without written permission is prohibited.",
    ],
    "français": [
        "Vous devez être abonné pour commenter cet article.",
        "Connectez-vous",
        "Nos newsletters",
        "Recevez chaque matin l’essentiel de l’actualité dans votre boîte mail.",
    ],
    "deutsch": [
        "Diskutieren Sie mit!",
        "Bitte melden Sie sich an, um Kommentare zu schreiben. Unsere Regeln finden Sie in der Netiquette.",
        "Jetzt Newsletter abonnieren",
    ],
    "português": [
        "Leia também",
        "Faça parte do nosso canal no WhatsApp e receba notícias no seu celular.",
        "Assine agora",
    ],
    "हिन्दी": ["लेटेस्ट खबरों के लिए हमारे व्हाट्सएप चैनल से जुड़ें।", "हमें फॉलो करें", "विज्ञापन"],
    "العربية": ["تابعونا على فيسبوك", "سجل الدخول لإضافة تعليق", "الأكثر قراءة"],
    "日本語": [
        "おすすめ記事",
        "コメントを投稿するにはログインしてください。",
        "アプリをダウンロード",
        "無断複製を禁じます",
    ],
    "español": [
        "Suscríbete a nuestro boletín",
        "Inicia sesión para comentar",
        "Te puede interesar",
        "Política de privacidad",
    ],
}
# Not what holds short lines on purpose, or has no spaces to wrap at; and not a page of which a single line is long
# enough to be wrapped, if that then ends with a sentence: it could as well be a paragraph.
_AS_IT_IS = {"poem", "live_blog", "letters_to_editor", "list_article", "japanese_bridge", "tech_howto"}
WRAPPABLE = [path for path in DUMPS if path.stem not in _AS_IT_IS]


def expected_of(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(path.with_name(f"{path.stem}.expected.yaml"))
    return loaded


def read(path: Path, text: str | None = None) -> IncomingArticle:
    given = expected_of(path).get("given", {})
    return read_dump(path.read_text() if text is None else text, SourceFacts("archive", **given), name=path.name)


def check(article: IncomingArticle, wanted: dict[str, Any]) -> None:
    for key, value in wanted.items():
        match key:
            case "given":
                pass
            case "published_at" | "updated_at":
                moment = value.replace(tzinfo=UTC) if isinstance(value, datetime) else None
                assert getattr(article, key) == moment, key
            case "images":  # captions have no address here
                assert list(article.images) == [Picture(**({"url": ""} | one)) for one in value]
            case "body_begins":
                assert article.body_text.startswith(value), article.body_text
            case "body_ends":
                assert article.body_text.endswith(value), article.body_text
            case "body_has":
                assert [words for words in value if words not in article.body_text] == []
            case "body_lacks":
                assert [words for words in value if words in article.body_text] == []
            case "paragraphs":
                assert len(article.body_text.split("\n\n")) == value, article.body_text
            case _:
                assert key in PLAIN, f"{key} is no key of an expected article"
                found = getattr(article, key)
                assert (list(found) if isinstance(found, tuple) else found) == value, key


def own_part(path: Path) -> str:
    """The dump up to the last paragraph of its story."""
    text, ends = path.read_text(), expected_of(path)["body_ends"].split("\n")[-1]
    position = text.rfind(ends[-24:])
    assert position > 0, "body_ends is not in the file as it stands (wrapped?): the variation cannot be made"
    return text[: position + len(ends[-24:])]


def test_the_corpus_is_there_whole() -> None:
    assert len(DUMPS) >= 50
    assert {path.name for path in CORPUS.glob("*.expected.yaml")} == {f"{path.stem}.expected.yaml" for path in DUMPS}


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_a_dump_is_read_as_a_person_reads_it(path: Path) -> None:
    check(read(path), expected_of(path))


@pytest.mark.parametrize("path", [one for one in DUMPS if "body_ends" in expected_of(one)], ids=lambda path: path.stem)
def test_another_end_of_the_page_changes_nothing(path: Path) -> None:
    own, wanted = own_part(path), expected_of(path) | {"tags": []}
    chance = random.Random(path.stem)
    names = list(ENDS)
    for turn in range(16):
        chosen = [names[turn % len(names)]] if turn < len(names) else chance.sample(names, 4)
        lines = [line for name in chosen for line in ENDS[name]]
        between = chance.choice(["\n", "\n\n"])
        article = read(path, own + "\n\n" + between.join(lines) + "\n")
        try:
            check(article, wanted)
        except AssertionError as error:
            raise AssertionError(f"with the end {chosen}: {error}") from error


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_line_endings_and_white_space_change_nothing(path: Path) -> None:
    text, wanted = path.read_text(), expected_of(path)
    for other in (
        text.replace("\n", "\r\n"),
        "\ufeff" + text,
        "\n".join(f"{line}  " for line in text.split("\n")),
        text.replace("\n\n", "\n \n\n"),
        "\n\n" + text.replace(" ", "\u00a0", 3) + "\n\n\n",
    ):
        article = read(path, other)
        check(article, wanted)


@pytest.mark.parametrize("path", WRAPPABLE, ids=lambda path: path.stem)
@pytest.mark.parametrize("width", [66, 80])
def test_hard_wrapping_changes_nothing(path: Path, width: int) -> None:
    if path.stem in {"wrapped_72", "us_county_paper", "ap_style_wrapped"}:
        text = path.read_text()  # wrapped already
    else:
        text = "\n\n".join(
            "\n".join(textwrap.wrap(line.strip(), width, break_long_words=False, break_on_hyphens=False)) or ""
            for line in path.read_text().split("\n")
            if line.strip()
        )
    check(read(path, text), expected_of(path))


@pytest.mark.parametrize("path", WRAPPABLE, ids=lambda path: path.stem)
def test_empty_lines_between_paragraphs_may_come_and_go(path: Path) -> None:
    lines = [line for line in path.read_text().split("\n") if line.strip()]
    if path.stem not in {"wrapped_72", "us_county_paper", "ap_style_wrapped"}:
        check(read(path, "\n\n".join(lines)), expected_of(path))
        check(read(path, "\n".join(lines)), expected_of(path))


@pytest.mark.parametrize("path", DUMPS, ids=lambda path: path.stem)
def test_the_name_of_the_outlet_changes_nothing(path: Path) -> None:
    text = path.read_text()
    for outlet in ("DawnNews", "The Hill Herald", "Vuukle", "Asahi-like Shimbun", "First Light", "Fort Valley Ledger"):
        text = text.replace(outlet, "Quarry Examiner")
    check(read(path, text), expected_of(path))
