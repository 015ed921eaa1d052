"""``/p/SUBSCRIBER/TOKEN``: what a reader gets and how, behind the signed link at the foot of every mail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from starlette.responses import Response

from newsletter.cohort import known_zone
from newsletter.members import consent
from newsletter.members.addresses import masked
from newsletter.members.consent import Evidence, PreferenceChange, Saved
from newsletter.model import ConsentChannel, Subscriber, Subscription, SuppressionScope
from newsletter.render.words import Words
from newsletter.store import subscribers, subscriptions, suppressions
from newsletter.web import preference_form
from newsletter.web.bodies import fields
from newsletter.web.pages import Pages, long_date
from newsletter.web.preference_form import (
    OFFERED_PAUSE_DAYS,
    ClockChoice,
    LanguageChoice,
    NewsletterChoice,
    Submitted,
    is_on,
    paused,
)
from newsletter.web.readers import evidence, preferring, refuse_from_elsewhere

_PATH = "/p/{subscriber_id}/{token}"


def routes(pages: Pages) -> APIRouter:
    """The routes of the preferences page."""
    router = APIRouter(include_in_schema=False)

    def clock_for(subscriber: Subscriber) -> Callable[[str], ZoneInfo]:
        """By whose clock a newsletter's dates are hers: by her own; without a zone of hers, by the newsletter's."""

        def zone_of(newsletter: str) -> ZoneInfo:
            published = newsletter in pages.schedules.newsletters
            own = ZoneInfo(pages.configuration.zone(newsletter)) if published else pages.schedules.site.zone
            return known_zone(subscriber.timezone) or own

        return zone_of

    def languages(subscriber: Subscriber) -> LanguageChoice:
        configured = pages.configuration
        offered = [one for name in pages.schedules.newsletters for one in configured.languages(name)]
        return preference_form.languages(offered, subscriber.language, pages.words(subscriber))

    def clock_of(subscriber: Subscriber, held: Sequence[Subscription]) -> ClockChoice:
        return preference_form.clocks(pages.schedules, held, subscriber.timezone, pages.words(subscriber))

    def agreed(request: Request, words: Words) -> Evidence:
        return evidence(pages, request, ConsentChannel.PAGE, pages.wording(words, "preferences.html"))

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
        spoken: LanguageChoice | None = None,
        clock: ClockChoice | None = None,
        heading: str = "",
        done: Sequence[str] = (),
    ) -> Response:
        words = pages.words(subscriber)
        action = f"{pages.prefix}/p/{subscriber.id}/{token}"
        if await stopped_for_good(subscriber):
            return pages.page(
                words,
                "stopped.html",
                heading=words.gettext("No mail goes to this address"),
                sentence=pages.stopped_for_good(words, masked(subscriber.address)),
                action=action,
            )
        held = await pages.store.read_async(subscriptions.of, subscriber.id)
        now, zone_of = pages.clock(), clock_for(subscriber)
        here = known_zone(subscriber.timezone) or pages.schedules.site.zone
        if choices is None:
            choices = preference_form.choices(pages.schedules, held, now, zone_of, words)
        spoken, clock = spoken or languages(subscriber), clock or clock_of(subscriber, held)
        gets = [one for one in held if is_on(one)]
        return pages.page(
            words,
            "preferences.html",
            status=status,
            heading=heading or words.gettext("Your newsletters"),
            done=done,
            address=masked(subscriber.address),
            choices=choices,
            spoken=spoken,
            clock=clock,
            errors=sum(len(choice.errors) for choice in choices) + bool(spoken.error) + bool(clock.error),
            gets_something=bool(gets),
            days=OFFERED_PAUSE_DAYS if preference_form.breaks_off(held, now, zone_of) else 0,
            back=long_date((now + timedelta(days=OFFERED_PAUSE_DAYS)).astimezone(here), words),
            rests=any(paused(one, now) for one in gets),
            resting={
                one.newsletter: long_date(one.paused_until.astimezone(zone_of(one.newsletter)).date(), words)
                for one in gets
                if one.paused_until is not None and paused(one, now)
            },
            action=action,
        )

    @router.api_route(_PATH, methods=["GET", "HEAD"])
    @router.api_route(_PATH + "/none", methods=["GET", "HEAD"])
    @router.api_route(_PATH + "/pause", methods=["GET", "HEAD"])
    @router.api_route(_PATH + "/resume", methods=["GET", "HEAD"])
    async def ask(subscriber_id: str, token: str) -> Response:
        subscriber = await preferring(pages, subscriber_id, token)
        return pages.not_found() if subscriber is None else await show(subscriber, token)

    @router.post(_PATH)
    async def save(request: Request, subscriber_id: str, token: str) -> Response:
        form = await fields(request)
        refuse_from_elsewhere(request)
        subscriber = await preferring(pages, subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        held = await pages.store.read_async(subscriptions.of, subscriber.id)
        words = pages.words(subscriber)
        submitted = preference_form.read(
            form,
            pages.schedules,
            held,
            pages.clock(),
            clock_for(subscriber),
            languages(subscriber),
            clock_of(subscriber, held),
            words,
        )
        if submitted.has_errors:
            heading = words.gettext("Nothing is saved yet")
            return await show(
                subscriber,
                token,
                status=422,
                choices=submitted.choices,
                spoken=submitted.spoken,
                clock=submitted.clock,
                heading=heading,
            )
        return await change(request, subscriber, token, submitted)

    async def change(request: Request, subscriber: Subscriber, token: str, wanted: Submitted) -> Response:
        """Write it, wait for the wire where something was withdrawn, and say what was done, in her new language."""
        words, zone_of = pages.words(subscriber), clock_for(subscriber)
        changes = preference_form.as_stored(wanted.changes, pages.schedules)
        saved = await pages.store.write_async(
            consent.change_preferences,
            subscriber.id,
            changes,
            agreed(request, words),
            wanted.language,
            wanted.timezone,
        )
        withdrawn = {*saved.switched_off, *saved.paused}
        if withdrawn:
            which = next(iter(withdrawn)) if len(withdrawn) == 1 else None
            await consent.await_wire(pages.store, subscriber.id, which)
        if saved.language:
            subscriber = replace(subscriber, language=wanted.language or "")
            words = pages.words(subscriber)
        if saved.timezone:
            subscriber = replace(subscriber, timezone=wanted.timezone or "")
        done = _sentences(words, zone_of, changes, saved, wanted.left_off)
        heading = words.gettext("Your choices are saved") if done else words.gettext("Nothing had changed")
        return await show(subscriber, token, heading=heading, done=done)

    @router.post(_PATH + "/pause")
    async def pause(request: Request, subscriber_id: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        subscriber = await preferring(pages, subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        held = await pages.store.read_async(subscriptions.of, subscriber.id)
        changes = preference_form.breaks_off(held, pages.clock(), clock_for(subscriber))
        return await change(
            request, subscriber, token, Submitted(changes, (), languages(subscriber), clock_of(subscriber, held))
        )

    @router.post(_PATH + "/resume")
    async def resume(request: Request, subscriber_id: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        subscriber = await preferring(pages, subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        held = await pages.store.read_async(subscriptions.of, subscriber.id)
        changes = preference_form.goes_on(held, pages.clock())
        return await change(
            request, subscriber, token, Submitted(changes, (), languages(subscriber), clock_of(subscriber, held))
        )

    @router.post(_PATH + "/none")
    async def unsubscribe_from_all(request: Request, subscriber_id: str, token: str) -> Response:
        await request.body()
        refuse_from_elsewhere(request)
        subscriber = await preferring(pages, subscriber_id, token)
        if subscriber is None:
            return pages.not_found()
        words = pages.words(subscriber)
        await pages.store.write_async(consent.unsubscribe_all, subscriber.id, agreed(request, words))
        quiet = await consent.await_wire(pages.store, subscriber.id, None)
        done = [words.gettext("We will not send you any newsletter. You can switch one on again below.")]
        if not quiet:
            done.append(words.gettext("A message that was already on its way may still arrive."))
        return await show(subscriber, token, heading=words.gettext("You are unsubscribed from everything"), done=done)

    def _sentences(
        words: Words,
        zone_of: Callable[[str], ZoneInfo],
        changes: Sequence[PreferenceChange],
        saved: Saved,
        left_off: Sequence[str],
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
            elif pause is not None and pause.until is None:
                said.append(words.gettext("%(newsletter)s is not paused any more.", newsletter=title(name)))
            else:
                said.append(words.gettext("%(newsletter)s will come the way you chose.", newsletter=title(name)))
        if saved.language:
            said.append(words.gettext("Mail comes in this language from now on, where a newsletter is made in it."))
        if saved.timezone:
            said.append(words.gettext("What comes at an hour of yours comes by this clock from now on."))
        said += [
            words.gettext(
                "%(newsletter)s was switched off in the meantime, and stays off. Switch it on below if you want it.",
                newsletter=title(name),
            )
            for name in left_off
        ]
        return said

    return router
