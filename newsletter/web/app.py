"""The application: routes, what stands around them, and errors turned into pages, once, here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from newsletter import __version__
from newsletter.collect.parsing import Parser
from newsletter.config.reading import Configuration
from newsletter.errors import NewsletterError
from newsletter.render.words import Words
from newsletter.store import Store
from newsletter.web import (
    api,
    files,
    own_data,
    preferences,
    problems,
    signing_in,
    subscribe_api,
    subscribing,
    unsubscribing,
)
from newsletter.web.files import BrowserCopy
from newsletter.web.offers import TakePicture
from newsletter.web.pages import Pages
from newsletter.web.protection import Protection, keep_tokens_out_of_the_access_log, protect


def create_app(
    configuration: Configuration,
    store: Store,
    *,
    clock: Callable[[], datetime],
    parser: Parser,
    browser_copy: BrowserCopy | None = None,
    take_picture: TakePicture | None = None,
) -> FastAPI:
    """The public pages and the API of one site. ``clock`` returns the UTC time; ``parser`` reads what is pushed;
    ``browser_copy`` makes a reader's copy of an edition (without it those links are not found), ``take_picture`` the
    picture of one for the sign-up page (without it a card is drawn).

    Run it with uvicorn; its access log is filtered here so that it holds no token.
    """
    pages = Pages(configuration, store, clock)
    app = FastAPI(title="newsletter", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in (
        unsubscribing.routes(pages),
        preferences.routes(pages),
        own_data.routes(pages),
        files.routes(pages, browser_copy),
    ):
        app.include_router(router)
    app.include_router(api.routes(pages, parser))
    app.include_router(subscribing.routes(pages, take_picture))
    app.include_router(signing_in.routes(pages))
    app.include_router(subscribe_api.routes(pages))
    api.describe(app)
    subscribe_api.describe(app, pages)
    app.add_middleware(Protection, https=pages.https, limits=api.LIMITS)
    keep_tokens_out_of_the_access_log()

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if problems.concerns(request):
            return problems.answer(error)
        if error.status_code == 404:
            return pages.not_found()
        words = pages.words()
        response = pages.notice(words, *_refusal(words, error.status_code), status=error.status_code, alert=True)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=400)

    @app.exception_handler(NewsletterError)
    async def unavailable(request: Request, error: NewsletterError) -> Response:
        response = _try_again(request, 503)
        response.headers["Retry-After"] = "60"
        return response

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        response = _try_again(request, 500)
        protect(response.headers, https=pages.https)  # this answer is made outside the middleware
        return response

    def _try_again(request: Request, status: int) -> Response:
        if problems.concerns(request):
            return problems.said(status, "the fault is ours; please try again in a minute")
        words = pages.words()
        return pages.notice(
            words,
            words.gettext("We could not do that just now"),
            words.gettext("The fault is ours. Please try again in a minute."),
            status=status,
            alert=True,
        )

    return app


def _refusal(words: Words, status: int) -> tuple[str, str]:
    """What a page says of a request that cannot be answered: its heading and a sentence."""
    match status:
        case 400:
            return (
                words.gettext("The form did not arrive whole"),
                words.gettext("Nothing was changed. Go back, and send it once more."),
            )
        case 403:
            return (
                words.gettext("This form came from another site"),
                words.gettext("Nothing was changed. Open the link from your mail, and choose there."),
            )
        case 405:
            return (
                words.gettext("That is not done this way"),
                words.gettext("Open the link from your mail in a browser."),
            )
        case 413:
            return (
                words.gettext("That was too much"),
                words.gettext("A form from these pages is never that large. Nothing was changed."),
            )
        case _:
            return words.gettext("That did not work"), words.gettext("Nothing was changed.")
