"""``demo``: the whole main job on this machine, and where to look at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.options import Json, console, print_json
from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from newsletter.demo.showing import Shown


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command("demo")(demo)


def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where to do it; made anew each time")] = Path("demo"),
    as_json: Json = False,
) -> None:
    """Serve a sample site, collect it, send its newsletters to sample mailboxes, twice, and show what came of it."""
    from newsletter.demo.showing import show

    shown = show(folder.absolute(), _example(), (lambda _line: None) if as_json else typer.echo)
    rows = _rows(shown)
    if as_json:
        print_json(rows)
    else:
        _print(shown, rows)
    if shown.delivered[1] or not shown.delivered[0]:
        raise NewsletterError("the second run repeated mail, or the first sent none", remedy="Please report this")


def _example() -> Path:
    package = Path(__file__).parent.parent
    in_wheel = package / "shipped" / "schedules.yaml"
    return in_wheel if in_wheel.exists() else package.parent / "schedules.yaml"


def _rows(shown: Shown) -> list[dict[str, Any]]:
    return [
        {
            "run": line.round,
            "newsletter": line.newsletter,
            "edition": line.edition,
            "articles": line.articles,
            "subscribers": line.subscribers,
            "sent": line.sent,
            "skipped": ", ".join(f"{number} {reason.value}" for reason, number in line.skipped.items()),
            "seconds": round(line.seconds, 2),
            "said": line.said,
        }
        for line in shown.lines
    ]


def _print(shown: Shown, rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("run", "newsletter", "articles", "subscribers", "sent", "skipped", "time"):
        table.add_column(column, justify="left" if column in {"newsletter", "skipped"} else "right")
    for row in rows:
        table.add_row(
            str(row["run"]),
            row["newsletter"],
            str(row["articles"] or "–"),
            str(row["subscribers"] or "–"),
            str(row["sent"]),
            row["skipped"] or row["said"] or "–",
            f"{row['seconds']:.2f} s",
        )
    out = console()
    out.print()
    out.print(table)
    out.print()
    out.print(f"{shown.delivered[0]} messages in run 1, {shown.delivered[1]} repeated in run 2; {shown.seconds:.1f} s.")
    out.print("Look at:")
    for page in shown.pages:
        out.print(f"  {_short(page)}   (open in a browser; beside it the .eml)")
    out.print(f"  {_short(shown.mailboxes)}/   (a Maildir for each reader)")
    configuration = _short(shown.configuration)
    out.print(f"  newsletter -c {configuration} preview daily")
    out.print(f"  newsletter -c {configuration} why kabir.singh@readers.example {rows[0]['edition']}")


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
