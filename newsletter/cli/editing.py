"""``editions edit`` and ``editions approve``: what editors do to an edition between its composing and its sending."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.names import login_and_host
from newsletter.cli.options import Json, Options, options_of, print_json
from newsletter.errors import EditedMeanwhile, NewsletterError, NothingToDo, OccurrenceHeld, TemplateError, UsageError
from newsletter.model import EditionName, OccurrenceState, Pin, Reason

if TYPE_CHECKING:
    from newsletter.compose.edit_sheet import Sheet
    from newsletter.compose.edits import Change
    from newsletter.config.reading import Configuration
    from newsletter.schedule.editing import Edited
    from newsletter.store import Store
    from newsletter.store.occurrences import OccurrenceRow

_S = OccurrenceState


def edit(
    context: typer.Context,
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")],
    drop: Annotated[list[str] | None, typer.Option("--drop", metavar="ID", help="Take a story out")] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option("--pin", metavar="ID[:SECTION[:POSITION]]", help="Put a story in, or to another place"),
    ] = None,
    lead: Annotated[int | None, typer.Option("--lead", metavar="ID", help="This story leads for every reader")] = None,
    retitle: Annotated[
        list[str] | None,
        typer.Option("--retitle", metavar="ID=TEXT", help="Another headline, in this mail only; no TEXT: its own"),
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option("--order", metavar="SECTION=ID,ID", help="These first in the section, the others after them"),
    ] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="'': the newsletter's own")] = None,
    preheader: Annotated[str | None, typer.Option("--preheader", help="'': the newsletter's own")] = None,
    note: Annotated[str | None, typer.Option("--note", help="The editor's note, in Markdown; '': none")] = None,
    note_file: Annotated[
        Path | None, typer.Option("--note-file", help="The note from a file, - for standard input")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="First forget all earlier edits")] = False,
    as_json: Json = False,
) -> None:
    """Change an edition before it goes out; without options, in your text editor ($VISUAL or $EDITOR).

    It is changed for every cohort, also for those composed later. What was approved has to be approved again.
    """
    from newsletter.cli.editions import find_row, whole

    options = options_of(context)
    configuration = options.configuration()
    change = _change(drop, pin, lead, retitle, order, subject, preheader, _note(note, note_file), clear)
    with options.store(configuration) as store:
        name = whole(edition) if change else EditionName.parse(edition)
        row = find_row(configuration, store, name)
        edited = (
            _edit(options, configuration, store, row, change, {})
            if change
            else _edit_sheet(options, configuration, store, row, name.cohort)
        )
    _report(configuration, edited, as_json=as_json)


def approve(
    context: typer.Context,
    edition: Annotated[str, typer.Argument(metavar="EDITION", help="Like daily@2026-11-01/1")],
    as_json: Json = False,
) -> None:
    """Approve an edition: it goes out at its time."""
    from newsletter.cli.editions import find_row, plain_row, whole
    from newsletter.schedule.logo import publish_logo
    from newsletter.schedule.planning import too_late
    from newsletter.schedule.work import Work
    from newsletter.store import occurrences

    options = options_of(context)
    configuration = options.configuration()
    now = options.clock()
    with options.store(configuration) as store:
        row = find_row(configuration, store, whole(edition))
        _require_approvable(row)
        work = Work(configuration, store, logo=publish_logo(configuration))
        try:
            approved = work.approve(row, actor=login_and_host(), now=now)
        except TemplateError as error:
            store.write(occurrences.hold, row.id, reason=Reason.TEMPLATE_ERROR, detail=str(error), now=now)
            raise
    if approved.state is _S.HELD:
        raise OccurrenceHeld(f"{row.name} is held: {approved.detail}", remedy="Mend it, then release it")
    if approved.state is _S.COMPOSED:
        raise EditedMeanwhile(
            f"{row.name} was edited in this moment, and is not approved", remedy="Look at it, then approve it again"
        )
    if as_json:
        print_json(plain_row(configuration, approved))
        return
    typer.echo(f"{row.name} is approved: {plain_row(configuration, approved)['due']} is its time.")
    if too_late(approved, configuration.of(row), now):
        typer.echo(f"Its catch_up is over, so the schedule will skip it; `newsletter send {row.newsletter}` sends now.")


def _require_approvable(row: OccurrenceRow) -> None:
    if row.state is _S.APPROVED:
        raise NothingToDo(f"{row.name} is approved already")
    if row.state is _S.PLANNED:
        raise UsageError(f"{row.name} is not composed yet", remedy="It is at its compose_lead; look at it then")
    if row.state is _S.HELD and row.reason is not Reason.AWAITING_APPROVAL:
        raise UsageError(
            f"{row.name} is held: {row.detail or row.reason.value.replace('_', ' ')}",
            remedy=f"Release it first: `newsletter editions release {row.name}`",
        )
    if row.state not in (_S.COMPOSED, _S.HELD):
        raise UsageError(f"{row.name} is {row.state.value} and cannot be approved any more")


# --- what is to change ----------------------------------------------------------------------------------------------


def _change(
    drop: list[str] | None,
    pin: list[str] | None,
    lead: int | None,
    retitle: list[str] | None,
    order: list[str] | None,
    subject: str | None,
    preheader: str | None,
    note: str | None,
    clear: bool,
) -> Change:
    from newsletter.compose.edits import Change

    texts: dict[Any, str | None] = {
        name: text.strip() or None
        for name, text in (("subject", subject), ("preheader", preheader))
        if text is not None
    }
    if note is not None:
        texts["note"] = note.strip()
    headlines: dict[int, str] = {}
    for one in retitle or []:
        article, equals, text = one.partition("=")
        if not equals:
            raise UsageError(f"'{one}' has no '='", where="--retitle", remedy="Write ID=TEXT")
        headlines[_number(article, "--retitle")] = " ".join(text.split())
    ordered: dict[str, tuple[int, ...]] = {}
    for one in order or []:
        section, equals, articles = one.rpartition("=")
        if not equals or not section.strip():
            raise UsageError(f"'{one}' names no section", where="--order", remedy="Write SECTION=ID,ID")
        ordered[section.strip()] = tuple(_number(article, "--order") for article in articles.split(","))
    pins = tuple(_pin(one) for one in pin or [])
    if lead is not None:
        if lead in {one.article_id for one in pins}:
            raise UsageError(f"article {lead} cannot lead and be pinned to a section", where="--lead")
        pins = (*pins, Pin(_number(str(lead), "--lead"), leads=True))
    dropped = tuple(_number(article, "--drop") for one in drop or [] for article in one.split(","))
    both = sorted({one.article_id for one in pins} & set(dropped))
    if both:
        raise UsageError(f"article {both[0]} cannot be pinned and dropped", where="--pin")
    return Change(dropped, pins, headlines, ordered, texts, clear)


def _pin(text: str) -> Pin:
    """``12``, ``12:World`` or ``12:World:1``; a section's name may hold a colon."""
    article, _, rest = text.partition(":")
    section, colon, position = rest.rpartition(":")
    if not (colon and position.strip().isascii() and position.strip().isdigit()):
        section, position = rest, "1"
    return Pin(_number(article, "--pin"), section.strip(), _number(position, "--pin"))


