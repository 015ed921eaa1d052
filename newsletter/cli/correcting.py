"""``editions correct``: write once more to exactly those who have an edition, or may have it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.names import login_and_host
from newsletter.cli.options import Json, options_of, print_json, run_async
from newsletter.errors import AlreadySent, UsageError
from newsletter.model import OccurrenceState

if TYPE_CHECKING:
    from newsletter.schedule.correcting import Draft


def correct(
    context: typer.Context,
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="What was wrong, what is right; Markdown")] = "",
    note_file: Annotated[
        Path | None, typer.Option("--note-file", metavar="FILE", help="The same from a file; - is standard input")
    ] = None,
    subject: Annotated[
        str, typer.Option("--subject", metavar="TEXT", help='Instead of "Correction:" and the subject of the edition')
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="Although a correction says the same already")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say to whom it would go, and send nothing")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="With --dry-run and --as: the message, .eml .html .txt")
    ] = None,
    address: Annotated[str, typer.Option("--as", metavar="ADDRESS", help="Whose message --out writes")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Send a correction to exactly those who have EDITION, or may have it; who unsubscribed since gets none."""
    from newsletter.cli.editions import find_row, whole
    from newsletter.cli.mending import settled
    from newsletter.cli.sending import deliver, report
    from newsletter.schedule import by_hand, correcting
    from newsletter.schedule.logo import publish_logo
    from newsletter.schedule.work import Work

    options = options_of(context)
    configuration = options.configuration()
    _ = configuration.site_keys
    words = _note(note, note_file)
    if bool(out) != bool(address) or (out is not None and not dry_run):
        raise UsageError("--out, --as and --dry-run go together", where="--out", remedy="Give all three, or --dry-run")
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        correcting.require_settled(row)
        settled(store, row)  # what was on the wire when it was stopped
        logo = publish_logo(configuration)
        written = correcting.draft(
            configuration, store, row, note=words, subject=subject or None, logo=logo, now=options.clock()
        )
        going_on = written.there is not None and written.there.state is OccurrenceState.SENDING
        if written.there is not None and not again and not going_on and not dry_run:
            raise _said(written.there.name, written.there.state)
        if dry_run:
            if out is not None:
                _write(out, correcting.sample(configuration, store, written, address, options.clock()))
            _show(written, out, as_json=as_json)
            return
        if not yes and not going_on:
            question = f"Send the correction {row.name.of}@{written.occurrence} to {_readers(written)}?"
            if not typer.confirm(question, default=False, err=True):
                raise typer.Abort
        run_async(by_hand.require_relay(configuration, row.newsletter))
        issued = correcting.issue(store, written, again=again, actor=login_and_host(), now=options.clock())
        if issued.there:
            if issued.row.state is not OccurrenceState.SENDING:
                raise _said(issued.row.name, issued.row.state)
            typer.echo(f"newsletter: {issued.row.name} was begun already; going on with it", err=True)
        work = Work(configuration, store, logo=logo)
        run_async(deliver(options, work, issued.row, everyone=True))
        work.complete(issued.row, options.clock())
        report(store, issued.row, as_json=as_json)


def _said(name: object, state: OccurrenceState) -> AlreadySent:
    return AlreadySent(
        f"{name} says the same and is {state.value}",
        remedy="Change the note, or send it once more with --again"
        if state is OccurrenceState.SENT
        else f"See `newsletter editions show {name}`; --again sends another one",
    )


def _note(text: str, file: Path | None) -> str:
    if bool(text) == (file is not None):
        raise UsageError("a correction has one note", where="--note", remedy="Write --note TEXT or --note-file FILE")
    if file is None:
        return text
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"the note cannot be read: {why}", where=str(file), remedy="Give a text in UTF-8") from None


def _show(written: Draft, out: Path | None, *, as_json: bool) -> None:
    name, there = f"{written.original.name.of}@{written.occurrence}", written.there
    audience = written.audience
    if as_json:
        facts = {"edition": name, "readers": audience.readers, "refused": audience.refused, "file": out, "sent": False}
        print_json(facts | {"says_the_same": str(there.name) if there is not None else None})
        return
    typer.echo(f"{name} would go to {_readers(written)}. Nothing was sent.")
    if out is not None:
        typer.echo(f"{out}: the message")
    if there is not None:
        typer.echo(f"{there.name} says the same already; it is {there.state.value}.")


def _readers(written: Draft) -> str:
    readers, refused = written.audience.readers, written.audience.refused
    said = "1 reader" if readers == 1 else f"{readers:,} readers"
    return said + (f", but for {refused:,} who may not be mailed now" if refused else "")


def _write(out: Path, message: bytes) -> None:
    from newsletter.deliver.copies import parts_of

    if out.suffix.lower() not in (".eml", ".html", ".txt"):
        raise UsageError(
            f"'{out.name}' ends in none of .eml, .html, .txt",
            where="--out",
            remedy="Write .eml for the message, .html or .txt for one part of it",
        )
    html, text = parts_of(message)
    try:
        if out.suffix.lower() == ".eml":
            out.write_bytes(message)
        else:
            out.write_text(html if out.suffix.lower() == ".html" else text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"it cannot be written: {error.strerror}", where=str(out)) from None
