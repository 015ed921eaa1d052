"""Which cohorts an occurrence has, when each is due, and who stays with the hour that she left.

A newsletter with ``deliver_at`` comes at its hour on each reader's own clock: an occurrence is a date, and goes out
from where that date begins first to where it begins last. A cohort is due at that date and hour in its zone, by the
rules of ``turns``. Everywhere else an occurrence has one cohort, everybody.

A change of hour or zone counts for every occurrence that is still to come at the new hour. One that is past there, but
was to come at the old hour, comes at the old hour for the last time: no reader gets one twice, or misses it. Who
changes to another stream gets of the old one what was due before, and of the new one what is due after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from newsletter.cohort import EVERYBODY, LONGEST_DATE, Cohort
from newsletter.config.models import Schedule
from newsletter.config.reading import Configuration
from newsletter.model import StreamName
from newsletter.schedule.turns import turns
from newsletter.store import Store, moves
from newsletter.store.moves import Move, Place
from newsletter.store.occurrences import OccurrenceRow

LOOK_EVERY = timedelta(seconds=5)
_MOST_REMEMBERED = 50_000
_EASTERNMOST, _WESTERNMOST = "Etc/GMT-14", "Etc/GMT+12"  # a date begins here first, and here last


@dataclass(frozen=True, slots=True)
class Due:
    """A cohort of one occurrence: where its readers stand, and when it is due (UTC)."""

    cohort: Cohort
    places: tuple[Place, ...]
    due_at: datetime


def due_on(schedule: Schedule, cohort: Cohort, day: date) -> datetime | None:
    """When the occurrence of ``day`` is due for a cohort, UTC; None where that zone leaves the date out."""
    turn = next(turns(schedule.at_hour(cohort.hour), cohort.zone, day, day), None)
    return turn.utc if turn is not None else None


def span_on(schedule: Schedule, day: date) -> tuple[datetime, datetime] | None:
    """When the first reader on earth may have the occurrence of ``day``, and when the last, UTC, of a schedule that
    goes by readers' own clocks; None where it leaves the date out."""
    at = [
        due
        for hour in schedule.offered_hours
        for zone in (_EASTERNMOST, _WESTERNMOST)
        if (due := due_on(schedule, Cohort(zone, hour), day)) is not None
    ]
    return (min(at), max(at)) if at else None


def stands_for(
    now_at: Place,
    moved: Sequence[Move],
    due: Callable[[Place], datetime | None],
    in_stream: Callable[[Place], bool] = lambda _: True,
) -> Place | None:
    """Where a reader stands for one occurrence, who stands ``now_at`` after her moves, given in order. Pure.

    ``due`` says when the occurrence is due at a place, ``in_stream`` whether who stands there gets this stream. None:
    it was not hers at any place where it was due.
    """
    steps = [*(one.place for one in moved), now_at]
    here = steps[0] if in_stream(steps[0]) else None
    for move, to in zip(moved, steps[1:], strict=True):
        if in_stream(to):
            if (at := due(to)) is not None and at > move.at:
                here = to
        elif here is not None and ((was := due(here)) is None or was > move.at):
            here = None
    return here


