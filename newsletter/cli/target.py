"""``target``: how many readers a newsletter and its promotions are for, and which part of the expression says so."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.options import Json, options_of, print_json, print_rows
from newsletter.errors import TargetError, UsageError
from newsletter.model import Stream, StreamName

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.store import Store
    from newsletter.target import Targeting

_EVERYBODY = "everybody"


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("target")(target)


def target(
    context: typer.Context,
    newsletter: Annotated[str, typer.Argument(metavar="NEWSLETTER[:STREAM]")],
    tried: Annotated[
        str, typer.Option("--try", metavar="EXPRESSION", help="Count this target instead of those in schedules.yaml")
    ] = "",
    explain: Annotated[
        bool, typer.Option("--explain", help="Count each part of the expression, and show the SQL")
    ] = False,
    as_json: Json = False,
) -> None:
    """Count the readers that NEWSLETTER and its promotions are for. Nothing is sent or changed."""
    options = options_of(context)
    configuration = options.configuration()
    of = StreamName.parse(newsletter)
    configuration.named(of)
    streams = configuration.asked_for(*of) if ":" in newsletter else tuple(Stream)  # of a newsletter, all readers
    asked = _asked(configuration, of.newsletter, tried)
    with options.store(configuration) as store:
        found = [
            _counted(store, of.newsletter, streams, whose, targeting, explain=explain) for whose, targeting in asked
        ]
    if as_json:
        print_json({"newsletter": newsletter, "subscribed": found[0]["subscribed"], "targets": found})
        return
    print_rows(found, as_json=False, columns=("for", "readers", "subscribed", "target"))
    for one in found:
        if one.get("parts"):
            typer.echo(f"\n{one['for']}")
            shown = [{"readers": part["readers"], "part": "  " * part["depth"] + part["part"]} for part in one["parts"]]
            print_rows(shown, as_json=False)
            typer.echo(f"\n{one['sql']}")


def _asked(configuration: Configuration, name: str, tried: str) -> list[tuple[str, Targeting | None]]:
    if tried:
        return [("--try", _tried(configuration, name, tried))]
    newsletter = configuration.newsletter(name)
    found: list[tuple[str, Targeting | None]] = [(name, configuration.targets.of(name))]
    for promotion in newsletter.promotions:
        if promotion.parsed_target is not None:
            promoted = f"promotion “{promotion.headline}”"
            found.append((promoted, configuration.targeting(name, promotion.parsed_target)))
    return found


def _tried(configuration: Configuration, name: str, text: str) -> Targeting:
    from newsletter.config.checking import unknown_names
    from newsletter.target import Target

    try:
        parsed = Target.parse(text)
    except TargetError as error:
        raise UsageError(error.what, where="--try", remedy=error.remedy) from None
    for unknown in unknown_names(configuration, name, parsed):
        raise UsageError(unknown.what, where="--try", remedy=unknown.remedy)
    return configuration.targeting(name, parsed)


def _counted(
    store: Store,
    newsletter: str,
    streams: Collection[Stream],
    whose: str,
    targeting: Targeting | None,
    *,
    explain: bool,
) -> dict[str, Any]:
    from newsletter.store import fan_out
    from newsletter.store import targeting as targets

    who = fan_out.gets(newsletter, Stream.EACH.value, streams, counted=True)
    counted = store.read(targets.count, who, targeting, parts=explain and targeting is not None)
    facts: dict[str, Any] = {
        "for": whose,
        "target": targeting.target.written(targeting.target.root) if targeting is not None else _EVERYBODY,
        "subscribed": counted.subscribed,
        "readers": counted.readers,
    }
    if explain and targeting is not None:
        parts = zip(targeting.target.parts(), counted.parts, strict=True)
        facts["parts"] = [
            {"part": targeting.target.written(part), "depth": depth, "column": part.at.column, "readers": readers}
            for (depth, part), readers in parts
        ]
        facts["sql"] = targets.sql(store.engine.dialect, targeting)
    return facts
