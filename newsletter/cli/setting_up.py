"""``init``, ``check`` and ``schema``: from an empty folder to a configuration that can be trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.options import Json, Options, options_of, print_json, progress, run_async
from newsletter.errors import ConfigurationError, NewsletterError, RelayError, StoreError, TemplateError

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("init")(init)
    app.command("check")(check)
    app.command("schema")(schema)


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to; default: here")] = Path(),
    as_json: Json = False,
) -> None:
    """Write schedules.yaml, templates/, the site key and .env.example to start from. Nothing is overwritten."""
    from newsletter.config import starting

    written = starting.initialise(folder)
    kept = [path for path in starting.starting_paths(folder) if path not in written]
    if as_json:
        print_json({"written": written, "kept": kept})
        return
    for path in written:
        typer.echo(f"wrote {path}{'/' if path.is_dir() else ''}")
    for path in kept:
        typer.echo(f"kept  {path}{'/' if path.is_dir() else ''}, which was there")
    typer.echo(f"Next: edit {folder / 'schedules.yaml'}, then run `newsletter check`. Back up site.key.")


def check(
    context: typer.Context,
    smtp: Annotated[
        bool, typer.Option("--smtp", help="Also connect and log in to each relay; nothing is sent")
    ] = False,
    as_json: Json = False,
) -> None:
    """Validate everything, and say file:line and what to do for each fault."""
    options = options_of(context)
    faults, warnings, configuration = _found(options)
    relay_faults: list[NewsletterError] = []
    if smtp and configuration is not None:
        relay_faults = run_async(_try_relays(configuration))
    if as_json:
        print_json(
            {
                "ok": not (faults or relay_faults),
                "faults": [_plain(fault) for fault in [*faults, *relay_faults]],
                "warnings": [_plain(warning) for warning in warnings],
            }
        )
    else:
        for line in dict.fromkeys(str(fault) for fault in [*faults, *relay_faults]):
            typer.echo(line, err=True)
        for warning in warnings:
            shown = ConfigurationError(f"warning: {warning.what}", where=warning.where, remedy=warning.remedy)
            typer.echo(str(shown), err=True)
        typer.echo(_summary(configuration, len(faults) + len(relay_faults), len(warnings), smtp=smtp))
    if faults or relay_faults:
        raise typer.Exit(ConfigurationError.exit_code if faults else RelayError.exit_code)


def schema() -> None:
    """Print the JSON Schema of schedules.yaml, for editors."""
    from newsletter.config.schema import schema_text

    typer.echo(schema_text(), nl=False)


def _found(options: Options) -> tuple[list[NewsletterError], list[ConfigurationError], Configuration | None]:
    """The faults and warnings that need no network but the store's."""
    from newsletter.config import checking

    try:
        configuration = options.configuration()
    except ConfigurationError as error:
        return list(error.faults), [], None
    findings = checking.check(configuration)
    faults: list[NewsletterError] = [
        *findings.faults,
        *_dkim_faults(configuration),
        *_template_faults(configuration),
        *_store_faults(configuration),
    ]
    return faults, [*findings.warnings, *_untranslated(configuration)], configuration


def _dkim_faults(configuration: Configuration) -> list[ConfigurationError]:
    """The DKIM keys that are there and cannot be used; those that are not there have been named with their line."""
    from newsletter.deliver.dkim import load_key

    found: list[ConfigurationError] = []
    for domain, dkim in configuration.schedules.dkim.items():
        for one in dkim.keys:
            path = configuration.resolve(one.key)
            try:
                if path.is_file():
                    load_key(path, domain=domain, selector=one.selector)
            except ConfigurationError as error:
                found.append(error)
    return found


