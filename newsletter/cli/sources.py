"""``sources``: what became of each source's collections."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.names import known
from newsletter.cli.options import Json, cell, options_of, print_json, print_rows
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.config.models import Source
    from newsletter.store.sources import SourceRow

_COLUMNS = ("name", "kind", "state", "last_success_at", "next_due_at", "articles", "last_error")
_FETCHES = ("at", "outcome", "seconds", "new", "changed", "unchanged", "error")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="sources", help="Sources: list them, show what became of one.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("show")(show)
    app.add_typer(group)


def list_(context: typer.Context, as_json: Json = False) -> None:
    """List the sources of schedules.yaml with their last collection, articles and errors."""
    from newsletter.store import sources

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        rows = {row.name: row for row in store.read(sources.list_sources)}
        counts = store.read(sources.article_counts)
    shown = [
        _facts(name, source, rows.get(name), counts.get(name, 0), options.clock())
        for name, source in configuration.schedules.sources.items()
    ]
    print_rows(shown, as_json=as_json, columns=_COLUMNS, empty="There are no sources. Add one under sources:.")


def show(
    context: typer.Context,
    name: str,
    last_error: Annotated[
        bool, typer.Option("--last-error", help="Write the bytes that the last error was about, and nothing else")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one source: where it is, what it said last, and its last collections."""
    from newsletter.store import sources

    options = options_of(context)
    configuration = options.configuration()
    known("source", name, configuration.schedules.sources)
    source = configuration.schedules.sources[name]
    with options.store(configuration) as store:
        row = store.read(sources.get, name)
        if last_error:
            _write_error(name, store.read(sources.error_body, name))
            return
        fetches = store.read(sources.last_fetches, name)
        number = store.read(sources.article_counts).get(name, 0)
    facts = _facts(name, source, row, number, options.clock())
    attempts = [
        {**asdict(fetch), "outcome": fetch.outcome.value, "seconds": fetch.milliseconds / 1000} for fetch in fetches
    ]
    if as_json:
        print_json({**facts, "warnings": row.warnings if row is not None else [], "fetches": attempts})
        return
    for key, value in facts.items():
        if value not in ("", None):
            typer.echo(f"{key.replace('_', ' ')}: {cell(value)}")
    for warning in row.warnings if row is not None else ():
        typer.echo(f"warning: {warning}")
    typer.echo()
    print_rows(attempts, as_json=False, columns=_FETCHES, empty="It was never collected. Run `newsletter collect`.")


def _write_error(name: str, body: bytes) -> None:
    if not body:
        raise UsageError(
            "no bytes are kept: its last attempt went well, or failed before anything came",
            where=name,
            remedy=f"`newsletter sources show {name}` says which",
        )
    sys.stdout.buffer.write(body)
    sys.stdout.buffer.flush()


def _facts(name: str, source: Source, row: SourceRow | None, articles: int, now: datetime) -> dict[str, Any]:
    return {
        "name": name,
        "kind": source.kind,
        "location": source.location,
        "state": "pushed" if source.push else _state(row, now),
        "moved_to": row.moved_to if row is not None else "",
        "last_attempt_at": row.last_attempt_at if row is not None else None,
        "last_success_at": row.last_success_at if row is not None else None,
        "next_due_at": row.next_due_at if row is not None else None,
        "failures": row.failures if row is not None else 0,
        "last_error": row.last_error if row is not None else "",
        "articles": articles,
    }


def _state(row: SourceRow | None, now: datetime) -> str:
    if row is None or row.last_attempt_at is None:
        return "new"
    if row.retired_at is not None:
        return "retired"
    if row.not_before is not None and now < row.not_before:
        return "waiting"
    return "failing" if row.failures else "ok"
