"""Where each reader of a newsletter stands (stream, zone, hour), who stands together, and where she stood before.

Zone and hour are as readers wrote them, '' where they wrote nothing; what a newsletter makes of them is for
``Configuration.cohort_of``. A change leaves a row in ``moves``: what was due between the old hour and the
new one goes by where she stood at its time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    Connection,
    Dialect,
    String,
    Table,
    and_,
    delete,
    exists,
    insert,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql import ColumnElement

from newsletter.model import Stream, SubscriptionState
from newsletter.store.prepared import Prepared, parameter
from newsletter.store.tables import deliveries, moves, subscriptions

_CHUNK = 500


class Place(NamedTuple):
    """Where readers stand of whom a newsletter may make one cohort: the stream, zone and hour they asked for."""

    stream: Stream
    zone: str
    hour: str


@dataclass(frozen=True, slots=True)
class Move:
    """That a reader changed, at ``at`` (UTC), and where she stood until then."""

    subscriber_id: int
    place: Place
    at: datetime


def places(connection: Connection, newsletter: str, since: datetime) -> list[Place]:
    """Every place that an active reader of a newsletter stands at, or stood at until a change after ``since``.

    One step of the index for each place, however many stand there.
    """
    standing = _places(connection.dialect)
    found = [
        Place(stream, row.zone, row.hour)
        for stream in Stream
        for row in standing.run(connection, newsletter=newsletter, stream=stream.value)
    ]
    where = (moves.c.stream, moves.c.zone, moves.c.hour)
    left = select(*where).where(moves.c.newsletter == newsletter, moves.c.at > since).distinct()
    return list(dict.fromkeys([*found, *map(_place, connection.execute(left))]))


@lru_cache(maxsize=32)  # a dialect is one opened database's
def _places(dialect: Dialect) -> Prepared:
    """The places of one stream in the order of their index: the first, then each time the next behind it."""
    c = subscriptions.c
    of_stream = _of(parameter("newsletter", String()), parameter("stream", String()))
    first = select(c.zone, c.hour).where(of_stream).order_by(c.zone, c.hour).limit(1).subquery("first")
    here = select(first.c.zone, first.c.hour).cte("here", recursive=True)

    def behind(column: ColumnElement[str]) -> ColumnElement[str]:
        behind_it = tuple_(c.zone, c.hour) > tuple_(here.c.zone, here.c.hour)
        query = select(column).where(of_stream, behind_it).order_by(c.zone, c.hour).limit(1)
        return query.correlate(here).scalar_subquery()

    here = here.union_all(select(behind(c.zone), behind(c.hour)).where(here.c.zone.is_not(None)))
    return Prepared(dialect, select(here.c.zone, here.c.hour).where(here.c.zone.is_not(None)))


def standing(
    newsletter: str, stream: str, place: Place, after: int, limit: int, *, by: datetime, occurrence: str
) -> Any:
    """A query for the next readers, by number, who stand at ``place``, subscribed by then and have not moved since
    ``by`` (UTC), and have no delivery of ``occurrence`` of ``stream`` yet."""
    moved = exists().where(
        moves.c.subscriber_id == subscriptions.c.subscriber_id,
        moves.c.newsletter == subscriptions.c.newsletter,
        moves.c.at >= by,
    )
    has_it = exists().where(
        deliveries.c.newsletter == newsletter,
        deliveries.c.stream == stream,
        deliveries.c.occurrence == occurrence,
        deliveries.c.subscriber_id == subscriptions.c.subscriber_id,
    )
    return (
        select(subscriptions.c.subscriber_id)
        .where(
            _of(newsletter, place.stream.value),
            subscriptions.c.zone == place.zone,
            subscriptions.c.hour == place.hour,
            subscriptions.c.subscriber_id > after,
            _subscribed(by),
            ~moved,
            ~has_it,
        )
        .order_by(subscriptions.c.subscriber_id)
        .limit(limit)
    )


def stands_at(places: Collection[Place]) -> ColumnElement[bool]:
    """Whether the reader of a subscription stands at one of these places now."""
    return _at(subscriptions, places)


def movers_from(connection: Connection, newsletter: str, places_left: Collection[Place], since: datetime) -> list[int]:
    """The readers who left one of these places after ``since``."""
    if not places_left:
        return []
    query = select(moves.c.subscriber_id).where(moves.c.newsletter == newsletter, moves.c.at > since)
    return sorted(connection.execute(query.where(_at(moves, places_left)).distinct()).scalars())


def of_readers(
    connection: Connection, newsletter: str, readers: Sequence[int], since: datetime
) -> Mapping[int, Sequence[Move]]:
    """The changes of these readers after ``since``, by reader, in order."""
    found: defaultdict[int, list[Move]] = defaultdict(list)
    for start in range(0, len(readers), _CHUNK):
        query = (
            select(moves)
            .where(
                moves.c.subscriber_id.in_(readers[start : start + _CHUNK]),
                moves.c.newsletter == newsletter,
                moves.c.at > since,
            )
            .order_by(moves.c.at, moves.c.id)
        )
        for row in connection.execute(query):
            found[row.subscriber_id].append(Move(row.subscriber_id, _place(row), row.at))
    return found


def where_they_stand(
    connection: Connection, newsletter: str, readers: Sequence[int], by: datetime | None = None
) -> Mapping[int, Place]:
    """The place of those of these readers who are active, subscribed by then (UTC)."""
    found: dict[int, Place] = {}
    for start in range(0, len(readers), _CHUNK):
        query = select(
            subscriptions.c.subscriber_id, subscriptions.c.stream, subscriptions.c.zone, subscriptions.c.hour
        ).where(
            subscriptions.c.newsletter == newsletter,
            subscriptions.c.subscriber_id.in_(readers[start : start + _CHUNK]),
            subscriptions.c.state == SubscriptionState.ACTIVE.value,
            *([] if by is None else [_subscribed(by)]),
        )
        for row in connection.execute(query):
            found[row.subscriber_id] = _place(row)
    return found


def moved_since(newsletter: str, since: datetime) -> ColumnElement[bool]:
    """Whether the reader of a subscription changed stream, hour or zone after ``since``."""
    return exists().where(
        moves.c.subscriber_id == subscriptions.c.subscriber_id,
        moves.c.newsletter == newsletter,
        moves.c.at > since,
    )


def record(connection: Connection, subscriber_id: int, newsletter: str, at: datetime) -> None:
    """Write down where an active subscription stands, before it is changed or ended."""
    here = select(
        subscriptions.c.newsletter,
        subscriptions.c.subscriber_id,
        subscriptions.c.stream,
        subscriptions.c.zone,
        subscriptions.c.hour,
        literal(at, moves.c.at.type),
    ).where(
        subscriptions.c.newsletter == newsletter,
        subscriptions.c.subscriber_id == subscriber_id,
        subscriptions.c.state == SubscriptionState.ACTIVE.value,
    )
    names = ["newsletter", "subscriber_id", "stream", "zone", "hour", "at"]
    connection.execute(insert(moves).from_select(names, here))


def change_zone(connection: Connection, subscriber_id: int, zone: str, at: datetime) -> None:
    """Take up a reader's new time zone in all her subscriptions."""
    hers = select(subscriptions.c.newsletter).where(
        subscriptions.c.subscriber_id == subscriber_id, subscriptions.c.zone != zone
    )
    for newsletter in connection.execute(hers).scalars().all():
        record(connection, subscriber_id, newsletter, at)
    connection.execute(update(subscriptions).where(subscriptions.c.subscriber_id == subscriber_id).values(zone=zone))


def forget(connection: Connection, before: datetime) -> int:
    """Delete what no edition goes by any more; the number of rows."""
    return connection.execute(delete(moves).where(moves.c.at < before)).rowcount


def _subscribed(by: datetime) -> ColumnElement[bool]:
    return or_(subscriptions.c.confirmed_at.is_(None), subscriptions.c.confirmed_at <= by)


def _place(row: Any) -> Place:
    return Place(Stream(row.stream), row.zone, row.hour)


def _at(table: Table, places: Collection[Place]) -> ColumnElement[bool]:
    """Whether a row of ``subscriptions`` or ``moves`` names one of these places."""
    c = table.c
    return or_(*(and_(c.stream == one.stream.value, c.zone == one.zone, c.hour == one.hour) for one in places))


def _of(newsletter: str | BindParameter[str], stream: str | BindParameter[str]) -> ColumnElement[bool]:
    return and_(
        subscriptions.c.newsletter == newsletter,
        subscriptions.c.stream == stream,
        # Written out, so that the partial index is seen to fit.
        subscriptions.c.state == literal_column(f"'{SubscriptionState.ACTIVE.value}'"),
    )
