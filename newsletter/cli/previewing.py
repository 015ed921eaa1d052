"""``preview``: what the next edition would be, in the browser or as a file; nothing is sent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.options import Json, Options, options_of, print_json, run_async
from newsletter.errors import NewsletterError, UsageError
from newsletter.model import StreamName

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.model import Occurrence
    from newsletter.preview.choice import Choice
    from newsletter.preview.looks import Look
    from newsletter.preview.making import Preview
    from newsletter.preview.workbench import Workbench
    from newsletter.store import Store

_COMING = 5
_SUFFIXES = (".eml", ".html", ".txt")


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that are wanted: ``out`` by its suffix, ``screenshot`` a PNG of that width and look."""

    out: Path | None
    screenshot: Path | None
    width: int
    look: Look

    def __bool__(self) -> bool:
        return self.out is not None or self.screenshot is not None


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
    edition: Annotated[
        str, typer.Option("--edition", help="next, one that was composed (2026-11-01/1), or scenario:NAME")
    ] = "next",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write FILE.eml, .html or .txt instead of serving")
    ] = None,
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", metavar="FILE", help="Write a PNG of the mail; needs Chromium")
    ] = None,
    width: Annotated[
        int | None, typer.Option("--width", min=200, max=4000, help="Of the screenshot, in pixels; default: 800")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="The screenshot in the mail's own dark")] = False,
    profile: Annotated[
        str,
        typer.Option("--profile", help="The screenshot as light, dark, partial, full, outlook, unstyled, no-pictures"),
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Write the files again after each save, until Ctrl-C")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in the browser")] = False,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Default: 8026, or a free one")] = None,
    as_json: Json = False,
) -> None:
    """Show the message NEWSLETTER would send now, byte for byte. Nothing is sent, nothing changes.

    Serves a page on this machine until Ctrl-C; with --out and --screenshot it writes files, with --json it prints the
    facts.
    """
    from newsletter.preview.choice import Choice, key_of
    from newsletter.preview.choosing import KeyFacts
    from newsletter.preview.looks import DESKTOP

    options = options_of(context)
    configuration = options.configuration()
    name = newsletter or next(iter(configuration.schedules.newsletters))
    known = configuration.named(StreamName.parse(name))
    _ = configuration.site_keys
    if address and key:
        raise UsageError("--as and --key exclude each other", where="--key", remedy="Leave one of them out")
    facts = key_of(key or [], known.section_names) if key else KeyFacts()
    choice = Choice(name, edition, address, facts)
    files = _files(out, screenshot, width or DESKTOP, _look(profile, dark=dark))
    if watch and not files:
        raise UsageError("there is no file to write again", where="--watch", remedy="Add --out FILE or --screenshot")
    for_picture = [name for name, given in (("--width", width), ("--dark", dark), ("--profile", profile)) if given]
    if for_picture and screenshot is None:
        raise UsageError(
            "it is of a screenshot, and none is wanted",
            where=for_picture[0],
            remedy="Add --screenshot FILE; on the page each pane has its own",
        )
    for_page = [name for name, given in (("--port", port), ("--open", open_browser)) if given]
    if for_page and (files or as_json):
        raise UsageError("it is of the page, and none is served", where=for_page[0], remedy="Leave it out")
    with options.store(configuration) as store:
        workbench = _workbench(options, configuration, store, choice)
        if watch:
            _watch(workbench, files)
        elif files or as_json:
            _once(workbench, files, as_json=as_json)
        else:
            _serve(workbench, port, open_browser=open_browser)


def _files(out: Path | None, screenshot: Path | None, width: int, look: Look) -> _Files:
    if out is not None and out.suffix.lower() not in _SUFFIXES:
        raise UsageError(
            f"'{out.name}' ends in none of {', '.join(_SUFFIXES)}",
            where="--out",
            remedy="Write .eml for the message, .html or .txt for one part of it",
        )
    if screenshot is not None and screenshot.suffix.lower() != ".png":
        raise UsageError(f"'{screenshot.name}' does not end in .png", where="--screenshot", remedy="It is a PNG")
    for option, file in (("--out", out), ("--screenshot", screenshot)):
        if file is not None and not file.parent.is_dir():
            raise UsageError(f"there is no folder '{file.parent}'", where=option, remedy="Make it first")
        if file is not None and file.is_dir():
            raise UsageError(f"'{file}' is a folder", where=option, remedy="Name a file")
    return _Files(out, screenshot, width, look)


