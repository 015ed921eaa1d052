"""Forgets, page by page, the bodies of old articles and what each reader got of old editions: ``run`` does so once an
hour, ``articles prune`` and ``editions prune`` when asked; and once an hour whatever came in about readers who had been
erased.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from newsletter.config.models import Source
from newsletter.store import Store, article_pruning, delivery_pruning, subscribers

# A message that was on the wire during an erasure is tried again for some hours at most (`retry_for`).
_STILL_COMING = timedelta(days=8)


def forget_erased(store: Store, now: datetime) -> int:
    """Empty what relays said, after their erasure, of those erased lately; how many rows. Blocking.

    What was deleted then leaves the write-ahead log as well. Raises StoreError.
    """
    emptied = store.write(subscribers.forget_replies, now - _STILL_COMING)
    store.forget()
    return emptied


def kept_since(sources: Mapping[str, Source], now: datetime) -> dict[str, datetime]:
    """From when on each source's articles are kept whole."""
    return {name: now - source.keep for name, source in sources.items()}


def prune_articles(
    store: Store,
    before: Mapping[str, datetime],
    now: datetime,
    *,
    dry_run: bool = False,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Empty the bodies of the articles first seen before their source's time in ``before``; how many. Blocking.

    ``dry_run`` only counts. Small transactions: nothing else that is written waits for it. Raises StoreError.
    """
    number, after = 0, 0
    while not stopping():
        if dry_run:
            page = store.read(article_pruning.prune, before, now, after=after, dry_run=True)
        else:
            page = store.write(article_pruning.prune, before, now, after=after)
        number += page.articles
        if page.after is None:
            break
        after = page.after
    while not dry_run and not stopping() and store.write(article_pruning.prune_sketches, now):
        pass
    return number


def prune_deliveries(
    store: Store, before: datetime, now: datetime, stopping: Callable[[], bool] = lambda: False
) -> int:
    """Forget what each reader got of the editions that were over before then, and what it was made from; how many
    deliveries.

    Blocking. What is not done when ``stopping`` says so is done the next time. Raises StoreError.
    """
    number = 0
    while not stopping() and (ids := store.write(delivery_pruning.begin, before, now)):
        while not stopping():
            page = store.write(delivery_pruning.prune_page, ids)
            if page is None:
                break
            number += page
    while not stopping() and (page := store.write(delivery_pruning.prune_system_mails, before)):
        number += page
    return number
