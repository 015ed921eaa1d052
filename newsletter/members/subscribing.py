"""People whose consent the publisher already has (the CLI, an import) -> confirmed subscriptions, many at a time.

Nobody comes back by this path: an address that is suppressed, or a subscription that was ended, stays as it is and is
reported. A few statements serve a whole batch, so that the store's one writer is not held for long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from secrets import token_bytes

from sqlalchemy import Connection

from newsletter.domain_groups import domain_group
from newsletter.errors import StoreError
from newsletter.members.consent import Evidence
from newsletter.model import (
    ConsentAction,
    ConsentChannel,
    MailFormat,
    Reason,
    Stream,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.store import consents, subscribers, subscriptions, suppressions
from newsletter.store.consents import Consent
from newsletter.store.subscribers import NewSubscriber, Profile
from newsletter.store.suppressions import Withdrawal

SECRET_BYTES = 32
new_secret: Callable[[], bytes] = partial(token_bytes, SECRET_BYTES)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One newsletter for somebody, and how. ``sections`` empty, ``hour`` '': the newsletter's own."""

    newsletter: str
    sections: tuple[str, ...] = ()
    format: MailFormat = MailFormat.HTML
    hour: str = ""
    stream: Stream = Stream.EACH


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Somebody to subscribe. ``address`` is parsed, ``address_hashes`` are under every site key, the current first.

    '' in a profile's field says nothing about it: what is stored stays. So does None for ``tags``, which otherwise are
    all that she has; of ``attributes``, those named are set, and taken away where the value is ''.
    """

    address: str
    address_hashes: tuple[str, ...]
    wanted: tuple[Wanted, ...] = ()
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    timezone: str = ""
    plan: str = ""
    tags: tuple[str, ...] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What came of one enrolment. ``subscriber_id`` is 0 for a suppressed address; newsletters stand by name."""

    address: str
    subscriber_id: int = 0
    created: bool = False
    corrected: bool = False
    subscribed: tuple[str, ...] = ()
    already: tuple[str, ...] = ()
    ended_before: tuple[str, ...] = ()
    suppressed: frozenset[SuppressionScope] = frozenset()


def subscribe(
    connection: Connection,
    enrolments: Sequence[Enrolment],
    evidence: Evidence,
    make_secret: Callable[[], bytes] = new_secret,
) -> list[Enrolled]:
    """Make or correct subscribers and give them the newsletters they want, in one transaction; one result for each.

    Preferences apply to subscriptions made here: those of an existing one are the reader's own and stay. A profile's
    filled fields replace what is stored. At most some hundred at a time.
    """
    hashes = [address_hash for one in enrolments for address_hash in one.address_hashes]
    scopes = suppressions.scopes_of(connection, hashes)
    suppressed = {
        one.address: frozenset(scope for found in one.address_hashes for scope in scopes.get(found, ()))
        for one in enrolments
    }
    welcome = [one for one in enrolments if not suppressed[one.address]]
    known = subscribers.by_addresses(connection, [one.address for one in welcome])
    created = _create(connection, welcome, known, evidence, make_secret)
    people = known | created
    existing = {
        (one.subscriber_id, one.newsletter): one.state
        for found in subscriptions.of_many(connection, [person.id for person in people.values()]).values()
        for one in found
    }
    results: list[Enrolled] = []
    made: list[Subscription] = []
    entries: list[Consent] = []
    corrected: dict[int, Subscriber] = {}
    changed: dict[int, Reason] = {}
    announced: set[str] = set()
    for one in enrolments:
        if suppressed[one.address]:
            results.append(Enrolled(one.address, suppressed=suppressed[one.address]))
            continue
        person = people[one.address]
        person = corrected.get(person.id, person)
        after = _corrected(person, one)
        if after != person:
            corrected[person.id] = after
            if one.address in known and (reason := _change(person, after)) is not Reason.NONE:
                changed.setdefault(person.id, reason)
        subscribed, already, ended = [], [], []
        for want in one.wanted:
            state = existing.get((person.id, want.newsletter))
            if state is SubscriptionState.ACTIVE:
                already.append(want.newsletter)
            elif state is SubscriptionState.UNSUBSCRIBED:
                ended.append(want.newsletter)
            elif state is SubscriptionState.PENDING:
                subscriptions.activate(connection, person.id, want.newsletter, evidence.at)
                subscribed.append(want.newsletter)
            else:
                active = SubscriptionState.ACTIVE
                made.append(
                    Subscription(
                        person.id,
                        want.newsletter,
                        active,
                        sections=want.sections,
                        hour=want.hour,
                        stream=want.stream,
                        format=want.format,
                    )
                )
                subscribed.append(want.newsletter)
            existing.setdefault((person.id, want.newsletter), SubscriptionState.ACTIVE)
        action = ConsentAction.IMPORTED if evidence.channel is ConsentChannel.IMPORT else ConsentAction.SUBSCRIBED
        entries.extend(evidence.of(person.id, action, newsletter) for newsletter in subscribed)
        results.append(
            Enrolled(
                one.address,
                person.id,
                created=one.address in created and one.address not in announced,
                corrected=after != person,
                subscribed=tuple(subscribed),
                already=tuple(already),
                ended_before=tuple(ended),
            )
        )
        announced.add(one.address)
    subscribers.update_profiles(connection, [_profile(person) for person in corrected.values()], evidence.at)
    subscriptions.add_many(connection, made, evidence.at)
    consents.record(connection, entries)
    withdrawals = [Withdrawal(subscriber_id, "", reason) for subscriber_id, reason in changed.items()]
    suppressions.revoke(connection, withdrawals, evidence.at)
    return results


