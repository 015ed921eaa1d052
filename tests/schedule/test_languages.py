"""An edition in each language that its newsletter declares, from the schedule to the bytes, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from newsletter.config.reading import Configuration, load
from newsletter.deliver.assembling import Assembler
from newsletter.model import StreamName
from newsletter.preview.choosing import choose_edition, choose_reader
from newsletter.schedule import by_hand
from newsletter.schedule.testing import _make as make_test
from newsletter.schedule.work import Work
from newsletter.store import Store, editions, occurrences, pieces, tables
from newsletter.store.claiming import claim
from tests.support.site_folder import SiteFolder

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
TONGUES = ("", "hi-IN", "ar", "fr")


@pytest.fixture
def site(tmp_path: Path, store_url: str) -> SiteFolder:
    """A site in English whose daily may be had in Hindi and Arabic, with four readers who speak ``TONGUES``."""
    folder = SiteFolder(tmp_path, store_url, 25, zone="UTC")
    file = tmp_path / "schedules.yaml"
    file.write_text(file.read_text().replace("    title: The Test\n", "    title: The Test\n    languages: [hi, ar]\n"))
    folder.fill(readers=4, seen_at=SEVEN - timedelta(hours=2))
    return folder


def configured(site: SiteFolder) -> Configuration:
    return load(site.path / "schedules.yaml", {})


def speak(store: Store) -> None:
    for number, language in enumerate(TONGUES, 1):
        address = tables.subscribers.c.address == f"reader{number:05d}@readers.example"
        change = update(tables.subscribers).where(address).values(language=language)
        store.write(partial(Connection.execute, statement=change))


async def sent(site: SiteFolder, store: Store) -> dict[str, EmailMessage]:
    """Each reader's message of what is queued, by her address."""
    configuration = configured(site)
    languages = {"daily": configuration.languages("daily")}
    found = store.write(
        claim,
        1,
        newsletters=["daily"],
        limit=9,
        now=SEVEN,
        message_id_of=lambda edition, reader: f"<{reader}@x>",
        plans=["free", "member"],
        languages=languages,
    )
    assemble = Assembler(configuration, store, lambda: SEVEN)
    messages = {}
    for row in found.rows:
        message = message_from_bytes((await assemble(row)).message, policy=SMTP)
        assert isinstance(message, EmailMessage)
        messages[row.address] = message
    return messages


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    return str(body.get_content())


async def test_each_reader_gets_frame_dates_numbers_and_words_in_her_language(site: SiteFolder, store: Store) -> None:
    speak(store)
    Work(configured(site), store).advance(SEVEN)
    [row] = [row for row in store.read(occurrences.listing) if str(row.occurrence) == "2026-11-01/1"]
    [edition] = store.read(editions.for_occurrence, row.id)
    rendered = [str(key) for key in store.read(pieces.keys, edition.id, edition.revision)]
    assert rendered == ["ar/free", "ar/member", "en/free", "en/member", "hi/free", "hi/member"]
    messages = list((await sent(site, store)).values())
    assert [message["Content-Language"] for message in messages] == ["en", "hi", "ar", "en"]
    hindi, arabic = part(messages[1], "html"), part(messages[2], "html")
    assert '<html lang="hi" dir="ltr"' in hindi
    assert "रविवार, 1 नवंबर 2026" in hindi
    assert "3 ख़बरें" in hindi
    assert "सदस्यता समाप्त करें" in part(messages[1], "plain")
    assert '<html lang="ar" dir="rtl"' in arabic
    assert "الأحد، 1 نوفمبر 2026" in arabic
    assert "3 أخبار" in part(messages[2], "plain")
    assert "Story number 1 of the test" in arabic
    assert "Sunday, November 1, 2026" in part(messages[3], "html")


async def test_a_send_by_hand_speaks_to_each_reader_too(site: SiteFolder, store: Store) -> None:
    speak(store)
    work = Work(configured(site), store)
    plan = by_hand.plan_send(work.configuration, store, StreamName("daily"), extra=False, now=SEVEN)
    by_hand.begin(work, plan, ["reader00002@readers.example", "reader00004@readers.example"], SEVEN)
    messages = await sent(site, store)
    assert [message["Content-Language"] for message in messages.values()] == ["hi", "en"]


def test_preview_and_test_mail_are_in_the_readers_language(site: SiteFolder, store: Store) -> None:
    speak(store)
    configuration = configured(site)
    pool = choose_edition(configuration, store, StreamName("daily"), "next", SEVEN, None)
    shown = [
        choose_reader(configuration, store, pool, f"reader{number:05d}@readers.example", SEVEN).rendered_key.language
        for number in range(1, 5)
    ]
    assert shown == ["en", "hi", "ar", "en"]
    _, message = make_test(configuration, store, StreamName("daily"), "reader00003@readers.example", SEVEN)
    assert b"Content-Language: ar" in message
