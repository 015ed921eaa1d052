"""A send that a person asks for: which occurrence it uses up, for whom, and the one message of a test.

It composes, renders and queues; a sender (here or in ``newsletter run``) does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from newsletter.cohort import Cohort
from newsletter.compose.composing import Proposal, compose_preview
from newsletter.compose.explaining import in_words
from newsletter.config.reading import Configuration
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import AlreadySent, NothingToSend, OccurrenceHeld, TemplateError, UsageError
from newsletter.members.addresses import parse_address
from newsletter.model import Edition, EditionName, Gate, OccurrenceState, Reason, StreamName, SubscriptionState
from newsletter.render.document import check_newsletter
from newsletter.render.rendering import templates_of
from newsletter.schedule.gatekeeping import Foreseen
from newsletter.schedule.planning import an_extra, due_or_next
from newsletter.schedule.work import Work
from newsletter.store import Store, deliveries, editions, gates, occurrences, subscribers, subscriptions
from newsletter.store.occurrences import OccurrenceRow

_S = OccurrenceState
BY_SENDING = "by sending it"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a manual send would do: the occurrence it uses up and the edition proposed for it (None where it is composed
    already). ``unapproved``: it needs an approval that nobody has given yet."""

    row: OccurrenceRow
    proposal: Proposal | None
    count: Callable[[], int] = field(repr=False)
    unapproved: bool = False

    @property
    def readers(self) -> int:
        """How many readers it may reach; counted now, which takes some tenths of a second where they are a million."""
        return self.count()

    @property
    def name(self) -> EditionName:
        return self.row.name


def plan_send(
    configuration: Configuration,
    store: Store,
    of: StreamName,
    *,
    extra: bool,
    despite: Collection[Gate] = (),
    now: datetime,
) -> Plan:
    """Find the occurrence and what would go out. Writes nothing but the planned row. Blocking.

    One that gates hold is found where ``despite`` names all of them; ``begin`` then releases it.
    Raises AlreadySent, OccurrenceHeld, NothingToSend (too few stories, or nobody subscribed), TemplateError and
    UsageError.
    """
    newsletter, newsletter_name = configuration.named(of), of.newsletter
    zone = configuration.zone(*of)
    row = None if extra else store.write(due_or_next, of, newsletter, zone, now)
    if row is None or row.state in (_S.PLANNED, _S.COMPOSED):  # else it is rendered
        check_newsletter(templates_of(configuration), of, newsletter)
    if extra:
        row = store.write(an_extra, of, now.astimezone(ZoneInfo(zone)), now)
    if row is None:
        raise NothingToSend(
            f"the schedule of {of} has no turn to come", remedy="Use --extra to send an edition beside it"
        )
    if row.state is _S.SENT:
        raise AlreadySent(
            f"{row.name} has been sent", remedy="Use --extra to send another edition, or see `newsletter editions list`"
        )
    awaited = row.reason is Reason.AWAITING_APPROVAL
    failed = {one.gate for one in gates.failed_of(row)}
    if row.state in (_S.HELD, _S.STOPPED) and not awaited and not (failed and failed <= set(despite)):
        raise OccurrenceHeld(
            f"{row.name} is {row.state.value}: {row.detail or in_words(row.reason)}",
            remedy=_remedy(row) if failed else f"Run `newsletter editions release {row.name}` when it is right",
        )
    if row.state in (_S.CANCELLED, _S.SKIPPED):
        raise NothingToSend(
            f"{row.name} was {row.state.value}: {row.detail or in_words(row.reason)}", remedy="Use --extra"
        )
    targeting = configuration.targets.of(newsletter_name)
    asked_for = configuration.asked_for(*of)
    audience = (newsletter_name, now, targeting, asked_for)
    somebody = store.read(subscriptions.has_audience, *audience)
    proposal = None
    if row.state is _S.PLANNED:
        own = str(configuration.own_cohort(*of))
        proposal = compose_preview(
            store, newsletter_name, newsletter, stream=of.stream, cohort=own, edits=row.edits, now=now
        )
        if proposal.skip is not Reason.NONE:
            number, least = proposal.selection.number, max(1, newsletter.articles.min)
            raise NothingToSend(
                f"{of} has {number} new {'story' if number == 1 else 'stories'}, and needs {least}",
                remedy="Collect first (`newsletter collect`), or lower articles.min",
            )
    if not somebody and targeting is not None:
        raise NothingToSend(
            f"no subscriber of {of} is in its target",
            remedy=f"`newsletter target {newsletter_name} --explain` counts each part of it",
        )
    if not somebody:
        raise NothingToSend(
            f"nobody is subscribed to {of}",
            remedy=f"Add a reader with `newsletter subscribers add ADDRESS --newsletter {newsletter_name}`",
        )
    stands = row.resumes if failed else row.state
    unapproved = awaited or (newsletter.approval.mode == "required" and stands in (_S.PLANNED, _S.COMPOSED))
    return Plan(row, proposal, partial(store.read, subscriptions.audience_count, *audience), unapproved)


