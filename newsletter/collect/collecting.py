"""Sources -> articles in the store: what to fetch, what is due, and what became of each attempt.

fetch (or list the folder) -> parse in a worker -> identities -> copies of lead pictures -> ``articles.remember``.
Whatever goes wrong with one source is kept in its row and stops nothing; only the store's own errors end a collection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from newsletter.collect import identity
from newsletter.collect.feed import Reading, read_feed
from newsletter.collect.folder import list_folder, read_document
from newsletter.collect.parsing import Parser
from newsletter.collect.pictures import copy_pictures, with_copy
from newsletter.config.models import Source
from newsletter.errors import FetchError, NewsletterError, SourceError, StoreError
from newsletter.net import Fetcher
from newsletter.store import Store, articles, sources
from newsletter.store.articles import Remembered, Remembrance
from newsletter.store.sources import SourceRow

_AT_ONCE = 64
_MAX_STRETCH = timedelta(hours=6)
_MAX_PICTURES = 60

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectResult:
    """What one collection of one source came to. ``error`` is '' where it went well; ``warnings`` say what was left
    out of it (a picture, a file of a folder); ``seconds`` is how long it took."""

    source: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    seconds: float = 0.0
    error: str = ""
    warnings: tuple[str, ...] = ()
    not_modified: bool = False


@dataclass(frozen=True, slots=True)
class _Gathered:
    """What a source gave: None for ``reading`` if it has not changed; the rest is for its row."""

    reading: Reading | None
    etag: str = ""
    last_modified: str = ""
    moved_to: str = ""
    warnings: tuple[str, ...] = ()


async def collect_all(
    wanted: Mapping[str, Source],
    *,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
    root: Path = Path(),
    at_once: int = _AT_ONCE,
    each: Callable[[CollectResult], None] = lambda _: None,
) -> list[CollectResult]:
    """Collect these sources side by side; results in their order, and to ``each`` as they come. Raises StoreError."""
    places = asyncio.Semaphore(at_once)

    async def one(name: str, source: Source) -> CollectResult:
        async with places:
            result = await collect_source(
                name,
                source,
                store=store,
                fetcher=fetcher,
                parser=parser,
                media_folder=media_folder,
                now=now,
                root=root,
            )
        each(result)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(name, source)) for name, source in wanted.items()]
    except ExceptionGroup as several:
        raise _first(several) from several
    return [task.result() for task in tasks]


async def collect_source(
    name: str,
    source: Source,
    *,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
    root: Path = Path(),
) -> CollectResult:
    """Collect one source and record the attempt. A folder's relative path starts at ``root``. Raises StoreError.

    The source's own failures come back as ``error``; its validators (ETag) are kept only once its articles are stored,
    so that an interrupted collection is done again.
    """
    began = perf_counter()
    location = source.location
    row = await store.read_async(sources.get, name)
    if row is None or (row.kind, row.location) != (source.kind, location):
        row = SourceRow(name, source.kind, location)
    try:
        gathered = await _gather(name, source, row, fetcher, parser, root)
        remembered, warnings = Remembered(), gathered.warnings
        if gathered.reading is not None:
            batch = await asyncio.to_thread(
                identity.to_remember,
                gathered.reading.articles,
                homes=gathered.reading.homes,
                newest_eligible=source.backfill if row.first_collected_at is None else None,
            )
            batch, left_out = await _with_pictures(batch, source, store, fetcher, parser, media_folder, now)
            remembered = await _remember(batch, store, now)
            warnings += left_out
    except StoreError:
        raise
    except Exception as error:
        if not isinstance(error, NewsletterError):
            _log.exception("collecting source %s failed in a way we did not foresee", name)
        line = _line(name, error)
        await store.write_async(sources.record, _failed(row, source, line, now))
        return CollectResult(name, seconds=perf_counter() - began, error=line)
    await store.write_async(sources.record, _succeeded(row, source, gathered, now))
    return CollectResult(
        name,
        len(remembered.new),
        len(remembered.changed),
        len(remembered.unchanged),
        perf_counter() - began,
        warnings=warnings,
        not_modified=gathered.reading is None,
    )


def due_sources(rows: Iterable[SourceRow], wanted: Mapping[str, Source], now: datetime) -> list[str]:
    """Which of the configured sources are due at ``now``, those never tried first, then the longest waiting."""
    known = {row.name: row for row in rows}
    due: list[tuple[float, str]] = []
    for name, source in wanted.items():
        row = known.get(name)
        if row is None or row.last_attempt_at is None or row.location != source.location:
            due.append((float("inf"), name))
        elif (waited := now - row.last_attempt_at) >= interval(source.every, row.failures) or waited < timedelta():
            due.append((waited.total_seconds(), name))  # a negative wait is a clock that was put back
    return [name for _, name in sorted(due, key=lambda one: -one[0])]


def interval(every: timedelta, failures: int) -> timedelta:
    """How long to leave a source alone: ``every``, doubled with each failure in a row, up to six hours."""
    doubled: timedelta = every * (1 << min(failures, 10))
    return max(every, min(doubled, _MAX_STRETCH))


async def _gather(name: str, source: Source, row: SourceRow, fetcher: Fetcher, parser: Parser, root: Path) -> _Gathered:
    if source.folder is not None:
        return await _gather_folder(name, source, root / source.folder, row, parser)
    fetched = await fetcher.fetch(
        row.moved_to or str(source.feed),
        etag=row.etag,
        last_modified=row.last_modified,
        max_bytes=source.max_bytes,
        within=source.fetch_timeout,
        allow_private=source.allow_private,
    )
    moved_to = fetched.permanent_url or row.moved_to
    if fetched.not_modified:
        return _Gathered(None, row.etag, row.last_modified, moved_to)
    reading = await parser.run(
        source.parse_timeout,
        read_feed,
        fetched.body,
        url=fetched.url,
        content_type=fetched.content_type,
        source=name,
        section=source.section or "",
        language=source.language or "",
    )
    return _Gathered(reading, fetched.etag, fetched.last_modified, moved_to)


async def _gather_folder(name: str, source: Source, folder: Path, row: SourceRow, parser: Parser) -> _Gathered:
    """A folder's listing stands in for an ETag; a file that cannot be read is a warning, not the source's failure."""
    listing = await asyncio.to_thread(list_folder, folder)
    if listing.mark == row.etag:
        return _Gathered(None, row.etag)
    found, warnings = [], []
    for path in listing.files:
        try:
            body = await asyncio.to_thread(_bounded, path, source.max_bytes)
            article = await parser.run(
                source.parse_timeout,
                read_document,
                body,
                name=str(path.relative_to(folder)),
                source=name,
                section=source.section or "",
                language=source.language or "",
            )
        except SourceError as error:
            warnings.append(_line(str(path.relative_to(folder)), error))
        except OSError as error:
            warnings.append(f"{path.relative_to(folder)}: it cannot be read ({error.strerror})")
        else:
            found.append(article)
    return _Gathered(Reading(tuple(found)), listing.mark, warnings=tuple(warnings))


def _bounded(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        body = file.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise SourceError(f"it is larger than {max_bytes:,} bytes")
    return body


async def _with_pictures(
    batch: Sequence[Remembrance],
    source: Source,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
) -> tuple[tuple[Remembrance, ...], tuple[str, ...]]:
    """``batch`` with our copies of the lead pictures of what is new and may be sent, or has another picture now."""
    leads = [one.article.images[0].url if one.eligible and one.article.images else "" for one in batch]
    wanted: list[str] = []
    for start in range(0, len(batch), articles.CHUNK):
        known = await store.read_async(articles.known_articles, batch[start : start + articles.CHUNK])
        for index, url in enumerate(leads[start : start + articles.CHUNK]):
            before = known.get(index)
            if url and (before is None or (before.eligible and url not in {image.url for image in before.images})):
                wanted.append(url)
    if not wanted:
        return tuple(batch), ()
    copies = await copy_pictures(
        wanted[:_MAX_PICTURES],
        store=store,
        fetcher=fetcher,
        parser=parser,
        media_folder=media_folder,
        now=now,
        allow_private=source.allow_private,
    )
    pictured = tuple(replace(one, article=with_copy(one.article, copies)) for one in batch)
    return pictured, tuple(copies.left_out)


async def _remember(batch: Sequence[Remembrance], store: Store, now: datetime) -> Remembered:
    """Store ``batch`` in transactions short enough for an unsubscribe not to wait."""
    remembered = Remembered()
    for start in range(0, len(batch), articles.CHUNK):
        chunk = batch[start : start + articles.CHUNK]
        remembered += await store.write_async(articles.remember, chunk, now=now, match=identity.same_story)
    return remembered


def _succeeded(row: SourceRow, source: Source, gathered: _Gathered, now: datetime) -> SourceRow:
    # A source that has shown nothing yet has not been collected: its first articles are still a first collection.
    shown = gathered.reading is not None and bool(gathered.reading.articles)
    return replace(
        row,
        etag=gathered.etag,
        last_modified=gathered.last_modified,
        moved_to=gathered.moved_to,
        first_collected_at=row.first_collected_at or (now if shown else None),
        last_attempt_at=now,
        last_success_at=now,
        next_due_at=now + interval(source.every, 0),
        failures=0,
        last_error="",
    )


def _failed(row: SourceRow, source: Source, line: str, now: datetime) -> SourceRow:
    failures = row.failures + 1
    return replace(
        row,
        moved_to="",  # perhaps it moved back; the next attempt starts where the configuration says
        last_attempt_at=now,
        next_due_at=now + interval(source.every, failures),
        failures=failures,
        last_error=line,
    )


def _line(name: str, error: Exception) -> str:
    if isinstance(error, FetchError | SourceError):
        return str(error) if error.where else str(type(error)(error.what, where=name, remedy=error.remedy))
    if isinstance(error, NewsletterError):
        return str(error)
    return f"{name}: unexpected {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _first(several: ExceptionGroup[Exception]) -> Exception:
    """The error to report of a group: the store's own if there is one."""
    leaves = [_first(error) if isinstance(error, ExceptionGroup) else error for error in several.exceptions]
    return next((error for error in leaves if isinstance(error, StoreError)), leaves[0])
