"""``deliveries``: the ledger, and what a person decides about rows in doubt."""

from __future__ import annotations

from typing import Annotated

import typer

from newsletter.cli.names import known, login_name
from newsletter.cli.options import Json, Limit, options_of, print_json, print_rows
from newsletter.errors import NothingToDo, UsageError
from newsletter.model import SYSTEM, DeliveryState, EditionName

_COLUMNS = ("id", "edition", "address", "state", "words", "attempt", "changed_at", "reply")
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...")]
All = Annotated[bool, typer.Option("--all", help="Every delivery in doubt")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="deliveries", help="The ledger, and deliveries in doubt.", no_args_is_help=True)
    group.command("list")(list_)
    group.command("release")(release)
    group.command("close")(close)
    app.add_typer(group)


def list_(
    context: typer.Context,
    edition: Annotated[
        str, typer.Argument(metavar="[EDITION]", help="Like daily@2026-11-01/1; system: confirmations and the like")
    ] = "",
    in_doubt: Annotated[bool, typer.Option("--in-doubt", help="Only those that wait for a person")] = False,
    state: Annotated[str, typer.Option("--state", help="queued, sending, sent, failed or skipped")] = "",
    after: Annotated[int, typer.Option("--after", min=0, help="Only ids above this: the next page")] = 0,
    limit: Limit = 100,
    as_json: Json = False,
) -> None:
    """List deliveries by id."""
    from newsletter.schedule.words import delivery_words
    from newsletter.store import deliveries

    options = options_of(context)
    configuration = options.configuration()
    name = EditionName.parse(edition) if edition and edition != SYSTEM else None
    states = [DeliveryState(known("state", state, [one.value for one in DeliveryState]))] if state else []
    with options.store(configuration) as store:
        found = store.read(
            deliveries.listing,
            newsletter=name.newsletter if name else edition,
            stream=name.stream if name else None,
            occurrence=str(name.occurrence) if name else "",
            in_doubt=in_doubt,
            states=states,
            after=after,
            limit=limit,
        )
    if name is not None and not found:
        configuration.named(name.of)
    rows = [
        {
            "id": row.id,
            "edition": row.edition,
            "newsletter": row.newsletter,
            "occurrence": row.occurrence,
            "address": row.address,
            "state": row.state,
            "reason": row.reason,
            "words": delivery_words(row),
            "attempt": row.attempt,
            "relay": row.relay,
            "reply": row.reply,
            "message_id": row.message_id,
            "due_at": row.due_at,
            "changed_at": row.changed_at,
            "sent_at": row.sent_at,
        }
        for row in found
    ]
    print_rows(rows, as_json=as_json, columns=_COLUMNS, empty="No such deliveries.")


def release(context: typer.Context, ids: Ids = None, everything: All = False, as_json: Json = False) -> None:
    """Send deliveries in doubt again, with the same Message-ID. A reader who has the message may get it twice."""
    from newsletter.store import decisions

    options = options_of(context)
    configuration = options.configuration()
    chosen = _chosen(ids, everything)
    retry_for = {of: configuration.newsletter(*of).tried_for for of in configuration.streams}
    with options.store(configuration) as store:
        number = store.write(
            decisions.release_deliveries, chosen, actor=login_name(), retry_for=retry_for, now=options.clock()
        )
    _report(number, "will be sent again by `newsletter run`", "released", as_json=as_json)


def close(context: typer.Context, ids: Ids = None, everything: All = False, as_json: Json = False) -> None:
    """Count deliveries in doubt as sent, and leave them."""
    from newsletter.store import decisions

    options = options_of(context)
    chosen = _chosen(ids, everything)
    with options.store(options.configuration()) as store:
        number = store.write(decisions.close_deliveries, chosen, actor=login_name(), now=options.clock())
    _report(number, "closed: counted as sent", "closed", as_json=as_json)


def _chosen(ids: list[int] | None, everything: bool) -> list[int] | None:
    if bool(ids) == everything:
        raise UsageError("name the deliveries by id, or say --all", remedy="`newsletter deliveries list --in-doubt`")
    return ids or None


def _report(number: int, words: str, key: str, *, as_json: bool) -> None:
    if as_json:
        print_json({key: number})
    elif number:
        typer.echo(f"{number:,} {'delivery' if number == 1 else 'deliveries'} {words}.")
    if not number:
        raise NothingToDo("no delivery is in doubt")
