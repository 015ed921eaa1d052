"""Which edition is shown, and to whom: a choice -> the pool with why each story is in it, and the facts of the reader.

Reads what a send would read and writes nothing: an occurrence that is not planned yet stays unplanned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.compose.composing import Proposal, compose_preview
from newsletter.compose.explaining import Explanation, explain, explain_proposal, in_words
from newsletter.compose.keys import sections_for, stories_for
from newsletter.config.faults import suggestion
from newsletter.config.reading import Configuration
from newsletter.deliver.addressed import Reader
from newsletter.deliver.assembling import message_id
from newsletter.deliver.configured import staging_addresses
from newsletter.deliver.leaving_out import Carried, LeavingOut, stories_in
from newsletter.errors import NothingToSend, UsageError
from newsletter.members.addresses import parse_address, parse_language
from newsletter.model import (
    Article,
    Edition,
    EditionName,
    Edits,
    JoinedKey,
    MailFormat,
    Occurrence,
    OccurrenceState,
    Reason,
    RenderedKey,
    StreamName,
    Subscriber,
    SubscriptionState,
)
from newsletter.preview import scenarios
from newsletter.preview.sampling import sample_edition
from newsletter.render.joining import Variants
from newsletter.store import Store, articles, copies, editions, occurrences, subscribers, subscriptions
from newsletter.store.editions import EditionRow
from newsletter.store.had import decode as decode_had
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.subscriptions import encode_sections
from newsletter.store.targeting import decode_digests, digests_of_reader

NEXT = "next"
SAMPLE = "sample"
Turns = Callable[[Configuration, StreamName, datetime], Sequence[tuple[Occurrence, datetime]]]
"""(configuration, stream, now) -> the turns that a send would use up, the first that is open; each with its UTC."""

_S = OccurrenceState
_OPEN = (_S.PLANNED, _S.COMPOSED, _S.APPROVED, _S.HELD)
_PAST = (_S.SENDING, _S.SENT, _S.STOPPED)
NOBODY = "reader@example.com"
_MOST_PASSED_OVER = 100


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A reader put together by hand. '' is the newsletter's language, and the first plan; no section is its own."""

    plan: str = ""
    language: str = ""
    sections: tuple[str, ...] = ()
    format: MailFormat = MailFormat.HTML


