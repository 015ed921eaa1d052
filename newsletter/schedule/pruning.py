"""Forgets the bodies of old articles, page by page: ``run`` does so once an hour, ``articles prune`` when asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from newsletter.config.models import Source
from newsletter.store import Store, article_pruning


def kept_since(sources: Mapping[str, Source], now: datetime) -> dict[str, datetime]:
    """From when on each source's articles are kept whole."""
    return {name: now - source.keep for name, source in sources.items()}


def prune_articles(store: Store, before: Mapping[str, datetime], now: datetime, *, dry_run: bool = False) -> int:
    """Empty the bodies of the articles first seen before their source's time in ``before``; how many. Blocking.

    ``dry_run`` only counts. Small transactions: nothing else that is written waits for it. Raises StoreError.
    """
    number, after = 0, 0
    while True:
        if dry_run:
            page = store.read(article_pruning.prune, before, now, after=after, dry_run=True)
        else:
            page = store.write(article_pruning.prune, before, now, after=after)
        number += page.articles
        if page.after is None:
            break
        after = page.after
    while not dry_run and store.write(article_pruning.prune_sketches, now):
        pass
    return number
