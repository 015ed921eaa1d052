"""Builders for what composing works on: articles (as values or in a store), newsletters, planned occurrences."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from newsletter.config.models import Newsletter
from newsletter.model import Article, Occurrence, Stream
from newsletter.store import Store, occurrences, tables
from newsletter.store.occurrences import OccurrenceRow
from tests import builders
from tests.builders import NOW

DUE = NOW + timedelta(minutes=30)


def an_article(number: int = 1, **changes: Any) -> Article:
    """Article ``number``: of section National, published and first seen that many minutes before NOW."""
    before = NOW - timedelta(minutes=number)
    times = {"published_at": before, "updated_at": before, "first_seen_at": before}
    return builders.an_article(number, **(times | changes))


def a_newsletter(**changes: Any) -> Newsletter:
    """A newsletter with the sections National and World, everything else at its default."""
    return Newsletter.model_validate(
        {
            "title": "The Daily Example",
            "from": "daily@news.example",
            "schedule": {"at": "07:00"},
            "sections": [
                {"name": "National", "match": {"section": "national"}},
                {"name": "World", "match": {"section": "world"}},
            ],
            **changes,
        }
    )


def add_articles(store: Store, *added: Article) -> None:
    """Put articles into a store as they are, with their ids."""

    def row(article: Article) -> dict[str, Any]:
        text = {"access": article.access.value, "revision_kind": article.revision_kind.value}
        lists = {"authors": list(article.authors), "tags": list(article.tags), "images": []}
        return asdict(article) | text | lists

    def work(connection: Connection) -> None:
        if added:
            connection.execute(insert(tables.articles), [row(article) for article in added])

    store.write(work)


def plan_occurrence(
    store: Store,
    newsletter: str = "daily",
    *,
    day: int = 23,
    ordinal: int = 1,
    stream: Stream = Stream.EACH,
    due_at: datetime = DUE,
    now: datetime = NOW,
) -> OccurrenceRow:
    """Plan the occurrence of that day of November 2026."""
    occurrence = Occurrence(date(2026, 11, day), ordinal)
    return store.write(occurrences.plan, newsletter, stream, occurrence, due_at, due_at - timedelta(minutes=30), now)


def occurrence_now(store: Store, row: OccurrenceRow) -> OccurrenceRow:
    """The row as the store has it now."""
    found = store.read(occurrences.get, row.id)
    assert found is not None
    return found
