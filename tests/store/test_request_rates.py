"""How often something may be asked: kept in the store, so that all processes count together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import func, select

from newsletter.store import Store, request_rates, tables
from tests.builders import NOW

MINUTE = timedelta(minutes=1)


def test_an_hour_s_worth_may_come_at_once_and_then_one_by_one(store: Store) -> None:
    asked = [store.write(request_rates.take, "a", 6, NOW + n * timedelta(seconds=1)) for n in range(8)]
    assert asked == [*[True] * 6, False, False]
    assert not store.write(request_rates.take, "a", 6, NOW + 9 * MINUTE)
    assert store.write(request_rates.take, "a", 6, NOW + 11 * MINUTE)
    assert not store.write(request_rates.take, "a", 6, NOW + 11 * MINUTE)
    assert store.write(request_rates.take, "b", 6, NOW + 11 * MINUTE)


def test_of_many_at_once_no_more_are_let_through_than_may_be(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        asked = list(threads.map(lambda _: store.write(request_rates.take, "a", 5, NOW), range(24)))
    assert sum(asked) == 5


def test_what_holds_nobody_back_any_more_is_forgotten(store: Store) -> None:
    how_many = select(func.count()).select_from(tables.request_rates)

    def kept() -> int:
        return store.read(lambda connection: connection.execute(how_many).scalar_one())

    store.write(request_rates.take, "a", 6, NOW)
    assert (store.write(request_rates.forget_past, NOW), kept()) == (0, 1)
    assert (store.write(request_rates.forget_past, NOW + 11 * MINUTE), kept()) == (1, 0)
