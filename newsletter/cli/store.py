"""``store``: make or upgrade its tables, and copy it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.options import Json, options_of, print_json, progress
from newsletter.errors import UsageError


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="store", help="The database: migrate, back up.", no_args_is_help=True)
    group.command("migrate")(migrate)
    group.command("backup")(backup)
    app.add_typer(group)


def migrate(context: typer.Context, as_json: Json = False) -> None:
    """Make the tables, or bring them to this version. Every other command does so too."""
    from newsletter.store import Store, migrating
    from newsletter.store.database import parse_url

    options = options_of(context)
    with Store(parse_url(options.configuration().store_url)) as store:
        done = migrating.migrate(store)
    if as_json:
        print_json({"migrated": done, "revision": migrating.HEAD})
    else:
        typer.echo(f"{'Now' if done else 'Already'} at revision {migrating.HEAD}.")


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file")],
    as_json: Json = False,
) -> None:
    """Copy the SQLite database to FILE, whole or not at all, also while `run` is at work."""
    from newsletter.store.backup import back_up

    configuration = options_of(context).configuration()
    database = configuration.store_file
    if database is None:
        raise UsageError(
            "the store is on PostgreSQL, which has its own tool",
            where=configuration.where("store"),
            remedy="Use pg_dump --format=custom --file=FILE DATABASE",
        )
    with progress() as bar:
        task = bar.add_task("Copying pages", total=None)
        size = back_up(database, file, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        print_json({"file": file, "bytes": size})
    else:
        typer.echo(f"Wrote {file} ({size:,} bytes). Keep {configuration.site_key_file.name} with it, and media/.")