def _number(text: str, where: str) -> int:
    if not (text.strip().isascii() and text.strip().isdigit() and 0 < int(text) < 2**63):
        raise UsageError(
            f"'{text}' is no article's number", where=where, remedy="`newsletter articles list` shows them"
        )
    return int(text)


def _note(note: str | None, file: Path | None) -> str | None:
    if file is None:
        return note
    if note is not None:
        raise UsageError("--note and --note-file say the same", where="--note-file", remedy="Leave one out")
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the note cannot be read: {error}", where=str(file)) from None


# --- doing it -------------------------------------------------------------------------------------------------------


def _edit(
    options: Options,
    configuration: Configuration,
    store: Store,
    row: OccurrenceRow,
    change: Change,
    places: Mapping[int, str],
) -> Edited:
    from newsletter.schedule import editing
    from newsletter.schedule.logo import publish_logo
    from newsletter.schedule.work import Work

    work = Work(configuration, store, logo=publish_logo(configuration))
    return editing.edit(work, row, change, places=places, actor=login_and_host(), now=options.clock())


def _edit_sheet(
    options: Options, configuration: Configuration, store: Store, row: OccurrenceRow, cohort: str
) -> Edited:
    """The edition as a sheet in the editor; what came back is applied. It stays where it is when something is wrong."""
    from newsletter.compose.edit_sheet import write
    from newsletter.schedule.editing import shown
    from newsletter.store import editing, editions

    editing.require_editable(row)
    cohorts = [one for one in store.read(editions.for_occurrence, row.id) if cohort in ("", one.cohort)]
    if not cohorts:
        if cohort:
            raise UsageError(f"{row.name} has no edition for {cohort}")
        raise UsageError(
            f"{row.name} is not composed yet, so there is nothing to show", remedy="Use options such as --pin, or wait"
        )
    sheet = shown(store, configuration.of(row), row, cohorts[0])
    folder = Path(tempfile.mkdtemp(prefix="newsletter-"))
    file = folder / f"{row.name.of}@{str(row.occurrence).replace('/', '-')}.yaml"
    text = write(sheet)
    file.write_text(text, encoding="utf-8")
    try:
        _open(file)
        read = _came_back(file, text, sheet)
        edited = _edit(options, configuration, store, row, read.change, read.places)
    except NothingToDo:
        _remove(file)
        raise
    except NewsletterError as error:
        error.remedy = f"{error.remedy.removesuffix('.')}. " * bool(error.remedy) + f"What you wrote is in {file}"
        raise
    _remove(file)
    return edited


