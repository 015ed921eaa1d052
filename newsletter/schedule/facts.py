"""What is known of one reader and one edition, read from the store; for what is still open the predicate that will
decide is asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from newsletter.cohort import EVERYBODY, Cohort
from newsletter.compose.keys import has_stories
from newsletter.config.reading import Configuration
from newsletter.deliver.configured import staging_addresses
from newsletter.errors import UsageError
from newsletter.members.addresses import address_hashes
from newsletter.model import (
    DeliveryState,
    EditionName,
    OccurrenceState,
    Reason,
    Stream,
    Subscriber,
    Subscription,
)
from newsletter.schedule.cohorts import Cohorts, due_on
from newsletter.schedule.preferences import Preferences, preferences_of
from newsletter.schedule.turns import turns
from newsletter.schedule.words import LET_GO
from newsletter.store import (
    Store,
    audit,
    consents,
    deliveries,
    editions,
    moves,
    occurrences,
    subscribers,
    subscriptions,
    suppressions,
)
from newsletter.store.audit import AuditRow
from newsletter.store.consent_check import verdict_before_delivery
from newsletter.store.consents import Consent
from newsletter.store.deliveries import DeliveryRow
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.subscriptions import encode_sections
from newsletter.store.suppressions import SuppressionRow

_S = OccurrenceState


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one reader and one edition. ``verdict`` is what claiming would decide at its time, or now where
    that is past; ``recipients_at`` when the last delivery of the edition was made, None before; ``due_at`` is the
    occurrence's, its turn's, or that of her ``cohort``, whose zone then is ``zone``; ``without`` is why that has no
    edition, ``let_go`` who let it go when it was too late for that, where somebody had to. ``targeted``: the newsletter
    has a target. ``preferences`` are those of her delivery, or hers now where there is none."""

    address: str
    edition: EditionName
    zone: ZoneInfo
    due_at: datetime
    now: datetime
    occurrence: OccurrenceRow | None = None
    delivery: DeliveryRow | None = None
    verdict: Reason = Reason.NOT_SUBSCRIBED
    known: bool = False
    subscription: Subscription | None = None
    suppressed: tuple[SuppressionRow, ...] = ()
    history: tuple[Consent, ...] = ()
    recipients_at: datetime | None = None
    preferences: Preferences | None = None
    cohort: Cohort = EVERYBODY
    without: Reason = Reason.NONE
    let_go: AuditRow | None = None
    targeted: bool = False


def facts_of(configuration: Configuration, store: Store, address: str, edition: EditionName, now: datetime) -> Facts:
    """Everything the answer depends on. Raises UsageError where there is no such edition."""
    name = edition.newsletter
    row = store.read(occurrences.find, *edition.of, edition.occurrence)
    configured = name in configuration.schedules.newsletters
    if row is None:
        configuration.named(edition.of)
    zone = ZoneInfo(configuration.zone(*edition.of) if configured else configuration.schedules.site.timezone)
    person = store.read(subscribers.by_address, address)
    cohort = _cohort_of(configuration, store, row, edition, person) if configured else EVERYBODY
    due_at = _due_at(configuration, row, edition, cohort)
    if cohort != EVERYBODY:
        zone = ZoneInfo(cohort.zone)
    if person is None:
        hashes = address_hashes(address, configuration.site_keys)
        stands = tuple(store.read(suppressions.entries_of, hashes))
        return Facts(address, edition, zone, due_at, now, occurrence=row, suppressed=stands, cohort=cohort)
    only, then = staging_addresses(configuration), max(now, due_at)
    delivery = _delivery_of(store, edition, person)
    if delivery is not None:
        verdict = store.read(deliveries.verdict_now, delivery.id, then, only, configuration.targets)
    else:
        targeting = configuration.targets.of(name)
        verdict = store.read(verdict_before_delivery, person.id, name, then, only, targeting, due_at)
    composed = store.read(editions.for_occurrence, row.id) if row is not None else []
    if cohort != EVERYBODY and not edition.occurrence.correction:
        composed = [one for one in composed if one.cohort == str(cohort)]
    made = [one.fanned_out_at for one in composed]
    without = composed[0].reason if composed else Reason.NONE
    past = row is not None and row.state in (_S.SENDING, _S.SENT) and due_at <= now
    if cohort != EVERYBODY and not composed and past:  # nobody was at this hour then, or nothing was running
        made, without = [due_at], Reason.MISSED
    recipients_at = max((at for at in made if at is not None), default=None) if all(made) else None
    subscription = store.read(subscriptions.one, person.id, name)
    if verdict is Reason.NONE and delivery is None and subscription is not None and not edition.occurrence.correction:
        # At one time for all, she gets it who has its stream as its deliveries are made.
        counts_at = min(due_at, now) if cohort != EVERYBODY else recipients_at or now
        asked_for = _asked_for(store, subscription, counts_at)
        if configured and configuration.stream_of(name, asked_for) is not edition.stream:
            verdict = Reason.STREAM_CHANGED
        elif cohort != EVERYBODY and not store.read(moves.where_they_stand, name, [person.id], due_at):
            verdict = Reason.NOT_SUBSCRIBED  # when her hour came
    is_composed = row is not None and row.state is not _S.PLANNED
    pool = next((one.edition for one in composed if is_composed and one.edition.article_ids), None)
    if configured and verdict is Reason.NONE and delivery is None and subscription is not None and pool is not None:
        stored = encode_sections(subscription.sections)
        if not edition.occurrence.correction and not has_stories(stored, configuration.of(edition), pool):
            verdict = Reason.NO_STORIES
    preferences = None
    if configured:
        preferences = preferences_of(configuration, store, edition.of, person, subscription, delivery, pool)
    to_be_made = delivery is not None or recipients_at is None
    if verdict is Reason.NONE and to_be_made and _nothing_left(configuration, edition, delivery, preferences):
        verdict = Reason.ALL_HAD
    entries = store.read(consents.history, person.id)
    return Facts(
        address,
        edition,
        zone,
        due_at,
        now,
        occurrence=row,
        delivery=delivery,
        verdict=verdict,
        known=True,
        subscription=subscription,
        history=tuple(entry for entry in entries if entry.newsletter in ("", name)),
        recipients_at=recipients_at,
        cohort=cohort,
        without=without,
        let_go=_let_go(configuration, store, edition, due_at) if without is Reason.MISSED and configured else None,
        targeted=configuration.targets.of(name) is not None,
        preferences=preferences,
    )


