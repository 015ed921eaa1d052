"""What a plan does not read is nowhere in what its readers get: not in a part, a header, nor in the source."""

from __future__ import annotations

import quopri
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.model import Access, Article, RenderedKey, StreamName
from newsletter.render.document import check_newsletter
from newsletter.render.templates import Templates
from tests.render.mails import a_design, a_newsletter, a_site, mail, pieces, variant

SECRET = ("zebrafish", "quicksand", "marzipan")
POOL = {"National": [1, 2, 3, 4], "World": [5, 6]}
DESIGNS = Templates().designs()


def locked(article: Article) -> Article:
    return replace(
        article,
        access=Access.MEMBERS if article.id % 2 else Access.FREE,
        standfirst="" if article.id == 1 else article.standfirst,
        teaser=f"Teaser of story {article.id}",
        body_html=f"<p>{' '.join(SECRET)}</p><p>Open.</p>" if article.id % 2 else article.body_html,
        body_text=" ".join(SECRET) if article.id % 2 else article.body_text,
    )


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("sections", [(), ("World",), ("World", "National")])
def test_no_word_of_a_hidden_body_is_in_any_part_of_a_message(design: str, sections: tuple[str, ...]) -> None:
    newsletter = a_newsletter(
        tuple(POOL),
        design=design,
        subject="{{ lead.headline }} {{ lead.body }} {{ articles | map(attribute='body') | join }}",
        preheader="{% for one in articles %}{{ one.text }}{{ one.body }}{{ one.teaser }}{% endfor %}",
    )
    rendered = pieces(POOL, newsletter=newsletter, change=locked)
    got = mail(variant(rendered, *sections), newsletter=newsletter)
    everywhere = got.raw + quopri.decodestring(got.raw) + repr(rendered).encode()
    for word in SECRET:
        assert word.encode() not in everywhere
    assert got.message["Subject"]


def test_a_design_that_prints_every_body_prints_none_that_is_hidden(tmp_path: Path) -> None:
    story = "{{ story.body }}{{ story.text }}{{ story }}"
    files = {f"{role}_{suffix}": story for role in ("lead", "card", "brief") for suffix in ("html", "txt")}
    files |= {name: f"<tr><td>{text}</td></tr>" for name, text in files.items() if name.endswith("html")}
    newsletter = a_newsletter(tuple(POOL), design="mine")
    for plan, hidden in (("free", True), ("member", False)):
        rendered = pieces(
            POOL,
            newsletter=newsletter,
            folders=[a_design(tmp_path, **files)],
            change=locked,
            key=RenderedKey("en", plan),
        )
        everywhere = b"".join(quopri.decodestring(body) for body in rendered.values())
        assert all((word.encode() in everywhere) != hidden for word in SECRET)


def test_a_locked_story_shows_its_teaser_and_the_way_to_a_membership_and_an_open_one_does_not() -> None:
    site = a_site(membership_url="https://news.example/join")
    for plan, cards in (("free", 2), ("member", 0)):  # stories 1 and 5 are the lead and a card, 3 a brief
        rendered = pieces(
            {"National": [1, 2, 4, 3], "World": [5]}, site=site, change=locked, key=RenderedKey("en", plan)
        )
        got = mail(variant(rendered))
        for part in (got.html, got.text):
            assert part.count("https://news.example/join") == cards
            assert part.count("The whole story is for members.") == cards
            assert ("Teaser of story 1" in part) == (plan == "free")
    assert "https://news.example" in mail(variant(pieces(change=locked))).html


def test_a_template_may_branch_on_the_plan(tmp_path: Path) -> None:
    folder = a_design(
        tmp_path,
        section_html="<tr><td>{% if key.plan == 'free' %}Free readers{% else %}Members{% endif %}</td></tr>",
        card_html="<tr><td>{{ story.headline }}{% if key.plan != 'free' %}{{ story.body }}{% endif %}</td></tr>",
    )
    newsletter = a_newsletter(tuple(POOL), design="mine")
    check_newsletter(Templates([folder]), StreamName("daily"), newsletter)
    for plan in ("free", "member"):
        got = mail(
            variant(pieces(POOL, newsletter=newsletter, folders=[folder], change=locked, key=RenderedKey("en", plan)))
        ).html
        assert ("Free readers" in got, SECRET[0] in got) == (plan == "free", plan == "member")
