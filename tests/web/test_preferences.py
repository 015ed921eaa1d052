"""The preferences page as a browser without JavaScript drives it: read the form, change a field, send it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import lxml.html

from newsletter.members import consent
from newsletter.members.consent import Evidence, Pause, PreferenceChange
from newsletter.model import (
    ConsentAction,
    ConsentChannel,
    DeliveryState,
    MailFormat,
    Subscription,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.store import audit, consents, subscribers, subscriptions, suppressions
from tests.builders import NOW
from tests.support.ledger import add_delivery, dump, move
from tests.web.conftest import Visit

Form = list[tuple[str, str]]
HOW = Evidence(ConsentChannel.CLI, NOW)


async def opened(visit: Visit) -> Form:
    """The fields of the page's first form, as a browser would send them."""
    async with visit.client.get(visit.preferences()) as response:
        assert response.status == 200
        return fields_of(await response.text())


def fields_of(page: str) -> Form:
    return [(name, value) for name, value in forms_of(page)[0].form_values()]


def forms_of(page: str) -> Sequence[Any]:
    forms: Sequence[Any] = lxml.html.fromstring(page).forms  # type: ignore[attr-defined]
    return forms


def changed(form: Form, **fields: str) -> Form:
    """``form`` with fields replaced; names with ``__`` for ``:``."""
    wanted = {name.replace("__", ":"): value for name, value in fields.items()}
    assert wanted.keys() <= {name for name, _ in form}
    return [(name, wanted.get(name, value)) for name, value in form]


def without(form: Form, *left_out: tuple[str, str] | str) -> Form:
    return [pair for pair in form if pair not in left_out and pair[0] not in left_out]


async def sent(visit: Visit, form: Form, status: int = 200) -> str:
    async with visit.client.post(visit.preferences(), data=form) as response:
        page = await response.text()
        assert response.status == status, page
        return page


def held(visit: Visit, newsletter: str) -> Subscription:
    found = visit.store.read(subscriptions.one, visit.ann.id, newsletter)
    assert found is not None
    return found


async def test_saving_the_page_as_it_came_changes_nothing(visit: Visit) -> None:
    before = visit.store.read(dump)
    assert "Nothing had changed" in await sent(visit, await opened(visit))
    assert visit.store.read(dump) == before


async def test_a_newsletter_is_switched_off_and_on_again(visit: Visit) -> None:
    form = await opened(visit)
    page = await sent(visit, without(form, "on:daily"))
    assert "You will not get The Daily Example any more." in page
    assert visit.states() == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": SubscriptionState.ACTIVE}
    page = await sent(visit, [*fields_of(page), ("on:daily", "on")])
    assert "You will get The Daily Example from the next edition on." in page
    assert set(visit.states().values()) == {SubscriptionState.ACTIVE}


async def test_a_form_that_lacks_a_newsletter_never_switches_it_off(visit: Visit) -> None:
    form = [pair for pair in await opened(visit) if "daily" not in pair[0] and pair[1] != "daily"]
    await sent(visit, without(form, "on:weekly"))
    assert visit.states() == {"daily": SubscriptionState.ACTIVE, "weekly": SubscriptionState.UNSUBSCRIBED}
    for nothing in ([], [("on:daily", "on")], [("shown", "evening"), ("on:evening", "on")]):
        await sent(visit, nothing)
    assert visit.states() == {"daily": SubscriptionState.ACTIVE, "weekly": SubscriptionState.UNSUBSCRIBED}


async def test_a_page_left_open_does_not_bring_back_what_she_left_meanwhile(visit: Visit) -> None:
    form = await opened(visit)
    await visit.client.post(visit.unsubscribe())
    page = await sent(visit, changed(form, format__weekly="text"))
    assert "The Daily Example was switched off in the meantime, and stays off." in page
    assert visit.states()["daily"] is SubscriptionState.UNSUBSCRIBED
    assert held(visit, "weekly").format is MailFormat.TEXT


async def test_sections_are_chosen_and_ordered(visit: Visit) -> None:
    form = without(await opened(visit), ("section:daily", "World"))
    form = [
        ("place:daily:Sport & Games", "1") if name == "place:daily:Sport & Games" else (name, v) for name, v in form
    ]
    await sent(visit, form)
    assert held(visit, "daily").sections == ("Sport & Games", "National")
    page = await sent(visit, [*await opened(visit), ("section:daily", "World")])
    assert held(visit, "daily").sections == ("Sport & Games", "National", "World")
    restored = changed(fields_of(page), **{"place__daily__Sport & Games": "3", "place__daily__World": "2"})
    await sent(visit, changed(restored, place__daily__National="1"))
    assert held(visit, "daily").sections == ()


