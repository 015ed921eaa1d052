"""What every kind of source has in common: a visit goes in, what the source holds comes out.

``collecting`` makes a ``Visit`` of a source, calls the ``Gatherer`` of its kind (``from_feed``, ``from_sitemap``,
``from_page``, ``from_folder``) and stores what it gathered. A gatherer raises FetchError or SourceError where the
source as a whole failed; what is wrong with one story of it is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from newsletter.collect.feed import Reading
from newsletter.collect.identity import canonical_url
from newsletter.collect.parsing import Parser
from newsletter.collect.source_facts import SourceFacts, source_facts
from newsletter.config.models import Source
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle
from newsletter.net import Fetched, Fetcher
from newsletter.net.body_budget import Share
from newsletter.net.robots import Robots
from newsletter.store import Store
from newsletter.store.sources import SourceRow

P = ParamSpec("P")
T = TypeVar("T")

MAX_ERROR_BODY = 65_536


@dataclass(frozen=True, slots=True)
class Visit:
    """One attempt at one source, and all that a gatherer needs for it."""

    name: str
    source: Source
    row: SourceRow
    now: datetime
    store: Store
    fetcher: Fetcher
    parser: Parser
    robots: Robots
    root: Path = Path()
    zone: str = "UTC"

    @property
    def facts(self) -> SourceFacts:
        """What the readers are told of this source."""
        return source_facts(self.name, self.source, zone=self.zone)

    def share(self) -> AbstractContextManager[Share]:
        """What one body may take of the fetcher's budget, for as long as it is held: fetched and read."""
        return self.fetcher.budget.share()

    async def fetch(self, url: str, share: Share, *, etag: str = "", last_modified: str = "") -> Fetched:
        """GET ``url`` under this source's limits; its body is ``share``'s. Raises FetchError."""
        return await self.fetcher.fetch(
            url,
            etag=etag,
            last_modified=last_modified,
            max_bytes=self.source.max_bytes,
            within=self.source.fetch_timeout,
            allow_private=self.source.allow_private,
            share=share,
        )

    async def parse(
        self, work: Callable[Concatenate[bytes, P], T], body: bytes, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """``work(body, …)`` in a worker process. Raises SourceError, with how the body begins."""
        try:
            return await self.parser.run(self.source.parse_timeout, work, body, *args, **kwargs)
        except SourceError as error:
            error.body = body[:MAX_ERROR_BODY]
            raise


@dataclass(frozen=True, slots=True)
class Validators:
    """What to ask with next time: ETag and Last-Modified of one page."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a source gave. ``reading`` is None if it has not changed.

    ``stubs`` are known to be there and only remembered; ``listed`` are the keys (``url_key``) of all that the source
    still lists, None where it does not list everything; ``gone`` are URLs of its articles that are no more;
    ``pages`` are the validators of the articles' own pages, by URL.
    """

    reading: Reading | None
    etag: str = ""
    last_modified: str = ""
    moved_to: str = ""
    warnings: tuple[str, ...] = ()
    stubs: tuple[IncomingArticle, ...] = ()
    listed: frozenset[str] | None = None
    gone: tuple[str, ...] = ()
    pages: Mapping[str, Validators] = field(default_factory=dict)


class Gatherer(Protocol):
    """How one kind of source is read."""

    async def __call__(self, visit: Visit, /) -> Gathered:
        """What the source holds now. Raises FetchError and SourceError; StoreError passes through."""
        ...


def url_key(url: str) -> str:
    """What an article's URL is known by in the store: 64 hex digits, '' if it is no URL (see ``identity``)."""
    canonical = canonical_url(url)
    return sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest() if canonical else ""
