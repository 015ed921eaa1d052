"""What the headers of an answer say of time: how long it stays as it is, and when to ask again. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Nobody is left alone for longer than this because it said so once.
MAX_RETRY_AFTER = 86_400.0
_MOST_SECONDS = 2**31  # RFC 9111 section 1.2.2: what is larger is taken for this
_DELTA = re.compile(r"[0-9]+", re.ASCII)
# A directive with an argument that is a token or a quoted string (RFC 9111 section 5.2).
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_DIRECTIVE = re.compile(rf"""({_NAME})(?:\s*=\s*({_NAME}|"(?:[^"\\]|\\.)*"))?""")


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds to wait as ``Retry-After`` asks (RFC 9110 section 10.2.3: a date or seconds), at most a day.

    0 where its date is over; None where it says nothing that can be read. ``now`` stands in for a missing ``Date``.
    """
    value = headers.get("Retry-After", "").strip()
    if _DELTA.fullmatch(value):
        return min(float(_seconds(value)), MAX_RETRY_AFTER)
    until = http_date(value)
    if until is None:
        return None
    return min(max((until - _sent(headers, now)).total_seconds(), 0.0), MAX_RETRY_AFTER)


def fresh_for(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that an answer stays fresh (RFC 9111 section 4.2), None where its headers say nothing of it.

    ``no-store`` and ``no-cache`` are 0, and so is what cannot be read, as section 4.2.1 advises. We keep answers for
    nobody but ourselves, so ``s-maxage`` is not for us.
    """
    directives = dict(_directives(headers.get("Cache-Control", "")))
    if {"no-store", "no-cache"} & directives.keys():
        return 0.0
    if "max-age" in directives:
        age = headers.get("Age", "").strip()
        old = _seconds(age) if _DELTA.fullmatch(age) else 0
        most = directives["max-age"]
        return float(max(_seconds(most) - old, 0)) if _DELTA.fullmatch(most) else 0.0
    if "Expires" in headers:
        expires = http_date(headers["Expires"])  # one that cannot be read ("0") is over: section 5.3
        return max((expires - _sent(headers, now)).total_seconds(), 0.0) if expires is not None else 0.0
    return None


def http_date(value: str) -> datetime | None:
    """An HTTP-date (RFC 9110 section 5.6.7) as UTC, None if it is not one."""
    try:
        at = parsedate_to_datetime(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _sent(headers: Mapping[str, str], now: datetime) -> datetime:
    """When the answer was sent by its own clock, which the other times in it were written by."""
    return http_date(headers.get("Date", "")) or now


def _directives(value: str) -> Iterator[tuple[str, str]]:
    """Names in lower case with their arguments, '' where there is none; of the same name twice, the first counts."""
    seen = set()
    for name, argument in _DIRECTIVE.findall(value):
        if name.lower() not in seen:
            seen.add(name.lower())
            yield name.lower(), argument.strip('"')


def _seconds(digits: str) -> int:
    return min(int(digits[:20]), _MOST_SECONDS)