def _came_back(file: Path, written: str, shown: Any) -> Sheet:
    from newsletter.compose.edit_sheet import read
    from newsletter.config.document import decode
    from newsletter.errors import ConfigurationError

    try:
        text = decode(file.read_bytes(), str(file))
    except (OSError, ConfigurationError) as error:
        raise UsageError(f"the sheet cannot be read; nothing was changed: {error}") from None
    if text == written:
        raise NothingToDo(f"the sheet of {shown.name} came back as it was; nothing was changed")
    return read(text, str(file), shown)


def _open(file: Path) -> None:
    """Open the file in the user's editor and wait until she has closed it. Raises UsageError."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    if not command.strip():
        raise UsageError(
            "no text editor is named", remedy="Set EDITOR, as in EDITOR=nano, or use options such as --drop"
        )
    try:
        # It is the user's own command, run as her.
        code = subprocess.run([*shlex.split(command), str(file)], check=False).returncode  # noqa: S603
    except (OSError, ValueError) as error:
        raise UsageError(f"the editor '{command}' cannot be started: {error}", remedy="Set EDITOR") from None
    if code != 0:
        raise UsageError(f"the editor '{command}' ended with {code}; nothing was changed")


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)
    for left in file.parent.iterdir():  # an editor's own backup of it
        left.unlink(missing_ok=True)
    file.parent.rmdir()


def _report(configuration: Configuration, edited: Edited, *, as_json: bool) -> None:
    from newsletter.cli.editions import plain_row, plain_section

    row = edited.row
    if as_json:
        facts = plain_row(configuration, row) | {
            "changed": edited.words,
            "edits": row.layer,
            "editions": [
                {
                    "cohort": one.cohort,
                    "revision": one.revision,
                    "sections": [plain_section(part) for part in one.sections],
                }
                for one in edited.editions
            ],
            "findings": [*edited.findings, *([str(edited.error)] if edited.error else [])],
        }
        print_json(facts)
    else:
        typer.echo(f"{row.name}: {edited.words}.")
        for finding in edited.findings:
            typer.echo(f"It would be held: {finding}")
        if configuration.of(row).approval.mode == "required" and edited.editions:
            typer.echo(f"It needs an approval: `newsletter editions approve {row.name}`.")
    if edited.error is not None:
        raise edited.error
