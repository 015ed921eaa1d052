"""``templates``: the words of templates, for who translates them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.options import Json, options_of, print_json

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="templates", help="Templates: their words in other languages.", no_args_is_help=True)
    group.command("extract")(extract)
    group.command("update")(update)
    app.add_typer(group)


def extract(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: standard output")] = None,
) -> None:
    """Write every message of the templates, yours and the shipped ones, as a .pot file."""
    from babel.messages.catalog import Catalog

    from newsletter.render import extracting

    configuration = options_of(context).configuration()
    messages: Catalog = extracting.publishers_messages(*_sources(configuration))
    if out is not None:
        out.write_bytes(extracting.as_po(messages))
    else:
        sys.stdout.write(extracting.as_po(messages).decode("utf-8"))


def update(
    context: typer.Context,
    language: Annotated[str, typer.Argument(metavar="LANGUAGE", help="Like ta or pt-BR")],
    as_json: Json = False,
) -> None:
    """Add what the shipped words of LANGUAGE lack to templates/locale/LANGUAGE, for you to translate."""
    from newsletter.render import extracting

    configuration = options_of(context).configuration()
    folder, shipped, texts = _sources(configuration)
    messages = extracting.publishers_messages(folder, shipped, texts)
    done = extracting.update(folder, shipped, language, messages)
    if as_json:
        print_json({"file": str(done.path), "added": done.added, "untranslated": done.untranslated})
    elif not done.added and not done.untranslated:
        print(f"Nothing is left to translate into {language}.")
    else:
        print(f"{done.path}: {done.added} added, {done.untranslated} to translate")


def _sources(configuration: Configuration) -> tuple[Path, Path, dict[str, str]]:
    """The publisher's template folder, the shipped one, and the small texts of her newsletters."""
    folders = configuration.template_folders
    texts = {
        f"newsletters.{name}.{key}": getattr(newsletter, key)
        for name, newsletter in configuration.schedules.newsletters.items()
        for key in ("subject", "preheader")
    }
    return folders[0], folders[-1], texts
