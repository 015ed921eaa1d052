"""Does an occurrence that is rendered and checked go out by itself, or does it wait for an editor's yes? Pure.

Whatever was decided is in its row: a process that starts anew, or runs beside another, decides the same.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from newsletter.config.layout import Approval
from newsletter.store.occurrences import OccurrenceRow


class Verdict(StrEnum):
    """What becomes of an occurrence that nobody has approved."""

    GOES_OUT = "goes_out"
    WAITS = "waits"
    HELD = "held"


def verdict(approval: Approval, row: OccurrenceRow, now: datetime) -> Verdict:
    """Whether it may go out, waits for approval, or is held because nobody approved it in time.

    A person who sends it by hand approves it. The deadline counts back from ``due_at``, an instant, so that a change of
    the clocks between them makes it no longer and no shorter.
    """
    if approval.mode == "automatic" or row.by_hand:
        return Verdict.GOES_OUT
    if now < deadline(approval, row):
        return Verdict.WAITS
    return Verdict.GOES_OUT if approval.then == "send" else Verdict.HELD


def deadline(approval: Approval, row: OccurrenceRow) -> datetime:
    """Until when it can be approved (UTC)."""
    return row.due_at - approval.deadline


def waiting_words(approval: Approval, row: OccurrenceRow, zone: str) -> str:
    """``waits for approval until 2026-11-01 06:50 (Asia/Kolkata), then it is held``."""
    until = deadline(approval, row).astimezone(ZoneInfo(zone))
    then = "goes out without" if approval.then == "send" else "is held"
    return f"waits for approval until {until:%Y-%m-%d %H:%M} ({zone}), then it {then}"


def late_words(approval: Approval, row: OccurrenceRow, zone: str) -> str:
    """``nobody approved it until 2026-11-01 06:50 (Asia/Kolkata)``."""
    until = deadline(approval, row).astimezone(ZoneInfo(zone))
    return f"nobody approved it until {until:%Y-%m-%d %H:%M} ({zone})"
