"""What every command needs: the global options, the configuration and store they name, and how results are shown."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import structlog
import typer

from newsletter.errors import NewsletterError, UsageError, first_of

if TYPE_CHECKING:
    from newsletter.config.reading import Configuration
    from newsletter.store import Store

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs")]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most this many rows")]
OnlyCount = Annotated[bool, typer.Option("--dry-run", help="Only say how many there are")]
T = TypeVar("T")
# As it is, and percent-encoded as in a URL. A domain has a dot; what stands behind the @ of an edition has none.
_ADDRESS = re.compile(r"[^\s<>\"'(),:;\[\]{}=/]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Options:
    """The global options of this call."""

    config: Path | None
    debug: bool
    clock: Clock

    def configuration(self) -> Configuration:
        """The valid configuration. Raises ConfigurationError."""
        from newsletter.config import reading

        return reading.load(self.config or reading.default_file(os.environ), os.environ)

    def store(self, configuration: Configuration) -> Store:
        """The store of this configuration, its tables made or upgraded. Raises StoreError."""
        from newsletter.store import Store

        return Store.open(configuration.store_url)


def options_of(context: typer.Context) -> Options:
    """The global options, from a command's context."""
    found = context.find_root().obj
    assert isinstance(found, Options)
    return found


def clock_at(text: str) -> Clock:
    """A clock that stands at ``text`` (ISO 8601; without a zone it is UTC), or the real one where it is ''."""
    if not text:
        return lambda: datetime.now(UTC)
    try:
        fixed = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"'{text}' is not a time", where="--now", remedy="Write it like 2026-11-01T07:00+05:30"
        ) from None
    fixed = fixed.replace(tzinfo=UTC) if fixed.tzinfo is None else fixed.astimezone(UTC)
    return lambda: fixed


def configure_logging(*, debug: bool, staying: bool) -> None:
    """Logs go to standard error, one line each: JSON where that is not a terminal.

    A process that stays (``run``, ``web``) logs what it does; a command says that itself and logs only what is wrong.
    """
    level = logging.DEBUG if debug else logging.INFO if staying else logging.WARNING
    plainly = logging.StreamHandler(sys.stderr)
    plainly.setFormatter(_WithoutAddresses("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[plainly])
    # It warns of each tick that comes while the step before is still at work; nothing is lost by that, and what is late
    # `status` says.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Standard error as it is when a line is written: whoever calls us in its own process may replace it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


class _WithoutAddresses(logging.Formatter):
    """A log outlives the people in it, and nobody erases them from it: what looks like an address is not written."""

    def format(self, record: logging.LogRecord) -> str:
        return without_addresses(super().format(record))


def without_addresses(text: str) -> str:
    """``text`` with each mail address as ``…@…``; relays quote them in their replies."""
    return _ADDRESS.sub("…@…", text)


def _mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: without_addresses(value) if isinstance(value, str) else value for key, value in event.items()}


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: times in ISO 8601 UTC, enums by value."""
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Enum():
            return value.value
        case date() | Path():
            return str(value)
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case str() | int() | float() | bool() | None:
            return value
        case Iterable():
            return [plain(one) for one in value]
        case _:
            return str(value)


def print_json(value: Any) -> None:
    """Print ``value`` as JSON, UTF-8, indented."""
    typer.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))


def print_rows(
    rows: Sequence[Mapping[str, Any]], *, as_json: bool, columns: Sequence[str] = (), empty: str = "Nothing to show."
) -> None:
    """Print rows as a table (of ``columns``, default all of them), or as a JSON array."""
    if as_json:
        print_json(rows)
        return
    if not rows:
        typer.echo(empty)
        return
    from rich.table import Table

    shown = list(columns or rows[0])
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in shown:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(cell(row.get(column)) for column in shown))
    console().print(table)


def cell(value: Any) -> str:
    """One value as a table shows it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        case Enum():
            return str(value.value)
        case list() | tuple():
            return ", ".join(cell(one) for one in value)
        case _:
            return str(value)


def console() -> Any:
    """A rich console on standard output; wide enough for tables where that is a file or a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False)


def progress() -> Any:
    """A rich progress bar on standard error that goes away when done; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop where it is installed. Raises what its tasks raised first."""
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        import uvloop

        new_event_loop = uvloop.new_event_loop
    failed: NewsletterError | None = None
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(main)
    except* NewsletterError as several:
        failed = first_of(several)
    assert failed is not None
    raise failed
