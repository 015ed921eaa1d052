"""``newsletter run`` without its web pages: APScheduler ticks; each tick collects what is due and moves occurrences on;
beside it one sender empties the outbox. Until told to stop, then it drains.

APScheduler's job store is memory: the occurrence rows are the truth, and a tick lost costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from newsletter.collect.collecting import CollectResult, collect_configured, due_sources
from newsletter.collect.parsing import Parser
from newsletter.config.reading import Configuration
from newsletter.deliver.configured import configured_sender
from newsletter.deliver.sending import Clock, Sender
from newsletter.errors import NewsletterError, SenderLockLost, StoreError
from newsletter.members.signing_up import forget_unconfirmed
from newsletter.net import Fetcher
from newsletter.schedule.collections import Collections
from newsletter.schedule.freshness import Freshening
from newsletter.schedule.logo import publish_logo
from newsletter.schedule.planning import too_late
from newsletter.schedule.pruning import forget_erased, kept_since, prune_articles, prune_deliveries
from newsletter.schedule.work import Work
from newsletter.store import Store, heartbeats, moves, occurrences, senders, sources

log = structlog.get_logger()

TICK = timedelta(seconds=1)
BEAT_EVERY = timedelta(seconds=10)
_PRUNE_EVERY = timedelta(hours=1)
# After their link has expired: who asks again meanwhile finds what she chose.
_UNCONFIRMED_STAY = timedelta(days=30)
_FIRST_COLLECTION = timedelta(seconds=60)
# Longer than any story is kept for an edition: then nobody asks any more where a reader stood before.
MOVES_STAY = timedelta(days=180)
_LOCK_SECONDS = 1.0
_TROUBLE_SECONDS = 2.0


async def run(
    configuration: Configuration, store: Store, clock: Clock, stop: asyncio.Event, *, tick: timedelta = TICK
) -> None:
    """Collect, compose and send on schedule until ``stop`` is set; returns when what was on the wire is recorded.

    Two such processes on one store do each thing once: rows decide, and on SQLite one of them sends while the other
    waits to take over. Raises ConfigurationError before anything is begun; later errors are logged and tried again.
    """
    logo = await asyncio.to_thread(publish_logo, configuration)
    running = _Running(configuration, store, clock, stop, Work(configuration, store, logo=logo))
    contact = str(configuration.schedules.site.url)
    # What is asked just before sending cannot wait for good manners' pauses.
    async with Fetcher(contact=contact) as fetcher, Fetcher(contact=contact, jitter=timedelta()) as at_once:
        with Parser() as parser:
            await running.until_stopped(fetcher, at_once, parser, tick)


async def collect_due(
    configuration: Configuration, store: Store, fetcher: Fetcher, parser: Parser, now: datetime
) -> list[CollectResult]:
    """Collect the sources whose turn it is. Raises StoreError."""
    rows = await store.read_async(sources.list_sources)
    wanted = configuration.schedules.sources
    due = {name: wanted[name] for name in due_sources(rows, wanted, now)}
    if not due:
        return []
    return await collect_configured(configuration, due, store=store, fetcher=fetcher, parser=parser, now=now)


class _Running:
    def __init__(
        self, configuration: Configuration, store: Store, clock: Clock, stop: asyncio.Event, work: Work
    ) -> None:
        self._configuration, self._store, self._clock, self._stop, self._work = configuration, store, clock, stop, work
        self._sender: Sender | None = None
        self._pruned_at: datetime | None = None
        self._beats: dict[str, tuple[datetime | None, str]] = {}
        self._ticks: set[asyncio.Task[object]] = set()

    async def until_stopped(self, fetcher: Fetcher, at_once: Fetcher, parser: Parser, tick: timedelta) -> None:
        collections = Collections(self._configuration, self._store, fetcher, parser, self._clock)
        freshening = Freshening(self._configuration, self._store, at_once, parser)

        async def advance() -> None:
            await self._freshen(freshening)
            queued = await asyncio.to_thread(self._work.advance, self._clock(), self._stop.is_set)
            if queued and self._sender is not None:
                self._sender.wake()

        # What is overdue is composed of what the sources have now, not of what they had before the stop.
        try:
            async with asyncio.timeout(_FIRST_COLLECTION.total_seconds()):
                await self._beaten("collector", tick, collections.start_due)
                await collections.idle()
        except TimeoutError:
            log.warning("the first collection takes long; going on beside it")
        scheduler = AsyncIOScheduler(timezone=UTC, executors={"default": AsyncIOExecutor()})
        every = {"trigger": "interval", "seconds": tick.total_seconds(), "coalesce": True, "max_instances": 1}
        now = datetime.now(UTC)
        for name, job in (("collector", collections.start_due), ("scheduler", advance)):
            scheduler.add_job(
                self._ticking, args=(name, tick, job), id=name, next_run_time=now, misfire_grace_time=None, **every
            )
        sending = asyncio.create_task(self._send())
        pruning = asyncio.create_task(self._keep_pruning())
        watching = asyncio.create_task(collections.watch_folders())
        scheduler.start()
        log.info("running", newsletters=len(self._configuration.schedules.newsletters), store=self._store.url.database)
        try:
            await self._stop.wait()
        finally:
            scheduler.remove_all_jobs()
            watching.cancel()
            await collections.close()
            await asyncio.gather(watching, return_exceptions=True)
            await sending
            await pruning
            await asyncio.gather(*self._ticks, return_exceptions=True)  # cut off, it would be logged as a failure
            scheduler.shutdown(wait=False)

    async def _freshen(self, freshening: Freshening) -> None:
        """Ask for the stories of what is about to go out again; a failure costs the freshness, not the edition."""
        now = self._clock()
        begun = [
            row
            for row in await self._store.read_async(occurrences.sending)
            if self._work.cohorts.has(row) and await asyncio.to_thread(self._work.begins, row, now)
        ]
        for row in [*await self._store.read_async(occurrences.due_to_send, now), *begun]:
            if too_late(row, self._configuration.of(row), now):
                continue
            try:
                await freshening.freshen(row, now)
            except NewsletterError as error:
                log.error("stories could not be asked for again", edition=str(row.name), error=str(error))

    async def _keep_pruning(self) -> None:
        """Beside everything else, which never waits for it; what fails is tried again in an hour."""
        while not self._stop.is_set():
            try:
                await self._prune()
            except NewsletterError as failure:
                log.error("what is old could not be forgotten", error=str(failure))
            except Exception:
                log.exception("what is old could not be forgotten")
            await self._wait(TICK.total_seconds())

    async def _prune(self) -> None:
        """Once an hour: empty the bodies of articles that are older than their source's `keep`, forget what each reader
        got longer ago than `keep_deliveries`, and what came in about readers who were erased."""
        now = self._clock()
        if self._pruned_at is not None and timedelta(0) <= now - self._pruned_at < _PRUNE_EVERY:
            return
        self._pruned_at = now
        await self._store.write_async(moves.forget, now - MOVES_STAY)
        before = kept_since(self._configuration.schedules.sources, now)
        stopping = self._stop.is_set
        pruned = await asyncio.to_thread(prune_articles, self._store, before, now, stopping=stopping)
        if pruned:
            log.info("pruned", articles=pruned)
        kept = now - self._configuration.deliveries_kept
        forgotten = await asyncio.to_thread(prune_deliveries, self._store, kept, now, stopping)
        if forgotten:
            log.info("pruned", deliveries=forgotten)
        await asyncio.to_thread(forget_erased, self._store, now)
        asked_before = now - self._configuration.schedules.sign_up.confirm_within - _UNCONFIRMED_STAY
        await self._store.write_async(forget_unconfirmed, asked_before, now)

    async def _ticking(self, name: str, tick: timedelta, job: Callable[[], Awaitable[None]]) -> None:
        """A tick that APScheduler began, known until it has ended."""
        this = asyncio.current_task()
        assert this is not None
        self._ticks.add(this)
        this.add_done_callback(self._ticks.discard)
        await self._beaten(name, tick, job)

    async def _beaten(self, name: str, tick: timedelta, job: Callable[[], Awaitable[None]]) -> None:
        """Run one tick of a job and leave a heartbeat, with its error if it failed; it is tried again next time."""
        error = ""
        try:
            await job()
        except NewsletterError as failure:
            error = str(failure)
            log.error("tick failed", job=name, error=error)
        except Exception as failure:
            error = f"{type(failure).__name__}: {failure}"
            log.exception("tick failed", job=name)
        await self._beat(name, tick, error)

    async def _beat(self, name: str, within: timedelta, error: str = "") -> None:
        now = self._clock()
        last, last_error = self._beats.get(name, (None, ""))
        if last is not None and error == last_error and timedelta(0) <= now - last < BEAT_EVERY:
            return
        try:
            await self._store.write_async(heartbeats.beat, name, now, now + BEAT_EVERY + within, error)
            self._beats[name] = (now, error)
        except StoreError as failure:
            log.error("no heartbeat", job=name, error=str(failure))

    async def _send(self) -> None:
        """Be the sender whenever this process may be: on SQLite once no other process is."""
        while not self._stop.is_set():
            try:
                async with senders.holding(self._store, self._clock) as lock:
                    if lock is None:
                        await self._wait(_LOCK_SECONDS)
                        continue
                    self._sender = configured_sender(
                        self._configuration, self._store, lock, self._clock, self._work.logo
                    )
                    beating = asyncio.create_task(self._beat_while_sending())
                    try:
                        await self._sender.run(self._stop)
                    finally:
                        self._sender = None
                        beating.cancel()
            except SenderLockLost as error:
                log.error("sender stopped; it will start again", error=str(error))
            except NewsletterError as error:
                log.error("sender failed; it will start again", error=str(error))
                await self._wait(_TROUBLE_SECONDS)
            except Exception:  # a fault of ours must not end the sending for good, and nobody the wiser
                log.exception("sender failed; it will start again")
                await self._wait(_TROUBLE_SECONDS)

    async def _beat_while_sending(self) -> None:
        while True:
            await self._beat("sender", TICK)
            await asyncio.sleep(TICK.total_seconds())

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass
