"""``unless_sent: today``: nobody gets a story twice in a day, in however many newsletters it stands."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from newsletter.config.reading import load
from newsletter.deliver.copies import browser_copy
from newsletter.model import EditionName, Occurrence, Reason, StreamName
from newsletter.preview.making import make_preview
from newsletter.schedule.explaining import Outcome, why
from newsletter.store import Store, occurrences, subscribers
from tests.support.site_folder import SiteFolder, not_soon
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, wait_for

ANN, BEN, CAL = (f"{name}@readers.example" for name in ("ann", "ben", "cal"))
EVENING = """
  evening:
    title: The Evening
    from: "The Evening <evening@news.example>"
    schedule: {at}
    catch_up: 2h
    unless_sent: today
    sections: [{{name: National, match: {{section: National}}, max: 9}}]
    articles: {{min: 1, max: 9, max_age: 30d}}
    gates: {{web: false}}"""


def a_site(folder: Path, store_url: str, server: SmtpServer, at: str = "", morning: str = "") -> SiteFolder:
    """Ann reads both newsletters, Ben the evening's alone, Cal both; the morning's has had three stories."""
    at = at or not_soon()
    site = SiteFolder(
        folder, store_url, server.port, web_port=free_port(), more=morning + EVENING.format(at=at), schedule=at
    )
    for who, newsletters in ((ANN, "daily evening"), (BEN, "evening"), (CAL, "daily evening")):
        named = [word for name in newsletters.split() for word in ("-n", name)]
        assert site.command("subscribers", "add", who, *named).code == 0
    return site


def stories_to(server: SmtpServer, who: str) -> list[set[int]]:
    """The numbers of the stories in each mail to somebody, in the order in which they came."""
    found = []
    for accepted in server.accepted:
        if accepted.recipient == who:
            body = accepted.message.get_body(("plain",))
            assert body is not None
            text = body.get_content().upper()
            found.append({number for number in range(1, 9) if f"STORY NUMBER {number} OF THE TEST" in text})
    return found


def subjects_to(server: SmtpServer, who: str) -> list[str]:
    return [str(one.message["Subject"]) for one in server.accepted if one.recipient == who]


def occurrence_of(store: Store, newsletter: str) -> Occurrence:
    return next(row for row in store.read(occurrences.listing, newsletter=newsletter) if row.by_hand).occurrence


def test_what_the_morning_carried_the_evening_leaves_out_for_those_who_had_it(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, store_url, server)
        site.fill(stories=3)
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        configuration = load(tmp_path / "schedules.yaml", {})
        with site.open() as store:
            site.add_stories(store, (4, 5), datetime.now(UTC) - timedelta(hours=1))
            shown = make_preview(configuration, store, StreamName("evening"), reader=ANN, now=datetime.now(UTC))
            assert "3 stories are left out: she had them that day in daily." in shown.notices
            assert {one.headline for one in shown.stories if one.shown} == {
                "Story number 4 of the test", "Story number 5 of the test",
            }  # fmt: skip
        assert site.command("send", "evening", "--yes", "--no-collect").code == 0
        assert stories_to(server, ANN) == stories_to(server, CAL) == [{1, 2, 3}, {4, 5}]
        assert stories_to(server, BEN) == [{1, 2, 3, 4, 5}]
        now = datetime.now(UTC)
        with site.open() as store:
            occurrence = occurrence_of(store, "evening")

            said = why(configuration, store, ANN, EditionName("evening", occurrence), now)
            assert said.preferences is not None
            assert (said.preferences.stories, said.preferences.of) == (2, 5)
            assert "2 of 5 stories; 3 left out because daily carried them at " in said.sentence
            ann = store.read(subscribers.by_address, ANN)
            assert ann is not None
            page = asyncio.run(browser_copy(configuration, store, ann.id, StreamName("evening"), occurrence))
            assert page is not None
            assert ("Story number 4" in page, "Story number 1 " in page) == (True, False), "as it was sent"
        correcting = site.command("editions", "correct", f"evening@{occurrence}", "--note", "We were wrong.", "--yes")
        assert correcting.code == 0, correcting.err
        wait_for(lambda: len(subjects_to(server, ANN)) == 3, "her correction")
        _, hers, corrected = subjects_to(server, ANN)
        assert "number 4" in hers or "number 5" in hers, "the first of what is left leads"
        assert corrected == f"Correction: {hers}"
        assert hers != subjects_to(server, BEN)[0]


def test_who_had_all_of_it_gets_none_and_why_says_so(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = a_site(tmp_path, store_url, server)
        site.fill(stories=3)
        assert site.command("send", "daily", "--yes", "--no-collect").code == 0
        assert site.command("send", "evening", "--yes", "--no-collect").code == 0
        assert stories_to(server, ANN) == [{1, 2, 3}]
        assert stories_to(server, BEN) == [{1, 2, 3}]
        with site.open() as store:
            name = EditionName("evening", occurrence_of(store, "evening"))
            said = why(load(tmp_path / "schedules.yaml", {}), store, ANN, name, datetime.now(UTC))
        assert (said.outcome, said.reason) == (Outcome.SKIPPED, Reason.ALL_HAD)
        assert "had all of its stories that day in another newsletter" in said.sentence


def test_of_two_that_are_due_at_one_instant_one_waits_for_all_deliveries_of_the_other(
    tmp_path: Path, store_url: str
) -> None:
    seven = datetime.now(UTC).replace(hour=1, minute=30, second=0, microsecond=0) + timedelta(days=1)
    with SmtpServer() as server:
        seeded = "seeds: [reader00001@readers.example]\n    seed_wait: 3s"
        site = a_site(tmp_path, store_url, server, at='{at: "07:00"}', morning=seeded)
        site.fill(readers=40, stories=3, seen_at=seven - timedelta(hours=1))
        running = site.start_at(seven - timedelta(seconds=3), 1, "run")
        wait_for(lambda: len(server.accepted) >= 43, "both", 90)
        running.terminate()
        assert running.wait(30) == 0, site.log
        assert stories_to(server, ANN) == [{1, 2, 3}]
        assert stories_to(server, BEN) == [{1, 2, 3}]
