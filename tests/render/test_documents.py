"""Wholes, pieces and joining: the markers hold, what is joined is what a smaller whole gives, nothing leaks in."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html as lxml_html

from newsletter.model import Access, Article, EditionSection, JoinedKey, MailFormat, RenderedKey, Role
from newsletter.render.document import unused_nonce
from newsletter.render.inlining import inline
from newsletter.render.joining import Variants
from newsletter.render.pool import MANIFEST, roles
from tests.render.mails import PICTURE, a_design, a_newsletter, a_site, an_edition, mail, pieces, variant

POOL = {"National": [1, 2, 3, 4], "World": [5, 6, 7, 8], "Sport": [9]}


def structure(whole: str) -> list[tuple[str, tuple[tuple[str, str], ...], str, str]]:
    """Every element with its attributes and the text in and after it, white space collapsed."""
    found = []
    for element in lxml_html.document_fromstring(whole).iter():
        text, tail = (" ".join((part or "").split()) for part in (element.text, element.tail))
        found.append((str(element.tag), tuple(sorted((str(k), str(v)) for k, v in element.attrib.items())), text, tail))
    return found


@pytest.mark.parametrize(
    "chosen",
    [("National",), ("World",), ("Sport",), ("World", "National"), ("Sport", "World", "National"), ("World", "Sport")],
)
@pytest.mark.parametrize("design", ["daily", "briefing", "weekly", "alert"])
def test_joined_pieces_equal_what_a_smaller_whole_gives(chosen: tuple[str, ...], design: str) -> None:
    newsletter = a_newsletter(tuple(POOL), design=design)
    smaller = a_newsletter(chosen, design=design)
    joined = mail(variant(pieces(POOL, newsletter=newsletter), *chosen))
    whole = mail(variant(pieces({name: POOL[name] for name in chosen}, newsletter=smaller)))
    assert structure(joined.html) == structure(whole.html)
    assert joined.text == whole.text
    assert joined.message["Subject"] == whole.message["Subject"]


@pytest.mark.parametrize("had", [(1,), (1, 2, 3), (1, 2, 3, 4), (5, 9), (2, 6, 7, 8), (4, 9)])
@pytest.mark.parametrize("design", ["daily", "briefing", "weekly", "alert"])
def test_a_mail_without_what_she_had_equals_a_whole_without_it(had: tuple[int, ...], design: str) -> None:
    newsletter = a_newsletter(tuple(POOL), design=design, unless_sent="today")
    left = {name: [one for one in ids if one not in had] for name, ids in POOL.items()}
    joined_of_all = Variants(pieces(POOL, newsletter=newsletter))
    for chosen in ((), ("World", "National"), ("Sport", "National")):
        joined = joined_of_all.variant(JoinedKey(chosen, had=had))
        there = {name: left[name] for name in chosen or POOL if left[name]}
        smaller = a_newsletter(tuple(there), design=design)
        whole = mail(variant(pieces(there, newsletter=smaller)))
        assert joined is not None
        assert structure(mail(joined).html) == structure(whole.html)
        assert mail(joined).text == whole.text
        assert mail(joined).message["Subject"] == whole.message["Subject"]


def test_who_had_all_of_her_sections_gets_no_message() -> None:
    joined = Variants(pieces(POOL, newsletter=a_newsletter(tuple(POOL), unless_sent="today")))
    assert joined.variant(JoinedKey(("Sport",), had=(9,))) is None
    assert joined.variant(JoinedKey(("Sport",), had=(77,))) is joined.variant(JoinedKey(("Sport",)))
    assert joined.variant(JoinedKey(("World",), had=(5, 77))) is joined.variant(JoinedKey(("World",), had=(5,)))


@pytest.mark.parametrize("lead", ["first", "best", "none"])
@pytest.mark.parametrize("design", ["daily", "briefing", "weekly", "alert"])
def test_the_lead_alone_equals_a_whole_of_the_lead(design: str, lead: str) -> None:
    newsletter = a_newsletter((*POOL, "Arts"), design=design, lead=lead, nothing_chosen="lead", missed={})
    in_front = [EditionSection("", (77,), home="National")] if lead == "best" else []
    named = [EditionSection(name, tuple(ids)) for name, ids in POOL.items()]
    missed = EditionSection("", (88, 89), missed=True)
    edition = replace(an_edition({}), sections=(*in_front, *named, missed))
    joined = variant(pieces(newsletter=newsletter, edition=edition), "Arts")
    alone = replace(edition, sections=tuple(in_front) or (EditionSection("National", (1,)),))
    whole = mail(variant(pieces(newsletter=newsletter, edition=alone)))
    received = mail(joined)
    assert joined.article_ids == ((77,) if in_front else (1,))
    assert structure(received.html) == structure(whole.html)
    assert received.text == whole.text
    assert received.message["Subject"] == f"Headline of story {joined.article_ids[0]}"
    assert joined.preheader == (), "it names further stories, and there are none"
    text = mail(joined, format=MailFormat.TEXT).text
    assert set(re.findall(r"headline of story (\d+)", text.lower())) == {str(joined.article_ids[0])}


def test_the_lead_alone_is_none_for_who_had_it_and_for_who_has_something_else() -> None:
    newsletter = a_newsletter((*POOL, "Arts"), nothing_chosen="lead", unless_sent="today")
    joined = Variants(pieces(POOL, newsletter=newsletter))
    assert joined.variant(JoinedKey(("Arts",), had=(1,))) is None
    assert joined.variant(JoinedKey(("Arts",), had=(2,))) is not None
    assert joined.variant(JoinedKey(("Sport",), had=(9,))) is None, "she chose something, and had all of it"
    both = joined.variant(JoinedKey(("Arts", "Sport")))
    assert both is not None
    assert both.article_ids == (9,)
    says_nothing = a_newsletter((*POOL, "Arts"), nothing_chosen="lead", when_empty="send", unless_sent="today")
    nothing_new = Variants(pieces(POOL, newsletter=says_nothing)).variant(JoinedKey(("Arts",), had=(1,)))
    assert nothing_new is not None
    assert nothing_new.article_ids == ()


def test_a_lead_for_all_goes_alone_to_who_chose_other_sections_unless_she_had_it() -> None:
    newsletter = a_newsletter((*POOL, "Arts"), lead="best", nothing_chosen="lead", unless_sent="today")
    sections = (EditionSection("", (7,), home="National"), EditionSection("National", (1, 2)))
    joined = Variants(pieces(newsletter=newsletter, edition=replace(an_edition({}), sections=sections)))
    alone = joined.variant(JoinedKey(("Arts",)))
    assert alone is not None
    assert alone.article_ids == (7,)
    assert joined.variant(JoinedKey(("Arts",), had=(7,))) is None


def test_pieces_that_do_not_say_what_goes_to_who_chose_nothing_of_today_send_her_nothing() -> None:
    rendered = pieces(POOL, newsletter=a_newsletter((*POOL, "Arts"), nothing_chosen="lead"))
    manifest = json.loads(rendered[MANIFEST])
    del manifest["nothing_chosen"]
    assert Variants(rendered).variant(JoinedKey(("Arts",))) is not None
    assert Variants(rendered | {MANIFEST: json.dumps(manifest).encode()}).variant(JoinedKey(("Arts",))) is None


def test_no_marker_token_or_empty_section_is_left_in_a_mail() -> None:
    received = mail(variant(pieces({"National": [1], "World": []})))
    assert "<!--x" not in received.html
    assert not re.search(r"x[0-9a-f]{24}", received.html + received.text)
    assert "World" not in received.html
    assert received.html.count("National") == 1  # the lead's kicker: its section has no story left to head


def test_a_reader_of_sections_without_stories_gets_no_message() -> None:
    joined = Variants(pieces({"National": [1], "World": []}))
    assert joined.variant(JoinedKey(("World",))) is None
    assert joined.variant(JoinedKey(("Abolished",))) is None
    assert joined.variant(JoinedKey(())) is not None


def test_the_first_story_of_the_readers_first_section_leads() -> None:
    joined = Variants(pieces(POOL))
    found = joined.variant(JoinedKey(("Sport", "World")))
    assert found is not None
    assert found.article_ids == (9, 5, 6, 7, 8)


def test_variants_are_remembered_only_so_many() -> None:
    joined = Variants(pieces(POOL), kept=1)
    first = joined.variant(JoinedKey(("World",)))
    assert joined.variant(JoinedKey(("World",))) is first
    joined.variant(JoinedKey(("Sport",)))
    assert joined.variant(JoinedKey(("World",))) is not first


@pytest.mark.parametrize("cards", [0, 1, 2, 5])
def test_every_place_a_story_can_take_has_its_role_rendered(cards: int) -> None:
    for position in range(6):
        for leads_before in (0, 1):
            if leads_before > position:
                continue
            taken = Role.CARD if position - leads_before < cards else Role.BRIEF
            if position or not leads_before:
                assert taken in roles(position, cards)
    assert Role.LEAD in roles(0, cards)


def test_inlining_keeps_doctype_media_queries_and_important() -> None:
    received = mail(variant(pieces())).html
    assert received.startswith("<!DOCTYPE html>")
    kept = "".join(re.findall(r"<style>(.*?)</style>", received, re.DOTALL))
    assert "@media (prefers-color-scheme: dark)" in kept
    assert "@media (max-width: 480px)" in kept
    assert "[data-ogsc] .title" in kept
    assert kept.count("!important") > 20
    assert len(kept.encode()) < 8000
    assert "!important" not in re.sub(r"<style>.*?</style>", "", received, flags=re.DOTALL)
    assert "data-premailer" not in received


def test_a_template_whose_styles_are_cached_inlines_the_same_again() -> None:
    whole = "<!DOCTYPE html><html><head><style>p { color: #123456 }</style></head><body><p>a</p></body></html>"
    assert inline(whole, where="x") == inline(whole, where="x")
    assert 'style="color:#123456"' in inline(whole, where="x")


def test_a_picture_keeps_its_width_and_height_attributes() -> None:
    received = mail(variant(pieces())).html
    assert 'width="592" height="395"' in received
    assert 'width="160" height="107"' in received


def test_a_picture_we_have_no_copy_of_is_left_out() -> None:
    received = mail(variant(pieces(change=lambda article: replace(article, images=(replace(PICTURE, media=""),))))).html
    assert "<img" not in received
    assert "elsewhere.example" not in received


@pytest.mark.parametrize("design", ["daily", "briefing", "weekly", "alert"])
def test_sixty_stories_with_pictures_stay_below_what_gmail_clips(design: str) -> None:
    pool = {name: list(range(at, at + 12)) for at, name in zip(range(1, 61, 12), "ABCDE", strict=True)}
    long = "A fourteen-word headline is long enough to show what happens when the desk forgets"
    rendered = pieces(
        pool,
        newsletter=a_newsletter(tuple(pool), design=design),
        change=lambda article: replace(article, headline=long, standfirst=long * 3),
    )
    received = mail(variant(rendered))
    headlines = sum(received.html.count(one) for one in ('<h2 class="title"', '<h3 class="title"', 'class="brief"'))
    assert headlines == 60
    assert len(received.html.encode()) < 100_000


HOSTILE = [
    "<script>alert(1)</script><!-- --><style>*{}</style>",
    "{{ slot.first_name() }} {% include 'x' %} {{ 7*7 }}",
    "]]> <![endif]--> &lt;b&gt; \" ' onerror=x",
    "\0\x1b[31m\ud800\ufffe\u202e",
    "=\r\n.\r\n--=_boundary\r\nFrom x",
    "x" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_article_is_only_text(text: str) -> None:
    def hostile(article: Article) -> Article:
        return replace(
            article,
            headline=text,
            standfirst=text,
            authors=(text,),
            url="javascript:alert(1)",
            images=(replace(PICTURE, alt=text, caption=text, credit=text),),
        )

    received = mail(variant(pieces({"National": [1, 2, 3, 4]}, change=hostile)))
    harmless = mail(variant(pieces({"National": [1, 2, 3, 4]})))
    assert "javascript:" not in received.html
    tags = [element.tag for element in lxml_html.document_fromstring(received.html).iter()]
    assert tags == [element.tag for element in lxml_html.document_fromstring(harmless.html).iter()]


def test_a_nonce_that_an_article_contains_is_not_used() -> None:
    offered = iter(["aaa", "bbb", "ccc"])
    assert unused_nonce(["xaaas0x", "bbb"], lambda: next(offered)) == "ccc"


def test_an_article_that_forges_a_marker_is_only_text(monkeypatch: pytest.MonkeyPatch) -> None:
    forged = "x" + "a" * 24 + "b0x and x" + "a" * 24 + "s0x"
    offered = iter(["a" * 24, "b" * 24, "a" * 24, "c" * 24])
    with monkeypatch.context() as patched:
        patched.setattr("newsletter.render.document.secrets.token_hex", lambda _length: next(offered))
        rendered = pieces({"National": [1]}, change=lambda article: replace(article, headline=forged))
    received = mail(variant(rendered))
    assert received.message["Subject"] == forged
    assert forged in received.html
    assert forged in received.text


def test_a_plan_that_does_not_read_a_story_gets_its_teaser_only(tmp_path: Path) -> None:
    folder = a_design(tmp_path, card_html="<tr><td>{{ story.headline }}{{ story.body }}{{ story.text }}</td></tr>")
    newsletter = a_newsletter(("National",), design="mine")

    def received(plan: str) -> str:
        rendered = pieces(
            {"National": [1]},
            change=lambda article: replace(article, access=Access.MEMBERS),
            newsletter=newsletter,
            folders=[folder],
            key=RenderedKey("en", plan),
        )
        return mail(variant(rendered)).html

    assert "<p>Body of story 1.</p>" in received("member")
    assert "Headline of story 1" in received("free")
    assert "Body of story 1" not in received("free")
    assert "Body of story 1" not in received("abolished")


def test_a_story_in_another_script_says_so() -> None:
    received = mail(variant(pieces(change=lambda article: replace(article, language="ar")))).html
    assert 'lang="ar" dir="rtl" align="right"' in received


def test_an_arabic_edition_reads_from_the_right() -> None:
    arabic = lxml_html.document_fromstring(mail(variant(pieces(key=RenderedKey("ar", "free")))).html)
    assert (arabic.get("lang"), arabic.get("dir")) == ("ar", "rtl")
    assert arabic.find("body/div").get("dir") == "rtl"  # type: ignore[union-attr]


def test_a_logo_stands_in_the_masthead_with_the_papers_name() -> None:
    rendered = pieces(logo=replace(PICTURE, media="logo.png", width=640, height=93), site=a_site(name="The Paper"))
    received = mail(variant(rendered)).html
    assert re.search(
        r'<img src="https://mail.news.example/media/logo.png" width="360" height="52" alt="The Paper"', received
    )
