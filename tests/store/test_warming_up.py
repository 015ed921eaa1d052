"""A From domain that warms up: the longest-standing readers first, a day's number over all its newsletters."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select

from newsletter.model import Occurrence
from newsletter.store import Store, tables
from newsletter.store.fan_out import fan_out_page
from newsletter.store.warming_up import WarmUp
from tests.builders import NOW, add_occurrence, add_subscribers

DAY = date(2026, 11, 23)


def fan_out(store: Store, edition_id: int, warm_up: WarmUp | None, *, limit: int = 7, sections: str = "") -> None:
    def page() -> int:
        return store.write(
            fan_out_page,
            edition_id,
            languages=("en",),
            expires_at=NOW + timedelta(hours=8),
            now=NOW,
            limit=limit,
            has_stories=lambda chosen: chosen != '["Nothing"]',
            warm_up=warm_up,
        )

    while page():
        pass


def standing(store: Store, edition_id: int) -> list[tuple[int, str, str]]:
    columns = tables.deliveries.c
    statement = (
        select(columns.subscriber_id, columns.state, columns.reason)
        .where(columns.edition_id == edition_id)
        .order_by(columns.subscriber_id)
    )
    return [tuple(row) for row in store.read(lambda c: c.execute(statement).all())]


def test_the_first_readers_get_it_the_rest_are_skipped_with_the_reason(store: Store) -> None:
    ids = add_subscribers(store, 20)
    _, edition_id = add_occurrence(store)
    fan_out(store, edition_id, WarmUp("news.example", DAY, 12))
    assert standing(store, edition_id) == [
        *((one, "queued", "") for one in ids[:12]),
        *((one, "skipped", "warm_up") for one in ids[12:]),
    ]


def test_a_second_newsletter_of_the_domain_has_what_the_first_left_and_the_next_day_its_own(store: Store) -> None:
    add_subscribers(store, 10, newsletters=("daily", "weekly"))
    editions = [
        add_occurrence(store)[1],
        add_occurrence(store, "weekly")[1],
        add_occurrence(store, occurrence=Occurrence(date(2026, 11, 24), 1))[1],
    ]
    fan_out(store, editions[0], WarmUp("news.example", DAY, 14))
    fan_out(store, editions[1], WarmUp("news.example", DAY, 14))
    fan_out(store, editions[2], WarmUp("news.example", DAY + timedelta(days=1), 9))
    went = [sum(state == "queued" for _, state, _ in standing(store, one)) for one in editions]
    assert went == [10, 4, 9]


def test_who_has_no_story_uses_up_no_place(store: Store) -> None:
    ids = add_subscribers(store, 6)
    store.write(
        lambda c: c.execute(
            tables.subscriptions.update()
            .where(tables.subscriptions.c.subscriber_id.in_(ids[:3]))
            .values(sections='["Nothing"]')
        )
    )
    _, edition_id = add_occurrence(store)
    fan_out(store, edition_id, WarmUp("news.example", DAY, 2), limit=2)
    assert [(state, reason) for _, state, reason in standing(store, edition_id)] == [
        *[("skipped", "no_stories")] * 3,
        *[("queued", "")] * 2,
        ("skipped", "warm_up"),
    ]
