"""The whole audience of an edition as claiming would see it now, page by page, and nothing written: for a rehearsal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, func, literal, select, true

from newsletter.model import DeliveryState, Kind, MailFormat, Reason, RenderedKey, Stream
from newsletter.store.consent_check import verdict
from newsletter.store.fan_out import gets
from newsletter.store.moves import Place, stands_at
from newsletter.store.planning import by_key_in_transaction
from newsletter.store.reader_language import reader_language
from newsletter.store.tables import deliveries, occurrences, subscribers, subscriptions
from newsletter.store.targeting import condition, digests
from newsletter.target import NO_TARGETS, Targets


@dataclass(frozen=True, slots=True)
class Addressee:
    """One subscriber of a stream; ``verdict`` says why she would not be mailed, NONE where she would."""

    subscriber_id: int
    address: str
    first_name: str
    last_name: str
    secret: bytes
    domain_group: str
    timezone: str
    sections: str
    format: MailFormat
    rendered_key: RenderedKey
    targets: str
    verdict: Reason


@dataclass(frozen=True, slots=True)
class LastSent:
    """The last occurrence that went out: its name, when it was due, and how many deliveries stand in each state."""

    occurrence: str
    due_at: datetime
    deliveries: Mapping[str, int]


def page(
    connection: Connection,
    newsletter: str,
    stream: Stream,
    asked_for: Collection[Stream],
    *,
    after: int,
    limit: int,
    languages: Sequence[str],
    plans: Sequence[str],
    now: datetime,
    only_addresses: Collection[str] | None,
    targets: Targets = NO_TARGETS,
    places: Collection[Place] = (),
) -> list[Addressee]:
    """The next subscribers by number after ``after``, those in the newsletter's target; none when everyone was seen.

    Of a cohort, those who stand at one of its ``places``.
    """
    by_key_in_transaction(connection)
    targeting = targets.of(newsletter)
    plan = case((subscribers.c.plan.in_(plans), subscribers.c.plan), else_=literal(plans[0]))
    statement = (
        select(
            subscribers.c.id,
            subscribers.c.address,
            subscribers.c.first_name,
            subscribers.c.last_name,
            subscribers.c.secret,
            subscribers.c.domain_group,
            subscribers.c.timezone,
            subscriptions.c.sections,
            subscriptions.c.format,
            (reader_language(languages) + "/" + plan).label("key"),
            digests(targets.of_promotions(newsletter)).label("targets"),
            verdict(now, only_addresses, literal(Kind.EDITION.value)).label("verdict"),
        )
        .join_from(subscriptions, subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(
            gets(newsletter, stream.value, asked_for),
            subscriptions.c.subscriber_id > after,
            true() if targeting is None else condition(targeting),
            stands_at(places) if places else true(),
        )
        .order_by(subscriptions.c.subscriber_id)
        .limit(limit)
    )
    return [
        Addressee(
            row.id,
            row.address,
            row.first_name,
            row.last_name,
            row.secret,
            row.domain_group,
            row.timezone,
            row.sections,
            MailFormat(row.format),
            RenderedKey.parse(row.key),
            row.targets,
            Reason(row.verdict),
        )
        for row in connection.execute(statement)
    ]


def last_sent(connection: Connection, newsletter: str, stream: Stream) -> LastSent | None:
    """The occurrence that went out last, None where none has."""
    latest = connection.execute(
        select(occurrences.c.id, occurrences.c.occurrence, occurrences.c.due_at)
        .where(
            occurrences.c.newsletter == newsletter,
            occurrences.c.stream == stream.value,
            occurrences.c.state == "sent",
            occurrences.c.local_date.is_not(None),
        )
        .order_by(occurrences.c.due_at.desc(), occurrences.c.id.desc())
        .limit(1)
    ).one_or_none()
    if latest is None:
        return None
    counted = connection.execute(
        select(deliveries.c.state, func.count().label("number"))
        .where(deliveries.c.occurrence_id == latest.id)
        .group_by(deliveries.c.state)
    )
    states = dict.fromkeys((state.value for state in DeliveryState), 0)
    return LastSent(latest.occurrence, latest.due_at, states | {row.state: row.number for row in counted})
