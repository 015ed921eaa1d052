"""collect and articles: what comes in, by source and by hand; one failure stops nothing else."""

from __future__ import annotations

import asyncio

import pytest

from tests.net.publisher import answering, publishing
from tests.support.console import Folder


def write_story(folder: Folder, name: str = "dam.txt", headline: str = "The dam opens its gates") -> str:
    path = folder.path / "inbox" / name
    path.write_text(f"{headline}\n\nWater reached the villages by noon.\n", encoding="utf-8")
    return str(path)


def test_one_source_that_fails_stops_no_other(folder: Folder) -> None:
    write_story(folder)
    folder.edit(
        "inbox: {folder: inbox, section: News}", "inbox: {folder: inbox, section: News}\n  gone: {folder: gone}"
    )
    found = folder.run("collect", "--json")
    assert found.code == 6, found
    rows = {row["source"]: row for row in found.json}
    assert (rows["inbox"]["new"], rows["inbox"]["error"]) == (1, "")
    assert "no such folder" in rows["gone"]["error"]
    assert len(found.err.splitlines()) == 1
    assert folder.run("collect", "inbox").code == 0


def test_an_unknown_source_is_refused_before_anything_is_collected(folder: Folder) -> None:
    write_story(folder)
    folder.run("collect", "inbox", "inbux").refused(2, "no source 'inbux'", "Did you mean 'inbox'?")
    assert not (folder.path / "newsletter.db").exists()


def test_a_collected_article_is_listed_and_shown_whole(folder: Folder) -> None:
    write_story(folder)
    assert folder.run("collect").code == 0
    (row,) = folder.run("articles", "list", "--source", "inbox", "--json").json
    shown = folder.run("articles", "show", str(row["id"]), "--json").json
    assert shown["headline"] == "The dam opens its gates"
    assert shown["section"] == "News"
    assert shown["access"] == "free"
    assert shown["revision"] == 1
    assert shown["published_at"].endswith("Z")
    assert "noon" in shown["body_text"]
    assert "noon" in shown["body_html"]
    assert "noon" in folder.run("articles", "show", str(row["id"])).out


def test_articles_that_do_not_exist_are_refused(folder: Folder) -> None:
    folder.run("articles", "show", "7").refused(2, "no article 7")
    folder.run("articles", "list", "--source", "inbx").refused(2, "Did you mean 'inbox'?")
    assert folder.run("articles", "list", "--json").json == []


def test_a_file_added_by_hand_takes_the_section_of_its_source(folder: Folder) -> None:
    (folder.path / "story.md").write_text("# A ferry for the island\n\nIt sails at nine.\n")
    added = folder.run("articles", "add", "story.md", "--source", "inbox", "--json")
    assert added.code == 0, added
    assert (added.json["source"], added.json["section"]) == ("inbox", "News")
    assert added.json["headline"] == "A ferry for the island"


@pytest.mark.parametrize("name", ["gone.txt", "empty.txt", "picture.jpg"])
def test_a_file_that_is_no_article_is_one_line(folder: Folder, name: str) -> None:
    if name != "gone.txt":
        (folder.path / name).write_bytes(b"")
    found = folder.run("articles", "add", name)
    found.refused(2 if name == "gone.txt" else 6, name)


async def test_a_page_in_a_private_network_is_added_only_when_allowed(folder: Folder) -> None:
    page = (
        b"<html><head><title>The ferry</title></head><body><article><h1>The ferry sails again</h1>"
        + (b"<p>It sails at nine from the old harbour, and carries cars from next week on, the council said.</p>" * 8)
        + b"</article></body></html>"
    )
    async with publishing() as publisher:
        publisher.pages["/ferry.html"] = answering(body=page, Content_Type="text/html; charset=utf-8")
        url = publisher.url("/ferry.html")
        refused = await asyncio.to_thread(folder.run, "articles", "add", url)
        refused.refused(6, "127.0.0.1")
        added = await asyncio.to_thread(folder.run, "articles", "add", url, "--allow-private", "--json")
    assert added.code == 0, added
    assert added.json["headline"] == "The ferry sails again"
    assert added.json["source"] == "by_hand"
