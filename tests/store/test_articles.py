"""What the store remembers of articles, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from newsletter.model import Article, Picture, RevisionKind
from newsletter.store import Store, articles, tables
from newsletter.store.articles import Identity, IdentityKind, Known, Remembered, Remembrance
from tests.builders import NOW, an_incoming_article

LATER = NOW + timedelta(hours=1)


def known_by(*values: str) -> tuple[Identity, ...]:
    kinds = {"u": IdentityKind.URL, "g": IdentityKind.GUID}
    return tuple(Identity(kinds[value[0]], value) for value in values)


def one(*values: str, sketch: tuple[int, ...] = (), eligible: bool = True, **changes: Any) -> Remembrance:
    return Remembrance(an_incoming_article(**changes), known_by(*(values or ("u1", "g1"))), sketch, eligible)


def remember(store: Store, *batch: Remembrance, now: datetime = NOW) -> Remembered:
    return store.write(articles.remember, batch, now=now)


def stored(store: Store) -> list[Article]:
    return store.read(articles.list_articles)


def test_an_article_comes_back_as_it_was_given(store: Store) -> None:
    picture = Picture("https://news.example/p.jpg", "Caption", "Credit", "Alt", "abc.jpg", 1280, 720)
    given = an_incoming_article(images=(picture,), tags=("rain", "தமிழ்"), language="en", dateline="Chennai")
    remembered = remember(store, Remembrance(given, known_by("u1")))
    article = store.read(articles.get, remembered.new[0])
    assert article is not None
    for name in ("url", "guid", "headline", "standfirst", "authors", "tags", "images", "body_html", "access"):
        assert getattr(article, name) == getattr(given, name)
    assert (article.published_at, article.first_seen_at) == (given.published_at, NOW)
    assert (article.revision, article.revision_kind, article.eligible) == (1, RevisionKind.FIRST, True)


def test_the_same_again_changes_nothing(store: Store) -> None:
    first = remember(store, one())
    before = stored(store)
    assert remember(store, one(), now=LATER) == Remembered(unchanged=first.new)
    assert stored(store) == before
    assert store.read(articles.revisions, first.new[0]) == []


@pytest.mark.parametrize("identities", [("u1", "g2"), ("u2", "g1"), ("g1",), ("u1",)])
def test_an_article_is_known_by_its_url_or_its_guid(store: Store, identities: tuple[str, ...]) -> None:
    (first,) = remember(store, one("u1", "g1")).new
    assert remember(store, one(*identities)).unchanged == (first,)


def test_what_an_article_was_ever_known_by_leads_to_it(store: Store) -> None:
    (first,) = remember(store, one("u1", "g1")).new
    remember(store, one("u1", "g2"))
    remember(store, one("u2", "g2"))
    assert remember(store, one("u2", "g3")).new == ()
    assert [article.id for article in stored(store)] == [first]


def test_url_and_guid_of_two_articles_are_settled_by_the_url(store: Store) -> None:
    by_url, by_guid = remember(store, one("u1"), one("g1", guid="other")).new
    assert remember(store, one("u1", "g1")).unchanged == (by_url,)
    assert remember(store, one("g1", guid="other")).unchanged == (by_guid,)


def test_a_corrected_headline_is_a_correction(store: Store) -> None:
    (first,) = remember(store, one()).new
    assert remember(store, one(headline="Dam opens gates"), now=LATER).changed == (first,)
    (article,) = stored(store)
    assert (article.headline, article.revision, article.revision_kind) == (
        "Dam opens gates",
        2,
        RevisionKind.CORRECTION,
    )
    assert article.first_seen_at == NOW
    kept = store.read(articles.revisions, first)
    assert [(revision.revision, revision.kind, revision.seen_at) for revision in kept] == [
        (1, RevisionKind.FIRST, NOW),
        (2, RevisionKind.CORRECTION, LATER),
    ]
    assert [revision.content["headline"] for revision in kept] == [an_incoming_article().headline, "Dam opens gates"]


def test_much_new_text_is_an_update(store: Store) -> None:
    remember(store, one())
    remember(store, one(body_text="Many more words arrived about the flood. " * 10))
    assert stored(store)[0].revision_kind is RevisionKind.UPDATE


def test_another_section_is_no_revision(store: Store) -> None:
    remember(store, one())
    assert len(remember(store, one(section="World", tags=("x",))).changed) == 1
    assert (stored(store)[0].section, stored(store)[0].revision) == ("World", 1)


def test_another_source_adds_a_name_but_does_not_revise(store: Store) -> None:
    (first,) = remember(store, one("u1", "g1")).new
    other = one("u1", "g9", source="agency", headline="Another headline")
    assert remember(store, other).unchanged == (first,)
    assert stored(store)[0].headline == an_incoming_article().headline
    assert remember(store, one("g9")).unchanged == (first,)


def test_our_copy_of_a_picture_outlives_the_next_collection(store: Store) -> None:
    theirs = Picture("https://news.example/p.jpg", "Caption")
    remember(store, one(images=(replace(theirs, media="abc.jpg", width=1280, height=720),)))
    assert remember(store, one(images=(theirs,))).changed == ()
    remember(store, one(images=(replace(theirs, caption="New"),)))
    assert (stored(store)[0].images[0].media, stored(store)[0].images[0].caption) == ("abc.jpg", "New")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, NOW),
        (datetime(1970, 1, 1, tzinfo=UTC), NOW),
        (NOW + timedelta(days=31), NOW),
        (NOW + timedelta(days=2), NOW + timedelta(days=2)),
        (NOW + timedelta(hours=12), NOW + timedelta(hours=12)),
        (datetime(1995, 1, 1, tzinfo=UTC), datetime(1995, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_date_that_cannot_be_is_when_we_saw_it(store: Store, given: datetime | None, kept: datetime) -> None:
    remember(store, one(published_at=given, updated_at=None))
    assert (stored(store)[0].published_at, stored(store)[0].updated_at) == (kept, kept)


def test_a_new_date_alone_is_not_a_change(store: Store) -> None:
    remember(store, one())
    assert remember(store, one(published_at=LATER, updated_at=LATER), now=LATER).changed == ()


def test_the_match_decides_and_is_shown_what_shares_the_words(store: Store) -> None:
    remember(store, one("u1", sketch=(1, -(2**63), 3)))
    shown: list[IdentityKind] = []

    def match(_one: Remembrance, known: Any, _now: datetime) -> Known | None:
        shown.extend(each.by for each in known)
        return None

    added = store.write(articles.remember, [one("u2", sketch=(1, -(2**63), 9))], now=NOW, match=match)
    store.write(articles.remember, [one("u3", sketch=(1, 7, 9))], now=NOW, match=match)
    assert len(added.new) == 1
    assert shown == [IdentityKind.WORDS, IdentityKind.WORDS]


def test_two_collections_at_once_add_a_story_once(store: Store) -> None:
    second = threading.Thread(target=remember, args=(store, one("u1", "g2", source="world")))

    def first(connection: Connection) -> None:
        articles.remember(connection, [one("u1", "g1")], now=NOW)
        second.start()
        second.join(timeout=0.5)  # it must wait for us, so this ends by the timeout

    store.write(first)
    second.join()
    assert len(stored(store)) == 1


def test_known_articles_are_found_by_their_place_in_a_batch(store: Store) -> None:
    (first,) = remember(store, one("u1")).new
    found = store.read(articles.known_articles, [one("u7"), one("u1", "g7")])
    assert {index: article.id for index, article in found.items()} == {1: first}


def test_lists_are_newest_first_and_go_on_where_they_stopped(store: Store) -> None:
    ids = remember(store, *(one(f"u{number}") for number in range(5))).new
    remember(store, one("u9", source="agency", section="World"))
    page = store.read(articles.list_articles, source="front", limit=3)
    assert [article.id for article in page] == list(reversed(ids))[:3]
    assert [a.id for a in store.read(articles.list_articles, source="front", before_id=page[-1].id)] == [ids[1], ids[0]]
    assert [article.source for article in store.read(articles.list_articles, section="world")] == ["agency"]
    assert set(store.read(articles.get_many, ids)) == set(ids)
    assert store.read(articles.get, 99_999) is None


def test_what_may_be_sent_is_eligible_unused_and_newest_first(store: Store) -> None:
    old, new, same_time, unseen = remember(
        store,
        one("u1", published_at=NOW - timedelta(hours=9)),
        one("u2", published_at=NOW - timedelta(hours=1)),
        one("u3", published_at=NOW - timedelta(hours=1)),
        one("u4", eligible=False),
    ).new
    long_ago = NOW - timedelta(days=9)
    (ancient,) = remember(store, one("u5", published_at=long_ago), now=long_ago).new
    (retracted,) = remember(store, one("u6")).new
    store.write(_retract, retracted)

    def unused(cohort: str = "", stream: str = "each", newsletter: str = "daily", limit: int = 10) -> list[int]:
        found = store.read(
            articles.unused_articles,
            newsletter=newsletter,
            stream=stream,
            cohort=cohort,
            first_seen_after=NOW - timedelta(days=3),
            limit=limit,
        )
        return [article.id for article in found]

    assert unused() == [new, same_time, old]
    assert unused(limit=1) == [new]
    store.write(_use, new)
    assert unused() == [same_time, old]
    assert unused(cohort="Asia/Kolkata@07:00") == [same_time, old], "who is in a cohort now had what everybody had"
    assert unused(stream="weekly") == unused(newsletter="other")
    assert new in unused(newsletter="other")
    store.write(articles.make_eligible, unseen)
    assert unseen in unused()
    assert ancient not in unused()


def test_a_change_of_a_few_words_is_a_correction_however_short_the_story() -> None:
    before = an_incoming_article(standfirst="", body_text="Three were hurt.")
    after = replace(before, body_text="Four were hurt.")
    assert articles.kind_of_change(before, after) is RevisionKind.CORRECTION
    assert articles.kind_of_change(before, replace(before, section="Other")) is None


def test_spaces_and_the_shapes_of_quotation_marks_are_no_revision(store: Store) -> None:
    remember(store, one(body_text='He said: "It\'s over" - and left...', headline="It's over"))
    typeset = "He said:\u00a0\u201cIt\u2019s over\u201d \u2013\n\nand  left\u2026"
    assert len(remember(store, one(body_text=typeset, headline="It\u2019s over")).changed) == 1
    assert (stored(store)[0].revision, stored(store)[0].body_text) == (1, typeset)
    remember(store, one(body_text=typeset.replace("left", "stayed"), headline="It\u2019s over"))
    assert stored(store)[0].revision == 2


def test_a_body_that_comes_later_is_no_update_and_one_that_is_lost_stays(store: Store) -> None:
    full = "Many more words arrived about the flood. " * 10
    remember(store, one(body_text="", body_html=""))
    remember(store, one(body_text=full, body_html="<p>f</p>"))
    assert (stored(store)[0].revision, stored(store)[0].body_text) == (1, full)
    assert remember(store, one(body_text="", body_html="")).unchanged
    assert stored(store)[0].body_text == full


def test_an_embargoed_article_waits_and_its_hour_may_be_moved(store: Store) -> None:
    hour = NOW + timedelta(days=5)
    (waiting,) = remember(store, one(published_at=hour, updated_at=None)).new
    remember(store, one(published_at=hour + timedelta(days=1), updated_at=None), now=LATER)
    assert stored(store)[0].published_at == hour + timedelta(days=1)
    remember(store, one(published_at=LATER, updated_at=None), now=LATER)
    article = stored(store)[0]
    assert (article.id, article.published_at, article.revision) == (waiting, LATER, 1)
    assert remember(store, one(published_at=NOW, updated_at=None), now=LATER).unchanged == (waiting,)


def test_what_waited_for_its_hour_may_be_sent_after_it(store: Store) -> None:
    hour = NOW + timedelta(days=20)
    (waiting,) = remember(store, one(published_at=hour)).new
    assert _unused(store, hour - timedelta(days=3)) == [waiting]
    assert _unused(store, hour + timedelta(seconds=1)) == []


def test_a_retracted_article_is_in_no_edition_until_it_is_back(store: Store) -> None:
    (article,) = remember(store, one()).new
    assert store.write(articles.retract, article, "410 Gone", LATER)
    assert not store.write(articles.retract, article, "again", LATER)
    assert _unused(store, NOW) == []
    assert remember(store, one(), now=LATER).unchanged == (article,)
    assert store.write(articles.reinstate, article, LATER)
    assert not store.write(articles.reinstate, article, LATER)
    assert _unused(store, NOW) == [article]
    kinds = [revision.kind for revision in store.read(articles.revisions, article)]
    assert kinds == [RevisionKind.FIRST, RevisionKind.RETRACTION, RevisionKind.CORRECTION]
    assert not store.write(articles.retract, 99_999, "unknown", LATER)


def _unused(store: Store, first_seen_after: datetime) -> list[int]:
    found = store.read(
        articles.unused_articles,
        newsletter="daily",
        stream="each",
        cohort="",
        first_seen_after=first_seen_after,
        limit=10,
    )
    return [article.id for article in found]


def _retract(connection: Connection, article_id: int) -> None:
    table = tables.articles
    connection.execute(table.update().where(table.c.id == article_id).values(retracted_at=NOW))


def _use(connection: Connection, article_id: int) -> None:
    keys = {"newsletter": "daily", "stream": "each", "occurrence": "2026-11-23/1"}
    occurrence = insert(tables.occurrences).values(**keys, due_at=NOW, compose_at=NOW, created_at=NOW, changed_at=NOW)
    occurrence_id = connection.execute(occurrence.returning(tables.occurrences.c.id)).scalar_one()
    edition = insert(tables.editions).values(
        **keys, occurrence_id=occurrence_id, due_at=NOW, sections=[], composed_at=NOW
    )
    edition_id = connection.execute(edition.returning(tables.editions.c.id)).scalar_one()
    connection.execute(
        insert(tables.article_uses).values(
            newsletter="daily", stream="each", cohort="", article_id=article_id, edition_id=edition_id
        )
    )
