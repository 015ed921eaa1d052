"""``send --rehearse``: everything is made for everybody, nobody is mailed, and the store is as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update

from newsletter.store import Store, subscribers, tables
from tests.builders import add_subscribers
from tests.support.site_folder import SiteFolder, not_soon
from tests.support.smtp_server import SmtpServer

READERS = 120
BRIEFING = """
  briefing:
    title: The Briefing
    from: "The Briefing <briefing@news.example>"
    schedule: {at: "23:59"}
    unless_sent: today
    sections: [{name: National, match: {section: National}}]
    articles: {min: 1, max: 9, max_age: 30d}
    gates: {web: false}"""


def _now() -> datetime:
    return datetime.now(UTC)


def everything(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables but what planning ahead writes, and does as well where nothing is rehearsed."""

    def read(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in tables.metadata.sorted_tables
            if table.name != "occurrences"
        }

    return store.read(read)


def test_everybody_is_counted_nobody_mailed_and_nothing_written(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port)
        site.fill(readers=READERS)
        with site.open() as store:
            add_subscribers(store, 10, first=201, domain="gmail.com")
            paused = update(tables.subscriptions).where(tables.subscriptions.c.subscriber_id.in_([3, 4]))
            store.write(lambda c: c.execute(paused.values(state="unsubscribed")))
            before = everything(store)
        ran = site.command("send", "daily", "--rehearse", "--no-collect", "--json")
        assert ran.code == 0, ran.err
        facts = ran.json
        assert facts["messages"] == READERS + 10 - 2
        assert facts["readers"] == READERS + 10 - 2
        assert facts["documents"] == {"en/free": READERS + 8}
        assert facts["providers"] == {"readers.example": READERS - 2, "gmail": 10}
        assert facts["failed"] == 0
        assert facts["last"] is None
        assert 5_000 < facts["bytes"]["least"] <= facts["bytes"]["median"] <= facts["bytes"]["most"]
        assert facts["bytes"]["all"] >= facts["messages"] * facts["bytes"]["least"]
        assert server.connections == 0, "the real relay hears nothing"
        with site.open() as store:
            assert everything(store) == before
        sent = site.command("send", "daily", "--yes", "--no-collect")
        assert sent.code == 0, sent.err
        sizes = sorted(len(one.content) for one in server.accepted)
        assert abs(sum(sizes) - facts["bytes"]["all"]) <= 40 * len(sizes), "what was rehearsed is what goes out"


