"""`newsletter templates`: what a publisher translates, and into which file."""

from __future__ import annotations

from newsletter.render.templates import shipped_templates
from tests.support.console import Folder


def test_a_new_language_gets_a_file_with_every_message(folder: Folder) -> None:
    done = folder.run("templates", "update", "ta", "--json").json
    assert done["file"].endswith("templates/locale/ta/LC_MESSAGES/newsletter.po")
    assert done["added"] == done["untranslated"] > 60
    assert 'msgid "Unsubscribe"' in (folder.path / "templates/locale/ta/LC_MESSAGES/newsletter.po").read_text()
    assert "0 added" in folder.run("templates", "update", "ta").out


def test_a_shipped_language_lacks_only_the_publishers_own_messages(folder: Folder) -> None:
    assert "Nothing is left" in folder.run("templates", "update", "hi").out
    folder.edit("    subject: ", "    subject: \"{{ _('Good morning') }}\" # ")
    assert folder.run("templates", "update", "hi", "--json").json["added"] == 1


def test_all_messages_go_into_one_template_for_translators(folder: Folder) -> None:
    (folder.path / "templates" / "evening").mkdir()
    (folder.path / "templates" / "evening" / "card.html").write_text("{% trans %}Good evening{% endtrans %}")
    printed = folder.run("templates", "extract").out
    assert 'msgid "Good evening"\nmsgstr ""' in printed
    assert 'msgid "Unsubscribe"\nmsgstr ""' in printed
    assert "#: evening/card.html\n" in printed
    assert folder.run("templates", "extract", "--out", "all.pot").code == 0
    assert b'msgid "Good evening"' in (folder.path / "all.pot").read_bytes()


def test_a_language_that_is_none_is_refused(folder: Folder) -> None:
    folder.run("templates", "update", "tlh").refused(2, "tlh")


def test_check_names_a_translators_slip_and_a_language_without_words(folder: Folder) -> None:
    folder.edit("    subject: ", "    languages: [de-AT, ta]\n    subject: ")
    (warning,) = [one for one in folder.run("check", "--json").json["warnings"] if "words" in one["what"]]
    assert "'ta'" in warning["what"]
    assert "templates update ta" in warning["remedy"]
    file = folder.path / "templates" / "locale" / "de_AT" / "LC_MESSAGES" / "newsletter.po"
    file.parent.mkdir(parents=True)
    file.write_text('msgid "It was sent to %(address)s."\nmsgstr "An %(adresse)s."\n')
    ran = folder.run("check", "--json")
    (fault,) = ran.json["faults"]
    assert ran.code == 2
    assert "%(address)s" in fault["what"]
    assert fault["where"].endswith("newsletter.po:1")


def test_a_further_language_that_is_none_is_a_fault(folder: Folder) -> None:
    folder.edit("    subject: ", "    languages: [hi, tlh]\n    subject: ")
    (fault,) = folder.run("check", "--json").json["faults"]
    assert "'tlh' is not a known language" in fault["what"]


def test_a_shipped_template_is_copied_once_and_is_the_shipped_one(folder: Folder) -> None:
    done = folder.run("templates", "copy", "daily/card.html", "--json").json
    assert done["file"].endswith("templates/daily/card.html")
    shipped = shipped_templates() / "shared" / "card.html"
    assert (folder.path / "templates" / "daily" / "card.html").read_bytes() == shipped.read_bytes()
    folder.run("templates", "copy", "daily/card.html").refused(2, "you have this file already")


def test_what_is_no_template_is_not_copied(folder: Folder) -> None:
    for name in ("daily/crad.html", "../site.key", "web/style.css", "preview/main.js", "evening/card.html", "daily"):
        folder.run("templates", "copy", name).refused(2, "is shipped")
