"""What one check says: passed, to be looked at, or failed; and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How one check came out. ``unknown``: it could not be made."""

    PASS = "pass"  # noqa: S105 - a verdict
    WARNING = "warning"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of ``newsletter doctor``; ``fix`` is '' where nothing is to be done."""

    check: str
    health: Health
    says: str
    fix: str = ""


def passed(check: str, says: str) -> Verdict:
    return Verdict(check, Health.PASS, says)


def warning(check: str, says: str, fix: str) -> Verdict:
    return Verdict(check, Health.WARNING, says, fix)


def failed(check: str, says: str, fix: str) -> Verdict:
    return Verdict(check, Health.FAIL, says, fix)
