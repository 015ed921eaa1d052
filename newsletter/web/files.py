"""What is no page of ours: pictures, the stylesheet, an edition in the browser, health."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse
from pydantic import BaseModel
from starlette.responses import Response

from newsletter import __version__
from newsletter.errors import StoreError, UsageError
from newsletter.members import links
from newsletter.model import Occurrence, StreamName
from newsletter.store import migrating
from newsletter.web.pages import Pages
from newsletter.web.protection import edition_policy
from newsletter.web.readers import NEWSLETTER, reader

BrowserCopy = Callable[[int, StreamName, Occurrence], Awaitable[str | None]]
"""(subscriber_id, newsletter and stream, occurrence) -> her copy as HTML, None where it is no longer kept."""

_PICTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,74}\.(png|jpg|jpeg|gif|webp)", re.ASCII)
_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}


class Health(BaseModel):
    """Whether pages can be served: ``ok``, or ``store unavailable``."""

    status: str
    version: str = __version__


def routes(pages: Pages, browser_copy: BrowserCopy | None) -> APIRouter:
    """The routes of this module."""
    router = APIRouter()

    @router.get("/health", response_model=Health, responses={503: {"model": Health}})
    @router.head("/health", include_in_schema=False)
    async def health() -> Response:
        try:
            await pages.store.read_async(migrating.revision)
        except StoreError:
            return Response(Health(status="store unavailable").model_dump_json(), 503, media_type="application/json")
        return Response(Health(status="ok").model_dump_json(), media_type="application/json")

    @router.api_route("/style.css", methods=["GET", "HEAD"], include_in_schema=False)
    async def style() -> Response:
        return Response(pages.stylesheet, media_type="text/css", headers={"Cache-Control": "public, max-age=86400"})

    @router.api_route("/media/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def media(name: str) -> Response:
        found = _PICTURE.fullmatch(name)
        path = pages.configuration.media_folder / name if found else None
        if found is None or path is None or not path.is_file():
            return pages.not_found()
        # The name is the hash of what is in the file, so what is under it never changes (RFC 8246 §2).
        forever = {"Cache-Control": "public, max-age=31536000, immutable"}
        return FileResponse(path, media_type=_TYPES[found[1]], headers=forever)

    @router.api_route(
        "/e/{newsletter}/{day}/{ordinal:path}/{subscriber_id}/{token}", methods=["GET", "HEAD"], include_in_schema=False
    )
    async def edition(
        request: Request, newsletter: str, day: str, ordinal: str, subscriber_id: str, token: str
    ) -> Response:
        try:
            occurrence, of = Occurrence.parse(f"{day}/{ordinal}"), StreamName.parse(newsletter)
        except UsageError:
            return pages.not_found()
        named = NEWSLETTER.fullmatch(of.newsletter) is not None
        name = of if named else StreamName("")
        subscriber = await reader(
            pages, subscriber_id, lambda secret: links.is_browser(token, secret, name, occurrence)
        )
        if subscriber is None or not named or browser_copy is None:
            return pages.not_found()
        html = await browser_copy(subscriber.id, of, occurrence)
        if html is None:
            words = pages.words(subscriber, of.newsletter)
            return pages.notice(
                words,
                words.gettext("This edition is no longer kept here"),
                words.gettext(
                    "Editions stay here for some time after they are sent. The mail in your mailbox is still whole."
                ),
                status=410,
            )
        return HTMLResponse(html, headers={"Content-Security-Policy": edition_policy(pages.origin)})

    return router
