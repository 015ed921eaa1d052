"""What one reader's copy of an edition follows: her preferences as they were taken up, or as they are now -> words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from newsletter.compose.keys import gets_lead_alone, sections_for, stories_for
from newsletter.config.reading import Configuration
from newsletter.deliver.leaving_out import Carried, LeavingOut, stories_in
from newsletter.model import Edition, MailFormat, Reason, RenderedKey, StreamName, Subscriber, Subscription
from newsletter.store import Store
from newsletter.store.deliveries import DeliveryRow
from newsletter.store.had import decode as decode_had
from newsletter.store.subscriptions import encode_sections

_FORMATS = {MailFormat.HTML: "HTML", MailFormat.TEXT: "text only"}


@dataclass(frozen=True, slots=True)
class Preferences:
    """What her copy follows. ``sections`` are in her order, ``chosen`` says that they are her own choice;
    ``stories`` is how many of the edition's ``of`` stories her copy has, None before it is composed; ``carried`` are
    those it goes without, by the newsletter that carried them and when that was due (UTC). ``moved``: not long ago she
    had it at another hour. ``lead_alone``: none of her sections held a story."""

    sections: tuple[str, ...]
    chosen: bool
    language: str
    format: MailFormat
    plan: str
    stories: int | None = None
    of: int = 0
    carried: tuple[tuple[str, datetime, int], ...] = ()
    moved: bool = False
    lead_alone: bool = False

    def sentence(self, due_at: datetime, zone: ZoneInfo) -> str:
        """All of it in words, with the time of the edition on the newsletter's clock."""
        whose = "as chosen" if self.chosen else "the newsletter's own"
        parts = [f"Due {due_at.astimezone(zone):%H:%M} {zone.key}", f"sections {', '.join(self.sections)}, {whose}"]
        if self.lead_alone:
            parts.append("none of them held a story: the lead alone")
        if self.stories is not None:
            parts.append(f"{self.stories} of {self.of} {'story' if self.of == 1 else 'stories'}")
        today = due_at.astimezone(zone).date()
        for newsletter, at, number in self.carried:
            local = at.astimezone(zone)
            when = f"{local:%H:%M}" if local.date() == today else f"{local:%H:%M} on {local:%Y-%m-%d}"
            parts.append(f"{number} left out because {newsletter} carried {'it' if number == 1 else 'them'} at {when}")
        if self.moved:
            parts.append("what editions of this hour held before she came to it, it does not hold again")
        parts.append(f"language {self.language}, {_FORMATS[self.format]}, plan {self.plan}")
        return "; ".join(parts) + "."


def preferences_of(
    configuration: Configuration,
    store: Store,
    of: StreamName,
    person: Subscriber,
    subscription: Subscription | None,
    delivery: DeliveryRow | None,
    pool: Edition | None,
) -> Preferences | None:
    """Those of her delivery, where it has been made; else hers as they are now."""
    newsletter, name = configuration.newsletter(*of), of.newsletter
    had, leaving_out = delivery.had if delivery is not None else "", LeavingOut(configuration)
    carried: list[Carried] = []
    if delivery is not None:
        carried = store.read(leaving_out.carried, delivery.id) if had or not delivery.attempt else []
    elif pool is not None:
        carried = store.read(leaving_out.would_be_carried, {person.id: person.timezone}, pool).get(person.id, [])
    gone = decode_had(had) or stories_in(carried)
    if delivery is not None:
        stored, mail_format, key = delivery.sections, delivery.format, RenderedKey.parse(delivery.rendered_key)
    elif subscription is not None:
        stored, mail_format = encode_sections(subscription.sections), subscription.format
        key = RenderedKey(configuration.language_for(name, person.language), configuration.plan_of(person.plan))
    else:
        return None
    chosen = sections_for(stored, newsletter)
    # What was skipped before ``nothing_chosen`` said otherwise held nothing for her.
    goes = delivery is None or delivery.reason is not Reason.NO_STORIES
    hers = stories_for(stored, newsletter, pool, gone) if pool is not None and goes else ()
    without_leaving_out = stories_for(stored, newsletter, pool) if pool is not None else stories_in(carried)
    return Preferences(
        chosen or newsletter.section_names,
        bool(chosen),
        key.language,
        mail_format,
        key.plan,
        len(hers) if pool is not None else None,
        len(set(pool.article_ids)) if pool is not None else 0,
        tuple(
            (one.newsletter, one.due_at, number)
            for one in carried
            if (number := len(set(one.article_ids).intersection(without_leaving_out)))
        ),
        moved=delivery is not None and delivery.moved,
        lead_alone=pool is not None and goes and gets_lead_alone(stored, newsletter, pool),
    )
