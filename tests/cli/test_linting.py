"""``newsletter lint``: findings with their template and line, as a table and as JSON, and how it ends."""

from __future__ import annotations

from sqlalchemy import update

from newsletter.model import EditionSection, SystemMail
from newsletter.render.templates import shipped_templates
from newsletter.store import articles, editions, tables
from tests.builders import NOW
from tests.support.console import Folder
from tests.support.newsroom import add_articles, an_article, plan_occurrence


def compose_one(folder: Folder) -> None:
    """The occurrence of 23 November, composed of two stories, in a folder whose own pages are on https."""
    folder.edit('web: {url: "http://127.0.0.1:8025"}', 'web: {url: "https://mail.news.example"}')
    with folder.store() as store:
        add_articles(store, an_article(1), an_article(2))
        row = plan_occurrence(store)
        store.write(editions.create, row, "", "", "", row.due_at, [EditionSection("News", (1, 2))], [], NOW)
        assert store.read(articles.get, 1) is not None


def override(folder: Folder, name: str, old: str, new: str) -> int:
    """A shipped template with a fault, in the publisher's folder; the line of the fault."""
    text = (shipped_templates() / name).read_text(encoding="utf-8")
    assert old in text
    path = folder.path / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_a_good_edition_has_nothing_and_ends_with_0(folder: Folder) -> None:
    compose_one(folder)
    ran = folder.run("lint", "daily", "--edition", "2026-11-23/1", "--strict")
    assert (ran.code, ran.err) == (0, ""), ran
    assert ran.out.startswith("daily: ")
    assert ran.out.rstrip().endswith("nothing found")


def test_an_error_names_its_template_and_line_in_every_key_and_ends_with_1(folder: Folder) -> None:
    compose_one(folder)
    line = override(folder, "shared/footer.html", '<table role="presentation"', '<img src="/a.png"><table')
    ran = folder.run("lint", "--edition", "daily@2026-11-23/1", "--json")
    assert ran.code == 1
    assert ran.json.keys() == {"results", "errors", "warnings", "notices"}
    (result,) = ran.json["results"]
    assert result.keys() == {"name", "keys", "html_bytes", "findings"}
    assert (result["name"], len(result["keys"])) == ("daily", 2)
    assert [(one["severity"], one["rule"]) for one in result["findings"]] == [
        ("error", "alt"),
        ("error", "relative-link"),
        ("warning", "role"),
        ("warning", "picture-size"),
    ]
    for one in result["findings"]:
        assert one.keys() == {"severity", "rule", "where", "what", "remedy", "keys"}
        assert one["where"] == f"templates/shared/footer.html:{line}"
        assert one["keys"] == result["keys"]
    assert (ran.json["errors"], ran.json["warnings"]) == (2, 2)
    in_words = folder.run("lint", "daily", "--edition", "2026-11-23/1")
    assert in_words.code == 1
    assert "2 errors, 2 warnings" in in_words.out
    assert f"templates/shared/footer.html:{line}" in in_words.out


def test_of_an_edition_that_is_not_kept_any_more_it_says_that_this_is_another(folder: Folder) -> None:
    compose_one(folder)
    with folder.store() as store:
        store.write(lambda connection: connection.execute(update(tables.occurrences).values(state="sent")))
    assert folder.run("lint", "daily", "--edition", "2026-11-23/1").err == ""
    folder.run("--now", "2027-03-01T06:00Z", "editions", "prune")
    ran = folder.run("lint", "daily", "--edition", "2026-11-23/1", "--json")
    (notice,) = ran.json["notices"]
    assert notice == "daily: What was sent is not kept any more (keep_deliveries); this is made anew."


def test_warnings_end_with_1_only_where_asked_to(folder: Folder) -> None:
    compose_one(folder)
    override(folder, "shared/footer.html", '<table role="presentation"', "<table")
    assert folder.run("lint", "daily", "--edition", "2026-11-23/1").code == 0
    assert folder.run("lint", "daily", "--edition", "2026-11-23/1", "--strict").code == 1


def test_the_clients_of_the_newsletter_are_those_of_the_file(folder: Folder) -> None:
    compose_one(folder)
    override(folder, "shared/footer.html", '<p class="links">', '<p class="links" style="border-radius:4px">')
    words = folder.run("lint", "daily", "--edition", "2026-11-23/1").out
    assert "border-radius: not in Outlook for Windows" in " ".join(words.split())
    folder.edit("  daily:\n", "  daily:\n    clients: {apple-mail: 0.6, gmail: 0.4}\n")
    assert "nothing found" in folder.run("lint", "daily", "--edition", "2026-11-23/1").out
    folder.edit("apple-mail: 0.6", "aple-mail: 0.6")
    folder.run("lint").refused(2, "schedules.yaml", "clients")


