"""What the API answers when it does not do what was asked: RFC 9457 problem details, one clear ``detail`` in each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

API = "/api/"
# Nothing of the API is for a cache to keep (RFC 9111 section 5.2.2.5).
NOT_KEPT = {"Cache-Control": "no-store"}
_WORDS = {
    404: "there is nothing at this address",
    405: "this address does not take that method",
    413: "the body is larger than this address takes",
}


class ProblemDetails(BaseModel):
    """RFC 9457 section 3.1; further members say more about some problems."""

    model_config = ConfigDict(extra="allow")

    status: int
    title: str = Field(description="What the status means in general")
    detail: str = Field(description="What was wrong here, in one line")


class Problem(HTTPException):
    """Why a request of the API is not done. ``more`` are further members of the answer (RFC 9457 section 3.2)."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.more = dict(more or {})


def concerns(request: Request) -> bool:
    """Whether a request is one of the API's, so that its errors are problems and not pages."""
    return request.url.path.startswith(API)


def answer(error: HTTPException) -> Response:
    """The problem that an error is."""
    if isinstance(error, Problem):
        return said(error.status_code, error.detail, headers=error.headers, more=error.more)
    detail = _WORDS.get(error.status_code, "this request cannot be answered")
    return said(error.status_code, detail, headers=error.headers)


def said(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None
) -> Response:
    """A problem with this status. Its ``type`` is about:blank, so its title is the status's (RFC 9457 §4.2.1)."""
    members = {"status": status, "title": HTTPStatus(status).phrase, "detail": detail, **(more or {})}
    return Response(
        json.dumps(members, ensure_ascii=False),
        status,
        headers={**NOT_KEPT, **(headers or {})},
        media_type="application/problem+json",
    )
