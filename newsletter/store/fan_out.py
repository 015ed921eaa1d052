"""Subscriptions -> deliveries in ``queued``, set-wise, in keyset pages that a restart resumes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import (
    Connection,
    Row,
    Subquery,
    and_,
    case,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.sql import ColumnElement

from newsletter.model import (
    DeliveryState,
    Kind,
    Priority,
    Reason,
    Stream,
    SubscriptionState,
)
from newsletter.store import moves, warming_up
from newsletter.store.clocks import keep_clocks, other_clocks
from newsletter.store.conflicts import insert_ignoring_conflicts
from newsletter.store.moves import Place, standing
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


class Cohorted(Protocol):
    """What is asked of an edition, or of one that is to be, to know whose it is. ``due_at`` is UTC."""

    @property
    def newsletter(self) -> str: ...
    @property
    def stream(self) -> str: ...
    @property
    def occurrence(self) -> str: ...
    @property
    def cohort(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def fanned_out_after(self) -> int: ...


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
    places: Collection[Place] = (),
    asked_for: Collection[Stream] | None = None,
    moved_since: datetime | None = None,
    clocks: str = "",
) -> int:
    """Make the next page of an edition's deliveries and remember how far it went; the number of subscribers seen.

    0 means that everyone has a row, or that nobody gets one: the edition was given up. ``languages`` are those of the
    newsletter, its own first. ``has_stories`` says of a subscription's ``sections`` whether the edition holds anything
    for them; where it does not, the row is ``skipped`` with its reason. While its From domain warms up (``warm_up``),
    the readers beyond the day's number are skipped: those who joined last, as pages go by the subscribers' numbers. Who
    is not in the newsletter's target (``targeting``) gets no row; she is seen all the same, so that a page takes no
    longer where few are in it. Of a cohort, those get it who stand at one of its ``places`` (``moves``); else those who
    asked for a stream of ``asked_for``, by default the edition's own. The rows of those who moved since ``moved_since``
    say so; where an occurrence since then went out under other ``clocks`` than these, those of everybody.
    """
    by_key_in_transaction(connection)
    edition = connection.execute(select(editions).where(editions.c.id == edition_id)).one()
    if edition.reason or edition.fanned_out_at is not None:
        return 0
    page = _page(edition, places, limit, asked_for)
    seen, last = connection.execute(select(func.count(), func.max(page.c.subscriber_id))).one()
    if seen:
        keep_clocks(connection, edition.occurrence_id, clocks)
        within = (
            subscriptions.c.subscriber_id.in_(select(page.c.subscriber_id))
            if edition.cohort
            else and_(
                gets(edition.newsletter, edition.stream, asked_for),
                subscriptions.c.subscriber_id.between(edition.fanned_out_after + 1, last),
            )
        )
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
            moved=_moved(connection, edition, moved_since, clocks),
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
    moved_since: datetime | None = None,
    clocks: str = "",
) -> int:
    """Make the deliveries of an edition for these subscribers only, due now (``send --to``); the number of new rows.

    The row of one who is not in the newsletter's target is ``skipped``: somebody asked for her by name.
    """
    edition = connection.execute(select(editions).where(editions.c.id == edition_id)).one()
    chosen = subscriptions.c.subscriber_id.in_(subscriber_ids)
    keep_clocks(connection, edition.occurrence_id, clocks)
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
        moved=_moved(connection, edition, moved_since, clocks),
    )


def has_readers(connection: Connection, edition: Cohorted, places: Collection[Place]) -> bool:
    """Whether anybody stands there who would get this edition."""
    page = _page(edition, places, 1)
    return connection.execute(select(page.c.subscriber_id)).first() is not None


def _page(
    edition: Cohorted, places: Collection[Place], limit: int, asked_for: Collection[Stream] | None = None
) -> Subquery:
    """The next readers of an edition by number; a cohort's are looked up place by place, each in the index's order."""
    after = edition.fanned_out_after
    if not edition.cohort:
        everybody = select(subscriptions.c.subscriber_id).where(
            gets(edition.newsletter, edition.stream, asked_for), subscriptions.c.subscriber_id > after
        )
        return everybody.order_by(subscriptions.c.subscriber_id).limit(limit).subquery()
    found = [
        standing(
            edition.newsletter, edition.stream, one, after, limit, by=edition.due_at, occurrence=edition.occurrence
        ).subquery()
        for one in places
    ]
    if not found:  # nobody stands where this cohort did
        return select(subscriptions.c.subscriber_id).where(false()).subquery()
    together = union_all(*(select(one.c.subscriber_id) for one in found)).subquery()
    return select(together.c.subscriber_id).order_by(together.c.subscriber_id).limit(limit).subquery()


def count_readers(
    connection: Connection,
    newsletter: str,
    stream: str,
    targeting: Targeting | None = None,
    asked_for: Collection[Stream] | None = None,
) -> int:
    """How many deliveries an occurrence would have if it were fanned out now."""
    return count(connection, gets(newsletter, stream, asked_for, counted=True), targeting).readers


def gets(
    newsletter: str, stream: str, asked_for: Collection[Stream] | None = None, *, counted: bool = False
) -> ColumnElement[bool]:
    """Who gets a stream: those who asked for it, or for one of ``asked_for``, which have it in their place. What fans
    out and what counts beforehand ask the same; ``counted``: where it does not matter in which order they come."""
    wanted = (Stream(stream),) if asked_for is None else asked_for
    return and_(_gets_the_newsletter(newsletter, counted=counted), _asked_for(wanted))


def _gets_the_newsletter(newsletter: str, *, counted: bool = False) -> ColumnElement[bool]:
    active = SubscriptionState.ACTIVE.value
    # Written out, SQLite sees that the partial index of cohorts fits, and counts in it alone: a million in 0.14 s, not
    # 2.5. Pages go by the key, which has the order they want.
    state = literal_column(f"'{active}'") if counted else literal(active)
    return and_(subscriptions.c.newsletter == newsletter, subscriptions.c.state == state)


def _asked_for(streams: Collection[Stream]) -> ColumnElement[bool]:
    if len(streams) == len(Stream):
        return true()
    if len(streams) == 1:
        return subscriptions.c.stream == next(iter(streams)).value
    return subscriptions.c.stream.in_(sorted(one.value for one in streams))


def _moved(connection: Connection, edition: Row[Any], since: datetime | None, clocks: str) -> ColumnElement[bool]:
    """Whether the reader of a subscription may have had other editions of the newsletter since: she changed her stream,
    hour or zone, or the file puts everybody elsewhere than it did."""
    if since is None:
        return false()
    if clocks and other_clocks(connection, edition.newsletter, clocks, since):
        return true()
    return moves.moved_since(edition.newsletter, since)


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
    moved: ColumnElement[bool],
) -> int:
    """Rows for ``which`` of the newsletter's readers: none but for ``these``, and skipped for those ``outside``."""
    wanted = and_(_gets_the_newsletter(edition.newsletter), which, true() if these is None else these)
    readers = subscriptions.join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
    among = subscriptions if these is None else readers  # a target may ask for what a subscriber is
    chosen = (
        connection.execute(select(subscriptions.c.sections).select_from(among).where(wanted).distinct()).scalars().all()
    )
    empty = [sections for sections in chosen if not has_stories(sections)]
    without = subscriptions.c.sections.in_(empty) if empty else false()
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
        "moved": moved,
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
