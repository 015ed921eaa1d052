"""Which day it is, her own clock says; it is decided once, and by the deliveries that she got or will get."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, update

from newsletter.config.reading import Configuration, load
from newsletter.config.site_key import SiteKeys
from newsletter.deliver.leaving_out import LeavingOut
from newsletter.model import DeliveryState, Occurrence
from newsletter.store import Store, had, tables
from tests.builders import NOW, add_subscribers

SITE = """\
site: {name: The Test, url: "https://news.example", postal_address: "1 Press Lane", timezone: Asia/Kolkata}
relays: {main: {host: 127.0.0.1, port: 25, tls: none}}
web: {url: "http://127.0.0.1:8025"}
newsletters:
  first: {title: First, from: a@news.example, schedule: {at: "07:00"}, sections: [{name: News}]}
  second: {title: Second, from: b@news.example, schedule: {at: "18:00"}, unless_sent: today, sections: [{name: News}]}
  third: {title: Third, from: c@news.example, schedule: {at: "18:00"}, sections: [{name: News}]}
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    (tmp_path / "schedules.yaml").write_text(SITE)
    return load(tmp_path / "schedules.yaml", {}, keys=SiteKeys.of_one(b"k" * 32))


def add_edition(store: Store, newsletter: str, articles: list[int], *, hours_ago: float) -> int:
    """An edition of these articles, due that long before NOW."""
    due_at = NOW - timedelta(hours=hours_ago)
    occurrence = Occurrence(date(2026, 11, 23), 1)
    common = {"newsletter": newsletter, "stream": "each", "occurrence": str(occurrence), "due_at": due_at}

    def work(connection: Connection) -> int:
        row = tables.occurrences
        times = {"compose_at": NOW, "created_at": NOW, "changed_at": NOW}
        made = insert(row).values(**common, **times, local_date=occurrence.local_date, ordinal=1, state="sending")
        occurrence_id = connection.execute(made.returning(row.c.id)).scalar_one()
        sections = [{"name": "News", "articles": articles}]
        edition = insert(tables.editions).values(
            **common, occurrence_id=occurrence_id, sections=sections, composed_at=NOW
        )
        return int(connection.execute(edition.returning(tables.editions.c.id)).scalar_one())

    return store.write(work)


def add_row(store: Store, edition_id: int, reader: int, state: DeliveryState, **values: object) -> int:
    def work(connection: Connection) -> int:
        edition = connection.execute(select(tables.editions).where(tables.editions.c.id == edition_id)).one()
        sending = state is DeliveryState.SENDING
        given = {
            "occurrence_id": edition.occurrence_id, "edition_id": edition_id, "newsletter": edition.newsletter,
            "stream": "each", "occurrence": edition.occurrence, "subscriber_id": reader, "kind": "edition",
            "priority": 50, "state": state.value, "sender": int(sending), "attempt": int(sending), "due_at": NOW,
            "expires_at": NOW, "rendered_key": "en/free", "message_id": "<1@x>", "changed_at": NOW,
        } | values  # fmt: skip
        made = insert(tables.deliveries).values(**given)
        return int(connection.execute(made.returning(tables.deliveries.c.id)).scalar_one())

    return store.write(work)


def after(store: Store, configuration: Configuration, row: int) -> tuple[str, tuple[int, ...]]:
    """State and what is left out of a row once its claim has asked."""
    store.write(LeavingOut(configuration), 1, [row], NOW)
    found = store.read(
        lambda connection: connection.execute(select(tables.deliveries).where(tables.deliveries.c.id == row)).one()
    )
    return found.state, had.decode(found.had)


def in_zone(store: Store, zone: str) -> None:
    store.write(lambda connection: connection.execute(update(tables.subscribers).values(timezone=zone)))


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("", ()), ("Asia/Kolkata", ()), ("Pacific/Honolulu", (1, 2)), ("Mars/Olympus", ())],
    ids=["the newsletter's", "Kolkata", "Honolulu", "unknown"],
)
def test_the_date_is_that_of_her_own_clock(
    store: Store, configuration: Configuration, zone: str, expected: tuple[int, ...]
) -> None:
    (reader,) = add_subscribers(store, 1)
    in_zone(store, zone)
    earlier = add_edition(store, "first", [1, 2], hours_ago=20)
    add_row(store, earlier, reader, DeliveryState.SENT)
    row = add_row(store, add_edition(store, "second", [1, 2, 3], hours_ago=0), reader, DeliveryState.SENDING)
    assert after(store, configuration, row) == ("sending", expected)


@pytest.mark.parametrize(
    ("state", "counts"),
    [(state, state not in (DeliveryState.FAILED, DeliveryState.SKIPPED)) for state in DeliveryState],
)
def test_what_she_did_not_get_was_not_carried(
    store: Store, configuration: Configuration, state: DeliveryState, counts: bool
) -> None:
    (reader,) = add_subscribers(store, 1)
    add_row(store, add_edition(store, "first", [1], hours_ago=1), reader, state)
    row = add_row(store, add_edition(store, "second", [1, 2], hours_ago=0), reader, DeliveryState.SENDING)
    assert after(store, configuration, row) == ("sending", (1,) if counts else ())


def test_only_newsletters_that_stand_before_count_and_only_stories_of_her_sections(
    store: Store, configuration: Configuration
) -> None:
    (reader, other) = add_subscribers(store, 2)
    add_row(store, add_edition(store, "third", [1, 2], hours_ago=1), reader, DeliveryState.SENT)
    first = add_edition(store, "first", [3], hours_ago=1)
    add_row(store, first, other, DeliveryState.SENT)
    second = add_edition(store, "second", [1, 2, 3], hours_ago=0)
    assert after(store, configuration, add_row(store, second, reader, DeliveryState.SENDING)) == ("sending", ())


def test_what_the_earlier_mail_itself_left_out_was_not_carried_by_it(
    store: Store, configuration: Configuration
) -> None:
    (reader,) = add_subscribers(store, 1)
    add_row(store, add_edition(store, "first", [1, 2], hours_ago=1), reader, DeliveryState.SENT, had="[1]")
    row = add_row(store, add_edition(store, "second", [1, 2, 3], hours_ago=0), reader, DeliveryState.SENDING)
    assert after(store, configuration, row) == ("sending", (2,))


def test_of_which_nothing_is_left_is_skipped_and_counts_as_never_tried(
    store: Store, configuration: Configuration
) -> None:
    (reader,) = add_subscribers(store, 1)
    add_row(store, add_edition(store, "first", [1, 2], hours_ago=1), reader, DeliveryState.SENT)
    row = add_row(store, add_edition(store, "second", [1, 2], hours_ago=0), reader, DeliveryState.SENDING)
    assert after(store, configuration, row)[0] == "skipped"
    found = store.read(
        lambda connection: connection.execute(select(tables.deliveries).where(tables.deliveries.c.id == row)).one()
    )
    assert (found.reason, found.sender, found.attempt) == ("all_had", 0, 0)


@pytest.mark.parametrize("values", [{"attempt": 2}, {"doubted": True}, {"in_reply_to": "<0@x>"}], ids=str)
def test_a_mail_that_was_tried_before_or_corrects_one_stays_as_it_is(
    store: Store, configuration: Configuration, values: dict[str, object]
) -> None:
    (reader,) = add_subscribers(store, 1)
    add_row(store, add_edition(store, "first", [1], hours_ago=1), reader, DeliveryState.SENT)
    second = add_edition(store, "second", [1, 2], hours_ago=0)
    row = add_row(store, second, reader, DeliveryState.SENDING, **values)
    assert after(store, configuration, row) == ("sending", ())