def _template_faults(configuration: Configuration) -> list[TemplateError]:
    from newsletter.render.correcting import check_corrections
    from newsletter.render.document import check_newsletter
    from newsletter.render.rendering import templates_of
    from newsletter.render.system_mail import check_system_mails

    templates = templates_of(configuration)
    designs = templates.designs()
    found: dict[str, TemplateError] = {}
    for check in (check_corrections, check_system_mails):
        try:
            check(templates)
        except TemplateError as error:
            found[str(error)] = error
    for of in configuration.streams:
        newsletter = configuration.newsletter(*of)
        if newsletter.design not in designs:
            continue  # config.checking has said so, with the line
        try:
            check_newsletter(templates, of, newsletter)
            for language in configuration.languages(of.newsletter):
                templates.words(language)
        except TemplateError as error:
            found[str(error)] = _placed(configuration, error)
    return list(found.values())


def _untranslated(configuration: Configuration) -> list[ConfigurationError]:
    """The languages of newsletters that have no catalogue."""
    from newsletter.render.catalogues import has_words

    return [
        configuration.fault(
            f"there are no words in '{language}': mails in it say \"Unsubscribe\" in English",
            *("newsletters", name, "languages" if language in newsletter.languages else "language"),
            remedy=f"Run `newsletter templates update {language}`, and translate",
        )
        for name, newsletter in configuration.schedules.newsletters.items()
        for language in configuration.languages(name)
        if not has_words(configuration.template_folders, language)
    ]


def _placed(configuration: Configuration, error: TemplateError) -> TemplateError:
    """A fault in a text of schedules.yaml itself (subject, preheader) with its line there."""
    path = error.where.partition(":")[0].split(".")
    if len(path) in (3, 5) and path[0] == "newsletters" and path[1] in configuration.schedules.newsletters:
        return TemplateError(f"{path[-1]}: {error.what}", where=configuration.where(*path), remedy=error.remedy)
    return error


def _store_faults(configuration: Configuration) -> list[NewsletterError]:
    """Whether the database answers, and has our tables or can be given them. No file is made for this."""
    from newsletter.store import Store, migrating
    from newsletter.store.database import parse_url

    file = configuration.store_file
    if file is not None and not os.path.lexists(file):
        return []
    try:
        with Store(parse_url(configuration.store_url)) as store:
            migrating.pending(store)
    except (StoreError, ConfigurationError) as error:
        return [configuration.fault(error.what, "store", remedy=error.remedy)]
    return []


async def _try_relays(configuration: Configuration) -> list[NewsletterError]:
    import asyncio

    from newsletter.config.models import Relay
    from newsletter.deliver.smtp import RelayConnection

    async def attempt(name: str, relay: Relay) -> NewsletterError | None:
        try:
            connection = await RelayConnection.open(name, relay)
            await connection.quit()
        except (RelayError, OSError) as error:
            what, remedy = (error.what, error.remedy) if isinstance(error, RelayError) else (str(error), "")
            where = configuration.where("relays", name)
            return RelayError(f"relay {name} ({relay.host}:{relay.port}): {what}", where=where, remedy=remedy)
        finally:
            bar.advance(task)
        return None

    relays = configuration.relays
    with progress() as bar:
        task = bar.add_task("Trying the relays", total=len(relays))
        results = await asyncio.gather(*(attempt(name, relay) for name, relay in relays.items()))
    return [result for result in results if result is not None]


def _plain(fault: NewsletterError) -> dict[str, str]:
    return {"where": fault.where, "what": fault.what, "remedy": fault.remedy}


def _summary(configuration: Configuration | None, faults: int, warnings: int, *, smtp: bool) -> str:
    counted = [_count(faults, "fault")] if faults else ["no fault"]
    if warnings:
        counted.append(_count(warnings, "warning"))
    if configuration is None or faults:
        return ", ".join(counted)
    schedules = configuration.schedules
    relays = _count(len(schedules.relays), "relay") + (" (tried)" if smtp and schedules.relays else "")
    there = [_count(len(schedules.newsletters), "newsletter"), _count(len(schedules.sources), "source"), relays]
    return f"{configuration.file.name}: {', '.join(there)}; {', '.join(counted)}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
