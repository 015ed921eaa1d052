"""``newsletter run`` and its sources: what it is told to look at, and what it looks at again before it sends."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.model import OccurrenceState
from newsletter.store import articles, editions, occurrences
from tests.collect.feeds import item, rss
from tests.collect.publishing import article_page
from tests.end_to_end.test_run import stopping
from tests.net.publisher import Publisher, answering, publishing
from tests.support.site_folder import SiteFolder
from tests.support.smtp_server import SmtpServer
from tests.support.waiting import free_port, wait_for

SEVEN = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)


def with_sources(site: SiteFolder, lines: str) -> None:
    file = site.path / "schedules.yaml"
    file.write_text(file.read_text().replace("newsletters:\n", f"sources:\n{lines}newsletters:\n", 1))


# So unlike that neither is taken for the other told again.
_ABOUT = (
    "Gauges along the delta stood at their highest since the winter of the great flood.",
    "Engineers found cracks in eleven spans; buses will go by the old ferry until spring.",
)


def stories(publisher: Publisher, *headlines: str) -> bytes:
    return rss(
        *(
            item(
                number,
                title=f"{headline} is what this story is about",
                link=publisher.url(f"/story/{number}"),
                description=_ABOUT[number % 2],
                published=SEVEN - timedelta(hours=1, minutes=number),
            )
            for number, headline in enumerate(headlines, 1)
        )
    )


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
async def test_a_story_withdrawn_after_composing_is_not_in_the_mail(tmp_path: Path, store_url: str) -> None:
    async with publishing() as publisher:
        with SmtpServer() as server:
            site = SiteFolder(tmp_path, store_url, server.port, zone="UTC", web_port=free_port())
            with_sources(site, f'  front: {{feed: "{publisher.url()}", allow_private: true, section: National}}\n')
            site.fill(readers=1, stories=0)
            publisher.pages["/feed"] = stories(publisher, "Rain", "Bridges")
            publisher.pages |= {f"/story/{number}": article_page(number) for number in (1, 2)}

            def state() -> OccurrenceState:
                with site.open() as store:
                    rows = store.read(occurrences.listing)
                return next(row.state for row in rows if row.occurrence.local_date == SEVEN.date())

            # Time goes fast until the edition is composed, and then slowly past seven.
            with stopping(site.start_at(SEVEN - timedelta(minutes=31), 60, "run")):
                await asyncio.to_thread(
                    wait_for, lambda: site.has_rows() and state() is OccurrenceState.APPROVED, "the edition", 60
                )
            with site.open() as store:
                row = next(row for row in store.read(occurrences.listing) if row.occurrence.local_date == SEVEN.date())
                [composed] = store.read(editions.for_occurrence, row.id)
            assert len(composed.article_ids) == 2
            publisher.pages["/story/2"] = answering(410)
            with stopping(site.start_at(SEVEN - timedelta(seconds=5), 1, "run")):
                await asyncio.to_thread(wait_for, lambda: server.accepted, "the mail", 60)
            [accepted] = server.accepted
            body = accepted.message.get_body(("plain",))
            assert body is not None
            text = body.get_content()
            assert "Rain is what" in text
            assert "Bridges is what" not in text


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_a_cms_that_says_look_now_is_looked_at_now(tmp_path: Path, store_url: str) -> None:
    async with publishing() as publisher:
        port = free_port()
        site = SiteFolder(tmp_path, store_url, 25, zone="UTC", web_port=port)
        with_sources(site, f'  front: {{feed: "{publisher.url()}", allow_private: true, every: 1d}}\n')
        publisher.pages["/feed"] = stories(publisher, "Rain")
        token = site.command("tokens", "add", "cms", "--scope", "sources:poll").out.strip()

        def known() -> int:
            with site.open() as store:
                return len(store.read(articles.list_articles))

        def poll() -> int:
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/sources/front/poll",
                method="POST",
                headers={"Authorization": f"Bearer {token}"},
            )
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert json.load(answer)["source"] == "front"
                return int(answer.status)

        with stopping(site.start("run")):
            await asyncio.to_thread(wait_for, lambda: known() == 1, "the first collection", 60)
            publisher.pages["/feed"] = stories(publisher, "Rain", "Bridges")
            assert await asyncio.to_thread(poll) == 202
            await asyncio.to_thread(wait_for, lambda: known() == 2, "the story it spoke of", 60)
