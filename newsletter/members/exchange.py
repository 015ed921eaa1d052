"""Subscribers as CSV, in and out, a batch at a time, so that ten million lines need no more memory than ten.

    in     lines -> parsed rows -> batches, one transaction each; a bad row is reported and costs itself alone
    out    keyset pages -> lines

A row is one line: no field that we keep may hold a line break, and so a forgotten quote spoils its own line and not
the rest of the file.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO
from urllib.parse import unquote

from newsletter.config.models import Newsletter, Schedule, Schedules
from newsletter.config.site_key import SiteKeys
from newsletter.errors import AddressError, NewsletterError, UsageError
from newsletter.members.addresses import (
    address_hashes,
    parse_address,
    parse_attribute,
    parse_language,
    parse_name,
    parse_timezone,
    shown,
)
from newsletter.members.consent import Evidence
from newsletter.members.subscribing import Enrolled, Enrolment, Wanted, new_secret, subscribe
from newsletter.model import MailFormat, Stream, Subscriber, Subscription, SubscriptionState
from newsletter.store import Store, subscribers, subscriptions, suppressions
from newsletter.target import folded

COLUMNS = (
    "address",
    "first_name",
    "last_name",
    "language",
    "timezone",
    "plan",
    "newsletters",
    "sections",
    "format",
    "tags",
    "hour",
    "stream",
)
# Followed by one column for each attribute that schedules.yaml names.
ATTRIBUTE = "attribute."
# In the cell of tags or of an attribute: what is stored is taken away. (An empty cell leaves it.)
NOTHING = "-"
# 250 new people with two newsletters each hold the writer for 60 ms on SQLite; the most is 100 ms (Invariant 7).
BATCH = 250
LONGEST_LINE = 65_536
_PAGE = 500
_ALIASES = {"email": "address", "e-mail": "address", "email_address": "address", "e-mail_address": "address"}

# What a spreadsheet would run (OWASP, CSV injection). Apostrophes before it are counted in, so that the one we put
# there can be told from one that was there.
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_SEPARATORS = str.maketrans({"%": "%25", ";": "%3B", "|": "%7C", "=": "%3D"})


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one line of the file. ``refused``: the whole row was left out."""

    line: int
    address: str
    reason: str
    refused: bool


@dataclass(slots=True)
class ImportSummary:
    """What an import did. ``rows`` counts lines with data; ``subscriptions`` those made."""

    rows: int = 0
    created: int = 0
    corrected: int = 0
    unchanged: int = 0
    subscriptions: int = 0
    kept_unsubscribed: int = 0
    kept_suppressed: int = 0
    refused: int = 0
    ignored_columns: tuple[str, ...] = field(default=())


def import_subscribers(
    store: Store,
    file: TextIO,
    *,
    schedules: Schedules,
    site_keys: SiteKeys,
    evidence: Evidence,
    newsletters: Sequence[str] = (),
    remark: Callable[[Remark], None] = lambda _remark: None,
    progress: Callable[[int], None] = lambda _rows: None,
    make_secret: Callable[[], bytes] = new_secret,
) -> ImportSummary:
    """Read a CSV with a header line; ``newsletters`` are those of rows that name none.

    Open ``file`` with ``encoding="utf-8-sig", errors="surrogateescape"``, so that bytes that are not UTF-8 cost their
    row alone. Reading the same file again changes nothing. Raises UsageError where the header has no address.
    """
    lines = _lines(file)
    columns, ignored = _header(next(lines, (1, "")), schedules.attributes)
    known = frozenset(schedules.newsletters)
    for newsletter in newsletters:
        _known_newsletter(newsletter, known)
    summary = ImportSummary(ignored_columns=ignored)
    batch: list[tuple[int, Enrolment]] = []

    def flush() -> None:
        results = store.write(subscribe, [enrolment for _, enrolment in batch], evidence, make_secret)
        for (number, _), result in zip(batch, results, strict=True):
            _count(summary, number, result, remark)
        batch.clear()
        progress(summary.rows)

    for number, line in lines:
        if line is not None and not line.strip():
            continue
        summary.rows += 1
        cells: Mapping[str, str] = {}
        try:
            cells = _cells(line, columns)
            batch.append((number, _enrolment(cells, schedules, site_keys, newsletters)))
        except NewsletterError as error:
            summary.refused += 1
            remark(Remark(number, shown(cells.get("address", "")), _reason(error), refused=True))
        if len(batch) == BATCH:
            flush()
    if batch:
        flush()
    return summary