class Cohorts:
    """The cohorts of every newsletter of one configuration, as its readers stand now. Blocking."""

    def __init__(self, configuration: Configuration, store: Store) -> None:
        self._configuration, self._store = configuration, store
        self._by_reader = [name for name in configuration.streams if configuration.named(name).schedule.by_reader]
        self._looked_at: datetime | None = None
        self._places: dict[StreamName, dict[Cohort, tuple[Place, ...]]] = {}
        self._due: dict[tuple[StreamName, Cohort, date], datetime | None] = {}
        self._of: dict[tuple[StreamName, date], list[Due]] = {}

    @property
    def streams(self) -> Sequence[StreamName]:
        """Those that come on each reader's own clock."""
        return self._by_reader

    def has(self, row: OccurrenceRow) -> bool:
        """Whether an occurrence comes on each reader's own clock."""
        return row.name.of in self._by_reader

    def look_again(self, now: datetime) -> bool:
        """Ask where readers stand, unless that was just now; whether a cohort came or went."""
        if not self._by_reader or (self._looked_at is not None and timedelta(0) <= now - self._looked_at < LOOK_EVERY):
            return False
        self._looked_at = now
        found: dict[StreamName, dict[Cohort, tuple[Place, ...]]] = {}
        for newsletter in dict.fromkeys(name.newsletter for name in self._by_reader):
            found |= self._read(newsletter, now)
        if found == self._places:
            return False
        self._places = found
        self._of.clear()
        return True

    def of(self, row: OccurrenceRow) -> list[Due]:
        """The cohorts of an occurrence, the first due first; one that was sent by hand is due at once everywhere."""
        name, day = row.name.of, row.occurrence.local_date
        if not self.has(row):
            return [Due(EVERYBODY, (), row.due_at)]
        if row.by_hand:
            return [Due(cohort, places, row.due_at) for cohort, places in sorted(self._stand(name).items())]
        return self.on(name, day)

    def on(self, name: StreamName, day: date) -> list[Due]:
        """The cohorts that a stream has on a date, the first due first."""
        if (name, day) not in self._of:
            if len(self._of) > 20:
                self._of.clear()
            due = (
                Due(one, places, at) for one, places in self._stand(name).items() if (at := self.due(name, one, day))
            )
            self._of[name, day] = sorted(due, key=lambda one: (one.due_at, one.cohort))
        return self._of[name, day]

    def due(self, name: StreamName, cohort: Cohort, day: date) -> datetime | None:
        """When a cohort is due on a date, UTC; None where its zone leaves that date out."""
        known = (name, cohort, day)
        if known not in self._due:
            if len(self._due) > _MOST_REMEMBERED:
                self._due.clear()
            self._due[known] = due_on(self._configuration.newsletter(*name).schedule, cohort, day)
        return self._due[known]

    def cohort_of_reader(self, row: OccurrenceRow, subscriber_id: int) -> Cohort | None:
        """The cohort with which a reader gets an occurrence, as she stands now and stood before."""
        name = row.newsletter
        stands = self._store.read(moves.where_they_stand, name, [subscriber_id]).get(subscriber_id)
        if stands is None:
            return None
        moved = self._store.read(moves.of_readers, name, [subscriber_id], row.due_at - LONGEST_DATE)
        place = self._place_for(row, stands, moved.get(subscriber_id, ()))
        return self._cohort(row.name.of, place) if place is not None else None

    def staying(self, row: OccurrenceRow, due: Due) -> list[int]:
        """The readers who moved away from a cohort and get this occurrence there for the last time."""
        if row.by_hand or not due.places:
            return []
        since = due.due_at - LONGEST_DATE
        left = self._store.read(moves.movers_from, row.newsletter, due.places, since)
        if not left:
            return []
        stand = self._store.read(moves.where_they_stand, row.newsletter, left, due.due_at)
        moved = self._store.read(moves.of_readers, row.newsletter, left, since)
        return [
            reader
            for reader, place in stand.items()
            if self._place_for(row, place, moved.get(reader, ())) in due.places
        ]

    def _place_for(self, row: OccurrenceRow, now_at: Place, moved: Sequence[Move]) -> Place | None:
        def due(place: Place) -> datetime | None:
            return self.due(row.name.of, self._cohort(row.name.of, place), row.occurrence.local_date)

        def in_stream(place: Place) -> bool:
            return self._configuration.stream_of(row.newsletter, place.stream) is row.stream

        return stands_for(now_at, moved, due, in_stream)

    def _cohort(self, name: StreamName, place: Place) -> Cohort:
        return self._configuration.cohort_of(name.newsletter, name.stream, place.zone, place.hour)

    def _stand(self, name: StreamName) -> dict[Cohort, tuple[Place, ...]]:
        """Where readers stand, by cohort; the stream's own is there also while nobody is in it."""
        own = self._configuration.own_cohort(*name)
        return {own: (Place(name.stream, "", ""),)} | self._places.get(name, {})

    def _read(self, newsletter: str, now: datetime) -> dict[StreamName, dict[Cohort, tuple[Place, ...]]]:
        found: dict[StreamName, dict[Cohort, tuple[Place, ...]]] = {}
        for place in self._store.read(moves.places, newsletter, now - LONGEST_DATE):
            name = StreamName(newsletter, self._configuration.stream_of(newsletter, place.stream))
            if name in self._by_reader:
                theirs, cohort = found.setdefault(name, {}), self._cohort(name, place)
                theirs[cohort] = (*theirs.get(cohort, ()), place)
        return found