def test_without_an_edition_it_says_so_and_checks_the_templates(folder: Folder) -> None:
    assert folder.run("lint", "daily").code == 3
    (folder.path / "templates" / "daily").mkdir(parents=True, exist_ok=True)
    (folder.path / "templates" / "daily" / "edition.html").write_text("{% if %}", encoding="utf-8")
    folder.run("lint", "daily").refused(7, "templates/daily/edition.html:1")


def test_a_file_is_linted_on_its_own(folder: Folder) -> None:
    compose_one(folder)
    eml, html = folder.path / "a.eml", folder.path / "a.html"
    assert folder.run("preview", "daily", "--edition", "2026-11-23/1", "--out", str(eml)).code == 0
    assert "nothing found" in folder.run("lint", "--edition", str(eml)).out
    assert folder.run("preview", "daily", "--edition", "2026-11-23/1", "--out", str(html)).code == 0
    text = html.read_text(encoding="utf-8")
    html.write_text(text.replace("<body", "<body>\n<img src='/a.png' width='3'><p", 1), encoding="utf-8")
    ran = folder.run("lint", "--edition", str(html), "--json")
    assert ran.code == 1
    line = text[: text.index("<body")].count("\n") + 2
    found = {(one["rule"], one["where"]) for one in ran.json["results"][0]["findings"]}
    assert {("alt", f"{html}:{line}"), ("relative-link", f"{html}:{line}")} <= found
    folder.run("lint", "--edition", str(html), "--spam").refused(2, "--spam", ".eml")
    folder.run("lint", "--edition", "nowhere.eml").refused(2, "nowhere.eml")


def test_links_are_asked_for_only_where_asked_to(folder: Folder) -> None:
    compose_one(folder)
    file = folder.path / "b.html"
    file.write_text(
        '<!DOCTYPE html><html lang="en"><body><p>Unsubscribe</p><a href="https://127.0.0.1:1/x">x</a></body></html>',
        encoding="utf-8",
    )
    assert "dead-link" not in folder.run("lint", "--edition", str(file), "--json").out
    found = folder.run("lint", "--edition", str(file), "--links", "--json").json["results"][0]["findings"]
    (dead,) = (one for one in found if one["rule"] == "dead-link")
    assert dead["severity"] == "warning"
    assert "127.0.0.1" in dead["what"]


def test_the_mails_that_readers_ask_for_are_looked_at_as_those_of_a_newsletter_are(folder: Folder) -> None:
    folder.edit('web: {url: "http://127.0.0.1:8025"}', 'web: {url: "https://mail.news.example"}')
    ran = folder.run("lint", "system", "--json", "--strict")
    assert (ran.code, ran.err) == (0, ""), ran
    assert [one["name"] for one in ran.json["results"]] == [f"system@{kind}" for kind in SystemMail]
    line = override(folder, "system/confirm.html", "{{ slot.action_url() }}", "/confirm")
    ran = folder.run("lint", "system", "--edition", "confirm", "--json")
    assert ran.code == 1, ran
    (result,) = ran.json["results"]
    wheres = {one["where"] for one in result["findings"] if one["severity"] == "error"}
    assert wheres == {f"templates/system/confirm.html:{line}"}, result


def test_what_a_whole_part_lacks_names_the_file_of_its_kind(folder: Folder) -> None:
    folder.edit('web: {url: "http://127.0.0.1:8025"}', 'web: {url: "https://mail.news.example"}')
    override(folder, "system/footer.txt", "{{ site.postal_address | wrap }}", "")
    ran = folder.run("lint", "system", "--edition", "welcome", "--json")
    assert ran.code == 1, ran
    (result,) = ran.json["results"]
    errors = [one for one in result["findings"] if one["severity"] == "error"]
    assert [(one["rule"], one["where"].rpartition("templates/")[2]) for one in errors] == [
        ("postal-address", "system/welcome.txt:1")
    ]


def test_a_kind_of_mail_there_is_not_names_the_one_that_was_meant(folder: Folder) -> None:
    ran = folder.run("lint", "system", "--edition", "welcom")
    assert ran.code != 0
    assert "'welcom'" in ran.err
    assert "welcome" in ran.err.replace("'welcom'", "")


def test_a_fault_in_templates_that_no_newsletter_names_is_a_fault_of_the_configuration(folder: Folder) -> None:
    for name in ("system/welcome.html", "correction/correction.html"):
        line = override(folder, name, "{% ", "{% nothing %}{% ")
        ran = folder.run("check")
        assert ran.code != 0
        assert f"templates/{name}:{line}" in ran.err + ran.out, name
        (folder.path / "templates" / name).unlink()
    assert folder.run("check").code == 0
