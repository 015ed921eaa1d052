"""editions and deliveries: what stands in the store, and what a person may decide about it."""

from __future__ import annotations

import getpass

import pytest
from sqlalchemy import Connection, update

from newsletter.model import Decision, DeliveryState, EditionSection, OccurrenceState, Reason, Stream
from newsletter.store import articles, audit, editions, occurrences, tables
from newsletter.store.occurrences import OccurrenceRow
from tests.builders import NOW, add_occurrence, add_subscribers
from tests.support.console import Folder
from tests.support.ledger import add_delivery, move
from tests.support.newsroom import add_articles, an_article, plan_occurrence


def compose_one(folder: Folder) -> OccurrenceRow:
    """Plan the occurrence of 23 November with story 1 in it and story 2 too old."""
    with folder.store() as store:
        add_articles(store, an_article(1), an_article(2))
        row = plan_occurrence(store)
        sections = [EditionSection("News", (1,))]
        decisions = [Decision(1, Reason.CHOSEN, "News", 1), Decision(2, Reason.TOO_OLD, "News")]
        store.write(editions.create, row, "", "", "", row.due_at, sections, decisions, NOW)
        assert store.read(articles.get, 1) is not None
    return row


def in_doubt(folder: Folder, count: int = 1) -> list[int]:
    """Deliveries that wait for a person, of an occurrence that is sent but for them."""
    with folder.store() as store:
        readers = add_subscribers(store, count)
        first = add_delivery(store, readers[0], DeliveryState.SENDING, sender=0)
        ids = [first]

        def work(connection: Connection) -> None:
            row = connection.execute(tables.deliveries.select()).one()._asdict()
            for reader in readers[1:]:
                ids.append(first + len(ids))
                values = row | {"id": ids[-1], "subscriber_id": reader}
                connection.execute(tables.deliveries.insert().values(values))
            connection.execute(update(tables.deliveries).values(reason=Reason.IN_DOUBT.value))
            connection.execute(update(tables.occurrences).values(state=OccurrenceState.SENT.value))

        store.write(work)
    return ids


def test_an_edition_is_listed_and_shown_with_its_stories_and_reasons(folder: Folder) -> None:
    compose_one(folder)
    (row,) = folder.run("editions", "list", "daily", "--json").json
    assert (row["edition"], row["state"]) == ("daily@2026-11-23/1", "composed")
    assert row["due_at"] == "2026-11-23T06:30:00Z"
    assert row["due"] == "2026-11-23T12:00+05:30"
    shown = folder.run("editions", "show", "daily@2026-11-23/1", "--why", "--json").json
    (edition,) = shown["editions"]
    stories = [{"id": 1, "headline": "Headline of story 1"}]
    [section] = edition["sections"]
    assert (section["name"], section["label"], section["articles"]) == ("News", "News", stories)
    assert (section["leads"], section["missed"], section["home"], section["trimmed"]) == (False, False, "", 0)
    assert [(why["article_id"], why["reason"]) for why in shown["why"]] == [(1, "chosen"), (2, "too_old")]
    in_words = folder.run("editions", "show", "daily@2026-11-23/1", "--why")
    assert "dropped: older than max_age" in in_words.out


def test_hold_and_release_say_who_did_it(folder: Folder) -> None:
    row = compose_one(folder)
    name = str(row.name)
    assert folder.run("editions", "hold", name, "--because", "the lead is wrong").code == 0
    shown = folder.run("editions", "show", name, "--json").json
    assert (shown["state"], shown["reason"]) == ("held", "by_hand")
    assert "the lead is wrong" in shown["words"]
    folder.run("editions", "hold", name).refused(3, "held already")
    released = folder.run("--now", "2026-11-23T23:00Z", "editions", "release", name)
    assert released.code == 0
    assert "composed again" in released.out
    assert "catch_up is over" in released.out
    folder.run("editions", "release", name).refused(3, "not held, but composed")
    with folder.store() as store:
        acts = store.read(audit.listing, subject=name)
    assert [(act.action, act.actor) for act in acts] == [("release", getpass.getuser()), ("hold", getpass.getuser())]


def test_what_is_sent_cannot_be_held(folder: Folder) -> None:
    with folder.store() as store:
        add_occurrence(store, state=OccurrenceState.SKIPPED)
    folder.run("editions", "hold", "daily@2026-11-23/1").refused(2, "is skipped and cannot be held")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "daily"], "Write NEWSLETTER@DATE/ORDINAL"),
        (["show", "daily@2026-11-31/1"], "2026-11-31/1"),
        (["show", "daily@2026-11-23/1"], "there is no edition daily@2026-11-23/1"),
        (["hold", "dayly@2026-11-23/1"], "Did you mean 'daily'?"),
        (["hold", "daily@2026-11-23/1/Asia/Kolkata@07:00"], "one cohort's"),
        (["list", "dayly"], "Did you mean 'daily'?"),
        (["list", "--state", "sended"], "Did you mean 'sen"),
    ],
)
def test_an_edition_that_is_not_there_is_one_line(folder: Folder, arguments: list[str], words: str) -> None:
    folder.run("editions", *arguments).refused(2, words)


