"""Ten thousand forged links, of every purpose: one plain answer whatever is wrong, and the true ones work all along."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from yarl import URL

from newsletter.model import MailedPurpose, Occurrence, StreamName
from newsletter.store import mailed_links, subscribers, tables
from tests.builders import NOW, add_subscribers
from tests.support.ledger import dump
from tests.web.conftest import Visit

SAMPLE, ALL = 500, 10_000
BATCH = 100
SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ODD = ("%00", "%0D%0A", "%2F", "%2e%2e", "%C3%A9", "%FF", "+", "=", "~", " ", "%25", "'", '"', "<", "{{", "\u0660")


def true_links(visit: Visit, number: int, secret: bytes) -> dict[str, tuple[str, str]]:
    """Each kind of link of one reader: its path up to the token, and the token."""
    made = {
        "unsubscribe": visit.links.unsubscribe(number, secret, "daily"),
        "unsubscribe weekly": visit.links.unsubscribe(number, secret, "weekly"),
        "preferences": visit.links.preferences(number, secret),
        "edition": visit.links.browser(number, secret, StreamName("daily"), Occurrence(date(2026, 11, 1), 1)),
        "one more": visit.links.subscribe(number, secret, "weekly"),
        **mailed(visit, number, secret),
    }
    split = {kind: link.removeprefix(visit.base).rpartition("/") for kind, link in made.items()}
    return {kind: (before, token) for kind, (before, _, token) in split.items()}


def mailed(visit: Visit, number: int, secret: bytes) -> dict[str, str]:
    """Her links that can be spent once, made at the first call."""
    until = NOW + timedelta(days=1)

    def one(purpose: MailedPurpose) -> int:
        row = tables.mailed_links
        query = select(row.c.id).where(row.c.subscriber_id == number, row.c.purpose == purpose.value)
        found = visit.store.read(lambda connection: connection.execute(query).scalar())
        return found or visit.store.write(mailed_links.add, purpose, number, ["daily"], NOW, until)

    return {
        "confirm": visit.links.confirm(one(MailedPurpose.CONFIRM), secret),
        "sign in": visit.links.sign_in(one(MailedPurpose.SIGN_IN), secret),
    }


def forged(dice: random.Random, hers: dict[str, tuple[str, str]], other: dict[str, tuple[str, str]]) -> Iterator[str]:
    """Paths without end, none of them true: altered, cut, lengthened, swapped, and replayed for somebody else."""
    true = {f"{before}/{token}" for links in (hers, other) for before, token in links.values()}
    ends = {
        "unsubscribe": ("", "/again"),
        "unsubscribe weekly": ("", "/again"),
        "preferences": ("", "/none", "/pause", "/resume", "/data", "/erase"),
        "edition": ("",),
        "one more": ("",),
        "confirm": ("",),
        "sign in": ("",),
    }
    while True:
        kind = dice.choice(list(hers))
        before, token = hers[kind]
        match dice.randrange(9):
            case 0:  # one character more or less alike: case, a neighbour, any
                place = dice.randrange(len(token))
                token = token[:place] + dice.choice([token[place].swapcase(), *SAFE]) + token[place + 1 :]
            case 1:  # the last one, which holds bits that decoding would throw away
                token = token[:-1] + dice.choice(SAFE)
            case 2:
                token = token[: dice.randrange(len(token))]
            case 3:
                token += dice.choice((*SAFE, *ODD))
            case 4:
                place = dice.randrange(len(token))
                token = token[:place] + dice.choice(ODD) + token[place + 1 :]
            case 5:  # replayed for another purpose
                _, token = hers[dice.choice([one for one in hers if one != kind])]
            case 6:  # replayed by another reader, or for one
                token = other[kind][1]
            case 7:  # another number, or one written otherwise
                number = before.split("/")[2 if kind != "edition" else -1]
                changed = dice.choice(
                    (f"0{number}", f"{number}.0", f"-{number}", f"{int(number) + 2**63}", f"{number}%20", "9" * 30, "0")
                )
                before = before.replace(f"/{number}", f"/{changed}", 1) if kind != "edition" else before + changed
            case _:
                token = "".join(dice.choices(SAFE, k=22))
        if f"{before}/{token}" not in true and token:
            yield f"{before}/{token}{dice.choice(ends[kind])}"


async def all_refused(visit: Visit, how_many: int) -> None:
    dice = random.Random(f"{visit.store.is_sqlite}{how_many}")
    (second,) = add_subscribers(visit.store, 1, first=7, newsletters=("daily", "weekly"))
    bob = visit.store.read(subscribers.by_id, second)
    assert bob is not None
    hers, other = (true_links(visit, one.id, one.secret) for one in (visit.ann, bob))
    before = visit.store.read(dump)
    answers: dict[tuple[int, str, str], str] = {}
    paths = forged(dice, hers, other)
    for done in range(how_many):
        path = next(paths)
        method = dice.choice(("GET", "POST", "POST")) if not path.startswith("/e/") else "GET"
        async with visit.client.request(
            method, URL(visit.base + path, encoded="%" in path), data={"sure": "yes"} if method == "POST" else None
        ) as response:
            headers = {name: value for name, value in response.headers.items() if name != "Date"}
            answers[response.status, await response.text(), str(sorted(headers.items()))] = path
        if done % BATCH == 0:
            for start, token in hers.values():
                async with visit.client.get(f"{visit.base}{start}/{token}") as response:
                    assert response.status == 200
    assert len(answers) == 1, list(answers.values())
    assert {status for status, _, _ in answers} == {404}
    assert visit.store.read(dump) == before


async def test_a_sample_of_forged_links_is_refused_with_one_plain_page(visit: Visit) -> None:
    await all_refused(visit, SAMPLE // 2)  # on each database


@pytest.mark.soak
async def test_ten_thousand_forged_links_are_refused_with_one_plain_page(visit: Visit) -> None:
    await all_refused(visit, ALL)
