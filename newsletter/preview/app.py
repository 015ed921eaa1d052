"""The workbench's web application: the page, its parts, the frames that hold the message, and files of it.

Everything that is read is made by ``workbench`` and changes nothing. Two things are written, each by a POST with the
token: a scenario into ``previews/``, and a test message to an address that the settings allow.
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from newsletter.config.document import MAX_BYTES
from newsletter.errors import NewsletterError
from newsletter.preview import pages, scenarios, showing
from newsletter.preview.choice import VIEWS, Choice
from newsletter.preview.looks import DESKTOP, Look
from newsletter.preview.picturing import picture_of
from newsletter.preview.protection import Protection, frame_policy
from newsletter.preview.scenarios import MEDIA_TYPES
from newsletter.preview.watching import Changes
from newsletter.preview.workbench import Kept, Workbench
from newsletter.render.rendering import web_base

_PICTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,74}\.(png|jpg|jpeg|gif|webp)", re.ASCII)
_ASSET = re.compile(r"[a-z]{1,20}\.(css|js)", re.ASCII)
_ASSET_TYPES = {"css": "text/css", "js": "text/javascript"}
_HTML = HTMLResponse


class ScenarioText(BaseModel):
    """What the editor of a scenario sends."""

    text: Annotated[str, Field(max_length=MAX_BYTES)]


class TestWanted(BaseModel):
    """What "send me this" sends."""

    sha256: str
    address: Annotated[str, Field(max_length=320)]


def create_app(workbench: Workbench, changes: Changes, *, token: str, port: int) -> FastAPI:
    """The workbench's application for ``127.0.0.1:port``. ``token`` is of this start."""
    app = FastAPI(title="newsletter preview", docs_url=None, redoc_url=None, openapi_url=None)
    origin = f"http://127.0.0.1:{port}"
    templates = pages.environment()

    def shown(name: str, values: dict[str, Any], *, status: int = 200) -> Response:
        return _HTML(templates.get_template(name).render(values), status_code=status)

    @app.exception_handler(NewsletterError)
    async def refused(_request: Request, error: NewsletterError) -> Response:
        said = {"what": error.what, "where": error.where, "remedy": error.remedy, "words": str(error)}
        return JSONResponse(said, status_code=422)

    @app.get("/")
    def page(request: Request) -> Response:
        seen = {"seen": changes.seen}  # before anything is read: what is saved meanwhile is another save
        choice, kept, error = workbench.default, None, None
        try:
            asked = list(request.query_params.multi_items())
            if asked:
                choice = Choice.of_query(asked, workbench.default.newsletter)
            kept = workbench.make(choice)
            return shown("workbench.html", pages.page(workbench, choice, kept, None, token) | seen)
        except NewsletterError as raised:
            error = raised
        last_good = workbench.last_good(choice)
        return shown("workbench.html", pages.page(workbench, choice, last_good, error, token) | seen)

    @app.get("/previews/{sha256}/frame")
    def frame(request: Request, sha256: str, look: Look = Look.LIGHT) -> Response:
        preview = _known(workbench, sha256).preview
        # "localhost" is another origin than the address, and the pictures come from the one that was asked.
        asked = f"http://{request.headers['host']}"
        headers = {
            "Content-Security-Policy": frame_policy(asked if asked.endswith(f":{port}") else origin),
            "Cache-Control": "private, max-age=600",
        }
        return HTMLResponse(showing.for_frame(preview.html, preview.web_base, look), headers=headers)

    @app.get("/previews/{sha256}/views/{name}")
    def view(sha256: str, name: str) -> Response:
        if name not in VIEWS:
            raise HTTPException(404)
        return shown(f"view_{name}.html", pages.view(workbench, _known(workbench, sha256), name))

    @app.get("/previews/{sha256}/findings")
    def findings(sha256: str) -> Response:
        return shown("findings.html", pages.findings(workbench, _known(workbench, sha256)))

    @app.get("/previews/{sha256}/message.{kind}")
    async def message(
        sha256: str,
        kind: str,
        width: Annotated[int, Field(ge=200, le=4000)] = DESKTOP,
        look: Look = Look.LIGHT,
    ) -> Response:
        kept = _known(workbench, sha256)
        body, media_type = await _file(workbench, kept, kind, width, look)
        edition = kept.preview.edition
        name = f"{edition.newsletter}-{kept.choice.scenario or edition.occurrence}.{kind}".replace("/", "-")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(body, media_type=media_type, headers=headers)

    @app.get("/readers")
    def readers(newsletter: str, search: str = "") -> list[str]:
        return workbench.readers(newsletter, search.strip())

    @app.get("/readers/beside")
    def beside(newsletter: str, address: str = "", step: int = 1) -> dict[str, str]:
        return {"address": workbench.reader_beside(newsletter, address, after=step > 0)}

    @app.post("/scenarios/{name}")
    def save(name: str, sent: ScenarioText) -> dict[str, str]:
        path = scenarios.save(workbench.configuration, name, sent.text)
        return {"edition": scenarios.PREFIX + name, "file": str(path.relative_to(workbench.configuration.folder))}

    @app.delete("/scenarios/{name}")
    def forget(name: str) -> dict[str, str]:
        scenarios.forget(workbench.configuration, name)
        return {"edition": scenarios.PREFIX + name}

    @app.post("/tests")
    async def send(wanted: TestWanted) -> dict[str, str]:
        kept = _known(workbench, wanted.sha256)
        if workbench.post is None:
            raise HTTPException(404)
        made = await asyncio.to_thread(workbench.test_message, kept, wanted.address.strip().lower())
        await workbench.post(workbench.configuration, kept.choice.of.newsletter, wanted.address.strip().lower(), made)
        return {"words": f"Sent to {wanted.address}. Its links belong to nobody."}

    @app.get(showing.IN_THE_MAIL + "{path:path}")
    def in_the_mail(path: str) -> Response:
        return shown("in_the_mail.html", {"target": f"{web_base(workbench.configuration)}/{path}"})

    @app.get(showing.MEDIA + "{name}")
    def media(name: str) -> Response:
        found = _PICTURE.fullmatch(name)
        path = scenarios.picture_file(workbench.configuration, name) if found else None
        if found is None or path is None:
            raise HTTPException(404)
        return FileResponse(path, media_type=MEDIA_TYPES[found[1]], headers={"Cache-Control": "no-cache"})

    @app.get("/workbench/{name}")
    def asset(name: str) -> Response:
        found = _ASSET.fullmatch(name)
        if found is None or name not in templates.list_templates():
            raise HTTPException(404)
        headers = {"Cache-Control": "no-cache"}
        return Response(templates.get_template(name).render(), media_type=_ASSET_TYPES[found[1]], headers=headers)

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)

    @app.get("/changes")
    async def changed(since: int | None = None) -> Response:
        return StreamingResponse(changes.events(since), media_type="text/event-stream")

    app.add_middleware(
        Protection, token=token, hosts=(f"127.0.0.1:{port}", f"localhost:{port}"), cookie=f"newsletter-preview-{port}"
    )
    return app


def _known(workbench: Workbench, sha256: str) -> Kept:
    kept = workbench.kept(sha256)
    if kept is None:
        raise HTTPException(410, "This preview is no longer kept. Reload the page.")
    return kept


async def _file(workbench: Workbench, kept: Kept, kind: str, width: int, look: Look) -> tuple[bytes, str]:
    """A file of the message and its media type. Raises HTTPException, and UsageError where Chromium is missing."""
    preview = kept.preview

    def find(name: str) -> Any:
        return scenarios.picture_file(workbench.configuration, name)

    match kind:
        case "eml":
            return preview.message, "message/rfc822"
        case "txt":
            return preview.text.replace("\r\n", "\n").encode(), "text/plain; charset=utf-8"
        case "html" if preview.html:
            document = await asyncio.to_thread(showing.for_file, preview.html, preview.web_base, find)
            return document.encode(), "text/html; charset=utf-8"
        case "png" if preview.html:
            return await picture_of(preview, find, width=width, look=look), "image/png"
        case _:
            raise HTTPException(404)
