"""The people: one row a subscriber, found by address or id, listed by keyset pages.

Rows come in from ``members`` already parsed (addresses lower-cased, names one line); nothing here checks them again.
An erased subscriber keeps her row, so that the ledger still adds up, but nothing in it is hers any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, func, or_, select, update

from newsletter.model import DeliveryState, Reason, Subscriber, SubscriptionState
from newsletter.store import moves
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.tables import consents, deliveries, mailed_links, subscribers, subscriptions
from newsletter.store.tables import moves as moves_table
from newsletter.target import tags_in, traits

ERASED_DOMAIN = "erased.invalid"


@dataclass(frozen=True, slots=True)
class NewSubscriber:
    """What a subscriber's row is made of. ``address_hash`` is under the current site key."""

    address: str
    address_hash: str
    domain_group: str
    secret: bytes = field(repr=False)
    created_at: datetime
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    timezone: str = ""
    plan: str = "free"
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """The columns of a subscriber that an import may correct."""

    subscriber_id: int
    first_name: str
    last_name: str
    language: str
    timezone: str
    plan: str
    tags: tuple[str, ...]
    attributes: Mapping[str, str]


def add_many(connection: Connection, rows: Sequence[NewSubscriber]) -> None:
    """Make subscribers; an address that exists already is left as it is."""
    if not rows:
        return
    connection.execute(
        insert_ignoring_conflicts(connection, subscribers),
        [
            {
                "address": row.address,
                "address_hash": row.address_hash,
                "domain_group": row.domain_group,
                "first_name": row.first_name,
                "last_name": row.last_name,
                "language": row.language,
                "timezone": row.timezone,
                "plan": row.plan,
                "traits": traits(row.tags, row.attributes),
                "attributes": dict(row.attributes),
                "secret": row.secret,
                "created_at": row.created_at,
            }
            for row in rows
        ],
    )


def by_id(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """The subscriber, also one that was erased; None where there never was one."""
    row = connection.execute(select(subscribers).where(subscribers.c.id == subscriber_id)).first()
    return _subscriber(row) if row else None


def by_address(connection: Connection, address: str) -> Subscriber | None:
    """The subscriber with this parsed address, or None."""
    return by_addresses(connection, [address]).get(address)


def by_addresses(connection: Connection, addresses: Sequence[str]) -> dict[str, Subscriber]:
    """Those of at most some thousand parsed addresses that are known, by address."""
    if not addresses:
        return {}
    rows = connection.execute(select(subscribers).where(subscribers.c.address.in_(addresses)))
    return {row.address: _subscriber(row) for row in rows}


def address_hashes(connection: Connection, subscriber_ids: Sequence[int]) -> dict[int, str]:
    """The keyed hash of each subscriber's address, by which suppressions know her."""
    if not subscriber_ids:
        return {}
    rows = connection.execute(
        select(subscribers.c.id, subscribers.c.address_hash).where(subscribers.c.id.in_(subscriber_ids))
    )
    return {row.id: row.address_hash for row in rows}


def page(
    connection: Connection,
    *,
    after: int = 0,
    limit: int = 500,
    newsletter: str | None = None,
    state: SubscriptionState | None = None,
    plan: str | None = None,
    domain_group: str | None = None,
    search: str | None = None,
) -> list[Subscriber]:
    """The next ``limit`` subscribers with an id above ``after``, in order of id, without the erased.

    ``newsletter`` and ``state`` ask for a subscription of that kind (state alone: to any newsletter);
    ``search`` is a part of the address.
    """
    query = _filtered(select(subscribers), newsletter, state, plan, domain_group, search)
    query = query.where(subscribers.c.id > after).order_by(subscribers.c.id).limit(limit)
    return [_subscriber(row) for row in connection.execute(query)]


def before(connection: Connection, subscriber_id: int, *, newsletter: str) -> Subscriber | None:
    """The active reader of ``newsletter`` with the highest id below this one."""
    query = _filtered(select(subscribers), newsletter, SubscriptionState.ACTIVE, None, None, None)
    query = query.where(subscribers.c.id < subscriber_id).order_by(subscribers.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return _subscriber(row) if row else None


def count(
    connection: Connection,
    *,
    newsletter: str | None = None,
    state: SubscriptionState | None = None,
    plan: str | None = None,
    domain_group: str | None = None,
    search: str | None = None,
) -> int:
    """How many ``page`` would list in all."""
    query = _filtered(select(func.count()).select_from(subscribers), newsletter, state, plan, domain_group, search)
    return int(connection.execute(query).scalar_one())


def update_profiles(connection: Connection, profiles: Sequence[Profile], at: datetime) -> None:
    """Write corrected profiles, in order of id so that two writers cannot wait for each other in a circle."""
    if not profiles:
        return
    zones = {profile.subscriber_id: profile.timezone for profile in profiles}
    were = connection.execute(select(subscribers.c.id, subscribers.c.timezone).where(subscribers.c.id.in_(zones)))
    elsewhere = sorted(row.id for row in were.all() if row.timezone != zones[row.id])
    connection.execute(
        update(subscribers)
        .where(subscribers.c.id == bindparam("the_id"))
        .values(
            {
                name: bindparam(f"new_{name}")
                for name in ("first_name", "last_name", "language", "timezone", "plan", "traits", "attributes")
            }
        ),
        [
            {
                "the_id": profile.subscriber_id,
                "new_first_name": profile.first_name,
                "new_last_name": profile.last_name,
                "new_language": profile.language,
                "new_timezone": profile.timezone,
                "new_plan": profile.plan,
                "new_traits": traits(profile.tags, profile.attributes),
                "new_attributes": dict(profile.attributes),
            }
            for profile in sorted(profiles, key=lambda profile: profile.subscriber_id)
        ],
    )
    for subscriber_id in elsewhere:
        moves.change_zone(connection, subscriber_id, zones[subscriber_id], at)


def speak(connection: Connection, subscriber_id: int, language: str) -> bool:
    """Write the language a subscriber wants; False where it is hers already."""
    changed = connection.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber_id, subscribers.c.language != language, subscribers.c.erased_at.is_(None))
        .values(language=language)
    )
    return changed.rowcount == 1


