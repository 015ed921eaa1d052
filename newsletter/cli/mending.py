"""``editions stop|resume|cancel|retry``: what a person does about an edition that is going out, or went."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.names import known, login_name
from newsletter.cli.options import Json, options_of, print_json
from newsletter.errors import NothingToDo, UsageError
from newsletter.model import OccurrenceState, Reason

if TYPE_CHECKING:
    from newsletter.store import Store
    from newsletter.store.occurrences import OccurrenceRow

Edition = Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")]
Because = Annotated[str, typer.Option("--because", help="Why, for the others")]
# A sender asks before each body; what is on the wire then is answered within moments, or its reply is waited for.
_SETTLED_SECONDS = 2.0
_LOOK_SECONDS = 0.05
_S = OccurrenceState


def stop(context: typer.Context, edition: Edition, because: Because = "", as_json: Json = False) -> None:
    """Stop an edition that is going out, within a second and in every process; say who has it."""
    from newsletter.cli.editions import find_row, whole
    from newsletter.store import mending

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        if not store.write(mending.stop, row, actor=login_name(), detail=because, now=options.clock()):
            raise _not_so(store, row, "is not going out", hold=True)
        counts = settled(store, row)
    if as_json:
        print_json({"edition": str(row.name), "state": _S.STOPPED, "deliveries": counts})
        return
    typer.echo(f"{row.name} is stopped. {_who(counts)}")
    typer.echo(f"`newsletter editions resume {row.name}` goes on; `cancel` ends it; `correct` writes to who has it.")


def resume(context: typer.Context, edition: Edition, because: Because = "", as_json: Json = False) -> None:
    """Let a stopped edition go on: `newsletter run` sends the rest."""
    from newsletter.cli.editions import find_row, whole
    from newsletter.store import mending

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        wait = configuration.of(row).tried_for
        now = options.clock()
        if not store.write(mending.resume, row, actor=login_name(), retry_for=wait, detail=because, now=now):
            raise _not_so(store, row, "is not stopped")
        counts = store.read(mending.who_has_it, row.id)
    if as_json:
        print_json({"edition": str(row.name), "state": _S.SENDING, "deliveries": counts})
    else:
        typer.echo(f"{row.name} goes on: {counts['queued']:,} to go.")


def cancel(context: typer.Context, edition: Edition, because: Because = "", as_json: Json = False) -> None:
    """End an edition that is not going out just now (stop it first); its unsent stories are free for the next."""
    from newsletter.cli.editions import find_row, whole
    from newsletter.store import mending

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        if not store.write(mending.cancel, row, actor=login_name(), detail=because, now=options.clock()):
            raise _not_so(store, row, "cannot be cancelled")
        _paged(lambda: store.write(mending.drop_queued, row.id, options.clock()))
        counts = store.read(mending.who_has_it, row.id)
    if as_json:
        print_json({"edition": str(row.name), "state": _S.CANCELLED, "deliveries": counts})
    else:
        typer.echo(f"{row.name} is cancelled. {_who(counts)}")


def retry(
    context: typer.Context,
    edition: Edition,
    only: Annotated[
        list[str] | None,
        typer.Option("--reason", help="Only those that failed for this reason; repeatable. Default: all but bounces"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try the failed of an edition again, with the same Message-IDs; not those whose mailbox was refused."""
    from newsletter.cli.editions import find_row, whole
    from newsletter.store import mending

    options = options_of(context)
    configuration = options.configuration()
    reasons = [Reason(known("reason", one, [reason.value for reason in mending.OF_FAILURES])) for one in only or ()]
    chosen = frozenset(reasons) or mending.OF_FAILURES - mending.NOT_RETRIED
    now = options.clock()
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        if not store.write(mending.retry, row, actor=login_name(), reasons=chosen, now=now):
            raise NothingToDo(
                f"the deliveries of {row.name} are not kept any more (keep_deliveries)"
                if row.pruned_at is not None
                else f"{row.name} has no failed deliveries to try again"
            )
        wait = configuration.of(row).tried_for
        number = _paged(
            lambda: store.write(
                mending.requeue_failed, row.id, reasons=chosen, failed_before=now, retry_for=wait, now=options.clock()
            )
        )
    if as_json:
        print_json({"edition": str(row.name), "queued": number})
    else:
        typer.echo(f"{number:,} {'delivery' if number == 1 else 'deliveries'} of {row.name} will be tried again.")


def settled(store: Store, row: OccurrenceRow) -> dict[str, int]:
    """Who has it once nothing of it is on the wire any more, or when that takes too long."""
    from newsletter.store import mending

    deadline = time.monotonic() + _SETTLED_SECONDS
    while (counts := store.read(mending.who_has_it, row.id))["sending"] and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return counts


def _paged(page: Callable[[], int]) -> int:
    total = 0
    while moved := page():
        total += moved
    return total


def _who(counts: dict[str, int]) -> str:
    said = [f"{counts['sent']:,} have it"]
    if counts["in_doubt"]:
        said.append(f"{counts['in_doubt']:,} may have it")
    if counts["sending"]:
        said.append(f"{counts['sending']:,} are on the wire at this moment")
    not_yet = counts["queued"] + counts["failed"] + counts["skipped"]
    return ", ".join(said) + f", {not_yet:,} have it not."


def _not_so(store: Store, row: OccurrenceRow, what: str, *, hold: bool = False) -> UsageError:
    """The occurrence does not stand as the command needs it: what it is instead, and what fits that."""
    from newsletter.store import occurrences

    stands = store.read(occurrences.get, row.id) or row
    remedies = {
        _S.SENDING: f"`newsletter editions stop {row.name}` stops it first",
        _S.STOPPED: f"`newsletter editions resume {row.name}` goes on, `cancel` ends it",
        _S.HELD: f"`newsletter editions release {row.name}` lets it go on, `cancel` ends it",
    }
    remedy = remedies.get(stands.state, "")
    if hold and stands.state in (_S.PLANNED, _S.COMPOSED, _S.APPROVED):
        remedy = f"`newsletter editions hold {row.name}` keeps it from going out"
    return UsageError(f"{row.name} is {stands.state.value}, so it {what}", remedy=remedy)
