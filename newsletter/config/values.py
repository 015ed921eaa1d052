"""The kinds of values in ``schedules.yaml`` (durations, zones, addresses, colours …): text as somebody writes it -> a
checked value, or a ValueError that says how to write it."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, PlainSerializer, SecretStr

from newsletter.config.cron import Cron
from newsletter.config.mailbox import Mailbox, checked_address
from newsletter.errors import AddressError, TargetError
from newsletter.target import Target

_DURATION = re.compile(r"(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_LONGEST = timedelta(days=3650)


def _duration(value: Any) -> Any:
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if not value.strip() or match is None:
            raise ValueError("a duration is written like 45s, 10m, 6h, 3d or 1h30m")
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        value = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not isinstance(value, timedelta):
        raise ValueError("a duration needs its unit, like 45s, 10m, 6h or 3d")
    if value > _LONGEST:
        raise ValueError("a duration is at most 3650d")
    return value


def duration_text(value: timedelta) -> str:
    """``value`` as the file writes it, ``1h30m``; parts of a second are dropped."""
    seconds = int(value.total_seconds())
    parts = zip("dhms", (seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60), strict=True)
    return "".join(f"{count}{unit}" for unit, count in parts if count) or "0s"


def _above_zero(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("this duration must be longer than 0s")
    return value


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())  # a walk over the time zone files


def _zone(value: str) -> str:
    if value not in _zones():
        near = get_close_matches(value, sorted(_zones()), 1, 0.7)
        raise ValueError(
            f"'{value}' is not an IANA time zone; "
            + (f"did you mean {near[0]}?" if near else "write one like Asia/Kolkata")
        )
    return value


def _cron(value: str) -> str:
    Cron.parse(value)
    return value


def _mailbox(value: str) -> str:
    try:
        return str(Mailbox.parse(value))
    except AddressError as error:
        raise ValueError(error.what) from None


def _address(value: str) -> str:
    try:
        return checked_address(value)
    except AddressError as error:
        raise ValueError(error.what) from None


def _domain(value: str) -> str:
    try:
        return checked_address(f"x@{value}").rpartition("@")[2]
    except AddressError:
        raise ValueError(f"'{value}' is not a domain; write one like news.example") from None


def _no_credentials(value: HttpUrl) -> HttpUrl:
    if value.username or value.password:
        raise ValueError("an address that holds a user name or password would be printed in lists and logs")
    return value


def _file_name(value: Path) -> Path:
    if "\0" in str(value):
        raise ValueError("a file name cannot hold the character NUL")
    return value


def _store(value: Any) -> Any:
    if isinstance(value, str):
        scheme, found, rest = value.partition("://")
        if scheme == "sqlite" and found:
            if not rest.startswith("/") or rest[1:].partition("?")[0] in {"", ":memory:"}:
                raise ValueError("the store must be a file that outlives the process: sqlite:///newsletter.db")
        elif scheme != "postgresql" or not found:
            raise ValueError("the store is sqlite:///newsletter.db or postgresql://user@host/name")
    return value


def _clock_time(value: Any) -> Any:
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        raise ValueError('a time of day is written "07:00", in quotes')
    return value


def _colour(value: str) -> str:
    if _COLOUR.fullmatch(value) is None:
        raise ValueError("a colour is written #rrggbb")
    return value.lower()


def _one_line(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("this goes into a mail header and must be one line without control characters")
    if not value.strip():
        raise ValueError("this must not be empty")
    return value.strip()


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
FontName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 -]{0,60}$")]


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"it is not a regular expression ({error})") from None
    return value


def _target(value: str) -> str:
    try:
        Target.parse(value)
    except TargetError as error:
        raise ValueError(f"{error.what}. {error.remedy}" if error.remedy else error.what) from None
    return value


FilePath = Annotated[Path, AfterValidator(_file_name)]
PatternText = Annotated[str, AfterValidator(_pattern)]
TargetText = Annotated[
    str,
    AfterValidator(_target),
    Field(json_schema_extra={"examples": ['plan in (metered, member) and not section chosen "Sport"']}),
]
WebAddress = Annotated[HttpUrl, AfterValidator(_no_credentials)]
MailboxText = Annotated[str, AfterValidator(_mailbox)]
AddressText = Annotated[str, AfterValidator(_address)]
DomainName = Annotated[str, AfterValidator(_domain)]
CronText = Annotated[str, AfterValidator(_cron), Field(json_schema_extra={"examples": ["0 7 * * mon-fri"]})]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=str),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    Field(json_schema_extra={"examples": ["10m", "6h", "3d"]}),
]
LongerThanZero = Annotated[Duration, AfterValidator(_above_zero)]
Zone = Annotated[str, AfterValidator(_zone)]
ClockTime = Annotated[str, BeforeValidator(_clock_time, json_schema_input_type=str)]
Colour = Annotated[str, AfterValidator(_colour)]
HeaderText = Annotated[str, AfterValidator(_one_line)]
StoreUrl = Annotated[SecretStr, BeforeValidator(_store, json_schema_input_type=str)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
