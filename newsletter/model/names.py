"""Streams, their turns, and what an edition is called."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import NamedTuple, Self

from newsletter.errors import UsageError


class Stream(StrEnum):
    """A newsletter at one frequency."""

    EACH = "each"
    DAILY = "daily"
    WEEKLY = "weekly"
    BREAKING = "breaking"


_OCCURRENCE = re.compile(r"(\d{4}-\d{2}-\d{2})/([1-9]\d{0,3})(?:/correction-([1-9]\d{0,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One turn of a stream: its local date and its ordinal on that date, written ``2026-11-01/1``.

    ``correction`` numbers, from 1, what was sent afterwards to those who have it: ``2026-11-01/1/correction-1``.
    """

    local_date: date
    ordinal: int
    correction: int = 0

    def __str__(self) -> str:
        turn = f"{self.local_date.isoformat()}/{self.ordinal}"
        return f"{turn}/correction-{self.correction}" if self.correction else turn

    @property
    def corrected(self) -> Self:
        """The turn that a correction is of; a turn's own is itself."""
        return replace(self, correction=0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-11-01/1`` or ``2026-11-01/1/correction-1``. Raises UsageError."""
        match = _OCCURRENCE.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            return cls(date.fromisoformat(match[1]), int(match[2]), int(match[3] or 0))
        except ValueError:
            raise UsageError(
                f"'{text}' is not an occurrence", remedy="Write DATE/ORDINAL, as in 2026-11-01/1"
            ) from None


class StreamName(NamedTuple):
    """One stream of one newsletter, written ``daily``, or ``daily:weekly`` for another than each edition."""

    newsletter: str
    stream: Stream = Stream.EACH

    def __str__(self) -> str:
        return self.newsletter if self.stream is Stream.EACH else f"{self.newsletter}:{self.stream}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``daily`` or ``daily:weekly``. Raises UsageError for a stream there is not."""
        newsletter, colon, stream = text.partition(":")
        if colon and stream not in set(Stream):
            there = ", ".join(Stream)
            raise UsageError(f"'{text}' names no stream", remedy=f"After the colon stands one of {there}")
        return cls(newsletter, Stream(stream) if colon else Stream.EACH)


@dataclass(frozen=True, slots=True)
class EditionName:
    """``daily[:weekly]@2026-11-01/1[/cohort]``: an occurrence of a newsletter's stream, and with a cohort one edition
    of it."""

    newsletter: str
    occurrence: Occurrence
    cohort: str = ""
    stream: Stream = Stream.EACH

    @property
    def of(self) -> StreamName:
        """The newsletter and its stream."""
        return StreamName(self.newsletter, self.stream)

    def __str__(self) -> str:
        return f"{self.of}@{self.occurrence}" + (f"/{self.cohort}" if self.cohort else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``daily@2026-11-01/1`` or ``daily:weekly@…``, with ``/Asia/Kolkata@07:00`` or ``/correction-1`` after it
        where there is one.

        Raises UsageError.
        """
        of, at, rest = text.partition("@")
        parts = rest.split("/", 2)
        if not (of and at and len(parts) >= 2):
            raise UsageError(
                f"'{text}' is not an edition", remedy="Write NEWSLETTER@DATE/ORDINAL, as in daily@2026-11-01/1"
            )
        newsletter, stream = StreamName.parse(of)
        if len(parts) == 3 and parts[2].startswith("correction-"):
            return cls(newsletter, Occurrence.parse(rest), stream=stream)
        return cls(newsletter, Occurrence.parse("/".join(parts[:2])), parts[2] if len(parts) == 3 else "", stream)
