"""``send --rehearse``: what a send would do, done for every reader, to a relay that keeps nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from newsletter.cli.options import Options, print_json, run_async
from newsletter.errors import IncompleteSend

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.model import StreamName
    from newsletter.store import Store


def rehearse(options: Options, configuration: Configuration, store: Store, of: StreamName, *, as_json: bool) -> None:
    """The whole audience, to nobody. Raises IncompleteSend where a message could not be made."""
    from newsletter.schedule import rehearsing
    from newsletter.schedule.logo import publish_logo
    from newsletter.schedule.words import REASONS
    from newsletter.schedule.work import Work

    work = Work(configuration, store, logo=publish_logo(configuration))
    found = run_async(rehearsing.rehearse(work, of, options.clock()))
    facts = found.facts()
    if as_json:
        print_json(facts)
    else:
        sizes, seconds = facts["bytes"], facts["seconds"]
        typer.echo(f"{facts['edition']} was rehearsed. Nothing was sent, and nothing written.")
        typer.echo(f"  {facts['messages']:,} messages to {facts['readers']:,} readers{_editions(found.editions)}")
        if difference := rehearsing.differences(facts):
            typer.echo(f"  {difference}")
        for reason, number in sorted(found.skipped.items()):
            typer.echo(f"  {number:,} skipped: {REASONS.get(reason, reason.value)}")
        typer.echo(f"  by document: {_listed(facts['documents'])}")
        typer.echo(f"  by provider: {_listed(facts['providers'])}")
        typer.echo(
            f"  bytes: {sizes['least']:,} to {sizes['most']:,}, half of them up to {sizes['median']:,}, "
            f"{sizes['all']:,} in all"
        )
        typer.echo(
            f"  seconds: {seconds['compose']} to compose, {seconds['render']} to render, {seconds['send']} to assemble "
            f"and send ({facts['messages_per_second']:,} messages a second)"
        )
        for failure in facts["failures"]:
            typer.echo(f"  failed: {failure}")
    if found.failed:
        raise IncompleteSend(
            f"{found.failed:,} messages of {facts['edition']} cannot be made or sent", remedy="See the failures above"
        )


def _editions(number: int) -> str:
    return f", {number:,} editions at their own hours" if number > 1 else ""


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items()) or "none"
