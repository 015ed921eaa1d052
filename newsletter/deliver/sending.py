"""Sends what the outbox holds: for each relay a feeder that claims rows just ahead of the wire, connections that send
them, and a recorder that commits what has arrived, together and at once.

    claim (durable ``sending``) -> assemble -> envelope -> consent once more -> body -> reply -> record

At most ``ROWS_A_CONNECTION`` rows an open connection, and half a second of the measured rate, stand in ``sending``.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from newsletter.config.models import Relay
from newsletter.deliver import backoff
from newsletter.deliver.replies import judge
from newsletter.deliver.smtp import Answered, LostBeforeBody, LostInDoubt, RelayConnection, Transmission, Withheld
from newsletter.deliver.tally import Tally
from newsletter.errors import NewsletterError, RelayError, SenderLockLost, StoreError, first_of
from newsletter.model import DeliveryState, Reason
from newsletter.store import Store
from newsletter.store.claiming import Claim, Claimed, Outcome, claim, record, withdrawn
from newsletter.store.senders import SenderLock

log = structlog.get_logger()

ROWS_A_CONNECTION = 20
SECONDS_AHEAD = 0.5
IDLE_SECONDS = 30.0
_POLL_SECONDS = 0.5
_RECORD_RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Post:
    """A message ready for the wire: its envelope sender (RFC 5321 §3.3) and its bytes."""

    envelope_sender: str
    message: bytes = field(repr=False)


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


class Sender:
    """Sends through all relays of ``routes`` (relay -> its newsletters) while it holds ``lock``."""

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
        self._lock, self._rules, self._clock = lock, rules, clock
        self._dispatches = [
            _Dispatch(name, relays[name], frozenset(newsletters), store, lock, rules, assemble, clock, self.tally)
            for name, newsletters in routes.items()
            if newsletters
        ]

    async def run(self, stop: asyncio.Event, *, until_idle: bool = False) -> Tally:
        """Send until ``stop`` is set, or with ``until_idle`` until nothing is due; then drain and return the tally.

        Rows of senders that died are dealt with first. Raises StoreError, and with ``until_idle`` RelayError when a
        relay cannot be used at all; otherwise a relay that fails is tried again for ever.
        """
        again, kept = await self._lock.recover(keep=self._rules.keep_in_doubt, now=self._clock())
        if again or kept:
            log.warning("deliveries in doubt", resent=again, kept=kept)
        try:
            async with asyncio.TaskGroup() as group:
                for dispatch in self._dispatches:
                    group.create_task(dispatch.run(stop, until_idle=until_idle))
        except* NewsletterError as errors:
            raise first_of(errors) from None
        return self.tally

    def wake(self) -> None:
        """Say that rows were queued, so that they go at once."""
        for dispatch in self._dispatches:
            dispatch.wake()


class _Dispatch:
    """One relay's feeder, connections and recorder."""

    def __init__(
        self,
        name: str,
        relay: Relay,
        newsletters: frozenset[str],
        store: Store,
        lock: SenderLock,
        rules: Rules,
        assemble: Assemble,
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._name, self._relay, self._newsletters = name, relay, newsletters
        self._store, self._lock, self._rules = store, lock, rules
        self._assemble, self._clock, self._tally = assemble, clock, tally
        self._waiting: deque[Claimed] = deque()  # claimed, and no connection has taken them yet
        self._held = 0  # claimed and not yet recorded
        self._open = 0
        self._outcomes: list[Outcome] = []
        self._changed = asyncio.Event()
        self._arrived = asyncio.Event()
        self._work = asyncio.Condition()
        self._closing = False
        self._trouble = 0  # failures of the relay itself in a row
        self._rate = 0.0  # messages a second, smoothed

    def wake(self) -> None:
        self._changed.set()

    async def run(self, stop: asyncio.Event, *, until_idle: bool) -> None:
        first = await self._connect_first(stop, until_idle=until_idle)
        if first is None:
            return
        async with asyncio.TaskGroup() as group:
            recorder = group.create_task(self._record())
            senders = [
                group.create_task(self._send(first if number == 0 else None))
                for number in range(self._relay.connections)
            ]
            stopping = group.create_task(self._wake_on(stop))
            trouble: StoreError | None = None
            try:
                await self._feed(stop, until_idle=until_idle)
            except SenderLockLost:
                raise  # nothing more may go on the wire: the group drops every connection
            except StoreError as error:
                trouble = error  # what is on the wire is finished and, if it can be, recorded
            stopping.cancel()
            self._closing = True
            self._give_back()
            async with self._work:
                self._work.notify_all()
            await asyncio.gather(*senders)
            self._arrived.set()
            await recorder
        if trouble is not None:
            raise trouble

    # --- feeding ---

    async def _feed(self, stop: asyncio.Event, *, until_idle: bool) -> None:
        while not stop.is_set():
            self._changed.clear()
            room = self._room()
            claimed = await self._claim(room) if room > 0 else Claim((), 0)
            self._tally.skipped += claimed.skipped
            if claimed.rows:
                self._held += len(claimed.rows)
                async with self._work:
                    self._waiting.extend(claimed.rows)
                    self._work.notify(len(claimed.rows))
            if claimed.rows or claimed.skipped:
                continue
            if room > 0 and self._held == 0 and until_idle:
                return
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def _room(self) -> int:
        """How many more rows may stand in ``sending`` now."""
        connections = max(self._open, 1)
        ahead = max(connections * 2, int(self._rate * SECONDS_AHEAD))
        most = min(connections * ROWS_A_CONNECTION, ahead)
        room = most - self._held
        return room if room >= min(connections, most) or self._held == 0 else 0

    async def _claim(self, limit: int) -> Claim:
        # Shielded: a claim that is committed must not lose its rows to a cancellation.
        return await asyncio.shield(
            self._lock.run(
                claim,
                self._lock.sender,
                newsletters=self._newsletters,
                limit=limit,
                now=self._clock(),
                message_id_of=self._rules.message_id_of,
                plans=self._rules.plans,
                languages=self._rules.languages,
                only_addresses=self._rules.only_addresses,
            )
        )

    def _give_back(self) -> None:
        """Rows that no connection has taken go back to the queue, unsent."""
        while self._waiting:
            self._finish(_released(self._waiting.popleft(), self._clock()))

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._changed.set()

    # --- sending ---

    async def _connect_first(self, stop: asyncio.Event, *, until_idle: bool) -> RelayConnection | None:
        """Nothing is claimed before one connection stands: a relay that is down leaves every row queued."""
        while not stop.is_set():
            try:
                return await self._connect()
            except RelayError as error:
                if until_idle:
                    raise
                log.error("relay cannot be used", relay=self._name, error=str(error))
                await self._pause(stop)
        return None

    async def _connect(self) -> RelayConnection:
        try:
            connection = await RelayConnection.open(self._name, self._relay)
        except RelayError:
            self._trouble += 1
            raise
        self._open += 1
        return connection

    async def _pause(self, stop: asyncio.Event | None = None) -> None:
        wait = backoff.wait_before(
            self._trouble,
            first=backoff.FIRST_RELAY_WAIT,
            longest=backoff.LONGEST_RELAY_WAIT,
            jitter=random.random(),  # noqa: S311
        )
        try:
            async with asyncio.timeout(wait.total_seconds()):
                await (stop.wait() if stop is not None else self._until_closing())
        except TimeoutError:
            pass

    async def _until_closing(self) -> None:
        async with self._work:
            await self._work.wait_for(lambda: self._closing)

    async def _send(self, connection: RelayConnection | None) -> None:
        try:
            while True:
                row = await self._next_row(connection)
                if row is None:
                    if self._closing:
                        return
                    await self._close(connection)  # idle
                    connection = None
                    continue
                if connection is None or not connection.usable:
                    connection = await self._reconnect(connection)
                    if connection is None:
                        self._finish(_deferred(row, self._clock(), "", "the relay cannot be reached"))
                        continue
                self._finish(await self._send_one(connection, row))
                if not connection.usable:
                    await self._close(connection)
                    connection = None
        finally:
            if connection is not None:
                await self._close(connection)

    async def _next_row(self, connection: RelayConnection | None) -> Claimed | None:
        """The next row; None when closing, or when an open connection has been idle for long."""
        async with self._work:
            try:
                async with asyncio.timeout(IDLE_SECONDS if connection is not None else None):
                    await self._work.wait_for(lambda: self._waiting or self._closing)
            except TimeoutError:
                return None
            return self._waiting.popleft() if self._waiting else None

    async def _reconnect(self, connection: RelayConnection | None) -> RelayConnection | None:
        if connection is not None:
            await self._close(connection)
        if self._trouble:
            await self._pause()
        try:
            return await self._connect()
        except RelayError as error:
            log.warning("relay cannot be used", relay=self._name, error=str(error))
            return None

    async def _close(self, connection: RelayConnection | None) -> None:
        if connection is not None:
            self._open -= 1
            if connection.usable:
                await connection.quit()
            else:
                connection.abort()

    async def _send_one(self, connection: RelayConnection, row: Claimed) -> Outcome:
        now = self._clock()
        if not row.address.isascii() and not connection.takes_utf8_addresses:
            return Outcome(
                row.id, DeliveryState.FAILED, Reason.UNDELIVERABLE_ADDRESS, self._name, "the relay lacks SMTPUTF8"
            )
        try:
            post = await self._assemble(row)
        except NewsletterError as error:
            log.error("a message cannot be assembled", delivery=row.id, edition=row.edition_id, error=str(error))
            return _deferred(row, now, self._name, f"not assembled: {error}")

        async def may_write() -> bool:
            return not await self._store.read_async(withdrawn, row)

        began = asyncio.get_running_loop().time()
        result = await connection.transmit(post.envelope_sender, row.address, post.message, may_write)
        outcome = self._outcome(row, result)
        if outcome.state is DeliveryState.SENT:
            self._trouble = 0
            seconds = max(asyncio.get_running_loop().time() - began, 1e-4)
            self._rate += 0.1 * (max(self._open, 1) / seconds - self._rate)
        return outcome

    def _outcome(self, row: Claimed, result: Transmission) -> Outcome:
        now = self._clock()
        match result:
            case Answered(stage, reply):
                state, reason = judge(stage, reply)
                if state is DeliveryState.QUEUED:
                    self._trouble += reply.code == 421
                    return _deferred(row, now, self._name, f"{stage.value}: {reply}")
                return Outcome(row.id, state, reason, self._name, f"{stage.value}: {reply}")
            case Withheld():
                return _released(row, now)
            case LostBeforeBody(why):
                self._trouble += 1
                return _deferred(row, now, self._name, why)
            case LostInDoubt(why):
                self._trouble += 1
                if row.newsletter in self._rules.keep_in_doubt:
                    return Outcome(row.id, DeliveryState.SENDING, Reason.IN_DOUBT, self._name, why)
                return _deferred(row, now, self._name, why, reason=Reason.RESENT_IN_DOUBT)

    # --- recording ---

    def _finish(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._arrived.set()

    async def _record(self) -> None:
        """Commit what has arrived, together, as soon as the commit before it is done."""
        while not (self._closing and self._held == 0):
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._outcomes = self._outcomes, []
            if not batch:
                continue
            await self._record_batch(batch)
            self._held -= len(batch)
            for outcome in batch:
                self._tally.add(outcome)
            self._changed.set()

    async def _record_batch(self, batch: list[Outcome]) -> None:
        # A full disk or a locked database may pass: what the relay accepted must not be forgotten for it.
        deadline = asyncio.get_running_loop().time() + _RECORD_RETRY_SECONDS
        while True:
            try:
                return await self._lock.run(record, self._lock.sender, batch, self._clock())
            except SenderLockLost:
                raise
            except StoreError as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                log.error("outcomes cannot be recorded yet", waiting=len(batch), error=str(error))
                await asyncio.sleep(_POLL_SECONDS)


def _released(row: Claimed, now: datetime) -> Outcome:
    return Outcome(row.id, DeliveryState.QUEUED, Reason.RELEASED, due_at=now)


def _deferred(row: Claimed, now: datetime, relay: str, reply: str, reason: Reason = Reason.DEFERRED) -> Outcome:
    """Back to the queue for later, or failed where the mail would be stale by then."""
    again = now + backoff.wait_before(
        row.attempt,
        first=backoff.FIRST_MESSAGE_WAIT if reason is Reason.DEFERRED else timedelta(0),
        longest=backoff.LONGEST_MESSAGE_WAIT,
        jitter=random.random(),  # noqa: S311
    )
    if again > row.expires_at:
        return Outcome(row.id, DeliveryState.FAILED, Reason.EXPIRED, relay, reply)
    return Outcome(row.id, DeliveryState.QUEUED, reason, relay, reply, due_at=again)
