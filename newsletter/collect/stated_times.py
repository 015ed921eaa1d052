"""A time as a page or sitemap writes it -> UTC. Pure.

Machine forms first (W3C datetime, RFC 5322, epochs), then dates written for readers, with the month names of their
language. A time without a zone, or with letters that mean several (IST), is in the zone its source is in.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

# https://www.w3.org/TR/NOTE-datetime, and what is written instead: a space, no colons, commas, no zone.
_ISO = re.compile(
    r"(\d{4})(?:[-/.]?(\d{1,2})(?:[-/.]?(\d{1,2}))?)?"
    r"(?:[T\s,]+(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,]\d{1,9})?)?)?\s*(.{0,60})",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"\d{10}(?:\d{3})?(?:\.\d+)?")
_OFFSET = re.compile(r"(?:UTC|GMT|Z)?\s*([+\-−])(\d{1,2}):?(\d{2})?(?:\s*\(.*\))?", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?<![\d:.])([01]?\d|2[0-3])(?:\s?(?:[:.h]|時|시)\s?([0-5]\d))(?:(?:[:.]|分)([0-5]\d|60))?(?:\s?分)?"
    r"\s*([ap]\.?\s?m\b\.?)?|(?<![\d:.])(1[0-2]|0?[1-9])\s*([ap]\.?\s?m\b\.?)",
    re.IGNORECASE,
)
_CJK_DATE = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]")
_NUMERIC_DATE = re.compile(r"(?<!\d)(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?!\d)")
_ISO_WITHIN = re.compile(r"(?<!\d)(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?!\d)")
_ZONE_AFTER = re.compile(r"\s*\(?((?:UTC|GMT)\s?[+\-−]\d{1,2}:?(?:\d{2})?|[+\-−]\d{2}:?\d{2}|[A-Z]{1,5}\b)?")
# RFC 5322 section 4.3; other letters (IST, CST …) name several zones.
_LETTERS = {"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "PST": -8, "PDT": -7, "MST": -7, "MDT": -6}
_MONTH_FIRST = {"en-us", "en_us", "en-ph", "en-ca"}
_LONGEST = 200


def read_time(text: str, *, zone: str, language: str = "") -> datetime | None:
    """The UTC time that ``text`` states, None if it states none; a date alone is its first moment in ``zone``."""
    text = " ".join(text.split())[:_LONGEST]
    here = _zone(zone)
    return _machine(text, here) or _written(text, here, language) if text else None


def _machine(text: str, here: tzinfo) -> datetime | None:
    if _EPOCH.fullmatch(text):
        seconds = float(text) / (1000 if len(text.partition(".")[0]) == 13 else 1)
        return datetime.fromtimestamp(seconds, UTC)
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, rest = match.groups()
    at = _zone_of(rest.strip(), here)
    if at is None:
        return None
    return _moment(int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), at)


def _written(text: str, here: tzinfo, language: str) -> datetime | None:
    """A date written for readers, with the time that stands beside it, if any."""
    found = _date_within(text, language)
    if found is None:
        return None
    (year, month, day), start, end = found
    rest = f"{text[:start]} | {text[end:]}"
    clock = _CLOCK.search(rest)
    if clock is None:
        return _moment(year, month, day, 0, 0, 0, here)
    hour = int(clock[1] or clock[5])
    half = (clock[4] or clock[6] or "").lower()
    if half:
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    after = _ZONE_AFTER.match(rest, clock.end())
    at = _zone_of((after[1] or "") if after else "", here) or here
    return _moment(year, month, day, hour, int(clock[2] or 0), int(clock[3] or 0), at)


def _date_within(text: str, language: str) -> tuple[tuple[int, int, int], int, int] | None:
    """Year, month and day of the first date in ``text``, and where it begins and ends."""
    for pattern in (_CJK_DATE, _ISO_WITHIN):
        if match := pattern.search(text):
            return (int(match[1]), int(match[2]), int(match[3])), match.start(), match.end()
    for code in dict.fromkeys((language, "en")):
        pattern, months = _month_names(code)
        for match in pattern.finditer(text):
            day = match["day"] or match["later"]
            month = months[match["month"].casefold().rstrip(".")]
            return (int(match["year"]), month, int(day)), match.start(), match.end()
    if match := _NUMERIC_DATE.search(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if second > 12 or (first <= 12 and match[2] == "/" and language.lower() in _MONTH_FIRST):
            first, second = second, first
        return (year, second, first), match.start(), match.end()
    return None


@lru_cache(maxsize=64)
def _month_names(language: str) -> tuple[re.Pattern[str], dict[str, int]]:
    """A pattern for a day, a month's name in ``language`` and a year, in either order, and the number of each name."""
    from babel import Locale, UnknownLocaleError

    names: dict[str, int] = {}
    try:
        months = Locale.parse(language.replace("-", "_") or "en").months
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in months[context].get(width, {}).items():
                    if not name.strip(".").isdigit():
                        names.setdefault(name.casefold().rstrip("."), number)
    except (UnknownLocaleError, ValueError, KeyError, TypeError):
        return _month_names("en")
    if not names:
        return _month_names("en")
    if language.startswith("en"):
        names["sept"] = 9
    either = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    day = r"(?:(?<!\d)(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?\s*(?:de\s+|d’|d')?)?"
    later = r"(?(day)|\s*(?P<later>\d{1,2})(?:st|nd|rd|th)?(?!\d))"
    year = r"[\s,،]*(?:de\s+|del\s+)?(?P<year>\d{4})(?!\d)"
    pattern = rf"{day}(?<!\w)(?P<month>{either})(?!\w)\.?{later}{year}"
    return re.compile(pattern, re.IGNORECASE), names


def _zone_of(text: str, here: tzinfo) -> tzinfo | None:
    """The zone that ``text`` names, ``here`` where it names none or is ambiguous; None if it is no zone at all."""
    if not text:
        return here
    if text.upper() in _LETTERS:
        return timezone(timedelta(hours=_LETTERS[text.upper()]))
    if match := _OFFSET.fullmatch(text):
        ahead = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(ahead if match[1] == "+" else -ahead) if ahead < timedelta(hours=24) else here
    return here if text.isalpha() and len(text) <= 5 else None


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int, at: tzinfo) -> datetime | None:
    try:
        # RFC 5322 section 3.3 allows a leap second; datetime does not.
        time = datetime(year, month, day, hour % 24, minute, min(second, 59), tzinfo=at)
        return (time + timedelta(days=hour // 24)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
