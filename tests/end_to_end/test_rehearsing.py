"""``send --rehearse``: everything is made for everybody, nobody is mailed, and the store is as it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select, update

from newsletter.store import Store, tables
from tests.builders import add_subscribers
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer

READERS = 120


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
        assert ran.returncode == 0, ran.stderr.decode()
        facts = json.loads(ran.stdout)
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
        assert sent.returncode == 0, sent.stderr.decode()
        sizes = sorted(len(one.content) for one in server.accepted)
        assert abs(sum(sizes) - facts["bytes"]["all"]) <= 40 * len(sizes), "what was rehearsed is what goes out"


def test_it_says_who_is_skipped_and_why_and_how_it_differs_from_the_last(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", server.port)
        site.fill(readers=20)
        assert site.command("send", "daily", "--yes", "--no-collect").returncode == 0
        with site.open() as store:
            SiteFolder.add_stories(store, [7, 8], seen_at=_now())
            add_subscribers(store, 5, first=101)
            soon = update(tables.subscriptions).where(tables.subscriptions.c.subscriber_id == 1)
            store.write(lambda c: c.execute(soon.values(paused_until=_now().replace(year=2999))))
        said = site.command("send", "daily", "--rehearse", "--no-collect").stdout.decode()
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
        assert ran.returncode != 0
        facts = json.loads(ran.stdout)
        assert (facts["messages"], facts["failed"]) == (2, 1)
        assert "subscriber 2" in facts["failures"][0]


def test_a_rehearsal_goes_alone(tmp_path: Path) -> None:
    site = SiteFolder(tmp_path, f"sqlite:///{tmp_path}/n.db", 1)
    ran = site.command("send", "daily", "--rehearse", "--to", "a@b.example")
    assert ran.returncode == 2
    assert "--rehearse goes alone" in ran.stderr.decode()
