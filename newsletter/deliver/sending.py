"""Sends what the outbox holds: claims rows just ahead of the wire, assembles them, gives them to relays, and records
what has arrived, together and at once.

    claim (durable ``sending``) -> assemble -> a relay -> envelope -> consent once more -> body -> reply -> record

One exchange with the ledger after another records the outcomes there are and claims rows for the room there is, in one
transaction. At most ``ROWS_A_CONNECTION`` rows an open connection, and half a second of the measured rate, stand in
``sending``.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from newsletter.config.models import Relay
from newsletter.deliver.asking import ConsentGate
from newsletter.deliver.failing import Threshold
from newsletter.deliver.holding import Holding
from newsletter.deliver.outcomes import deferred, outcome_of, released
from newsletter.deliver.outgoing import Lacking, Outgoing, Transmission
from newsletter.deliver.relaying import RelayLine
from newsletter.deliver.routes import Route, leave_places, take_places
from newsletter.deliver.sharing import choose, usable
from newsletter.deliver.tally import Tally
from newsletter.errors import NewsletterError, SenderLockLost, StoreError, first_of
from newsletter.model import DeliveryState, Reason
from newsletter.store import Store
from newsletter.store.claiming import NO_LIMITS, Claim, Claimed, LeaveOut, claim
from newsletter.store.domain_limits import waiting_for_a_limit
from newsletter.store.recording import Outcome, exchange
from newsletter.store.senders import SenderLock
from newsletter.target import NO_TARGETS, Targets

log = structlog.get_logger()

_POLL_SECONDS = 0.5
_RECORD_RETRY_SECONDS = 10.0
_RECOVER_SECONDS = 10.0
# While mail flows, outcomes of so long are committed together, or as soon as they are such a part of all that is held:
# each commit waits for the disk, and what is held is soon all there may be.
_GATHER_SECONDS = 0.008
_GATHER_PART = 1 / 2
_GATHER_FROM_RATE = 500.0
# So many are assembled before connections may read and write, and signed together: a thread costs a turn of the loop.
_ASSEMBLED_AT_A_STRETCH = 8
# While some wait for their signatures, which threads make, others are assembled and signed.
_ASSEMBLING_AT_ONCE = 2 * (os.cpu_count() or 1)


class Post(NamedTuple):
    """A message as it was assembled, and its envelope sender (RFC 5321 §3.3)."""

    envelope_sender: str
    message: bytes
    signature: Callable[[], bytes] | None = None
    """Makes the header fields that go before it. It takes so long that it belongs into a thread; there it lets go of
    the interpreter's lock."""

    def signed(self) -> bytes:
        """The bytes for the wire."""
        return self.message if self.signature is None else self.signature() + self.message

    def __repr__(self) -> str:
        return f"Post(envelope_sender={self.envelope_sender!r})"


Assemble = Callable[[Claimed], Awaitable[Post]]
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Rules:
    """What claiming needs to know from the configuration."""

    keep_in_doubt: frozenset[str]
    plans: tuple[str, ...]
    languages: Mapping[str, tuple[str, ...]]
    only_addresses: frozenset[str] | None
    message_id_of: Callable[[str, int], str]
    failing: Mapping[str, Threshold] = field(default_factory=dict)
    """By newsletter, how much of an edition may be refused before it is held."""
    domain_limits: Mapping[str, int] = field(default_factory=lambda: NO_LIMITS)
    """Messages a minute by domain group."""
    targets: Targets = NO_TARGETS
    """Whom newsletters and their promotions are for."""
    leave_out: LeaveOut | None = None
    """Marks what readers had elsewhere that day."""
    return_path_of: Callable[[str, int], str] = lambda envelope_sender, _delivery: envelope_sender
    """The envelope sender of one delivery, for relays with ``verp``."""


class Sender:
    """Sends through all relays of ``routes`` (relay -> its newsletters) while it holds ``lock``.

    A newsletter of several relays goes through each of them, in proportion to their weights.
    """

    def __init__(
        self,
        store: Store,
        lock: SenderLock,
        relays: Mapping[str, Relay],
        routes: Mapping[str, Collection[str]],
        rules: Rules,
        assemble: Assemble,
        clock: Clock,
    ) -> None:
        self.tally = Tally()
        self.more_to_come = False
        self._store, self._lock, self._relays, self._routes = store, lock, relays, routes
        self._rules, self._assemble, self._clock = rules, assemble, clock
        self._changed = asyncio.Event()
        self._lines: list[RelayLine] = []
        self._claimed: deque[tuple[Claimed, RelayLine]] = deque()  # and not yet assembled
        self._to_assemble = asyncio.Event()
        self._lacking: list[tuple[RelayLine, Outgoing, Lacking]] = []  # what its relay cannot take
        self._outcomes: list[tuple[RelayLine, Outcome]] = []
        self._gathered = asyncio.Event()  # so many outcomes as to be a group
        self._group = 0
        self._closing = False
        # As many at once as there are cores: a signature lets go of the interpreter's lock.
        self._signing = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="dkim")
        self._holding = Holding(store, rules.failing, clock)

    async def run(self, stop: asyncio.Event, *, until_idle: bool = False) -> Tally:
        """Send until ``stop`` is set, or with ``until_idle`` until nothing is due; then drain and return the tally.

        Rows of senders that died are dealt with first, and soon those of senders that die meanwhile. Raises StoreError,
        and with ``until_idle`` RelayError when the relays of a newsletter cannot be used at all; otherwise a relay that
        fails is tried again for ever.
        ``more_to_come`` says that rows are still being made: until it is False again (``wake``), nothing is idle.
        """
        await self._recover()
        async with ConsentGate(self._store) as gate:
            routes = self._open_routes(gate)
            try:
                async with asyncio.TaskGroup() as group:
                    running = [group.create_task(line.run()) for line in self._lines]
                    helpers = [group.create_task(self._assemble_claimed()) for _ in range(_ASSEMBLING_AT_ONCE)]
                    helpers.append(group.create_task(self._wake_on(stop)))
                    helpers.append(group.create_task(self._keep_recovering()))
                    try:
                        trouble = await self._work(routes, stop, until_idle=until_idle)
                    except BaseException:
                        for line in self._lines:
                            line.abandon()
                        raise
                    for helper in helpers:
                        helper.cancel()
                    await asyncio.gather(*running)
                if trouble is not None:
                    raise trouble
            except* NewsletterError as errors:
                raise first_of(errors) from None
            finally:
                self._signing.shutdown(wait=False)
        return self.tally

    def wake(self) -> None:
        """Say that rows were queued, so that they go at once."""
        self._changed.set()

    def _open_routes(self, gate: ConsentGate) -> list[Route]:
        used = {name: self._relays[name] for name, newsletters in self._routes.items() if newsletters}
        lines = {name: RelayLine(name, relay, gate, self._finished, self.wake) for name, relay in used.items()}
        self._lines = list(lines.values())
        relays_of: dict[str, list[RelayLine]] = {}
        for name, line in lines.items():
            for newsletter in self._routes[name]:
                relays_of.setdefault(newsletter, []).append(line)
        routes: dict[tuple[RelayLine, ...], list[str]] = {}
        for newsletter, through in relays_of.items():
            routes.setdefault(tuple(through), []).append(newsletter)
        return [Route(frozenset(newsletters), through) for through, newsletters in routes.items()]

    # --- exchanges with the ledger ---

    async def _work(self, routes: list[Route], stop: asyncio.Event, *, until_idle: bool) -> NewsletterError | None:
        """Claim and record until there is no more to do; what made it stop early, if anything.

        Raises SenderLockLost at once, so that nothing more goes on the wire, and StoreError when outcomes cannot be
        recorded.
        """
        trouble: NewsletterError | None = None
        quiet: set[Route] = set()  # asked for, and nothing was due
        while True:
            if self._changed.is_set():
                quiet = set()
            self._changed.clear()
            more_to_come = self.more_to_come  # as it is before the ledger is asked: what came since, nobody has seen
            if self._holding.wanted:
                trouble = await self._holding.hold() or trouble
            if stop.is_set() or trouble is not None:
                self._close()
            for line in self._lines:
                if not line.up or self._closing:
                    self._give_back(line.take_back(), line)
            if self._lacking:
                self._send_through_others()
            if self._outcomes and not self._closing and sum(line.rate for line in self._lines) > _GATHER_FROM_RATE:
                await self._gather()
            asking = [one for one in routes if one not in quiet and one.worth_claiming and not self._closing]
            outcomes, self._outcomes = self._outcomes, []
            found, asked = False, set[Route]()
            if outcomes or asking:
                try:
                    found, asked = await self._exchange(outcomes, asking)
                except StoreError as error:
                    if not asking or isinstance(error, SenderLockLost):
                        raise
                    trouble = error  # what is on the wire is finished and, if it can be, recorded
                    self._outcomes = outcomes + self._outcomes
                    continue
                routes.append(routes.pop(0))  # another begins next time
                quiet = set() if found or outcomes else quiet | asked
            if found or self._outcomes:
                continue
            if self._closing and not any(line.held for line in self._lines) and not self._holding.to_be_tried_again:
                return trouble
            idle = not outcomes and all(route.given_up or (route in quiet and route.idle) for route in routes)
            over = until_idle and idle and not more_to_come and not self._closing
            try:
                over = over and not await self._more(routes)
            except SenderLockLost:
                raise
            except StoreError as error:
                trouble = error
                continue
            if over:
                self._close()
                trouble = next((line.error for route in routes if route.given_up for line in route.lines), None)
            elif not outcomes and asked == set(asking):  # else those for whom there was no place are asked next
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._changed.wait()
                except TimeoutError:
                    pass
                quiet = set()

    async def _exchange(
        self, outcomes: list[tuple[RelayLine, Outcome]], asking: Sequence[Route]
    ) -> tuple[bool, set[Route]]:
        """Record and claim; whether the ledger had anything for us, and for which routes it was asked."""
        batch = [outcome for _, outcome in outcomes]
        places = take_places(asking)
        claims = [partial(self._claim, route=route, limit=len(its)) for route, its in places if its]
        try:
            made = await self._in_ledger(batch, claims)
        except BaseException:
            for _, its in places:
                leave_places(its)
            raise
        for line, outcome in outcomes:
            line.held -= 1
            self.tally.add(outcome)
        found = False
        for its, one in zip((its for _, its in places if its), made, strict=True):
            self.tally.skipped += one.skipped
            found = found or bool(one.rows or one.skipped or one.postponed)
            self._claimed.extend(zip(one.rows, its, strict=False))
            leave_places(its[len(one.rows) :])
        if self._claimed:
            self._to_assemble.set()
        return found, {route for route, its in places if its}

    async def _gather(self) -> None:
        """Wait until the outcomes are worth a commit."""
        self._group = int(sum(line.held for line in self._lines) * _GATHER_PART)
        self._gathered.clear()
        if len(self._outcomes) < self._group:
            try:
                async with asyncio.timeout(_GATHER_SECONDS):
                    await self._gathered.wait()
            except TimeoutError:
                pass

    async def _in_ledger(
        self, batch: Sequence[Outcome], claims: Sequence[Callable[[Connection], Claim]]
    ) -> Sequence[Claim]:
        # A full disk or a locked database may pass: what the relay accepted must not be forgotten for it.
        deadline = asyncio.get_running_loop().time() + _RECORD_RETRY_SECONDS
        while True:
            try:
                # Shielded: a claim that is committed must not lose its rows to a cancellation.
                return await asyncio.shield(self._lock.run(exchange, self._lock.sender, batch, claims, self._clock()))
            except SenderLockLost:
                raise
            except StoreError as error:
                if claims or asyncio.get_running_loop().time() > deadline:
                    raise
                log.error("outcomes cannot be recorded yet", waiting=len(batch), error=str(error))
                await asyncio.sleep(_POLL_SECONDS)

    async def _more(self, routes: Sequence[Route]) -> bool:
        """Whether, when nothing is due, rows will go soon: they wait for their domain's limit, a sender that died has
        left them, or somebody queued them while we asked."""
        return await self._postponed(routes) or await self._recover_if_possible() or self._changed.is_set()

    async def _postponed(self, routes: Sequence[Route]) -> bool:
        """Whether rows wait for nothing but their domain's limit, and so will go soon."""
        if not self._rules.domain_limits:
            return False
        newsletters = [name for route in routes if not route.given_up for name in route.newsletters]
        return await self._store.read_async(waiting_for_a_limit, newsletters)

    def _claim(self, connection: Connection, *, route: Route, limit: int) -> Claim:
        return claim(
            connection,
            self._lock.sender,
            newsletters=route.newsletters,
            limit=limit,
            now=self._clock(),
            message_id_of=self._rules.message_id_of,
            plans=self._rules.plans,
            languages=self._rules.languages,
            only_addresses=self._rules.only_addresses,
            domain_limits=self._rules.domain_limits,
            targets=self._rules.targets,
            leave_out=self._rules.leave_out,
        )

    def _close(self) -> None:
        """Claim no more; rows that no connection has taken go back to the queue, unsent."""
        if self._closing:
            return
        self._closing = True
        while self._claimed:
            row, line = self._claimed.popleft()
            self._outcomes.append((line, released(row, self._clock())))
        for line in self._lines:
            line.close()

    def _give_back(self, unsent: Sequence[Outgoing], line: RelayLine) -> None:
        self._outcomes.extend((line, released(outgoing.about, self._clock())) for outgoing in unsent)

    def _send_through_others(self) -> None:
        """Give what its relay cannot take to another of its newsletter's that is not known to lack what it needs.

        Where that one is being connected to, it is waited for; where it cannot be reached, the message is put off.
        """
        lacking, self._lacking = self._lacking, []
        for line, outgoing, result in lacking:
            row: Claimed = outgoing.about
            theirs = [one for one in self._lines if row.newsletter in self._routes[one.name]]
            able = [one for one in theirs if not one.lacks(outgoing)]
            up = usable(able)
            if not able:
                self._decided(line, outgoing, result)
            elif self._closing:
                self._tell(line, released(row, self._clock()))
            elif up:
                other = choose(up) or up[0]
                other.held += 1
                leave_places([line])
                self._claimed.append((row, other))
                self._to_assemble.set()
            elif all(one.given_up for one in able):
                self._tell(line, deferred(row, self._clock(), line.name, f"the relay lacks {result.extension}"))
            else:
                self._lacking.append((line, outgoing, result))

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake()

    # --- what senders that died have left ---

    async def _keep_recovering(self) -> None:
        """Also those that die while this one lives, of which nobody else may be told."""
        while True:
            await asyncio.sleep(_RECOVER_SECONDS)
            await self._recover_if_possible()

    async def _recover_if_possible(self) -> bool:
        """``_recover``, or False where the store cannot write now: that is tried again."""
        try:
            return await self._recover()
        except SenderLockLost:
            raise
        except StoreError as error:
            log.error("what other senders left cannot be looked for yet", error=str(error))
            return False

    async def _recover(self) -> bool:
        """Whether rows of senders that are gone were queued again, to go at once."""
        again, kept = await self._lock.recover(keep=self._rules.keep_in_doubt, now=self._clock())
        if again or kept:
            log.warning("deliveries in doubt", resent=again, kept=kept)
        if again:
            self.wake()
        return again > 0

    # --- between the ledger and the relays ---

    async def _assemble_claimed(self) -> None:
        """Assemble what was claimed, just ahead of the wire, and hand it to its relay."""
        while True:
            while self._claimed:
                made: list[tuple[Claimed, RelayLine, Post]] = []
                while self._claimed and len(made) < _ASSEMBLED_AT_A_STRETCH:
                    row, line = self._claimed.popleft()
                    try:
                        made.append((row, line, await self._assemble(row)))
                    except Exception as error:
                        self._not_assembled(row, line, error)
                await self._sign_and_add(made)
            self._to_assemble.clear()
            await self._to_assemble.wait()

    async def _sign_and_add(self, made: Sequence[tuple[Claimed, RelayLine, Post]]) -> None:
        posts = [post for _, _, post in made]
        if any(post.signature is not None for post in posts):
            signed = await asyncio.get_running_loop().run_in_executor(self._signing, _signed, posts)
        else:
            signed = [post.message for post in posts]
            await asyncio.sleep(0)  # let the connections read and write
        for (row, line, post), message in zip(made, signed, strict=True):
            if self._closing:
                self._tell(line, released(row, self._clock()))
                continue
            try:
                if isinstance(message, Exception):
                    raise message
                sender = line.relay.envelope_sender or post.envelope_sender
                if line.relay.verp:
                    sender = self._rules.return_path_of(sender, row.id)
                line.add(Outgoing(row, sender, row.address, message))
            except Exception as error:
                self._not_assembled(row, line, error)

    def _not_assembled(self, row: Claimed, line: RelayLine, error: Exception) -> None:
        if isinstance(error, NewsletterError):
            log.error("a message cannot be assembled", delivery=row.id, edition=row.edition_id, error=str(error))
            self._tell(line, deferred(row, self._clock(), line.name, f"not assembled: {error}"))
        elif isinstance(error, ValueError):
            failed = Outcome(row.id, DeliveryState.FAILED, Reason.UNDELIVERABLE_ADDRESS, line.name, str(error))
            self._tell(line, failed)
        else:  # a fault of ours costs this message, not all that come after it
            log.error("a message cannot be assembled", delivery=row.id, edition=row.edition_id, exc_info=error)
            why = f"not assembled: {type(error).__name__}: {error}"
            self._tell(line, deferred(row, self._clock(), line.name, why))

    def _finished(self, line: RelayLine, outgoing: Outgoing, result: Transmission) -> None:
        if isinstance(result, Lacking):
            self._lacking.append((line, outgoing, result))
            self._changed.set()
        else:
            self._decided(line, outgoing, result)

    def _decided(self, line: RelayLine, outgoing: Outgoing, result: Transmission) -> None:
        row: Claimed = outgoing.about
        try:
            outcome = outcome_of(row, result, line.name, self._clock(), keep_in_doubt=self._rules.keep_in_doubt)
        except (
            Exception
        ) as error:  # a fault of ours: whether it arrived is for a person to say, never sent for it twice
            log.error("an answer was not understood", delivery=row.id, edition=row.edition_id, exc_info=error)
            why = f"not understood: {type(error).__name__}: {error}"
            outcome = Outcome(row.id, DeliveryState.SENDING, Reason.IN_DOUBT, line.name, why, doubted=True)
        if outcome.reason is Reason.IN_DOUBT:
            log.error("a delivery in doubt waits for a person", delivery=row.id, relay=line.name, error=outcome.reply)
        self._tell(line, outcome)
        self._holding.answered(row.edition_id, row.newsletter, outcome.state, outcome.reason)

    def _tell(self, line: RelayLine, outcome: Outcome) -> None:
        self._outcomes.append((line, outcome))
        self._changed.set()
        if len(self._outcomes) >= self._group:
            self._gathered.set()


def _signed(posts: Sequence[Post]) -> list[bytes | Exception]:
    """In a thread of its own: what goes on the wire, or why it cannot be made."""
    made: list[bytes | Exception] = []
    for post in posts:
        try:
            made.append(post.signed())
        except Exception as error:
            made.append(error)
    return made
