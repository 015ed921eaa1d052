"""How often a newsletter comes, on the preferences page: there only where it is hers to say, saved, and refused where
unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import lxml.html
import pytest

from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.model import ConsentAction, Stream
from newsletter.store import Store, consents, subscribers, tables
from newsletter.store.moves import of_readers
from tests.builders import NOW, add_subscribers
from tests.support.web_server import SITE, a_site, served
from tests.web.conftest import Visit
from tests.web.test_preferences import changed, held, opened, sent

STREAMS = """\
schedule: {{deliver_at: "07:00 subscriber", hours: ["12:30", "18:00"]}}
    streams:
      weekly: {{schedule: {{at: "09:00", days: [sun]}}}}
      breaking: {{schedule: {{every: 10m}}, frequency: "When there is some"}}"""


def a_site_with_streams(folder: Path) -> Configuration:
    a_site(folder)
    text = SITE.replace('schedule: {{at: "07:00"}}', STREAMS, 1)
    file = folder / "schedules.yaml"
    file.write_text(text.format(url="http://127.0.0.1:8025", sources="{}"), encoding="utf-8")
    return load(file, {}, keys=SiteKeys.of_one(b"k" * 32))


@pytest.fixture
async def reading(store: Store, tmp_path: Path) -> AsyncIterator[Visit]:
    (ann_id,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    ann = store.read(subscribers.by_id, ann_id)
    assert ann is not None
    configuration = a_site_with_streams(tmp_path)
    async with served(configuration, store) as base, aiohttp.ClientSession() as client:
        yield Visit(base, store, configuration, ann, client)


async def page_of(reading: Visit) -> lxml.html.HtmlElement:
    async with reading.client.get(reading.links.preferences(reading.ann.id, reading.ann.secret)) as response:
        return lxml.html.fromstring(await response.text())


async def test_a_frequency_is_chosen_saved_shown_again_and_written_down_as_a_move(reading: Visit) -> None:
    form = await opened(reading)
    assert ("stream:daily", "each") in form
    assert not [name for name, _ in form if name == "stream:weekly"], "one frequency alone is no choice"
    page = await sent(reading, changed(form, stream__daily="weekly"))
    assert "The Daily Example will come the way you chose." in page
    assert held(reading, "daily").stream is Stream.WEEKLY
    again = await opened(reading)
    assert ("stream:daily", "weekly") in again
    assert not [name for name, _ in again if name == "hour:daily"], "the weekly comes at one hour for all"
    [moved] = reading.store.read(of_readers, "daily", [reading.ann.id], NOW.replace(year=2000))[reading.ann.id]
    assert moved.place == (Stream.EACH, "", "")
    entries = reading.store.read(consents.history, reading.ann.id)
    assert [one.detail for one in entries if one.action is ConsentAction.CHANGED] == ["stream"]


async def test_the_page_says_when_each_frequency_comes(reading: Visit) -> None:
    labels = [
        " ".join(label.text_content().split())
        for label in (await page_of(reading)).iter("label")
        if label.xpath('input[@name="stream:daily"]')
    ]
    assert labels == [
        "Every edition Every day at 7:00 AM",
        "Once a week, a round-up Sunday at 9:00 AM",
        "Breaking news only When there is some",
    ]


async def test_saving_the_page_as_it_came_moves_nobody(reading: Visit) -> None:
    assert "Nothing had changed" in await sent(reading, await opened(reading))
    assert reading.store.read(lambda connection: connection.execute(tables.moves.select()).all()) == []


async def test_an_hour_that_the_new_frequency_does_not_have_is_not_taken_up(reading: Visit) -> None:
    await sent(reading, changed(await opened(reading), stream__daily="weekly", hour__daily="18:00"))
    assert (held(reading, "daily").stream, held(reading, "daily").hour) == (Stream.WEEKLY, "")


async def test_a_frequency_that_is_not_offered_is_refused_beside_its_field(reading: Visit) -> None:
    page = await sent(reading, changed(await opened(reading), stream__daily="daily"), status=422)
    assert "Choose one of these." in page
    assert held(reading, "daily").stream is Stream.EACH
