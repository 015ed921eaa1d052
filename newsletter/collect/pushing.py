"""A pushed body -> articles in the store, and what became of each: read and made safe in a worker, recognised, stored.

Each article stands for itself: one that is no article, or keeps the parser busy, costs no other. Pictures are not
fetched here, for the process that serves the pages has no business on other people's servers: the article is stored
without copies, and the collector makes those that are missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from time import perf_counter

from sqlalchemy import Connection

from newsletter.collect import dating, identity
from newsletter.collect.parsing import Parser
from newsletter.collect.plain_text import one_line
from newsletter.collect.pushed import PushedArticle, Refusal, read_push, read_pushed
from newsletter.collect.source_facts import source_facts
from newsletter.config.models import Source
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle
from newsletter.store import Store, articles, sources
from newsletter.store.articles import IdentityKind, Known, Remembrance
from newsletter.store.sources import Fetch, SourceRow
from newsletter.store.sources import Outcome as Attempt

_READ_WITHIN = timedelta(seconds=20)
_ALL_WITHIN = timedelta(seconds=30)
_MAX_ERROR_BODY = 65_536
RETRACTED_BY_SOURCE = "its source took it back"


class Outcome(StrEnum):
    """What became of one pushed article."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    RETRACTED = "retracted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one article: its id in the store where it is there, ``error`` in one line where it was refused."""

    url: str
    id: int | None
    outcome: Outcome
    error: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The results in the body's order; ``fault`` says in one line why there are none, '' where there are."""

    results: tuple[Result, ...] = ()
    batch: bool = False
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Taken:
    """An article that is fit to be stored, and where in the body it stood."""

    position: int
    remembrance: Remembrance
    retracted: bool


async def receive(
    body: bytes,
    *,
    allowed: Mapping[str, Source],
    default: str = "",
    zone: str,
    store: Store,
    parser: Parser,
    now: datetime,
) -> Receipt:
    """Store what ``body`` holds. ``allowed`` are the sources its sender may write to, ``default`` the one that is meant
    where none is named; ``zone`` is the site's.

    All that is pushed may be sent (there is no backfill: a person decided on each). Raises StoreError, and SourceError
    where the worker that reads bodies cannot be used.
    """
    began = perf_counter()
    push = await parser.run(_READ_WITHIN, read_push, body)
    if isinstance(push, Refusal):
        return Receipt(fault=push.error)
    taken: list[_Taken] = []
    results: dict[int, Result] = {}
    named: dict[int, str] = {}
    for position, item in enumerate(push.items):
        source = item.source or default
        if source in allowed:
            named[position] = source
        try:
            incoming = await _incoming(item, source, allowed, zone, parser, _ALL_WITHIN - _since(began))
        except SourceError as error:
            words = one_line(f"{error.what}. {error.remedy}" if error.remedy else error.what, 500)
            results[position] = Result(item.url, None, Outcome.REFUSED, words)
        else:
            # One at a time: within one collection a URL that two articles share would name neither.
            (one,) = await asyncio.to_thread(identity.to_remember, [_dated(incoming, now)])
            taken.append(_Taken(position, one, isinstance(item, PushedArticle) and item.retracted))
    for start in range(0, len(taken), articles.CHUNK):
        results |= await store.write_async(_store, taken[start : start + articles.CHUNK], now)
    for source in dict.fromkeys(named.values()):
        if allowed[source].push:
            theirs = [results[position] for position, name in named.items() if name == source]
            await store.write_async(_record, source, theirs, body[:_MAX_ERROR_BODY], _since(began), now)
    return Receipt(tuple(results[position] for position in range(len(push.items))), push.batch)


