"""``send``: an edition now, to everyone, to named readers, or as a test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.names import known, login_and_host
from newsletter.cli.options import Json, Options, console, options_of, print_json, progress, run_async
from newsletter.cli.stopping import stopped_by_signals
from newsletter.errors import IncompleteSend, OccurrenceHeld, UsageError
from newsletter.model import DeliveryState, Gate, OccurrenceState, Reason, StreamName

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.schedule.by_hand import Plan
    from newsletter.schedule.gatekeeping import Foreseen
    from newsletter.schedule.work import Work
    from newsletter.store import Store
    from newsletter.store.occurrences import OccurrenceRow

_WATCH_SECONDS = 0.2


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("send")(send)


def send(
    context: typer.Context,
    newsletter: Annotated[str, typer.Argument(metavar="NEWSLETTER[:STREAM]")],
    to: Annotated[
        list[str] | None, typer.Option("--to", help="Only this subscriber (repeatable); open for the rest")
    ] = None,
    test: Annotated[str, typer.Option("--test", help="One test message to this address; the list is left alone")] = "",
    extra: Annotated[bool, typer.Option("--extra", help="A new edition beside those of the schedule")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Everything for everybody, but to a relay that keeps nothing")
    ] = False,
    despite: Annotated[
        list[str] | None, typer.Option("--despite", metavar="GATE", help="Send although this gate fails (repeatable)")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    collect: Annotated[bool, typer.Option(help="First collect the sources that are due")] = True,
    as_json: Json = False,
) -> None:
    """Send NEWSLETTER now. Uses up the occurrence that is due, else the next; what has been sent is not repeated."""
    options = options_of(context)
    configuration = options.configuration()
    of = StreamName.parse(newsletter)
    configuration.named(of)
    _ = configuration.site_keys
    if test and (to or extra or despite):
        raise UsageError("--test goes alone", where="--test", remedy="Leave --to, --extra and --despite out")
    if rehearse and (test or to or extra or despite or dry_run):
        raise UsageError("--rehearse goes alone", where="--rehearse", remedy="Leave the other options out")
    overruled = [Gate(known("gate", one, [gate.value for gate in Gate])) for one in despite or []]
    with options.store(configuration) as store:
        if collect:
            _collect(options, configuration, store)
        if rehearse:
            from newsletter.cli.rehearsing import rehearse as to_nobody

            to_nobody(options, configuration, store, of, as_json=as_json)
            return
        if test:
            _test(options, configuration, store, of, test)
            return
        _send(options, configuration, store, of, to or [], extra, overruled, dry_run, yes, collect, as_json)


def _send(
    options: Options,
    configuration: Configuration,
    store: Store,
    of: StreamName,
    addresses: list[str],
    extra: bool,
    despite: list[Gate],
    dry_run: bool,
    yes: bool,
    ask_again: bool,
    as_json: bool,
) -> None:
    from newsletter.schedule import by_hand
    from newsletter.schedule.logo import publish_logo
    from newsletter.schedule.work import Work

    plan = by_hand.plan_send(configuration, store, of, extra=extra, despite=despite, now=options.clock())
    if dry_run:
        work = Work(configuration, store, logo=publish_logo(configuration))
        _show_plan(plan, by_hand.foresee(work, plan, options.clock()), despite, as_json=as_json)
        return
    if not yes:
        readers = ", ".join(addresses) if addresses else _readers(plan)
        if not typer.confirm(f"Send {plan.name} to {readers}?", default=False, err=True):
            raise typer.Abort
    run_async(by_hand.require_relay(configuration, of.newsletter))
    if plan.unapproved:
        means = "it still waits for that for everybody else" if addresses else "sending it by hand approves it"
        typer.echo(f"newsletter: {plan.name} needs an approval; {means}", err=True)
    work = Work(configuration, store, logo=publish_logo(configuration))
    row = by_hand.start(
        work,
        plan,
        addresses,
        options.clock(),
        actor=login_and_host(),
        despite=despite,
        freshen=lambda row: _freshen(options, configuration, store, row) if ask_again else None,
    )
    run_async(deliver(options, work, row, everyone=not addresses))
    work.complete(row, options.clock())
    report(store, row, as_json=as_json)


def _collect(options: Options, configuration: Configuration, store: Store) -> None:
    from newsletter.collect.parsing import Parser
    from newsletter.net import Fetcher
    from newsletter.schedule.running import collect_due

    async def work() -> None:
        async with Fetcher(contact=str(configuration.schedules.site.url)) as fetcher:
            with Parser() as parser:
                for result in await collect_due(configuration, store, fetcher, parser, options.clock()):
                    if result.error:
                        typer.echo(f"newsletter: {result.error}", err=True)

    run_async(work())


def _freshen(options: Options, configuration: Configuration, store: Store, row: OccurrenceRow) -> None:
    """Ask for the stories of an edition again before it goes out."""
    from newsletter.collect.parsing import Parser
    from newsletter.net import Fetcher
    from newsletter.schedule.freshness import Freshening

    async def work() -> None:
        async with Fetcher(contact=str(configuration.schedules.site.url), jitter=timedelta()) as fetcher:
            with Parser() as parser:
                await Freshening(configuration, store, fetcher, parser).freshen(row, options.clock())

    run_async(work())


async def deliver(options: Options, work: Work, row: OccurrenceRow, *, everyone: bool) -> None:
    """Send here, or watch while the process that holds the sender's lock does.

    The first mails go while the last rows of a large audience are still being made. SIGTERM and Ctrl-C end it when what
    is on the wire is answered and recorded; the second Ctrl-C at once.
    """
    from newsletter.deliver.configured import configured_sender
    from newsletter.store import deliveries, senders

    configuration, store, stop = work.configuration, work.store, asyncio.Event()
    with progress() as bar, stopped_by_signals(stop):
        task = bar.add_task(str(row.name), total=None)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(store, row.id, partial(bar.update, task)))
            stopped = Event()
            stopping = group.create_task(stop.wait())
            stopping.add_done_callback(lambda _: stopped.set())
            filling = _fan_out(work, row, options.clock, stopped) if everyone else _nothing()
            fanning_out = group.create_task(filling)
            try:
                async with senders.holding(store, options.clock) as lock:
                    if lock is not None:
                        sender = configured_sender(configuration, store, lock, options.clock, work.logo)
                        sender.more_to_come = True

                        def no_more(_fanned_out: object) -> None:
                            sender.more_to_come = False
                            sender.wake()

                        fanning_out.add_done_callback(no_more)
                        await sender.run(stop, until_idle=True)
                        return
                typer.echo("newsletter: another process is sending; watching it", err=True)
                await fanning_out
                while not stop.is_set() and await store.read_async(
                    deliveries.still_moves, row.id, due_by=options.clock()
                ):
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), _WATCH_SECONDS)
            finally:
                stopping.cancel()
                watching.cancel()


async def _fan_out(work: Work, row: OccurrenceRow, clock: Callable[[], datetime], stopped: Event) -> None:
    """Make everybody's deliveries: at once, or once the seeds have had theirs for long enough."""
    from newsletter.store import occurrences

    said = False
    while True:
        await asyncio.to_thread(work.fan_out, row, clock(), stopped.is_set)
        follow_at = await asyncio.to_thread(work.seeds.follow_at, row)
        current = await work.store.read_async(occurrences.get, row.id)
        if follow_at is None or stopped.is_set() or current is None or current.state is not OccurrenceState.SENDING:
            return
        if not said:
            zone = work.configuration.schedules.site.zone
            words = (
                f"newsletter: the seeds get {row.name} first, everybody else from {follow_at.astimezone(zone):%H:%M} on"
            )
            typer.echo(f"{words}. `newsletter editions stop {row.name}` stops it", err=True)
            said = True
        await asyncio.sleep(_WATCH_SECONDS)


