"""What will come to one reader, when and why: occurrences planned and those that schedules will bring -> answers.

Each is the answer that ``why`` gives for it, from the predicate that will decide, asked about its own time: a pause
that ends before it is over by then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

from newsletter.cohort import EVERYBODY, LONGEST_DATE, Cohort
from newsletter.config.reading import Configuration
from newsletter.errors import UsageError
from newsletter.members.addresses import parse_address
from newsletter.model import EditionName, OccurrenceState, StreamName, SubscriptionState
from newsletter.schedule.explaining import Answer, Outcome, explain
from newsletter.schedule.facts import facts_of
from newsletter.schedule.preferences import Preferences
from newsletter.schedule.turns import turns_between
from newsletter.store import Store, occurrences, subscribers, subscriptions

_OPEN = frozenset(OccurrenceState) - {OccurrenceState.SENT, OccurrenceState.SKIPPED, OccurrenceState.CANCELLED}
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Coming:
    """One mail that comes, or does not. ``due_at`` is UTC; ``local`` the same on the newsletter's clock, with its
    offset."""

    newsletter: str
    edition: str
    due_at: datetime
    local: str
    outcome: Outcome
    reason: str
    sentence: str
    preferences: Preferences | None

    @property
    def comes(self) -> bool:
        return self.outcome is Outcome.WAITING


def inbox(
    configuration: Configuration,
    store: Store,
    address: str,
    now: datetime,
    days: int,
    *,
    newsletters: Sequence[str] = (),
) -> list[Coming]:
    """What is to come to ``address`` until ``days`` from now, of these newsletters or all, by time. Blocking.

    Of a newsletter that she left, or has not confirmed, there is one line; of one she never had, none. Raises
    AddressError, and UsageError for an address that is no subscriber's.
    """
    who = parse_address(address)
    person = store.read(subscribers.by_address, who)
    if person is None:
        remedy = f"`newsletter subscribers history {who}` says what is known"
        raise UsageError(f"{who} is not a subscriber", remedy=remedy)
    found: list[Coming] = []
    for name in newsletters or configuration.schedules.newsletters:
        held = store.read(subscriptions.one, person.id, name)
        if held is None:
            continue
        of = StreamName(name, configuration.stream_of(name, held.stream))
        cohort = configuration.cohort_of(*of, person.timezone, held.hour)
        coming = _of_stream(configuration, store, who, of, cohort, now, days)
        # Of one that she does not get, one line says it for all.
        found += coming if held.state is SubscriptionState.ACTIVE else islice(coming, 1)
    return sorted(found, key=lambda one: (one.due_at, one.edition))


def _of_stream(
    configuration: Configuration, store: Store, address: str, of: StreamName, cohort: Cohort, now: datetime, days: int
) -> Iterator[Coming]:
    until = now + timedelta(days=days)
    for edition in _editions(configuration, store, of, cohort, now, until):
        facts = facts_of(configuration, store, address, edition, now)
        if facts.due_at > until:  # the occurrence is due before that, but not at her hour
            continue
        answer = explain(facts)
        past = facts.cohort != EVERYBODY and facts.due_at <= now and answer.outcome is not Outcome.WAITING
        if answer.outcome is not Outcome.SENT and not past:
            yield _coming(of.newsletter, answer, facts.zone)


def _editions(
    configuration: Configuration, store: Store, of: StreamName, cohort: Cohort, now: datetime, until: datetime
) -> Iterator[EditionName]:
    """Those under way and planned, then those that the schedule brings beyond them; of another stream, which she may
    have come from, those that go out now. One that has gone out to all there were may still come at an hour of hers."""
    schedule, zone = configuration.newsletter(*of).schedule, configuration.zone(*of)
    if cohort != EVERYBODY:
        schedule, zone = schedule.at_hour(cohort.hour), cohort.zone
    listed = partial(occurrences.listing, newsletter=of.newsletter, due_before=until + LONGEST_DATE, limit=_MOST)
    rows = store.read(listed, states=_OPEN)
    if cohort != EVERYBODY:
        sent = store.read(
            listed, stream=of.stream, states=[OccurrenceState.SENT], due_from=now - LONGEST_DATE, turns_only=True
        )
        rows = [*rows, *sent]
    for row in reversed(rows):
        if row.stream is of.stream or row.state is OccurrenceState.SENDING:
            yield row.name
    for turn in turns_between(schedule, zone, now, until):
        if store.read(occurrences.find, *of, turn.occurrence) is None:
            yield EditionName(of.newsletter, turn.occurrence, stream=of.stream)


def _coming(name: str, answer: Answer, zone: ZoneInfo) -> Coming:
    assert answer.due_at is not None  # of every occurrence that is to come
    return Coming(
        name,
        answer.edition,
        answer.due_at,
        answer.due_at.astimezone(zone).isoformat(timespec="minutes"),
        answer.outcome,
        answer.reason,
        answer.sentence,
        answer.preferences,
    )
