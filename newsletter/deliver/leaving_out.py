"""What a reader had elsewhere she does not get again: with ``unless_sent: today``, what a newsletter that stands before
carried that day; and, once she has moved to another hour or zone, what the editions there held.

    rows just claimed -> her other deliveries -> the stories of both -> written down with the row

Which date it is, her own clock says; of a reader without a zone, the newsletter's. It is decided once, as her mail sets
out for the first time, so that a mail that is sent again, and her copy in the browser, are the same mail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from newsletter.cohort import known_zone
from newsletter.compose.keys import stories_for
from newsletter.config.configuration import Configuration
from newsletter.config.models import Newsletter
from newsletter.model import Edition
from newsletter.store import editions, had, moves
from newsletter.store.clocks import other_clocks
from newsletter.store.had import Hers

_Load = Callable[[int], Edition]


@dataclass(frozen=True, slots=True)
class Carried:
    """Stories of an edition that another delivery of hers carried that day; ``newsletter`` names it with its stream,
    ``due_at`` is when that was due, UTC."""

    newsletter: str
    due_at: datetime
    article_ids: tuple[int, ...]


class LeavingOut:
    """What is left out of whose mail. One for a sender's life."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self.newsletters = [name for name in configuration.schedules.newsletters if configuration.not_repeated_by(name)]
        """Those that leave out what others carried."""
        self.needed = bool(self.newsletters) or any(map(configuration.moves_count, configuration.schedules.newsletters))

    def __call__(self, connection: Connection, sender: int, ids: Sequence[int], now: datetime) -> None:
        """Mark the rows that ``sender`` has just claimed: what it is called for by ``store.claiming``."""
        rows = had.to_claim(connection, sender, ids, self.newsletters)
        marked: dict[int, tuple[int, ...]] = {}
        nothing_left: list[int] = []
        load = _loading(connection)
        for row, carried in self._carried(connection, rows, load):
            gone = frozenset(stories_in(carried))
            if not gone:
                continue
            edition = load(row.edition_id)
            marked[row.id] = in_its_order(edition, gone)
            if leaves_nothing(row.sections, self._configuration.of(edition), edition, gone):
                nothing_left.append(row.id)
        had.mark(connection, marked, nothing_left, now)

    def carried(self, connection: Connection, delivery_id: int) -> list[Carried]:
        """By which mails of hers of that day the stories of one delivery were carried."""
        row = had.delivery(connection, delivery_id)
        rows = [row] if row is not None else []
        return next((carried for _, carried in self._carried(connection, rows, _loading(connection))), [])

    def would_be_carried(
        self, connection: Connection, zones: Mapping[int, str], edition: Edition
    ) -> Mapping[int, list[Carried]]:
        """The same of an edition of which these readers have no deliveries yet, as it stands now: by the reader's
        number, given with her time zone or ''."""
        before = self._configuration.not_repeated_by(edition.newsletter)
        others = had.others(connection, zones, before, edition.due_at) if before else []
        counts, moved = self._configuration.moves_count(edition.newsletter), list[Hers]()
        if counts is not None:
            since = edition.due_at - counts
            if movers := self._movers(connection, edition.newsletter, list(zones), since):
                moved = had.before_she_moved(connection, movers, edition.newsletter, edition.due_at, since)
        load, found = _loading(connection), defaultdict[int, list[Carried]](list)
        for reader, hers in _by_reader(others).items():
            zone = self._zone(zones[reader], edition.newsletter)
            found[reader] += self._shared(edition.article_ids, edition.due_at, zone, hers, load)
        for reader, elsewhere in _by_reader(moved).items():
            found[reader] += self._in_both(edition.article_ids, elsewhere, load)
        return found

    def _movers(
        self, connection: Connection, newsletter: str, readers: Sequence[int], since: datetime
    ) -> Collection[int]:
        """Who of these readers may have had other editions of a newsletter: as ``fan_out`` marks it."""
        if other_clocks(connection, newsletter, self._configuration.clocks(newsletter), since):
            return readers
        return moves.of_readers(connection, newsletter, readers, since).keys()

    def _carried(
        self, connection: Connection, rows: Sequence[Hers], load: _Load
    ) -> Iterable[tuple[Hers, list[Carried]]]:
        for name, edition_due in {(row.newsletter, row.due_at) for row in rows}:
            mine = [row for row in rows if (row.newsletter, row.due_at) == (name, edition_due)]
            before = self._configuration.not_repeated_by(name)
            found = had.others(connection, {row.subscriber_id for row in mine}, before, edition_due)
            theirs = _by_reader(found)
            moved = self._before_they_moved(connection, [row for row in mine if row.moved], name, edition_due)
            for row in mine:
                hers, stories = theirs.get(row.subscriber_id, []), load(row.edition_id).article_ids
                shared = self._shared(stories, row.due_at, self._zone(row.timezone, name), hers, load)
                # Two that are due at once must not each leave it to the other.
                before_it = (row.due_at, row.id)
                elsewhere = [one for one in moved.get(row.subscriber_id, []) if (one.due_at, one.id) < before_it]
                yield row, shared + self._in_both(stories, elsewhere, load)

    def _before_they_moved(
        self, connection: Connection, rows: Sequence[Hers], newsletter: str, due_at: datetime
    ) -> Mapping[int, Sequence[Hers]]:
        counts = self._configuration.moves_count(newsletter)
        if not rows or counts is None:
            return {}
        readers = {row.subscriber_id for row in rows}
        return _by_reader(had.before_she_moved(connection, readers, newsletter, due_at, due_at - counts))

    def _shared(
        self, stories: Collection[int], due_at: datetime, zone: ZoneInfo, hers: Sequence[Hers], load: _Load
    ) -> list[Carried]:
        """What of ``stories`` stands in those of her mails that are due on the same date."""
        today = due_at.astimezone(zone).date()
        return self._in_both(stories, [one for one in hers if one.due_at.astimezone(zone).date() == today], load)

    def _in_both(self, stories: Collection[int], hers: Sequence[Hers], load: _Load) -> list[Carried]:
        these = frozenset(stories)
        return [
            Carried(str(load(one.edition_id).name.of), one.due_at, both)
            for one in hers
            if (both := tuple(it for it in self._stories(one, load(one.edition_id)) if it in these))
        ]

    def _zone(self, hers: str, newsletter: str) -> ZoneInfo:
        """Hers; of a reader without one, or with one that nobody knows, the newsletter's."""
        return known_zone(hers) or ZoneInfo(self._configuration.zone(newsletter))

    def _stories(self, row: Hers, edition: Edition) -> tuple[int, ...]:
        newsletter = self._configuration.of(edition)
        return stories_for(row.sections, newsletter, edition, had=frozenset(had.decode(row.had)))


def stories_in(carried: Iterable[Carried]) -> tuple[int, ...]:
    """All stories that these carried, each once."""
    return tuple(dict.fromkeys(article for one in carried for article in one.article_ids))


def in_its_order(edition: Edition, gone: Collection[int]) -> tuple[int, ...]:
    """What of an edition a reader had elsewhere, as its delivery says."""
    return tuple(one for one in dict.fromkeys(edition.article_ids) if one in gone)


def leaves_nothing(sections: str, newsletter: Newsletter, edition: Edition, gone: Collection[int]) -> bool:
    """Whether a reader of these stored sections gets no mail because she had ``gone`` elsewhere."""
    return newsletter.when_empty == "skip" and not stories_for(sections, newsletter, edition, gone)


def _by_reader(rows: Iterable[Hers]) -> Mapping[int, Sequence[Hers]]:
    found = defaultdict[int, list[Hers]](list)
    for one in rows:
        found[one.subscriber_id].append(one)
    return found


def _loading(connection: Connection) -> _Load:
    """Editions by id, each read once."""
    return cache(partial(editions.load, connection))
