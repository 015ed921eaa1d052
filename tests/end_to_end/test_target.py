"""A newsletter and a promotion with a target: who gets it, who sees it, and what `why` says of everybody else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.config.reading import load
from newsletter.deliver.copies import browser_copy
from newsletter.model import StreamName
from newsletter.preview.choosing import KeyFacts
from newsletter.preview.making import make_preview
from newsletter.schedule.explaining import Outcome, why
from newsletter.store import occurrences, subscribers
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer

MORE = """target: not plan = free
    promotions: [{headline: Spring coats, url: "https://shop.example", target: "tag = founder"}]"""


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_send_goes_to_those_in_the_target_and_shows_each_her_promotions(tmp_path: Path, store_url: str) -> None:
    with SmtpServer() as server:
        site = SiteFolder(tmp_path, store_url, server.port, more=MORE)
        file = tmp_path / "schedules.yaml"
        file.write_text(f"tags: [founder]\n{file.read_text()}")
        site.fill(stories=3)
        people = tmp_path / "people.csv"
        people.write_text(
            "address,plan,tags\nann@readers.example,member,founder\nben@readers.example,member,\ncal@readers.example,,\n"
        )
        assert site.command("subscribers", "import", str(people), "-n", "daily").code == 0
        sent = site.command("send", "daily", "--yes", "--no-collect")
        assert sent.code == 0, sent
        assert sorted(server.recipients) == ["ann@readers.example", "ben@readers.example"]
        shown = {}
        for accepted in server.accepted:
            plain = accepted.message.get_body(("plain",))
            assert plain is not None
            shown[accepted.recipient] = "Spring coats" in plain.get_content()
        assert shown == {"ann@readers.example": True, "ben@readers.example": False}
        configuration, now = load(file, {}), datetime.now(UTC)
        with site.open() as store:
            name = next(row for row in store.read(occurrences.listing) if row.by_hand).name
            answer = why(configuration, store, "cal@readers.example", name, now)
            assert (answer.outcome, answer.reason) == (Outcome.NOT_ADDRESSED, "not_targeted")
            assert "this reader is not in the newsletter's target" in answer.sentence
            previews = {
                reader: make_preview(
                    configuration, store, StreamName("daily"), reader=reader, edition=str(name), now=now
                )
                for reader in (*shown, "cal@readers.example")
            }
            for reader, sees in shown.items():
                assert ("Spring coats" in previews[reader].text) == sees, "her own copy, as it was sent"
                person = store.read(subscribers.by_address, reader)
                assert person is not None
                page = asyncio.run(browser_copy(configuration, store, person.id, StreamName("daily"), name.occurrence))
                assert ("Spring coats" in str(page)) == sees
            refused = "She would not get it: she is not in the newsletter's target."
            assert refused in previews["cal@readers.example"].notices
            by_hand = make_preview(
                configuration, store, StreamName("daily"), reader=KeyFacts(), edition=str(name), now=now
            )
            assert "Spring coats" in by_hand.text, "a reader put together by hand sees every promotion"
