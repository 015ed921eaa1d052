"""Is everything running? What the store says of occurrences, sources and heartbeats -> ``Status``, and what is wrong.

status_of    reads
problems     pure: each thing that a person has to look at, in one line with what to do
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from newsletter.collect import habits
from newsletter.config.models import Source
from newsletter.config.reading import Configuration
from newsletter.model import DeliveryState, EditionName, OccurrenceState, Reason, StreamName
from newsletter.schedule.turns import coming_turns
from newsletter.schedule.words import occurrence_words
from newsletter.store import Store, deliveries, gates, heartbeats, occurrences, sources
from newsletter.store.heartbeats import HeartbeatRow
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.sources import SourceRow

SCHEDULER, SENDER = "scheduler", "sender"
SILENT_AFTER = timedelta(minutes=2)
OVERDUE_AFTER = timedelta(minutes=5)
_RECENT = timedelta(days=1)
_TURNS_AHEAD = 20
# A source that has been quiet for longer than this is meant to be.
_QUIET_FROM = timedelta(days=90)
_S = OccurrenceState
_BEFORE_SENDING = (_S.PLANNED, _S.COMPOSED, _S.APPROVED)
_ENDED = (_S.SENT, _S.SKIPPED, _S.CANCELLED)


@dataclass(frozen=True, slots=True)
class NewsletterStatus:
    """One stream of a newsletter: its last occurrence that is over, those under way or held, and when the next is due
    (UTC)."""

    name: str
    last: OccurrenceRow | None
    open: tuple[OccurrenceRow, ...]
    next_edition: EditionName | None
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One configured source; times are UTC, None where there was none yet.

    ``usual_seconds`` is its habit, None where it has none yet; ``quiet_seconds`` is how long nothing new has come,
    where that is far beyond it.
    """

    name: str
    last_success_at: datetime | None
    next_due_at: datetime | None
    failures: int
    error: str
    last_new_at: datetime | None = None
    usual_seconds: float | None = None
    quiet_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything ``newsletter status`` shows. ``progress`` counts deliveries by state of each edition being sent."""

    now: datetime
    newsletters: tuple[NewsletterStatus, ...]
    heartbeats: tuple[HeartbeatRow, ...]
    sources: tuple[SourceStatus, ...]
    in_doubt: Mapping[tuple[StreamName, str], int]
    progress: Mapping[EditionName, Mapping[DeliveryState, int]]
    missed: tuple[OccurrenceRow, ...]


def status_of(configuration: Configuration, store: Store, now: datetime) -> Status:
    """Read it all. Blocking."""
    schedules = configuration.schedules
    known = {row.name: row for row in store.read(sources.list_sources)}
    last_new = store.read(sources.last_arrivals, now - _QUIET_FROM)
    newsletters = tuple(_newsletter(configuration, store, of, now) for of in configuration.streams)
    progress: dict[EditionName, dict[DeliveryState, int]] = {}
    for row in store.read(occurrences.sending):
        counted = progress.setdefault(row.name, dict.fromkeys(DeliveryState, 0))
        for (state, _), number in store.read(deliveries.counts, row.id).items():
            counted[state] += number
    recent = store.read(occurrences.listing, states=[_S.SKIPPED], due_from=now - _RECENT, limit=1000)
    return Status(
        now=now,
        newsletters=newsletters,
        heartbeats=tuple(store.read(heartbeats.listing)),
        sources=tuple(
            _source(store, name, source, known.get(name), last_new.get(name), now)
            for name, source in schedules.sources.items()
        ),
        in_doubt=store.read(deliveries.in_doubt_counts),
        progress=progress,
        missed=tuple(row for row in recent if row.reason is Reason.MISSED),
    )


def _newsletter(configuration: Configuration, store: Store, of: StreamName, now: datetime) -> NewsletterStatus:
    open_states = [state for state in OccurrenceState if state not in _ENDED]
    listed = partial(occurrences.listing, newsletter=of.newsletter, stream=of.stream)
    rows = store.read(listed, states=open_states, limit=1000)
    # What lies ahead is only `next`; under way is what has begun, is due, or was held.
    under_way = [row for row in rows if row.state is not _S.PLANNED or row.due_at <= now]
    last = store.read(listed, states=_ENDED, limit=1)
    coming = _next(configuration, store, of, now)
    next_edition, next_due_at = coming if coming is not None else (None, None)
    return NewsletterStatus(str(of), last[0] if last else None, tuple(reversed(under_way)), next_edition, next_due_at)


def _next(
    configuration: Configuration, store: Store, of: StreamName, now: datetime
) -> tuple[EditionName, datetime] | None:
    """The first turn to come that is not over already: a manual send uses up turns before their time."""
    turns = coming_turns(configuration.newsletter(*of).schedule, configuration.zone(*of), now)
    for turn in islice(turns, _TURNS_AHEAD):
        row = store.read(occurrences.find, *of, turn.occurrence)
        if row is None or row.state not in _ENDED:
            name = EditionName(of.newsletter, turn.occurrence, stream=of.stream)
            return name, row.due_at if row is not None else turn.utc
    return None


def _source(
    store: Store, name: str, source: Source, row: SourceRow | None, last_new: datetime | None, now: datetime
) -> SourceStatus:
    last_success = row.last_success_at if row is not None else None
    usual: timedelta | None = None
    quiet: timedelta | None = None
    if last_new is not None:
        seen = store.read(sources.arrivals, name, last_new - habits.WINDOW)
        usual = habits.habit(seen)
        # We know of its silence only until we last looked; what is pushed needs no looking.
        known_at = now if source.push else last_success
        if usual is not None and known_at is not None and not (row is not None and row.retired_at is not None):
            is_quiet = habits.is_quiet(last_new, usual, known_at, habits.usual_pause(seen))
            quiet = known_at - last_new if is_quiet else None
    return SourceStatus(
        name,
        last_success,
        row.next_due_at if row is not None else None,
        row.failures if row is not None else 0,
        row.last_error if row is not None else "",
        last_new,
        usual.total_seconds() if usual is not None else None,
        quiet.total_seconds() if quiet is not None else None,
    )


def problems(status: Status) -> list[str]:
    """What a person has to look at, the gravest first. Pure."""
    return [*_silence(status), *_stuck(status), *_doubt(status), *_sources(status)]


def _silence(status: Status) -> Iterator[str]:
    beats = {beat.name: beat for beat in status.heartbeats}
    if SCHEDULER not in beats:
        yield "no scheduler has ever run on this store: start `newsletter run`"
    for beat in status.heartbeats:
        if is_silent(beat, status.now):
            yield f"the {beat.name} has been silent since {_utc(beat.last_at)}: start `newsletter run`"
        elif beat.error:
            yield f"the {beat.name} reports: {beat.error}"
    if SCHEDULER in beats and SENDER not in beats and status.progress:
        yield "no sender has ever run on this store: start `newsletter run`"


def is_silent(beat: HeartbeatRow, now: datetime) -> bool:
    """Whether something recurring should have run again some time ago."""
    return beat.next_due_at is not None and now > beat.next_due_at + SILENT_AFTER


def _stuck(status: Status) -> Iterator[str]:
    for newsletter in status.newsletters:
        for row in newsletter.open:
            if row.state in (_S.HELD, _S.STOPPED):
                if row.reason is not Reason.BY_HAND:
                    awaited = row.reason is Reason.AWAITING_APPROVAL
                    remedy = f"`newsletter editions approve {row.name}`"
                    remedy = remedy if awaited else f"mend it, then `newsletter editions release {row.name}`"
                    if gates.failed_of(row):
                        remedy = f"`newsletter editions show {row.name}` says what to do"
                    yield f"{row.name} is {occurrence_words(row)}; {remedy}"
            elif row.state in _BEFORE_SENDING and not row.partial and status.now > row.due_at + OVERDUE_AFTER:
                yield f"{row.name} was due at {_utc(row.due_at)} and is only {row.state.value}"


def _doubt(status: Status) -> Iterator[str]:
    for (of, occurrence), number in status.in_doubt.items():
        name = f"{of}@{occurrence}"
        count = "1 delivery" if number == 1 else f"{number:,} deliveries"
        yield f"{count} of {name} in doubt: see `newsletter deliveries list {name} --in-doubt`, then release or close"


def _sources(status: Status) -> Iterator[str]:
    running = any(beat.name == SCHEDULER and not is_silent(beat, status.now) for beat in status.heartbeats)
    for source in status.sources:
        if source.error:
            times = "once" if source.failures == 1 else f"{source.failures} times in a row"
            yield f"source {source.name} failed {times}: {source.error}"
        elif running and source.next_due_at is not None and status.now > source.next_due_at + OVERDUE_AFTER:
            yield f"source {source.name} was due at {_utc(source.next_due_at)} and has not been collected"
        elif source.quiet_seconds is not None and source.usual_seconds is not None:
            quiet, usual = _span(source.quiet_seconds), _span(source.usual_seconds)
            yield f"source {source.name}: nothing new for {quiet}; usually every {usual}"


def _span(seconds: float) -> str:
    """A length of time in the unit that suits it: 40 min, 9 h, 3 days."""
    minutes = max(round(seconds / 60), 1)
    if minutes < 120:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 72 else f"{round(hours / 24)} days"


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
