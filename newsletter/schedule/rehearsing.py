"""The whole audience of the next edition, really composed, rendered, assembled and sent, to a relay that keeps nothing.

Reads the store page by page and writes nothing to it, so it leaves no trace and holds no writer up; of each message it
keeps its size alone.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from array import array
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Self

from newsletter.compose.keys import has_stories, rendered_keys
from newsletter.config.models import Newsletter
from newsletter.config.reading import Configuration
from newsletter.deliver.assembling import Assembler, message_id
from newsletter.deliver.configured import dkim_signers, staging_addresses
from newsletter.deliver.leaving_out import Carried, LeavingOut, in_its_order, leaves_nothing, stories_in
from newsletter.deliver.null_relay import NullRelay
from newsletter.deliver.outgoing import Answered, Outgoing, Transmission
from newsletter.deliver.pipelining import Pipeline
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import NewsletterError
from newsletter.members.addresses import masked
from newsletter.model import Edition, EditionName, Kind, Picture, Reason, StreamName
from newsletter.render.fitting import Fitted
from newsletter.render.rendering import render_fitted, templates_of
from newsletter.schedule.next_editions import NextEdition, next_editions
from newsletter.schedule.work import Work
from newsletter.store import Store, audience
from newsletter.store.audience import Addressee, LastSent
from newsletter.store.claiming import Claimed
from newsletter.store.had import encode as encode_had

_PAGE = 2000
_CONNECTIONS = 10
_AHEAD = 400
_EXAMPLES = 5


@dataclass(slots=True)
class Rehearsal:
    """What came of it. ``editions``: one, or one for each cohort; sizes are bytes on the wire, ``seconds`` by step."""

    edition: str
    editions: int = 1
    readers: int = 0
    messages: int = 0
    skipped: Counter[Reason] = field(default_factory=Counter)
    by_key: Counter[str] = field(default_factory=Counter)
    by_domain_group: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    sizes: array[int] = field(default_factory=lambda: array("L"), repr=False)
    seconds: dict[str, float] = field(default_factory=dict)
    last: LastSent | None = None

    def facts(self) -> dict[str, Any]:
        """The same as plain values, sizes summed up."""
        sizes = sorted(self.sizes)
        return {
            "edition": self.edition,
            "editions": self.editions,
            "readers": self.readers,
            "messages": self.messages,
            "skipped": {reason.value: number for reason, number in sorted(self.skipped.items())},
            "failed": self.failed,
            "failures": self.failures,
            "documents": dict(sorted(self.by_key.items())),
            "providers": dict(self.by_domain_group.most_common(10)),
            "bytes": {
                "least": sizes[0] if sizes else 0,
                "median": round(statistics.median(sizes)) if sizes else 0,
                "most": sizes[-1] if sizes else 0,
                "all": sum(sizes),
            },
            "seconds": {name: round(seconds, 3) for name, seconds in self.seconds.items()},
            "messages_per_second": round(self.messages / self.seconds["send"], 1) if self.seconds.get("send") else 0.0,
            "last": None
            if self.last is None
            else {
                "occurrence": self.last.occurrence,
                "due": self.last.due_at,
                "deliveries": dict(self.last.deliveries),
                "messages_more": self.messages - self.last.deliveries["sent"],
            },
        }


async def rehearse(work: Work, of: StreamName, now: datetime) -> Rehearsal:
    """Rehearse the next edition of a stream. Raises NothingToSend and TemplateError; what fails for one reader is
    counted."""
    configuration, store = work.configuration, work.store
    clock = _Stopwatch()
    coming = await asyncio.to_thread(next_editions, configuration, store, work.cohorts, of, now)
    clock.passed("compose")
    first = coming[0].edition
    found = Rehearsal(str(EditionName(first.newsletter, first.occurrence, stream=first.stream)), editions=len(coming))
    found.last = await store.read_async(audience.last_sent, *of)
    async with NullRelay() as relay:
        sending = await _Sending.open(configuration, store, relay, found, now)
        clock.passed("send")
        for _, alike in groupby(coming, key=lambda one: one.content):
            these = list(alike)
            fitted = await asyncio.to_thread(_render, configuration, these[0], work.logo)
            clock.passed("render")
            for one in these:
                await sending.edition(one, fitted)
            clock.passed("send")
        await sending.close()
        clock.passed("send")
    found.seconds = dict(clock.seconds)
    return found


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds = {"compose": 0.0, "render": 0.0, "send": 0.0}
        self._last = time.perf_counter()

    def passed(self, step: str) -> None:
        """What passed since the last call was this step's."""
        now = time.perf_counter()
        self.seconds[step] += now - self._last
        self._last = now