def foresee(work: Work, plan: Plan, now: datetime) -> Foreseen:
    """What would become of the edition if it were sent now; nothing is written. Blocking. Raises TemplateError."""
    row = plan.row
    proposed = [one.edition for one in work.store.read(editions.for_occurrence, row.id)]
    if plan.proposal is not None:
        sections = plan.proposal.sections
        proposed = [Edition(row.newsletter, row.stream, row.occurrence, "", now, sections, edits=row.edits)]
    return work.gatekeeping.foresee(row, proposed, now, logo=work.logo)


async def require_relay(configuration: Configuration, newsletter_name: str) -> None:
    """See that the newsletter's relay lets us in, so that nothing is begun that cannot go out. Raises RelayError."""
    connection = await RelayConnection.open(*configuration.relay(newsletter_name))
    await connection.quit()


def begin(
    work: Work,
    plan: Plan,
    addresses: Sequence[str],
    now: datetime,
    *,
    actor: str = "",
    despite: Collection[Gate] = (),
    freshen: Callable[[OccurrenceRow], object] = lambda _row: None,
) -> OccurrenceRow:
    """``start``, and all deliveries queued when it returns. Blocking. Raises what ``start`` raises."""
    row = start(work, plan, addresses, now, actor=actor, despite=despite, freshen=freshen)
    if addresses:
        return row
    work.fan_out(row, now)
    work.complete(row, now)
    return _again(work.store, row)


def start(
    work: Work,
    plan: Plan,
    addresses: Sequence[str],
    now: datetime,
    *,
    actor: str = "",
    despite: Collection[Gate] = (),
    freshen: Callable[[OccurrenceRow], object] = lambda _row: None,
) -> OccurrenceRow:
    """Compose and render, and queue the deliveries of ``addresses``; where there are none, it is ready to be fanned out
    to everyone (``work.fan_out``), which may go on beside the sending. Blocking.

    The gates are asked as for any other; those named in ``despite`` are overruled for this occurrence, by ``actor``.
    Where an approval is required, sending it to everyone is one, by ``actor``; sending it to some is none, and it waits
    for the rest. ``freshen`` is called once it is composed, to bring its stories up to date (see ``freshness``).
    Raises OccurrenceHeld when something speaks against it, NothingToSend, AlreadySent and UsageError.
    """
    store, row = work.store, plan.row
    if despite:
        row = store.write(gates.overrule, row, despite, actor=actor, now=now)
    if plan.unapproved and row.state is _S.HELD:
        if addresses:
            raise OccurrenceHeld(f"{row.name} is held: {row.detail}", remedy=_remedy(row))
        row = work.approve(row, actor=actor, detail=BY_SENDING, now=now)
    if not addresses and row.state in (_S.PLANNED, _S.COMPOSED, _S.APPROVED):
        taken = store.write(occurrences.take_by_hand, row.id, now, now, edited=row.edited)
        row = _again(store, row)
        if not taken and row.state in (_S.PLANNED, _S.COMPOSED, _S.APPROVED):
            raise _edited(row)
    only = _cohorts_of(work, row, addresses)
    by_reader = work.cohorts.has(row)
    if by_reader and not addresses and row.state is _S.SENDING and not row.by_hand:
        raise NothingToSend(
            f"{row.name} is going out at each reader's own hour",
            remedy="Use --extra to send everybody another edition now",
        )
    if row.state is _S.PLANNED or (by_reader and row.state in editions.OPEN):  # for whom it was not composed yet
        row = work.compose(row if only else _by_hand(row), now, only)
    if row.state is _S.COMPOSED:
        try:
            if plan.unapproved and not addresses:
                row = work.approve(row, actor=actor, detail=BY_SENDING, now=now)
            else:
                row = work.prepare(row, now)
        except TemplateError as error:
            store.write(occurrences.hold, row.id, reason=Reason.TEMPLATE_ERROR, detail=str(error), now=now)
            raise
    if row.state is _S.HELD:
        raise OccurrenceHeld(f"{row.name} is held: {row.detail}", remedy=_remedy(row))
    if row.state in (_S.SKIPPED, _S.CANCELLED):
        raise NothingToSend(f"{row.name} was {row.state.value}: {row.detail or in_words(row.reason)}")
    _require_ready(row, addresses)
    freshen(row)
    row = work.freeze(row, now, only) if addresses else work.begin(_by_hand(row), now)
    if row.state is _S.HELD:
        raise OccurrenceHeld(f"{row.name} is held: {row.detail}", remedy=_remedy(row))
    if row.state is _S.SKIPPED:
        raise NothingToSend(f"{row.name} was {row.state.value}: {row.detail or in_words(row.reason)}")
    if addresses:
        _queue_named(work, row, addresses, only, now)
        return _again(store, row)
    _require_ready(row, addresses)
    return row


