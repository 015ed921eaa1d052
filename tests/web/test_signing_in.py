"""Signing in without a password: a mail with a link, a page with a button, a session that leads to her preferences."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest

from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.model import ConsentChannel, MailedPurpose, SystemMail
from newsletter.store import Store
from newsletter.web.signing_in import COOKIE
from tests.builders import NOW, add_subscribers
from tests.support.ledger import dump
from tests.web.sign_up_site import Site, signing_up

READER = "reader00001@readers.example"


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    async with signing_up(store, tmp_path) as made:
        add_subscribers(store, 1)
        yield made


async def session_of(site: Site, link: str) -> SimpleCookie:
    async with site.client.post(site.base + link, allow_redirects=False) as response:
        assert response.status == 303
        assert response.headers["Location"].startswith("/p/")
        return SimpleCookie(response.headers["Set-Cookie"])


async def test_a_known_and_an_unknown_address_are_answered_alike_and_one_gets_a_mail(site: Site) -> None:
    answers = {await site.post("/sign-in", ("address", f"reader0000{n}@readers.example")) for n in (1, 2)}
    assert len(answers) == 1
    assert [status for status, _ in answers] == [200]
    assert [(one.mail, one.to) for one in site.outbox()] == [(SystemMail.SIGN_IN, READER)]
    assert (await site.post("/sign-in", ("address", "reader")))[0] == 422


async def test_opening_the_link_changes_nothing_and_the_button_spends_it(site: Site) -> None:
    await site.post("/sign-in", ("address", READER))
    link = site.link(MailedPurpose.SIGN_IN)
    before = site.store.read(dump)
    for _ in range(3):
        assert (await site.get(link))[0] == 200
    assert site.store.read(dump) == before
    assert (await site.post(link, Sec_Fetch_Site="cross-site"))[0] == 403
    cookie = (await session_of(site, link))[COOKIE]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")
    for status, page in (await site.post(link), await site.get(link)):
        assert (status, "This link works no more" in page) == (410, True)


async def test_a_link_works_for_half_an_hour(site: Site) -> None:
    await site.post("/sign-in", ("address", READER))
    link = site.link(MailedPurpose.SIGN_IN)
    site.later(timedelta(minutes=30))
    assert (await site.post(link))[0] == 410


async def test_a_link_to_sign_in_does_not_confirm_nor_the_other_way_round(site: Site) -> None:
    await site.post("/sign-in", ("address", READER))
    await site.sign_up(READER, "weekly")
    before = site.store.read(dump)
    for purpose, other in ((MailedPurpose.SIGN_IN, "/c/"), (MailedPurpose.CONFIRM, "/i/")):
        link = site.link(purpose)
        swapped = other + link.removeprefix(link[:3])
        assert [(await site.get(swapped))[0], (await site.post(swapped))[0]] == [404, 404]
    assert site.store.read(dump) == before


async def test_who_is_signed_in_is_led_to_her_preferences_until_she_leaves(site: Site) -> None:
    await site.post("/sign-in", ("address", READER))
    session = (await session_of(site, site.link(MailedPurpose.SIGN_IN)))[COOKIE].value

    async def page(value: str) -> str:
        async with site.client.get(f"{site.base}/sign-in", cookies={COOKIE: value}) as response:
            return await response.text()

    assert "You are signed in" in await page(session)
    assert 'href="/p/' in await page(session)
    for other in (session[:-1], session.swapcase(), "", "W10.x.y", f"x{session}"):
        assert "Send me the link" in await page(other), other
    async with site.client.post(f"{site.base}/sign-out", allow_redirects=False) as response:
        assert response.status == 303
        assert SimpleCookie(response.headers["Set-Cookie"])[COOKIE]["max-age"] == "0"
    site.store.write(consent.erase, site.person(READER).id, b"n" * 32, Evidence(ConsentChannel.CLI, NOW))
    assert "Send me the link" in await page(session)


async def test_unsubscribe_all_still_lets_her_sign_in(site: Site) -> None:
    site.store.write(consent.unsubscribe_all, site.person(READER).id, Evidence(ConsentChannel.CLI, NOW))
    await site.post("/sign-in", ("address", READER))
    assert [one.mail for one in site.outbox()] == [SystemMail.SIGN_IN]


async def test_links_to_sign_in_are_limited_per_address_and_per_network(store: Store, tmp_path: Path) -> None:
    async with signing_up(store, tmp_path, requests_per_client=6) as site:
        add_subscribers(store, 1)
        statuses = [(await site.post("/sign-in", ("address", READER)))[0] for _ in range(7)]
        assert statuses == [*[200] * 6, 429]
        assert len(site.outbox()) == 4
