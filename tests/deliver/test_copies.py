"""The edition in the browser is what this reader was sent, with her links, and nobody else's."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path

from newsletter.config.reading import load
from newsletter.deliver.copies import browser_copy, parts_of
from newsletter.members.links import is_mailed_unsubscribe
from newsletter.model import Occurrence, StreamName
from newsletter.store import Store, subscribers
from tests.builders import NOW, add_subscribers
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer

SENT = Occurrence(date(2026, 11, 24), 1)


def sent_site(folder: Path, url: str, server: SmtpServer) -> SiteFolder:
    """A site that has just sent its edition to two readers."""
    site = SiteFolder(folder, url, server.port)
    site.fill(readers=2, stories=3, seen_at=NOW - timedelta(minutes=1))
    done = site.command("--now", NOW.isoformat(), "send", "daily", "--yes", "--no-collect")
    assert done.code == 0, done.err
    return site


async def test_a_reader_sees_what_she_was_sent(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = sent_site(tmp_path, store_url, server)
        received = {one.recipient: parts_of(one.content)[0] for one in server.accepted}
    configuration = load(site.path / "schedules.yaml", {})
    with Store.open(store_url) as store:
        for subscriber_id, address in ((1, "reader00001@readers.example"), (2, "reader00002@readers.example")):
            shown = await browser_copy(configuration, store, subscriber_id, StreamName("daily"), SENT)
            assert shown == received[address]
            assert shown is not None
            assert re.search(rf"/u/{subscriber_id}/daily/", shown)


async def test_who_was_not_sent_it_sees_nothing(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = sent_site(tmp_path, store_url, server)
    configuration = load(site.path / "schedules.yaml", {})
    with Store.open(store_url) as store:
        late = add_subscribers(store, 1, first=3)[0]
        assert await browser_copy(configuration, store, late, StreamName("daily"), SENT) is None
        assert (
            await browser_copy(configuration, store, 1, StreamName("daily"), Occurrence(date(2026, 11, 25), 1)) is None
        )
        assert await browser_copy(configuration, store, 1, StreamName("gone"), SENT) is None
        assert await browser_copy(configuration, store, 99, StreamName("daily"), SENT) is None


def test_where_a_mailbox_is_read_every_mail_offers_to_unsubscribe_by_mail_too(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    database = tmp_path / "newsletter.db"
    database.write_bytes(migrated_sqlite.read_bytes())
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, f"sqlite:///{database}", server.port)
        file = site.path / "schedules.yaml"
        file.write_text("unsubscribe_mailbox: unsubscribe@news.example\n" + file.read_text())
        site.fill(readers=2, stories=3, seen_at=NOW - timedelta(minutes=1))
        done = site.command("--now", NOW.isoformat(), "send", "daily", "--yes", "--no-collect")
        assert done.code == 0, done.err
    with site.open() as store:
        people = store.read(subscribers.by_addresses, server.recipients)
    assert len(people) == 2
    for accepted in server.accepted:
        person = people[accepted.recipient]
        offered = re.findall(r"<([^>]+)>", str(accepted.message["List-Unsubscribe"]))
        assert offered[0].startswith(f"http://127.0.0.1:8025/u/{person.id}/daily/")
        found = re.fullmatch(rf"mailto:unsubscribe\+{person.id}-([a-z2-7]{{26}})@news\.example", offered[1])
        assert found is not None
        assert is_mailed_unsubscribe(found[1], person.secret, "daily")
        assert accepted.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