def _look(profile: str, *, dark: bool) -> Look:
    from newsletter.config.faults import suggestion
    from newsletter.preview.looks import Look

    if dark and profile not in ("", Look.DARK):
        raise UsageError("--dark and --profile exclude each other", where="--profile", remedy="Leave one of them out")
    try:
        return Look.DARK if dark else Look(profile or Look.LIGHT)
    except ValueError:
        raise UsageError(
            f"there is no profile '{profile}'", where="--profile", remedy=suggestion(profile, list(Look))
        ) from None


def _workbench(options: Options, configuration: Configuration, store: Store, choice: Choice) -> Workbench:
    from newsletter.config import reading
    from newsletter.preview.workbench import Workbench
    from newsletter.schedule.inbox import inbox
    from newsletter.schedule.logo import publish_logo
    from newsletter.schedule.testing import transmit_test

    return Workbench(
        configuration,
        lambda: reading.load(configuration.file, os.environ),
        store,
        options.clock,
        choice,
        turns=turns_to_send,
        logo=publish_logo,
        post=transmit_test,
        inbox=inbox,
    )


def _once(workbench: Workbench, files: _Files, *, as_json: bool) -> None:
    made = workbench.make(workbench.default).preview
    run_async(_write_all(workbench, made, files))
    if as_json:
        print_json(_facts(made, files.out or files.screenshot))
        return
    for notice in made.notices:
        typer.echo(f"newsletter: {notice}", err=True)
    for file in filter(None, (files.out, files.screenshot)):
        typer.echo(f"{file}: {made.edition} for {made.reader}")
    typer.echo(f"  subject  {made.subject}")
    findings = "1 lint finding" if len(made.findings) == 1 else f"{len(made.findings)} lint findings"
    typer.echo(f"  HTML     {made.size:,} bytes, {findings}")
    typer.echo(f"  sha256   {made.sha256}")


def _watch(workbench: Workbench, files: _Files) -> None:
    """Write the files now and after each save; what cannot be made is told, and the files stay as they were."""
    from newsletter.preview.serving import changes_of

    async def again() -> None:
        try:
            made = (await asyncio.to_thread(workbench.make, workbench.default)).preview
            await _write_all(workbench, made, files)
        except NewsletterError as error:
            typer.echo(f"newsletter: {error}", err=True)
            return
        for file in filter(None, (files.out, files.screenshot)):
            typer.echo(f"{file}: {made.size:,} bytes of HTML, sha256 {made.sha256[:12]}")

    async def work() -> None:
        changes = changes_of(workbench.configuration)
        with _signals(changes.stop):
            async with asyncio.TaskGroup() as group:
                group.create_task(changes.watch())
                await again()
                typer.echo("Each save writes again. Ctrl-C ends it.")
                async for _ in changes.saves():
                    await again()

    run_async(work())


async def _write_all(workbench: Workbench, made: Preview, files: _Files) -> None:
    if files.out is not None:
        content = _content(workbench.configuration, made, files.out.suffix.lower())
        await asyncio.to_thread(_write, files.out, content)
    if files.screenshot is not None:
        from newsletter.preview.picturing import picture_of
        from newsletter.preview.scenarios import picture_file

        if not made.html:
            raise UsageError("this reader gets plain text alone", where="--screenshot", remedy="Choose another reader")
        configuration = workbench.configuration
        picture = await picture_of(
            made, lambda name: picture_file(configuration, name), width=files.width, look=files.look
        )
        await asyncio.to_thread(_write, files.screenshot, picture)


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
    from newsletter.preview.scenarios import picture_file
    from newsletter.preview.showing import for_file

    if suffix == ".eml":
        return made.message
    if suffix == ".txt":
        return made.text.replace("\r\n", "\n").encode("utf-8")
    if not made.html:
        raise UsageError("this reader gets plain text alone", where="--out", remedy="Write a .txt or .eml file")
    return for_file(made.html, made.web_base, lambda name: picture_file(configuration, name)).encode("utf-8")


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


def _serve(workbench: Workbench, port: int | None, *, open_browser: bool) -> None:
    from newsletter.preview import serving

    listening = serving.listen(port)
    url = listening.url(workbench.default.query())

    def ready() -> None:
        typer.echo(f"Preview of {workbench.default.newsletter}: {url}")
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


def turns_to_send(configuration: Configuration, of: StreamName, now: datetime) -> Sequence[tuple[Occurrence, datetime]]:
    """What a manual send would use up: the latest turn still within ``catch_up``, else the next that is open."""
    from newsletter.schedule.turns import coming_turns, turns_between

    known, zone = configuration.named(of), configuration.zone(*of)
    due = list(turns_between(known.schedule, zone, now - known.catch_up, now))[-1:]
    coming = islice(coming_turns(known.schedule, zone, now), _COMING)
    return [(turn.occurrence, turn.utc) for turn in (*due, *coming)]
