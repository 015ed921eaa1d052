"""Which language each reader gets: the same in SQL and in Python, queued with it, and taken up anew when it changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, select, update

from newsletter.config.languages import language_among
from newsletter.model import RenderedKey
from newsletter.store import Store, fan_out, pieces, tables
from newsletter.store.claiming import claim
from newsletter.store.reader_language import reader_language
from tests.builders import NOW, add_occurrence, add_subscribers

OFFERED = [("en",), ("en", "hi", "ar"), ("en-IN", "pt", "pt-BR", "zh-Hant"), ("de", "de-AT")]
WANTED: tuple[str, ...] = (
    "",
    "en",
    "EN",
    "en-IN",
    "en-GB",
    "hi",
    "hi-IN",
    "hin",
    "h",
    "ar-EG",
    "pt",
    "pt-PT",
    "pt-br",
    "pt-BR-x-a",
)
WANTED += ("zh", "zh-Hant-TW", "zh-TW", "de-at", "de-CH", "fr", "%", "_i")


def speak(store: Store, languages: Mapping[int, str]) -> None:
    for reader, language in languages.items():
        change = update(tables.subscribers).where(tables.subscribers.c.id == reader).values(language=language)
        store.write(partial(Connection.execute, statement=change))


def keys(store: Store) -> dict[int, str]:
    rows = select(tables.deliveries.c.subscriber_id, tables.deliveries.c.rendered_key)
    return {row.subscriber_id: row.rendered_key for row in store.read(lambda c: c.execute(rows).all())}


def queue(store: Store, edition: int, *languages: str) -> None:
    store.write(fan_out.fan_out_page, edition, languages=languages, expires_at=NOW + timedelta(hours=8), now=NOW)


def claim_all(store: Store, languages: Mapping[str, Sequence[str]], newsletter: str = "daily") -> list[str]:
    found = store.write(
        claim,
        1,
        newsletters=[newsletter],
        limit=50,
        now=NOW,
        message_id_of=lambda edition, reader: f"<{reader}@x>",
        plans=("free", "member"),
        languages=languages,
    )
    return [str(row.rendered_key) for row in found.rows]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    {"hi-IN": "hi", "pt-BR": "pt-BR", "PT-pt": "pt", "zh-Hant-TW": "zh-Hant", "zh": "en", "": "en", "fr": "en"}.items(),
)
def test_a_reader_gets_her_language_or_a_more_general_one_else_the_newsletters_own(wanted: str, expected: str) -> None:
    assert language_among(wanted, ("en", "hi", "pt", "pt-BR", "zh-Hant")) == expected


@pytest.mark.parametrize("offered", OFFERED)
def test_the_store_decides_as_the_configuration_does(store: Store, offered: tuple[str, ...]) -> None:
    readers = add_subscribers(store, len(WANTED))
    speak(store, dict(zip(readers, WANTED, strict=True)))
    chosen = select(reader_language(offered)).select_from(tables.subscribers).order_by(tables.subscribers.c.id)
    found = store.read(lambda connection: connection.execute(chosen).scalars().all())
    assert found == [language_among(wanted, offered) for wanted in WANTED]


def test_each_reader_is_queued_with_her_language(store: Store) -> None:
    readers = add_subscribers(store, 4)
    speak(store, dict(zip(readers, ("", "hi-IN", "ar", "fr"), strict=True)))
    _, edition = add_occurrence(store)
    queue(store, edition, "en", "hi", "ar")
    assert list(keys(store).values()) == ["en/free", "hi/free", "ar/free", "en/free"]


def test_readers_named_by_hand_are_queued_with_their_language(store: Store) -> None:
    readers = add_subscribers(store, 2)
    speak(store, {readers[1]: "hi"})
    _, edition = add_occurrence(store)
    store.write(fan_out.add_recipients, edition, readers, languages=("en", "hi"), expires_at=NOW, now=NOW)
    assert list(keys(store).values()) == ["en/free", "hi/free"]


def test_a_language_changed_after_fan_out_is_taken_up_where_the_edition_has_it(store: Store) -> None:
    readers = add_subscribers(store, 3)
    _, edition = add_occurrence(store)
    queue(store, edition, "en", "hi", "ar")
    for key in ("en/free", "hi/free", "hi/member"):
        store.write(pieces.save, edition, 1, RenderedKey.parse(key), {"manifest": b"{}"})
    speak(store, dict(zip(readers, ("hi", "ar", "hi-IN"), strict=True)))
    third = update(tables.subscribers).where(tables.subscribers.c.id == readers[2]).values(plan="member")
    store.write(lambda connection: connection.execute(third))
    assert sorted(claim_all(store, {"daily": ("en", "hi", "ar")})) == ["en/free", "hi/free", "hi/member"]
    assert keys(store) == dict(zip(readers, ("hi/free", "en/free", "hi/member"), strict=True))


def test_a_language_of_another_revision_is_not_there(store: Store) -> None:
    (reader,) = add_subscribers(store, 1)
    _, edition = add_occurrence(store)
    queue(store, edition, "en", "hi")
    store.write(pieces.save, edition, 2, RenderedKey("hi", "free"), {"manifest": b"{}"})
    speak(store, {reader: "hi"})
    assert claim_all(store, {"daily": ("en", "hi")}) == ["en/free"]


def test_a_language_that_the_newsletter_gave_up_is_the_newsletters_own(store: Store) -> None:
    (reader,) = add_subscribers(store, 1)
    speak(store, {reader: "hi"})
    _, edition = add_occurrence(store)
    queue(store, edition, "en", "hi", "ar")
    store.write(pieces.save, edition, 1, RenderedKey("en", "free"), {"manifest": b"{}"})
    assert keys(store) == {reader: "hi/free"}
    assert claim_all(store, {"daily": ("en", "ar")}) == ["en/free"]


def test_each_newsletter_has_its_own_languages(store: Store) -> None:
    (reader,) = add_subscribers(store, 1, newsletters=("daily", "weekly"))
    for newsletter in ("daily", "weekly"):
        _, edition = add_occurrence(store, newsletter)
        queue(store, edition, "en", "hi")
        for key in ("en/free", "hi/free"):
            store.write(pieces.save, edition, 1, RenderedKey.parse(key), {"manifest": b"{}"})
    speak(store, {reader: "hi"})
    languages = {"daily": ("en", "hi"), "weekly": ("en", "ar")}
    assert claim_all(store, languages, "daily") == ["hi/free"]
    assert claim_all(store, languages, "weekly") == ["en/free"]
