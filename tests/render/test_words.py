"""Words: gettext catalogues read as they are, whole in every shipped language, overridden message by message."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg

from newsletter.errors import TemplateError, UsageError
from newsletter.model import Article, RenderedKey
from newsletter.render import extracting
from newsletter.render.catalogues import catalogue_path, read_catalogue, words_of
from newsletter.render.filters import wrap
from newsletter.render.pool import MANIFEST
from newsletter.render.templates import Templates, shipped_templates
from newsletter.render.words import fallbacks, locale_of
from tests.render.mails import MINIMAL, a_design, a_newsletter, mail, pieces, variant

SHIPPED = ("ar", "de", "en", "es", "fr", "hi")
ROOT = Path(__file__).parent.parent.parent
Key = tuple[str | None, str]


def shipped(language: str) -> Catalog:
    return read_catalogue(catalogue_path(shipped_templates(), language))


def messages(catalogue: Catalog) -> dict[Key, tuple[str, ...]]:
    """Each message's ids by its key."""
    found: dict[Key, tuple[str, ...]] = {}
    for message in catalogue:
        if message.id:
            ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            found[message.context, ids[0]] = ids
    return found


def in_the_code() -> dict[Key, tuple[str, ...]]:
    """What ``make words`` extracts."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    catalogue = Catalog()
    for name, line, message, _, context in extract_from_dir(ROOT, methods, options):
        catalogue.add(message, locations=[(name, line)], context=context)
    return messages(catalogue)


def a_catalogue(folder: Path, language: str, text: str, *, plural: str = "nplurals=2; plural=(n != 1);") -> Path:
    path = catalogue_path(folder, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: {plural}\\n"\n\n'
    path.write_text(head + text, encoding="utf-8")
    return path


def values_in(text: str) -> set[str]:
    return set(re.findall(r"%\((\w+)\)s", text))


def test_every_shipped_catalogue_has_just_the_messages_that_are_printed() -> None:
    assert {path.name for path in (shipped_templates() / "locale").iterdir()} == set(SHIPPED)
    expected = in_the_code()
    assert len(expected) > 60
    for language in SHIPPED:
        assert messages(shipped(language)) == expected, f"run `make words`, and translate {language}"


@pytest.mark.parametrize("language", SHIPPED)
def test_every_message_is_translated_with_its_values_and_tags(language: str) -> None:
    catalogue = shipped(language)
    for message in catalogue:
        if not message.id:
            continue
        ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        assert len(forms) == (catalogue.num_plurals if message.pluralizable else 1), ids
        assert all(form and form.strip() == form for form in forms), ids
        assert not message.fuzzy, ids
        assert values_in(forms[-1]) == values_in(ids[-1]), ids
        for form in forms:
            assert re.findall(r"<[^>]*>", form) == re.findall(r"<[^>]*>", ids[-1]), ids
            assert "  " not in form, ids
            assert form[-1] in ".।؟?!:" or ids[-1][-1] not in ".?!:", ids


@pytest.mark.parametrize("language", SHIPPED)
def test_each_plural_form_is_for_one_of_the_languages_own_categories(language: str) -> None:
    catalogue = shipped(language)
    words = Templates().words(language)
    text = {n: words.text("%(n)s story", "%(n)s stories", n) for n in range(1000)}
    category = Locale.parse(language).plural_form
    by_category: dict[str, set[str]] = {}
    for n in range(1000):
        by_category.setdefault(category(n), set()).add(text[n])
    assert all(len(forms) == 1 for forms in by_category.values())
    assert len(by_category) == catalogue.num_plurals == (6 if language == "ar" else 2)


def test_arabic_counts_with_its_six_forms() -> None:
    words = Templates().words("ar")
    counted = {n: words.ngettext("%(n)s story", "%(n)s stories", n, n=n) for n in (0, 1, 2, 3, 11, 100)}
    expected = {0: "لا أخبار", 1: "خبر واحد", 2: "خبران", 3: "3 أخبار", 11: "11 خبرًا", 100: "100 خبر"}
    assert counted == expected


def test_numbers_are_written_as_the_language_does() -> None:
    counted = {
        language: Templates().words(language).ngettext("%(n)s story", "%(n)s stories", 12345, n=12345)
        for language in ("en", "de", "hi")
    }
    assert counted == {"en": "12,345 stories", "de": "12.345 Artikel", "hi": "12,345 ख़बरें"}
    assert Templates().words("en-IN").number(1234567) == "12,34,567"


def test_a_regional_language_has_the_general_ones_words_and_an_unknown_one_english() -> None:
    assert fallbacks("zh-Hant-TW") == ["zh-Hant-TW", "zh-Hant", "zh"]
    assert Templates().words("es-MX").gettext("Save") == "Guardar"
    assert Templates().words("es-MX").spoken == "es"
    tamil = Templates().words("ta")
    assert (tamil.gettext("Save"), tamil.spoken, str(tamil.locale)) == ("Save", "en", "ta")
    assert str(locale_of("xx-Nonsense")) == "en"


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_publisher_changes_one_message_of_a_language(language: str, tmp_path: Path) -> None:
    a_catalogue(tmp_path, language, 'msgid "Unsubscribe"\nmsgstr "Stop this newsletter"\n')
    received = mail(variant(pieces(folders=[tmp_path], key=RenderedKey(language, "free")))).html
    assert "Stop this newsletter" in received
    others = {"en": "Change what you receive", "de": "Abonnement ändern"}
    assert others[language] in received


def test_a_publisher_adds_a_language_whose_plurals_are_its_own(tmp_path: Path) -> None:
    story = 'msgid "%(n)s story"\nmsgid_plural "%(n)s stories"\nmsgstr[0] "%(n)s kos"\nmsgstr[1] "%(n)s kosy"\n'
    a_catalogue(
        tmp_path, "cs", story + 'msgstr[2] "%(n)s kosů"\n', plural="nplurals=3; plural=(n==1)?0:(n>=2 && n<=4)?1:2;"
    )
    received = mail(variant(pieces(folders=[tmp_path], key=RenderedKey("cs", "free"))))
    assert "6 kosů" in received.text
    assert "6 kosů" in received.html
    assert 'lang="cs"' in received.html


def test_a_saved_catalogue_is_read_again(tmp_path: Path) -> None:
    path = a_catalogue(tmp_path, "en", 'msgid "Save"\nmsgstr "Keep"\n')
    assert words_of([tmp_path], "en").gettext("Save") == "Keep"
    a_catalogue(tmp_path, "en", 'msgid "Save"\nmsgstr "Hold"\n')
    os.utime(path, ns=(1, 1))
    assert words_of([tmp_path], "en").gettext("Save") == "Hold"


def test_what_is_fuzzy_or_empty_stays_the_more_general_languages(tmp_path: Path) -> None:
    a_catalogue(tmp_path, "de", '#, fuzzy\nmsgid "Save"\nmsgstr "?"\n\nmsgid "Format"\nmsgstr ""\n')
    words = words_of([tmp_path, shipped_templates()], "de")
    assert (words.gettext("Save"), words.gettext("Format")) == ("Speichern", "Format")


SLIPS: Mapping[str, tuple[str, str]] = {
    'msgid "Sent to %(address)s."\nmsgstr "An %(adresse)s."\n': ("%(address)s", "newsletter.po:6"),
    'msgid "Sent to %(address)s."\nmsgstr "Gesendet."\n': ("%(address)s", "newsletter.po:6"),
    'msgid "%(n)s min"\nmsgstr "%(n) Min."\n': ("%(n)s", "newsletter.po:6"),
    'msgid "Save"\nmsgstr "Sichern"\nnonsense\n': ("cannot be read", "newsletter.po:"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_translators_slip_holds_the_edition_and_is_named_with_its_line(slip: str, tmp_path: Path) -> None:
    a_catalogue(tmp_path, "de", slip)
    with pytest.raises(TemplateError) as caught:
        pieces(folders=[tmp_path], key=RenderedKey("de", "free"))
    what, where = SLIPS[slip]
    assert what in caught.value.what
    assert where in caught.value.where
    assert caught.value.remedy


def test_a_plural_form_may_leave_out_its_number(tmp_path: Path) -> None:
    one = 'msgid "%(n)s story"\nmsgid_plural "%(n)s stories"\nmsgstr[0] "one story"\nmsgstr[1] "%(n)s stories"\n'
    a_catalogue(tmp_path, "en", one)
    assert words_of([tmp_path], "en").ngettext("%(n)s story", "%(n)s stories", 1, n=1) == "one story"


def test_a_context_tells_two_messages_apart_and_values_are_escaped(tmp_path: Path) -> None:
    folder = a_design(
        tmp_path,
        section_html="<tr><td>{{ pgettext('a month', 'May') }} {{ _('May') }} {{ _('100% sure') }} "
        "{{ 1234.5 | decimal }} {% trans a='<b>' %}<i>{{ a }}</i>, 5%{% endtrans %} "
        "{{ npgettext('cups', 'a %(num)s', 'b %(num)s', 1234) }}</td></tr>",
        edition_html=MINIMAL,
    )
    a_catalogue(tmp_path, "de", 'msgctxt "a month"\nmsgid "May"\nmsgstr "Mai"\n\nmsgid "May"\nmsgstr "Darf"\n')
    rendered = pieces(newsletter=a_newsletter(design="mine"), folders=[folder], key=RenderedKey("de", "free"))
    assert "Mai Darf 100% sure 1.234,5 <i>&lt;b&gt;</i>, 5% b 1.234" in mail(variant(rendered)).html


def test_a_macro_that_was_imported_without_context_says_what_to_do(tmp_path: Path) -> None:
    folder = a_design(
        tmp_path,
        parts_html="{% macro more() %}{{ _('Save') }}{% endmacro %}",
        section_html="{% from 'mine/parts.html' import more %}<tr><td>{{ more() }}</td></tr>",
    )
    with pytest.raises(TemplateError, match="language") as caught:
        pieces(newsletter=a_newsletter(design="mine"), folders=[folder])
    assert "with context" in caught.value.remedy
    assert caught.value.where.endswith("mine/parts.html:1")


def test_the_manifest_carries_just_the_messages_of_the_small_texts() -> None:
    subject = "{% trans n=articles | length %}{{ n }} story{% pluralize %}{{ n }} stories{% endtrans %}"
    rendered = pieces(newsletter=a_newsletter(subject=subject), key=RenderedKey("de", "free"))
    assert sorted(json.loads(rendered[MANIFEST])["words"]) == ["%(n)s minute’s reading", "%(n)s story"]
    assert mail(variant(rendered)).message["Subject"] == "6 Artikel"


def test_small_texts_count_the_stories_of_each_joined_list() -> None:
    rendered = pieces({"National": [1, 2, 3], "World": [4]}, key=RenderedKey("ar", "free"))
    assert "4 أخبار" in mail(variant(rendered)).text
    assert "خبر واحد · " in mail(variant(rendered, "World")).text


@pytest.mark.parametrize("language", SHIPPED)
def test_a_frame_in_another_language_leaves_the_stories_in_their_own(language: str) -> None:
    def without_language(article: Article) -> Article:
        return replace(article, language="")

    received = mail(variant(pieces(change=without_language, key=RenderedKey(language, "free"))))
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}"' in received.html
    assert ('lang="en" dir="ltr" align="left"' in received.html) == (language == "ar")
    assert (received.html.count('lang="en"') > 4) == (language != "en")
    minutes = Templates().words(language).gettext("%(n)s min", n=1)
    own = "" if language == "en" else f' lang="{language}" dir="{direction}"'
    assert re.search(rf'<span class="unbroken"{own}[^>]*>{minutes}</span>', received.html)
    assert shipped_words(language) in received.html
    assert shipped_words(language) in received.text
    assert received.message["Content-Language"] == language


def shipped_words(language: str) -> str:
    return Templates().words(language).gettext("Unsubscribe")


def test_a_publisher_gets_her_own_messages_and_what_is_shipped_to_translate(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "card.html").write_text(
        "{# L10N: a link #}{% trans %}\n Read\n on {% endtrans %}{{ _('Save') }}"
    )
    texts = {"newsletters.daily.subject": "{{ _('Good morning') }}"}
    found = extracting.publishers_messages(tmp_path, shipped_templates(), texts)
    done = extracting.update(tmp_path, shipped_templates(), "ta", found)
    assert (done.path, done.added) == (catalogue_path(tmp_path, "ta"), done.untranslated)
    written = messages(read_catalogue(done.path))
    assert set(written) == {*messages(shipped("en")), (None, "Read on"), (None, "Good morning")}
    assert extracting.update(tmp_path, shipped_templates(), "ta", found).added == 0

    german = extracting.update(tmp_path, shipped_templates(), "de-AT", found)
    assert set(messages(read_catalogue(german.path))) == {(None, "Read on"), (None, "Good morning")}


def test_updating_a_catalogue_keeps_what_was_translated(tmp_path: Path) -> None:
    path = a_catalogue(tmp_path, "de", 'msgid "Unsubscribe"\nmsgstr "Kündigen"\n\nmsgid "Gone"\nmsgstr "Fort"\n')
    texts = {"newsletters.daily.subject": "{{ _('Good morning') }}"}
    found = extracting.publishers_messages(tmp_path, shipped_templates(), texts)
    done = extracting.update(tmp_path, shipped_templates(), "de", found)
    assert (done.added, done.untranslated) == (1, 1)
    words = words_of([tmp_path], "de")
    assert (words.gettext("Unsubscribe"), words.gettext("Gone")) == ("Kündigen", "Fort")
    assert b'msgid "Good morning"\nmsgstr ""' in path.read_bytes()


def test_a_language_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tlh"):
        extracting.update(tmp_path, shipped_templates(), "tlh", Catalog())


def test_a_template_that_cannot_be_read_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("\n{% trans %}")
    with pytest.raises(TemplateError) as caught:
        extracting.messages_in_folder(tmp_path)
    assert caught.value.where.endswith("a.html:2")


def test_the_text_part_never_breaks_a_line_where_a_language_holds_two_words_together() -> None:
    assert wrap("Le journal\u00a0: « une » ville\u202f?", 10) == "Le\njournal\u00a0:\n« une »\nville\u202f?"