async def test_moving_one_section_to_another_ones_place_moves_it_there(visit: Visit) -> None:
    await sent(visit, changed(await opened(visit), place__daily__World="1"))
    assert held(visit, "daily").sections == ("World", "National", "Sport & Games")
    await sent(visit, changed(await opened(visit), place__daily__World="3"))
    assert held(visit, "daily").sections == ("National", "Sport & Games", "World")


async def test_a_pause_lasts_until_the_morning_of_that_day_at_the_newsletters_home(visit: Visit) -> None:
    page = await sent(visit, changed(await opened(visit), pause__daily="2026-12-01"))
    assert "The Daily Example is paused until December 1, 2026." in page
    assert held(visit, "daily").paused_until == datetime(2026, 11, 30, 18, 30, tzinfo=UTC)
    assert "Paused until December 1, 2026." in page
    assert dict(await opened(visit))["pause:daily"] == "2026-12-01"
    await sent(visit, changed(await opened(visit), pause__daily=""))
    assert held(visit, "daily").paused_until is None


async def test_a_pause_lasts_until_the_morning_of_that_day_on_her_own_clock(visit: Visit) -> None:
    visit.store.write(subscribers.live_in, visit.ann.id, "Pacific/Auckland", NOW)
    page = await sent(visit, changed(await opened(visit), pause__daily="2026-12-01"))
    assert "The Daily Example is paused until December 1, 2026." in page
    assert held(visit, "daily").paused_until == datetime(2026, 11, 30, 11, tzinfo=UTC)
    assert dict(await opened(visit))["pause:daily"] == "2026-12-01"


async def test_who_moves_keeps_a_pause_that_she_leaves_as_it_is(visit: Visit) -> None:
    for zone, shown in (("Pacific/Kiritimati", "2026-11-25"), ("Pacific/Honolulu", "2026-11-24")):
        visit.store.write(subscribers.live_in, visit.ann.id, zone, NOW)
        if not held(visit, "daily").paused_until:
            await sent(visit, changed(await opened(visit), pause__daily=shown))
        assert dict(await opened(visit))["pause:daily"] == shown
        assert "Nothing had changed" in await sent(visit, await opened(visit))
        assert held(visit, "daily").paused_until == datetime(2026, 11, 24, 10, tzinfo=UTC)


async def test_a_pause_of_everything_lasts_until_the_morning_of_that_day_on_her_own_clock(visit: Visit) -> None:
    visit.store.write(subscribers.live_in, visit.ann.id, "America/New_York", NOW)
    page = await press(visit, "pause")
    assert "The Daily Example is paused until December 23, 2026." in page
    assert held(visit, "daily").paused_until == datetime(2026, 12, 23, 5, tzinfo=UTC)


async def test_a_pause_that_is_over_is_not_shown(visit: Visit) -> None:
    over = PreferenceChange("daily", pause=Pause(NOW - timedelta(days=1)))
    visit.store.write(consent.change_preferences, visit.ann.id, [over], HOW)
    assert dict(await opened(visit))["pause:daily"] == ""


async def test_errors_stand_beside_their_fields_keep_what_was_typed_and_save_nothing(visit: Visit) -> None:
    before = visit.store.read(dump)
    form = await opened(visit)
    wrong = changed(form, place__daily__World="first", pause__weekly="2026-11-01", format__weekly="text")
    page = await sent(visit, wrong, 422)
    tree: Any = lxml.html.fromstring(page)
    place, pause = (tree.xpath(f'//input[@name="{name}"]')[0] for name in ("place:daily:World", "pause:weekly"))
    for control, value, words in (
        (place, "first", "A place is a whole number from 1 to 99."),
        (pause, "2026-11-01", "Choose a day from November 24, 2026 to November 24, 2027."),
    ):
        assert control.get("value") == value
        assert control.get("aria-invalid") == "true"
        described = control.get("aria-describedby").split()[-1]
        assert tree.get_element_by_id(described).text_content() == words
    assert "2 things need another look" in tree.xpath('string(//*[@role="alert"])')
    assert dict(fields_of(page))["format:weekly"] == "text"
    assert visit.store.read(dump) == before


async def test_every_wrong_value_is_refused_in_words(visit: Visit) -> None:
    form = await opened(visit)
    values = {
        "place__daily__World": ["0", "100", "-1", "1.5", "٣", "9" * 5000, "\0"],
        "pause__daily": [
            "2026-11-23",
            "2030-01-01",
            "20261201",
            "2026-13-01",
            "tomorrow",
            "2026-W50-1",
            "\0",
            "0" * 99,
        ],
        "format__daily": ["pdf", "HTML", ""],
    }
    for name, wrong in values.items():
        for value in wrong:
            assert 'class="error"' in await sent(visit, changed(form, **{name: value}), 422)
    assert "Choose at least one section" in await sent(visit, without(form, "section:daily"), 422)
    assert "Choose at least one section" in await sent(
        visit, [*without(form, "section:daily"), ("section:daily", "Gossip")], 422
    )


