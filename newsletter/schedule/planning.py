"""Which occurrences there are: schedules -> rows in ``planned``, a little ahead; those missed for too long skipped.

The row is the truth: what is planned here is composed and sent once, by whichever process gets to it first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from sqlalchemy import Connection

from newsletter.config.models import Newsletter
from newsletter.config.reading import Configuration
from newsletter.model import Occurrence, OccurrenceState, Reason, StreamName
from newsletter.schedule.turns import Turn, next_turn, turns, turns_between
from newsletter.store import Store, occurrences
from newsletter.store.occurrences import OccurrenceRow

AHEAD = timedelta(days=2)
_MOST_MISSED = 200
_SCHEDULED = 1440  # so many turns at most a schedule can have on one date
_DATES = timedelta(days=2)
_EVER = datetime.min.replace(tzinfo=UTC)


FirstDue = Callable[[StreamName, date], datetime | None]
"""When the first cohort of a stream that comes on each reader's own clock has its occurrence of a date, UTC."""


def plan_ahead(
    store: Store, configuration: Configuration, now: datetime, first_due: FirstDue = lambda _name, _day: None
) -> None:
    """Plan the occurrences of every stream until ``AHEAD`` from now, and those missed since the last one known.

    Blocking. A missed occurrence stays planned while ``catch_up`` lasts; an older one is skipped as ``missed`` (of
    a long outage, the newest 200 of a newsletter have a row).
    """
    for name in configuration.streams:
        newsletter, zone = configuration.newsletter(*name), configuration.zone(*name)
        if newsletter.schedule.by_reader:
            store.write(_plan_by_reader, name, newsletter, zone, now, partial(first_due, name))
        else:
            store.write(_plan, name, newsletter, zone, now)
    planned = store.read(occurrences.listing, states=[OccurrenceState.PLANNED], limit=10_000)
    for name in {row.name.of for row in planned}.difference(configuration.streams):
        if name.newsletter in configuration.schedules.newsletters:  # which has no such stream any more
            store.write(occurrences.forget_unscheduled, *name, [], _EVER)


def too_late(row: OccurrenceRow, newsletter: Newsletter, now: datetime) -> bool:
    """Whether a scheduled occurrence that has not begun to send is past its ``catch_up``: where it comes on each
    reader's own clock, the last place on earth is."""
    if row.by_hand:
        return False
    last = row.due_at
    if newsletter.schedule.by_reader and row.occurrence.ordinal <= _SCHEDULED:
        last = max(last, _end_on_earth(row.occurrence.local_date))
    return now > last + newsletter.catch_up


def _end_on_earth(day: date) -> datetime:
    """When a date is over everywhere: noon of the next day, UTC (UTC-12)."""
    return datetime.combine(day, time(12), UTC) + timedelta(days=1)


def plan_turn(
    connection: Connection, name: StreamName, newsletter: Newsletter, turn: Turn, now: datetime
) -> OccurrenceRow:
    """The row of one turn, made if need be."""
    compose_at = turn.utc - newsletter.compose_lead
    return occurrences.plan(connection, *name, turn.occurrence, turn.utc, compose_at, now)


def _plan(connection: Connection, name: StreamName, newsletter: Newsletter, zone: str, now: datetime) -> None:
    until = now + AHEAD + newsletter.compose_lead
    latest = occurrences.latest(connection, *name)
    since = min(latest.due_at if latest is not None else now, now - newsletter.catch_up)
    missed: deque[Turn] = deque(maxlen=_MOST_MISSED)
    coming: list[Turn] = []
    for turn in turns_between(newsletter.schedule, zone, since, until):
        (coming if turn.utc + newsletter.catch_up >= now else missed).append(turn)
    for turn in missed:
        row = plan_turn(connection, name, newsletter, turn, now)
        if too_late(row, newsletter, now):
            occurrences.skip(
                connection, row.id, reason=Reason.MISSED, detail="no scheduler was running at its time", now=now
            )
    for turn in coming:
        plan_turn(connection, name, newsletter, turn, now)
    occurrences.forget_unscheduled(connection, *name, [turn.occurrence for turn in coming], now)


def _plan_by_reader(
    connection: Connection,
    name: StreamName,
    newsletter: Newsletter,
    zone: str,
    now: datetime,
    first_due: Callable[[date], datetime | None],
) -> None:
    """An occurrence for each date that has begun somewhere, or soon will, and is not over everywhere."""
    until = now + AHEAD + newsletter.compose_lead
    today = now.astimezone(UTC).date()
    latest = occurrences.latest(connection, *name)
    since = today - _DATES if latest is None else min(latest.occurrence.local_date, today - _DATES)
    coming: list[Turn] = []
    missed: deque[Turn] = deque(maxlen=_MOST_MISSED)
    for turn in turns(newsletter.schedule, zone, since, until.date() + _DATES):
        day = turn.occurrence.local_date
        first = first_due(day)
        if first is None or first > until:
            continue
        over = now > _end_on_earth(day) + newsletter.catch_up
        (missed if over else coming).append(replace(turn, utc=first))
    for turn in missed:
        if latest is not None and turn.occurrence > latest.occurrence:
            row = plan_turn(connection, name, newsletter, turn, now)
            occurrences.skip(
                connection, row.id, reason=Reason.MISSED, detail="no scheduler was running at its time", now=now
            )
    for turn in coming:
        plan_turn(connection, name, newsletter, turn, now)
    occurrences.forget_unscheduled(connection, *name, [turn.occurrence for turn in coming], now)


def due_or_next(
    connection: Connection, name: StreamName, newsletter: Newsletter, zone: str, now: datetime
) -> OccurrenceRow | None:
    """The occurrence that a manual send uses up: the latest due one still within ``catch_up``, else the next.

    None where the schedule has no turn to come. A due one that was skipped or cancelled is passed over.
    """
    due = list(turns_between(newsletter.schedule, zone, now - newsletter.catch_up, now))
    if due:
        row = plan_turn(connection, name, newsletter, due[-1], now)
        if row.state not in (row.state.SKIPPED, row.state.CANCELLED):
            return row
    coming = next_turn(newsletter.schedule, zone, now)
    return plan_turn(connection, name, newsletter, coming, now) if coming is not None else None


def an_extra(connection: Connection, name: StreamName, local: datetime, now: datetime) -> OccurrenceRow:
    """A new occurrence beside the schedule's, on the local date of ``local``, due now."""
    on_the_day = [
        row.occurrence.ordinal
        for row in occurrences.listing(
            connection, newsletter=name.newsletter, stream=name.stream, due_from=now - _DATES, limit=10_000
        )
        if row.occurrence.local_date == local.date()
    ]
    # Far above what a schedule can have on one date, so that it never takes the schedule's own ordinal.
    ordinal = max([_SCHEDULED, *on_the_day]) + 1
    occurrence = Occurrence(local.date(), ordinal)
    return occurrences.plan(connection, *name, occurrence, now, now, now, by_hand=True)