def test_deliveries_in_doubt_are_listed_then_released_and_closed(folder: Folder) -> None:
    first, second, third = in_doubt(folder, 3)
    rows = folder.run("deliveries", "list", "daily@2026-11-23/1", "--in-doubt", "--json").json
    assert [row["id"] for row in rows] == [first, second, third]
    assert rows[0]["address"] == "reader00001@readers.example"
    assert "nobody knows" in rows[0]["words"]
    assert folder.run("--now", "2026-11-25T06:00Z", "deliveries", "release", str(first)).code == 0
    assert folder.run("deliveries", "close", str(second)).code == 0
    folder.run("deliveries", "close", str(second), str(third)).refused(2, f"delivery {second} is not in doubt")
    assert folder.run("deliveries", "release", "--all", "--json").json == {"released": 1}
    folder.run("deliveries", "release", "--all").refused(3, "no delivery is in doubt")
    with folder.store() as store:
        row = store.read(occurrences.listing)[0]
        ledger = store.read(lambda connection: connection.execute(tables.deliveries.select()).all())
        acts = store.read(audit.listing)
    assert [one.state for one in ledger] == ["queued", "sent", "queued"]
    # A sender claims rows of a sending occurrence only, and those tried in vain until expires_at fail.
    assert row.state is OccurrenceState.SENDING
    assert all(one.expires_at.isoformat() > "2026-11-25T06:00" for one in ledger if one.id == first)
    assert sorted((act.action, act.subject) for act in acts) == [
        ("close", f"delivery/{second}"),
        ("release", f"delivery/{first}"),
        ("release", f"delivery/{third}"),
    ]


def test_which_deliveries_must_be_said(folder: Folder) -> None:
    folder.run("deliveries", "release").refused(2, "--all")
    folder.run("deliveries", "close", "1", "--all").refused(2, "--all")
    folder.run("deliveries", "close", "x").refused(2, "[ID]")
    folder.run("deliveries", "list", "--state", "sended").refused(2, "there is no state 'sended'")


def test_what_readers_got_long_ago_is_forgotten_when_asked_and_every_command_says_so(folder: Folder) -> None:
    edition, late = "daily@2026-11-23/1", ("--now", "2027-03-01T06:00Z")
    with folder.store() as store:
        move(store, add_delivery(store, add_subscribers(store, 1)[0], DeliveryState.SENDING), DeliveryState.FAILED)
        store.write(lambda connection: connection.execute(update(tables.occurrences).values(state="sent")))
    soon = folder.run("--now", "2026-11-24T06:00Z", "editions", "prune").out
    assert soon == "0 deliveries from before 2026-08-26 were forgotten\n"
    said = folder.run(*late, "editions", "prune", "--dry-run").out
    assert said == "1 delivery from before 2026-12-01 would be forgotten\n"
    assert folder.run(*late, "editions", "prune", "--json").json == {
        "deliveries": 1, "before": "2026-12-01T06:00:00Z", "dry_run": False,
    }  # fmt: skip
    shown = folder.run("editions", "show", edition, "--why")
    assert "What each reader got was forgotten on 2027-03-01 (keep_deliveries)." in shown.out
    assert "Nothing was decided yet" not in shown.out
    assert folder.run("editions", "show", edition, "--json").json["pruned_at"] == "2027-03-01T06:00:00Z"
    folder.run("editions", "correct", edition, "--note", "Wrong.", "--yes").refused(3, "is not kept any more")
    folder.run("editions", "retry", edition).refused(3, "are not kept any more")
    told = folder.run(*late, "why", "reader00001@readers.example", edition, "--json").json
    assert (told["outcome"], told["state"]) == ("unknown", "sent")
    assert "no longer known" in told["sentence"]


def test_breaking_news_that_there_were_none_of_do_not_bury_the_editions_in_the_list(folder: Folder) -> None:
    folder.edit("    sections:", "    streams: {breaking: {schedule: {every: 10m}}}\n    sections:")
    with folder.store() as store:
        daily = plan_occurrence(store, day=22)
        looks = [plan_occurrence(store, ordinal=turn, stream=Stream.BREAKING) for turn in range(1, 60)]
        for row in (daily, *looks[:-1]):
            store.write(occurrences.skip, row.id, reason=Reason.EMPTY, now=NOW)

    def listed(*options: str) -> list[str]:
        return [row["edition"] for row in folder.run("editions", "list", "--json", *options).json]

    there = {"daily:breaking@2026-11-23/59", "daily@2026-11-22/1"}
    assert set(listed()) == there, "also of a day on which the daily itself had nothing new"
    assert set(listed("daily")) == there
    assert set(listed("daily:breaking")) == {"daily:breaking@2026-11-23/59"}
    assert len(listed("--all", "--limit", "100")) == 60
    assert len(listed("--state", "skipped", "--limit", "100")) == 59
    assert "58 occurrences with nothing new are left out; --all lists them." in folder.run("editions", "list").out
    assert "left out" not in folder.run("editions", "list", "--all").out
    assert "left out" not in folder.run("editions", "list", "daily:each").out
