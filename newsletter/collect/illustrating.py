"""Copies of pictures for articles that came without: pushed ones, and those whose picture could not be had at first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from newsletter.collect.parsing import Parser
from newsletter.collect.pictures import candidates, copied, copy_pictures
from newsletter.config.models import Source
from newsletter.net import Fetcher
from newsletter.store import Store, media
from newsletter.store.media import Unillustrated

# A story older than this is sent as it is.
WINDOW = timedelta(hours=6)
TRY_AGAIN = timedelta(hours=1)
_AT_ONCE = 40


class Illustrating:
    """Looks at each new article once, and an hour later at all that still have no picture."""

    def __init__(self, store: Store, fetcher: Fetcher, parser: Parser, media_folder: Path) -> None:
        self._store, self._fetcher, self._parser, self._media_folder = store, fetcher, parser, media_folder
        self._after_id = 0
        self._began_at: datetime | None = None

    async def look(self, wanted: Mapping[str, Source], now: datetime) -> int:
        """Copy what is missing of these sources; how many articles have a picture now. Raises StoreError."""
        if self._began_at is None or not timedelta() <= now - self._began_at < TRY_AGAIN:
            self._began_at, self._after_id = now, 0
        lacking, self._after_id = await self._store.read_async(
            media.without_copies, since=now - WINDOW, after_id=self._after_id, limit=_AT_ONCE
        )
        by_source: defaultdict[str, list[Unillustrated]] = defaultdict(list)
        for one in lacking:
            source = wanted.get(one.source)
            if source is not None and source.images.mode == "copy":
                by_source[one.source].append(one)
        number = 0
        for name, articles in by_source.items():
            copies = await copy_pictures(
                [candidates(one.images) for one in articles],
                store=self._store,
                fetcher=self._fetcher,
                parser=self._parser,
                media_folder=self._media_folder,
                now=now,
                allow_private=wanted[name].allow_private,
            )
            for one in articles:
                images = copied(one.images, copies)
                if images != one.images:
                    number += await self._store.write_async(media.give_copies, one.article_id, images)
        return number
