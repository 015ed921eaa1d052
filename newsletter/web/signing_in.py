"""``/sign-in``: an address that asks, a mail with a link, a page with one button, and a session that leads to what
somebody gets. No password. ``/i/LINK/TOKEN``: GET shows the page, POST spends the link, once.

The session says who came last in this browser, and opens her own preferences page; no other link ever asks it.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.responses import RedirectResponse, Response

from newsletter.errors import AddressError
from newsletter.members import signing_in
from newsletter.members.addresses import masked, parse_address
from newsletter.members.signing_in import request_sign_in
from newsletter.model import MailedPurpose, Subscriber
from newsletter.store import request_rates, subscribers
from newsletter.web import asking
from newsletter.web.bodies import fields
from newsletter.web.pages import Pages
from newsletter.web.readers import refuse_from_elsewhere
from newsletter.web.subscribing import mailed_link, preferences_of, too_many

COOKIE = "newsletter-session"
_SECONDS = 30 * 86_400
_PATH = "/sign-in"
_LINK = "/i/{link_id}/{token}"
_LONGEST_ADDRESS = 320


def routes(pages: Pages) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(include_in_schema=False)

    def form(status: int = 200, *, address: str = "", error: str = "") -> Response:
        return pages.page(
            pages.words(),
            "sign_in.html",
            status=status,
            address=address,
            error=error,
            action=f"{pages.prefix}{_PATH}",
            subscribe=f"{pages.prefix}/subscribe",
        )

    @router.api_route(_PATH, methods=["GET", "HEAD"])
    async def ask(request: Request) -> Response:
        person = await signed_in(pages, request)
        if person is None:
            return form()
        return pages.page(
            pages.words(person),
            "signed_in.html",
            address=masked(person.address),
            preferences=preferences_of(pages, person),
            sign_out=f"{pages.prefix}/sign-out",
        )

    @router.post(_PATH)
    async def send(request: Request) -> Response:
        sent = await fields(request)
        words = pages.words()
        typed = (sent.one("address") or "").strip()[:_LONGEST_ADDRESS]
        try:
            address = parse_address(typed)
        except AddressError:
            said = words.gettext("That is not an e-mail address. It looks like name@example.com.")
            return form(422, address=typed, error=said)
        async with asking.on_the_beat():
            network = asking.limit_of_client(pages, request)
            now = pages.clock()
            allowed = await pages.store.write_async(request_rates.take, network.key, network.per_hour, now)
            if allowed:
                await pages.store.write_async(
                    request_sign_in,
                    address,
                    limit=asking.limit_of_address(pages, address),
                    language=words.language,
                    now=now,
                )
        if not allowed:
            return too_many(pages, words)
        return pages.page(words, "sign_in_sent.html", address=masked(address), back=f"{pages.prefix}{_PATH}")

    @router.api_route(_LINK, methods=["GET", "HEAD"])
    async def look(link_id: str, token: str) -> Response:
        found = await mailed_link(pages, MailedPurpose.SIGN_IN, link_id, token)
        if found is None:
            return pages.not_found()
        link, person = found
        if not link.is_good(pages.clock()):
            return spent(person)
        return pages.page(
            pages.words(person),
            "sign_in_link.html",
            address=masked(person.address),
            action=f"{pages.prefix}/i/{link_id}/{token}",
        )

    @router.post(_LINK)
    async def enter(request: Request, link_id: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        found = await mailed_link(pages, MailedPurpose.SIGN_IN, link_id, token)
        if found is None:
            return pages.not_found()
        link, person = found
        if not await pages.store.write_async(signing_in.sign_in, link.id, pages.clock()):
            return spent(person)
        response = RedirectResponse(preferences_of(pages, person), 303)
        _keep(pages, response, _serializer(pages).dumps([person.id, _mark(person)]), _SECONDS)
        return response

    @router.post("/sign-out")
    async def leave(request: Request) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        response = RedirectResponse(f"{pages.prefix}{_PATH}", 303)
        _keep(pages, response, "", 0)
        return response

    def spent(person: Subscriber) -> Response:
        words = pages.words(person)
        return pages.page(
            words,
            "spent.html",
            status=410,
            heading=words.gettext("This link works no more"),
            sentence=words.gettext("It was used already, or is too old. A new one takes a moment."),
            href=f"{pages.prefix}{_PATH}",
            button=words.gettext("Send me a new one"),
        )

    return router


async def signed_in(pages: Pages, request: Request) -> Subscriber | None:
    """Who is signed in in this browser, None where nobody is."""
    try:
        found: Any = _serializer(pages).loads(request.cookies.get(COOKIE, ""), max_age=_SECONDS)
        number, mark = found
    except (BadData, ValueError, TypeError):
        return None
    if not isinstance(number, int):
        return None
    person = await pages.store.read_async(subscribers.by_id, number)
    if person is None or person.erased_at is not None or mark != _mark(person):
        return None
    return person


def _mark(person: Subscriber) -> int:
    """Ends the sessions of who was erased and came back."""
    return int(person.created_at.timestamp())


def _serializer(pages: Pages) -> URLSafeTimedSerializer:
    keys = pages.configuration.site_keys.derived("session")
    return URLSafeTimedSerializer([key.hex() for key in reversed(keys)], salt="session")  # the last one signs


def _keep(pages: Pages, response: Response, value: str, seconds: int) -> None:
    response.set_cookie(
        COOKIE, value, max_age=seconds, path=pages.prefix or "/", secure=pages.https, httponly=True, samesite="lax"
    )
