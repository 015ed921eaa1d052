"""The table of what was simulated: printed at the end of a run, and by `make soak` written to docs/reliability.md."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.reliability_table import report

_HEAD = (
    "| simulated | store | mails | without one | differences | seconds |\n| --- | --- | ---: | --- | ---: | ---: |\n"
)
_PROPERTY = "simulated"


@pytest.fixture
def simulated(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a row of the table."""
    return lambda row: record_property(_PROPERTY, row)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report(terminalreporter, config, _PROPERTY, _HEAD, "simulated")
