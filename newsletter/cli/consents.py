"""``subscribers history``, ``data``, ``unsubscribe``, ``lift``: what one reader agreed to, a copy of all of it; her
unsubscribing by mail or telephone; a bounce undone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.names import login_name
from newsletter.cli.options import Json, options_of, plain, print_json, print_rows, run_async
from newsletter.errors import NothingToDo, UsageError
from newsletter.model import ConsentChannel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from newsletter.members.consent import Evidence, Lift
    from newsletter.model import Subscriber
    from newsletter.store import Store

_HISTORY = ("at", "action", "newsletter", "channel", "wording", "client", "detail")


def history(context: typer.Context, address: str, as_json: Json = False) -> None:
    """Show all that ADDRESS ever agreed to or withdrew: when, what, how, in which words, from which network."""
    from newsletter.members.disclosing import consents_of

    options = options_of(context)
    with options.store(options.configuration()) as store:
        rows = store.read(consents_of, subscriber_named(store, address).id)
    print_rows(rows, as_json=as_json, columns=_HISTORY, empty="Nothing was agreed to.")


def data(
    context: typer.Context,
    address: str,
    out: Annotated[Path | None, typer.Option("--out", help="A new file, mode 600; default: standard output")] = None,
) -> None:
    """Print all that is kept about ADDRESS as JSON: the reader's copy under GDPR Arts. 15 and 20."""
    import json

    from newsletter.members.disclosing import everything_about
    from newsletter.store.new_file import new_file

    options = options_of(context)
    with options.store(options.configuration()) as store:
        found = store.read(everything_about, subscriber_named(store, address))
    if out is None:
        print_json(found)
        return
    with new_file(out) as part:
        part.write_text(json.dumps(plain(found), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    typer.echo(f"Wrote {out}.")


def unsubscribe(
    context: typer.Context,
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="A reader's, or the unsubscribe+NUMBER-TOKEN@… that got a mail")
    ],
    newsletters: Annotated[list[str] | None, typer.Option("--newsletter", "-n", help="Which (repeatable)")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every one, and any that may come")] = False,
    as_json: Json = False,
) -> None:
    """Unsubscribe a reader who wrote or rang, or whose mail program wrote to the unsubscribe mailbox."""
    from newsletter.members import by_mail, consent
    from newsletter.members.consent import Evidence

    options = options_of(context)
    configuration = options.configuration()
    mailed = by_mail.is_mailed(address)
    _require_one_meaning(mailed=mailed, named=bool(newsletters), everything=everything)
    for name in newsletters or ():
        configuration.newsletter(name)
    evidence = Evidence(ConsentChannel.MAIL if mailed else ConsentChannel.CLI, options.clock())
    with options.store(configuration) as store:
        wanted = list(newsletters or ())
        if mailed:
            found = store.read(by_mail.meant, address, configuration.schedules.newsletters)
            if found is None:
                raise UsageError("we did not make that address, or its reader was erased")
            person, wanted = found[0], [found[1]]
        else:
            person = subscriber_named(store, address)
        if everything:
            ended = list(store.write(consent.unsubscribe_all, person.id, evidence))
        else:
            ended = [name for name in wanted if store.write(consent.unsubscribe, person.id, name, evidence)]
        off_the_wire = run_async(consent.await_wire(store, person.id, None))
    if as_json:
        print_json({"address": person.address, "unsubscribed": ended})
    else:
        gone = f"is unsubscribed from {', '.join(ended)}" if ended else "was unsubscribed already"
        typer.echo(f"{person.address} {gone}.")
    if not off_the_wire:
        typer.echo("newsletter: a message was on its way at that moment and may still arrive", err=True)


def _require_one_meaning(*, mailed: bool, named: bool, everything: bool) -> None:
    """Raise UsageError unless it is said, once, what is to end."""
    if mailed and (named or everything):
        raise UsageError("that address says itself which newsletter it means", remedy="Leave -n and --all out")
    if not mailed and named == everything:
        raise UsageError("which newsletter is meant?", remedy="Give -n NEWSLETTER, or --all")


def lift(
    context: typer.Context,
    address: str,
    because: Annotated[str, typer.Option("--because", help="How you know that it takes mail again")] = "",
    as_json: Json = False,
) -> None:
    """Mail ADDRESS again after a bounce. An unsubscribe, a complaint and an erasure only the reader can take back."""
    from newsletter.members.addresses import address_hashes
    from newsletter.members.consent import Evidence, Lift

    options = options_of(context)
    configuration = options.configuration()
    with options.store(configuration) as store:
        person = subscriber_named(store, address)
        hashes = address_hashes(person.address, configuration.site_keys)
        evidence = Evidence(ConsentChannel.CLI, options.clock())
        done = store.write(_lift, person.id, evidence, hashes, login_name(), because)
    if done is Lift.ERASED:
        raise NothingToDo(
            f"{person.address} was erased and stays suppressed",
            remedy="Only the reader can come back, by signing up afresh and confirming it",
        )
    if done is Lift.NOTHING:
        raise NothingToDo(f"no bounce stands against {person.address}")
    if as_json:
        print_json({"address": person.address, "lifted": True})
    else:
        typer.echo(f"{person.address} is mailed again.")


def _lift(
    connection: Connection, subscriber_id: int, evidence: Evidence, hashes: Sequence[str], actor: str, because: str
) -> Lift:
    from newsletter.members import consent
    from newsletter.members.consent import Lift
    from newsletter.store import audit

    done = consent.lift_bounce(connection, subscriber_id, evidence, hashes)
    if done is Lift.DONE:
        subject = f"subscriber/{subscriber_id}"
        audit.record(connection, actor=actor, action="lift", subject=subject, detail=because, now=evidence.at)
    return done


def subscriber_named(store: Store, address: str) -> Subscriber:
    """The subscriber with this address or number. Raises UsageError where there is none, AddressError."""
    from newsletter.members.addresses import parse_address
    from newsletter.store import subscribers

    if address.isascii() and address.isdigit():
        person = store.read(subscribers.by_id, min(int(address[:20]), 2**63 - 1))
        person = person if person is not None and person.erased_at is None else None
    else:
        address = parse_address(address)
        person = store.read(subscribers.by_address, address)
    if person is None:
        raise UsageError(f"there is no subscriber {address}")
    return person
