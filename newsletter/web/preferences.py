"""``/p/SUBSCRIBER/TOKEN``: what a reader gets and how, behind the signed link at the foot of every mail."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.members import consent, links
from newsletter.members.addresses import masked
from newsletter.members.consent import PreferenceChange, Saved
from newsletter.model import ConsentChannel, Subscriber, SubscriptionState, SuppressionScope
from newsletter.render.words import Words
from newsletter.store import subscribers, subscriptions, suppressions
from newsletter.web import preference_form
from newsletter.web.bodies import fields
from newsletter.web.pages import Pages, long_date
from newsletter.web.preference_form import NewsletterChoice
from newsletter.web.readers import evidence, reader

_PATH = "/p/{subscriber_id}/{token}"


def routes(pages: Pages) -> APIRouter:
    """The routes of the preferences page."""
    router = APIRouter(include_in_schema=False)

    def zone_of(newsletter: str) -> ZoneInfo:
        return ZoneInfo(pages.configuration.zone(newsletter))

    async def allowed(subscriber_id: str, token: str) -> Subscriber | None:
        return await reader(pages, subscriber_id, lambda secret: links.is_preferences(token, secret))

    async def stopped_for_good(subscriber: Subscriber) -> bool:
        hashes = await pages.store.read_async(subscribers.address_hashes, [subscriber.id])
        scopes = await pages.store.read_async(suppressions.scopes_of, list(hashes.values()))
        return any(SuppressionScope.ALL in found for found in scopes.values())

    async def show(
        subscriber: Subscriber,
        token: str,
        *,
        status: int = 200,
        choices: Sequence[NewsletterChoice] | None = None,
        heading: str = "",
        done: Sequence[str] = (),
    ) -> Response:
        words = pages.words(subscriber)
        if await stopped_for_good(subscriber):
            return pages.notice(
                words,
                words.gettext("No mail goes to this address"),
                pages.stopped_for_good(words, masked(subscriber.address)),
                alert=True,
            )
        held = await pages.store.read_async(subscriptions.of, subscriber.id)
        if choices is None:
            choices = preference_form.choices(pages.schedules, held, pages.clock(), zone_of)
        return pages.page(
            words,
            "preferences.html",
            status=status,
            heading=heading or words.gettext("Your newsletters"),
            done=done,
            address=masked(subscriber.address),
            choices=choices,
            errors=sum(len(choice.errors) for choice in choices),
            gets_something=any(one.state is not SubscriptionState.UNSUBSCRIBED for one in held),
            action=f"{pages.prefix}/p/{subscriber.id}/{token}",
        )

    @router.api_route(_PATH, methods=["GET", "HEAD"])
    @router.api_route(_PATH + "/none", methods=["GET", "HEAD"])
    async def ask(subscriber_id: str, token: str) -> Response:
        subscriber = await allowed(subscriber_id, token)
        return pages.not_found() if subscriber is None else await show(subscriber, token)

    @router.post(_PATH)
    async def save(request: Request, subscriber_id: str, token: str) -> Response:
        form = await fields(request)
        subscriber = await allowed(subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        held = await pages.store.read_async(subscriptions.of, subscriber.id)
        words = pages.words(subscriber)
        submitted = preference_form.read(form, pages.schedules, held, pages.clock(), zone_of, words)
        if submitted.has_errors:
            heading = words.gettext("Nothing is saved yet")
            return await show(subscriber, token, status=422, choices=submitted.choices, heading=heading)
        changes = preference_form.as_stored(submitted.changes, pages.schedules)
        how = evidence(pages, request, ConsentChannel.PAGE)
        saved = await pages.store.write_async(consent.change_preferences, subscriber.id, changes, how)
        withdrawn = {*saved.switched_off, *saved.paused}
        if withdrawn:
            which = next(iter(withdrawn)) if len(withdrawn) == 1 else None
            await consent.await_wire(pages.store, subscriber.id, which)
        done = _sentences(words, changes, saved, submitted.left_off)
        heading = words.gettext("Your choices are saved") if done else words.gettext("Nothing had changed")
        return await show(subscriber, token, heading=heading, done=done)

    @router.post(_PATH + "/none")
    async def unsubscribe_from_all(request: Request, subscriber_id: str, token: str) -> Response:
        await request.body()
        subscriber = await allowed(subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        how = evidence(pages, request, ConsentChannel.PAGE)
        await pages.store.write_async(consent.unsubscribe_all, subscriber.id, how)
        quiet = await consent.await_wire(pages.store, subscriber.id, None)
        words = pages.words(subscriber)
        done = [words.gettext("We will not send you any newsletter. You can switch one on again below.")]
        if not quiet:
            done.append(words.gettext("A message that was already on its way may still arrive."))
        return await show(subscriber, token, heading=words.gettext("You are unsubscribed from everything"), done=done)

    def _sentences(
        words: Words, changes: Sequence[PreferenceChange], saved: Saved, left_off: Sequence[str]
    ) -> list[str]:
        asked = {change.newsletter: change for change in changes}
        title = pages.title
        said = [
            words.gettext("You will get %(newsletter)s from the next edition on.", newsletter=title(name))
            for name in saved.switched_on
        ]
        said += [
            words.gettext("You will not get %(newsletter)s any more.", newsletter=title(name))
            for name in saved.switched_off
        ]
        for name in saved.changed:
            pause = asked[name].pause
            if name in saved.paused and pause is not None and pause.until is not None:
                day = long_date(pause.until.astimezone(zone_of(name)).date(), words)
                said.append(words.gettext("%(newsletter)s is paused until %(day)s.", newsletter=title(name), day=day))
            else:
                said.append(words.gettext("%(newsletter)s will come the way you chose.", newsletter=title(name)))
        said += [
            words.gettext(
                "%(newsletter)s was switched off in the meantime, and stays off. Switch it on below if you want it.",
                newsletter=title(name),
            )
            for name in left_off
        ]
        return said

    return router