async def _incoming(
    item: PushedArticle | Refusal,
    name: str,
    allowed: Mapping[str, Source],
    zone: str,
    parser: Parser,
    left: timedelta,
) -> IncomingArticle:
    """``item`` as the store takes it. Raises SourceError."""
    if isinstance(item, Refusal):
        raise SourceError(item.error)
    if name not in allowed:
        what = f"source: '{name}' is none that this token may push to" if name else "source: it is missing"
        raise SourceError(what, remedy=f"It may push to: {', '.join(list(allowed)[:24]) or 'none'}")
    if item.retracted:
        return IncomingArticle(source=name, url=item.url, guid=item.guid.strip(), headline="")
    if left <= timedelta(0):
        raise SourceError("there was no time left for it in this batch", remedy="Push it again")
    source = allowed[name]
    return await parser.run(
        min(left, source.parse_timeout),
        read_pushed,
        item,
        source_facts(name, source, zone=zone),
    )


def _dated(incoming: IncomingArticle, now: datetime) -> IncomingArticle:
    """``incoming`` with times that can be. One without a date has none here: pushed again, it ends no embargo."""
    settled = dating.settled(incoming, now)
    return settled if incoming.published_at is not None else replace(settled, published_at=None)


def _same_story(incoming: Remembrance, known: Sequence[Known], now: datetime) -> Known | None:
    """Which stored article was pushed: the one of its URL, whatever else was rewritten; then what any source's is."""
    by_url = next((one for one in known if one.by is IdentityKind.URL), None)
    return by_url or identity.same_story(incoming, known, now)


def _store(connection: Connection, taken: Sequence[_Taken], now: datetime) -> dict[int, Result]:
    return {one.position: (_retract if one.retracted else _remember)(connection, one.remembrance, now) for one in taken}


def _remember(connection: Connection, one: Remembrance, now: datetime) -> Result:
    remembered = articles.remember(connection, [one], now=now, match=_same_story)
    outcomes = (
        (Outcome.NEW, remembered.new),
        (Outcome.CHANGED, remembered.changed),
        (Outcome.UNCHANGED, remembered.unchanged),
    )
    ((outcome, article_id),) = [(outcome, id_) for outcome, ids in outcomes for id_ in ids]
    article = articles.get(connection, article_id)
    # What its source pushes is there again, whoever found it gone.
    if article is not None and article.retracted_at is not None and article.source == one.article.source:
        articles.reinstate(connection, article_id, now)
        outcome = Outcome.CHANGED
    return Result(one.article.url, article_id, outcome)


def _retract(connection: Connection, one: Remembrance, now: datetime) -> Result:
    url = one.article.url
    article = articles.known_articles(connection, [one]).get(0)
    if article is None or not article.source:  # of a URL that was only marked as sent we have no article
        return Result(url, None, Outcome.REFUSED, "there is no article with this URL to retract")
    if article.source != one.article.source:
        return Result(url, None, Outcome.REFUSED, "this article came from another source, which alone may retract it")
    articles.retract(connection, article.id, RETRACTED_BY_SOURCE, now)
    return Result(url, article.id, Outcome.RETRACTED)


def _record(
    connection: Connection, name: str, theirs: Sequence[Result], body: bytes, took: timedelta, now: datetime
) -> None:
    """Keep what a push came to as a collection of its source, with the body that an error was about."""
    row = sources.get(connection, name)
    if row is None or row.kind != "push":
        row = SourceRow(name, "push", "")
    refused = [one for one in theirs if one.outcome is Outcome.REFUSED]
    counts = {outcome: sum(one.outcome is outcome for one in theirs) for outcome in Outcome}
    error = f"{len(refused)} of {len(theirs)} refused. {refused[0].url}: {refused[0].error}" if refused else ""
    good = len(refused) < len(theirs)
    fetch = Fetch(
        name,
        now,
        Attempt.COLLECTED if good else Attempt.FAILED,
        round(took.total_seconds() * 1000),
        counts[Outcome.NEW],
        counts[Outcome.CHANGED] + counts[Outcome.RETRACTED],
        counts[Outcome.UNCHANGED],
        error,
    )
    row = replace(
        row,
        first_collected_at=row.first_collected_at or (now if good else None),
        last_attempt_at=now,
        last_success_at=now if good else row.last_success_at,
        next_due_at=None,
        failures=0 if good else row.failures + 1,
        last_error=error,
    )
    sources.record(connection, row, fetch, body if refused else b"")


def _since(began: float) -> timedelta:
    return timedelta(seconds=perf_counter() - began)
