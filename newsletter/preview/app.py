"""The workbench: one page that shows a choice, the frame that holds the message, and its files. It changes nothing.

Each page makes its preview afresh and keeps the last few by hash, so that the frame, the hash beside it and the
downloaded ``.eml`` are one message.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any

from babel.dates import format_datetime
from babel.numbers import format_decimal
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.config.reading import Configuration
from newsletter.errors import NewsletterError, NothingToSend, UsageError
from newsletter.model import MailFormat
from newsletter.preview import showing
from newsletter.preview.choice import VIEWS, WIDTHS, Choice
from newsletter.preview.choosing import NEXT, Turns, past_occurrences
from newsletter.preview.making import Logo, Preview, make_preview
from newsletter.preview.protection import Protection, frame_policy
from newsletter.preview.showing import Scheme
from newsletter.preview.watching import Changes
from newsletter.render.lint import CLIPPED_BYTES
from newsletter.render.rendering import web_base
from newsletter.render.templates import shipped_templates
from newsletter.store import Store

_KEPT = 16
_LOCALE = "en"  # the workbench is for the desk, and speaks English as the command line does
_PICTURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,74}\.(png|jpg|jpeg|gif|webp)", re.ASCII)
_TYPES = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_ASSETS = {"css": "text/css", "js": "text/javascript"}


@dataclass
class Workbench:
    """What the pages work on. ``reload`` reads ``schedules.yaml`` again; ``configuration`` is the last that was valid.

    ``default`` is what is shown where the URL says nothing.
    """

    configuration: Configuration
    reload: Callable[[], Configuration]
    store: Store
    clock: Callable[[], datetime]
    default: Choice
    turns: Turns | None = None
    logo: Logo | None = None
    _kept: OrderedDict[str, Preview] = field(default_factory=OrderedDict, repr=False)
    _one_at_a_time: Lock = field(default_factory=Lock, repr=False)

    def make(self, choice: Choice) -> Preview:
        """The preview of a choice, made now. Blocking. Raises NewsletterError."""
        with self._one_at_a_time:
            self.configuration = self.reload()
            preview = make_preview(
                self.configuration,
                self.store,
                choice.newsletter,
                reader=choice.reader,
                edition=choice.edition,
                now=self.clock(),
                turns=self.turns,
                logo=self.logo,
            )
            self._kept[preview.sha256] = preview
            self._kept.move_to_end(preview.sha256)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return preview

    def kept(self, sha256: str) -> Preview | None:
        """A preview made before, by its hash; None where it was made too long ago."""
        return self._kept.get(sha256)


def create_app(workbench: Workbench, changes: Changes, *, token: str, port: int) -> FastAPI:
    """The workbench's application for ``127.0.0.1:port``. ``token`` is of this start."""
    app = FastAPI(title="newsletter preview", docs_url=None, redoc_url=None, openapi_url=None)
    origin = f"http://127.0.0.1:{port}"
    templates = _environment()

    @app.get("/", response_class=HTMLResponse)
    def page(request: Request) -> Response:
        return HTMLResponse(templates.get_template("workbench.html").render(_page(workbench, request)))

    @app.get("/previews/{sha256}/frame")
    def frame(request: Request, sha256: str, scheme: Scheme = Scheme.LIGHT) -> Response:
        preview = _known(workbench, sha256)
        # "localhost" is another origin than the address, and the pictures come from the one that was asked.
        asked = f"http://{request.headers['host']}"
        headers = {"Content-Security-Policy": frame_policy(asked if asked.endswith(f":{port}") else origin)}
        return HTMLResponse(showing.for_frame(preview.html, preview.web_base, scheme), headers=headers)

    @app.get("/previews/{sha256}/message.eml")
    def message(sha256: str) -> Response:
        preview = _known(workbench, sha256)
        name = f"{preview.edition.newsletter}-{preview.edition.occurrence}.eml".replace("/", "-")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(preview.message, media_type="message/rfc822", headers=headers)

    @app.get(showing.IN_THE_MAIL + "{path:path}", response_class=HTMLResponse)
    def in_the_mail(path: str) -> Response:
        target = f"{web_base(workbench.configuration)}/{path}"
        return HTMLResponse(templates.get_template("in_the_mail.html").render(target=target))

    @app.get(showing.MEDIA + "{name}")
    def media(name: str) -> Response:
        found = _PICTURE.fullmatch(name)
        path = workbench.configuration.media_folder / name
        if found is None or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type=_TYPES[found[1]], headers={"Cache-Control": "max-age=3600"})

    @app.get("/workbench.{suffix}")
    def asset(suffix: str) -> Response:
        if suffix not in _ASSETS:
            raise HTTPException(404)
        text = templates.get_template(f"workbench.{suffix}").render()
        return Response(text, media_type=_ASSETS[suffix])

    @app.get("/favicon.ico")
    def icon() -> Response:
        return Response(status_code=204)

    @app.get("/changes")
    async def changed() -> Response:
        return StreamingResponse(changes.events(), media_type="text/event-stream")

    app.add_middleware(
        Protection, token=token, hosts=(f"127.0.0.1:{port}", f"localhost:{port}"), cookie=f"newsletter-preview-{port}"
    )
    return app


def _environment() -> ImmutableSandboxedEnvironment:
    """Only what is shipped: a publisher's own templates must not break the tool that shows what is wrong in them."""
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(shipped_templates() / "preview"),
        autoescape=lambda name: name is None or name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["decimal"] = partial(format_decimal, locale=_LOCALE)
    environment.filters["moment"] = partial(format_datetime, format="EEE d MMM, HH:mm", locale=_LOCALE)
    return environment


def _known(workbench: Workbench, sha256: str) -> Preview:
    preview = workbench.kept(sha256)
    if preview is None:
        raise HTTPException(410, "This preview is no longer kept. Reload the page.")
    return preview


def _page(workbench: Workbench, request: Request) -> dict[str, Any]:
    """What ``workbench.html`` shows: the preview, or what stands in its way."""
    preview: Preview | None = None
    error: NewsletterError | None = None
    choice = workbench.default
    try:
        asked = [(name, value) for name, value in request.query_params.multi_items()]
        if asked:
            choice = Choice.of_query(asked, workbench.default.newsletter)
        preview = workbench.make(choice)
    except NewsletterError as raised:
        error = raised
    configuration = workbench.configuration
    newsletters = configuration.schedules.newsletters
    shown = newsletters.get(choice.newsletter)
    return {
        "choice": choice,
        "preview": preview,
        "error": error,
        "excerpt": _excerpt(configuration, error) if error else None,
        "is_empty": isinstance(error, NothingToSend),
        "is_usage": isinstance(error, UsageError),
        "newsletters": {name: one.title for name, one in newsletters.items()},
        "past": past_occurrences(workbench.store, choice.newsletter) if shown else [],
        "next": NEXT,
        "plans": list(configuration.schedules.plans),
        "language": configuration.language(choice.newsletter) if shown else "",
        "sections": list(shown.section_names) if shown else [],
        "formats": [one.value for one in MailFormat],
        "views": VIEWS,
        "widths": WIDTHS,
        "schemes": [one.value for one in Scheme],
        "zone": configuration.schedules.site.zone,
        "clipped": CLIPPED_BYTES,
        "findings": showing.grouped(preview.findings) if preview else [],
        "elsewhere": showing.pictures_elsewhere(preview.html, preview.web_base) if preview else 0,
    }


def _excerpt(configuration: Configuration, error: NewsletterError) -> showing.Excerpt | None:
    return showing.excerpt(error, configuration.template_folders, [configuration.file])