def _remedy(row: OccurrenceRow) -> str:
    if row.reason is Reason.AWAITING_APPROVAL:
        return f"`newsletter editions approve {row.name}` approves it"
    if failed := gates.failed_of(row):
        options = " ".join(f"--despite {one.gate.value}" for one in failed)
        return f"Mend it and `newsletter editions release {row.name}`, or send it with {options}"
    return "Mend it, then release it and send again"


def _require_ready(row: OccurrenceRow, addresses: Sequence[str]) -> None:
    """Raise OccurrenceHeld where it is not approved (again), nor may go to some readers while it waits for that."""
    waits = row.state is _S.COMPOSED and row.reason is Reason.AWAITING_APPROVAL
    if row.state in (_S.PLANNED, _S.COMPOSED) and not (addresses and waits):
        raise _edited(row)


def _edited(row: OccurrenceRow) -> OccurrenceHeld:
    return OccurrenceHeld(
        f"{row.name} was edited in this moment, and nothing was sent",
        remedy=f"See `newsletter editions show {row.name}`, then send it again",
    )


def _cohorts_of(work: Work, row: OccurrenceRow, addresses: Sequence[str]) -> dict[Cohort, list[int]] | None:
    """The named readers by the cohort that they get it with; None where nobody is named, or all are one cohort."""
    if not addresses or not work.cohorts.has(row):
        return None
    found: dict[Cohort, list[int]] = {}
    for address in addresses:
        reader = _subscriber_id(work, row, address)
        cohort = work.cohorts.cohort_of_reader(row, reader)
        if cohort is None:
            raise _at_another_time(row, address)
        found.setdefault(cohort, []).append(reader)
    return found


def _queue_named(
    work: Work, row: OccurrenceRow, addresses: Sequence[str], only: dict[Cohort, list[int]] | None, now: datetime
) -> None:
    store = work.store
    named = [_subscriber_id(work, row, address) for address in addresses]
    store.write(occurrences.mark_partial, row.id, True, now)
    made = 0
    for edition in store.read(editions.for_occurrence, row.id):
        theirs = named if only is None else only.get(Cohort(edition.zone, edition.hour), [])
        made += store.write(work.recipients.add, row, edition, theirs, now) if theirs else 0
    if not made and not store.read(deliveries.still_moves, row.id, named):
        raise AlreadySent(f"{row.name} has been sent to {', '.join(addresses)}")


def _subscriber_id(work: Work, row: OccurrenceRow, address: str) -> int:
    """Who is asked for by name. Raises UsageError for one who gets the newsletter not at all, or at another frequency;
    whose hour it is, cohorts say."""
    newsletter = row.newsletter
    person = work.store.read(subscribers.by_address, parse_address(address))
    subscription = work.store.read(subscriptions.one, person.id, newsletter) if person is not None else None
    if person is None or subscription is None or subscription.state is not SubscriptionState.ACTIVE:
        raise UsageError(
            f"{address} is not subscribed to {newsletter}",
            remedy="Add her first, or use --test to mail an address that is not on the list",
        )
    hers = work.configuration.stream_of(newsletter, subscription.stream)
    if hers is not row.stream and not work.cohorts.has(row):
        raise _at_another_time(row, address)
    return person.id


def _at_another_time(row: OccurrenceRow, address: str) -> UsageError:
    return UsageError(
        f"{address} gets {row.newsletter} at another time or frequency than with {row.name}",
        remedy=f"`newsletter schedule --for {address}` shows what she gets",
    )


def _by_hand(row: OccurrenceRow) -> OccurrenceRow:
    # What a person sends now is never too late.
    return replace(row, by_hand=True)


def _again(store: Store, row: OccurrenceRow) -> OccurrenceRow:
    return store.read(occurrences.get, row.id) or row
