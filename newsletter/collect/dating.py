"""When a story was published, as far as its source can be believed: pure; between reading a source and storing it.

A story keeps the time that its source gives it, also one to come: it waits for its hour. What cannot be (long past,
weeks ahead, or a whole source that is ahead of us by some hours, whose clock or zone is wrong) is clamped, and the
article's ``warning`` says so. A story without a time is of the day that its address names, where it stands on a page of
its own; else it came when we first saw it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from newsletter.collect.stated_times import read_time
from newsletter.model import IncomingArticle

OLDEST = datetime(1990, 1, 1, tzinfo=UTC)
LONGEST_EMBARGO = timedelta(days=30)
# No zone is further from another's than this in what a publisher confuses: local time written as UTC is up to 14 h off.
_WRONG_ZONE = timedelta(hours=14)
_FEWEST_AHEAD = 3
# Clocks differ by so much without being wrong.
_TOLERANCE = timedelta(minutes=5)
_DAY = timedelta(days=1)
# A day in an address: /2026/11/24/…, /2026-11-24/… or /20261124/…, with the story's own name behind it.
_DAY_IN_PATH = re.compile(r"/(\d{4})(?:/(\d{1,2})/(\d{1,2})|-(\d{2})-(\d{2})|(\d{2})(\d{2}))(?=/[^/])")


def dated_by_address(article: IncomingArticle, zone: str, now: datetime) -> IncomingArticle:
    """``article``, if it has no time, as published on the day that its URL's path names: its first moment in ``zone``.

    A day still to come is an edition's, or another zone's, and no embargo: it dates nothing.
    """
    if article.published_at is not None:
        return article
    try:
        path = urlsplit(article.url).path
    except ValueError:
        return article
    for found in _DAY_IN_PATH.finditer(path):
        day = read_time("-".join(part for part in found.groups() if part), zone=zone)
        if day is not None and OLDEST <= day <= now:
            return replace(article, published_at=day)
    return article


def settle(articles: Sequence[IncomingArticle], now: datetime) -> tuple[IncomingArticle, ...]:
    """The articles of one collection of one source with times that can be; ``now`` is when we read it."""
    times = [article.published_at for article in articles]
    return tuple(settled(article, now, times) for article in articles)


def settled(article: IncomingArticle, now: datetime, siblings: Sequence[datetime | None] = ()) -> IncomingArticle:
    """``article`` with times that can be; ``siblings`` are the publication times that its source gives just now.

    A time up to 30 days ahead stands: an embargo. Only where most of what a source published in the last day (three
    stories at least) lies some hours ahead is it the source's clock that is wrong, and the story came now.
    """
    published, warning = article.published_at, ""
    if published is None:
        published = now
    elif published < OLDEST:
        published, warning = now, f"dated {_day(article.published_at)}, long past; taken as first seen"
    elif published > now + LONGEST_EMBARGO:
        published, warning = now, f"dated {_day(article.published_at)}, far ahead; taken as first seen"
    elif _ahead(published, now) and _clock_is_wrong(siblings, now):
        stated = f"{published.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        published, warning = now, f"dated {stated}, hours ahead like most of its source; taken as first seen"
    updated = article.updated_at
    if updated is not None and not OLDEST <= updated <= max(now, published):
        updated = None if updated < OLDEST else max(now, published)
    both = "; ".join(text for text in (article.warning, warning) if text)
    return replace(article, published_at=published, updated_at=updated, warning=both)


def _clock_is_wrong(siblings: Sequence[datetime | None], now: datetime) -> bool:
    recent = [time for time in siblings if time is not None and now - _DAY <= time <= now + _WRONG_ZONE]
    ahead = sum(_ahead(time, now) for time in recent)
    return ahead >= _FEWEST_AHEAD and ahead * 2 > len(recent)


def _ahead(time: datetime, now: datetime) -> bool:
    return now + _TOLERANCE < time <= now + _WRONG_ZONE


def _day(time: datetime | None) -> str:
    return "" if time is None else f"{time.year:04d}-{time:%m-%d}"
