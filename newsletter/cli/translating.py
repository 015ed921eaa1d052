"""``templates``: one to change, and the words of all, for who translates them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.options import Json, options_of, print_json
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration


_NO_DESIGNS = ("web", "preview", "locale")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(name="templates", help="Templates: to change one, and their words.", no_args_is_help=True)
    group.command("copy")(copy)
    group.command("extract")(extract)
    group.command("update")(update)
    app.add_typer(group)


def copy(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Like shared/inlined.css or daily/card.html")],
    as_json: Json = False,
) -> None:
    """Copy a shipped template into templates/, for you to change. What a design lacks is taken from shared/."""
    from newsletter.config.faults import suggestion

    folder, shipped, _ = _sources(options_of(context).configuration())
    known = {str(path.relative_to(shipped)): path for path in shipped.glob("*/*") if path.is_file()}
    designs = {path.parent.name for path in (*shipped.glob("*/edition.html"), *folder.glob("*/edition.html"))}
    design, _, name = file.partition("/")
    source = known.get(file) or (known.get(f"shared/{name}") if design in designs else None)
    if source is None or design in _NO_DESIGNS:
        names = [name for name in known if name.partition("/")[0] not in _NO_DESIGNS]
        raise UsageError(f"no template '{file}' is shipped", where="FILE", remedy=suggestion(file, names))
    target = folder / file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as written:
            written.write(source.read_bytes())
    except FileExistsError:
        raise UsageError("you have this file already", where=str(target), remedy="Change it, or delete it") from None
    except OSError as error:
        raise UsageError(f"it cannot be written: {error.strerror}", where=str(target)) from None
    if as_json:
        print_json({"file": str(target)})
    else:
        print(f"{target}: yours from now on; the shipped file is no longer used")


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
