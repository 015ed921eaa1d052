"""Sources -> articles in the store: what is due, what each attempt gathered, and what became of it.

visit (``from_feed``, ``from_sitemap``, ``from_page``, ``from_folder``) -> dates settled -> identities -> copies of lead
pictures -> ``articles.remember``. Whatever goes wrong with one source is kept in its row and stops nothing; only the
store's own errors end a collection.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from newsletter.collect import from_feed, from_folder, from_page, from_sitemap, identity
from newsletter.collect.dating import dated_by_address, settle
from newsletter.collect.gathering import MAX_ERROR_BODY, Gathered, Gatherer, Visit, url_key
from newsletter.collect.listings import gone_and_back
from newsletter.collect.parsing import Parser
from newsletter.collect.pictures import candidates, copy_pictures, with_copies
from newsletter.config.models import Source
from newsletter.config.reading import Configuration
from newsletter.errors import FetchError, NewsletterError, SourceError, StoreError
from newsletter.model import IncomingArticle
from newsletter.net import Fetcher
from newsletter.net.robots import Robots
from newsletter.store import Store, article_listings, article_pages, articles, handing_over, sources
from newsletter.store.articles import Remembered, Remembrance
from newsletter.store.sources import Fetch, Outcome, SourceRow

_AT_ONCE = 64
_MAX_STRETCH = timedelta(hours=6)
_MAX_PICTURES = 60
_POLL_AGAIN = timedelta(seconds=10)
_GONE = 410

_GATHERERS: Mapping[str, Gatherer] = {
    "feed": from_feed.gather,
    "sitemap": from_sitemap.gather,
    "page": from_page.gather,
    "folder": from_folder.gather,
}

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
    retired: bool = False


async def collect_all(
    wanted: Mapping[str, Source],
    *,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    media_folder: Path,
    now: datetime,
    root: Path = Path(),
    zone: str = "UTC",
    robots: Robots | None = None,
    at_once: int = _AT_ONCE,
    each: Callable[[CollectResult], None] = lambda _: None,
) -> list[CollectResult]:
    """Collect these sources side by side; results in their order, and to ``each`` as they come. Raises StoreError."""
    places = asyncio.Semaphore(at_once)
    robots = robots or Robots(fetcher)

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
                zone=zone,
                robots=robots,
            )
        each(result)
        return result

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(name, source)) for name, source in wanted.items()]
    except ExceptionGroup as several:
        raise _first(several) from several
    return [task.result() for task in tasks]


async def collect_configured(
    configuration: Configuration,
    wanted: Mapping[str, Source],
    *,
    store: Store,
    fetcher: Fetcher,
    parser: Parser,
    now: datetime,
    robots: Robots | None = None,
    each: Callable[[CollectResult], None] = lambda _: None,
) -> list[CollectResult]:
    """``collect_all`` with the folders and the zone of this site. Raises StoreError."""
    return await collect_all(
        wanted,
        store=store,
        fetcher=fetcher,
        parser=parser,
        media_folder=configuration.media_folder,
        now=now,
        root=configuration.folder,
        zone=configuration.schedules.site.timezone,
        robots=robots,
        each=each,
    )


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
    zone: str = "UTC",
    robots: Robots | None = None,
) -> CollectResult:
    """Collect one source and record the attempt. A folder's relative path starts at ``root``. Raises StoreError.

    ``zone`` is the site's. The source's own failures come back as ``error``; its validators (ETag) are kept only once
    its articles are stored, so that an interrupted collection is done again.
    """
    began = perf_counter()
    row = await store.read_async(sources.get, name)
    if row is None or (row.kind, row.location) != (source.kind, source.location):
        row = SourceRow(name, source.kind, source.location)
    gather = _GATHERERS.get(source.kind)
    if gather is None:
        return CollectResult(name, not_modified=True)
    visit = Visit(name, source, row, now, store, fetcher, parser, robots or Robots(fetcher), root, zone)
    try:
        gathered = await gather(visit)
        remembered, warnings = await _store(visit, gathered, media_folder)
    except StoreError:
        raise
    except Exception as error:
        if not isinstance(error, NewsletterError):
            _log.exception("collecting source %s failed in a way we did not foresee", name)
        return await _record_failure(visit, error, perf_counter() - began)
    outcome = Outcome.UNCHANGED if gathered.reading is None else Outcome.COLLECTED
    seconds = perf_counter() - began
    counts = len(remembered.new), len(remembered.changed), len(remembered.unchanged)
    fetch = Fetch(name, now, outcome, round(seconds * 1000), *counts)
    await store.write_async(sources.record, _succeeded(row, source, gathered, warnings, now), fetch)
    return CollectResult(name, *counts, seconds, warnings=warnings, not_modified=gathered.reading is None)


def due_sources(rows: Iterable[SourceRow], wanted: Mapping[str, Source], now: datetime) -> list[str]:
    """Which of the configured sources are due at ``now``: those somebody asked for, those never tried, then the
    longest waiting. What was retired, asked to be left alone, or is pushed to us is not."""
    known = {row.name: row for row in rows}
    due: list[tuple[float, str]] = []
    for name, source in wanted.items():
        row = known.get(name)
        if source.push:
            continue
        if row is None or row.last_attempt_at is None or row.location != source.location:
            due.append((float("inf"), name))
            continue
        if row.retired_at is not None or (row.not_before is not None and now < row.not_before):
            continue
        waited = now - row.last_attempt_at
        if waited >= interval(source.every, row.failures) or waited < timedelta():
            due.append((waited.total_seconds(), name))  # a negative wait is a clock that was put back
        elif _asked_for(row) and waited >= _POLL_AGAIN:
            due.append((float("inf"), name))
    return [name for _, name in sorted(due, key=lambda one: -one[0])]


def _asked_for(row: SourceRow) -> bool:
    asked, tried = row.poll_requested_at, row.last_attempt_at
    return asked is not None and (tried is None or asked > tried)


def interval(every: timedelta, failures: int) -> timedelta:
    """How long to leave a source alone: ``every``, doubled with each failure in a row, up to six hours."""
    doubled: timedelta = every * (1 << min(failures, 10))
    return max(every, min(doubled, _MAX_STRETCH))


async def _store(visit: Visit, gathered: Gathered, media_folder: Path) -> tuple[Remembered, tuple[str, ...]]:
    """Put what was gathered into the store; what became of it, and one line for each thing that is left out."""
    if gathered.reading is None:
        return Remembered(), gathered.warnings
    store, now = visit.store, visit.now
    found = gathered.reading.articles
    if visit.source.kind != "feed":  # what a feed lists without a date is new; a page may have been there for years
        found = tuple(dated_by_address(article, visit.facts.zone, now) for article in found)
    batch = await asyncio.to_thread(
        identity.to_remember,
        found,
        homes=gathered.reading.homes,
        newest_eligible=visit.source.backfill if visit.row.first_collected_at is None else None,
    )
    stubs = await asyncio.to_thread(identity.to_remember, gathered.stubs, newest_eligible=0)
    # Only now: to a first collection, what has no date is not the newest.
    dated = settle([one.article for one in batch], now)
    batch = tuple(replace(one, article=article) for one, article in zip(batch, dated, strict=True))
    batch, left_out = await _with_pictures(visit, batch, media_folder)
    remembered = await _remember((*batch, *stubs), store, now)
    if visit.row.first_collected_at is None and batch:
        await store.write_async(handing_over.extend, visit.name)
    if gathered.pages or gathered.gone:
        validators = {url_key(url): (one.etag, one.last_modified) for url, one in gathered.pages.items()}
        await store.write_async(article_pages.keep_validators, validators)
        gone = {url_key(url) for url in gathered.gone}
        await store.write_async(article_pages.gone_and_found, visit.name, gone, validators.keys(), now)
    warnings = [*gathered.warnings, *left_out, *_doubts(dated)]
    if gathered.listed is not None:
        missing = await store.write_async(
            article_listings.gone_from_listing, visit.name, gathered.listed, now, gone_and_back
        )
        if missing.suspicious:
            warnings.append(f"{missing.suspicious} articles are no longer listed: too many to have been retracted")
    return remembered, tuple(warnings)


def _doubts(dated: Sequence[IncomingArticle]) -> list[str]:
    """What could not be as it came, one line for each kind of it."""
    kinds = Counter(
        article.warning.partition(",")[2].strip() or article.warning for article in dated if article.warning
    )
    return [f"{number} {'article' if number == 1 else 'articles'}: {kind}" for kind, number in kinds.items()]


async def _with_pictures(
    visit: Visit, batch: Sequence[Remembrance], media_folder: Path
) -> tuple[tuple[Remembrance, ...], tuple[str, ...]]:
    """``batch`` with our copies of the lead pictures of what is new and may be sent, or has another picture now."""
    if visit.source.images.mode == "link":
        return tuple(batch), ()
    leads = [(one, urls) for one in batch if one.eligible and (urls := candidates(one.article.images))]
    wanted: list[tuple[str, ...]] = []
    for start in range(0, len(leads), articles.CHUNK):
        chunk = leads[start : start + articles.CHUNK]
        known = await visit.store.read_async(articles.known_articles, [one for one, _ in chunk])
        for index, (_, urls) in enumerate(chunk):
            before = known.get(index)
            if before is None or (before.eligible and urls[0] not in {image.url for image in before.images}):
                wanted.append(urls)
    if not wanted:
        return tuple(batch), ()
    copies = await copy_pictures(
        wanted[:_MAX_PICTURES],
        store=visit.store,
        fetcher=visit.fetcher,
        parser=visit.parser,
        media_folder=media_folder,
        now=visit.now,
        allow_private=visit.source.allow_private,
    )
    pictured = tuple(replace(one, article=with_copies(one.article, copies)) for one in batch)
    return pictured, tuple(copies.left_out)


async def _remember(batch: Sequence[Remembrance], store: Store, now: datetime) -> Remembered:
    """Store ``batch`` in transactions short enough for an unsubscribe not to wait."""
    remembered = Remembered()
    for start in range(0, len(batch), articles.CHUNK):
        chunk = batch[start : start + articles.CHUNK]
        remembered += await store.write_async(articles.remember, chunk, now=now, match=identity.same_story)
    return remembered


async def _record_failure(visit: Visit, error: Exception, seconds: float) -> CollectResult:
    line = _line(visit.name, error)
    retired = isinstance(error, FetchError) and error.status == _GONE and error.where == _asked(visit)
    if retired:
        line = f"{line}. It is not asked again; `newsletter collect {visit.name}` does"
    row = _failed(visit.row, visit.source, error, line, visit.now, retired=retired)
    outcome = Outcome.RETIRED if retired else Outcome.FAILED
    fetch = Fetch(visit.name, visit.now, outcome, round(seconds * 1000), error=line)
    body = error.body[:MAX_ERROR_BODY] if isinstance(error, FetchError | SourceError) else b""
    await visit.store.write_async(sources.record, row, fetch, body)
    return CollectResult(visit.name, seconds=seconds, error=line, retired=retired)


def _asked(visit: Visit) -> str:
    return visit.row.moved_to or visit.source.location


def _succeeded(row: SourceRow, source: Source, gathered: Gathered, warnings: Sequence[str], now: datetime) -> SourceRow:
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
        warnings=list(warnings[:20]) if gathered.reading is not None else row.warnings,
        not_before=None,
        retired_at=None,
    )


def _failed(row: SourceRow, source: Source, error: Exception, line: str, now: datetime, *, retired: bool) -> SourceRow:
    failures = row.failures + 1
    after = error.retry_after if isinstance(error, FetchError) else None
    not_before = now + timedelta(seconds=after) if after is not None else None
    due = now + interval(source.every, failures)
    return replace(
        row,
        moved_to="",  # perhaps it moved back; the next attempt starts where the configuration says
        last_attempt_at=now,
        next_due_at=None if retired else max(due, not_before or due),
        failures=failures,
        last_error=line,
        not_before=not_before,
        retired_at=now if retired else None,
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
