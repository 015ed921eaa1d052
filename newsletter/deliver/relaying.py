"""One relay while mail is sent: its connections, the messages that wait for one, and whether it can be used at all.

    add(outgoing) -> waiting -> a connection takes it -> Pipeline -> finished(line, outgoing, result)

A relay that cannot be reached, or whose connections all break, is *down*: it takes nothing, and one connection is tried
again after a wait that grows. What waited for it is given back, and goes through another relay or waits in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable

import structlog

from newsletter.config.models import Relay
from newsletter.deliver import backoff
from newsletter.deliver.asking import ConsentGate
from newsletter.deliver.outgoing import Answered, Lacking, LostBeforeBody, LostInDoubt, Offers, Outgoing, Transmission
from newsletter.deliver.pace import Pace, asks_for_less
from newsletter.deliver.pipelining import Pipeline
from newsletter.deliver.replies import Reply, Stage
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import RelayError
from newsletter.model import Kind

log = structlog.get_logger()

ROWS_A_CONNECTION = 20
SECONDS_AHEAD = 0.5
IDLE_SECONDS = 30.0
_MEASURE_SECONDS = 0.1
_TROUBLES_TO_GO_DOWN = 3
_DOWNS_TO_GIVE_UP = 3


class RelayLine:
    """``finished`` is told what became of each message, ``changed`` that there may be room, or that it went up or down.

    ``held`` rows are claimed for it and not yet recorded: whoever claims and records them counts.
    """

    def __init__(
        self,
        name: str,
        relay: Relay,
        gate: ConsentGate,
        finished: Callable[[RelayLine, Outgoing, Transmission], None],
        changed: Callable[[], None],
    ) -> None:
        self.name, self.relay = name, relay
        self.held = 0
        self.up = False
        self._ever_up = False
        self._offers: Offers | None = None  # what it offered last
        self.failures = 0  # to connect, in a row
        self.error: RelayError | None = None
        self.share = 0.0  # what it has had in proportion to its weight (see ``sharing``)
        self._loop = asyncio.get_running_loop()
        self._gate, self._finished, self._changed = gate, finished, changed
        per_minute = relay.messages_per_minute
        self._pace = Pace(relay.connections, None if per_minute is None else per_minute / 60)
        self._looking: asyncio.TimerHandle | None = None  # when the pace lets the next message begin
        self._urgent: deque[Outgoing] = deque()  # notices, alerts and system mail: no digest stands before them
        self._ordinary: deque[Outgoing] = deque()
        self._pipelines: dict[Pipeline, asyncio.Event] = {}
        self._opening = 0
        self._wake = asyncio.Event()
        self._slots: dict[int, asyncio.Task[None]] = {}
        self._connected: set[int] = set()
        self._closing = False
        self._trouble = 0  # failures of the relay itself in a row
        self._downs = 0  # how often it went down for that, and took nothing since
        self._rate = 0.0  # messages a second, smoothed
        self._done, self._since = 0, self._loop.time()

    # --- for the ledger's side ---

    @property
    def rate(self) -> float:
        """Messages a second, of late."""
        now = self._loop.time()
        passed = now - self._since
        if passed >= _MEASURE_SECONDS:
            weight = min(passed, 1.0)
            self._rate += weight * (self._done / passed - self._rate) if self._rate else self._done / passed
            self._done, self._since = 0, now
        return self._rate

    @property
    def most(self) -> int:
        """How many rows may stand in ``sending`` for it now."""
        allowed = self._pace.per_second
        if allowed is not None and allowed * SECONDS_AHEAD < self._pace.connections * 2:
            ahead = int(allowed * SECONDS_AHEAD) + 1
        else:
            ahead = max(self._pace.connections * 2, int(self.rate * SECONDS_AHEAD))
        return min(max(len(self._pipelines), 1) * ROWS_A_CONNECTION, ahead)

    @property
    def weight(self) -> int:
        """Its part of the mail of a newsletter that several relays take; 0: a spare."""
        return 1 if self.relay.weight is None else self.relay.weight

    @property
    def room(self) -> int:
        """How many more rows may be claimed for it."""
        return self.most - self.held if self.up and not self._closing else 0

    @property
    def given_up(self) -> bool:
        """Whether who will not wait for ever should stop hoping for it."""
        hopeless = _TROUBLES_TO_GO_DOWN if self._ever_up else 1
        return not self.up and (self.failures >= hopeless or self._downs >= _DOWNS_TO_GIVE_UP)

    def lacks(self, outgoing: Outgoing) -> bool:
        """Whether it is known to lack an extension that this message needs."""
        return self._offers is not None and bool(outgoing.lacks(self._offers))

    def add(self, outgoing: Outgoing) -> None:
        """A message for the next connection that is free."""
        (self._ordinary if outgoing.about.kind is Kind.EDITION else self._urgent).append(outgoing)
        if self._waiting > 1:
            return  # those before it found no connection free
        self._look_again()
        if self._waiting:
            self._wake.set()

    def take_back(self) -> list[Outgoing]:
        """The messages that no connection has taken."""
        taken = [*self._urgent, *self._ordinary]
        self._urgent.clear()
        self._ordinary.clear()
        return taken

    def close(self) -> None:
        """Take no more; ``run`` returns when what is on the wire is answered."""
        self._closing = True
        for number, slot in self._slots.items():
            if number not in self._connected:
                slot.cancel()
        for pipeline in list(self._pipelines):
            pipeline.leave()

    def abandon(self) -> None:
        """Drop everything at once; what is on the wire is in doubt.

        Said, not only cancelled: a library that was just done with something keeps a cancellation to itself (Python
        3.11's ``asyncio.wait_for``), and the slot that it was meant for would then wait for ever.
        """
        self._closing = True
        for slot in self._slots.values():
            slot.cancel()
        for pipeline in list(self._pipelines):
            pipeline.abort()
        self._wake.set()

    async def run(self) -> None:
        """Keep connections open as long as there is something to send, until ``close``."""
        try:
            for number in range(self.relay.connections):
                self._slots[number] = asyncio.get_running_loop().create_task(self._slot(number))
            results = await asyncio.gather(*self._slots.values(), return_exceptions=True)
            for result in results:
                if isinstance(result, Exception):
                    raise result
        finally:
            self.abandon()

    # --- connections ---

    async def _slot(self, number: int) -> None:
        """One of the relay's connections; the first also finds out whether the relay can be used."""
        while not self._closing:
            while not self._wanted(number):
                self._wake.clear()
                await self._wake.wait()
            self._opening += 1
            try:
                if self._trouble:
                    await self._pause()
                connection = await RelayConnection.open(self.name, self.relay)
            except RelayError as error:
                self._cannot_connect(error)
                continue
            finally:
                self._opening -= 1
            self._offers = connection.offers
            pipeline = connection.hand_over(self)
            gone = self._pipelines[pipeline] = asyncio.Event()
            self._connected.add(number)
            try:
                self._can_be_used()
                pipeline.start()
                if self._closing:  # meanwhile, and a library kept the cancellation to itself
                    pipeline.leave()
                await self._until_gone(pipeline, gone)
            finally:
                self._connected.discard(number)
                if pipeline.is_open:
                    pipeline.abort()

    def _wanted(self, number: int) -> bool:
        """Whether this slot should connect: for what waits, or to see whether the relay can be used."""
        if not self.up:
            return number == 0
        return self._waiting > self._opening and len(self._pipelines) + self._opening < self._pace.connections

    async def _until_gone(self, pipeline: Pipeline, gone: asyncio.Event) -> None:
        while not gone.is_set():
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    await gone.wait()
            except TimeoutError:
                now = self._loop.time()
                if pipeline.idle and now - pipeline.idle_since >= IDLE_SECONDS:
                    pipeline.leave()

    async def _pause(self) -> None:
        wait = backoff.wait_before(
            self.failures + self._downs,  # not ``_trouble``: a relay that restarts breaks all connections at once
            first=backoff.FIRST_RELAY_WAIT,
            longest=backoff.LONGEST_RELAY_WAIT,
            jitter=random.random(),  # noqa: S311
        )
        await asyncio.sleep(wait.total_seconds())

    def _can_be_used(self) -> None:
        if self.failures and not self.up:
            log.info("relay can be used again", relay=self.name)
        self.up = self._ever_up = True
        self.failures, self.error = 0, None
        self._changed()

    def _cannot_connect(self, error: RelayError) -> None:
        self._trouble += 1
        self.failures += 1
        self.error = error
        log.error("relay cannot be used", relay=self.name, error=str(error))
        if not self._pipelines:
            self._go_down()
        elif self._pace.refused_connection(self._loop.time(), len(self._pipelines)):
            self._say_pace()
        self._wake.set()
        self._changed()

    def _go_down(self) -> None:
        self.up = False
        self._wake.set()
        self._changed()

    # --- pace ---

    @property
    def _waiting(self) -> int:
        """How many messages no connection has taken."""
        return len(self._urgent) + len(self._ordinary)

    def _look_again(self) -> None:
        """Offer what waits to every connection."""
        self._looking = None
        for pipeline in list(self._pipelines):
            if not self._waiting:
                return
            pipeline.look_again()

    def _look_later(self, seconds: float) -> None:
        if self._looking is None:
            self._looking = self._loop.call_later(seconds, self._look_again)

    def _keep_pace(self, reply: Reply) -> None:
        less = not reply.accepted and asks_for_less(reply)
        changed = self._pace.answered(self._loop.time(), wants_less=less, rate=self.rate if less else 0.0)
        if changed:
            self._say_pace()

    def _say_pace(self) -> None:
        """Say how it goes on, and leave the connections that are too many."""
        limit, connections = self._pace.per_second, self._pace.connections
        log.log(
            logging.WARNING if self._pace.slowed else logging.INFO,
            "relay is given less" if self._pace.slowed else "relay is given what it was",
            relay=self.name,
            per_minute=None if limit is None else round(limit * 60, 1),
            connections=connections,
        )
        for pipeline in list(self._pipelines)[connections:]:
            pipeline.leave()
        self._wake.set()

    # --- what the pipelines ask and tell (``pipelining.Source``) ---

    def next_for(self, pipeline: Pipeline) -> Outgoing | None:
        while self._waiting and not self._closing:
            now = self._loop.time()
            if wait := self._pace.wait(now):
                self._look_later(wait)
                return None
            outgoing = (self._urgent or self._ordinary).popleft()
            missing = outgoing.lacks(pipeline.offers)
            if not missing:
                self._pace.begun(now)
                return outgoing
            self._offers = pipeline.offers  # where the servers behind one name differ, the one that lacks it counts
            self._finished(self, outgoing, Lacking(missing))
        return None

    def ask(self, pipeline: Pipeline, outgoing: Outgoing) -> None:
        self._gate.ask(pipeline, outgoing)

    def finished(self, pipeline: Pipeline, outgoing: Outgoing, result: Transmission) -> None:
        self._done += 1
        self._finished(self, outgoing, result)  # first: no fault of what follows may lose it
        match result:
            case Answered(stage, reply):
                self._keep_pace(reply)
                if reply.code == 421:
                    self._trouble += 1
                elif stage is Stage.BODY and reply.accepted:
                    self._trouble = self._downs = 0
            case LostBeforeBody() | LostInDoubt():
                self._trouble += 1

    def closed(self, pipeline: Pipeline, unsent: Outgoing | None) -> None:
        gone = self._pipelines.pop(pipeline, None)
        if gone is not None:
            gone.set()
        if unsent is not None:
            (self._ordinary if unsent.about.kind is Kind.EDITION else self._urgent).appendleft(unsent)
            self._look_again()
        if not self._pipelines and self._trouble >= _TROUBLES_TO_GO_DOWN and self.up:
            log.error("relay went down", relay=self.name, error=pipeline.why_closed)
            self._downs += 1
            self.error = RelayError(f"it breaks its connections off: {pipeline.why_closed}", where=f"relay {self.name}")
            self._go_down()
        self._wake.set()
        self._changed()
