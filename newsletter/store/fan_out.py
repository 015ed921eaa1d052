"""Subscriptions -> deliveries in ``queued``, set-wise, in keyset pages that a restart resumes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    and_,
    case,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.sql import ColumnElement

from newsletter.model import (
    DeliveryState,
    Kind,
    Priority,
    Reason,
    SubscriptionState,
)
from newsletter.store import warming_up
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.planning import by_key_in_transaction, refresh_statistics
from newsletter.store.reader_language import reader_language
from newsletter.store.tables import (
    deliveries,
    editions,
    subscribers,
    subscriptions,
)
from newsletter.store.targeting import condition, count
from newsletter.store.warming_up import WarmUp
from newsletter.target import Targeting


def fan_out_page(
    connection: Connection,
    edition_id: int,
    *,
    languages: Sequence[str],
    expires_at: datetime,
    now: datetime,
    limit: int = 1000,
    has_stories: Callable[[str], bool] = lambda _sections: True,
    warm_up: WarmUp | None = None,
    targeting: Targeting | None = None,
) -> int:
    """Make the next page of an edition's deliveries and remember how far it went; the number of subscribers seen.

    0 means that everyone has a row. ``languages`` are those of the newsletter, its own first. ``has_stories`` says of
    a subscription's ``sections`` whether the edition holds anything for them; where it does not, the row is ``skipped``
    with its reason. While its From domain warms up (``warm_up``), the readers beyond the day's number are skipped:
    those who joined last, as pages go by the subscribers' numbers. Who is not in the newsletter's target
    (``targeting``) gets no row; she is seen all the same, so that a page takes no longer where few are in it.
    """
    by_key_in_transaction(connection)
    edition = connection.execute(select(editions).where(editions.c.id == edition_id)).one()
    page = (
        select(subscriptions.c.subscriber_id)
        .where(
            gets(edition.newsletter, edition.stream),
            subscriptions.c.subscriber_id > edition.fanned_out_after,
        )
        .order_by(subscriptions.c.subscriber_id)
        .limit(limit)
        .subquery()
    )
    seen, last = connection.execute(select(func.count(), func.max(page.c.subscriber_id))).one()
    if seen:
        within = subscriptions.c.subscriber_id.between(edition.fanned_out_after + 1, last)
        _insert_rows(
            connection,
            edition,
            within,
            languages=languages,
            due_at=edition.due_at,
            expires_at=expires_at,
            now=now,
            has_stories=has_stories,
            warm_up=warm_up,
            these=None if targeting is None else condition(targeting),
        )
        if not edition.fanned_out_after:
            refresh_statistics(connection, deliveries.name, subscribers.name, subscriptions.name)
    connection.execute(
        update(editions)
        .where(editions.c.id == edition_id)
        .values(fanned_out_after=last or edition.fanned_out_after, fanned_out_at=None if seen else now)
    )
    return int(seen)


def add_recipients(
    connection: Connection,
    edition_id: int,
    subscriber_ids: Collection[int],
    *,
    languages: Sequence[str],
    expires_at: datetime,
    now: datetime,
    has_stories: Callable[[str], bool] = lambda _sections: True,
    targeting: Targeting | None = None,
) -> int:
    """Make the deliveries of an edition for these subscribers only, due now (``send --to``); the number of new rows.

    The row of one who is not in the newsletter's target is ``skipped``: somebody asked for her by name.
    """
    edition = connection.execute(select(editions).where(editions.c.id == edition_id)).one()
    chosen = subscriptions.c.subscriber_id.in_(subscriber_ids)
    return _insert_rows(
        connection,
        edition,
        chosen,
        languages=languages,
        due_at=now,
        expires_at=expires_at,
        now=now,
        has_stories=has_stories,
        outside=None if targeting is None else not_(condition(targeting)),
    )


def count_readers(connection: Connection, newsletter: str, stream: str, targeting: Targeting | None = None) -> int:
    """How many deliveries an occurrence would have if it were fanned out now."""
    return count(connection, gets(newsletter, stream), targeting).readers


def gets(newsletter: str, stream: str) -> ColumnElement[bool]:
    """Who gets a stream: what fans out and what counts beforehand ask the same."""
    return and_(
        subscriptions.c.newsletter == newsletter,
        subscriptions.c.stream == stream,
        subscriptions.c.state == SubscriptionState.ACTIVE.value,
    )


def _insert_rows(
    connection: Connection,
    edition: Row[Any],
    which: ColumnElement[bool],
    *,
    languages: Sequence[str],
    due_at: datetime,
    expires_at: datetime,
    now: datetime,
    has_stories: Callable[[str], bool],
    warm_up: WarmUp | None = None,
    these: ColumnElement[bool] | None = None,
    outside: ColumnElement[bool] | None = None,
) -> int:
    """Rows for ``which`` of the stream's readers: none but for ``these``, and skipped for those ``outside``."""
    wanted = and_(gets(edition.newsletter, edition.stream), which, true() if these is None else these)
    readers = subscriptions.join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
    chosen = (
        connection.execute(select(subscriptions.c.sections).select_from(readers).where(wanted).distinct())
        .scalars()
        .all()
    )
    without = subscriptions.c.sections.in_([sections for sections in chosen if not has_stories(sections)])
    skipping: list[tuple[ColumnElement[bool], str]] = [(without, Reason.NO_STORIES.value)]
    if outside is not None:
        skipping.insert(0, (outside, Reason.NOT_TARGETED.value))
    if warm_up is not None:
        place = func.sum(case((without, 0), else_=1)).over(order_by=subscriptions.c.subscriber_id)
        skipping.append((place > warming_up.left(connection, warm_up), Reason.WARM_UP.value))
    values: dict[str, ColumnElement[Any]] = {
        "occurrence_id": literal(edition.occurrence_id),
        "edition_id": literal(edition.id),
        "newsletter": literal(edition.newsletter),
        "stream": literal(edition.stream),
        "occurrence": literal(edition.occurrence),
        "cohort": literal(edition.cohort),
        "subscriber_id": subscriptions.c.subscriber_id,
        "kind": literal(Kind.EDITION.value),
        "priority": literal(int(Priority.EDITION)),
        "state": case(
            (or_(*(why for why, _ in skipping)), DeliveryState.SKIPPED.value), else_=DeliveryState.QUEUED.value
        ),
        "reason": case(*skipping, else_=""),
        "due_at": literal(due_at, deliveries.c.due_at.type),
        "expires_at": literal(expires_at, deliveries.c.expires_at.type),
        "domain_group": subscribers.c.domain_group,
        "zone": literal(edition.zone),
        "hour": literal(edition.hour),
        "plan": subscribers.c.plan,
        "format": subscriptions.c.format,
        "rendered_key": reader_language(languages) + "/" + subscribers.c.plan,
        "sections": subscriptions.c.sections,
        "changed_at": literal(now, deliveries.c.changed_at.type),
    }
    source = (
        select(*(value.label(name) for name, value in values.items()))
        .select_from(readers)
        .where(wanted)
        .order_by(subscriptions.c.subscriber_id)
    )
    statement = insert_ignoring_conflicts(connection, deliveries).from_select(list(values), source)
    made = connection.execute(statement).rowcount
    if warm_up is not None:
        warming_up.count(connection, warm_up, edition.id, which)
    return made
