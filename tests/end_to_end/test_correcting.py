"""``editions correct``: exactly those who have an edition, or may have it, get one message more, about that one."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from newsletter.config.reading import load
from newsletter.deliver.copies import browser_copy, parts_of
from newsletter.members.consent import Evidence, unsubscribe
from newsletter.model import ConsentChannel, DeliveryState, EditionName, Reason, StreamName
from newsletter.store import Store, tables
from tests.builders import NOW, add_subscribers
from tests.support.commands import Ran
from tests.support.console import Folder
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import Accepted, SmtpServer
from tests.support.waiting import wait_for

EDITION = "daily@2026-11-24/1"
CORRECTION = f"{EDITION}/correction-1"
NOTE = "The dam holds **two**, not three, billion litres. [The story](https://news.example/dam) is corrected."
AT = ("--now", NOW.isoformat())


def reader(number: int) -> str:
    return f"reader{number:05d}@readers.example"


def run(site: SiteFolder, *arguments: str) -> Ran:
    return Folder(site.path, initialised=False).run(*arguments)


def correct(site: SiteFolder, *arguments: str) -> Ran:
    return run(site, *AT, "editions", "correct", EDITION, *arguments)


def sent(folder: Path, url: str, server: SmtpServer, readers: int, **settings: Any) -> SiteFolder:
    """A site that has sent its edition to so many readers."""
    site = SiteFolder(folder, url, server.port, **settings)
    site.fill(readers=readers, seen_at=NOW - timedelta(minutes=1))
    run(site, *AT, "send", "daily", "--yes", "--no-collect")
    assert server.accepted, "the edition went out"
    return site


def by_reader(accepted: list[Accepted]) -> dict[str, Accepted]:
    assert max(Counter(one.recipient for one in accepted).values()) == 1
    return {one.recipient: one for one in accepted}


async def test_a_correction_goes_to_exactly_those_who_have_the_edition_or_may_have_it(
    tmp_path: Path, store_url: str
) -> None:
    with SmtpServer() as server:
        server.answer = lambda _verb, argument: "550 5.1.1 unknown" if reader(2) in argument else "usual"
        site = sent(tmp_path, store_url, server, 8)
        originals = by_reader(list(server.accepted))
        server.accepted.clear()
        with site.open() as store:
            add_subscribers(store, 1, first=9)  # has joined since
            unsubscribe_by_hand(store, 3)
            stands(store, 4, DeliveryState.SENDING, Reason.IN_DOUBT)
            stands(store, 5, DeliveryState.SKIPPED, Reason.IN_DOUBT)
            stands(store, 6, DeliveryState.SKIPPED, Reason.PAUSED)
            stands(store, 7, DeliveryState.QUEUED, Reason.RELEASED)
        dry = correct(site, "--note", NOTE, "--dry-run", "--json").json
        assert (dry["edition"], dry["readers"], dry["refused"], dry["sent"]) == (CORRECTION, 5, 1, False)
        shown = site.path / "shown.eml"
        done = correct(site, "--note", NOTE, "--dry-run", "--as", reader(1), "--out", str(shown))
        assert done.code == 0, done.err
        assert not server.accepted

        done = correct(site, "--note", NOTE, "--yes")
        assert done.code == 0, done.err
        corrections = by_reader(server.accepted)
        assert set(corrections) == {reader(1), reader(4), reader(5), reader(8)}
        for address, one in corrections.items():
            original, message = originals[address].message, one.message
            assert message["Subject"] == f"Correction: {original['Subject']}"
            assert message["Message-ID"] != original["Message-ID"]
            assert message["In-Reply-To"] == message["References"] == original["Message-ID"]
            assert message["List-Unsubscribe"] == original["List-Unsubscribe"]
            html, text = parts_of(one.content)
            assert "<strong>two</strong>, not three" in html
            assert "https://news.example/dam" in text
            assert "This corrects The Test of Tuesday, November 24, 2026." in " ".join(text.split())
            for part in (html, text):
                assert str(original["Subject"]) in part
                assert re.search(r"/u/\d+/daily/", part)
        assert corrections[reader(1)].content.strip() == shown.read_bytes().strip()

        refused = correct(site, "--note", f"  {NOTE}\n", "--yes")
        assert refused.code == 3
        assert "says the same" in refused.err
        assert len(server.accepted) == 4


async def test_a_correction_is_listed_explained_previewed_and_shown_in_the_browser(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = sent(tmp_path, f"sqlite:///{tmp_path}/newsletter.db", server, 2)
        server.accepted.clear()
        with site.open() as store:
            add_subscribers(store, 1, first=9)
        shown = site.path / "shown.eml"
        correct(site, "--note", NOTE, "--dry-run", "--as", reader(1), "--out", str(shown))
        assert correct(site, "--note", NOTE, "--yes").code == 0
        first = by_reader(list(server.accepted))
        assert correct(site, "--note", "Two, indeed.", "--subject", "Dam: once more", "--yes").code == 0
        assert Counter(server.recipients) == Counter(dict.fromkeys(first, 2))
        assert server.accepted[-1].message["Subject"] == "Dam: once more"
        assert correct(site, "--note", NOTE, "--again", "--yes").code == 0
        assert len({one.message_id for one in server.accepted}) == 6

        listed = run(site, "editions", "list", "daily", "--json").json
        names = [row["edition"] for row in listed if "correction" in row["edition"]]
        assert sorted(names) == [f"{EDITION}/correction-{number}" for number in (1, 2, 3)]
        facts = run(site, "editions", "show", CORRECTION, "--json").json
        assert (facts["state"], facts["edits"]) == ("sent", {"note": NOTE})
        acts = run(site, "editions", "show", EDITION, "--json").json["audit"]
        assert [act["detail"] for act in acts if act["action"] == "correct"] == sorted(names, reverse=True)
        assert "was sent to" in run(site, "why", reader(1), CORRECTION).out
        assert "not among them" in run(site, "why", reader(9), CORRECTION).out
        previewed = site.path / "previewed.eml"
        run(site, *AT, "preview", "daily", "--edition", CORRECTION, "--as", reader(1), "--out", str(previewed))
        assert previewed.read_bytes() == shown.read_bytes()
    configuration = load(site.path / "schedules.yaml", {})
    with site.open() as store:
        page = await browser_copy(
            configuration, store, 1, StreamName("daily"), EditionName.parse(CORRECTION).occurrence
        )
    assert page == parts_of(first[reader(1)].content)[0]
    assert "/e/daily/2026-11-24/1/correction-1/1/" in page


def test_what_still_goes_out_is_not_corrected_and_a_schedule_takes_no_correction_for_a_turn(tmp_path: Path) -> None:
    with SmtpServer() as server:
        site = sent(tmp_path, f"sqlite:///{tmp_path}/newsletter.db", server, 2)
        assert correct(site, "--note", NOTE, "--yes").code == 0
        for wrong, words in (
            (("editions", "correct", CORRECTION, "--note", "x"), "is a correction itself"),
            (("editions", "correct", "daily@2026-11-25/1", "--note", "x"), "daily@2026-11-25/1"),
            (("editions", "correct", EDITION), "one note"),
            (("editions", "correct", EDITION, "--note", " "), "says nothing"),
            (("editions", "correct", EDITION, "--note", "x", "--subject", "{{ oops"), "--subject"),
            (("editions", "correct", EDITION, "--note", "x", "--out", "a.eml"), "go together"),
        ):
            done = run(site, *AT, *wrong, "--yes")
            assert words in done.err, (wrong, done)
            assert len(done.err.splitlines()) == 1, done.err
        with site.open() as store:
            site.add_stories(store, range(4, 7), NOW + timedelta(hours=1))
            store.write(lambda c: c.execute(update(tables.occurrences).where(
                tables.occurrences.c.occurrence == "2026-11-24/1").values(state="sending")))  # fmt: skip
        assert "editions stop" in correct(site, "--note", "More.", "--yes").err
        later = ("--now", (NOW + timedelta(days=1)).isoformat())
        done = run(site, *later, "send", "daily", "--yes", "--no-collect")
        assert done.code == 0, done.err
        assert Counter(server.recipients) == Counter({reader(1): 3, reader(2): 3}), "the next edition came as usual"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_killed_correction_is_gone_on_with_and_mails_nobody_twice_who_was_not_in_doubt(
    tmp_path: Path, store_url: str
) -> None:
    dice = random.Random(7)
    with SmtpServer() as server:
        site = sent(tmp_path, store_url, server, 60, connections=4)
        everyone = set(server.recipients)
        server.accepted.clear()

        async def slowly(_accepted: Accepted) -> str:
            await asyncio.sleep(dice.uniform(0, 0.1))
            return "usual"

        server.on_body = slowly
        for threshold in (5, 15):
            process = site.start("editions", "correct", EDITION, "--note", NOTE, "--yes")
            least = threshold + len(server.accepted)
            wait_for(lambda: len(server.accepted) >= least, "some messages")  # noqa: B023
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        server.on_body = lambda _accepted: "usual"
        done = run(site, "editions", "correct", EDITION, "--note", NOTE, "--yes")
        assert done.code == 0, done.err
        assert "going on with it" in done.err
        assert set(server.recipients) == everyone
        assert len({(one.recipient, one.message_id) for one in server.accepted}) == len(everyone)
        assert len(server.accepted) - len(everyone) <= 2 * 4 * 20
        with site.open() as store:
            rows = store.read(lambda c: c.execute(tables.deliveries.select()).all())
        assert Counter(row.occurrence for row in rows) == {"2026-11-24/1": 60, "2026-11-24/1/correction-1": 60}
        assert {row.state for row in rows} == {"sent"}


def stands(store: Store, subscriber: int, state: DeliveryState, reason: Reason) -> None:
    """Put the one delivery of a reader where it would be after some trouble."""
    row = tables.deliveries
    values = {"state": state.value, "reason": reason.value, "doubted": reason is Reason.IN_DOUBT}
    store.write(lambda c: c.execute(update(row).where(row.c.subscriber_id == subscriber).values(**values)))


def unsubscribe_by_hand(store: Store, subscriber: int) -> None:
    store.write(unsubscribe, subscriber, "daily", Evidence(ConsentChannel.CLI, NOW))
