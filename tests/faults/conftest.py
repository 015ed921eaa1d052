"""The table of what each fault cost: printed at the end of a run, and by `make soak` written to docs/reliability.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.reliability_table import report

_HEAD = "| fault | store | messages | lost | twice | in doubt | seconds |\n| --- | --- |" + " ---: |" * 5 + "\n"
_PROPERTY = "fault"


@pytest.fixture
def table(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a row of the table."""
    return lambda row: record_property(_PROPERTY, row)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report(terminalreporter, config, _PROPERTY, _HEAD, "faults")
