"""A table of what long tests found: printed at the end of a run, and by `make soak` written to docs/reliability.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def report(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config, kept_as: str, head: str, section: str
) -> None:
    """Print the rows that tests recorded as the property ``kept_as`` under ``head``; in a soak also write them between
    the marks ``section`` of the page."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    rows = sorted(
        str(value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == kept_as and getattr(report, "when", "") == "call"
    )
    if not rows:
        return
    terminalreporter.section(section)
    terminalreporter.write(head + "\n".join(rows) + "\n")
    if "soak" in (config.option.markexpr or "") and not config.option.keyword:
        made = re.sub(
            rf"(?s)(<!-- {section} -->\n).*?(<!-- /{section} -->)",
            lambda m: f"{m[1]}{head}{chr(10).join(rows)}\n{m[2]}",
            _PAGE.read_text(),
        )
        _PAGE.write_text(made)
