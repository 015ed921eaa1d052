"""Which commands there are; each module adds its own. Imported only when the console script runs."""

from __future__ import annotations

import typer


def commands(app: typer.Typer) -> None:
    """Add every command to ``app``."""
    from newsletter.cli import (
        articles,
        collecting,
        deliveries,
        demo,
        dkim,
        doctor,
        editions,
        linting,
        previewing,
        running,
        sending,
        setting_up,
        snippet,
        sources,
        store,
        subscribers,
        target,
        tokens,
        translating,
        watching,
    )

    for module in (
        setting_up,
        collecting,
        sources,
        previewing,
        linting,
        sending,
        running,
        subscribers,
        target,
        snippet,
        articles,
        editions,
        deliveries,
        watching,
        tokens,
        translating,
        dkim,
        doctor,
        store,
        demo,
    ):
        module.add_to(app)
