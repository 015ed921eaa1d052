"""Traced templates render the same message with marks, which name the template and line of everything in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from newsletter.model import RenderedKey
from newsletter.render.document import render_pieces
from newsletter.render.lint import Expected, Mail, lint_mail
from newsletter.render.lint.origins import Origins
from newsletter.render.templates import Templates
from newsletter.render.tracing import ATTRIBUTE, CSS_MARK, TEXT_MARK, Tracing
from tests.builders import an_article
from tests.render.mails import PICTURE, PLANS, WEB, a_newsletter, a_site, an_edition, mail, variant


def parts(folder: Path, templates: Templates, design: str = "daily", stories: int = 4) -> Mail:
    """The message of ``design``: its decoded parts."""
    edition = an_edition({"National": range(1, stories + 1)})
    articles = {number: an_article(number, images=(PICTURE,)) for number in edition.article_ids}
    newsletter = a_newsletter(["National"], design=design)
    made = render_pieces(
        edition, articles, newsletter, "daily", a_site(), PLANS, RenderedKey("en", "free"), WEB, templates
    )
    found = mail(variant(made), newsletter=newsletter)
    return Mail(found.html, found.text, Expected(postal_address="nowhere in it"))


def where_of(folder: Path, rule: str, design: str = "daily", stories: int = 4, traced_stories: int = 4) -> list[str]:
    """``file:line`` of the findings of ``rule``, the file below ``folder`` or among those that are shipped."""
    templates = Templates([folder], traced=True)
    real = parts(folder, Templates([folder]), design, stories)
    origins = Origins(
        real,
        parts(folder, templates, design, traced_stories),
        templates.place,
        lambda setting: f"schedules.yaml:{setting}",
        lambda file: f"{templates.source(design, file)[1]}:1",
    )
    found = origins.placed([finding for finding in lint_mail(real) if finding.rule == rule])
    return [one.where.replace(f"{folder}/", "").removeprefix("templates/") for one in found]


def override(folder: Path, name: str, old: str, new: str) -> int:
    """A copy of a shipped template in ``folder`` with a fault in it; the line of the fault."""
    text = (Templates().folders[-1] / name).read_text(encoding="utf-8")
    assert old in text, text
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize("design", ["daily", "briefing"])
def test_marks_change_nothing_else(tmp_path: Path, design: str) -> None:
    real = parts(tmp_path, Templates(), design)
    traced = parts(tmp_path, Templates(traced=True), design)
    html = re.sub(rf' {ATTRIBUTE}="?[0-9]+"?', "", CSS_MARK.sub("", traced.html))
    assert html != traced.html
    # A boundary of slots and comments may move white space inside <style>; everything else is as it was.
    assert "".join(html.split()) == "".join(real.html.split())
    assert TEXT_MARK.sub("", traced.text).split() == real.text.split()
    assert all(TEXT_MARK.search(line) for line in traced.text.splitlines() if "https://" in line)


def test_every_element_knows_its_line(tmp_path: Path) -> None:
    templates = Templates(traced=True)
    places = [templates.place(int(one.get(ATTRIBUTE, "-1"))) for one in parts(tmp_path, templates).elements]
    assert "" not in places
    assert {place.rpartition(":")[0].rpartition("/")[2] for place in places} >= {
        "base.html", "masthead.html", "lead.html", "card.html", "section.html", "parts.html", "footer.html",
    }  # fmt: skip
    assert Templates().place(0) == ""


def test_an_included_an_extended_and_a_macro_template_are_named(tmp_path: Path) -> None:
    line = override(tmp_path, "shared/footer.html", '<table role="presentation"', "<table")
    assert where_of(tmp_path, "role") == [f"shared/footer.html:{line}"]
    line = override(tmp_path, "shared/parts.html", ' alt="{{ picture.alt or words }}"', "")
    assert f"shared/parts.html:{line}" in where_of(tmp_path, "alt")
    html = '<html lang="{{ key.language }}"'
    line = override(tmp_path, "shared/base.html", html, "<html")
    assert where_of(tmp_path, "lang") == [f"shared/base.html:{line}"]


def test_a_rule_of_a_style_block_is_named(tmp_path: Path) -> None:
    line = override(tmp_path, "shared/kept.css", "  .sheet {", "  @page { margin: 0 }\n  .sheet {")
    assert where_of(tmp_path, "nested-at") == [f"shared/kept.css:{line}"]
    line = override(
        tmp_path, "shared/outlook.css", "[data-ogsc] .kicker { color: {{ site.accent_dark }}", "i { color: rgb(0 0 0)"
    )
    assert where_of(tmp_path, "spaced-colour") == [f"shared/outlook.css:{line}"]


def test_the_text_part_and_settings_are_named(tmp_path: Path) -> None:
    line = override(tmp_path, "shared/card.txt", "{{ story.headline | wrap }}", "A story")
    found = where_of(tmp_path, "parts-differ")
    link = (tmp_path / "shared" / "card.txt").read_text(encoding="utf-8").splitlines().index("{{ story.url }}") + 1
    assert line == 1
    assert set(found) == {f"shared/card.txt:{link}"}
    assert where_of(tmp_path, "postal-address") == ["daily/edition.html:1", "shared/edition.txt:1"]
    override(tmp_path, "shared/base.html", "{{ place('preheader') }}", "")
    assert where_of(tmp_path, "preheader") == ["schedules.yaml:preheader"]


def test_what_no_template_wrote_is_named_where_it_was_printed(tmp_path: Path) -> None:
    cell = '<td valign="top"{{ tongue(story) }}>'
    line = override(
        tmp_path, "shared/card.html", cell, cell + '{{ \'<img src="https://x.example/a" width="9">\' | safe }}'
    )
    assert set(where_of(tmp_path, "alt")) == {f"shared/card.html:{line}"}


def test_a_declaration_is_never_marked_in_its_middle() -> None:
    source = "p {\n  color:\n    red;\n  margin: {{ 1 }}px\n    2px\n}\n"
    environment = Environment(loader=DictLoader({"a.css": source}), extensions=[Tracing])
    marked = environment.get_template("a.css").render()
    assert marked == "/*t0*/p {\n/*t1*/  color:\n    red;\n/*t2*/  margin: 1px\n    2px\n}"


def test_a_story_that_only_one_of_the_two_has_puts_nothing_out_of_place(tmp_path: Path) -> None:
    line = override(tmp_path, "shared/footer.html", '<table role="presentation"', "<table")
    assert where_of(tmp_path, "role", stories=3, traced_stories=5) == [f"shared/footer.html:{line}"]


def test_what_stands_in_a_tag_or_a_translation_is_left_alone() -> None:
    environment = Environment(extensions=["jinja2.ext.i18n", Tracing])
    source = '<p title="a <b c"{% if x %} class="y"{% endif %}>\n{% trans %}Read <i>this</i>{% endtrans %}</p>'
    shown = environment.from_string(source).render(x=True, gettext=lambda text: text)
    assert "Read <i>this</i>" in shown
    assert shown.startswith(f'<p {ATTRIBUTE}=0 title="a <b {ATTRIBUTE}=1 c" class="y">')
