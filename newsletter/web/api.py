"""The API for a CMS: ``POST /api/articles`` pushes articles, ``POST /api/sources/NAME/poll`` says "look now".

Both need a token (``bearer``); what is not done is answered as a problem (``problems``). No cookies, no CORS, nothing
cacheable. Reading what was pushed and storing it is ``collect.pushing``'s; the contract is in docs/api.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

import structlog
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from newsletter.collect.parsing import Parser
from newsletter.collect.pushed import MAX_BATCH, PushedArticle
from newsletter.collect.pushing import Outcome, Receipt, Result, receive
from newsletter.config.models import Source
from newsletter.errors import SourceError
from newsletter.store import sources
from newsletter.store.api_tokens import ApiToken, Scope
from newsletter.web import bearer
from newsletter.web.pages import Pages
from newsletter.web.problems import NOT_KEPT, Problem, ProblemDetails

MAX_PUSH = 5_000_000
ARTICLES = "/api/articles"
LIMITS = {ARTICLES: MAX_PUSH}
"""Which addresses take larger bodies than the pages do, in bytes."""

_SCHEMAS = "#/components/schemas/"
_TOKEN = "token"  # noqa: S105 - what the scheme is called

# Said by hand: where FastAPI reads a parameter itself, it documents errors that never come.
_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}, "description": "The source's"}

log = structlog.get_logger()


class PushedResult(BaseModel):
    """What became of one article."""

    url: str
    id: int | None = Field(description="Its number here, as `newsletter articles show` takes it; null where refused")
    outcome: Literal["new", "changed", "unchanged", "retracted", "refused"]
    error: str | None = Field(None, description="Why it was refused, in one line; only then")


class PollAnswer(BaseModel):
    """When a source will be looked at."""

    source: str
    due: datetime = Field(description="ISO 8601, UTC")


def routes(pages: Pages, parser: Parser) -> APIRouter:
    """The routes of this module. ``parser`` is where pushed HTML is read."""
    router = APIRouter(tags=["api"])
    configured = pages.schedules.sources

    @router.post(
        ARTICLES,
        operation_id="push_articles",
        summary="Push an article, or a batch of them",
        responses=_responses(
            {200: {"model": PushedResult | list[PushedResult], "description": "What became of each"}},
            {413: f"More than {MAX_PUSH:,} bytes", 415: "Not application/json", 422: "Nothing in it was usable"},
        ),
        openapi_extra={"requestBody": _request_body(), "security": [{_TOKEN: [Scope.ARTICLES_WRITE.value]}]},
    )
    async def push(request: Request) -> Response:
        token = await bearer.permitted(pages, request, Scope.ARTICLES_WRITE)
        body = await _json(request)
        try:
            receipt = await receive(
                body,
                allowed=_allowed(token, configured),
                default=token.sources[0] if len(token.sources) == 1 else "",
                zone=pages.schedules.site.timezone,
                store=pages.store,
                parser=parser,
                now=pages.clock(),
            )
        except SourceError as error:
            log.warning("a push could not be read", token=token.name, error=str(error))
            raise Problem(503, "it could not be read just now; try again", headers={"Retry-After": "60"}) from error
        _log(token, receipt)
        return _pushed(receipt)

    @router.post(
        "/api/sources/{name}/poll",
        operation_id="poll_source",
        summary="Have a source looked at now",
        status_code=202,
        response_model=PollAnswer,
        responses=_responses({}, {404: "There is no such source", 409: "It was retired, or articles are pushed to it"}),
        openapi_extra={"parameters": [_NAME], "security": [{_TOKEN: [Scope.SOURCES_POLL.value]}]},
    )
    async def poll(request: Request) -> Response:
        token = await bearer.permitted(pages, request, Scope.SOURCES_POLL)
        name = request.path_params["name"]
        if token.sources and name not in token.sources:
            raise bearer.insufficient("this token is for other sources", Scope.SOURCES_POLL)
        source = configured.get(name)
        if source is None:
            raise Problem(404, "there is no source of that name")
        if source.push:
            raise Problem(409, f"articles are pushed to '{name}'; there is nothing to look at")
        now = pages.clock()
        row = await pages.store.write_async(sources.request_poll, name, source.kind, source.location, now)
        if row.retired_at is not None and (row.kind, row.location) == (source.kind, source.location):
            raise Problem(409, f"'{name}' was retired: it answered 410 Gone. `newsletter collect {name}` asks it again")
        due = max(filter(None, (row.poll_requested_at, row.not_before)), default=now)
        return _answer({"source": name, "due": due.isoformat().replace("+00:00", "Z")}, 202)

    return router


def describe(app: FastAPI) -> None:
    """Put into the OpenAPI document what is read from the body by hand, and how one authenticates."""
    made: Callable[[], dict[str, Any]] = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        components = document.setdefault("components", {})
        schema = PushedArticle.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
        components.setdefault("schemas", {}).update(
            {
                **schema.pop("$defs", {}),
                PushedArticle.__name__: schema,
                ProblemDetails.__name__: ProblemDetails.model_json_schema(),
            }
        )
        components["securitySchemes"] = {
            _TOKEN: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "nlt_…",
                "description": "Made by `newsletter tokens add NAME`; its scopes are named at each operation",
            }
        }
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _allowed(token: ApiToken, configured: dict[str, Source]) -> dict[str, Source]:
    """The sources a token may push to: those it names, of any kind; where it names none, those of kind push."""
    if token.sources:
        return {name: configured[name] for name in token.sources if name in configured}
    return {name: source for name, source in configured.items() if source.push}


async def _json(request: Request) -> bytes:
    """The body, which says that it is JSON and is not packed. Raises Problem 415; too large a one is refused on its
    way in (``protection``)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "send Content-Type: application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        # RFC 9110 section 15.5.16: say which codings are taken.
        raise Problem(415, "send it without Content-Encoding", headers={"Accept-Encoding": "identity"})
    return await request.body()


def _pushed(receipt: Receipt) -> Response:
    results = [_plain(result) for result in receipt.results]
    refused = [result for result in receipt.results if result.outcome is Outcome.REFUSED]
    if receipt.fault:
        raise Problem(422, receipt.fault)
    if results and len(refused) == len(results):
        raise Problem(422, refused[0].error, more={"articles": results})
    return _answer(results if receipt.batch else results[0], 200)


def _plain(result: Result) -> dict[str, Any]:
    plain = {**asdict(result), "outcome": result.outcome.value}
    if not result.error:
        del plain["error"]
    return plain


def _answer(content: Any, status: int) -> Response:
    return Response(
        json.dumps(content, ensure_ascii=False), status, headers=dict(NOT_KEPT), media_type="application/json"
    )


def _log(token: ApiToken, receipt: Receipt) -> None:
    counts: dict[str, int] = {}
    for result in receipt.results:
        counts[result.outcome.value] = counts.get(result.outcome.value, 0) + 1
    log.info("pushed", token=token.name, fault=receipt.fault, **counts)


def _responses(good: dict[int | str, dict[str, Any]], bad: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    said = {400: "More than one token", 401: "No token, or none that is known", 403: "A token for something else"}
    problem = {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}{ProblemDetails.__name__}"}}}
    return good | {status: {"description": words, "content": problem} for status, words in sorted((said | bad).items())}


def _request_body() -> dict[str, Any]:
    article = {"$ref": f"{_SCHEMAS}{PushedArticle.__name__}"}
    batch = {"type": "array", "items": article, "maxItems": MAX_BATCH}
    return {"required": True, "content": {"application/json": {"schema": {"oneOf": [article, batch]}}}}
