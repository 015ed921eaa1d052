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
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from newsletter.compose.keys import has_stories, rendered_keys
from newsletter.config.reading import Configuration
from newsletter.deliver.assembling import Assembler, message_id
from newsletter.deliver.configured import dkim_signers, staging_addresses
from newsletter.deliver.null_relay import NullRelay
from newsletter.deliver.outgoing import Answered, Outgoing, Transmission
from newsletter.deliver.pipelining import Pipeline
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import NewsletterError
from newsletter.members.addresses import masked
from newsletter.model import Edition, Kind, Reason, StreamName
from newsletter.render.rendering import render_fitted, templates_of
from newsletter.schedule.testing import next_edition
from newsletter.schedule.work import Work
from newsletter.store import audience
from newsletter.store.audience import Addressee, LastSent
from newsletter.store.claiming import Claimed

_PAGE = 2000
_CONNECTIONS = 10
_AHEAD = 400
_EXAMPLES = 5


@dataclass(slots=True)
class Rehearsal:
    """What came of it. Sizes are bytes on the wire; ``seconds`` by step."""

    edition: str
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
    began = time.perf_counter()
    edition, known = await asyncio.to_thread(next_edition, configuration, store, of, configuration.named(of), now)
    composed = time.perf_counter()
    keys = rendered_keys(configuration.languages(of.newsletter), configuration.schedules.plans)
    made = await asyncio.to_thread(
        render_fitted, configuration, edition, known, keys, templates_of(configuration), logo=work.logo
    )
    rendered = time.perf_counter()
    found = Rehearsal(str(edition.name))
    found.last = await store.read_async(audience.last_sent, *of)
    assembler = Assembler(configuration, store, lambda: now, dkim_signers(configuration))
    for key in keys:
        assembler.remember(0, 1, key, made.edition, made.pieces[key])
    await _send(configuration, work, made.edition, assembler, found, now)
    found.seconds = {"compose": composed - began, "render": rendered - composed, "send": time.perf_counter() - rendered}
    return found


async def _send(
    configuration: Configuration, work: Work, edition: Edition, assembler: Assembler, found: Rehearsal, now: datetime
) -> None:
    name = edition.newsletter
    newsletter = configuration.of(edition)
    page = partial(
        audience.page,
        newsletter=name,
        stream=edition.stream,
        asked_for=configuration.asked_for(name, edition.stream),
        limit=_PAGE,
        languages=configuration.languages(name),
        plans=tuple(configuration.schedules.plans),
        now=now,
        only_addresses=staging_addresses(configuration),
        targets=configuration.targets,
    )
    async with NullRelay() as relay:
        line = _Line(found)
        connections = [await RelayConnection.open("rehearsal", relay.settings) for _ in range(_CONNECTIONS)]
        pipelines = [connection.hand_over(line) for connection in connections]
        for pipeline in pipelines:
            pipeline.start()
        last = 0
        while readers := await work.store.read_async(page, after=last):
            last = readers[-1].subscriber_id
            for reader in readers:
                found.readers += 1
                reason = reader.verdict
                if reason is Reason.NONE and not has_stories(reader.sections, newsletter, edition):
                    reason = Reason.NO_STORIES
                if reason is not Reason.NONE:
                    found.skipped[reason] += 1
                    continue
                await _add(configuration, edition, assembler, line, reader, now)
                if len(line.waiting) >= _AHEAD:
                    await line.drained(pipelines)
                elif len(line.waiting) % _CONNECTIONS == 0:
                    for pipeline in pipelines:
                        pipeline.look_again()
                    await asyncio.sleep(0)
        await line.drained(pipelines, to=0)
        for pipeline in pipelines:
            pipeline.leave()


async def _add(
    configuration: Configuration, edition: Edition, assembler: Assembler, line: _Line, reader: Addressee, now: datetime
) -> None:
    try:
        post = await assembler(_row(configuration, edition, reader, now))
        message = post.message if post.signature is None else await asyncio.to_thread(post.signed)
        line.waiting.append(Outgoing(reader, post.envelope_sender, reader.address, message))
    except (NewsletterError, ValueError) as error:
        line.failed(reader, str(error))


class _Line:
    """What waits for a connection; counts what became of it (``pipelining.Source``)."""

    def __init__(self, found: Rehearsal) -> None:
        self.waiting: deque[Outgoing] = deque()
        self._found = found
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
            self._found.messages += 1
            self._found.sizes.append(len(outgoing.message))
            self._found.by_key[str(reader.rendered_key)] += 1
            self._found.by_domain_group[reader.domain_group] += 1
        else:
            self.failed(reader, str(result))

    def closed(self, pipeline: Pipeline, unsent: Outgoing | None) -> None:
        if unsent is not None:
            self._under_way -= 1
            self.waiting.appendleft(unsent)
        self._moved.set()

    def failed(self, reader: Addressee, why: str) -> None:
        """Count a message that could not be made or sent."""
        self._found.failed += 1
        if len(self._found.failures) < _EXAMPLES:
            self._found.failures.append(f"{masked(reader.address)} (subscriber {reader.subscriber_id}): {why}")

    async def drained(self, pipelines: list[Pipeline], *, to: int = _AHEAD // 2) -> None:
        """Wait until at most so many wait (0: until all were answered)."""
        while len(self.waiting) > to or (to == 0 and self._under_way):
            if not any(pipeline.is_open for pipeline in pipelines):
                raise NewsletterError("the rehearsal's own relay is gone", where="127.0.0.1")
            self._moved.clear()
            for pipeline in pipelines:
                pipeline.look_again()
            await self._moved.wait()


def _row(configuration: Configuration, edition: Edition, reader: Addressee, now: datetime) -> Claimed:
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
    )


def differences(facts: Mapping[str, Any]) -> str:
    """How it differs from the last edition, in words; '' where there is none."""
    last = facts["last"]
    if last is None:
        return ""
    more = last["messages_more"]
    how = "as many messages as" if not more else f"{abs(more):,} {'more' if more > 0 else 'fewer'} messages than"
    return f"{how} {last['occurrence']} ({last['deliveries']['sent']:,} sent, {last['deliveries']['failed']:,} failed)"
