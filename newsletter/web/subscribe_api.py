"""``POST /api/subscribe``: what the form asks for, as JSON; for apps, and for scripts on the publisher's own pages.

Nothing is authenticated, so nothing is told: each good request is answered alike, and a mail goes to the owner of the
address. Scripts of the sites that may hold the form are let in (CORS, Fetch standard §3.2), without cookies.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from newsletter.errors import AddressError
from newsletter.members.signing_up import Answer
from newsletter.model import ConsentChannel
from newsletter.web import asking
from newsletter.web.pages import Pages
from newsletter.web.problems import NOT_KEPT, Problem, ProblemDetails
from newsletter.web.readers import evidence

PATH = "/api/subscribe"
_SCHEMAS = "#/components/schemas/"
_WORDING = "api/1"


class SubscribeRequest(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[
        str,
        Field(min_length=3, max_length=320, examples=["ann+news@example.com"], json_schema_extra={"format": "email"}),
    ]
    newsletters: Annotated[list[str], Field(min_length=1, max_length=200, examples=[["daily"]])]
    language: Annotated[str, Field(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")] = Field(
        "", description="The language she reads, where the site has it: of the mail to confirm, and of newsletters"
    )


class SubscribeAnswer(BaseModel):
    """Always the same: what came of it is told in a mail to the address."""

    status: Literal["accepted"] = "accepted"


def routes(pages: Pages) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["api"])

    @router.post(
        PATH,
        operation_id="subscribe",
        summary="Ask for newsletters for an address",
        status_code=202,
        response_model=SubscribeAnswer,
        responses=_responses(),
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{SubscribeRequest.__name__}"}}},
            }
        },
    )
    async def subscribe(request: Request) -> Response:
        shared = _shared_with(pages, request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Problem(415, "send Content-Type: application/json", headers=shared)
        try:
            wanted = SubscribeRequest.model_validate_json(await request.body())
            address = asking.parse_asker(pages, wanted.address)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise Problem(422, f"{where}: {first['msg']}" if where else first["msg"], headers=shared) from error
        except AddressError as error:
            raise Problem(422, f"address: {error.what}", headers=shared) from error
        names = pages.configuration.offered
        unknown = next((one for one in wanted.newsletters if one not in names), None)
        if unknown is not None:
            raise Problem(422, "newsletters: one of them is not offered here", headers=shared)
        async with asking.on_the_beat():
            how = evidence(pages, request, ConsentChannel.API, _WORDING)
            language = wanted.language
            spoken = language if language and pages.configuration.site_language_for(language) == language else ""
            chosen = [name for name in names if name in wanted.newsletters]
            answer = await asking.ask(pages, request, address, chosen, how, language=spoken)
        if answer is Answer.TOO_MANY:
            raise Problem(
                429, "this network asks too often; try again later", headers={**shared, "Retry-After": "3600"}
            )
        return Response(
            SubscribeAnswer().model_dump_json(), 202, headers={**NOT_KEPT, **shared}, media_type="application/json"
        )

    @router.options(PATH, include_in_schema=False)
    async def before(request: Request) -> Response:
        """A browser asks whether a script of another site may do this (CORS preflight)."""
        shared = _shared_with(pages, request)
        if "Access-Control-Allow-Origin" in shared:
            shared |= {
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "content-type",
                "Access-Control-Max-Age": "600",
            }
        return Response(status_code=204, headers={**shared, "Allow": "POST, OPTIONS"})

    return router


def describe(app: FastAPI, pages: Pages) -> None:
    """Put the body that is read by hand into the OpenAPI document, with the names of what is offered."""
    made: Any = app.openapi

    def openapi() -> dict[str, Any]:
        document: dict[str, Any] = made()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        body = SubscribeRequest.model_json_schema()
        body["properties"]["newsletters"]["items"] = {"type": "string", "enum": list(pages.configuration.offered)}
        schemas[SubscribeRequest.__name__] = body
        schemas.setdefault(ProblemDetails.__name__, ProblemDetails.model_json_schema())
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _shared_with(pages: Pages, request: Request) -> dict[str, str]:
    """Lets scripts of the publisher's own pages read the answer; no cookie goes with it either way."""
    origin = request.headers.get("origin", "")
    if asking.may_hold_the_form(pages, origin):
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    return {"Vary": "Origin"}


def _responses() -> dict[int | str, dict[str, Any]]:
    said = {
        413: "A body larger than any request",
        415: "Not application/json",
        422: "No address, or a newsletter that is not offered",
        429: "This network asks too often",
    }
    problem = {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}{ProblemDetails.__name__}"}}}
    return {status: {"description": words, "content": problem} for status, words in said.items()}
