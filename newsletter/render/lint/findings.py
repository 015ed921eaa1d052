"""A finding: one fault of a mail, how bad it is, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """An error may hold an edition; a warning never does."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in the message: an element by its number in document order, a CSS rule by its number, words of the text
    part, or a setting of the newsletter. ``line`` is the line in the decoded HTML or text, 0 where not known."""

    element: int = -1
    rule: int = -1
    words: str = ""
    setting: str = ""
    line: int = 0


NOWHERE = Spot()


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: ``rule`` names it for machines, ``what`` and ``remedy`` say it to people.

    ``where`` is ``file:line`` of the template (or of ``schedules.yaml``) that made it, '' where that is not known.
    ``share`` is the part of the readers whom it concerns (0 to 1), 0 where that is not known.
    """

    severity: Severity
    rule: str
    what: str
    remedy: str
    where: str = ""
    spot: Spot = field(default=NOWHERE, compare=False, repr=False)
    share: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        """On one line: where, what, and what to do."""
        return f"{f'{self.where}: ' if self.where else ''}{self.what}. {self.remedy}"


def error(rule: str, what: str, remedy: str, spot: Spot = NOWHERE) -> Finding:
    return Finding(Severity.ERROR, rule, what, remedy, spot=spot)


def warning(rule: str, what: str, remedy: str, spot: Spot = NOWHERE, *, share: float = 0.0) -> Finding:
    return Finding(Severity.WARNING, rule, what, remedy, spot=spot, share=share)
