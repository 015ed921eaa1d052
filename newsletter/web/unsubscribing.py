"""``/u/SUBSCRIBER/NEWSLETTER/TOKEN``: a page with one button on GET, the act on POST (RFC 8058 §3.1 and §3.2)."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.members import consent, links
from newsletter.members.addresses import masked
from newsletter.members.consent import Renewal
from newsletter.model import ConsentChannel, Subscriber, SubscriptionState
from newsletter.store import subscriptions
from newsletter.web.pages import Pages
from newsletter.web.readers import NEWSLETTER, evidence, reader, refuse_from_elsewhere

_PATH = "/u/{subscriber_id}/{newsletter}/{token}"
# RFC 8058 §3.1: the body that mail programs post. Our own page posts something else, so that the ledger can tell them.
_ONE_CLICK = b"List-Unsubscribe=One-Click"


def routes(pages: Pages) -> APIRouter:
    """The routes of unsubscribing and subscribing again."""
    router = APIRouter(include_in_schema=False)

    async def allowed(subscriber_id: str, newsletter: str, token: str) -> Subscriber | None:
        named = NEWSLETTER.fullmatch(newsletter) is not None
        name = newsletter if named else ""
        found = await reader(pages, subscriber_id, lambda secret: links.is_unsubscribe(token, secret, name))
        return found if named else None

    @router.api_route(_PATH, methods=["GET", "HEAD"])
    @router.api_route(_PATH + "/again", methods=["GET", "HEAD"])
    async def ask(subscriber_id: str, newsletter: str, token: str) -> Response:
        subscriber = await allowed(subscriber_id, newsletter, token)
        if subscriber is None:
            return pages.not_found()
        words = pages.words(subscriber, newsletter)
        stands = await pages.store.read_async(subscriptions.one, subscriber.id, newsletter)
        if stands is not None and stands.state is SubscriptionState.UNSUBSCRIBED:
            heading = words.gettext("You do not receive %(newsletter)s", newsletter=pages.title(newsletter))
            return _unsubscribed(subscriber, newsletter, token, heading)
        return pages.page(
            words,
            "unsubscribe.html",
            title=pages.title(newsletter),
            address=masked(subscriber.address),
            action=f"{pages.prefix}/u/{subscriber.id}/{newsletter}/{token}",
        )

    @router.post(_PATH)
    async def unsubscribe(request: Request, subscriber_id: str, newsletter: str, token: str) -> Response:
        # Any body unsubscribes: the link is the proof, and a mail program's mistake must not keep her subscribed.
        body = await request.body()
        subscriber = await allowed(subscriber_id, newsletter, token)
        if subscriber is None:
            return pages.not_found()
        channel = ConsentChannel.ONE_CLICK if not body or _ONE_CLICK in body else ConsentChannel.PAGE
        words = pages.words(subscriber, newsletter)
        wording = pages.wording(words, "unsubscribe.html") if channel is ConsentChannel.PAGE else ""
        how = evidence(pages, request, channel, wording)
        await pages.store.write_async(consent.unsubscribe, subscriber.id, newsletter, how)
        quiet = await consent.await_wire(pages.store, subscriber.id, newsletter)
        heading = words.gettext("You are unsubscribed from %(newsletter)s", newsletter=pages.title(newsletter))
        return _unsubscribed(subscriber, newsletter, token, heading, quiet=quiet)

    @router.post(_PATH + "/again")
    async def subscribe_again(request: Request, subscriber_id: str, newsletter: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        subscriber = await allowed(subscriber_id, newsletter, token)
        if subscriber is None or newsletter not in pages.schedules.newsletters:
            return pages.not_found()
        words, address = pages.words(subscriber, newsletter), masked(subscriber.address)
        how = evidence(pages, request, ConsentChannel.PAGE, pages.wording(words, "unsubscribed.html"))
        renewal = await pages.store.write_async(consent.subscribe_again, subscriber.id, newsletter, how)
        if renewal is Renewal.REFUSED:
            return pages.notice(
                words,
                words.gettext("We cannot send mail to you"),
                pages.stopped_for_good(words, address),
                status=409,
                alert=True,
            )
        return pages.notice(
            words,
            words.gettext("You are subscribed to %(newsletter)s again", newsletter=pages.title(newsletter)),
            words.gettext("It will come to %(address)s, from the next edition on.", address=address),
            words.gettext("Every edition has a link at its foot to unsubscribe."),
        )

    def _unsubscribed(
        subscriber: Subscriber, newsletter: str, token: str, heading: str, *, quiet: bool = True
    ) -> Response:
        published = newsletter in pages.schedules.newsletters
        return pages.page(
            pages.words(subscriber, newsletter),
            "unsubscribed.html",
            heading=heading,
            title=pages.title(newsletter),
            address=masked(subscriber.address),
            quiet=quiet,
            action=f"{pages.prefix}/u/{subscriber.id}/{newsletter}/{token}/again" if published else "",
        )

    return router
