"""``POST /api/subscribe``: the form as JSON, told nothing; and the whole API as its own document describes it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from newsletter.config.sign_up import SignUp
from newsletter.model import SystemMail
from newsletter.store import Store, api_tokens
from newsletter.store.api_tokens import Scope
from tests.builders import NOW, add_subscribers
from tests.support.web_server import a_site, served_in_a_thread
from tests.web.api_site import SOURCES
from tests.web.sign_up_site import Site, signing_up

ANN = "ann@readers.example"


@pytest.fixture
async def site(store: Store, tmp_path: Path) -> AsyncIterator[Site]:
    async with signing_up(store, tmp_path, embed_on=["https://shop.example/"]) as made:
        yield made


async def ask(site: Site, body: Any, **headers: str) -> tuple[int, Any, dict[str, str]]:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {"Content-Type": "application/json", **headers}
    async with site.client.post(f"{site.base}/api/subscribe", data=sent, headers=kind) as response:
        told = {name: value for name, value in response.headers.items() if name not in ("Date", "Content-Length")}
        return response.status, await response.json(), told


async def test_every_good_request_is_answered_alike_whoever_reads(site: Site) -> None:
    add_subscribers(site.store, 1)
    answers = [
        await ask(site, {"address": address, "newsletters": ["daily"]})
        for address in ("reader00001@readers.example", ANN, "info@readers.example")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][:2] == (202, {"status": "accepted"})
    assert [one.mail for one in site.outbox()] == [SystemMail.ALREADY, SystemMail.CONFIRM, SystemMail.CONFIRM]


async def test_what_is_wrong_is_one_problem_that_names_the_field(site: Site) -> None:
    good = {"address": ANN, "newsletters": ["daily"]}
    for body, status, word in (
        ({**good, "address": "ann"}, 422, "address"),
        ({**good, "newsletters": ["daily", "nothing"]}, 422, "newsletters"),
        ({**good, "newsletters": []}, 422, "newsletters"),
        ({**good, "website": "x"}, 422, "website"),
        ({**good, "language": "EN"}, 422, "language"),
        (b"{", 422, ""),
        (b"\xff", 422, ""),
    ):
        told, problem, headers = await ask(site, body)
        assert (told, problem["status"], headers["Content-Type"]) == (status, status, "application/problem+json")
        assert word in problem["detail"]
    assert (await ask(site, good, **{"Content-Type": "text/plain"}))[0] == 415
    assert site.outbox() == []


async def test_scripts_of_the_publishers_own_pages_alone_may_read_the_answer(site: Site) -> None:
    for origin, shared in (
        ("https://news.example", True),
        ("https://shop.example", True),
        ("https://e.test", False),
    ):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        async with site.client.options(f"{site.base}/api/subscribe", headers=asked) as response:
            assert response.status == 204
            assert response.headers.get("Access-Control-Allow-Origin") == (origin if shared else None)
            assert "Access-Control-Allow-Credentials" not in response.headers
        _, _, headers = await ask(site, {"address": ANN, "newsletters": ["daily"]}, Origin=origin)
        assert headers.get("Access-Control-Allow-Origin") == (origin if shared else None)


async def test_a_network_that_asks_too_often_is_refused(store: Store, tmp_path: Path) -> None:
    async with signing_up(store, tmp_path, requests_per_client=2) as site:
        asked = [await ask(site, {"address": f"a{n}@readers.example", "newsletters": ["daily"]}) for n in range(3)]
        assert [one[0] for one in asked] == [202, 202, 429]
        assert asked[2][2]["Retry-After"] == "3600"


@pytest.fixture
def described(tmp_path: Path, migrated_sqlite: Path) -> Iterator[schemathesis.BaseSchema]:
    """The document of a served site where anybody may ask as often as she likes."""
    (tmp_path / "newsletter.db").write_bytes(migrated_sqlite.read_bytes())
    site = a_site(tmp_path, sources=SOURCES)
    often = SignUp(requests_per_client=100_000)
    site = replace(site, schedules=site.schedules.model_copy(update={"sign_up": often}))
    with Store.open(f"sqlite:///{tmp_path}/newsletter.db") as store:
        token = api_tokens.token_of(b"t" * 32)
        store.write(api_tokens.add, token, name="all", scopes=tuple(Scope), sources=(), now=NOW)
        with served_in_a_thread(site, store) as base:
            document = schemathesis.openapi.from_url(f"{base}/openapi.json")
            document.config.update(headers={"Authorization": f"Bearer {token}"})
            yield document


def test_no_request_breaks_the_api_or_is_answered_by_what_its_document_does_not_say(
    described: schemathesis.BaseSchema,
) -> None:
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    told: dict[str, set[int]] = {}
    for found in described.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        good, bad = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

        @given(case=good | bad)
        @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
        def ask(case: schemathesis.Case[Any]) -> None:
            answer = case.call_and_validate(checks=checks)
            told.setdefault(case.operation.label, set()).add(answer.status_code)

        ask()
    assert told.keys() == {"GET /health", "POST /api/articles", "POST /api/sources/{name}/poll", "POST /api/subscribe"}
    assert 200 in told["POST /api/articles"]
    assert told["POST /api/subscribe"] >= {202, 422}
