"""``subscribers import`` and ``export``: many readers as CSV, in and out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.options import Json, options_of, print_json, print_rows, progress
from newsletter.errors import UsageError
from newsletter.model import ConsentChannel, SubscriptionState

if TYPE_CHECKING:
    from newsletter.members.exchange import ImportSummary, Remark

_MOST_REMARKS = 1_000


def import_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV with a header line; address is the one column needed")
    ],
    newsletters: Annotated[
        list[str] | None, typer.Option("--newsletter", "-n", help="For rows that name none (repeatable)")
    ] = None,
    wording: Annotated[str, typer.Option("--wording", help="Which version of what words these readers agreed to")] = "",
    as_json: Json = False,
) -> None:
    """Import subscribers. A bad line is reported and costs itself alone; the same file again changes nothing."""
    from newsletter.members.consent import Evidence
    from newsletter.members.exchange import import_subscribers

    options = options_of(context)
    configuration = options.configuration()
    for name in newsletters or ():
        configuration.newsletter(name)
    remarks: list[Remark] = []

    def remark(one: Remark) -> None:
        if len(remarks) < _MOST_REMARKS:
            remarks.append(one)
        if not as_json:
            about = f"{one.address}: " if one.address else ""
            typer.echo(f"{file}:{one.line}: {about}{one.reason}", err=True)

    lines = _lines_in(file)
    with options.store(configuration) as store, progress() as bar:
        task = bar.add_task(f"Importing {file.name}", total=lines)
        with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
            try:
                summary = import_subscribers(
                    store,
                    text,
                    schedules=configuration.schedules,
                    site_keys=configuration.site_keys,
                    evidence=Evidence(ConsentChannel.IMPORT, options.clock(), wording=wording),
                    newsletters=newsletters or (),
                    remark=remark,
                    progress=lambda rows: bar.update(task, completed=rows),
                )
            except UsageError as error:
                raise UsageError(error.what, where=f"{file}{error.where}", remedy=error.remedy) from None
    _report_import(summary, remarks, as_json=as_json)


def _lines_in(file: Path) -> int:
    """The lines of a file, for the progress bar. Raises UsageError where it cannot be read."""
    try:
        if not file.is_file():
            raise UsageError("there is no such file", where=str(file))
        with file.open("rb") as content:
            return sum(block.count(b"\n") for block in iter(lambda: content.read(1 << 20), b""))
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}", where=str(file)) from None


def _report_import(summary: ImportSummary, remarks: list[Remark], *, as_json: bool) -> None:
    counts = {
        "rows": summary.rows,
        "created": summary.created,
        "corrected": summary.corrected,
        "unchanged": summary.unchanged,
        "subscriptions": summary.subscriptions,
        "kept_unsubscribed": summary.kept_unsubscribed,
        "kept_suppressed": summary.kept_suppressed,
        "refused": summary.refused,
    }
    if as_json:
        listed = [
            {"line": one.line, "address": one.address, "reason": one.reason, "refused": one.refused} for one in remarks
        ]
        print_json(counts | {"ignored_columns": summary.ignored_columns, "remarks": listed})
    else:
        print_rows([counts], as_json=False)
        if summary.ignored_columns:
            typer.echo(f"Columns that were ignored: {', '.join(summary.ignored_columns)}")
    if summary.refused:
        raise typer.Exit(1)


def export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: standard output")] = None,
    newsletter: Annotated[str, typer.Option("--newsletter", "-n", help="Only its active subscribers")] = "",
) -> None:
    """Export subscribers as CSV that `import` reads. FILE is written whole or not at all, readable by you alone."""
    import sys

    from newsletter.members.exchange import export_subscribers
    from newsletter.store import subscribers
    from newsletter.store.new_file import new_file

    options = options_of(context)
    configuration = options.configuration()
    if newsletter:
        configuration.newsletter(newsletter)
    state = SubscriptionState.ACTIVE if newsletter else None
    with options.store(configuration) as store, progress() as bar:
        total = store.read(subscribers.count, newsletter=newsletter or None, state=state)
        task = bar.add_task("Exporting", total=total)

        def advance(rows: int) -> None:
            bar.update(task, completed=rows)

        write = partial(
            export_subscribers,
            store,
            newsletter=newsletter or None,
            attributes=configuration.schedules.attributes,
            progress=advance,
        )
        if file is None:
            write(sys.stdout)
            return
        with new_file(file) as part, part.open("w", encoding="utf-8", newline="") as text:
            written = write(text)
    typer.echo(f"Wrote {written:,} subscribers to {file}.")
