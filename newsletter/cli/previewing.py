"""``preview``: what the next edition would be, in the browser or as a file; nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.options import Json, Options, options_of, print_json, run_async
from newsletter.errors import UsageError

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.model import Occurrence
    from newsletter.preview.choice import Choice
    from newsletter.preview.making import Preview
    from newsletter.store import Store

_COMING = 5
_SUFFIXES = (".eml", ".html", ".txt")


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    newsletter: Annotated[str, typer.Argument(help="Which newsletter; default: the first")] = "",
    address: Annotated[str, typer.Option("--as", metavar="ADDRESS", help="As this subscriber would get it")] = "",
    key: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="NAME=VALUE", help="As a reader of this plan, language, sections or format"),
    ] = None,
    edition: Annotated[str, typer.Option("--edition", help="next, or one that was composed: 2026-11-01/1")] = "next",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write FILE.eml, .html or .txt instead of serving")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser")] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: 8026, or a free one")] = None,
    as_json: Json = False,
) -> None:
    """Show the message NEWSLETTER would send now, byte for byte. Nothing is sent, nothing changes.

    Serves a page on this machine until Ctrl-C; with --out it writes a file, with --json it prints the facts.
    """
    from newsletter.preview.choice import Choice, key_of
    from newsletter.preview.choosing import KeyFacts

    options = options_of(context)
    configuration = options.configuration()
    name = newsletter or next(iter(configuration.schedules.newsletters))
    known = configuration.newsletter(name)
    _ = configuration.site_keys
    if address and key:
        raise UsageError("--as and --key exclude each other", where="--key", remedy="Leave one of them out")
    facts = key_of(key or [], known.section_names) if key else KeyFacts()
    choice = Choice(name, edition, address, facts)
    if out is not None and out.suffix.lower() not in _SUFFIXES:
        raise UsageError(
            f"'{out.name}' ends in none of {', '.join(_SUFFIXES)}",
            where="--out",
            remedy="Write .eml for the message, .html or .txt for one part of it",
        )
    with options.store(configuration) as store:
        if out is not None or as_json:
            _once(options, configuration, store, choice, out, as_json=as_json)
        else:
            _serve(options, configuration, store, choice, port, open_browser=open_browser)


def _once(
    options: Options, configuration: Configuration, store: Store, choice: Choice, out: Path | None, *, as_json: bool
) -> None:
    from newsletter.preview.making import make_preview
    from newsletter.schedule.logo import publish_logo

    made = make_preview(
        configuration,
        store,
        choice.newsletter,
        reader=choice.reader,
        edition=choice.edition,
        now=options.clock(),
        turns=turns_to_send,
        logo=publish_logo,
    )
    if out is not None:
        _write(out, _content(configuration, made, out.suffix.lower()))
    if as_json:
        print_json(_facts(made, out))
        return
    for notice in made.notices:
        typer.echo(f"newsletter: {notice}", err=True)
    typer.echo(f"{out}: {made.edition} for {made.reader}")
    typer.echo(f"  subject  {made.subject}")
    typer.echo(f"  HTML     {made.size:,} bytes, {len(made.findings)} lint findings")
    typer.echo(f"  sha256   {made.sha256}")


def _facts(made: Preview, out: Path | None) -> dict[str, object]:
    return {
        "edition": str(made.edition),
        "state": made.state,
        "due_at": made.due_at,
        "reader": made.reader,
        "from": made.sender,
        "subject": made.subject,
        "preheader": made.preheader,
        "html_bytes": made.size,
        "sha256": made.sha256,
        "file": out,
        "notices": made.notices,
        "findings": [
            {"severity": one.severity, "rule": one.rule, "where": one.where, "what": one.what, "remedy": one.remedy}
            for one in made.findings
        ],
        "stories": [
            {"headline": one.headline, "section": one.section, "shown": one.shown, "why": one.words}
            for one in made.stories
        ],
        "sent": False,
    }


def _content(configuration: Configuration, made: Preview, suffix: str) -> bytes:
    from newsletter.preview.showing import for_file

    if suffix == ".eml":
        return made.message
    if suffix == ".txt":
        return made.text.replace("\r\n", "\n").encode("utf-8")
    if not made.html:
        raise UsageError("this reader gets plain text alone", where="--out", remedy="Write a .txt or .eml file")
    return for_file(made.html, made.web_base, configuration.media_folder).encode("utf-8")


def _write(out: Path, content: bytes) -> None:
    """Write the whole file or nothing of it. Raises OSError."""
    mode = 0o666 & ~_umask()
    descriptor, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _serve(
    options: Options,
    configuration: Configuration,
    store: Store,
    choice: Choice,
    port: int | None,
    *,
    open_browser: bool,
) -> None:
    from newsletter.config import reading
    from newsletter.preview import serving
    from newsletter.preview.app import Workbench
    from newsletter.schedule.logo import publish_logo

    workbench = Workbench(
        configuration,
        lambda: reading.load(configuration.file, os.environ),
        store,
        options.clock,
        choice,
        turns=turns_to_send,
        logo=publish_logo,
    )
    listening = serving.listen(port)
    url = listening.url()

    def ready() -> None:
        typer.echo(f"Preview of {choice.newsletter}: {url}")
        typer.echo("Only this machine can open it. Nothing is sent. Ctrl-C ends it.")
        if open_browser and not webbrowser.open(url):
            typer.echo("newsletter: no browser could be opened; open the address yourself", err=True)

    async def work() -> None:
        stop = asyncio.Event()
        with _signals(stop):
            await serving.serve(workbench, listening, stop, ready)

    run_async(work())


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def turns_to_send(
    configuration: Configuration, newsletter: str, now: datetime
) -> Sequence[tuple[Occurrence, datetime]]:
    """What a manual send would use up: the latest turn still within ``catch_up``, else the next that is open."""
    from newsletter.schedule.turns import Turn, next_turn, turns_between

    known, zone = configuration.newsletter(newsletter), configuration.zone(newsletter)
    due = list(turns_between(known.schedule, zone, now - known.catch_up, now))[-1:]
    coming: list[Turn] = []
    while len(coming) < _COMING and (turn := next_turn(known.schedule, zone, coming[-1].utc if coming else now)):
        coming.append(turn)
    return [(turn.occurrence, turn.utc) for turn in (*due, *coming)]
