"""The unsubscribe link: RFC 8058 in every form a mail program sends it, and nothing for anybody else."""

from __future__ import annotations

import asyncio
import random

import pytest
from yarl import URL

from newsletter.members import consent
from newsletter.members.consent import Evidence
from newsletter.model import ConsentChannel, DeliveryState, SubscriptionState, SuppressionScope
from newsletter.store import consents, subscriptions, tables
from tests.builders import NOW
from tests.support.ledger import add_delivery, dump, move
from tests.web.conftest import Visit

ONE_CLICK = {
    "the RFC's form": {"data": {"List-Unsubscribe": "One-Click"}},
    "the RFC's multipart form": {
        "data": b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n',
        "headers": {"Content-Type": "multipart/form-data; boundary=b"},
    },
    "an empty body": {"data": b""},
    "our own page's button": {"data": {"from": "page"}},
    "malformed multipart": {"data": b"--", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
    "multipart without a boundary": {"data": b"x", "headers": {"Content-Type": "multipart/form-data"}},
    "bytes that are no text": {"data": b"\xff\x00%zz&&==", "headers": {"Content-Type": "application/json"}},
}


async def test_get_and_head_change_no_row_in_any_table(visit: Visit) -> None:
    before = visit.store.read(dump)
    again = f"{visit.unsubscribe()}/again"
    nothing = f"{visit.preferences()}/none"
    for address in (visit.unsubscribe(), again, visit.preferences(), nothing, f"{visit.base}/health"):
        for _ in range(2):
            async with visit.client.get(address) as response:
                assert response.status == 200
            async with visit.client.head(address) as response:
                assert (response.status, await response.read()) == (200, b"")
    assert visit.store.read(dump) == before


@pytest.mark.parametrize("form", ONE_CLICK)
async def test_a_post_unsubscribes_whatever_its_body(visit: Visit, form: str) -> None:
    async with visit.client.post(visit.unsubscribe(), allow_redirects=False, **ONE_CLICK[form]) as response:  # type: ignore[arg-type]
        assert response.status == 200
        assert "Set-Cookie" not in response.headers
        assert "You are unsubscribed from The Daily Example" in await response.text()
    assert visit.states() == {"daily": SubscriptionState.UNSUBSCRIBED, "weekly": SubscriptionState.ACTIVE}
    (entry,) = visit.store.read(consents.history, visit.ann.id)
    by_hand = form not in ("the RFC's form", "an empty body")
    if form != "the RFC's multipart form":
        assert entry.channel is (ConsentChannel.PAGE if by_hand else ConsentChannel.ONE_CLICK)
    assert entry.client == "127.0.0.0/24"


async def test_unsubscribing_twice_says_the_same_and_writes_once(visit: Visit) -> None:
    pages = []
    for _ in range(2):
        async with visit.client.post(visit.unsubscribe()) as response:
            pages.append((response.status, await response.text()))
    assert pages[0] == pages[1]
    assert len(visit.store.read(consents.history, visit.ann.id)) == 1


async def test_the_page_after_an_unsubscribe_offers_the_way_back(visit: Visit) -> None:
    await visit.client.post(visit.unsubscribe())
    async with visit.client.get(visit.unsubscribe()) as response:
        page = await response.text()
    path = visit.unsubscribe().removeprefix(visit.base)
    assert "You do not receive The Daily Example" in page
    assert f'action="{path}/again"' in page
    async with visit.client.post(f"{visit.base}{path}/again") as response:
        assert (response.status, "subscribed to The Daily Example again" in await response.text()) == (200, True)
    assert visit.states()["daily"] is SubscriptionState.ACTIVE


async def test_an_address_stopped_for_good_cannot_be_subscribed_again(visit: Visit) -> None:
    how = Evidence(ConsentChannel.CLI, NOW)
    visit.store.write(consent.unsubscribe, visit.ann.id, "daily", how)
    visit.store.write(consent.suppress, visit.ann.id, SuppressionScope.ALL, "hard_bounce", how)
    async with visit.client.post(f"{visit.unsubscribe()}/again") as response:
        assert (response.status, "We cannot send mail to you" in await response.text()) == (409, True)
    assert visit.states()["daily"] is SubscriptionState.UNSUBSCRIBED


async def test_a_newsletter_no_longer_published_can_still_be_left_and_not_rejoined(visit: Visit) -> None:
    visit.store.write(subscriptions.activate, visit.ann.id, "evening", NOW)
    async with visit.client.post(visit.unsubscribe("evening")) as response:
        assert (response.status, "Subscribe again" in await response.text()) == (200, False)
    assert visit.states()["evening"] is SubscriptionState.UNSUBSCRIBED
    async with visit.client.post(f"{visit.unsubscribe('evening')}/again") as response:
        assert response.status == 404


async def test_a_thousand_forged_links_get_the_same_page_and_change_nothing(visit: Visit) -> None:
    chance = random.Random(8058)
    true = visit.unsubscribe().removeprefix(visit.base)
    *_, number, newsletter, token = true.split("/")
    preference_token = visit.preferences().rpartition("/")[2]
    weekly_token = visit.unsubscribe("weekly").rpartition("/")[2]
    crafted = [
        f"/u/{number}/{newsletter}/{preference_token}",
        f"/u/{number}/{newsletter}/{weekly_token}",
        f"/u/{int(number) + 1}/{newsletter}/{token}",
        f"/u/0{number}/{newsletter}/{token}",
        f"/u/{number}%20/{newsletter}/{token}",
        f"/u/99999999999999999999/{newsletter}/{token}",
        f"/u/9223372036854775808/{newsletter}/{token}",
        f"/u/-1/{newsletter}/{token}",
        f"/u/x/{newsletter}/{token}",
        f"/u/{number}/DAILY/{token}",
        f"/u/{number}/{newsletter}%00/{token}",
        f"/u/{number}/%E2%98%83/{token}",
        f"/u/{number}/{newsletter}/{token}/",
        f"/u/{number}/{newsletter}/{token}=",
        f"/u/{number}/{newsletter}/",
        f"/u/{number}/{newsletter}",
        "/u/",
        f"/p/{number}/{token}",
        f"/p/{number}/{preference_token[:-1]}",
        f"/e/daily/2026-11-01/1/{number}/{token}",
        f"/e/daily/yesterday/1/{number}/{token}",
        "/media/..%2Fschedules.yaml",
        "/nothing/of/ours",
    ]
    while len(crafted) < 1_000:
        altered = list(token)
        for _ in range(chance.randint(1, 4)):
            altered[chance.randrange(22)] = chance.choice("ABCabc012-_~.%25")[0]
        forged = "".join(altered)[: chance.choice((22, 22, 22, chance.randrange(1, 22)))].replace("%", "%25")
        if forged != token:
            crafted.append(f"/u/{number}/{newsletter}/{forged}{chance.choice(('', '', '/again'))}")
    before = visit.store.read(dump)
    answers = set()
    for position, path in enumerate(crafted):
        method = "POST" if position % 3 and path[:3] in ("/u/", "/p/") else "GET"
        async with visit.client.request(method, URL(visit.base + path, encoded=True)) as response:
            headers = {name: value for name, value in response.headers.items() if name != "Date"}
            answers.add((response.status, await response.text(), str(sorted(headers.items()))))
        if position % 250 == 0:
            async with visit.client.get(visit.unsubscribe()) as response:
                assert response.status == 200
    assert {status for status, _, _ in answers} == {404}
    assert len(answers) == 1
    assert visit.store.read(dump) == before


async def test_an_erased_readers_links_are_like_any_forged_one(visit: Visit) -> None:
    visit.store.write(consent.erase, visit.ann.id, b"n" * 32, Evidence(ConsentChannel.CLI, NOW))
    for address in (visit.unsubscribe(), visit.preferences()):
        async with visit.client.get(address) as response:
            assert response.status == 404
    fresh = visit.links.unsubscribe(visit.ann.id, b"n" * 32, "daily")
    async with visit.client.post(fresh) as response:
        assert response.status == 404


async def test_the_answer_waits_while_a_message_to_her_is_on_the_wire(visit: Visit) -> None:
    delivery = await asyncio.to_thread(add_delivery, visit.store, visit.ann.id, DeliveryState.SENDING)

    async def post() -> str:
        async with visit.client.post(visit.unsubscribe()) as response:
            assert response.status == 200
            return await response.text()

    answer = asyncio.create_task(post())
    while (await asyncio.to_thread(visit.states))["daily"] is not SubscriptionState.UNSUBSCRIBED:
        await asyncio.sleep(0)
    revoked = await visit.store.read_async(lambda c: c.execute(tables.revocations.select()).all())
    assert len(revoked) == 1
    assert not answer.done()
    await asyncio.to_thread(move, visit.store, delivery, DeliveryState.SENT)
    assert "already on its way" not in await answer


async def test_after_a_second_on_the_wire_the_answer_says_that_one_may_still_come(visit: Visit) -> None:
    await asyncio.to_thread(add_delivery, visit.store, visit.ann.id, DeliveryState.SENDING)
    async with visit.client.post(visit.unsubscribe()) as response:
        assert (response.status, "already on its way" in await response.text()) == (200, True)
    assert visit.states()["daily"] is SubscriptionState.UNSUBSCRIBED
