"""Pushing articles over a real server: what comes of them, what is told of each, and what nobody can do with them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, timedelta

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from newsletter.model import Access
from newsletter.store import articles, sources
from newsletter.store.sources import Outcome
from newsletter.web.api import MAX_PUSH
from tests.builders import NOW
from tests.web.api_site import FERRY, URL, Api


async def test_a_pushed_article_is_new_then_unchanged_then_changed_and_is_one(api: Api) -> None:
    token = api.token()
    told = await api.push(FERRY, token)
    (stored,) = api.articles()
    assert (told.status, told.json) == (200, {"url": URL, "id": stored.id, "outcome": "new"})
    assert (stored.source, stored.section, stored.language, stored.access) == ("cms", "News", "en", Access.FREE)
    assert (stored.body_html, stored.eligible) == ("<p>It sails at nine.</p>", True)
    told = await api.push(FERRY | {"url": f"{URL}?utm_source=cms", "guid": None}, token)
    assert (told.json["id"], told.json["outcome"]) == (stored.id, "changed")  # its address was written anew
    assert (await api.push(FERRY, token)).json["outcome"] == "changed"
    again = await api.push(FERRY, token)
    assert again.json == {"url": URL, "id": stored.id, "outcome": "unchanged"}
    told = await api.push(FERRY | {"headline": "The island has a ferry"}, token)
    assert told.json == {"url": URL, "id": stored.id, "outcome": "changed"}
    assert [one.headline for one in api.articles()] == ["The island has a ferry"]


async def test_a_batch_answers_in_order_and_a_bad_article_costs_only_itself(api: Api) -> None:
    stories = [FERRY | {"url": f"{URL}/{n}", "headline": f"Ferry {n} is launched"} for n in range(60)]
    stories[7] = {"url": "javascript:alert(1)", "headline": "No address", "source": "cms"}
    stories[9] = {"source": "cms", "url": f"{URL}/9", "headlin": "Misspelt"}
    stories.append(stories[3])  # the same article twice, as a CMS sends it that was saved twice
    told = await api.push(stories, api.token())
    assert told.status == 200
    outcomes = [one["outcome"] for one in told.json]
    refused = {7, 9}
    assert outcomes == ["refused" if n in refused else "new" for n in range(60)] + ["unchanged"]
    assert [one["url"] for one in told.json] == [story["url"] for story in stories]
    assert "not an http or https URL" in told.json[7]["error"]
    assert "Did you mean 'headline'?" in told.json[9]["error"]
    assert told.json[9]["id"] is None
    assert {"error"} == set(told.json[9]) - set(told.json[3])
    assert told.json[60]["id"] == told.json[3]["id"]
    assert len(await asyncio.to_thread(api.store.read, articles.list_articles, limit=100)) == 58


async def test_two_articles_of_one_batch_that_share_their_words_or_guid_are_told_apart_by_url(api: Api) -> None:
    words = "Letters to the editor: what our readers wrote to us this week about the new ferry and its harbour."
    column = {"source": "cms", "guid": "column", "headline": "Letters", "body_text": words * 3}
    other = "The council voted on parking fees in the old town after a long debate that ended in a draw at night."
    pair = [column | {"url": f"{URL}/a"}, column | {"url": f"{URL}/b", "headline": "Parking", "body_text": other * 3}]
    told = await api.push(pair, api.token())
    assert [one["outcome"] for one in told.json] == ["new", "new"]


async def test_what_holds_nothing_usable_is_one_problem_and_stores_nothing(api: Api) -> None:
    token = api.token()
    for body, words in (
        (b"{", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff", "not UTF-8"),
        (b"7", "neither an article"),
        (b"", "not JSON"),
        ([FERRY] * 101, "at most 100 articles"),
        (FERRY | {"headline": ""}, "headline: it is missing"),
        (FERRY | {"source": "front"}, "'front' is none that this token may push to. It may push to: cms, wire, hasty"),
        (FERRY | {"source": "\x00"}, "source: '' is none that this token may push to"),
        ({"url": URL, "headline": "x"}, "source: it is missing"),
        (b'{"url": "https://a.example/b", "url": "https://a.example/c"}', "there twice"),
    ):
        told = await api.push(body, token)
        assert told.status == 422
        assert words in told.detail, told
        assert len(told.detail.splitlines()) == 1
    several = await api.push([{"url": f"{URL}/1"}, 7], token)
    assert (several.status, several.detail) == (422, "headline: it is missing")
    assert [one["outcome"] for one in several.json["articles"]] == ["refused", "refused"]
    assert (await api.push([], token)).json == []
    assert api.articles() == []


async def test_a_retraction_is_of_ones_own_article_alone(api: Api) -> None:
    cms, wire = api.token("cms"), api.token("wire")
    article_id = (await api.push(FERRY, cms)).json["id"]
    taken_back = {"url": f"{URL}?utm_medium=x", "retracted": True}
    assert "came from another source" in (await api.push(taken_back, wire)).detail
    assert "no article with this URL" in (await api.push({"url": f"{URL}/2", "retracted": True}, cms)).detail
    assert [one.retracted_at for one in api.articles()] == [None]
    for _ in range(2):
        told = await api.push(taken_back, cms)
        assert (told.json["outcome"], told.json["id"]) == ("retracted", article_id)
    assert [one.retracted_at for one in api.articles()] == [NOW]
    assert (await api.push(FERRY, cms)).json["outcome"] == "changed"
    assert [one.retracted_at for one in api.articles()] == [None]


async def test_an_url_is_one_article_whatever_is_rewritten_under_it(api: Api) -> None:
    token = api.token()
    first = FERRY | {"guid": "1", "published_at": "2026-11-20T09:00:00Z", "body_text": "It sails at nine. " * 30}
    other = {
        "guid": "2",
        "headline": "Fog",
        "published_at": "2026-11-23T05:00:00Z",
        "body_html": "<p>No ship left.</p>",
    }
    assert (await api.push(first, token)).json["outcome"] == "new"
    assert (await api.push(first | other, token)).json["outcome"] == "changed"
    assert [one.headline for one in api.articles()] == ["Fog"]


async def test_an_article_of_the_future_waits_also_when_it_is_pushed_again_without_its_date(api: Api) -> None:
    token = api.token()
    await api.push(FERRY | {"published_at": "2026-11-24T06:00:00Z"}, token)
    assert (await api.push(FERRY, token)).json["outcome"] == "unchanged"
    assert [one.published_at for one in api.articles()] == [NOW + timedelta(days=1)]
    await api.push(FERRY | {"url": f"{URL}/2", "headline": "From 2091", "published_at": "2091-01-01T00:00Z"}, token)
    assert (api.articles()[0].published_at, api.articles()[0].warning[:16]) == (NOW, "dated 2091-01-01")


async def test_the_same_article_pushed_many_times_at_once_is_one(api: Api) -> None:
    token = api.token()
    told = await asyncio.gather(*(api.push([FERRY], token) for _ in range(8)))
    assert sorted(one.json[0]["outcome"] for one in told) == ["new"] + ["unchanged"] * 7
    assert len({one.json[0]["id"] for one in told}) == 1
    assert len(api.articles()) == 1


async def test_an_articles_first_source_alone_changes_it(api: Api) -> None:
    await api.push(FERRY, api.token("cms"))
    told = await api.push(FERRY | {"source": "wire", "headline": "Ours now"}, api.token("wire"))
    assert told.json["outcome"] == "unchanged"
    assert [one.headline for one in api.articles()] == ["A ferry for the island"]


async def test_a_time_without_a_zone_is_the_sources_own(api: Api) -> None:
    token = api.token("cms", "front")
    for n, (source, said, hour) in enumerate(
        (
            ("cms", "2026-11-22T07:30:00", 2),  # the source's own zone
            ("front", "2026-11-22T07:30:00", 2),  # the site's, Asia/Kolkata
            ("cms", "2026-11-22T07:00:00-05:00", 12),
            ("cms", "2026-11-22T07:00:00Z", 7),
        )
    ):
        story = FERRY | {"source": source, "url": f"{URL}/{n}", "headline": f"Ferry {n} sails", "published_at": said}
        told = await api.push(story, token)
        stored = api.store.read(articles.get, told.json["id"])
        assert stored is not None
        assert stored.published_at.astimezone(UTC).hour == hour


async def test_nothing_live_and_no_second_line_gets_in(api: Api) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\r\nBcc: all@readers.example\x00\ud83d"
    told = await api.push(
        FERRY
        | {
            **dict.fromkeys(("headline", "standfirst", "dateline", "section", "teaser", "guid"), evil),
            "authors": [evil],
            "tags": [evil],
            "body_html": f'<p onclick="x">Hi<a href="javascript:alert(1)">there</a>{evil}</p><form action=/x>',
            "images": [{"url": "https://img.example/f.jpg", "caption": evil, "alt": evil}],
        },
        api.token(),
    )
    assert told.status == 200
    (stored,) = api.articles()
    for live in ("script", "onclick", "onerror", "javascript:", "<form", "\x00"):
        assert live not in stored.body_html
    lines = (stored.headline, stored.standfirst, stored.dateline, stored.section, stored.teaser, stored.guid)
    for line in (*lines, *stored.authors, *stored.tags, stored.images[0].caption, stored.images[0].alt):
        assert not set(line) & set("\x00\ud83d")
    for line in (*lines[:-1], *stored.authors, *stored.tags, stored.images[0].caption, stored.images[0].alt):
        assert not set(line) & set("\r\n")


async def test_html_that_keeps_the_parser_busy_costs_its_own_article_alone(api: Api) -> None:
    slow = FERRY | {
        "source": "hasty",
        "url": f"{URL}/slow",
        "body_html": "<div>" * 79_000,
    }  # nh3 alone needs 20 s for it
    told = await api.push([FERRY, slow, FERRY | {"url": f"{URL}/b", "headline": "Another ferry"}], api.token())
    assert [one["outcome"] for one in told.json] == ["new", "refused", "new"]
    assert "took longer than 1 s" in told.json[1]["error"]


async def test_a_body_is_json_as_it_stands_and_at_most_five_megabytes(api: Api) -> None:
    token = api.token()
    bearer = ("Authorization", f"Bearer {token}")
    body = json.dumps(FERRY).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "text/json", "application/problem+json"):
        told = await api.ask("/api/articles", body, bearer, ("Content-Type", kind))
        assert (told.status, told.detail) == (415, "send Content-Type: application/json")
    as_json = ("Content-Type", "application/json")
    packed = await api.ask("/api/articles", body, bearer, as_json, ("Content-Encoding", "br"))
    assert (packed.status, packed.headers["Accept-Encoding"]) == (415, "identity")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_PUSH // 50_000 + 2):
            yield b" " * 50_000

    for large in (b" " * (MAX_PUSH + 1), endless()):
        try:
            told = await api.ask("/api/articles", large, bearer, as_json)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            continue  # the server hung up while we were still writing, which is as good
        assert (told.status, told.detail) == (413, "the body is larger than this address takes")
    story = FERRY | {"body_html": "<p>" + "It sails at nine. " * 20_000 + "</p>"}
    batch = [story | {"url": f"{URL}/{n}", "headline": f"Story number {n}"} for n in range(13)]
    assert len(json.dumps(batch)) > 0.9 * MAX_PUSH
    assert (await api.push(batch, token)).status == 200


async def test_a_store_that_fails_is_a_problem_that_may_be_tried_again(api: Api) -> None:
    token = api.token()
    api.store.write(lambda connection: connection.execute(text("ALTER TABLE article_identities RENAME TO gone")))
    told = await api.push(FERRY, token)
    assert (told.status, told.detail) == (503, "the fault is ours; please try again in a minute")
    assert told.headers["Retry-After"] == "60"


async def test_a_push_is_kept_with_its_source_and_so_is_what_was_wrong_with_it(api: Api) -> None:
    token = api.token()
    await api.push([FERRY, FERRY | {"url": f"{URL}/2", "headline": "Another ferry"}], token)
    row = api.store.read(sources.get, "cms")
    assert row is not None
    assert (row.kind, row.last_success_at, row.last_error, row.next_due_at) == ("push", NOW, "", None)
    (fetch,) = api.store.read(sources.last_fetches, "cms")
    assert (fetch.outcome, fetch.new, fetch.changed, fetch.unchanged) == (Outcome.COLLECTED, 2, 0, 0)
    wrong = {"source": "cms", "url": URL, "headline": "x", "section": 7}
    await api.push(wrong, token)
    row = api.store.read(sources.get, "cms")
    assert row is not None
    assert row.last_error == f"1 of 1 refused. {URL}: section: Input should be a valid string"
    assert row.failures == 1
    assert json.loads(api.store.read(sources.error_body, "cms")) == wrong
    await api.push(FERRY, token)
    assert api.store.read(sources.error_body, "cms") == b""


def _bodies() -> list[bytes]:
    """Bodies of every kind, near an article and far from it; the same ones each time."""
    found: list[bytes] = []
    words = st.text(st.characters(codec=None), max_size=40)
    value = st.none() | st.booleans() | st.floats() | st.integers() | words | st.lists(words, max_size=2)
    story = st.fixed_dictionaries(
        {"url": st.just(URL) | words, "headline": words, "source": st.sampled_from(["cms", "wire", "front"]) | words},
        optional=dict.fromkeys(("guid", "body_html", "published_at", "tags", "images", "retracted"), value | words),
    )

    @settings(max_examples=40, database=None, derandomize=True)
    @given(
        st.binary(max_size=99) | (story | value | st.lists(story, max_size=3)).map(lambda one: json.dumps(one).encode())
    )
    def gather(body: bytes) -> None:
        found.append(body)

    gather()
    return found


async def test_whatever_is_pushed_is_answered_in_json_and_never_breaks_anything(api: Api) -> None:
    token = api.token()
    for body in _bodies():
        told = await api.push(body, token)
        assert told.status in (200, 422), (body, told)
    assert (await api.push(FERRY, token)).status == 200
