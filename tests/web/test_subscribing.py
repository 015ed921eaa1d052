"""The sign-up page: one mail confirms all that was chosen, and no answer tells who reads the paper."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.members.links import Links
from newsletter.model import (
    ConsentAction,
    ConsentChannel,
    MailedPurpose,
    SubscriptionState,
    SuppressionScope,
    SystemMail,
)
from newsletter.store import Store, consents, subscribers
from tests.builders import NOW, add_subscribers
from tests.support.ledger import dump
from tests.web.sign_up_site import Queued, Site, signing_up

ANN = "ann@readers.example"
ACTIVE, PENDING = SubscriptionState.ACTIVE, SubscriptionState.PENDING
HOW = Evidence(ConsentChannel.CLI, NOW)


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    async with signing_up(store, tmp_path) as made:
        yield made


async def test_the_page_offers_each_listed_newsletter_with_its_frequency_and_picture(
    store: Store, tmp_path: Path
) -> None:
    async with signing_up(store, tmp_path, listed=["daily"]) as site:
        status, page = await site.get("/subscribe?newsletter=daily")
        assert status == 200
        assert "The day&#39;s news from every desk" in page
        assert "Every day at 7:00" in page
        assert 'value="daily" checked' in page
        assert "The Weekend" not in page
        picture = re.search(r'<img src="([^"]+)"', page)
        assert picture is not None
        async with site.client.get(site.base + picture[1].replace("&amp;", "&")) as response:
            assert (response.status, response.content_type) == (200, "image/svg+xml")
            assert "The Daily Example" in re.sub(r"<[^>]+>\s*", " ", await response.text())
        assert (await site.get("/subscribe/pictures/weekly"))[0] == 404
        async with site.client.get(f"{site.base}/subscribe") as response:
            assert response.headers["X-Robots-Tag"] == "all"


async def test_one_mail_confirms_all_that_was_chosen_and_its_link_works_once(site: Site) -> None:
    status, page = await site.sign_up(ANN, "weekly", "daily")
    assert (status, "Look into your mailbox" in page) == (200, True)
    assert site.states(ANN) == {"daily": PENDING, "weekly": PENDING}
    [mail] = site.outbox()
    assert (mail.mail, mail.to, mail.newsletters) == (SystemMail.CONFIRM, ANN, ("daily", "weekly"))
    link = site.link(MailedPurpose.CONFIRM)
    before = site.store.read(dump)
    status, page = await site.get(link)
    assert (status, "The Weekend" in page, site.store.read(dump) == before) == (200, True, True)
    status, page = await site.post(link)
    assert (status, "You are subscribed" in page) == (200, True)
    assert site.states(ANN) == {"daily": ACTIVE, "weekly": ACTIVE}
    assert [one.mail for one in site.outbox()] == [SystemMail.CONFIRM, SystemMail.WELCOME]
    assert site.outbox()[1].newsletters == ("daily", "weekly")
    for again in (await site.post(link), await site.get(link)):
        assert (again[0], "That is done already" in again[1]) == (410, True)
    assert len(site.outbox()) == 2
    told = site.store.read(consents.history, site.person(ANN).id)
    assert [one.action for one in told] == [*[ConsentAction.SUBSCRIBED] * 2, *[ConsentAction.CONFIRMED] * 2]
    assert {one.client for one in told} == {"127.0.0.0/24"}
    assert {one.wording.partition("/")[0] for one in told} == {"subscribe.html", "confirm.html"}
    assert {one.channel for one in told} == {ConsentChannel.FORM, ConsentChannel.PAGE}


async def test_a_link_to_confirm_is_good_for_its_time_alone(site: Site) -> None:
    await site.sign_up(ANN, "daily")
    link = site.link(MailedPurpose.CONFIRM)
    site.later(timedelta(days=8))
    for status, page in (await site.get(link), await site.post(link)):
        assert (status, "This link is too old" in page) == (410, True)
    assert site.states(ANN) == {"daily": PENDING}


async def test_a_known_an_unknown_and_a_suppressed_address_are_answered_alike(site: Site) -> None:
    (reader,) = add_subscribers(site.store, 1, newsletters=("daily", "weekly"))
    add_subscribers(site.store, 1, first=2)
    gone = site.store.read(subscribers.by_address, "reader00002@readers.example")
    assert gone is not None
    site.store.write(consent.suppress, gone.id, SuppressionScope.ALL, "hard_bounce", HOW)
    answers = {await site.sign_up(f"reader0000{n}@readers.example", "daily") for n in (1, 2, 3)}
    assert len(answers) == 1
    assert [(one.mail, one.to) for one in site.outbox()] == [
        (SystemMail.ALREADY, "reader00001@readers.example"),
        (SystemMail.CONFIRM, "reader00002@readers.example"),
        (SystemMail.CONFIRM, "reader00003@readers.example"),
    ]
    assert reader


async def test_what_is_wrong_is_marked_and_what_was_right_is_kept(site: Site) -> None:
    status, page = await site.sign_up("ann@@nowhere")
    assert status == 422
    assert "2 things need another look" in page
    assert 'value="ann@@nowhere"' in page
    assert (page.count("aria-invalid"), page.count('class="error"')) == (1, 2)
    status, page = await site.sign_up("ann@nowhere", "weekly")
    assert (status, 'value="weekly" checked' in page) == (422, True)
    assert (await site.sign_up(ANN, "nothing"))[0] == 422
    assert site.outbox() == []


async def test_who_fills_it_in_faster_than_a_person_presses_once_more(site: Site) -> None:
    fields = [("address", ANN), ("newsletter", "daily")]
    _, form = await site.get("/subscribe")
    stamp = re.search(r'name="stamp" value="([^"]+)"', form)
    assert stamp is not None
    for stamped in (stamp[1], "1.AAAAAAAAAAAAAAAAAAAAAA", ""):
        status, page = await site.post("/subscribe", ("stamp", stamped), *fields)
        assert (status, "press the button once more" in page, f'value="{ANN}"' in page) == (200, True, True)
    assert site.outbox() == []
    site.later(timedelta(seconds=1))
    _, page = await site.post("/subscribe", ("stamp", stamp[1]), *fields)
    assert f'value="{stamp[1]}"' in page, "who was too fast need not begin to wait anew"
    site.later(timedelta(seconds=1))
    assert "Look into your mailbox" in (await site.post("/subscribe", ("stamp", stamp[1]), *fields))[1]
    assert len(site.outbox()) == 1
    site.later(timedelta(days=2))
    assert "once more" in (await site.post("/subscribe", ("stamp", stamp[1]), *fields))[1]


async def test_a_program_that_fills_in_every_field_is_told_what_everybody_is_and_nothing_is_kept(site: Site) -> None:
    person = await site.sign_up("bob@readers.example", "daily")
    before = site.store.read(dump)
    assert await site.sign_up("bot@readers.example", "daily", more=[("website", "http://spam.example")]) == person
    assert site.store.read(dump) == before


async def test_the_publishers_own_pages_may_hold_the_form_and_no_others(store: Store, tmp_path: Path) -> None:
    fields = [("address", ANN), ("newsletter", "daily")]
    async with signing_up(store, tmp_path, embed_on=["https://shop.example/"]) as site:
        for origin, begun in (("https://evil.example", 0), ("https://news.example", 1), ("https://shop.example", 2)):
            status, page = await site.post("/subscribe", *fields, Origin=origin, Sec_Fetch_Site="cross-site")
            assert (status, "Look into your mailbox" in page) == (200, bool(begun))
            assert len(site.outbox()) == begun


async def test_without_double_opt_in_the_form_is_enough_but_not_for_who_left_nor_for_an_office(
    store: Store, tmp_path: Path
) -> None:
    async with signing_up(store, tmp_path, single=["weekly"]) as site:
        await site.sign_up(ANN, "daily", "weekly")
        assert site.states(ANN) == {"daily": PENDING, "weekly": ACTIVE}
        assert [(one.mail, one.newsletters) for one in site.outbox()] == [
            (SystemMail.WELCOME, ("weekly",)),
            (SystemMail.CONFIRM, ("daily",)),
        ]
        store.write(consent.unsubscribe, site.person(ANN).id, "weekly", HOW)
        await site.sign_up(ANN, "weekly")
        assert site.states(ANN)["weekly"] is not ACTIVE
        await site.sign_up("info+news@readers.example", "weekly")
        assert site.states("info+news@readers.example") == {"weekly": PENDING}


async def test_offices_are_refused_where_the_site_says_so(store: Store, tmp_path: Path) -> None:
    async with signing_up(store, tmp_path, role_addresses="refuse") as site:
        status, page = await site.sign_up("Info@readers.example", "daily")
        assert (status, "the address of an office" in page) == (422, True)
        assert site.outbox() == []


async def test_addresses_of_every_script_are_taken_and_tags_are_kept(site: Site) -> None:
    for typed, kept in (
        ("Ann+News@Readers.Example", "ann+news@readers.example"),
        ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ("पाठक@readers.example", "पाठक@readers.example"),
    ):
        assert (await site.sign_up(typed, "daily"))[0] == 200
        assert site.outbox()[-1].to == kept


async def test_one_address_gets_a_few_mails_an_hour_whoever_asks_and_however_it_is_tagged(site: Site) -> None:
    answers = {await site.sign_up(f"ann+{n}@readers.example", "daily") for n in range(6)}
    assert len(answers) == 1
    assert len(site.outbox()) == 4
    site.later(timedelta(minutes=16))
    await site.sign_up("ann+7@readers.example", "daily")
    assert len(site.outbox()) == 5


async def test_a_network_that_asks_too_often_is_told_when_to_come_back(store: Store, tmp_path: Path) -> None:
    async with signing_up(store, tmp_path, requests_per_client=3) as site:
        statuses = [(await site.sign_up(f"ann{n}@readers.example", "daily"))[0] for n in range(4)]
        assert statuses == [200, 200, 200, 429]
        assert len(site.outbox()) == 3
        site.later(timedelta(minutes=20))
        assert (await site.sign_up("ann9@readers.example", "daily"))[0] == 200


async def test_a_fresh_double_opt_in_lifts_unsubscribe_all_and_brings_back_only_what_it_names(site: Site) -> None:
    (reader,) = add_subscribers(site.store, 1, newsletters=("daily", "weekly"))
    address = "reader00001@readers.example"
    site.store.write(consent.unsubscribe_all, reader, HOW)
    await site.sign_up(address, "weekly")
    assert site.outbox() == [Queued(SystemMail.CONFIRM, site.outbox()[0].event, address, ("weekly",))]
    await site.post(site.link(MailedPurpose.CONFIRM))
    assert site.states(address) == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": ACTIVE}


async def test_who_was_erased_comes_back_as_somebody_new(site: Site) -> None:
    add_subscribers(site.store, 1)
    address = "reader00001@readers.example"
    before = site.person(address).id
    site.store.write(consent.erase, before, b"n" * 32, HOW)
    await site.sign_up(address, "daily")
    assert (await site.post(site.link(MailedPurpose.CONFIRM)))[0] == 200
    assert site.person(address).id != before
    assert site.states(address) == {"daily": ACTIVE}


async def test_a_bounced_address_is_told_so_where_only_its_owner_sees_it(site: Site) -> None:
    (reader,) = add_subscribers(site.store, 1, newsletters=("weekly",))
    site.store.write(consent.suppress, reader, SuppressionScope.ALL, "hard_bounce", HOW)
    await site.sign_up("reader00001@readers.example", "daily")
    status, page = await site.post(site.link(MailedPurpose.CONFIRM))
    assert (status, "We cannot send mail to you" in page) == (409, True)
    assert site.states("reader00001@readers.example")["daily"] is not ACTIVE


async def test_a_link_in_a_mail_takes_one_more_newsletter_with_a_press(site: Site) -> None:
    (reader,) = add_subscribers(site.store, 1)
    ann = site.person("reader00001@readers.example")
    link = Links("").subscribe(reader, ann.secret, "weekly")
    before = site.store.read(dump)
    for _ in range(2):
        status, page = await site.get(link)
        assert (status, "Subscribe to The Weekend?" in page) == (200, True)
    assert site.store.read(dump) == before
    assert (await site.post(link, Sec_Fetch_Site="cross-site"))[0] == 403
    status, page = await site.post(link)
    assert (status, "You are subscribed" in page) == (200, True)
    assert site.states(ann.address) == {"daily": ACTIVE, "weekly": ACTIVE}
    assert [(one.mail, one.newsletters) for one in site.outbox()] == [(SystemMail.WELCOME, ("weekly",))]
    assert "You are subscribed" in (await site.post(link))[1]
    assert len(site.outbox()) == 1
    swapped = Links("").subscribe(reader, ann.secret, "daily").replace("/daily/", "/weekly/")
    assert [(await site.get(swapped))[0], (await site.post(swapped))[0]] == [404, 404]
