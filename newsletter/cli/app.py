"""The console script: global options, the command groups, and the one place where an error becomes words.

Exit codes (docs/commands.md): 0 done; 1 failed; 2 usage or configuration; 3 nothing to do (already sent, nobody, too
few stories); 4 held; 5 store; 6 source or fetch; 7 template; 8 relay; 9 sent, but not to everyone; 70 a fault of ours;
130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import click
import typer

from newsletter import __version__
from newsletter.cli import options
from newsletter.errors import NewsletterError

app = typer.Typer(
    name="newsletter",
    help="Newsletters and notifications for newsrooms: collect, compose, render, deliver.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_STAYING = {"run", "web"}


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main_options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", help="schedules.yaml to use; default: $NEWSLETTER_CONFIG, then ./schedules.yaml"
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs")] = False,
    now: Annotated[
        str, typer.Option("--now", metavar="TIME", help="Pretend it is this time (ISO 8601), to try things out")
    ] = "",
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Options of every command."""
    options.configure_logging(debug=debug, staying=context.invoked_subcommand in _STAYING)
    context.obj = options.Options(config=config, debug=debug, clock=options.clock_at(now))


# What typer raises for a wrong command line: click's own class, or that of the click inside newer typers.
_Refused: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _show_refusal(error: Any) -> None:
    """A wrong command line in one line; a group without a command shows its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    context = getattr(error, "ctx", None)
    remedy = f" See `{context.command_path} --help`" if context is not None else ""
    message = " ".join(error.format_message().split())
    click.echo(f"newsletter: {message}{'' if message.endswith('.') else '.'}{remedy}", err=True)


def main() -> None:
    """Run the command line; never returns normally."""
    from newsletter.cli import register

    register.commands(app)
    debug = "--debug" in sys.argv
    try:
        code = app(prog_name="newsletter", standalone_mode=False)
    except NewsletterError as error:
        if debug:
            raise
        click.echo(f"newsletter: {error}", err=True)
        sys.exit(error.exit_code)
    except typer.Abort:
        click.echo("newsletter: stopped", err=True)
        sys.exit(130)
    except _Refused as error:
        _show_refusal(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader of our output went away
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"newsletter: {where}{error.strerror or error}", err=True)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        click.echo(
            f"newsletter: a fault of ours ({type(error).__name__}: {' '.join(str(error).split())[:300]}). "
            "Run again with --debug and report it",
            err=True,
        )
        sys.exit(70)
    sys.exit(code if isinstance(code, int) else 0)
