"""Takes each occurrence through its states and introduces the rooms to each other: compose -> render -> outbox.

    planned  -- compose_at has come -->  composed  -- rendered, no finding -->  approved  -- due -->  sending  -->  sent

With ``approval: required`` it stays composed, and says that it waits, until an editor or its deadline approves it. An
edit (``editing``) takes an approved one back to composed.

Each step is safe to repeat and safe beside another process: the row's own compare-and-set decides who makes it. A step
that fails holds its occurrence, with the error, and costs no other. Blocking: run it off the event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from newsletter.cohort import LONGEST_DATE, Cohort
from newsletter.compose.composing import compose
from newsletter.config.reading import Configuration
from newsletter.errors import EditedMeanwhile, NewsletterError, StoreError, UnreadableEdits
from newsletter.model import Article, OccurrenceState, Picture, Reason, StreamName
from newsletter.schedule.approving import Verdict, late_words, verdict, waiting_words
from newsletter.schedule.cohorts import Cohorts
from newsletter.schedule.composing_cohorts import CohortComposing
from newsletter.schedule.gatekeeping import Gatekeeping, Looked
from newsletter.schedule.planning import plan_ahead, too_late
from newsletter.schedule.recipients import Recipients
from newsletter.schedule.remembering import Remembered
from newsletter.schedule.renderings import Renderings
from newsletter.schedule.seeding import Seeds
from newsletter.store import (
    Store,
    articles,
    blocking,
    completing,
    deliveries,
    edition_changes,
    editions,
    gates,
    occurrences,
)
from newsletter.store import approving as approvals
from newsletter.store.editions import EditionRow
from newsletter.store.had import LONGEST_DAY
from newsletter.store.occurrences import OccurrenceRow

log = structlog.get_logger()

_S = OccurrenceState
PLAN_EVERY = timedelta(minutes=1)
_MOST_LOOKED_AT = 1000
_MOST_FROZEN = 20_000  # more cohorts than several dates have; one that is forgotten is looked at again


class Work:
    """The steps, for one configuration and store. ``logo`` is our copy of the theme's."""

    def __init__(self, configuration: Configuration, store: Store, *, logo: Picture | None = None) -> None:
        self.configuration, self.store, self.logo = configuration, store, logo
        self.gatekeeping = Gatekeeping(configuration, store)
        self.seeds = Seeds(configuration, store)
        self.cohorts = Cohorts(configuration, store)
        self._composing = CohortComposing(configuration, store, self.cohorts)
        self._renderings = Renderings(configuration, store, logo)
        self.recipients = Recipients(configuration, store, self.cohorts)
        self._looked_at: Remembered[tuple[int, int]] = Remembered(_MOST_LOOKED_AT)
        self._frozen: Remembered[int] = Remembered(_MOST_FROZEN)
        self._planned_at: datetime | None = None

    def advance(self, now: datetime, stopping: Callable[[], bool] = lambda: False) -> bool:
        """Do all that is due; True when rows were queued. Raises StoreError; anything else is held with its row."""
        self._plan(now)
        self.gatekeeping.reachability.forget()
        for row in self.store.read(occurrences.due_to_compose, now):
            self._guarded(self.compose, row, now)
        for row in self._with_cohorts(now):
            self._guarded(self._compose_further, row, now)
        for row in self.store.read(occurrences.listing, states=[_S.COMPOSED]):
            self._guarded(self.prepare, row, now)
        for row in self.store.read(occurrences.due_to_send, now):
            self._guarded(self.begin, row, now)
        queued = False
        for row in self.store.read(occurrences.sending):
            queued |= bool(self._guarded(partial(self.fan_out, stopping=stopping), row, now))
            self.complete(row, now)
        return queued

    def _plan(self, now: datetime) -> None:
        """Plan ahead and expire the stale, once a minute, or when readers' hours are other ones: a tick that finds
        nothing to do writes nothing."""
        changed = self.cohorts.look_again(now)
        if not changed and self._planned_at is not None and abs(now - self._planned_at) < PLAN_EVERY:
            return
        plan_ahead(self.store, self.configuration, now, self._first_due)
        self.store.write(deliveries.expire, now)
        self._planned_at = now

    def _first_due(self, name: StreamName, day: date) -> datetime | None:
        return next((one.due_at for one in self.cohorts.on(name, day)), None)

    def _with_cohorts(self, now: datetime) -> list[OccurrenceRow]:
        """Occurrences that go out at readers' own hours and may have some before them."""
        return [
            row
            for name in self.cohorts.streams
            for row in self.store.read(
                occurrences.listing,
                newsletter=name.newsletter,
                stream=name.stream,
                states=(_S.COMPOSED, _S.APPROVED, _S.SENDING, _S.SENT),
                due_from=now - LONGEST_DATE,
                turns_only=True,
            )
        ]

    def _compose_further(self, row: OccurrenceRow, now: datetime) -> None:
        """Compose for the cohorts whose time has come after the first; what is on its way already is looked at once
        more for their sake, and held where a gate speaks against it."""
        made = self._composing.compose_due(row, now)
        row = self._again(row)
        if not made or row.state not in (_S.APPROVED, _S.SENDING):
            return
        rendered = [self.render(edition) for edition in made]
        if new := [one for one in rendered if one.pieces_at not in self._looked_at]:
            self._look(row, now, new, lint=[one.id for one in new])

    def compose(self, row: OccurrenceRow, now: datetime, only: Collection[Cohort] | None = None) -> OccurrenceRow:
        """planned -> composed, or skipped with its reason. Where it goes out at readers' own hours, for the cohorts
        whose time for that has come, or for those in ``only``."""
        newsletter = self.configuration.of(row)
        if too_late(row, newsletter, now):
            return self._skip_missed(row, now)
        if newsletter.schedule.by_reader:
            self.cohorts.look_again(now)
            with suppress(EditedMeanwhile):  # to be composed of what it is now, at the next look
                self._composing.compose_due(row, now, only)
            return self._again(row)
        try:
            composed = compose(self.store, row, row.newsletter, newsletter, now=now)
        except EditedMeanwhile:
            return self._again(row)  # to be composed of what it is now, at the next look
        if composed.made:
            log.info(
                "composed",
                edition=str(row.name),
                state=composed.occurrence.state.value,
                reason=composed.occurrence.reason.value,
                articles=len(composed.edition.edition.article_ids) if composed.edition else 0,
            )
        return composed.occurrence

    def prepare(self, row: OccurrenceRow, now: datetime) -> OccurrenceRow:
        """composed -> approved once it is rendered and checked, and nobody has to say yes to it or the time for that is
        over; else it waits, or is held. What was edited meanwhile stays composed, to be prepared again.
        """
        if row.reason is not Reason.AWAITING_APPROVAL:
            row = self.check(row, now)
        if row.state is not _S.COMPOSED:
            return row
        approval, zone = self.configuration.of(row).approval, self.configuration.zone(row.newsletter, row.stream)
        match verdict(approval, row, now):
            case Verdict.GOES_OUT:
                self.store.write(
                    occurrences.transition, row.id, _S.APPROVED, from_={_S.COMPOSED}, edited=row.edited, now=now
                )
            case Verdict.WAITS:
                words = waiting_words(approval, row, zone)
                if (row.reason, row.detail) != (Reason.AWAITING_APPROVAL, words):
                    self.store.write(approvals.wait, row, words, now)
            case Verdict.HELD:
                self._hold_composed(row, Reason.AWAITING_APPROVAL, late_words(approval, row, zone), now)
        return self._again(row)

    def check(self, row: OccurrenceRow, now: datetime) -> OccurrenceRow:
        """Render every edition of a composed occurrence for every rendered key; held where a gate speaks against it.

        The row comes back as it was read, so that an edit made meanwhile is noticed. Raises TemplateError.
        """
        made = [one for one in self.store.read(editions.for_occurrence, row.id) if one.reason is Reason.NONE]
        rendered = [self.render(edition) for edition in made]
        looked = self._look(row, now, rendered)
        return self._again(row) if looked.failed else row

    def _look(
        self, row: OccurrenceRow, now: datetime, these: Sequence[EditionRow], lint: Collection[int] | None = None
    ) -> Looked:
        """Have the gates look at these editions, at what several share once, and hold the occurrence where one of them
        speaks against it."""
        different = {one.pieces_at: one for one in these}
        looked = self.gatekeeping.look(row, now, list(different.values()), lint=lint)
        if looked.failed:
            self.store.write(gates.hold, row, looked.failed, now, between_cohorts=row.state is _S.SENDING)
        elif self.cohorts.streams:
            self._looked_at.update(different)
        return looked

    def approve(self, row: OccurrenceRow, *, actor: str, detail: str = "", now: datetime) -> OccurrenceRow:
        """What an editor says yes to: composed, or held for want of that, -> approved; rendered and checked first.

        The row comes back in another state where something spoke against it, or it was edited meanwhile. Raises
        TemplateError.
        """
        if row.state is _S.COMPOSED:
            row = self.check(row, now)
        if row.state in (_S.COMPOSED, _S.HELD):
            self.store.write(approvals.approve, row, actor=actor, detail=detail, now=now)
        return self._again(row)

    def render(self, edition: EditionRow) -> EditionRow:
        """``Renderings.render``. Raises TemplateError."""
        return self._renderings.render(edition)

    def begin(self, row: OccurrenceRow, now: datetime) -> OccurrenceRow:
        """approved -> sending at its time; skipped when that is past catch-up."""
        if row.state is not _S.APPROVED:
            return row
        if too_late(row, self.configuration.of(row), now):
            return self._skip_missed(row, now)
        if not row.by_hand and self._waits_for_others(row.newsletter, row.due_at):
            return row
        edited = row.edited  # what the gates looked at is what goes out
        self._give_up_late(row, now)
        row = self.freeze(row, now)
        if row.state is not _S.APPROVED:
            return row
        if self.store.write(occurrences.transition, row.id, _S.SENDING, from_={_S.APPROVED}, edited=edited, now=now):
            log.info("sending begins", edition=str(row.name))
        return self._again(row)

    def _waits_for_others(self, newsletter: str, due_at: datetime) -> bool:
        """Whether it leaves out what others carried that day, and deliveries of such another, due by then, are still
        being made: only then is it known what they carry."""
        since, until = due_at - LONGEST_DAY - LONGEST_DATE, due_at + timedelta.resolution
        for name in self.configuration.not_repeated_by(newsletter):
            for other in self.store.read(
                occurrences.listing, newsletter=name, states=(_S.APPROVED, _S.SENDING), due_from=since, due_before=until
            ):
                begun = self.store.read(editions.begun, other.id, due_at)
                if any(one.due_at > due_at - LONGEST_DAY for one in begun):
                    return True
        return False

    def freeze(self, row: OccurrenceRow, now: datetime, only: Collection[Cohort] | None = None) -> OccurrenceRow:
        """What changed since composing: stories retracted or blocked and those whose hour has not come are taken out,
        corrected ones rendered again. An occurrence of which nothing is left is skipped, one against which a gate
        speaks is held.
        """
        left, taken_out, rendered = 0, 0, set[int]()
        newsletter = self.configuration.of(row)
        sends_nothing = newsletter.when_empty == "send"
        these = self._about_to_go(row, now, only)
        stories = {article for edition in these for article in edition.article_ids}
        stay_home = self._stay_home(row, stories, now)
        revised_at = self.store.read(edition_changes.last_revised, stories)
        for edition in these:
            dropped = {one: stay_home[one] for one in sorted(edition.article_ids & stay_home.keys())}
            revised = edition.revised(revised_at) - dropped.keys()
            left += len(edition.placed - dropped.keys())
            taken_out += len(dropped)
            if not dropped and not revised:
                # Whoever revised it was killed, or released it to be rendered anew.
                if self._renderings.unrendered(edition):
                    self.render(edition)
                    rendered.add(edition.id)
                continue
            changed = self.store.write(edition_changes.revise, edition.id, dropped, now)
            log.info("edition changed", edition=str(row.name), dropped=len(dropped), revised=len(revised))
            if not changed.placed and not sends_nothing:
                if newsletter.schedule.by_reader:
                    self.store.write(editions.give_up, changed, Reason.EMPTY, now)
                continue
            changed = self.render(changed)
            rendered.add(changed.id)
        if taken_out and not left and not sends_nothing and not newsletter.schedule.by_reader:
            self.store.write(
                occurrences.skip, row.id, reason=Reason.EMPTY, detail="its stories were withdrawn", now=now
            )
            return self._again(row)
        there = [one for one in self.store.read(editions.get_many, [one.id for one in these]) if not one.reason]
        self._frozen.update(one.id for one in there)
        if row.state is _S.SENDING:  # the first cohort is on its way; what others share with it has been looked at
            there = [one for one in there if one.pieces_at not in self._looked_at]
        if not there and row.state is _S.SENDING:
            return self._again(row)
        looked = self._look(row, now, there, lint=rendered)
        if looked.failed:
            self._frozen.difference_update(one.id for one in there)  # to be looked at again when it is released
        elif row.state is not _S.SENDING:
            self.store.write(gates.passed, row, looked.readers, looked.subjects)
        return self._again(row)

    def _stay_home(self, row: OccurrenceRow, stories: Collection[int], now: datetime) -> dict[int, Reason]:
        """Those of these stories that do not go out now after all, and why."""
        known = self.store.read(articles.get_many, stories)
        found = dict.fromkeys(self.store.read(blocking.blocked, row.newsletter, known), Reason.BLOCKED)
        return found | {article.id: reason for article in known.values() if (reason := _why_not_now(article, now))}

    def _about_to_go(
        self, row: OccurrenceRow, now: datetime, only: Collection[Cohort] | None = None
    ) -> list[EditionRow]:
        """The editions that go out next: all, or of the cohorts whose hour it is those of which nobody has one yet."""
        if not self.configuration.of(row).schedule.by_reader:
            return self.store.read(editions.for_occurrence, row.id)
        if only is not None:
            found = [self.store.read(editions.find, row.id, str(one)) for one in only]
            return [one for one in found if one is not None and one.reason is Reason.NONE]
        begun = self.store.read(editions.begun, row.id, now)
        return [one for one in begun if one.fanned_out_after == 0]

    def fan_out(self, row: OccurrenceRow, now: datetime, stopping: Callable[[], bool] = lambda: False) -> int:
        """Make the deliveries of a sending occurrence, page by page; how many subscribers were seen now."""
        self.cohorts.look_again(now)
        if not self.seeds.rest_may_follow(row, now, partial(self._queue_seeds, row, now)):
            return 0
        return self.recipients.make_all(row, self._ready(row, now), now, stopping)

    def _ready(self, row: OccurrenceRow, now: datetime) -> list[EditionRow]:
        """The editions of which deliveries may be made now, their stories as they are now."""
        newsletter = self.configuration.of(row)
        if not newsletter.schedule.by_reader or row.occurrence.correction:
            return self.store.read(editions.for_occurrence, row.id)
        self._give_up_late(row, now)
        begun = self.store.read(editions.begun, row.id, now)
        if any(one.id not in self._frozen for one in begun if one.fanned_out_after == 0):
            if self.freeze(row, now).state is not _S.SENDING:
                return []
            begun = self.store.read(editions.begun, row.id, now)
        return [one for one in begun if row.by_hand or not self._waits_for_others(row.newsletter, one.due_at)]

    def _give_up_late(self, row: OccurrenceRow, now: datetime) -> None:
        """Cohorts whose hour is past by more than ``catch_up``, and of which nobody has it, go without."""
        newsletter = self.configuration.of(row)
        if row.by_hand or row.occurrence.correction or not newsletter.schedule.by_reader:
            return
        for edition in self.store.read(editions.begun, row.id, now - newsletter.catch_up - timedelta.resolution):
            if edition.fanned_out_after == 0 and not self.store.read(deliveries.of_edition, edition.id):
                self.store.write(editions.give_up, edition, Reason.MISSED, now)
                log.warning("missed", edition=str(edition.name))

    def begins(self, row: OccurrenceRow, now: datetime) -> bool:
        """Whether another cohort of an occurrence in ``sending`` is about to have it, its stories as they are now."""
        return any(one.id not in self._frozen for one in self._about_to_go(row, now))

    def _queue_seeds(self, row: OccurrenceRow, now: datetime, connection: Connection, seeds: list[int]) -> int:
        return sum(
            self.recipients.add(connection, row, edition, seeds, now)
            for edition in editions.for_occurrence(connection, row.id)
        )

    def complete(self, row: OccurrenceRow, now: datetime) -> bool:
        """sending -> sent once everyone has a delivery and none still moves. True when it is sent."""
        self.cohorts.look_again(now)
        if not self.store.read(completing.finished, row.id):  # asked without the writer, as nearly always it is not
            return False
        by_reader = self.configuration.of(row).schedule.by_reader
        if by_reader and not row.occurrence.correction and self._composing.still_to_come(row, now):
            return False
        sent = self.store.write(completing.complete, row.id, now)
        if sent:
            log.info("sent", edition=str(row.name))
        return sent

    def _guarded(self, step: Callable[[OccurrenceRow, datetime], object], row: OccurrenceRow, now: datetime) -> object:
        try:
            return step(row, now)
        except EditedMeanwhile as error:
            log.info("later", edition=str(row.name), error=str(error))
            return row
        except UnreadableEdits as error:
            return self._hold(row, Reason.GATE, f"{error.what}. {error.remedy}", now)
        except StoreError:
            raise
        except NewsletterError as error:
            log.error("held", edition=str(row.name), error=str(error))
            return self._hold(row, Reason.TEMPLATE_ERROR, str(error), now)

    def _hold(self, row: OccurrenceRow, reason: Reason, detail: str, now: datetime) -> OccurrenceRow:
        self.store.write(occurrences.hold, row.id, reason=reason, detail=detail, now=now)
        return self._again(row)

    def _hold_composed(self, row: OccurrenceRow, reason: Reason, detail: str, now: datetime) -> None:
        """Hold what is still composed and as it was read; nobody's approval or edit is overruled."""
        self.store.write(
            occurrences.transition,
            row.id,
            _S.HELD,
            from_={_S.COMPOSED},
            reason=reason,
            detail=detail,
            edited=row.edited,
            now=now,
        )

    def _skip_missed(self, row: OccurrenceRow, now: datetime) -> OccurrenceRow:
        late = now - row.due_at
        detail = f"{late.total_seconds() / 60:.0f} minutes late, more than its catch_up"
        self.store.write(occurrences.skip, row.id, reason=Reason.MISSED, detail=detail, now=now)
        log.warning("missed", edition=str(row.name), detail=detail)
        return self._again(row)

    def _again(self, row: OccurrenceRow) -> OccurrenceRow:
        return self.store.read(occurrences.get, row.id) or row


def _why_not_now(article: Article, now: datetime) -> Reason:
    """Why this story, though it was composed, does not go out at ``now``; NONE where it does."""
    if article.retracted_at is not None:
        return Reason.RETRACTED
    if article.merged_into is not None:
        return Reason.ALREADY_SENT
    return Reason.NOT_YET if article.published_at > now else Reason.NONE