def _delivery_of(store: Store, edition: EditionName, person: Subscriber) -> DeliveryRow | None:
    found = store.read(
        deliveries.listing,
        newsletter=edition.newsletter,
        stream=edition.stream,
        occurrence=str(edition.occurrence),
        subscriber_id=person.id,
        limit=1,
    )
    return found[0] if found else None


def _asked_for(store: Store, subscription: Subscription, at: datetime) -> Stream:
    """The stream that she had asked for then, as far back as changes are kept."""
    later = store.read(moves.of_readers, subscription.newsletter, [subscription.subscriber_id], at)
    changes = later.get(subscription.subscriber_id, ())
    return changes[0].place.stream if changes else subscription.stream


def _nothing_left(
    configuration: Configuration, edition: EditionName, delivery: DeliveryRow | None, preferences: Preferences | None
) -> bool:
    """Whether leaving out what she had elsewhere will leave nothing, as it is decided when her mail first sets out."""
    if edition.occurrence.correction or preferences is None or not preferences.carried:
        return False
    sets_out = delivery is None or (delivery.state is DeliveryState.QUEUED and not delivery.attempt)
    return sets_out and preferences.stories == 0 and configuration.of(edition).when_empty == "skip"


def _let_go(configuration: Configuration, store: Store, edition: EditionName, due_at: datetime) -> AuditRow | None:
    """Who first let an edition go, where its catch_up was over already; None where nobody had to, or in time."""
    acts = store.read(audit.listing, subject=str(edition))
    first = next((one for one in reversed(acts) if one.action in LET_GO), None)
    return first if first is not None and first.at > due_at + configuration.of(edition).catch_up else None


def _cohort_of(
    configuration: Configuration,
    store: Store,
    row: OccurrenceRow | None,
    edition: EditionName,
    person: Subscriber | None,
) -> Cohort:
    """The cohort whose edition is, was or would be hers; the newsletter's own where nothing of hers says which."""
    own = configuration.own_cohort(*edition.of)
    if own == EVERYBODY or person is None:
        return own
    if row is not None:
        delivery = _delivery_of(store, edition, person)
        if delivery is not None and delivery.cohort:
            return Cohort.parse(delivery.cohort)
        hers = Cohorts(configuration, store).cohort_of_reader(row, person.id)
        if hers is not None:
            return hers
    held = store.read(subscriptions.one, person.id, edition.newsletter)
    return configuration.cohort_of(*edition.of, person.timezone, held.hour if held is not None else "")


def _due_at(configuration: Configuration, row: OccurrenceRow | None, edition: EditionName, cohort: Cohort) -> datetime:
    if row is not None and (cohort == EVERYBODY or row.by_hand):
        return row.due_at
    if cohort == EVERYBODY:
        return _turn_of(configuration, edition)
    schedule = configuration.of(edition).schedule
    due = due_on(schedule, cohort, edition.occurrence.local_date)
    if due is not None:
        return due
    return row.due_at if row is not None else _turn_of(configuration, edition)


def _turn_of(configuration: Configuration, edition: EditionName) -> datetime:
    of, occurrence = edition.of, edition.occurrence
    schedule, zone = configuration.named(of).schedule, configuration.zone(*of)
    for turn in turns(schedule, zone, occurrence.local_date, occurrence.local_date):
        if turn.occurrence == occurrence:
            return turn.utc
    raise UsageError(
        f"there is no edition {of}@{occurrence}, and the schedule has no such turn",
        remedy=f"`newsletter editions list {of}` and `newsletter schedule {of}` show what there is",
    )
