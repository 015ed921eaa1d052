"""What stands round the stories, in both parts: the note, promotions, what was missed, other newsletters, the lead."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from newsletter.compose.keys import has_stories
from newsletter.config.models import Promotion
from newsletter.errors import TemplateError
from newsletter.model import Access, Edition, EditionSection, Edits, JoinedKey, RenderedKey
from newsletter.render.blocks import running
from newsletter.render.fitting import largest_html
from newsletter.render.inlining import inline
from newsletter.render.joining import Variants
from newsletter.render.lint import lint
from newsletter.render.markdown import prose
from newsletter.render.templates import Templates
from newsletter.store.subscriptions import encode_sections
from tests.render.mails import SLOTS, UNSUBSCRIBE, Mail, a_design, a_newsletter, an_edition, mail, pieces, variant

POOL = {"National": [1, 2], "World": [3, 4], "Sport": [5]}
AD = {"headline": "Spring coats", "url": "https://shop.example/coats"}


def pool(*sections: EditionSection, edits: Edits = Edits()) -> Edition:
    return replace(an_edition({}), sections=sections, edits=edits)


def received(
    *sections: str, edition: Edition | None = None, key: RenderedKey = RenderedKey("en", "free"), **newsletter: Any
) -> Mail:
    """The mail of a reader of these sections."""
    made = a_newsletter(tuple(POOL), **newsletter)
    return mail(variant(pieces(POOL, newsletter=made, edition=edition, key=key), *sections))


def order(text: str, *wanted: str) -> list[str]:
    """``wanted`` as they come in ``text``; what is not there is left out."""
    return [one for _, one in sorted((text.index(one), one) for one in wanted if one in text)]


# --- the note ---


def test_the_editors_note_stands_above_the_lead_in_both_parts() -> None:
    note = "Good *morning*,\n\nread [our letter](https://news.example/letter) <b>today</b>."
    got = received(note=note)
    assert '<p style="' in got.html
    assert "Good <em>morning</em>," in got.html
    assert 'href="https://news.example/letter"' in got.html
    assert "&lt;b&gt;today&lt;/b&gt;" in got.html
    assert "Headline of story 1</a>" not in got.html.partition('class="note"')[0]
    assert "Headline of story 1</a>" in got.html.partition('class="note"')[2]
    assert order(got.text, "Good morning,", "Headline of story 1") == ["Good morning,", "Headline of story 1"]
    assert "read our letter <b>today</b>.\nhttps://news.example/letter\n" in got.text.replace("\r", "")


def test_an_occurrences_own_note_stands_in_place_of_the_newsletters_and_an_empty_one_removes_it() -> None:
    for edited, wanted in (("Only today.", "Only today."), ("", ""), (None, "Each day.")):
        edition = replace(an_edition(POOL), edits=Edits(note=edited))
        got = received(edition=edition, note="Each day.")
        for part in (got.html, got.text):
            assert ("Each day." in part, "Only today." in part) == (wanted == "Each day.", wanted == "Only today.")


@pytest.mark.parametrize("placed", ["{{ place('note') }}", ""])
def test_a_design_may_place_the_note_and_one_that_does_not_loses_none(placed: str, tmp_path: Path) -> None:
    frame = (
        "<!DOCTYPE html><html><head><title>t</title></head><body><table>{{ place('lead') }}{{ place('sections') }}"
        f"</table><table>{placed}</table></body></html>"
    )
    folder = a_design(tmp_path, edition_html=frame)
    made = a_newsletter(tuple(POOL), design="mine", note="Dear readers.")
    got = mail(variant(pieces(POOL, newsletter=made, folders=[folder])))
    found = order(got.html, "Dear readers.", "Headline of story 1", "Headline of story 5")
    assert found.index("Dear readers.") == (2 if placed else 0)
    assert got.html.count("Dear readers.") == got.text.count("Dear readers.") == 1


HOSTILE = [
    "[x](javascript:alert(1))", "![x](https://e.example/p.gif)", "<script>alert(1)</script>", "<a onclick=x href=//e>",
    "[x](data:text/html,x)", "# Heading\n\n---\n\n    code", "[a](https://a.example 'title')\n[a]: https://b.example",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_says_nothing_but_words_links_and_lists(text: str) -> None:
    said = prose(text)
    tags = set(re.findall(r"<(\w+)", said.html))
    assert tags <= {"p", "a", "em", "strong", "ul", "ol", "li", "blockquote", "br"}
    assert not re.search(r"<[^>]*\s(?!href)\w+=", said.html)
    assert not re.search(r"href=\"(?!https?:|mailto:|tel:)", said.html)


def test_markdown_lists_and_breaks_are_lines_in_the_text_part() -> None:
    assert prose("Today:\n\n1. One\n2. **Two**\n\n* a [b](mailto:a@b.example)\n\nx  \ny").text == (
        "Today:\n\n1. One\n\n2. Two\n\n* a b\na@b.example\n\nx\ny"
    )
    assert not prose(" \n ")


# --- promotions ---


@pytest.mark.parametrize(
    ("after", "sections", "wanted"),
    [
        (0, (), ["AD", "S2", "S3", "S5"]),
        (1, (), ["S2", "AD", "S3", "S5"]),
        (2, (), ["S2", "S3", "AD", "S5"]),
        (9, (), ["S2", "S3", "S5", "AD"]),
        (1, ("World", "Sport"), ["S4", "AD", "S5"]),
        ("world", ("Sport", "World", "National"), ["S3", "AD", "S1"]),
        ("World", ("Sport", "National"), ["S1"]),
    ],
)
def test_a_promotion_follows_the_section_of_the_readers_own_mail(
    after: int | str, sections: Sequence[str], wanted: list[str]
) -> None:
    got = received(*sections, promotions=[AD | {"after": after}])
    names = {"AD": "Spring coats"} | {f"S{n}": f"Headline of story {n}" for n in range(1, 6)}
    for part in (got.html.partition("<h2")[2].partition("</h2>")[2], got.text.partition("1 min")[2]):
        stands = order(part, *names.values())
        found = [name for said in stands for name, words in names.items() if words == said]
        assert [name for name in found if name in wanted] == wanted
        assert ("AD" in found) == ("AD" in wanted)
    assert ("Advertisement" in got.text) == ("AD" in wanted)


def test_a_promotion_is_labelled_in_the_editions_language_and_says_the_same_in_both_parts() -> None:
    ad = AD | {"text": "Warm *and* light.", "button": "See them", "image": "https://news.example/coat.jpg"}
    got = received(promotions=[ad], key=RenderedKey("de", "free"))
    for part in (got.html, got.text):
        assert "Anzeige" in part
        assert "See them" in part
        assert "https://shop.example/coats" in part
    assert "Warm <em>and</em> light." in got.html
    assert 'alt="Spring coats"' in got.html
    assert "Warm and light." in got.text
    own = received(promotions=[ad | {"label": "From our shop"}])
    assert "From our shop" in own.text
    assert "Advertisement" not in own.text


@pytest.mark.parametrize(
    ("day", "plan", "changes", "runs"),
    [
        ("2026-11-23", "free", {"from": "2026-11-23", "until": "2026-11-23"}, True),
        ("2026-11-22", "free", {"from": "2026-11-23"}, False),
        ("2026-11-24", "free", {"until": "2026-11-23"}, False),
        ("2026-11-23", "free", {"days": ["mon"]}, True),
        ("2026-11-24", "free", {"days": ["mon"]}, False),
        ("2026-11-23", "free", {"plans": ["free"]}, True),
        ("2026-11-23", "member", {"plans": ["free"]}, False),
    ],
)
def test_a_promotion_runs_on_its_days_and_for_its_plans(
    day: str, plan: str, changes: Mapping[str, Any], runs: bool
) -> None:
    found = running([Promotion.model_validate({**AD, **changes})], date.fromisoformat(day), plan)
    assert bool(found) is runs


def test_a_promotion_for_one_plan_is_nowhere_in_what_another_plan_gets() -> None:
    made = a_newsletter(tuple(POOL), promotions=[AD | {"plans": ["free"]}])
    for plan in ("free", "member"):
        rendered = pieces(POOL, newsletter=made, key=RenderedKey("en", plan))
        assert any(b"Spring coats" in body for body in rendered.values()) == (plan == "free")


# --- what was missed, other newsletters ---


@pytest.mark.parametrize("sections", [(), ("World",)])
def test_what_was_missed_stands_as_briefs_at_the_end_of_every_mail(sections: Sequence[str]) -> None:
    edition = pool(
        EditionSection("National", (1, 2)), EditionSection("World", (3,)), EditionSection("", (7, 8), missed=True)
    )
    got = received(*sections, edition=edition, missed={})
    for part in (got.html, got.text):
        said = "You may have missed" if part is got.html else "YOU MAY HAVE MISSED"
        wanted = ["Headline of story 3", said, "Headline of story 7", "Headline of story 8"]
        assert order(part.rpartition("Headline of story 3")[2], *wanted[1:]) == wanted[1:]
    assert got.html.count('class="brief"') == 2
    titled = received(*sections, edition=edition, missed={"title": "Before you go"})
    assert "Before you go" in titled.html
    assert "missed" not in titled.html.lower().replace("missed it", "")


def test_a_reader_for_whom_there_is_only_what_was_missed_gets_no_mail() -> None:
    edition = pool(EditionSection("National", (1,)), EditionSection("Missed", (7,), missed=True))
    joined = Variants(pieces(newsletter=a_newsletter(tuple(POOL)), edition=edition))
    assert joined.variant(JoinedKey(("World",))) is None
    assert joined.variant(JoinedKey(("Missed",))) is None
    whole_mail = joined.variant(JoinedKey())
    assert whole_mail is not None
    assert whole_mail.article_ids == (1, 7)
    only = pool(EditionSection("", (7,), missed=True))
    made = a_newsletter(tuple(POOL))
    assert Variants(pieces(newsletter=made, edition=only)).variant(JoinedKey()) is None
    assert not has_stories("", made, only)


def test_one_link_of_hers_takes_each_related_newsletter() -> None:
    others = {"weekend": a_newsletter(title="The Weekend", description="Long reads.")}
    made = a_newsletter(tuple(POOL), related=["weekend"])
    got = mail(variant(pieces(POOL, newsletter=made, newsletters=others)))
    for part in (got.html, got.text):
        assert part.count(SLOTS["subscribe_url/weekend"]) == 1
        for words in ("The Weekend", "Long reads."):
            assert part.index(words) > part.index("Headline of story 5")
    assert "More newsletters" in got.html


def test_a_promotion_with_a_target_is_seen_by_those_in_it_and_rendered_once_for_all() -> None:
    ads = [
        AD | {"target": "plan = free"},
        AD | {"headline": "Autumn boots"},
        AD | {"headline": "Winter hats", "target": "not plan = free"},
    ]
    made = a_newsletter(tuple(POOL), promotions=ads)
    joined = Variants(pieces(POOL, newsletter=made))
    coats, hats = joined.targets
    assert (coats, hats) == tuple(one.parsed_target.digest for one in made.promotions if one.parsed_target is not None)
    for targets, wanted in (
        ((), ["Autumn boots"]),
        ((coats,), ["Spring coats", "Autumn boots"]),
        ((hats, "ffffffffffff"), ["Autumn boots", "Winter hats"]),
        (joined.targets, ["Spring coats", "Autumn boots", "Winter hats"]),
    ):
        found = joined.variant(JoinedKey(("World",), targets))
        assert found is not None
        for part in (mail(found).html, mail(found).text):
            assert order(part, "Spring coats", "Autumn boots", "Winter hats") == wanted
    assert joined.variant(JoinedKey(("World",), (coats, "ffffffffffff"))) is joined.variant(
        JoinedKey(("World",), (coats,))
    ), "what this edition does not ask makes no further variant"
    sizes = [
        largest_html(pieces(POOL, newsletter=a_newsletter(tuple(POOL), promotions=ads[first:]))) for first in (0, 1, 2)
    ]
    assert sizes == sorted(set(sizes), reverse=True), "the largest mail has all of them"


# --- the lead ---


@pytest.mark.parametrize("sections", [(), ("Sport", "World"), ("Sport",)])
def test_a_story_in_front_of_all_sections_leads_every_mail(sections: Sequence[str]) -> None:
    edition = pool(EditionSection("", (9,)), *(EditionSection(name, tuple(ids)) for name, ids in POOL.items()))
    got = received(*sections, edition=edition, lead="best")
    assert got.message["Subject"] == "Headline of story 9"
    assert re.findall(r"<h2[^>]*class=\"title\"[^>]*><a [^>]*>([^<]+)", got.html) == ["Headline of story 9"]
    assert "Headline of story 5" in got.html
    assert got.html.count("Headline of story 9</a>") == 1
    others = list(sections) or ["National", "World", "Sport"]
    assert re.findall(r"<h2[^>]*class=\"kicker\"[^>]*>([^<]+)", got.html) == others


def test_a_lead_alone_is_a_mail_only_for_those_whose_section_it_comes_from() -> None:
    edition = pool(EditionSection("", (9,), home="World"), EditionSection("National", (1,)))
    made = a_newsletter(tuple(POOL), lead="best")
    joined = Variants(pieces(newsletter=made, edition=edition))
    for sections, articles in (((), (9, 1)), (("World",), (9,)), (("Sport",), None), (("Sport", "National"), (9, 1))):
        found = joined.variant(JoinedKey(sections))
        assert (found.article_ids if found is not None else None) == articles
        assert has_stories(encode_sections(sections), made, edition) == (articles is not None)
    assert ">World</p>" in mail(variant(pieces(newsletter=made, edition=edition), "World")).html


def test_no_lead_leaves_every_story_in_its_section() -> None:
    got = received(lead="none")
    assert 'class="lead"' not in got.html
    assert got.message["Subject"] == "Headline of story 1"
    assert order(got.text, "NATIONAL", "Headline of story 1", "WORLD")[:2] == ["NATIONAL", "Headline of story 1"]
    assert got.html.count("Headline of story 1</a>") == 1


@pytest.mark.parametrize("lead", ["best", "none"])
def test_a_design_without_a_place_for_a_lead_shows_it_as_the_first_card(lead: str, tmp_path: Path) -> None:
    edition = pool(EditionSection("", (9,)), EditionSection("National", (1, 2)))
    made = a_newsletter(("National",), design="mine", lead=lead)
    got = mail(variant(pieces(newsletter=made, edition=edition, folders=[a_design(tmp_path)])))
    assert order(got.html, "Headline of story 9", "National</h2>", "Headline of story 1")[0] == "Headline of story 9"


# --- all of it ---


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("design", Templates().designs())
def test_a_mail_with_every_block_has_no_finding(design: str, language: str) -> None:
    edition = pool(
        EditionSection("National", (1, 2), trimmed=1),
        EditionSection("World", (3,)),
        EditionSection("", (7,), missed=True),
    )
    made = a_newsletter(
        tuple(POOL),
        design=design,
        note="Good *morning*. [Write to us](https://news.example/letters).\n\n* one\n* two",
        promotions=[AD | {"text": "Warm.", "button": "See", "image": "https://news.example/c.jpg"}],
        related=["weekend"],
        missed={},
    )
    rendered = pieces(
        newsletter=made,
        edition=edition,
        newsletters={"weekend": a_newsletter(title="Weekend", description="Long reads.")},
        change=lambda article: replace(article, access=Access.MEMBERS),
        key=RenderedKey(language, "free"),
    )
    got = mail(variant(rendered))
    assert [str(finding) for finding in lint(got.html, got.text, unsubscribe_url=UNSUBSCRIBE)] == []
    wrapper = re.search(r'<body[^>]*>\s*<div [^>]*lang="(\w+)" dir="(\w+)"', got.html)
    assert wrapper is not None
    assert wrapper.groups() == (language, "rtl" if language == "ar" else "ltr")
    if language == "ar":  # what is English says so, the words of the edition around it are Arabic
        assert re.search(r'<td class="note" lang="en" dir="ltr" align="left"', got.html)
        assert re.search(r'<p class="label" lang="ar" dir="rtl"[^>]*>إعلان', got.html)


# --- what editors changed, and how often anything is rendered ---


def test_what_editors_retitled_stands_in_subject_preheader_and_both_parts() -> None:
    edits = Edits(headlines=((1, "Dam holds"),), subject="{{ lead.headline }}, and more", preheader="All of it")
    got = received(edition=replace(an_edition(POOL), edits=edits))
    assert got.message["Subject"] == "Dam holds, and more"
    for part in (got.html, got.text):
        assert "Dam holds" in part
        assert "Headline of story 1<" not in part
    assert "All of it" in got.html.partition("</div>")[0]
    with pytest.raises(TemplateError) as caught:
        received(edition=replace(an_edition(POOL), edits=Edits(subject="{{ lead.")))
    assert caught.value.where == "daily@2026-11-23/1.subject:1"


def test_joining_renders_no_document_again(monkeypatch: pytest.MonkeyPatch) -> None:
    inlined: list[str] = []

    def counted(document: str, *, where: str) -> str:
        inlined.append(where)
        return inline(document, where=where)

    monkeypatch.setattr("newsletter.render.whole.inline", counted)
    made = a_newsletter(tuple(POOL), promotions=[AD], note="Hello")
    joined = [Variants(pieces(POOL, newsletter=made, key=RenderedKey("en", plan))) for plan in ("free", "member")]
    for one in joined:
        for sections in ((), ("World",), ("Sport", "World"), ("World", "National", "Sport")):
            assert one.variant(JoinedKey(sections)) is not None
    assert inlined == ["daily/edition.html"] * 2