async def _nothing() -> None:
    """What there is to fan out for readers named by hand: they are queued already."""


async def _watch(store: Store, occurrence_id: int, show: Callable[..., None]) -> None:
    from newsletter.store import deliveries

    while True:
        counts = await store.read_async(deliveries.counts, occurrence_id)
        done = sum(number for (state, _), number in counts.items() if state not in _MOVING)
        show(completed=done, total=sum(counts.values()) or None)
        await asyncio.sleep(_WATCH_SECONDS)


_MOVING = (DeliveryState.QUEUED, DeliveryState.SENDING)


def _show_plan(plan: Plan, foreseen: Foreseen, despite: list[Gate], *, as_json: bool) -> None:
    against = [one for one in foreseen.failed if one.gate not in despite]
    articles: list[dict[str, Any]] = []
    if plan.proposal is not None:
        for section in plan.proposal.sections:
            for article_id in section.article_ids:
                article, gives_way = plan.proposal.articles[article_id], article_id in foreseen.trimmed
                articles.append(
                    {
                        "section": section.label,
                        "headline": article.headline,
                        "url": article.url,
                        "gives_way": gives_way,
                    }
                )
    if as_json:
        gates = [asdict(one) for one in against]
        facts = {
            "edition": str(plan.name),
            "readers": plan.readers,
            "articles": articles,
            "gates": gates,
            "sent": False,
        }
        print_json(facts)
        return
    typer.echo(f"{plan.name} would go to {_readers(plan)}. Nothing was sent.")
    for line in articles:
        if not line["gives_way"]:
            typer.echo(f"  {line['section']}: {line['headline']}")
    for line in articles:
        if line["gives_way"]:
            typer.echo(f"  gives way ({foreseen.trimmed_why}): {line['headline']}")
    for one in against:
        typer.echo(f"It would be held by {one}. {one.remedy}. `--despite {one.gate.value}` sends it all the same.")


