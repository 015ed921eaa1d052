"""``why``, ``status`` and ``schedule``: what was decided, what is running, what is to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.options import Json, Options, cell, options_of, plain, print_json, print_rows
from newsletter.errors import UsageError
from newsletter.model import EditionName, StreamName

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.schedule.watching import Status
    from newsletter.store.occurrences import OccurrenceRow

_DAYS = 7


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("why")(why)
    app.command("status")(status)
    app.command("schedule")(schedule)


def why(
    context: typer.Context,
    address: str,
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")],
    as_json: Json = False,
) -> None:
    """Say why ADDRESS did, or did not, get EDITION."""
    from newsletter.schedule.explaining import why as answer_of

    options = options_of(context)
    configuration = options.configuration()
    name = EditionName.parse(edition)
    with options.store(configuration) as store:
        answer = answer_of(configuration, store, address, name, options.clock())
    if as_json:
        print_json(asdict(answer))
    else:
        typer.echo(answer.sentence)


def status(context: typer.Context, as_json: Json = False) -> None:
    """Say what is running, due and in doubt. Exit code 1 when a person has to look at something."""
    from newsletter.schedule.watching import problems, status_of

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        found = status_of(configuration, store, options.clock())
    wrong = problems(found)
    if as_json:
        print_json(_plain_status(found, wrong))
    else:
        _print_status(found)
        for line in wrong:
            typer.echo(f"newsletter: {line}", err=True)
    if wrong:
        raise typer.Exit(1)


def _plain_status(found: Status, wrong: list[str]) -> dict[str, Any]:
    return {
        "ok": not wrong,
        "problems": wrong,
        "newsletters": [
            {
                "newsletter": one.name,
                "last": _plain_occurrence(one.last) if one.last is not None else None,
                "under_way": [_plain_occurrence(row) for row in one.open],
                "next": str(one.next_edition) if one.next_edition is not None else None,
                "next_due_at": one.next_due_at,
            }
            for one in found.newsletters
        ],
        "sending": [
            {"edition": str(name), **{state.value: number for state, number in counts.items()}}
            for name, counts in found.progress.items()
        ],
        "heartbeats": [asdict(beat) for beat in found.heartbeats],
        "sources": [asdict(source) for source in found.sources],
        "in_doubt": [
            {"edition": f"{of}@{occurrence}", "deliveries": number}
            for (of, occurrence), number in found.in_doubt.items()
        ],
        "missed": [_plain_occurrence(row) for row in found.missed],
    }


def _plain_occurrence(row: OccurrenceRow) -> dict[str, Any]:
    from newsletter.schedule.words import occurrence_words

    return {
        "edition": str(row.name),
        "state": row.state,
        "reason": row.reason,
        "words": occurrence_words(row),
        "due_at": row.due_at,
        "changed_at": row.changed_at,
    }


def _print_status(found: Status) -> None:
    facts = _plain_status(found, [])
    newsletters = [
        {
            "newsletter": one["newsletter"],
            "last": f"{one['last']['edition']} {one['last']['words']}" if one["last"] else None,
            "under_way": [f"{row['edition']} {row['words']}" for row in one["under_way"]] or None,
            "next": one["next"],
            "next_due": one["next_due_at"],
        }
        for one in facts["newsletters"]
    ]
    running = [
        {"running": beat.name, "last": beat.last_at, "next_due": beat.next_due_at, "error": beat.error or None}
        for beat in found.heartbeats
    ]
    sources = [
        {
            "source": one.name,
            "last_success": one.last_success_at,
            "next_due": one.next_due_at,
            "failures": one.failures,
            "error": one.error or None,
        }
        for one in found.sources
    ]
    for rows in (newsletters, facts["sending"], running, sources, facts["in_doubt"]):
        if rows:
            print_rows(rows, as_json=False)
            typer.echo()
    for row in facts["missed"]:
        typer.echo(f"missed in the last day: {row['edition']}, due {cell(row['due_at'])}")


def schedule(
    context: typer.Context,
    newsletter: Annotated[str, typer.Argument(metavar="[NEWSLETTER]", help="Default: all")] = "",
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First local date; default: today")] = "",
    last: Annotated[
        str, typer.Option("--to", metavar="DATE", help="Last local date, included; default: a week in all")
    ] = "",
    days: Annotated[int, typer.Option("--days", min=0, max=366, help="How many local dates, instead of --to")] = 0,
    reader: Annotated[
        str, typer.Option("--for", metavar="ADDRESS", help="What this reader will get from now on, when and why")
    ] = "",
    as_json: Json = False,
) -> None:
    """Say when each newsletter's occurrences are; with `--for`, what of it one reader will get.

    Needs neither store nor site key, but for `--for`.
    """
    options = options_of(context)
    configuration = options.configuration()
    of = StreamName.parse(newsletter)
    if newsletter:
        configuration.named(of)
    names = [of.newsletter] if newsletter else list(configuration.schedules.newsletters)
    if reader:
        if first or last:
            raise UsageError("what a reader will get begins now", where="--for", remedy="Say how far with --days")
        _print_inbox(options, configuration, reader, names, days or _DAYS, as_json=as_json)
        return
    if days and last:
        raise UsageError("--to and --days both say where it ends", remedy="Leave one of them out")
    start, end = _date("--from", first), _date("--to", last)
    if start is not None and end is not None and end < start:
        raise UsageError(f"{end} is before {start}", where="--to", remedy="Write the later date after --to")
    streams = [of] if ":" in newsletter else [one for one in configuration.streams if one.newsletter in names]
    found = [row for one in streams for row in _turns(options, configuration, one, start, end, days or _DAYS)]
    found.sort(key=lambda row: (row["utc"], row["newsletter"]))
    if as_json:
        print_json(found)
        return
    by_reader = any("first_utc" in row for row in found)
    rows = [
        {name: plain(row[name]) for name in ("newsletter", "occurrence", "local", "utc")}
        | ({"on_readers_clocks": _span(row)} if by_reader else {})
        for row in found
    ]
    print_rows(rows, as_json=False, empty="No occurrences in that time.")


def _span(row: dict[str, Any]) -> str:
    return f"{plain(row['first_utc'])} to {plain(row['last_utc'])}" if "first_utc" in row else ""


def _print_inbox(
    options: Options, configuration: Configuration, reader: str, names: list[str], days: int, *, as_json: bool
) -> None:
    from newsletter.schedule.inbox import inbox

    with options.store(configuration) as store:
        found = inbox(configuration, store, reader, options.clock(), days, newsletters=names)
    if as_json:
        print_json([asdict(one) | {"comes": one.comes} for one in found])
        return
    rows = [
        {"edition": one.edition, "due": one.local, "comes": "yes" if one.comes else "no", "why": one.sentence}
        for one in found
    ]
    print_rows(rows, as_json=False, empty=f"Nothing is to come to {reader} in that time.")


def _turns(
    options: Options, configuration: Configuration, of: StreamName, start: date | None, end: date | None, days: int
) -> Iterator[dict[str, Any]]:
    from zoneinfo import ZoneInfo

    from newsletter.schedule.cohorts import span_on
    from newsletter.schedule.turns import turns

    schedule, zone = configuration.newsletter(*of).schedule, configuration.zone(*of)
    place = ZoneInfo(zone)
    first = start or options.clock().astimezone(place).date()
    if start is None and end is not None:
        first = min(first, end)
    last = end or date.fromordinal(min(first.toordinal() + days - 1, date.max.toordinal()))
    for turn in turns(schedule, zone, first, last):
        utc = turn.utc.astimezone(UTC)
        span = span_on(schedule, turn.occurrence.local_date) if schedule.by_reader else None
        yield {
            "newsletter": str(of),
            "occurrence": str(turn.occurrence),
            "local": utc.astimezone(place).isoformat(),
            "utc": utc,
            **({"first_utc": span[0], "last_utc": span[1]} if span is not None else {}),
        }


def _date(option: str, text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text}' is not a date", where=option, remedy="Write it like 2026-11-01") from None
