"""The table of what was simulated: printed at the end of a run, and by `make soak` written to docs/reliability.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

_PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
_HEAD = (
    "| simulated | store | mails | without one | differences | seconds |\n| --- | --- | ---: | --- | ---: | ---: |\n"
)
_PROPERTY = "simulated"


@pytest.fixture
def simulated(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a row of the table."""
    return lambda row: record_property(_PROPERTY, row)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    rows = sorted(
        str(value)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == _PROPERTY and getattr(report, "when", "") == "call"
    )
    if rows:
        terminalreporter.section("simulated")
        terminalreporter.write(_HEAD + "\n".join(rows) + "\n")
    if rows and "soak" in (config.option.markexpr or "") and not config.option.keyword:
        made = re.sub(
            r"(?s)(<!-- simulated -->\n).*?(<!-- /simulated -->)",
            lambda m: f"{m[1]}{_HEAD}{chr(10).join(rows)}\n{m[2]}",
            _PAGE.read_text(),
        )
        _PAGE.write_text(made)