def live_in(connection: Connection, subscriber_id: int, timezone: str, at: datetime) -> bool:
    """Write the time zone of a subscriber, '' for none; False where it is hers already."""
    changed = connection.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber_id, subscribers.c.timezone != timezone, subscribers.c.erased_at.is_(None))
        .values(timezone=timezone)
    )
    if changed.rowcount:
        moves.change_zone(connection, subscriber_id, timezone, at)
    return changed.rowcount == 1


def lock(connection: Connection, subscriber_id: int) -> None:
    """Hold the subscriber's row until the transaction ends.

    Whoever withdraws consent does this first. On PostgreSQL a sender's claim takes FOR SHARE on the row, which FOR NO
    KEY UPDATE excludes: a claim comes before this, or sees what it commits. On SQLite the one writing transaction is
    lock enough.
    """
    if connection.dialect.name == "postgresql":
        row = select(subscribers.c.id).where(subscribers.c.id == subscriber_id)
        connection.execute(row.with_for_update(key_share=True))


def erase(connection: Connection, subscriber_id: int, secret: bytes, at: datetime) -> None:
    """Delete everything personal about a subscriber; ``secret`` (32 fresh random bytes) makes her old links void.

    Her rows in the delivery ledger stay, without what a relay answered (replies quote addresses); what is queued is
    skipped. The caller writes the suppression first: afterwards her address and its hash are no longer known here.
    """
    connection.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber_id)
        .values(
            address=f"{subscriber_id}@{ERASED_DOMAIN}",
            address_hash=f"erased-{subscriber_id}",
            domain_group="",
            first_name="",
            last_name="",
            language="",
            timezone="",
            plan="free",
            traits="",
            attributes={},
            secret=secret,
            erased_at=at,
        )
    )
    connection.execute(delete(subscriptions).where(subscriptions.c.subscriber_id == subscriber_id))
    connection.execute(delete(mailed_links).where(mailed_links.c.subscriber_id == subscriber_id))
    connection.execute(delete(moves_table).where(moves_table.c.subscriber_id == subscriber_id))
    connection.execute(
        update(consents).where(consents.c.subscriber_id == subscriber_id).values(client="", detail="", wording="")
    )
    hers = select(deliveries.c.id).where(deliveries.c.subscriber_id == subscriber_id)
    # A claim locks deliveries, then subscribers; waiting here for a delivery would close the circle. A row that is
    # just being claimed is skipped by the claim itself, which waits for us and then sees erased_at.
    queued = hers.where(deliveries.c.state == DeliveryState.QUEUED).with_for_update(skip_locked=True)
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(queued))
        .values(state=DeliveryState.SKIPPED, reason=Reason.ERASED, changed_at=at)
    )
    forget_replies(connection, at - timedelta(seconds=1), subscriber_id)


def forget_replies(connection: Connection, since: datetime, subscriber_id: int | None = None) -> int:
    """Empty what relays answered about those erased after ``since`` (or about this one), and what else tells of her,
    in rows that no sender holds; how many.

    What is on the wire while somebody is erased is recorded afterwards, so this is done again later.
    """
    erased = select(subscribers.c.id).where(subscribers.c.erased_at > since)
    if subscriber_id is not None:
        erased = erased.where(subscribers.c.id == subscriber_id)
    told = [deliveries.c[name] != "" for name in ("reply", "zone", "hour", "domain_group", "sections", "targets")]
    over = select(deliveries.c.id).where(
        deliveries.c.subscriber_id.in_(erased),
        deliveries.c.state.not_in([DeliveryState.QUEUED, DeliveryState.SENDING]),
        or_(*told),
    )
    emptied = connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(over))
        .values(reply="", cohort="", zone="", hour="", domain_group="", sections="", targets="", had="")
    )
    return emptied.rowcount


def _filtered(
    query: Select[Any],
    newsletter: str | None,
    state: SubscriptionState | None,
    plan: str | None,
    domain_group: str | None,
    search: str | None,
) -> Select[Any]:
    query = query.where(subscribers.c.erased_at.is_(None))
    if newsletter is not None or state is not None:
        wanted = [subscriptions.c.subscriber_id == subscribers.c.id]
        if newsletter is not None:
            wanted.append(subscriptions.c.newsletter == newsletter)
        if state is not None:
            wanted.append(subscriptions.c.state == state)
        query = query.where(select(subscriptions.c.subscriber_id).where(and_(*wanted)).exists())
    if plan is not None:
        query = query.where(subscribers.c.plan == plan)
    if domain_group is not None:
        query = query.where(subscribers.c.domain_group == domain_group)
    if search is not None:
        query = query.where(subscribers.c.address.contains(search.lower(), autoescape=True))
    return query


def _subscriber(row: Row[Any]) -> Subscriber:
    columns = row._mapping
    return Subscriber(
        id=columns["id"],
        address=columns["address"],
        first_name=columns["first_name"],
        last_name=columns["last_name"],
        language=columns["language"],
        timezone=columns["timezone"],
        plan=columns["plan"],
        secret=bytes(columns["secret"]),
        created_at=columns["created_at"],
        erased_at=columns["erased_at"],
        tags=tags_in(columns["traits"]),
        attributes=columns["attributes"],
    )
