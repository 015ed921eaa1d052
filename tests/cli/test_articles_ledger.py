"""articles split, merge, mark-sent and prune, and how ``articles show`` tells what was taken for what."""

from __future__ import annotations

import getpass
from dataclasses import replace
from datetime import timedelta

from newsletter.collect.identity import same_story, to_remember
from newsletter.model import IncomingArticle
from newsletter.store import articles, audit
from tests.builders import NOW, an_incoming_article
from tests.support.console import Folder

BODY = " ".join(f"word{number} and thing{number * 7}" for number in range(60))
OURS = an_incoming_article(body_text=BODY, section="News")
THEIRS = replace(OURS, source="agency", url="https://agency.example/1", guid="a1", headline="The gates are open")


def collected(folder: Folder, *found: IncomingArticle) -> None:
    with folder.store() as store:
        for one in found:
            store.write(articles.remember, to_remember([one]), now=NOW, match=same_story)


def candidates(folder: Folder) -> list[int]:
    with folder.store() as store:
        found = store.read(
            articles.unused_articles,
            newsletter="daily",
            stream="each",
            cohort="",
            first_seen_after=NOW - timedelta(days=1),
            limit=9,
        )
    return [article.id for article in found]


def test_what_was_taken_for_an_article_is_explained_and_can_be_split(folder: Folder) -> None:
    collected(folder, OURS, THEIRS)
    shown = folder.run("articles", "show", "1")
    assert "merge 1: taken for this article by its words (" in shown.out
    assert f"{THEIRS.url}, “The gates are open”, agency" in shown.out
    (merge,) = folder.run("articles", "show", "1", "--json").json["merges"]
    assert (merge["merge"], merge["by"], merge["source"], merge["at"]) == (1, "words", "agency", "2026-11-23T06:00:00Z")
    own = folder.run("articles", "split", "1", "--json").json
    assert (own["id"], own["headline"]) == (2, "The gates are open")
    assert "; split again on " in folder.run("articles", "show", "1").out
    folder.run("articles", "split", "1").refused(2, "merge 1 was split already")
    folder.run("articles", "split", "7").refused(2, "there is no merge 7")
    with folder.store() as store:
        (act,) = store.read(audit.listing, subject="article/2")
    assert act.actor == getpass.getuser()


def test_an_editor_merges_two_articles(folder: Folder) -> None:
    collected(folder, OURS, replace(THEIRS, body_text="Not the same at all.", standfirst=""))
    assert "Article 2 is article 1 now" in folder.run("articles", "merge", "2", "1").out
    assert candidates(folder) == [1]
    assert folder.run("articles", "show", "2", "--json").json["merged_into"] == 1
    folder.run("articles", "merge", "2", "1").refused(2, "article 2 was merged into article 1")
    folder.run("articles", "merge", "1", "9").refused(2, "there is no article 9")


def test_what_an_old_tool_sent_is_not_sent_again(folder: Folder) -> None:
    collected(folder, OURS)
    sent = folder.path / "sent.txt"
    sent.write_text(
        f"\ufeff# sent by the old tool\n{OURS.url}?utm_source=old\n\nhttps://news.example/to-come\n{OURS.url}\n"
    )
    ran = folder.run("articles", "mark-sent", "--file", str(sent))
    assert ran.out == (
        "2 articles count as sent now by daily; 1 of them not collected yet: they will, when they come\n"
    )
    collected(folder, replace(THEIRS, url="https://news.example/to-come", body_text="", standfirst="", headline="New"))
    assert candidates(folder) == []
    assert [row["headline"] for row in folder.run("articles", "list", "--json").json] == ["New", OURS.headline]
    again = folder.run("articles", "mark-sent", "--file", str(sent), "--newsletter", "Daily", "--json").json
    assert again == {"marked": 0, "not_collected_yet": 0, "newsletters": ["daily"], "held_by": []}


def test_all_that_was_published_before_a_day_is_marked(folder: Folder) -> None:
    late = replace(THEIRS, body_text="Not the same.", standfirst="", published_at=NOW)
    collected(folder, OURS, late)
    assert OURS.published_at is not None
    day = OURS.published_at + timedelta(minutes=1)
    assert folder.run("articles", "mark-sent", "--before", day.isoformat(), "--json").json["marked"] == 1
    assert candidates(folder) == [2]
    assert folder.run("articles", "mark-sent", "--before", "2026-11-23", "--json").json["marked"] == 0


def test_what_cannot_be_marked_is_one_line_and_marks_nothing(folder: Folder) -> None:
    sent = folder.path / "sent.txt"
    sent.write_text(f"{OURS.url}\nnot a url\n")
    folder.run("articles", "mark-sent", "--file", str(sent)).refused(2, "sent.txt:2", "'not a url' is not the address")
    sent.write_text("https://news.example/\n")
    folder.run("articles", "mark-sent", "--file", str(sent)).refused(2, "is not the address of an article")
    folder.run("articles", "mark-sent", "--file", "missing.txt").refused(2, "cannot be read")
    folder.run("articles", "mark-sent").refused(2, "either --file URLS or --before DATE")
    folder.run("articles", "mark-sent", "--before", "soon").refused(2, "'soon' is not a date")
    folder.run("articles", "mark-sent", "--before", "2026-11-01", "--newsletter", "dayly").refused(2, "daily")


def test_old_bodies_are_pruned_when_asked(folder: Folder) -> None:
    collected(folder, OURS)
    late = ("--now", "2027-11-23T06:00Z")
    assert folder.run(*late, "articles", "prune", "--dry-run").out == "1 article would lose its body\n"
    assert folder.run(*late, "articles", "prune").out == "1 article lost its body\n"
    assert folder.run(*late, "articles", "prune", "--json").json == {"articles": 0, "dry_run": False}
    shown = folder.run("articles", "show", "1", "--json").json
    assert (shown["body_text"], shown["headline"]) == ("", OURS.headline)
