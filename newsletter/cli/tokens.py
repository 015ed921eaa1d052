"""``tokens``: who may push articles and ask for collections over HTTP. A token is shown once, when it is made."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.names import known, login_name
from newsletter.cli.options import Json, options_of, print_json, print_rows
from newsletter.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.store.api_tokens import ApiToken, Scope

_COLUMNS = ("name", "scopes", "sources", "created_at", "last_used_at", "revoked_at")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="tokens", help="Who may push articles over HTTP: add, list, revoke.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_)
    group.command("revoke")(revoke)
    app.add_typer(group)


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What you call it: cms, wire-desk")],
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", help="articles:write (the default) or sources:poll; repeatable"),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option("--source", help="Only for this source; repeatable. Default: every push source"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a token and print it. It is kept as a hash, so this is the only time it can be seen."""
    import secrets

    from newsletter.store import api_tokens
    from newsletter.store.api_tokens import Scope

    options = options_of(context)
    configuration = options.configuration()
    wanted = [Scope(known("scope", scope, [one.value for one in Scope])) for scope in scopes or [Scope.ARTICLES_WRITE]]
    named = [known("source", source, configuration.schedules.sources) for source in sources or ()]
    token = api_tokens.token_of(secrets.token_bytes(api_tokens.RANDOM_BYTES))
    with options.store(configuration) as store:
        made = store.write(_add, token, name, wanted, named, options.clock())
    if as_json:
        print_json({"name": made.name, "token": token, "scopes": made.scopes, "sources": made.sources})
        return
    typer.echo(token)
    typer.echo("Keep it where your CMS finds it; it is not shown again.", err=True)


def list_(context: typer.Context, as_json: Json = False) -> None:
    """List tokens by name, the revoked ones too."""
    from newsletter.store import api_tokens

    options = options_of(context)
    with options.store(options.configuration()) as store:
        found = store.read(api_tokens.list_tokens)
    print_rows([asdict(token) for token in found], as_json=as_json, columns=_COLUMNS, empty="No tokens.")


def revoke(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")], as_json: Json = False) -> None:
    """Permit a token no longer, from the next request on."""
    options = options_of(context)
    with options.store(options.configuration()) as store:
        store.write(_revoke, name, options.clock())
    if as_json:
        print_json({"revoked": name})
    else:
        typer.echo(f"Token {name} is revoked.")


def _add(
    connection: Connection, token: str, name: str, scopes: list[Scope], sources: list[str], now: datetime
) -> ApiToken:
    from newsletter.store import api_tokens, audit

    made = api_tokens.add(connection, token, name=name, scopes=scopes, sources=sources, now=now)
    detail = " ".join([*made.scopes, *made.sources])
    audit.record(connection, actor=login_name(), action="add", subject=f"token/{name}", detail=detail, now=now)
    return made


def _revoke(connection: Connection, name: str, now: datetime) -> None:
    from newsletter.config.faults import suggestion
    from newsletter.store import api_tokens, audit

    if not api_tokens.revoke(connection, name, now):
        names = [token.name for token in api_tokens.list_tokens(connection)]
        if name in names:
            raise NothingToDo(f"the token '{name}' is revoked already")
        raise UsageError(f"there is no token '{name}'", remedy=suggestion(name, names))
    audit.record(connection, actor=login_name(), action="revoke", subject=f"token/{name}", now=now)
