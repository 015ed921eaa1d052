"""A slot may only be printed: every other use is an error with its file and line, in branches not taken too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.model import RenderedKey
from newsletter.render.slots import SlotPrinter, check_complete
from newsletter.render.templates import Templates, compile_text
from tests.render.mails import MINIMAL, SLOTS, a_design, a_newsletter, mail, pieces, variant

BODY = MINIMAL.replace("<body>", "<body>\n%s")
NOT_TAKEN = "{%% if key.plan == 'nobody' %%}%s{%% endif %%}"


def fault_of(folder: Path) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        Templates([folder]).check("mine")
    return caught.value


MISUSES = {
    "{% if slot.first_name() %}x{% endif %}": "in a branch",
    "{% if x %}{% elif slot.first_name() %}x{% endif %}": "in a branch",
    "{% if slot.first_name is defined %}x{% endif %}": "in a test",
    "{% if slot.first_name() == 'Asha' %}x{% endif %}": "in a comparison",
    "{{ slot.first_name() | upper }}": "in a filter",
    "{{ 'Dear ' ~ slot.first_name() }}": "in a concatenation",
    "{{ 'Dear ' + slot.first_name() }}": "in a concatenation",
    "{{ slot.first_name() if key.plan else '' }}": "in an inline if",
    "{% set name = slot.first_name() %}": "in a set",
    "{% set name %}{{ slot.first_name() }}{% endset %}": "inside a set block",
    "{% filter upper %}{% if key.plan %}{{ slot.first_name() }}{% endif %}{% endfilter %}": "inside a filter",
    "{% macro m() %}{{ slot.first_name() }}{% endmacro %}": "inside a macro",
    "{{ range(slot.first_name()) }}": "in the arguments of a call",
    "{% set s = slot %}": "in a set",
    "{% for slot in [1] %}{% endfor %}": "name of the slots",
    "{% import 'shared/parts.html' as slot %}": "name of the slots",
    "{{ slot['first_name']() }}": "slot.name()",
    "{{ slot.nickname() }}": "no slot 'nickname'",
    "{{ slot.first_name }}": "something else",
    "{{ slot.first_name('reader') }}": "nothing but default",
    "{{ slot.first_name(default=key.plan) }}": "text in quotes",
    "{{ slot.browser_url(default='x') }}": "no default",
    '<a href="{{ slot.first_name() }}">x</a>': "not a URL",
    "<a href='{{ slot.first_name() }}'>x</a>": "not a URL",
    '<img src="https://x/{{ slot.address() }}" alt="">': "not a URL",
    '<a href="https://x/{{ slot.browser_url() }}">x</a>': "whole URL",
    "<a href={{ slot.browser_url() }}>x</a>": "quoted attribute",
    "<p {{ slot.first_name() }}>x</p>": "inside a tag",
    '<p onclick="{{ slot.first_name() }}">x</p>': "in onclick",
    '<p style="{{ slot.first_name() }}">x</p>': "in style",
    "<style>{{ slot.first_name() }}</style>": "inside <style>",
    "<title>{{ slot.first_name() }}</title>": "inside <title>",
    "{% trans a=slot.first_name() %}{{ a }}{% pluralize %}{{ a }}s{% endtrans %}": "in a branch",
    "{% trans n=1, a=slot.first_name() %}{{ n }}{% pluralize a %}{{ n }}s{% endtrans %}": "in the arguments of a call",
    "{% trans a=slot.first_name()|upper %}{{ a }}{% endtrans %}": "in a filter",
    "{% trans a=slot.nickname() %}{{ a }}{% endtrans %}": "no slot 'nickname'",
    "{% trans a=slot.first_name() %}Dear reader{% endtrans %}": "does not print it",
    "{% trans %}Dear {{ slot }}{% endtrans %}": "in the arguments of a call",
    "{{ _('Dear %(a)s', a=slot.first_name()) | upper }}": "in the arguments of a call",
    "{{ _(slot.first_name()) }}": "in the arguments of a call",
    "{{ _('Dear %(a)s', **{'a': slot.first_name()}) }}": "in the arguments of a call",
    "{% set line = _('Dear %(a)s', a=slot.first_name()) %}": "in the arguments of a call",
    "{% macro m() %}{% trans a=slot.first_name() %}{{ a }}{% endtrans %}{% endmacro %}": "inside a macro",
    "{% trans a=slot.first_name() %}{{ a }}{% endtrans %}{% if _trans == 'x' %}x{% endif %}": "a name that",
    "{% set _trans = slot.first_name() %}{% for _ in _trans %}x{% endfor %}": "a name that",
    '{% trans a=slot.first_name() %}<a href="{{ a }}">x</a>{% endtrans %}': "not a URL",
    '{% trans n=2, a=slot.first_name() %}{{ a }}{% pluralize %}<a href="{{ a }}">x</a>{% endtrans %}': "not a URL",
}


@pytest.mark.parametrize("misuse", MISUSES)
@pytest.mark.parametrize("around", ["%s", NOT_TAKEN])
def test_a_misused_slot_is_an_error_at_its_line(misuse: str, around: str, tmp_path: Path) -> None:
    error = fault_of(a_design(tmp_path, edition_html=BODY % (around.replace("%%", "%").replace("%s", misuse))))
    assert MISUSES[misuse] in error.what
    assert error.where.endswith("mine/edition.html:3")
    assert error.remedy


def test_a_misuse_in_a_template_included_in_a_branch_not_taken_is_found(tmp_path: Path) -> None:
    folder = a_design(
        tmp_path,
        edition_html=BODY % "{% if key.plan == 'nobody' %}{% include 'mine/aside.html' %}{% endif %}",
        aside_html="<p>\n{{ slot.first_name() | title }}</p>",
    )
    assert fault_of(folder).where.endswith("mine/aside.html:2")


def test_a_computed_include_cannot_be_checked_and_is_refused(tmp_path: Path) -> None:
    error = fault_of(a_design(tmp_path, edition_html=BODY % "{% include 'mine/' ~ key.plan %}"))
    assert "computed" in error.what
    assert error.where.endswith("mine/edition.html:3")


@pytest.mark.parametrize("text", ["{{ slot.first_name() | upper }}", "{% if slot.address() %}{% endif %}"])
def test_a_subject_that_misuses_a_slot_names_the_key(text: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_text(text, "newsletters.daily.subject")
    assert caught.value.where == "newsletters.daily.subject:1"


def test_a_block_printed_through_a_filter_is_caught_when_it_runs(tmp_path: Path) -> None:
    edition = BODY % "{% block b %}{{ slot.first_name() }}{% endblock %}{{ self.b() | upper }}"
    folder = a_design(tmp_path, edition_html=edition)
    Templates([folder]).check("mine")
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder])
    assert caught.value.where.endswith("mine/edition.html:3")


def test_a_slot_that_lands_in_an_attribute_through_an_include_is_caught_when_it_runs(tmp_path: Path) -> None:
    edition = BODY % "<a href=\"{% include 'mine/name.html' %}\">x</a>"
    folder = a_design(tmp_path, edition_html=edition, name_html="{{ slot.first_name() }}")
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder])
    assert "not a URL" in caught.value.what
    assert caught.value.where.endswith("mine/name.html:1")


def test_a_token_that_comes_out_twice_or_never_is_refused() -> None:
    printer = SlotPrinter(lambda kind, number: f"x{kind}{number}x")
    token = printer.first_name(at="f:1")
    for document in ("", token * 2, token.upper()):
        with pytest.raises(TemplateError):
            check_complete(document, re.compile("xs([0-9]+)x"), printer.printed())
    check_complete(token, re.compile("xs([0-9]+)x"), printer.printed())


def test_printed_slots_are_filled_in_text_attributes_and_links(tmp_path: Path) -> None:
    edition = (
        BODY
        % """<p title="For {{ slot.last_name(default='you') }}">Dear {{ slot.first_name(default="reader") }},</p>
{% if key.plan == 'free' %}<a href="{{ slot.browser_url() }}?from=mail">read</a>{% endif %}"""
    )
    folder = a_design(tmp_path, edition_html=edition)
    rendered = variant(pieces(newsletter=a_newsletter(design="mine"), folders=[folder]))
    named = mail(rendered, slots={**SLOTS, "first_name": "Ëve", "last_name": '"<'}).html
    assert '<p title="For &quot;&lt;">Dear Ëve,</p>' in named
    assert f'<a href="{SLOTS["browser_url"]}?from=mail">read</a>' in named
    nameless = mail(rendered, slots={"browser_url": "https://x.example"}).html
    assert '<p title="For you">Dear reader,</p>' in nameless


TRANSLATED = """<p>{% trans name=slot.first_name(default="reader") %}Dear {{ name }}, good morning.{% endtrans %}</p>
<p>{{ _("For %(who)s", who=slot.last_name()) }}</p>
{% trans url=slot.browser_url() %}<a href="{{ url }}">Read</a> it.{% endtrans %}
{% trans n=2, mail=slot.address() %}{{ n }} mail to {{ mail }}{% pluralize %}{{ n }} mails to {{ mail }}{% endtrans %}
{% trans n=range(3)|length %}{{ n }} day{% pluralize %}{{ n }} days{% endtrans %}
{% trans n="x".count("x") %}{{ n }} day{% pluralize %}{{ n }} days{% endtrans %}"""


def a_translation(folder: Path, **messages: str) -> None:
    path = folder / "locale" / "de" / "LC_MESSAGES" / "newsletter.po"
    path.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    path.write_text(head + "".join(f"\nmsgid {one}\n" for one in messages.values()), encoding="utf-8")


def test_slots_are_values_of_translated_sentences(tmp_path: Path) -> None:
    folder = a_design(tmp_path, edition_html=BODY.replace("%s", TRANSLATED))
    a_translation(folder, dear='"Dear %(name)s, good morning."\nmsgstr "Guten Morgen, %(name)s!"')
    key = RenderedKey("de", "free")
    rendered = variant(pieces(newsletter=a_newsletter(design="mine"), folders=[folder], key=key))
    received = mail(rendered, slots={**SLOTS, "first_name": "<Ëve>"}).html
    assert "<p>Guten Morgen, &lt;Ëve&gt;!</p>" in received
    assert "<p>For Rao</p>" in received
    assert f'<a href="{SLOTS["browser_url"]}">Read</a> it.' in received
    assert "2 mails to asha@reader.example" in received
    assert "3 days" in received
    assert "1 day" in received


@pytest.mark.parametrize(
    "translation", ["<b title='%(name)s'>%(name)s</b>", "<a href='%(name)s'>Sie</a>", "<p style='%(name)s'>Sie</p>"]
)
def test_a_translation_that_misuses_a_slot_is_an_error_at_the_sentence(translation: str, tmp_path: Path) -> None:
    edition = BODY % "{% trans name=slot.first_name() %}Dear {{ name }}{% endtrans %}"
    folder = a_design(tmp_path, edition_html=edition)
    a_translation(folder, dear=f'"Dear %(name)s"\nmsgstr "{translation}"')
    Templates([folder]).check("mine")
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder], key=RenderedKey("de", "free"))
    assert "slot.first_name" in caught.value.what
    assert caught.value.where.endswith("mine/edition.html:3")


def test_a_slot_that_was_put_aside_for_one_sentence_is_not_printed_by_another(tmp_path: Path) -> None:
    edition = BODY.replace("%s", "{% trans a=slot.first_name() %}{{ a }}{% endtrans %} {{ _('%(a)s', a=_trans) }}")
    folder = a_design(tmp_path, edition_html=edition)
    with pytest.raises(TemplateError) as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder])
    assert "slot.first_name" in caught.value.what
    assert caught.value.where.endswith("mine/edition.html:3")
