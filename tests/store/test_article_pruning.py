"""What is forgotten of old articles, and what is not."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from newsletter.collect.identity import same_story, to_remember
from newsletter.model import IncomingArticle, OccurrenceState
from newsletter.store import Store, article_pruning, article_uses, articles, occurrences, tables
from newsletter.store.article_pruning import Pruned
from newsletter.store.articles import Remembered
from tests.builders import NOW, add_occurrence, an_incoming_article

LONG_AGO = NOW - timedelta(days=200)
BEFORE = {"front": NOW - timedelta(days=100), "brief": NOW - timedelta(days=1)}
BODY = (
    "The water came at night and took the bridge before anybody could be warned of it. By morning the lower town was "
    "an island, and boats from the fishing village went from window to window. The mayor asked for tents and for dry "
    "firewood, while the engineers of the dam argued about who should have opened which gate, and when."
)


def story(number: int = 1, source: str = "front", body: str = BODY) -> IncomingArticle:
    return an_incoming_article(
        source=source,
        url=f"https://news.example/{source}/{number}",
        guid=f"{source}-{number}",
        headline="The night of the flood" if number in (1, 7) else f"Story {number}",
        body_text=body,
        published_at=LONG_AGO,
    )


def collect(store: Store, *found: IncomingArticle, days: float = 200) -> Remembered:
    now = NOW - timedelta(days=days)
    return store.write(articles.remember, to_remember(found), now=now, match=same_story)


def prune(store: Store, after: int = 0, limit: int = 100) -> Pruned:
    return store.write(article_pruning.prune, BEFORE, NOW, after=after, limit=limit)


def bodies(store: Store) -> dict[int, bool]:
    return {article.id: bool(article.body_text) for article in store.read(articles.list_articles)}


def test_bodies_go_everywhere_and_what_an_article_is_known_by_stays(store: Store) -> None:
    (old,) = collect(store, story()).new
    collect(store, story(body=f"{BODY} Nobody was hurt."))
    assert collect(store, story(7, source="agency"), days=199).unchanged == (old,)
    assert prune(store) == Pruned(1, None)
    text = store.read(
        lambda connection: repr(
            [
                connection.execute(select(t)).all()
                for t in (tables.articles, tables.article_revisions, tables.article_merges)
            ]
        )
    )
    assert "took the bridge" not in text
    assert "Water reached" not in text
    assert (
        store.read(
            lambda connection: connection.execute(select(func.count()).select_from(tables.article_shingles)).scalar()
        )
        == 0
    )
    assert prune(store) == Pruned(0, None)
    again = collect(store, story(), story(7, source="agency"), days=0)
    assert again.unchanged == (old, old)
    assert bodies(store) == {old: False}


def _each_new(store: Store, *names: str) -> list[int]:
    return [
        collect(store, story(source=name, body=f"{name} {number} " * 40), days=50).new[0]
        for number, name in enumerate(names)
    ]


def test_each_source_keeps_as_long_as_it_says(store: Store) -> None:
    kept, brief, unknown = _each_new(store, "front", "brief", "gone")
    (ancient,) = collect(store, story(source="other", body=BODY[::-1]), days=181).new
    assert prune(store).articles == 2
    assert bodies(store) == {kept: True, brief: False, unknown: True, ancient: False}


def test_what_an_edition_holds_that_is_not_sent_stays_whole(store: Store) -> None:
    (article,) = collect(store, story()).new
    occurrence, edition = add_occurrence(store)
    store.write(article_uses.reserve, edition, [article])
    assert prune(store).articles == 0
    store.write(occurrences.transition, occurrence, OccurrenceState.SENT, from_={OccurrenceState.SENDING}, now=NOW)
    assert prune(store).articles == 1


def test_pages_go_on_where_they_stopped_and_a_dry_run_writes_nothing(store: Store) -> None:
    ids = collect(store, *(story(number, body=f"{number} " * 50) for number in range(5))).new
    counted = store.read(article_pruning.prune, BEFORE, NOW, dry_run=True)
    assert counted.articles == 5
    first = prune(store, limit=2)
    assert first == Pruned(2, ids[1])
    assert prune(store, limit=2, after=ids[1]) == Pruned(2, ids[3])
    assert prune(store, limit=2, after=ids[3]) == Pruned(1, None)


def test_sketches_go_when_they_are_of_no_use_any_more(store: Store) -> None:
    collect(store, story(), days=16)
    (young,) = collect(store, story(2, body=BODY[::-1]), days=2).new
    assert store.write(article_pruning.prune_sketches, NOW) == 1
    assert store.write(article_pruning.prune_sketches, NOW) == 0
    left = store.read(
        lambda connection: set(connection.execute(select(tables.article_shingles.c.article_id)).scalars())
    )
    assert left == {young}
