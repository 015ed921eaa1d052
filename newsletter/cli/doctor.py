"""``doctor``: is a From domain set up as the large mailbox providers ask? Each line with its fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.options import Json, console, options_of, print_json, progress, run_async
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.deliver.doctor.verdict import Verdict

_COLOURS = {"pass": "green", "warning": "yellow", "fail": "bold red", "unknown": "magenta"}


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain of your From addresses")],
    nameserver: Annotated[
        str, typer.Option("--nameserver", metavar="IP[:PORT]", help="Ask this server; default: the system's")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check SPF, DKIM, DMARC, MX, reverse DNS, TLS and one-click of DOMAIN against the rules for bulk senders."""
    from dataclasses import asdict

    from pydantic import TypeAdapter, ValidationError

    from newsletter.config.dkim import Domain
    from newsletter.deliver.doctor.examining import examine
    from newsletter.net.dns_lookup import Dns

    configuration = options_of(context).configuration()
    try:
        domain = TypeAdapter[str](Domain).validate_python(domain)
    except ValidationError:
        raise UsageError(f"'{domain}' is not a domain", remedy="Write one like news.example") from None
    with progress() as bar:
        bar.add_task(f"Asking about {domain}", total=None)
        verdicts = run_async(examine(configuration, domain, Dns(nameserver)))
    if as_json:
        print_json({"domain": domain, "ok": not _failed(verdicts), "checks": [asdict(one) for one in verdicts]})
    else:
        for one in verdicts:
            console().print(f"{one.health.value:8}", style=_COLOURS[one.health.value], end="")
            typer.echo(f"{one.check}: {one.says}")
            if one.fix:
                typer.echo(f"          -> {one.fix}")
    if _failed(verdicts):
        raise typer.Exit(1)


def _failed(verdicts: list[Verdict]) -> bool:
    return any(one.health == "fail" for one in verdicts)
