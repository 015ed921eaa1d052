"""Just before an edition goes out: are its stories still there, and do they still say the same?

Its feeds and pages are asked again side by side (conditional GET), two seconds in all; what cannot be reached is kept.
What was found is written to the articles; ``Work.begin`` then takes out of the edition what is retracted and renders
again what was corrected.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from newsletter.collect import identity
from newsletter.collect.collecting import collect_source
from newsletter.collect.gathering import Validators, Visit, url_key
from newsletter.collect.parsing import Parser
from newsletter.collect.reading_pages import PagesRead, Wanted, read_pages
from newsletter.config.models import Source
from newsletter.config.reading import Configuration
from newsletter.net import Fetcher
from newsletter.net.robots import Robots
from newsletter.store import Store, article_pages, articles, editions, sources
from newsletter.store.article_pages import ArticlePage
from newsletter.store.occurrences import OccurrenceRow
from newsletter.store.sources import SourceRow

log = structlog.get_logger()

WITHIN = timedelta(seconds=2)
_JUST_COLLECTED = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Freshness:
    """What asking again came to: articles asked for, retracted, changed; ``kept`` could not be reached in time."""

    asked: int = 0
    retracted: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    kept: int = 0


class Freshening:
    """Asks for the stories of an edition again. One for a process: robots.txt and connections are kept."""

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        fetcher: Fetcher,
        parser: Parser,
        *,
        within: timedelta = WITHIN,
    ) -> None:
        self._configuration, self._store, self._fetcher, self._parser = configuration, store, fetcher, parser
        self._robots, self._within = Robots(fetcher), within

    async def freshen(self, row: OccurrenceRow, now: datetime) -> Freshness:
        """Bring the articles of an occurrence's editions up to date. Raises StoreError."""
        wanted: set[int] = set()
        for edition in await self._store.read_async(editions.for_occurrence, row.id):
            if edition.fanned_out_at is None:
                wanted.update(edition.article_ids)
        pages = await self._store.read_async(article_pages.of_articles, wanted)
        by_source: defaultdict[str, list[ArticlePage]] = defaultdict(list)
        for page in pages.values():
            by_source[page.source].append(page)
        known = {one.name: one for one in await self._store.read_async(sources.list_sources)}
        visits = [
            (self._visit(name, source, known.get(name), now), found)
            for name, found in by_source.items()
            if (source := self._configuration.schedules.sources.get(name)) is not None and source.folder is None
        ]
        collecting = asyncio.gather(*(self._collect(visit) for visit, _found in visits))
        read = await asyncio.gather(*(self._read(visit, found) for visit, found in visits))
        await collecting
        asked = sum(len(found) for _visit, found in visits)
        missing = sum(len(one.gone) for one in read)
        broken = article_pages.is_broken_site(missing, asked)
        if broken:
            log.warning("so many pages are missing that the site must be broken; all are kept", edition=str(row.name))
        changed: list[int] = []
        retracted: list[int] = []
        for (visit, _found), one in zip(visits, read, strict=True):
            changed += await self._write(visit, one)
            if not broken:
                gone, found = ({url_key(url) for url in urls} for urls in (one.gone, one.validators))
                retracted += await self._store.write_async(article_pages.gone_and_found, visit.name, gone, found, now)
        result = Freshness(
            asked,
            tuple(sorted(retracted)),
            tuple(changed),
            sum(len(one.unread) for one in read),
        )
        if result.retracted or result.changed:
            log.info("stories changed before sending", edition=str(row.name), gone=len(retracted), changed=len(changed))
        return result

    def _visit(self, name: str, source: Source, row: SourceRow | None, now: datetime) -> Visit:
        return Visit(
            name,
            source,
            row or SourceRow(name, source.kind, source.location),
            now,
            self._store,
            self._fetcher,
            self._parser,
            self._robots,
            self._configuration.folder,
            self._configuration.schedules.site.timezone,
        )

    async def _collect(self, visit: Visit) -> None:
        """Ask the source itself again, which is where most corrections come from, unless it was just now."""
        last = visit.row.last_success_at
        if visit.source.push or (last is not None and visit.now - last < _JUST_COLLECTED):
            return
        try:
            async with asyncio.timeout(self._within.total_seconds()):
                await collect_source(
                    visit.name,
                    visit.source,
                    store=self._store,
                    fetcher=self._fetcher,
                    parser=self._parser,
                    media_folder=self._configuration.media_folder,
                    now=visit.now,
                    root=visit.root,
                    zone=visit.zone,
                    robots=self._robots,
                )
        except TimeoutError:
            log.warning("a source was not reached in time before sending", source=visit.name)

    async def _read(self, visit: Visit, found: Sequence[ArticlePage]) -> PagesRead:
        extracted = visit.source.kind in ("sitemap", "page")
        wanted = [
            Wanted(page.url, Validators(page.etag, page.last_modified))
            for page in found
            if page.url.startswith(("http://", "https://"))
        ]
        return await read_pages(visit, wanted, within=self._within, only_ask=not extracted)

    async def _write(self, visit: Visit, read: PagesRead) -> tuple[int, ...]:
        """Store what pages say now; the articles that changed."""
        batch = await asyncio.to_thread(identity.to_remember, list(read.articles.values()))
        changed: tuple[int, ...] = ()
        for start in range(0, len(batch), articles.CHUNK):
            chunk = batch[start : start + articles.CHUNK]
            remembered = await self._store.write_async(
                articles.remember, chunk, now=visit.now, match=identity.same_story
            )
            changed += remembered.changed
        validators = {url_key(url): (one.etag, one.last_modified) for url, one in read.validators.items()}
        await self._store.write_async(article_pages.keep_validators, validators)
        return changed
