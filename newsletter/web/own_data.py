"""``/p/SUBSCRIBER/TOKEN/data`` and ``/erase``: her copy of all that is kept about her, and its end (GDPR 15, 17, 20).

A copy is given for a POST alone: a scanner that follows each link of a mail, and each of the page behind it, gets none.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from newsletter.members import disclosing, erasing
from newsletter.members.addresses import masked
from newsletter.model import ConsentChannel, Subscriber
from newsletter.web.bodies import fields
from newsletter.web.pages import Pages
from newsletter.web.readers import evidence, preferring, refuse_from_elsewhere

_PATH = "/p/{subscriber_id}/{token}"
_PRIVATE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow, noarchive"}

log = structlog.get_logger()


def routes(pages: Pages) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(include_in_schema=False)

    def ask_to_erase(subscriber: Subscriber, token: str, *, unsure: bool = False) -> Response:
        back = f"{pages.prefix}/p/{subscriber.id}/{token}"
        return pages.page(
            pages.words(subscriber),
            "erase.html",
            status=422 if unsure else 200,
            address=masked(subscriber.address),
            unsure=unsure,
            action=f"{back}/erase",
            back=back,
        )

    @router.api_route(_PATH + "/data", methods=["GET", "HEAD"])
    async def no_data(subscriber_id: str, token: str) -> Response:
        subscriber = await preferring(pages, subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        return RedirectResponse(f"{pages.prefix}/p/{subscriber.id}/{token}", 303, headers=_PRIVATE)

    @router.post(_PATH + "/data")
    async def data(request: Request, subscriber_id: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        subscriber = await preferring(pages, subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        everything = await pages.store.read_async(disclosing.everything_about, subscriber)
        log.info("data given", subscriber=subscriber.id)
        return Response(
            json.dumps(everything, ensure_ascii=False, indent=2, default=_plain) + "\n",
            media_type="application/json",
            headers={**_PRIVATE, "Content-Disposition": 'attachment; filename="my-newsletters.json"'},
        )

    @router.api_route(_PATH + "/erase", methods=["GET", "HEAD"])
    async def ask(subscriber_id: str, token: str) -> Response:
        subscriber = await preferring(pages, subscriber_id, token)
        return pages.not_found() if subscriber is None else ask_to_erase(subscriber, token)

    @router.post(_PATH + "/erase")
    async def erase(request: Request, subscriber_id: str, token: str) -> Response:
        form = await fields(request)
        refuse_from_elsewhere(request)
        subscriber = await preferring(pages, subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        if form.one("sure") != "yes":
            return ask_to_erase(subscriber, token, unsure=True)
        words = pages.words(subscriber)
        quiet = await erasing.erase(pages.store, subscriber.id, evidence(pages, request, ConsentChannel.PAGE))
        log.info("erased", subscriber=subscriber.id)
        said = [
            words.gettext("Nothing about you is kept here any more, and nothing will be sent to you."),
            words.gettext(
                "What stays is a code from which your address cannot be read. It keeps anybody from adding you again "
                "by mistake. If you sign up yourself one day, it goes too."
            ),
        ]
        if not quiet:
            said.append(words.gettext("A message that was already on its way may still arrive."))
        return pages.notice(words, words.gettext("You are erased"), *said)

    return router


def _plain(value: object) -> str:
    """Times as ISO 8601 in UTC; all else that JSON does not know is text."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)
