"""``/subscribe``: every newsletter with a picture of its latest edition, several chosen at once, one mail to confirm.

``/c/LINK/TOKEN`` confirms, ``/s/SUBSCRIBER/NEWSLETTER/TOKEN`` takes one more newsletter from a mail: each a page with
one button on GET, the act on POST, so that no scanner of mail subscribes anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.errors import AddressError
from newsletter.members import links
from newsletter.members.addresses import address_hashes, masked
from newsletter.members.consent import Renewal
from newsletter.members.links import Links
from newsletter.members.signing_up import Answer, confirm, take_one_more
from newsletter.model import ConsentChannel, MailedPurpose, Subscriber, SubscriptionState
from newsletter.render.words import Words
from newsletter.store import mailed_links, subscriptions
from newsletter.store.mailed_links import MailedLink
from newsletter.web import asking, time_trap
from newsletter.web.asking import RoleAddress
from newsletter.web.bodies import Fields, fields
from newsletter.web.offers import PATH as PICTURES
from newsletter.web.offers import Offers, TakePicture
from newsletter.web.pages import Pages
from newsletter.web.readers import NEWSLETTER, evidence, reader, refuse_from_elsewhere

FORM = "/subscribe"
_CONFIRM = "/c/{link_id}/{token}"
_ONE_MORE = "/s/{subscriber_id}/{newsletter}/{token}"
_LONGEST_ADDRESS = 320
_PUBLIC = {"X-Robots-Tag": "all"}


def routes(pages: Pages, take_picture: TakePicture | None) -> APIRouter:
    """The routes of this module. ``take_picture`` makes the picture of an edition, where somebody can."""
    router = APIRouter(include_in_schema=False)
    offers = Offers(pages, take_picture)

    async def show(
        words: Words,
        *,
        ticked: Sequence[str],
        address: str = "",
        errors: dict[str, str] | None = None,
        once_more: str = "",
        language: str = "",
        stamped: str = "",
        status: int = 200,
    ) -> Response:
        page = pages.page(
            words,
            "subscribe.html",
            status=status,
            offers=await offers.of(words, pages.configuration.offered, ticked),
            address=address,
            errors=errors or {},
            once_more=once_more,
            spoken=language,
            stamp=time_trap.kept(pages.configuration.site_keys, stamped, pages.clock()),
            action=f"{pages.prefix}{FORM}",
            sign_in=f"{pages.prefix}/sign-in",
        )
        if status == 200 and not once_more:
            page.headers.update(_PUBLIC)
        return page

    @router.api_route(FORM, methods=["GET", "HEAD"])
    async def offer(request: Request) -> Response:
        chosen = request.query_params.getlist("newsletter")
        language = _language(pages, request.query_params.get("language"))
        names = pages.configuration.offered
        ticked = [name for name in names if name in chosen] or (list(names) if len(names) == 1 else [])
        return await show(pages.words_in(language), ticked=ticked, language=language)

    @router.api_route(PICTURES + "{newsletter}", methods=["GET", "HEAD"])
    async def picture(newsletter: str) -> Response:
        if newsletter not in pages.configuration.offered:
            return pages.not_found()
        return await offers.picture(newsletter)

    @router.post(FORM)
    async def subscribe(request: Request) -> Response:
        form = await fields(request)
        language = _language(pages, form.one("language"))
        words = pages.words_in(language)
        names = pages.configuration.offered
        ticked = [name for name in names if name in form.all("newsletter")]
        typed = (form.one("address") or "").strip()[:_LONGEST_ADDRESS]
        stamped = form.one("stamp") or ""
        errors: dict[str, str] = {}
        address = ""
        try:
            address = asking.parse_asker(pages, typed)
        except RoleAddress:
            errors["address"] = words.gettext("That is the address of an office. Please give your own.")
        except AddressError:
            errors["address"] = words.gettext("That is not an e-mail address. It looks like name@example.com.")
        if not ticked:
            errors["newsletters"] = words.gettext("Choose at least one newsletter.")
        if errors:
            return await show(
                words, ticked=ticked, address=typed, errors=errors, language=language, stamped=stamped, status=422
            )
        if not _by_hand(pages, request, form):
            once_more = words.gettext("Please look it over and press the button once more.")
            return await show(
                words, ticked=ticked, address=typed, once_more=once_more, language=language, stamped=stamped
            )
        async with asking.on_the_beat():
            answer = Answer.CONFIRMING
            if not form.one("website"):  # a field that people do not see, and programs fill in
                wording = pages.wording(words, "subscribe.html")
                how = evidence(pages, request, ConsentChannel.FORM, wording)
                answer = await asking.ask(pages, request, address, ticked, how, language=language)
        if answer is Answer.TOO_MANY:
            return too_many(pages, words)
        return pages.page(
            words,
            "subscribe_sent.html",
            address=masked(address),
            back=f"{pages.prefix}{FORM}",
        )

    async def confirmable(link_id: str, token: str) -> tuple[MailedLink, Subscriber] | None:
        return await mailed_link(pages, MailedPurpose.CONFIRM, link_id, token)

    @router.api_route(_CONFIRM, methods=["GET", "HEAD"])
    async def look(link_id: str, token: str) -> Response:
        found = await confirmable(link_id, token)
        if found is None:
            return pages.not_found()
        link, subscriber = found
        words = pages.words(subscriber)
        if not link.is_good(pages.clock()):
            return spent(link, subscriber, words)
        wanted = [pages.title(name) for name in link.newsletters if name in pages.schedules.newsletters]
        return pages.page(
            words,
            "confirm.html",
            titles=wanted,
            address=masked(subscriber.address),
            action=f"{pages.prefix}/c/{link_id}/{token}",
        )

    @router.post(_CONFIRM)
    async def act(request: Request, link_id: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        found = await confirmable(link_id, token)
        if found is None:
            return pages.not_found()
        link, subscriber = found
        words = pages.words(subscriber)
        how = evidence(pages, request, ConsentChannel.PAGE, pages.wording(words, "confirm.html"))
        confirmed = await pages.store.write_async(
            confirm,
            link,
            subscriber,
            frozenset(pages.schedules.newsletters),
            how,
            address_hashes(subscriber.address, pages.configuration.site_keys),
            words.language,
        )
        if confirmed is None:
            return spent(link, subscriber, words)
        if confirmed.refused:
            return refused(pages, words, subscriber)
        return confirmed_page(words, subscriber, (*confirmed.subscribed, *confirmed.already))

    def spent(link: MailedLink, subscriber: Subscriber, words: Words) -> Response:
        """What is said of a link that was used, to who has it: it came to her mailbox."""
        if link.spent_at is not None:
            return pages.page(
                words,
                "spent.html",
                status=410,
                heading=words.gettext("That is done already"),
                sentence=words.gettext("This link was used before. What you get, and how, stands here:"),
                href=preferences_of(pages, subscriber),
                button=words.gettext("Your newsletters"),
            )
        return pages.page(
            words,
            "spent.html",
            status=410,
            heading=words.gettext("This link is too old"),
            sentence=words.gettext("Nothing was changed. Ask once more, and a new one comes to you."),
            href=f"{pages.prefix}{FORM}",
            button=words.gettext("Choose newsletters"),
        )

    def confirmed_page(words: Words, subscriber: Subscriber, names: Sequence[str]) -> Response:
        return pages.page(
            words,
            "confirmed.html",
            titles=[pages.title(name) for name in names],
            address=masked(subscriber.address),
            preferences=preferences_of(pages, subscriber),
        )

    async def may_take(subscriber_id: str, newsletter: str, token: str) -> Subscriber | None:
        name = newsletter if NEWSLETTER.fullmatch(newsletter) is not None else ""
        found = await reader(pages, subscriber_id, lambda secret: links.is_subscribe(token, secret, name))
        return found if name in pages.schedules.newsletters else None

    @router.api_route(_ONE_MORE, methods=["GET", "HEAD"])
    async def one_more(subscriber_id: str, newsletter: str, token: str) -> Response:
        subscriber = await may_take(subscriber_id, newsletter, token)
        if subscriber is None:
            return pages.not_found()
        words = pages.words(subscriber, newsletter)
        stands = await pages.store.read_async(subscriptions.one, subscriber.id, newsletter)
        if stands is not None and stands.state is SubscriptionState.ACTIVE:
            return confirmed_page(words, subscriber, [newsletter])
        [offered] = await offers.of(words, [newsletter], [])
        return pages.page(
            words,
            "one_more.html",
            offer=offered,
            address=masked(subscriber.address),
            action=f"{pages.prefix}/s/{subscriber.id}/{newsletter}/{token}",
        )

    @router.post(_ONE_MORE)
    async def take(request: Request, subscriber_id: str, newsletter: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        subscriber = await may_take(subscriber_id, newsletter, token)
        if subscriber is None:
            return pages.not_found()
        words = pages.words(subscriber, newsletter)
        how = evidence(pages, request, ConsentChannel.PAGE, pages.wording(words, "one_more.html"))
        renewal = await pages.store.write_async(take_one_more, subscriber, newsletter, how, words.language)
        if renewal is Renewal.REFUSED:
            return refused(pages, words, subscriber)
        return confirmed_page(words, subscriber, [newsletter])

    return router


async def mailed_link(
    pages: Pages, purpose: MailedPurpose, link_id: str, token: str
) -> tuple[MailedLink, Subscriber] | None:
    """A mailed link and whose it is, if ``token`` is its own; the same work whatever is wrong. Raises StoreError."""
    number = int(link_id) if link_id.isascii() and link_id.isdigit() and len(link_id) < 19 and link_id[0] != "0" else 0
    link = await pages.store.read_async(mailed_links.get, number, purpose)
    permits = links.is_confirm if purpose is MailedPurpose.CONFIRM else links.is_sign_in
    whose = str(link.subscriber_id) if link is not None else "0"
    subscriber = await reader(pages, whose, lambda secret: permits(token, secret, number))
    return (link, subscriber) if link is not None and subscriber is not None else None


def preferences_of(pages: Pages, subscriber: Subscriber) -> str:
    """The path of her preferences, for who has shown that the mailbox is hers."""
    return Links(pages.prefix).preferences(subscriber.id, subscriber.secret)


def refused(pages: Pages, words: Words, subscriber: Subscriber) -> Response:
    """To whom nothing may be sent."""
    return pages.notice(
        words,
        words.gettext("We cannot send mail to you"),
        pages.stopped_for_good(words, masked(subscriber.address)),
        status=409,
        alert=True,
    )


def too_many(pages: Pages, words: Words) -> Response:
    """To a network that asks too often."""
    response = pages.notice(
        words,
        words.gettext("Too many requests"),
        words.gettext("Your network has asked many times within the hour. Please try again later."),
        status=429,
        alert=True,
    )
    response.headers["Retry-After"] = "3600"
    return response


def _by_hand(pages: Pages, request: Request, form: Fields) -> bool:
    """Whether a person filled it in: our form, in as long as that takes, or the one on a page of the publisher's."""
    stamped = form.one("stamp")
    if stamped is None:
        return asking.may_hold_the_form(pages, request.headers.get("origin", ""))
    return time_trap.was_filled_in_by_hand(pages.configuration.site_keys, stamped, pages.clock())


def _language(pages: Pages, wanted: str | None) -> str:
    """A language that somebody asks for, where anything is made in it; else ''."""
    return wanted if wanted and pages.configuration.site_language_for(wanted) == wanted else ""
