"""Twenty thousand stored articles: a chunk of new ones still holds the writer well under 100 ms."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import thread_time

import pytest
from sqlalchemy import Connection, event, func, select

from newsletter.collect.identity import same_story, to_remember
from newsletter.model import IncomingArticle
from newsletter.store import Store, articles, tables
from newsletter.store.articles import Remembrance
from tests.builders import NOW, an_incoming_article

STORED = 20_000
A_STANDING_REMARK = "Read every story of the day without advertisements and support reporting from your own region."


_COUNT = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {STORED})"
_TIME = NOW.strftime("'%Y-%m-%d %H:%M:%S.%f'")


def fill(connection: Connection) -> None:
    """Articles with sketches of nine runs each, one of which forty of them share. In SQL, or it would take long."""
    columns = "id, source, url, headline, authors, tags, images, published_at, updated_at, first_seen_at"
    values = f"i, 'front', '', 'H', '[]', '[]', '[]', {_TIME}, {_TIME}, {_TIME}"
    connection.exec_driver_sql(f"{_COUNT} INSERT INTO articles ({columns}) SELECT {values} FROM n")
    for _ in range(8):
        connection.exec_driver_sql(
            f"{_COUNT} INSERT INTO article_shingles (hash, article_id) SELECT random(), i FROM n"
        )
    connection.exec_driver_sql(f"{_COUNT} INSERT INTO article_shingles (hash, article_id) SELECT i / 40, i FROM n")


def story(number: int, chance: random.Random) -> IncomingArticle:
    body = " ".join(f"w{chance.randrange(5000)}" for _ in range(400))
    return an_incoming_article(
        url=f"https://news.example/new/{number}",
        guid=f"new-{number}",
        headline=f"{body[:50]}",
        standfirst=A_STANDING_REMARK,
        body_text=body,
    )


def remember(connection: Connection, batch: Sequence[Remembrance]) -> float:
    """Seconds of the writer's own time, which other processes of this machine do not lengthen."""
    began = thread_time()
    remembered = articles.remember(connection, batch, now=NOW + timedelta(hours=1), match=same_story)
    assert len(remembered.new) == articles.CHUNK
    return thread_time() - began


@pytest.fixture
def store_file(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copyfile(migrated_sqlite, tmp_path / "newsletter.db")
    with Store.open(f"sqlite:///{tmp_path}/newsletter.db") as store:
        yield store


def test_a_chunk_holds_the_writer_briefly_however_much_is_stored(store_file: Store) -> None:
    chance = random.Random(4)
    store_file.write(fill)
    took: list[float] = []
    for start in range(0, 6 * articles.CHUNK, articles.CHUNK):
        batch = to_remember([story(number, chance) for number in range(start, start + articles.CHUNK)])
        took.append(store_file.write(remember, batch))
    assert min(took) < 0.1, took
    shared = select(tables.article_shingles.c.hash).group_by("hash").having(func.count() > 40)
    assert store_file.read(lambda connection: connection.execute(shared).all()) == []


def test_nothing_that_remembers_or_looks_up_an_article_reads_a_whole_table(store_file: Store) -> None:
    chance = random.Random(5)
    stories = [story(number, chance) for number in range(articles.CHUNK)]
    store_file.write(remember, to_remember(stories))
    again = to_remember([replace(one, url=f"{one.url}/moved", guid=f"{one.guid}-again") for one in stories])
    said: list[tuple[str, object]] = []

    def listen(_c: object, _cursor: object, text: str, parameters: object, _context: object, many: bool) -> None:
        said.append((text, parameters[0] if many else parameters))  # type: ignore[index]

    def look(connection: Connection) -> list[str]:
        event.listen(connection, "before_cursor_execute", listen)
        assert len(articles.known_articles(connection, to_remember(stories))) == len(stories)
        assert len(articles.remember(connection, again, now=NOW, match=same_story).changed) == len(stories)
        event.remove(connection, "before_cursor_execute", listen)
        return [
            step.detail
            for text, parameters in said
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)  # type: ignore[arg-type]
        ]

    steps = store_file.write(look)
    assert any("SEARCH article_identities" in step for step in steps)
    assert [step for step in steps if step.startswith("SCAN")] == []