def _render(configuration: Configuration, one: NextEdition, logo: Picture | None) -> Fitted | None:
    """None where it goes to nobody."""
    if one.skip is not Reason.NONE:
        return None
    keys = rendered_keys(configuration.languages(one.edition.newsletter), configuration.schedules.plans)
    return render_fitted(configuration, one.edition, one.articles, keys, templates_of(configuration), logo=logo)


class _Sending:
    """Assembles the messages of one edition after the other and gives them to the relay that keeps nothing."""

    def __init__(
        self, configuration: Configuration, store: Store, line: _Line, pipelines: list[Pipeline], now: datetime
    ) -> None:
        self._configuration, self._store, self._now = configuration, store, now
        self._line, self._pipelines = line, pipelines
        self._leaving_out = LeavingOut(configuration)
        self._only_addresses = staging_addresses(configuration)
        self._assembler = Assembler(configuration, store, lambda: now, dkim_signers(configuration))

    @classmethod
    async def open(
        cls, configuration: Configuration, store: Store, relay: NullRelay, found: Rehearsal, now: datetime
    ) -> Self:
        line = _Line(found)
        connections = [await RelayConnection.open("rehearsal", relay.settings) for _ in range(_CONNECTIONS)]
        pipelines = [connection.hand_over(line) for connection in connections]
        for pipeline in pipelines:
            pipeline.start()
        return cls(configuration, store, line, pipelines, now)

    async def close(self) -> None:
        await self._line.drained(self._pipelines, to=0)
        for pipeline in self._pipelines:
            pipeline.leave()

    async def edition(self, one: NextEdition, fitted: Fitted | None) -> None:
        """An edition to all who stand where it goes, page by page."""
        edition, name = one.edition, one.edition.newsletter
        if fitted is not None:
            edition = replace(edition, sections=fitted.edition.sections)
            for key, rendered in fitted.pieces.items():
                self._assembler.remember(0, 1, key, edition, rendered)
        page = partial(
            audience.page,
            newsletter=name,
            stream=edition.stream,
            asked_for=self._configuration.asked_for(name, edition.stream),
            limit=_PAGE,
            languages=self._configuration.languages(name),
            plans=tuple(self._configuration.schedules.plans),
            now=self._now,
            only_addresses=self._only_addresses,
            targets=self._configuration.targets,
            places=one.places,
        )
        last = 0
        while readers := await self._store.read_async(page, after=last):
            last = readers[-1].subscriber_id
            await self._page(edition, readers, one.skip)

    async def _page(self, edition: Edition, readers: Sequence[Addressee], skip: Reason) -> None:
        newsletter, found = self._configuration.of(edition), self._line.found
        carried: Mapping[int, list[Carried]] = {}
        if self._leaving_out.needed and skip is Reason.NONE:
            zones = {reader.subscriber_id: reader.timezone for reader in readers}
            carried = await self._store.read_async(self._leaving_out.would_be_carried, zones, edition)
        for reader in readers:
            found.readers += 1
            gone = frozenset(stories_in(carried.get(reader.subscriber_id, ())))
            reason = reader.verdict or skip or _why_not(newsletter, edition, reader.sections, gone)
            if reason:
                found.skipped[reason] += 1
                continue
            await self._add(edition, reader, gone)
            if len(self._line.waiting) >= _AHEAD:
                await self._line.drained(self._pipelines)
            elif len(self._line.waiting) % _CONNECTIONS == 0:
                for pipeline in self._pipelines:
                    pipeline.look_again()
                await asyncio.sleep(0)

    async def _add(self, edition: Edition, reader: Addressee, gone: Collection[int]) -> None:
        try:
            post = await self._assembler(_row(self._configuration, edition, reader, gone, self._now))
            message = post.message if post.signature is None else await asyncio.to_thread(post.signed)
            self._line.waiting.append(Outgoing(reader, post.envelope_sender, reader.address, message))
        except (NewsletterError, ValueError) as error:
            self._line.failed(reader, str(error))


