"""The hour and the time zone on the preferences page: there only where they count, saved, and refused where unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import lxml.html
import pytest

from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.model import ConsentAction
from newsletter.store import Store, consents, subscribers, subscriptions, tables
from tests.builders import NOW, add_subscribers
from tests.support.web_server import SITE, a_site, served
from tests.web.conftest import Visit
from tests.web.test_preferences import changed, held, opened, sent

BY_READER = 'schedule: {{deliver_at: "07:00 subscriber", hours: ["12:30", "18:00"]}}'


def a_site_with_hours(folder: Path) -> Configuration:
    a_site(folder)
    text = SITE.replace('schedule: {{at: "07:00"}}', BY_READER)
    file = folder / "schedules.yaml"
    file.write_text(text.format(url="http://127.0.0.1:8025", sources="{}"), encoding="utf-8")
    return load(file, {}, keys=SiteKeys.of_one(b"k" * 32))


@pytest.fixture
async def reading(store: Store, tmp_path: Path) -> AsyncIterator[Visit]:
    (ann_id,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    ann = store.read(subscribers.by_id, ann_id)
    assert ann is not None
    configuration = a_site_with_hours(tmp_path)
    async with served(configuration, store) as base, aiohttp.ClientSession() as client:
        yield Visit(base, store, configuration, ann, client)


def options(page: str, name: str) -> list[str]:
    wanted = [select for select in lxml.html.fromstring(page).iter("select") if select.get("name") == name]
    return [str(option.get("value")) for select in wanted for option in select.iter("option")]


async def test_an_hour_and_a_zone_are_chosen_saved_and_shown_again(reading: Visit) -> None:
    form = await opened(reading)
    assert ("hour:daily", "07:00") in form
    page = await sent(reading, changed(form, hour__daily="18:00", timezone="America/New_York"))
    assert "The Daily Example will come the way you chose." in page
    assert "comes by this clock from now on" in page
    assert held(reading, "daily").hour == "18:00"
    person = reading.store.read(subscribers.by_id, reading.ann.id)
    assert person is not None
    assert person.timezone == "America/New_York"
    again = await opened(reading)
    assert ("hour:daily", "18:00") in again
    assert ("timezone", "America/New_York") in again
    entries = reading.store.read(consents.history, reading.ann.id)
    assert [one.detail for one in entries if one.action is ConsentAction.CHANGED] == ["hour", "timezone"]


async def test_saving_the_page_as_it_came_moves_nobody(reading: Visit) -> None:
    page = await sent(reading, await opened(reading))
    assert "Nothing had changed" in page
    moves = reading.store.read(lambda connection: connection.execute(tables.moves.select()).all())
    assert moves == []


async def test_the_newsletters_own_hour_is_stored_as_no_choice(reading: Visit) -> None:
    await sent(reading, changed(await opened(reading), hour__daily="12:30"))
    await sent(reading, changed(await opened(reading), hour__daily="07:00"))
    assert held(reading, "daily").hour == "", "and another hour of the newsletter's comes to her too"


async def test_what_is_not_offered_is_refused_beside_its_field_and_nothing_is_saved(reading: Visit) -> None:
    form = changed(await opened(reading), hour__daily="03:15", timezone="Mars/Phobos")
    page = await sent(reading, form, status=422)
    assert "Choose one of these times." in page
    assert "Choose one of these time zones." in page
    assert held(reading, "daily").hour == ""


async def test_the_hours_stand_in_order_and_the_zones_are_places(reading: Visit) -> None:
    async with reading.client.get(reading.preferences()) as response:
        page = await response.text()
    assert options(page, "hour:daily") == ["07:00", "12:30", "18:00"]
    zones = options(page, "timezone")
    assert zones[0] == ""
    assert "Asia/Kolkata" in zones
    assert not {"EST", "GMT+1", "Etc/GMT-3"} & set(zones)
    assert options(page, "hour:weekly") == [], "one time for all: nothing to choose"


async def test_where_nothing_goes_by_her_clock_it_is_not_asked(reading: Visit) -> None:
    reading.store.write(subscriptions.unsubscribe, reading.ann.id, "daily", NOW)
    async with reading.client.get(reading.preferences()) as response:
        assert options(await response.text(), "timezone") == []
