"""``collect``: sources into the store, all of them or those named, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.names import known
from newsletter.cli.options import Json, Options, options_of, print_rows, progress, run_async
from newsletter.errors import SourceError, UsageError

if TYPE_CHECKING:
    from newsletter.collect.collecting import CollectResult
    from newsletter.config.models import Source
    from newsletter.config.reading import Configuration
    from newsletter.store import Store

_COLUMNS = ("source", "new", "changed", "unchanged", "seconds", "outcome")


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("collect")(collect)


def collect(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Default: all")] = None,
    as_json: Json = False,
) -> None:
    """Collect sources now, whatever their `every` says. One that fails stops no other."""
    options = options_of(context)
    configuration = options.configuration()
    configured = configuration.schedules.sources
    if not configured:
        raise UsageError("there are no sources", where=configuration.where("sources"), remedy="Add one under sources:")
    names = dict.fromkeys(known("source", name, configured) for name in sources or configured)
    with options.store(configuration) as store:
        results = run_async(_collect(options, configuration, store, {name: configured[name] for name in names}))
    rows = [
        {
            "source": result.source,
            "new": result.new,
            "changed": result.changed,
            "unchanged": result.unchanged,
            "seconds": round(result.seconds, 2),
            "outcome": "failed" if result.error else "not modified" if result.not_modified else "collected",
            "error": result.error,
            "warnings": result.warnings,
        }
        for result in results
    ]
    print_rows(rows, as_json=as_json, columns=_COLUMNS)
    for result in results:
        for warning in result.warnings if not as_json else ():
            typer.echo(f"newsletter: {result.source}: warning: {warning}", err=True)
        if result.error:
            typer.echo(f"newsletter: {result.error}", err=True)
    if any(result.error for result in results):
        raise typer.Exit(SourceError.exit_code)


async def _collect(
    options: Options, configuration: Configuration, store: Store, wanted: dict[str, Source]
) -> list[CollectResult]:
    from newsletter.collect.collecting import collect_configured
    from newsletter.collect.parsing import Parser
    from newsletter.net import Fetcher

    with progress() as bar, Parser() as parser:
        task = bar.add_task("Collecting", total=len(wanted))
        async with Fetcher(contact=str(configuration.schedules.site.url)) as fetcher:
            return await collect_configured(
                configuration,
                wanted,
                store=store,
                fetcher=fetcher,
                parser=parser,
                now=options.clock(),
                each=lambda _result: bar.advance(task),
            )
