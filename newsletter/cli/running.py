"""``run`` and ``web``: the processes that stay."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import typer

from newsletter.cli.options import Options, options_of, run_async
from newsletter.cli.stopping import stopped_by_signals
from newsletter.errors import ConfigurationError

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.store import Store

# Processes that read what is pushed; two, so that one body that takes long holds up no other.
_READERS = 2


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("run")(run)
    app.command("web")(web)


def run(context: typer.Context) -> None:
    """Collect, compose and send on schedule, and serve the public pages, until SIGTERM or Ctrl-C; then drain."""
    options = options_of(context)
    configuration = options.configuration()
    _require_ready(configuration)
    with options.store(configuration) as store:
        run_async(_everything(options, configuration, store))


def web(context: typer.Context) -> None:
    """Serve the public pages alone: unsubscribe, preferences, pictures, editions in the browser."""
    options = options_of(context)
    configuration = options.configuration()
    _ = configuration.site_keys
    if configuration.schedules.web is None:
        raise ConfigurationError("web is not configured", where=configuration.where(), remedy="Add web: {url: …}")
    with options.store(configuration) as store:
        run_async(_pages(options, configuration, store))


def _require_ready(configuration: Configuration) -> None:
    from newsletter.config.checking import check

    check(configuration).require()
    _ = configuration.site_keys


async def _everything(options: Options, configuration: Configuration, store: Store) -> None:
    from newsletter.schedule import running

    stop, ready = asyncio.Event(), asyncio.Event()
    with stopped_by_signals(stop):
        async with asyncio.TaskGroup() as group:
            if configuration.schedules.web is not None:
                group.create_task(_serve(options, configuration, store, stop, ready.set))
                await ready.wait()  # a gate asks our pages before a send
            group.create_task(running.run(configuration, store, options.clock, stop))


async def _pages(options: Options, configuration: Configuration, store: Store) -> None:
    stop = asyncio.Event()
    with stopped_by_signals(stop):
        await _serve(options, configuration, store, stop)


def _card_taker(
    options: Options, configuration: Configuration, store: Store
) -> Callable[[str, str], Awaitable[bytes]] | None:
    """What takes the picture of an edition for the sign-up page; None where there is no browser for it."""
    from newsletter.preview.cards import can_take_cards, card_of
    from newsletter.preview.choice import Choice
    from newsletter.preview.workbench import Workbench

    if not can_take_cards():
        return None
    first = Choice(next(iter(configuration.schedules.newsletters)))
    workbench = Workbench(configuration, lambda: configuration, store, options.clock, first)

    async def take(newsletter: str, occurrence: str) -> bytes:
        return await card_of(workbench, newsletter, occurrence)

    return take


async def _serve(
    options: Options,
    configuration: Configuration,
    store: Store,
    stop: asyncio.Event,
    ready: Callable[[], object] = lambda: None,
) -> None:
    from newsletter.collect.parsing import Parser
    from newsletter.deliver.copies import browser_copy
    from newsletter.model import Occurrence, StreamName
    from newsletter.web.app import create_app
    from newsletter.web.serving import serve

    take_picture = _card_taker(options, configuration, store)

    async def copy(subscriber_id: int, of: StreamName, occurrence: Occurrence) -> str | None:
        return await browser_copy(configuration, store, subscriber_id, of, occurrence)

    address = configuration.schedules.web
    assert address is not None
    with Parser(_READERS) as parser:  # its processes start when something is pushed
        application = create_app(
            configuration,
            store,
            clock=options.clock,
            parser=parser,
            browser_copy=copy,
            take_picture=take_picture,
        )
        await serve(application, address.host, address.port, stop, ready)
