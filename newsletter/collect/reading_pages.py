"""Articles' own pages: fetched side by side as robots.txt allows, each read in a worker, what fails left out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from newsletter.collect.gathering import Validators, Visit
from newsletter.collect.pages import read_page
from newsletter.errors import FetchError, SourceError
from newsletter.model import IncomingArticle

_AT_ONCE = 6
_WITHIN = timedelta(seconds=120)
_GONE = {404, 410}
_NONE = Validators()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A page to read; with validators it is asked for only if it changed."""

    url: str
    validators: Validators = _NONE


@dataclass(slots=True)
class PagesRead:
    """``articles`` and ``validators`` by the URL that was wanted; ``gone`` answered 404 or 410; ``unread`` may be had
    another time."""

    articles: dict[str, IncomingArticle] = field(default_factory=dict)
    validators: dict[str, Validators] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each page that could not be read."""
        return tuple(self.lines)


async def read_pages(
    visit: Visit, wanted: Sequence[Wanted], *, within: timedelta = _WITHIN, only_ask: bool = False
) -> PagesRead:
    """Read these pages, as many as can be ``within`` that time; ``only_ask`` whether they are still there."""
    read, places = PagesRead(), asyncio.Semaphore(_AT_ONCE)

    async def one(page: Wanted) -> None:
        async with places:
            await _read(visit, page, read, only_ask=only_ask)

    try:
        async with asyncio.timeout(within.total_seconds()), asyncio.TaskGroup() as group:
            for page in wanted:
                group.create_task(one(page))
    except TimeoutError:
        done = {*read.articles, *read.validators, *read.gone, *read.unread}
        late = [page.url for page in wanted if page.url not in done]
        read.unread += late
        read.lines.append(f"{len(late)} pages were not read within {within.total_seconds():g} s; they are next time")
    return read


async def _read(visit: Visit, page: Wanted, read: PagesRead, *, only_ask: bool) -> None:
    asked = page.validators
    try:
        await visit.robots.allowed(page.url, allow_private=visit.source.allow_private)
        with visit.share() as share:
            fetched = await visit.fetch(page.url, share, etag=asked.etag, last_modified=asked.last_modified)
            if fetched.not_modified or only_ask:
                now = asked if fetched.not_modified else Validators(fetched.etag, fetched.last_modified)
                read.validators[page.url] = now
                return
            read.articles[page.url] = await visit.parse(
                read_page, fetched.body, visit.facts, url=fetched.url, content_type=fetched.content_type
            )
            read.validators[page.url] = Validators(fetched.etag, fetched.last_modified)
    except FetchError as error:
        (read.gone if error.status in _GONE else read.unread).append(page.url)
        read.lines.append(str(error))
    except SourceError as error:
        read.lines.append(str(error) if error.where else f"{page.url}: {error.what}")
