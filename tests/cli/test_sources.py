"""`newsletter sources`: what became of each source."""

from __future__ import annotations

import json

from tests.support.console import Folder


def test_sources_are_listed_before_and_after_their_first_collection(folder: Folder) -> None:
    [before] = json.loads(folder.run("sources", "list", "--json").out)
    assert (before["name"], before["kind"], before["state"], before["articles"]) == ("inbox", "folder", "new", 0)
    (folder.path / "inbox" / "flood.txt").write_text("Flood in Ranipur\n\nWater rose by two metres overnight.")
    folder.run("collect")
    [after] = json.loads(folder.run("sources", "list", "--json").out)
    assert (after["state"], after["articles"], after["last_error"]) == ("ok", 1, "")


def test_a_source_is_shown_with_its_last_attempts(folder: Folder) -> None:
    (folder.path / "inbox" / "flood.txt").write_text("Flood in Ranipur\n\nWater rose by two metres overnight.")
    (folder.path / "inbox" / "empty.txt").write_text("")
    folder.run("collect")
    shown = json.loads(folder.run("sources", "show", "inbox", "--json").out)
    assert [(fetch["outcome"], fetch["new"]) for fetch in shown["fetches"]] == [("collected", 1)]
    assert shown["warnings"] == ["empty.txt: the file is empty"]
    assert "collected" in folder.run("sources", "show", "inbox").out


def test_a_source_that_is_none_is_refused(folder: Folder) -> None:
    ran = folder.run("sources", "show", "inbx")
    assert (ran.code, "inbx" in ran.err, "inbox" in ran.err) == (2, True, True)


def test_the_bytes_of_an_error_that_had_none_say_so(folder: Folder) -> None:
    ran = folder.run("sources", "show", "inbox", "--last-error")
    assert (ran.code, "no bytes are kept" in ran.err) == (2, True)


def test_times_without_a_zone_are_in_the_sites_zone_when_collected_by_hand(folder: Folder) -> None:
    folder.edit("timezone: ", "timezone: Asia/Kolkata # ")
    story = "Flood in Ranipur\n\nPublished - November 23, 2026 07:00 am\n\nWater rose by two metres overnight, it said."
    (folder.path / "inbox" / "flood.txt").write_text(story)
    folder.run("collect")
    [article] = json.loads(folder.run("articles", "list", "--json").out)
    assert article["published_at"] == "2026-11-23T01:30:00Z"