@dataclass(frozen=True, slots=True)
class Pool:
    """The edition shown. ``stored`` is its row where it is composed; ``articles`` are those to render it from.
    ``language`` is that of a scenario, which its reader has unless she asks for another."""

    edition: Edition
    state: str
    articles: Mapping[int, Article]
    why: tuple[Explanation, ...]
    stored: EditionRow | None = None
    notices: tuple[str, ...] = ()
    language: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is still to be sent."""
        return self.state in [state.value for state in _OPEN]


@dataclass(frozen=True, slots=True)
class Facts:
    """The reader shown: what her message is joined from and filled with, and its Date."""

    reader: Reader
    rendered_key: RenderedKey
    sections: tuple[str, ...]
    format: MailFormat
    message_id: str
    date: datetime
    words: str
    notices: tuple[str, ...] = ()
    in_reply_to: str = ""
    targets: tuple[str, ...] | None = None
    """Those of promotions that she is in; None of a reader put together by hand, who sees every promotion."""
    had: tuple[int, ...] = ()
    """The stories that she had elsewhere that day."""

    def joined(self, variants: Variants) -> JoinedKey:
        """What her message is joined by."""
        return JoinedKey(self.sections, variants.targets if self.targets is None else self.targets, self.had)


def choose_edition(
    configuration: Configuration, store: Store, of: StreamName, choice: str, now: datetime, turns: Turns | None
) -> Pool:
    """``next`` is what a send would send now; ``scenario:NAME`` one of the shelf; else an occurrence or edition by
    name, as it was composed. Blocking.

    Raises NothingToSend where there is no story, UsageError for an edition or scenario there is not.
    """
    if choice.startswith(scenarios.PREFIX):
        return _sample(configuration, of, choice.removeprefix(scenarios.PREFIX), now)
    if choice != NEXT:
        return _composed(store, configuration, *_named(configuration, store, of, choice))
    occurrence, due_at, row = _next_turn(configuration, store, of, now, turns)
    own = configuration.own_cohort(*of)
    if row is not None and (stored := store.read(editions.nearest, row.id, own)) is not None:
        return _composed(store, configuration, row, stored)
    newsletter = configuration.named(of)
    edits = row.edits if row is not None else Edits()
    proposal = compose_preview(
        store, of.newsletter, newsletter, stream=of.stream, cohort=str(own), edits=edits, now=now
    )
    if not proposal.selection.article_ids:
        raise _nothing(str(of), proposal)
    return Pool(
        Edition(of.newsletter, of.stream, occurrence, str(own), due_at, proposal.sections, edits=edits),
        _S.PLANNED.value if row is None else row.state.value,
        proposal.articles,
        (*explain_proposal(proposal, newsletter.section_names), *_passed_over(store, proposal)),
        notices=_too_few(proposal, newsletter.articles.min),
    )


def past_occurrences(store: Store, of: StreamName, *, limit: int = 20) -> list[OccurrenceRow]:
    """Those that were sent, or are being sent, the latest first: what can be chosen besides ``next``."""
    return store.read(occurrences.listing, newsletter=of.newsletter, stream=of.stream, states=_PAST, limit=limit)


def choose_reader(
    configuration: Configuration, store: Store, pool: Pool, reader: str | KeyFacts, now: datetime
) -> Facts:
    """The facts of a subscriber, by address, or of a key put together by hand. Blocking.

    Of a subscriber who was sent this edition they are those of that delivery. Raises UsageError and AddressError.
    """
    if isinstance(reader, KeyFacts):
        return _by_key(configuration, pool, reader, now)
    person = store.read(subscribers.by_address, parse_address(reader))
    if person is None:
        raise UsageError(
            f"{reader} is not a subscriber",
            remedy="Name one that is, or put a reader together by hand (--key plan=…, language, sections, format)",
        )
    return _by_address(configuration, store, pool, person, now)


def _by_key(configuration: Configuration, pool: Pool, key: KeyFacts, now: datetime) -> Facts:
    newsletter_name = pool.edition.newsletter
    newsletter = configuration.of(pool.edition)
    plans = list(configuration.schedules.plans)
    if key.plan and key.plan not in plans:
        raise UsageError(f"there is no plan '{key.plan}'", where="plan", remedy=suggestion(key.plan, plans))
    known = {name.casefold() for name in newsletter.section_names}
    for name in key.sections:
        if name.casefold() not in known:
            raise UsageError(
                f"{newsletter_name} has no section '{name}'",
                where="sections",
                remedy=suggestion(name, newsletter.section_names),
            )
    language = parse_language(key.language) or pool.language or configuration.language(newsletter_name)
    rendered = RenderedKey(language, configuration.plan_of(key.plan))
    sections = sections_for(encode_sections(key.sections), newsletter)
    return Facts(
        Reader(0, NOBODY, "", "", bytes(32)),
        rendered,
        sections,
        key.format,
        _message_id(configuration, pool.edition, 0),
        now,
        f"a reader of plan {rendered.plan}, in {rendered.language}"
        + (f", of {', '.join(sections)}" if sections else ""),
    )


def _by_address(configuration: Configuration, store: Store, pool: Pool, person: Subscriber, now: datetime) -> Facts:
    newsletter_name = pool.edition.newsletter
    newsletter = configuration.of(pool.edition)
    reader = Reader(person.id, person.address, person.first_name, person.last_name, person.secret)
    copy = store.read(copies.find, person.id, pool.edition.name.of, pool.edition.occurrence)
    if copy is not None and pool.stored is not None and copy.edition_id == pool.stored.id:
        return Facts(
            reader,
            copy.rendered_key,
            sections_for(copy.sections, newsletter),
            copy.format,
            copy.message_id,
            copy.sent_at or now,
            person.address,
            ("This is what she was sent.",) if copy.sent_at else ("This is on its way to her.",),
            copy.in_reply_to,
            decode_digests(copy.targets),
            decode_had(copy.had),
        )
    subscription = store.read(subscriptions.one, person.id, newsletter_name)
    notices = []
    if subscription is None or subscription.state is not SubscriptionState.ACTIVE:
        state = "not subscribed" if subscription is None else subscription.state.value
        notices.append(f"She would not get it: {state}.")
    elif subscription.paused_until is not None and subscription.paused_until > pool.edition.due_at:
        notices.append("She would not get it: paused.")
    targets = configuration.targets
    own, promoted = targets.of(newsletter_name), targets.of_promotions(newsletter_name)
    hers = store.read(digests_of_reader, person.id, newsletter_name, (*((own,) if own else ()), *promoted))
    if own is not None and own.target.digest not in hers:
        notices.append("She would not get it: she is not in the newsletter's target.")
    allowed = staging_addresses(configuration)
    if allowed is not None and person.address not in allowed:
        notices.append("She would not get it now: environment is staging, and she is not among staging_recipients.")
    zones = {person.id: person.timezone}
    carried = store.read(LeavingOut(configuration).would_be_carried, zones, pool.edition).get(person.id, [])
    gone, chosen = stories_in(carried), encode_sections(subscription.sections) if subscription else ""
    if missing := len(set(gone).intersection(stories_for(chosen, newsletter, pool.edition))):
        stories = "1 story is" if missing == 1 else f"{missing} stories are"
        notices.append(
            f"{stories} left out: she had {'it' if missing == 1 else 'them'} that day in {_named_in(carried)}."
        )
    return Facts(
        reader,
        RenderedKey(
            pool.language or configuration.language_for(newsletter_name, person.language),
            configuration.plan_of(person.plan),
        ),
        sections_for(chosen, newsletter),
        subscription.format if subscription else MailFormat.HTML,
        _message_id(configuration, pool.edition, person.id),
        now,
        person.address,
        tuple(notices),
        targets=hers,
        had=gone,
    )


def _named_in(carried: Sequence[Carried]) -> str:
    return ", ".join(dict.fromkeys(one.newsletter for one in carried))


def _message_id(configuration: Configuration, edition: Edition, subscriber_id: int) -> str:
    key = f"{edition.newsletter}/{edition.stream}/{edition.occurrence}"
    return message_id(configuration, edition.newsletter, key, subscriber_id)


def _next_turn(
    configuration: Configuration, store: Store, of: StreamName, now: datetime, turns: Turns | None
) -> tuple[Occurrence, datetime, OccurrenceRow | None]:
    """The occurrence that a send would use up: the schedule's, as far as it is still open, else the store's next."""
    for occurrence, due_at in turns(configuration, of, now) if turns is not None else ():
        row = store.read(occurrences.find, *of, occurrence)
        if row is None or row.state in _OPEN:
            return occurrence, row.due_at if row is not None else due_at, row
    since = now - configuration.named(of).catch_up
    wanted: dict[str, Any] = {"newsletter": of.newsletter, "stream": of.stream, "states": _OPEN}
    due = store.read(occurrences.listing, **wanted, turns_only=True, due_from=since, due_before=now, limit=1)
    coming = store.read(occurrences.listing, **wanted, turns_only=True, due_from=now, limit=10_000)
    for row in (*due, *coming[-1:]):
        return row.occurrence, row.due_at, row
    return Occurrence(now.astimezone(ZoneInfo(configuration.zone(*of))).date(), 1), now, None


def _named(configuration: Configuration, store: Store, of: StreamName, choice: str) -> tuple[OccurrenceRow, EditionRow]:
    name = (
        EditionName.parse(choice)
        if "@" in choice
        else EditionName(of.newsletter, Occurrence.parse(choice), stream=of.stream)
    )
    if name.of != of:
        raise UsageError(f"{name} is no edition of {of}", remedy=f"Preview {name.of} instead")
    row = store.read(occurrences.find, *of, name.occurrence)
    stored = None
    if row is not None and name.cohort:
        stored = store.read(editions.find, row.id, name.cohort)
    elif row is not None:
        stored = store.read(editions.nearest, row.id, configuration.own_cohort(*of))
    if row is None or stored is None:
        raise UsageError(f"{name} has not been composed", remedy=f"See `newsletter editions list`, or write {NEXT}")
    return row, stored


def _composed(store: Store, configuration: Configuration, row: OccurrenceRow, stored: EditionRow) -> Pool:
    if not stored.edition.article_ids and not row.occurrence.correction:
        raise NothingToSend(f"{row.name} holds no story", remedy="Choose another edition")
    names = configuration.of(row).section_names
    why = [one for one in explain(store.read(editions.why, row.id), names) if one.cohort == stored.cohort]
    # A revision may have changed a headline since; what was rendered is what stands in the pieces.
    known = store.read(articles.get_many, stored.edition.article_ids)
    notices = (f"It is held: {row.detail or row.reason.value}.",) if row.state is _S.HELD else ()
    if row.pruned_at is not None:
        notices = ("What was sent is not kept any more (keep_deliveries); this is made anew.",)
    return Pool(stored.edition, row.state.value, known, tuple(why), stored, notices)


def _sample(configuration: Configuration, of: StreamName, name: str, now: datetime) -> Pool:
    scenario = scenarios.load(configuration, name)
    edition, known, why = sample_edition(configuration, of, scenario, now)
    if not known and configuration.named(of).when_empty == "skip":
        raise NothingToSend(
            "without a story nothing is sent: the occurrence is skipped as empty",
            remedy=f"With `when_empty: send` under {of} a mail says that there is nothing new",
        )
    return Pool(edition, SAMPLE, known, why, language=scenario.language or "")


def _passed_over(store: Store, proposal: Proposal) -> list[Explanation]:
    """What is no candidate any more (sent before, too old), in words."""
    latest = sorted(proposal.passed_over, key=lambda one: -one.article_id)[:_MOST_PASSED_OVER]
    known = store.read(articles.get_many, [one.article_id for one in latest])
    return [
        Explanation(
            "", one.article_id, known[one.article_id].headline, "", 0, one.reason, one.detail, in_words(one.reason)
        )
        for one in latest
        if one.article_id in known
    ]


def _too_few(proposal: Proposal, least: int) -> tuple[str, ...]:
    if proposal.skip is Reason.NONE:
        return ()
    number = proposal.selection.number
    stories = "1 story" if number == 1 else f"{number} stories"
    return (f"As it stands it would be skipped: {stories}, at least {least} needed.",)


def _nothing(newsletter_name: str, proposal: Proposal) -> NothingToSend:
    """Say why there is no story at all, as far as the candidates tell."""
    waiting = len(proposal.selection.decisions)
    if not waiting:
        return NothingToSend(
            f"{newsletter_name} has no article that was not sent",
            remedy="Collect first (`newsletter collect`), or add one (`newsletter articles add`)",
        )
    reasons = sorted({one.reason for one in proposal.selection.decisions})
    articles_are = "1 article is" if waiting == 1 else f"{waiting} articles are"
    words = ", ".join(reason.value.replace("_", " ") for reason in reasons)
    return NothingToSend(
        f"{newsletter_name} has no story: {articles_are} passed over ({words})",
        remedy="Look at the match of its sections, and at articles.max_age",
    )