def export_subscribers(
    store: Store,
    file: TextIO,
    *,
    newsletter: str | None = None,
    attributes: Sequence[str] = (),
    progress: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write every subscriber (of ``newsletter``, actively) but the erased, with these attributes; returns how many.

    ``newsletters`` lists what she gets. Somebody suppressed gets nothing, so none is listed: the file would otherwise
    bring her back elsewhere.
    """
    writer = csv.writer(file)
    writer.writerow((*COLUMNS, *(f"{ATTRIBUTE}{name}" for name in attributes)))
    state = SubscriptionState.ACTIVE if newsletter is not None else None
    after = rows = 0
    while page := store.read(subscribers.page, after=after, limit=_PAGE, newsletter=newsletter, state=state):
        ids = [subscriber.id for subscriber in page]
        theirs = store.read(subscriptions.of_many, ids)
        hashes = store.read(subscribers.address_hashes, ids)
        suppressed = store.read(suppressions.scopes_of, list(hashes.values()))
        for subscriber in page:
            gets = [] if hashes.get(subscriber.id) in suppressed else theirs.get(subscriber.id, [])
            active = [one for one in gets if one.state is SubscriptionState.ACTIVE]
            values = [subscriber.attributes.get(name, "") for name in attributes]
            writer.writerow([_safe_cell(cell) for cell in (*_row(subscriber, active), *values)])
        rows += len(page)
        after = page[-1].id
        progress(rows)
    return rows


def _lines(file: TextIO) -> Iterator[tuple[int, str | None]]:
    """Numbered lines; None for one that is longer than LONGEST_LINE, of which no more than that is ever held."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) < LONGEST_LINE or line.endswith("\n"):
            yield number, line
            continue
        while rest := file.readline(LONGEST_LINE):
            if rest.endswith("\n"):
                break
        yield number, None


def _header(first: tuple[int, str | None], attributes: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The names of the columns, and those that mean nothing to us; '' in the first where one is such."""
    line = first[1]
    names = [name.strip() for name in _split(line and line.removeprefix("\ufeff"))]
    columns = [re.sub(r"[\s]+", "_", name.casefold()) for name in names]
    columns = [_ALIASES.get(column, column) for column in columns]
    if "address" not in columns:
        raise UsageError(
            "the file's first line names no column 'address'",
            where=":1",
            remedy=f"Begin with a header of comma-separated names out of: {', '.join(COLUMNS)}",
        )
    known = (*COLUMNS, *(f"{ATTRIBUTE}{name}" for name in attributes))
    for column in columns:
        if column.startswith(ATTRIBUTE) and column not in known:
            name = column.removeprefix(ATTRIBUTE)
            raise UsageError(
                f"there is no attribute '{shown(name)}'{_did_you_mean(name, attributes)}",
                where=":1",
                remedy="Add it to attributes: [] in schedules.yaml, or take the column out",
            )
    twice = [column for column in known if columns.count(column) > 1]
    if twice:
        raise UsageError(f"the file's first line names '{twice[0]}' twice", where=":1")
    ignored = tuple(name for name, column in zip(names, columns, strict=True) if column not in known)
    return [column if column in known else "" for column in columns], ignored


def _split(line: str | None) -> list[str]:
    if line is None:
        raise UsageError(f"the line is longer than {LONGEST_LINE} characters")
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        raise UsageError("the line is not CSV: a quote is not closed, or stands where it may not") from None


def _cells(line: str | None, columns: Sequence[str]) -> dict[str, str]:
    found = _split(line)
    if any(cell.strip() for cell in found[len(columns) :]):
        raise UsageError(f"the line has {len(found)} fields, the header {len(columns)}")
    cells = {column: _plain_cell(cell).strip() for column, cell in zip(columns, found, strict=False) if column}
    if any("\udc80" <= character <= "\udcff" for cell in cells.values() for character in cell):
        raise UsageError("the line is not UTF-8")
    return cells


def _tags(cell: str, known: Sequence[str]) -> tuple[str, ...] | None:
    """``founder;press``; None where nothing is said."""
    named = dict.fromkeys(folded(part) for part in cell.split(";") if part.strip())
    if NOTHING in named:
        return ()
    for name in named:
        if name not in known:
            raise UsageError(f"there is no tag '{shown(name)}'{_did_you_mean(name, known)}")
    return tuple(named) or None


def _enrolment(
    cells: Mapping[str, str], schedules: Schedules, site_keys: SiteKeys, newsletters: Sequence[str]
) -> Enrolment:
    if not cells.get("address"):
        raise AddressError("the line has no address")
    address = parse_address(cells["address"])
    plan = cells.get("plan", "")
    if plan and plan not in schedules.plans:
        raise UsageError(f"there is no plan '{shown(plan)}'{_did_you_mean(plan, schedules.plans)}")
    return Enrolment(
        address,
        address_hashes(address, site_keys),
        _wanted(cells, schedules, newsletters),
        first_name=parse_name(cells.get("first_name", "")),
        last_name=parse_name(cells.get("last_name", "")),
        language=parse_language(cells.get("language", "")),
        timezone=parse_timezone(cells.get("timezone", "")),
        plan=plan,
        tags=_tags(cells.get("tags", ""), schedules.tags),
        attributes={
            column.removeprefix(ATTRIBUTE): "" if cell == NOTHING else parse_attribute(cell)
            for column, cell in cells.items()
            if column.startswith(ATTRIBUTE) and cell
        },
    )


def _wanted(cells: Mapping[str, str], schedules: Schedules, defaults: Sequence[str]) -> tuple[Wanted, ...]:
    known = frozenset(schedules.newsletters)
    named = dict.fromkeys(part.strip() for part in cells.get("newsletters", "").split(";") if part.strip())
    names = tuple(named) or tuple(defaults)
    for name in names:
        _known_newsletter(name, known)
    sections = _by_newsletter(cells.get("sections", ""), names, "sections")
    formats = _by_newsletter(cells.get("format", ""), names, "format")
    hours = _by_newsletter(cells.get("hour", ""), names, "hour")
    streams = _by_newsletter(cells.get("stream", ""), names, "stream")
    return tuple(
        Wanted(
            name,
            _sections(sections.get(name, ""), schedules.newsletters[name].section_names),
            _format(formats.get(name, "")),
            *offered(streams.get(name, ""), hours.get(name, ""), name, schedules.newsletters[name]),
        )
        for name in names
    )


def _by_newsletter(cell: str, names: Sequence[str], column: str) -> dict[str, str]:
    """``daily=World|Sport;weekly=Arts`` by newsletter; a value without a name is for all the row's newsletters."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in cell.split(";"))):
        name, equals, value = part.partition("=")
        if not equals:
            found |= dict.fromkeys(names, part)
        elif name.strip() in names:
            found[name.strip()] = value.strip()
        else:
            raise UsageError(f"{column} names '{shown(name.strip())}', which is not among the row's newsletters")
    return found


def _sections(value: str, offered: Sequence[str]) -> tuple[str, ...]:
    by_folded_name = {name.casefold(): name for name in offered}
    chosen: list[str] = []
    for part in filter(None, (part.strip() for part in value.split("|"))):
        wanted = unquote(part)
        if wanted.casefold() not in by_folded_name:
            raise UsageError(f"there is no section '{shown(wanted)}'{_did_you_mean(wanted, offered)}")
        chosen.append(by_folded_name[wanted.casefold()])
    unique = tuple(dict.fromkeys(chosen))
    return () if unique == tuple(offered) else unique


def _format(value: str) -> MailFormat:
    try:
        return MailFormat(value.casefold()) if value else MailFormat.HTML
    except ValueError:
        raise UsageError(f"format is html or text, not '{shown(value)}'") from None


def offered(stream: str, hour: str, name: str, newsletter: Newsletter) -> tuple[str, Stream]:
    """A stream and an hour of it, '' for the newsletter's own, as they are stored: the hour first. Raises UsageError
    where one is not offered."""
    wanted = stream.casefold() or Stream.EACH.value
    if wanted not in newsletter.offered_streams:
        raise UsageError(
            f"{name} has no stream '{shown(stream)}'",
            remedy=f"There is {', '.join(newsletter.offered_streams)}",
        )
    return _offered_hour(hour, name, newsletter.of(Stream(wanted)).schedule), Stream(wanted)


def _offered_hour(value: str, newsletter: str, schedule: Schedule) -> str:
    if not value or value in schedule.times:
        return ""
    if value not in schedule.offered_hours:
        offered = ", ".join(schedule.offered_hours)
        raise UsageError(
            f"{newsletter} does not come at '{shown(value)}'",
            remedy=f"Its hours are {offered}" if offered else "It has one time for all; leave the hour out",
        )
    return value


def _known_newsletter(name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise UsageError(f"there is no newsletter '{shown(name)}'{_did_you_mean(name, known)}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name[:100], list(known), 1)
    return f"; did you mean '{close[0]}'?" if close else ""


def _reason(error: NewsletterError) -> str:
    return f"{error.what}. {error.remedy}" if error.remedy else error.what


def _count(summary: ImportSummary, line: int, result: Enrolled, remark: Callable[[Remark], None]) -> None:
    if result.suppressed:
        summary.kept_suppressed += 1
        scopes = ", ".join(sorted(result.suppressed))
        remark(Remark(line, result.address, f"the address is suppressed ({scopes}) and stays so", refused=True))
        return
    summary.subscriptions += len(result.subscribed)
    if result.ended_before:
        summary.kept_unsubscribed += 1
        ended = ", ".join(result.ended_before)
        remark(Remark(line, result.address, f"had unsubscribed from {ended} and stays so", refused=False))
    if result.created:
        summary.created += 1
    elif result.corrected:
        summary.corrected += 1
    elif not result.subscribed:
        summary.unchanged += 1


def _row(subscriber: Subscriber, active: Sequence[Subscription]) -> tuple[str, ...]:
    formats = {one.format for one in active}
    return (
        subscriber.address,
        subscriber.first_name,
        subscriber.last_name,
        subscriber.language,
        subscriber.timezone,
        subscriber.plan,
        ";".join(one.newsletter for one in active),
        ";".join(
            f"{one.newsletter}={'|'.join(name.translate(_SEPARATORS) for name in one.sections)}"
            for one in active
            if one.sections
        ),
        ";".join(f"{one.newsletter}={one.format}" for one in active) if len(formats) > 1 else "".join(formats),
        ";".join(subscriber.tags),
        ";".join(f"{one.newsletter}={one.hour}" for one in active if one.hour),
        ";".join(f"{one.newsletter}={one.stream}" for one in active if one.stream is not Stream.EACH),
    )


def _safe_cell(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _plain_cell(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