def _why_not(newsletter: Newsletter, edition: Edition, sections: str, gone: Collection[int]) -> Reason:
    """Why a reader of these stored sections who had ``gone`` elsewhere gets no mail; NONE where she gets one."""
    if not has_stories(sections, newsletter, edition):
        return Reason.NO_STORIES
    if gone and leaves_nothing(sections, newsletter, edition, gone):
        return Reason.ALL_HAD
    return Reason.NONE


class _Line:
    """What waits for a connection; counts what became of it (``pipelining.Source``)."""

    def __init__(self, found: Rehearsal) -> None:
        self.waiting: deque[Outgoing] = deque()
        self.found = found
        self._under_way = 0
        self._moved = asyncio.Event()

    def next_for(self, pipeline: Pipeline) -> Outgoing | None:
        if not self.waiting:
            return None
        self._under_way += 1
        return self.waiting.popleft()

    def ask(self, pipeline: Pipeline, outgoing: Outgoing) -> None:
        pipeline.permit(outgoing, allowed=True)

    def finished(self, pipeline: Pipeline, outgoing: Outgoing, result: Transmission) -> None:
        self._under_way -= 1
        self._moved.set()
        reader: Addressee = outgoing.about
        if isinstance(result, Answered) and result.reply.accepted:
            self.found.messages += 1
            self.found.sizes.append(len(outgoing.message))
            self.found.by_key[str(reader.rendered_key)] += 1
            self.found.by_domain_group[reader.domain_group] += 1
        else:
            self.failed(reader, str(result))

    def closed(self, pipeline: Pipeline, unsent: Outgoing | None) -> None:
        if unsent is not None:
            self._under_way -= 1
            self.waiting.appendleft(unsent)
        self._moved.set()

    def failed(self, reader: Addressee, why: str) -> None:
        """Count a message that could not be made or sent."""
        self.found.failed += 1
        if len(self.found.failures) < _EXAMPLES:
            self.found.failures.append(f"{masked(reader.address)} (subscriber {reader.subscriber_id}): {why}")

    async def drained(self, pipelines: list[Pipeline], *, to: int = _AHEAD // 2) -> None:
        """Wait until at most so many wait (0: until all were answered)."""
        while len(self.waiting) > to or (to == 0 and self._under_way):
            if not any(pipeline.is_open for pipeline in pipelines):
                raise NewsletterError("the rehearsal's own relay is gone", where="127.0.0.1")
            self._moved.clear()
            for pipeline in pipelines:
                pipeline.look_again()
            await self._moved.wait()


def _row(
    configuration: Configuration, edition: Edition, reader: Addressee, gone: Collection[int], now: datetime
) -> Claimed:
    key = f"{edition.newsletter}/{edition.stream}/{edition.occurrence}"
    return Claimed(
        id=0,
        subscriber_id=reader.subscriber_id,
        edition_id=0,
        pieces_of=0,
        pieces_revision=1,
        newsletter=edition.newsletter,
        stream=edition.stream,
        occurrence=str(edition.occurrence),
        kind=Kind.EDITION,
        rendered_key=reader.rendered_key,
        sections=reader.sections,
        format=reader.format,
        message_id=message_id(configuration, edition.newsletter, key, reader.subscriber_id),
        attempt=1,
        expires_at=now + timedelta(hours=1),
        address=reader.address,
        first_name=reader.first_name,
        last_name=reader.last_name,
        secret=reader.secret,
        withdrawals_seen=0,
        targets=reader.targets,
        had=encode_had(in_its_order(edition, gone)),
    )


def differences(facts: Mapping[str, Any]) -> str:
    """How it differs from the last edition, in words; '' where there is none."""
    last = facts["last"]
    if last is None:
        return ""
    more = last["messages_more"]
    how = "as many messages as" if not more else f"{abs(more):,} {'more' if more > 0 else 'fewer'} messages than"
    return f"{how} {last['occurrence']} ({last['deliveries']['sent']:,} sent, {last['deliveries']['failed']:,} failed)"