async def test_unsubscribing_from_all_and_one_back(visit: Visit) -> None:
    async with visit.client.post(f"{visit.preferences()}/none") as response:
        page = await response.text()
        assert (response.status, "unsubscribed from everything" in page) == (200, True)
    assert set(visit.states().values()) == {SubscriptionState.UNSUBSCRIBED}
    assert "Unsubscribe from all" not in page
    address_hash = visit.store.read(subscribers.address_hashes, [visit.ann.id])[visit.ann.id]
    marketing = frozenset({SuppressionScope.MARKETING})
    assert visit.store.read(suppressions.scopes_of, [address_hash]) == {address_hash: marketing}
    await sent(visit, [*fields_of(page), ("on:weekly", "on")])
    assert visit.states() == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": SubscriptionState.ACTIVE}
    assert visit.store.read(suppressions.scopes_of, [address_hash]) == {}


async def test_no_control_is_shown_to_an_address_stopped_for_good(visit: Visit) -> None:
    visit.store.write(consent.suppress, visit.ann.id, SuppressionScope.ALL, "hard_bounce", HOW)
    async with visit.client.get(visit.preferences()) as response:
        page = await response.text()
    assert "No mail goes to this address" in page
    assert [form.action.rpartition("/")[2] for form in forms_of(page)] == ["data"]


async def test_only_controls_that_do_something_are_shown(visit: Visit) -> None:
    names = {name.partition(":")[0] for name, _ in await opened(visit)}
    assert names == {"shown", "was", "on", "settings", "section", "place", "format", "pause"}
    weekly = {name.partition(":")[0] for name, _ in await opened(visit) if "weekly" in name}
    assert weekly == {"was", "on", "settings", "format", "pause"}


async def test_a_newsletter_no_longer_published_can_be_switched_off(visit: Visit) -> None:
    visit.store.write(subscriptions.activate, visit.ann.id, "evening", NOW)
    await sent(visit, without(await opened(visit), "on:evening"))
    assert visit.states()["evening"] is SubscriptionState.UNSUBSCRIBED
    assert "evening" not in {value for _, value in await opened(visit)}


async def test_a_reader_of_nothing_is_told_so(visit: Visit) -> None:
    visit.store.write(subscribers.add_many, [subscribers.NewSubscriber("x@example.org", "h", "", b"x" * 32, NOW)])
    other = visit.store.read(subscribers.by_address, "x@example.org")
    assert other is not None
    async with visit.client.get(visit.links.preferences(other.id, other.secret)) as response:
        page = await response.text()
    assert "No newsletter goes to" in page
    assert "Unsubscribe from all" not in page
    assert "Going away?" not in page
    chosen = [*fields_of(page), ("on:weekly", "on")]
    async with visit.client.post(visit.links.preferences(other.id, other.secret), data=chosen) as response:
        assert "You will get The Weekend from the next edition on." in await response.text()
    (entry,) = visit.store.read(consents.history, other.id)
    assert (entry.action, entry.newsletter, entry.channel) == (
        ConsentAction.SUBSCRIBED,
        "weekly",
        ConsentChannel.PAGE,
    )
    assert re.fullmatch(r"preferences\.html/en/[0-9a-f]{8}", entry.wording)


