"""Confirmations, sign-in links, the welcome: through the ledger and over real SMTP, once each, and first."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from newsletter.collect.identity import to_remember
from newsletter.config.reading import Configuration, load
from newsletter.deliver.configured import configured_sender
from newsletter.deliver.sending import Sender
from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.members.links import Links
from newsletter.members.signing_in import Limit, request_sign_in
from newsletter.model import (
    ConsentChannel,
    OccurrenceState,
    RenderedKey,
    SuppressionScope,
    SystemMail,
)
from newsletter.store import Store, articles, deliveries, senders, subscribers, system_mails, tables
from tests.builders import NOW, add_occurrence, add_subscribers, an_incoming_article
from tests.deliver.test_sending import states
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted, SmtpServer

READER = "reader00001@readers.example"
MORE = """languages: [ar]
  weekend:
    title: The Weekend
    description: Long reads for Saturday.
    from: "The Weekend <weekend@news.example>"
    schedule: {at: "08:00", days: [sat]}
    sections: [{name: Reads}]
system_mails: {from: "The Test <account@news.example>", reply_to: help@news.example}"""


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, store_url: str, server: SmtpServer) -> Configuration:
    folder = SiteFolder(tmp_path, store_url, server.port, zone="UTC", more=MORE)
    return load(folder.path / "schedules.yaml", {})


def mail(store: Store, kind: SystemMail, event: str, *newsletters: str, reader: int = 1, language: str = "en") -> bool:
    until = NOW + timedelta(hours=1)
    key = RenderedKey(language, "free")
    return store.write(system_mails.queue, kind, event, reader, key, newsletters, now=NOW, expires_at=until)


async def send(site: Configuration, store: Store, *, later: timedelta = timedelta(0)) -> Sender:
    now = NOW + later
    lock = senders.acquire(store, now)
    assert lock is not None
    try:
        sender = configured_sender(site, store, lock, lambda: now)
        await sender.run(asyncio.Event(), until_idle=True)
        return sender
    finally:
        lock.close(now)


def parts(accepted: Accepted) -> tuple[str, str]:
    html, text = (accepted.message.get_body((kind,)) for kind in ("html", "plain"))
    return html.get_content() if html is not None else "", text.get_content() if text is not None else ""


async def test_each_kind_is_a_whole_mail_from_its_own_address_with_one_thing_to_do(
    site: Configuration, server: SmtpServer, store: Store
) -> None:
    (reader,) = add_subscribers(store, 1)
    ann = store.read(subscribers.by_id, reader)
    assert ann is not None
    links = Links("http://127.0.0.1:8025")
    wanted = {
        SystemMail.CONFIRM: ("7", links.confirm(7, ann.secret), "Confirm your newsletters from The Test"),
        SystemMail.SIGN_IN: ("8", links.sign_in(8, ann.secret), "Your link to sign in at The Test"),
        SystemMail.ALREADY: ("9", links.sign_in(9, ann.secret), "You are already subscribed"),
        SystemMail.WELCOME: ("10", links.preferences(reader, ann.secret), "Welcome to The Test"),
    }
    for kind, (event, _, _) in wanted.items():
        named = () if kind is SystemMail.SIGN_IN else ("daily", "weekend")
        assert mail(store, kind, event, *named)
        assert not mail(store, kind, event, *named), "one event makes one mail"
    await send(site, store)
    by_subject = {str(one.message["Subject"]): one for one in server.accepted}
    assert set(by_subject) == {subject for _, _, subject in wanted.values()}
    for kind, (_, link, subject) in wanted.items():
        got = by_subject[subject].message
        assert (got["From"], got["Reply-To"]) == ("The Test <account@news.example>", "help@news.example")
        assert got["Auto-Submitted"] == "auto-generated"
        assert [name for name in got if name.lower().startswith("list-")] == []
        html, text = parts(by_subject[subject])
        assert f'href="{link}"' in html
        assert link in text
        assert READER in html
        assert READER in text
        if kind is not SystemMail.SIGN_IN:
            assert "the weekend" in text.lower()
            assert "Saturday at 8:00" in text
    assert states(store) == {("sent", ""): 4}
    await send(site, store)
    assert len(server.accepted) == 4


async def test_the_welcome_shows_the_latest_edition_as_it_stands_when_it_is_sent(
    site: Configuration, server: SmtpServer, store: Store
) -> None:
    add_subscribers(store, 1)
    mail(store, SystemMail.WELCOME, "1", "daily")
    await send(site, store)
    assert "latest:" not in parts(server.accepted[0])[1]
    store.write(articles.remember, to_remember([an_incoming_article()]), now=NOW)
    add_occurrence(store, sections=[{"name": "National", "articles": [1]}], state=OccurrenceState.SENT)
    mail(store, SystemMail.WELCOME, "2", "daily")
    await send(site, store, later=timedelta(minutes=5))
    html, text = parts(server.accepted[1])
    assert "latest: November 23, 2026" in text
    assert "Dam opens its gates" in html
    assert "https://news.example/national/dam" in text


async def test_each_reader_gets_them_in_her_language(site: Configuration, server: SmtpServer, store: Store) -> None:
    add_subscribers(store, 1)
    mail(store, SystemMail.CONFIRM, "1", "daily", language="ar")
    await send(site, store)
    html, text = parts(server.accepted[0])
    assert server.accepted[0].message["Content-Language"] == "ar"
    assert 'dir="rtl"' in html
    assert re.search("[\u0600-\u06ff]{4}", text)


async def test_suppressed_for_good_gets_none_and_unsubscribed_from_all_gets_hers(
    site: Configuration, server: SmtpServer, store: Store
) -> None:
    bounced, gone = add_subscribers(store, 2)
    how = Evidence(ConsentChannel.CLI, NOW)
    store.write(consent.suppress, bounced, SuppressionScope.ALL, "hard_bounce", how)
    store.write(consent.unsubscribe_all, gone, how)
    for reader in (bounced, gone):
        mail(store, SystemMail.SIGN_IN, str(reader), reader=reader)
    await send(site, store)
    assert server.recipients == ["reader00002@readers.example"]
    assert states(store) == {("sent", ""): 1, ("skipped", "suppressed_all"): 1}


async def test_one_that_is_too_late_is_not_sent(site: Configuration, server: SmtpServer, store: Store) -> None:
    add_subscribers(store, 1)
    limit = Limit("x", 9)
    assert store.write(request_sign_in, READER, limit=limit, language="en", now=NOW)
    late = timedelta(minutes=31)
    store.write(deliveries.expire, NOW + late)
    await send(site, store, later=late)
    assert server.accepted == []
    assert states(store) == {("failed", "expired"): 1}


async def test_what_was_on_its_way_when_the_sender_was_killed_is_sent_again_as_the_same_mail(
    site: Configuration, server: SmtpServer, store: Store
) -> None:
    add_subscribers(store, 1)
    mail(store, SystemMail.CONFIRM, "1", "daily")
    await send(site, store)
    row = tables.deliveries
    store.write(partial(Connection.execute, statement=update(row).values(state="sending", sender=77, sent_at=None)))
    await send(site, store, later=timedelta(minutes=1))
    assert len(server.accepted) == 2
    assert len({one.message_id for one in server.accepted}) == 1
