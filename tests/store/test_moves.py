"""Where the readers of a newsletter stand: every place there is, found by one step of the index for each."""

from __future__ import annotations

import random
from datetime import timedelta

from sqlalchemy import Connection, insert, update

from newsletter.model import Stream
from newsletter.store import Store, tables
from newsletter.store.moves import Place, _places, places
from tests.builders import NOW, add_subscribers
from tests.store.test_hot_statements import plan_of
from tests.support.zones import ZONES

HOURS = ("", "06:30", "07:00", "23:00")


def scatter(store: Store, readers: int, seed: int) -> dict[int, Place]:
    """Readers of ``daily`` in places taken at random, some of them the same."""
    dice = random.Random(seed)
    standing = {
        number: Place(dice.choice(list(Stream)), dice.choice(["", *ZONES[:6]]), dice.choice(HOURS))
        for number in add_subscribers(store, readers)
    }

    def stand(connection: Connection) -> None:
        rows = tables.subscriptions
        for number, place in standing.items():
            given = {"stream": place.stream.value, "zone": place.zone, "hour": place.hour}
            connection.execute(update(rows).where(rows.c.subscriber_id == number).values(**given))

    store.write(stand)
    return standing


def test_every_place_of_an_active_reader_is_found_once(store: Store) -> None:
    standing = scatter(store, 60, seed=1)
    gone = list(standing)[::5]
    rows = tables.subscriptions
    leave = update(rows).where(rows.c.subscriber_id.in_(gone)).values(state="unsubscribed")
    store.write(lambda connection: connection.execute(leave))
    found = store.read(places, "daily", NOW)
    assert len(found) == len(set(found))
    assert set(found) == {place for number, place in standing.items() if number not in gone}
    assert store.read(places, "weekend", NOW) == []


def test_a_place_that_somebody_left_since_then_is_found_too(store: Store) -> None:
    there, left = scatter(store, 1, seed=2), Place(Stream.EACH, "Asia/Tokyo", "05:00")
    row = {"newsletter": "daily", "subscriber_id": next(iter(there)), "stream": left.stream.value, "zone": left.zone}
    store.write(lambda connection: connection.execute(insert(tables.moves).values(**row, hour=left.hour, at=NOW)))
    assert set(store.read(places, "daily", NOW - timedelta(seconds=1))) == {*there.values(), left}
    assert set(store.read(places, "daily", NOW)) == set(there.values())


def test_they_are_found_by_steps_of_the_index(store: Store) -> None:
    scatter(store, 60, seed=3)
    given = {"newsletter": "daily", "stream": Stream.EACH.value}
    plan = store.read(lambda connection: plan_of(connection, _places(connection.dialect), given))
    if store.is_sqlite:
        assert plan.count("SEARCH subscriptions USING INDEX ix_subscriptions_cohort (") == 3, plan
        assert "SCAN subscriptions" not in plan
        assert "TEMP B-TREE" not in plan