def _readers(plan: Plan) -> str:
    return "1 reader" if plan.readers == 1 else f"{plan.readers:,} readers"


def report(store: Store, row: OccurrenceRow, *, as_json: bool) -> None:
    """Say what became of the occurrence's deliveries. Raises IncompleteSend where some are not done."""
    from newsletter.schedule.words import REASONS
    from newsletter.store import deliveries, occurrences

    counts = store.read(deliveries.counts, row.id)
    by_state = {state: sum(n for (s, _), n in counts.items() if s is state) for state in DeliveryState}
    if as_json:
        rows = [{"state": state, "reason": reason, "deliveries": number} for (state, reason), number in counts.items()]
        print_json({"edition": str(row.name), "deliveries": rows})
    else:
        console().print(f"{row.name}: {by_state[DeliveryState.SENT]:,} sent")
        for (state, reason), number in sorted(counts.items()):
            if state is not DeliveryState.SENT or reason is not Reason.NONE:
                console().print(f"  {number:,} {state.value}: {REASONS.get(reason, 'waiting')}")
    stands = store.read(occurrences.get, row.id) or row
    if stands.state is OccurrenceState.HELD:
        raise OccurrenceHeld(
            f"{row.name} is held: {stands.detail}", remedy=f"`newsletter editions release {row.name}` sends the rest"
        )
    unfinished = [
        f"{number} {words}"
        for number, words in (
            (by_state[DeliveryState.FAILED], "failed"),
            (by_state[DeliveryState.QUEUED], "to be tried again"),
            (by_state[DeliveryState.SENDING], "in doubt"),
        )
        if number
    ]
    if unfinished:
        raise IncompleteSend(
            f"{row.name} did not reach everyone: {', '.join(unfinished)}",
            remedy=f"See `newsletter deliveries list {row.name}`; `newsletter run` or the same command tries again",
        )


def _test(options: Options, configuration: Configuration, store: Store, of: StreamName, address: str) -> None:
    """One message, made as a send would make it, outside the ledger: it counts as nobody's delivery."""
    from newsletter.members.addresses import parse_address
    from newsletter.schedule.testing import send_test

    sent = run_async(send_test(configuration, store, of, parse_address(address), options.clock()))
    typer.echo(f"A test of {sent} was sent to {address}.")
