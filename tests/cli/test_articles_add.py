"""``articles add`` on saved files, in a folder with nothing but what ``init`` wrote."""

from __future__ import annotations

from pathlib import Path

from tests.support.console import Folder

CORPUS = Path(__file__).parents[1] / "corpus"
DUMP = CORPUS / "dumps" / "kremlin_summit.txt"


def fresh(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path, initialised=False)
    assert folder.run("init").code == 0
    return folder


def test_a_page_dump_is_printed_as_it_is_stored(tmp_path: Path) -> None:
    added = fresh(tmp_path).run("articles", "add", str(DUMP), "--json")
    assert added.code == 0, added
    article = added.json
    assert article["headline"] == "Kremlin confirms first summit between Putin and Kim this week"
    assert article["standfirst"] == "The talks in Vladivostok will turn to the stalled nuclear diplomacy, an aide says"
    assert article["published_at"] == "2019-04-23T16:43:00Z"  # IST, in a site whose zone is UTC: the commonest meaning
    assert "IST" in article["warning"]
    assert article["dateline"] == "Seoul/Moscow"
    assert (article["authors"], article["access"]) == ([], "free")
    caption = "A guard of honour rehearses outside the railway station in Vladivostok on Tuesday."
    assert [(one["url"], one["caption"], one["credit"]) for one in article["images"]] == [("", caption, "AP")]
    assert article["body_text"].startswith("Russia confirmed on Tuesday")
    assert article["body_text"].endswith("No joint statement is planned.")
    assert article["teaser"] == article["standfirst"]
    assert {"id", "source", "section", "tags", "language", "updated_at", "body_html", "revision"} <= set(article)


def test_letters_of_a_time_are_the_sites_or_the_sources_own(tmp_path: Path) -> None:
    folder = fresh(tmp_path)
    folder.edit("timezone: UTC", "timezone: Asia/Jerusalem")
    added = folder.run("articles", "add", str(DUMP), "--json").json
    assert (added["published_at"], added["warning"]) == ("2019-04-23T19:13:00Z", "")
    folder.edit("sources:", "sources:\n  desk: {folder: inbox, timezone: Europe/Dublin, ignore: ['^A membership']}")
    other = CORPUS / "dumps" / "hindu_style_members.txt"
    ours = folder.run("articles", "add", str(other), "--source", "desk", "--json").json
    assert (ours["source"], ours["published_at"]) == ("desk", "2023-04-02T20:02:00Z")
    assert "A membership scheme" not in ours["body_text"]


def test_adding_the_same_file_again_is_the_same_article(tmp_path: Path) -> None:
    folder = fresh(tmp_path)
    first = folder.run("articles", "add", str(DUMP), "--json").json
    again = folder.run("articles", "add", str(DUMP), "--json").json
    assert (again["id"], again["revision"]) == (first["id"], 1)


def test_every_kind_of_saved_file_can_be_added(tmp_path: Path) -> None:
    folder = fresh(tmp_path)
    for name in ("saved-page.html", "no-front-matter.md", "correspondent.eml", "utf-16.txt"):
        added = folder.run("articles", "add", str(CORPUS / "documents" / name), "--json")
        assert added.code == 0, added
        assert added.json["body_text"]


def test_what_cannot_be_read_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    folder = fresh(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "story.pdf").write_text("%PDF")
    folder.run("articles", "add", "nowhere.txt").refused(2, "nowhere.txt: there is no such file. Give the path")
    folder.run("articles", "add", str(tmp_path)).refused(2, "it is a folder. Add its files one by one")
    folder.run("articles", "add", "empty.txt").refused(6, "empty.txt: the file is empty")
    folder.run("articles", "add", "story.pdf").refused(6, "a .pdf file cannot be read. Use .html, .txt, .md or .eml")