def _create(
    connection: Connection,
    welcome: Sequence[Enrolment],
    known: dict[str, Subscriber],
    evidence: Evidence,
    make_secret: Callable[[], bytes],
) -> dict[str, Subscriber]:
    fresh: dict[str, Enrolment] = {}
    for one in welcome:
        if one.address not in known:
            fresh.setdefault(one.address, one)
    if not fresh:
        return {}
    rows = [
        NewSubscriber(
            address=one.address,
            address_hash=one.address_hashes[0],
            domain_group=domain_group(one.address),
            secret=make_secret(),
            created_at=evidence.at,
            first_name=one.first_name,
            last_name=one.last_name,
            language=one.language,
            timezone=one.timezone,
            plan=one.plan or "free",
            tags=_sorted(one.tags or ()),
            attributes=_set({}, one.attributes),
        )
        for one in fresh.values()
    ]
    subscribers.add_many(connection, rows)
    created = subscribers.by_addresses(connection, list(fresh))
    missing = fresh.keys() - created.keys()
    if missing:
        raise StoreError(f"{len(missing)} subscribers could not be made: their address hashes are taken")
    return created


def _corrected(person: Subscriber, one: Enrolment) -> Subscriber:
    return replace(
        person,
        first_name=one.first_name or person.first_name,
        last_name=one.last_name or person.last_name,
        language=one.language or person.language,
        timezone=one.timezone or person.timezone,
        plan=one.plan or person.plan,
        tags=person.tags if one.tags is None else _sorted(one.tags),
        attributes=_set(person.attributes, one.attributes),
    )


def _sorted(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(tags)))


def _set(stored: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in sorted({**stored, **given}.items()) if value}


def _change(before: Subscriber, after: Subscriber) -> Reason:
    """Why what was claimed for her is claimed anew: it may be another message now, or none."""
    if after.plan != before.plan:
        return Reason.PLAN_CHANGED
    same = (after.tags, after.attributes) == (before.tags, before.attributes)
    return Reason.NONE if same else Reason.PROFILE_CHANGED


def _profile(person: Subscriber) -> Profile:
    return Profile(
        person.id,
        person.first_name,
        person.last_name,
        person.language,
        person.timezone,
        person.plan,
        person.tags,
        person.attributes,
    )