async def test_broken_bodies_are_refused_and_change_nothing(visit: Visit) -> None:
    before = visit.store.read(dump)
    multipart = {"Content-Type": "multipart/form-data; boundary=x"}
    broken = [
        (b"--", multipart),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--", multipart),
        (b'--x\r\nContent-Disposition: form-data; name="shown"\r\n\r\nv', multipart),
        (b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nv\r\n--x--\r\n', multipart),
        (b'--x\r\nContent-Disposition: form-data; name="\xff\xfe"\r\n\r\n\xff\r\n--x--\r\n', multipart),
        (b"x", {"Content-Type": "multipart/form-data"}),
        (b"x", {"Content-Type": 'multipart/form-data; boundary="'}),
        (b"x", {"Content-Type": "multipart/form-data; boundary=x; charset=utf-99"}),
        (b"\xff\xfe%%%&==&;;", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"&".join(b"a=1" for _ in range(2000)), {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"{}", {"Content-Type": "application/json"}),
        (b"", {"Content-Type": "\xe9"}),
    ]
    for body, headers in broken:
        async with visit.client.post(visit.preferences(), data=body, headers=headers) as response:
            assert response.status in (200, 400), (body, response.status)
    assert visit.store.read(dump) == before


async def test_saving_waits_for_the_wire_when_something_was_withdrawn(visit: Visit) -> None:
    form = without(await opened(visit), "on:daily")
    delivery = await asyncio.to_thread(add_delivery, visit.store, visit.ann.id, DeliveryState.SENDING)
    saving = asyncio.create_task(sent(visit, form))
    while (await asyncio.to_thread(visit.states))["daily"] is not SubscriptionState.UNSUBSCRIBED:
        await asyncio.sleep(0)
    assert not saving.done()
    await asyncio.to_thread(move, visit.store, delivery, DeliveryState.SENT)
    await saving


async def press(visit: Visit, button: str, *, status: int = 200, **fields: str) -> str:
    async with visit.client.post(f"{visit.preferences()}/{button}", data=fields) as response:
        page = await response.text()
        assert response.status == status, page
        return page


async def test_all_she_gets_is_paused_for_thirty_days_and_goes_on_again(visit: Visit) -> None:
    longer = PreferenceChange("weekly", pause=Pause(NOW + timedelta(days=90)))
    visit.store.write(consent.change_preferences, visit.ann.id, [longer], HOW)
    page = await press(visit, "pause")
    assert "The Daily Example is paused until December 23, 2026." in page
    assert held(visit, "daily").paused_until == datetime(2026, 12, 22, 18, 30, tzinfo=UTC)
    assert held(visit, "weekly").paused_until == NOW + timedelta(days=90)
    assert "All you get is paused." in page
    assert "Nothing had changed" in await press(visit, "pause")
    page = await press(visit, "resume")
    assert "The Daily Example is not paused any more." in page
    assert (held(visit, "daily").paused_until, held(visit, "weekly").paused_until) == (None, None)


async def test_she_takes_all_that_is_kept_about_her_and_nobody_elses(visit: Visit) -> None:
    await asyncio.to_thread(add_delivery, visit.store, visit.ann.id, DeliveryState.SENT)
    await sent(visit, without(await opened(visit), "on:weekly"))
    async with visit.client.post(f"{visit.preferences()}/data") as response:
        assert response.headers["Content-Disposition"] == 'attachment; filename="my-newsletters.json"'
        assert (response.headers["Cache-Control"], "noindex" in response.headers["X-Robots-Tag"]) == ("no-store", True)
        text = await response.text()
    data = json.loads(text)
    assert data["reader"]["address"] == visit.ann.address
    assert {one["newsletter"]: one["state"] for one in data["subscriptions"]} == {
        "daily": "active",
        "weekly": "unsubscribed",
    }
    (agreed,) = data["consents"]
    assert (agreed["action"], agreed["client"], agreed["at"]) == (
        "unsubscribed",
        "127.0.0.0/24",
        "2026-11-23T06:00:00Z",
    )
    (delivery,) = data["deliveries"]
    assert (delivery["edition"], delivery["answer"]) == ("2026-11-23/1", "550 reader00001@readers.example unknown")
    assert "reader00002" not in text
    assert visit.ann.secret.hex() not in text
    assert visit.preferences().rpartition("/")[2] not in text


async def test_a_scanner_gets_no_copy_of_what_is_kept(visit: Visit) -> None:
    async with visit.client.get(f"{visit.preferences()}/data", allow_redirects=False) as response:
        assert (response.status, visit.ann.address in await response.text()) == (303, False)


async def test_erasing_asks_once_more_and_then_keeps_nothing(visit: Visit) -> None:
    before = visit.store.read(dump)
    async with visit.client.get(f"{visit.preferences()}/erase") as response:
        assert (response.status, "Erase everything about you?" in await response.text()) == (200, True)
    assert "nothing was erased" in await press(visit, "erase", status=422)
    assert visit.store.read(dump) == before
    page = await press(visit, "erase", sure="yes")
    assert "You are erased" in page
    assert visit.ann.address not in visit.store.read(dump)
    acts = visit.store.read(audit.listing)
    assert [(act.actor, act.action, act.subject) for act in acts] == [("reader", "erase", f"subscriber/{visit.ann.id}")]
    async with visit.client.get(visit.preferences()) as response:
        assert response.status == 404


async def test_a_form_that_another_site_sends_is_refused_but_for_one_click(visit: Visit) -> None:
    before = visit.store.read(dump)
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    again = f"{visit.unsubscribe()}/again"
    for path in (
        *(f"{visit.preferences()}{one}" for one in ("", "/none", "/pause", "/resume", "/data", "/erase")),
        again,
    ):
        async with visit.client.post(path, data={"sure": "yes"}, headers=elsewhere) as response:
            assert (response.status, "another site" in await response.text()) == (403, True), path
    assert visit.store.read(dump) == before
    async with visit.client.post(visit.unsubscribe(), headers=elsewhere) as response:
        assert response.status == 200