def test_it_says_who_is_skipped_and_why_and_how_it_differs_from_the_last(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", server.port)
        site.fill(readers=20)
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        with site.open() as store:
            SiteFolder.add_stories(store, [7, 8], seen_at=_now())
            add_subscribers(store, 5, first=101)
            soon = update(tables.subscriptions).where(tables.subscriptions.c.subscriber_id == 1)
            store.write(lambda c: c.execute(soon.values(paused_until=_now().replace(year=2999))))
        said = site.command("send", "daily", "--rehearse", "--no-collect").out
        assert "24 messages to 25 readers" in said
        assert "1 skipped: this reader has paused the newsletter" in said
        assert "4 more messages than" in said
        assert "Nothing was sent, and nothing written" in said
        assert len(server.accepted) == 20


def test_a_message_that_cannot_be_made_is_a_failure_with_its_reader_and_an_exit_code(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", server.port)
        site.fill(readers=3)
        with site.open() as store:
            broken = update(tables.subscribers).where(tables.subscribers.c.id == 2)
            store.write(lambda c: c.execute(broken.values(address="a\nb@readers.example")))
        ran = site.command("send", "daily", "--rehearse", "--no-collect", "--json")
        assert ran.code != 0
        facts = ran.json
        assert (facts["messages"], facts["failed"]) == (2, 1)
        assert "subscriber 2" in facts["failures"][0]


def test_a_rehearsal_goes_alone(tmp_path: Path) -> None:
    site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", 1)
    ran = site.command("send", "daily", "--rehearse", "--to", "a@b.example")
    assert ran.code == 2
    assert "--rehearse goes alone" in ran.err


def test_each_cohort_is_rehearsed_with_its_own_edition_without_what_its_readers_had(
    tmp_path: Path, store_url: str
) -> None:
    with SmtpServer() as server:
        hours = '{deliver_at: "07:00 subscriber", hours: any}'
        site = SiteFolder(tmp_path, store_url, server.port, zone="UTC", schedule=hours)
        site.fill(readers=8)
        stay = {1: "Asia/Kolkata", 2: "Asia/Kolkata", 3: "America/New_York", 4: "America/New_York", 5: "Asia/Tokyo"}
        with site.open() as store:
            live(store, stay)
        assert rehearsed(site)["editions"] == 4, "the newsletter's own hour is one"
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        assert len(server.accepted) == 8
        with site.open() as store:
            SiteFolder.add_stories(store, [7, 8], seen_at=_now())
            live(store, {1: "Europe/Berlin"})  # where nobody stood, all stories are new but to her
            pause = update(tables.subscriptions).where(tables.subscriptions.c.subscriber_id == 4)
            store.write(lambda c: c.execute(pause.values(paused_until=_now().replace(year=2999))))
            before = everything(store)
        facts = rehearsed(site)
        with site.open() as store:
            assert everything(store) == before
        assert (facts["readers"], facts["messages"], facts["skipped"]) == (8, 7, {"paused": 1})
        server.accepted.clear()
        assert site.command("send", "daily", "--extra", "--yes", "--no-collect").code == 0
        assert len(server.accepted) == facts["messages"]
        real = sum(len(one.content) for one in server.accepted)
        assert abs(real - facts["bytes"]["all"]) <= 60 * len(server.accepted), "what was rehearsed is what goes out"
        hers = next(one for one in server.accepted if one.recipient == "reader00001@readers.example")
        assert abs(len(hers.content) - real / 7) < 400, "hers holds the new stories alone, as all others"
        with site.open() as store:
            live(store, {2: "Europe/Paris"})
        assert rehearsed(site)["skipped"] == {"all_had": 1, "empty": 6, "paused": 1}


def test_what_was_sent_by_hand_before_its_time_is_not_rehearsed_as_the_next_once_more(tmp_path: Path) -> None:
    early, later = datetime(2026, 11, 28, 6, 50, tzinfo=UTC), ("--now", "2026-11-28T06:55Z")
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", server.port, zone="UTC")
        site.fill(readers=1, seen_at=early)
        assert site.command("--now", early.isoformat(), "send", "daily", "--yes", "--no-collect").code == 0
        with site.open() as store:
            SiteFolder.add_stories(store, [7], seen_at=early)
        ran = site.command(*later, "send", "daily", "--rehearse", "--no-collect", "--json")
    assert ran.json["edition"] == "daily@2026-11-29/1", ran


def test_a_cohort_whose_edition_would_not_be_made_gets_none_in_a_rehearsal(tmp_path: Path) -> None:
    with SmtpServer() as server:
        hours = '{deliver_at: "07:00 subscriber"}'
        site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", server.port, zone="UTC", schedule=hours)
        file = tmp_path / "schedules.yaml"
        file.write_text(file.read_text().replace("articles: {min: 1", "articles: {min: 2"))
        site.fill(readers=5)
        with site.open() as store:
            live(store, dict.fromkeys(range(1, 6), "Asia/Kolkata"))
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        with site.open() as store:
            SiteFolder.add_stories(store, [7], seen_at=_now())
            add_subscribers(store, 1, first=101)
            live(store, {6: "Asia/Tokyo"})
        facts = rehearsed(site)
        assert (facts["messages"], facts["skipped"]) == (1, {"below_minimum": 5}), "where nobody stood all are new"
        server.accepted.clear()
        assert site.command("send", "daily", "--extra", "--yes", "--no-collect").code == 0
        assert [one.recipient for one in server.accepted] == ["reader00101@readers.example"]


def live(store: Store, zones: dict[int, str]) -> None:
    for reader, zone in zones.items():
        store.write(subscribers.live_in, reader, zone, _now())


def where_it_is_noon() -> str:
    """A zone in which today is long over at no time of this test, and has long begun."""
    ahead = 12 - _now().hour
    return f"Etc/GMT{-ahead:+}" if ahead else "Etc/GMT"


def rehearsed(site: SiteFolder, newsletter: str = "daily") -> dict[str, Any]:
    ran = site.command("send", newsletter, "--rehearse", "--no-collect", "--json")
    assert ran.code == 0, ran.err
    facts: dict[str, Any] = ran.json
    return facts


def test_stories_that_another_newsletter_carried_that_day_are_left_out_of_a_rehearsal(tmp_path: Path) -> None:
    with SmtpServer() as server:
        url = f"sqlite:///{tmp_path}/n.db"
        site = SiteFolder(tmp_path, url, server.port, zone=where_it_is_noon(), schedule=not_soon(), more=BRIEFING)
        site.fill(readers=6)
        with site.open() as store:
            some = {"newsletter": "briefing", "state": "active", "format": "html", "created_at": _now()}
            rows = [some | {"subscriber_id": number} for number in (1, 2)]
            store.write(lambda c: c.execute(insert(tables.subscriptions), rows))
            add_subscribers(store, 3, newsletters=("briefing",), first=101)
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        assert len(server.accepted) == 6
        facts = rehearsed(site, "briefing")
        assert (facts["messages"], facts["skipped"]) == (3, {"all_had": 2})
