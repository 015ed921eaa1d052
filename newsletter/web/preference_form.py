"""Subscriptions -> what the preferences page shows, and what came back from it -> changes, or words beside a field.

Pure: no store, no clock. A newsletter acts only where the form says that it showed it (``shown``) and in which
position its switch stood (``was``): a form that lacks a newsletter never switches it off, and one that lay open while
she unsubscribed elsewhere never brings it back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babel.dates import format_time

from newsletter.config.languages import language_among
from newsletter.config.models import Newsletter, Schedule, Schedules
from newsletter.members.consent import Pause, PreferenceChange
from newsletter.model import MailFormat, Stream, Subscription, SubscriptionState
from newsletter.render.frequency import frequency_of
from newsletter.render.words import Words, locale_of
from newsletter.web.bodies import Fields
from newsletter.web.pages import long_date

LONGEST_PAUSE_DAYS = 366
OFFERED_PAUSE_DAYS = 30
_LAST_PLACE = 99
_CONTINENTS = frozenset(
    {
        "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SectionChoice:
    """A section as the page shows it. ``place`` is the text of its order field, ``wrong`` that it is no place."""

    name: str
    chosen: bool
    place: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class NewsletterChoice:
    """A newsletter as the page shows it. ``on`` is its switch on the page, ``stands`` what is stored; ``settings``
    says whether anything but the switch is shown.

    ``streams`` are the frequencies it may come at, each as it is stored, in words, and when that is ('': at no fixed
    time). ``hours`` are those it may come at, each as it is stored ('': the newsletter's own) and in words. Either is
    () where that is not hers to choose. ``errors`` has, by field (``stream``, ``sections``, ``hour``, ``format``,
    ``pause``), what is wrong, in words.
    """

    name: str
    title: str
    description: str
    on: bool
    stands: bool
    settings: bool
    streams: tuple[tuple[str, str, str], ...] = ()
    stream: str = Stream.EACH.value
    sections: tuple[SectionChoice, ...] = ()
    hours: tuple[tuple[str, str], ...] = ()
    hour: str = ""
    format: MailFormat = MailFormat.HTML
    pause: str = ""
    first_pause: str = ""
    last_pause: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LanguageChoice:
    """The languages that newsletters are made in, each with its name in itself; () where there is one alone. The first
    is '', each newsletter's own."""

    offered: tuple[tuple[str, str], ...]
    chosen: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ClockChoice:
    """The time zones by whose clock her mail may come, each as it is stored and in words; () where nothing she gets
    goes by it. The first is '', each newsletter's own."""

    offered: tuple[tuple[str, str], ...]
    chosen: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A form that was read: ``changes`` to make, or ``choices`` with errors to show again.

    ``left_off`` were switched off elsewhere since the page was made; ``language`` and ``timezone`` are new ones, None:
    none.
    """

    changes: tuple[PreferenceChange, ...]
    choices: tuple[NewsletterChoice, ...]
    spoken: LanguageChoice
    clock: ClockChoice
    left_off: tuple[str, ...] = ()
    language: str | None = None
    timezone: str | None = None

    @property
    def has_errors(self) -> bool:
        return bool(self.spoken.error or self.clock.error) or any(choice.errors for choice in self.choices)


def choices(
    schedules: Schedules,
    held: Sequence[Subscription],
    now: datetime,
    zone_of: Callable[[str], ZoneInfo],
    words: Words,
) -> tuple[NewsletterChoice, ...]:
    """Every newsletter in the publisher's order; those no longer published stand last, while she still gets them."""
    by_name = {one.newsletter: one for one in held}
    published = [by_name.get(name) or _never_had(name) for name in schedules.newsletters]
    others = [one for one in held if one.newsletter not in schedules.newsletters and is_on(one)]
    return tuple(_choice(schedules, one, now, zone_of, words) for one in (*published, *others))


def languages(offered: Sequence[str], hers: str, words: Words) -> LanguageChoice:
    """What there is to choose from for her who asked for ``hers``."""
    different = tuple(dict.fromkeys(offered))
    if len(different) < 2:
        return LanguageChoice((), hers)
    own = ("", words.gettext("Each newsletter in its own"))
    named = ((one, locale_of(one).get_display_name() or one) for one in different)
    return LanguageChoice((own, *named), language_among(hers, ["", *different]))


def clocks(schedules: Schedules, held: Sequence[Subscription], hers: str, words: Words) -> ClockChoice:
    """What there is to choose from for her who lives in the zone ``hers`` ('': nobody knows)."""
    published = [one for one in held if is_on(one) and one.newsletter in schedules.newsletters]
    if not any(schedules.newsletters[one.newsletter].of(one.stream).schedule.by_reader for one in published):
        return ClockChoice((), hers)
    own = ("", words.gettext("Each newsletter's own"))
    zones = sorted({*_places(), *([hers] if hers else [])})
    return ClockChoice((own, *((zone, zone.replace("_", " ")) for zone in zones)), hers)


@cache
def _places() -> frozenset[str]:
    """The zones that are named after a place; the others are names of old for the same, or no place's."""
    return frozenset(zone for zone in available_timezones() if zone.partition("/")[0] in _CONTINENTS)


def breaks_off(
    held: Sequence[Subscription], now: datetime, zone_of: Callable[[str], ZoneInfo]
) -> tuple[PreferenceChange, ...]:
    """A pause of all she gets, for the days offered; one that lasts longer already stays."""

    def until(newsletter: str) -> datetime:
        zone = zone_of(newsletter)
        day = now.astimezone(zone).date() + timedelta(days=OFFERED_PAUSE_DAYS)
        return datetime.combine(day, time(), zone).astimezone(UTC)

    return tuple(
        PreferenceChange(one.newsletter, pause=Pause(until(one.newsletter)))
        for one in held
        if is_on(one) and (one.paused_until is None or one.paused_until < until(one.newsletter))
    )


def goes_on(held: Sequence[Subscription], now: datetime) -> tuple[PreferenceChange, ...]:
    """The end of every pause that runs."""
    return tuple(PreferenceChange(one.newsletter, pause=Pause(None)) for one in held if is_on(one) and paused(one, now))


def is_on(subscription: Subscription) -> bool:
    """Whether she gets this newsletter, now or after a pause."""
    return subscription.state is SubscriptionState.ACTIVE


def paused(subscription: Subscription, now: datetime) -> bool:
    """Whether a pause runs."""
    return subscription.paused_until is not None and subscription.paused_until > now


def read(
    fields: Fields,
    schedules: Schedules,
    held: Sequence[Subscription],
    now: datetime,
    zone_of: Callable[[str], ZoneInfo],
    spoken: LanguageChoice,
    clock: ClockChoice,
    words: Words,
) -> Submitted:
    """What the form asks for; ``spoken`` and ``clock`` are her language and zone as they stand, and what is wrong is
    said in ``words``."""
    shown = set(fields.all("shown"))
    by_name = {one.newsletter: one for one in held}
    changes: list[PreferenceChange] = []
    again: list[NewsletterChoice] = []
    left_off: list[str] = []
    for choice in choices(schedules, held, now, zone_of, words):
        if choice.name not in shown:
            again.append(choice)
            continue
        was = {"on": True, "off": False}.get(fields.one(f"was:{choice.name}") or "", choice.on)
        wants = fields.one(f"on:{choice.name}") is not None
        change = PreferenceChange(choice.name, on=wants if wants != was else None)
        if wants and was and not choice.on:
            left_off.append(choice.name)
        entered = replace(choice, on=wants)
        if wants and choice.on and choice.settings and fields.one(f"settings:{choice.name}") is not None:
            known, stands = schedules.newsletters[choice.name], by_name[choice.name]
            entered, change = _settings(fields, entered, change, stands, known, now, zone_of, words)
        again.append(entered)
        changes.append(change)
    language = None
    asked = fields.one("language")
    if spoken.offered and asked is not None and asked != fields.one("was-language"):
        if asked in dict(spoken.offered):
            language, spoken = asked, replace(spoken, chosen=asked)
        else:
            spoken = replace(spoken, error=words.gettext("Choose one of these languages."))
    timezone = None
    lives = fields.one("timezone")
    if clock.offered and lives is not None and lives != fields.one("was-timezone"):
        if lives in dict(clock.offered):
            timezone, clock = lives, replace(clock, chosen=lives)
        else:
            clock = replace(clock, error=words.gettext("Choose one of these time zones."))
    return Submitted(tuple(changes), tuple(again), spoken, clock, tuple(left_off), language, timezone)


def _never_had(newsletter: str) -> Subscription:
    return Subscription(0, newsletter, SubscriptionState.UNSUBSCRIBED)


def _choice(
    schedules: Schedules,
    held: Subscription,
    now: datetime,
    zone_of: Callable[[str], ZoneInfo],
    words: Words,
) -> NewsletterChoice:
    known = schedules.newsletters.get(held.newsletter)
    if known is None:
        return NewsletterChoice(held.newsletter, held.newsletter, "", is_on(held), is_on(held), settings=False)
    zone, stream = zone_of(held.newsletter), _stream(known, held.stream)
    schedule = known.of(stream).schedule
    today = now.astimezone(zone).date()
    until = held.paused_until
    return NewsletterChoice(
        held.newsletter,
        known.title,
        known.description,
        on=is_on(held),
        stands=is_on(held),
        settings=is_on(held),
        streams=_streams(known, words),
        stream=stream.value,
        sections=_sections(known.section_names, held.sections),
        hours=_hours(schedule, words),
        hour=_hour(schedule, held.hour),
        format=held.format,
        pause=until.astimezone(zone).date().isoformat() if until is not None and paused(held, now) else "",
        first_pause=(today + timedelta(days=1)).isoformat(),
        last_pause=(today + timedelta(days=LONGEST_PAUSE_DAYS)).isoformat(),
    )


def _streams(newsletter: Newsletter, words: Words) -> tuple[tuple[str, str, str], ...]:
    """One frequency alone is no choice."""
    if len(newsletter.offered_streams) < 2:
        return ()
    named = {
        Stream.EACH: words.gettext("Every edition"),
        Stream.DAILY: words.gettext("Once a day, a round-up"),
        Stream.WEEKLY: words.gettext("Once a week, a round-up"),
        Stream.BREAKING: words.gettext("Breaking news only"),
    }

    def when(stream: Stream) -> str:
        own = newsletter.of(stream)
        return own.frequency if stream is Stream.BREAKING else frequency_of(own, words)

    return tuple((stream.value, named[stream], when(stream)) for stream in newsletter.offered_streams)


def _stream(newsletter: Newsletter, stored: Stream) -> Stream:
    """The frequency at which a reader has it who has ``stored``."""
    return stored if stored in newsletter.offered_streams else Stream.EACH


def _hours(schedule: Schedule, words: Words) -> tuple[tuple[str, str], ...]:
    """One hour alone is no choice."""
    if len(schedule.offered_hours) < 2:
        return ()
    return tuple(
        (hour, format_time(time.fromisoformat(hour), "short", locale=words.locale)) for hour in schedule.offered_hours
    )


def _hour(schedule: Schedule, stored: str) -> str:
    """The hour that a reader has it at who has ``stored`` ('': none of her own)."""
    if not schedule.by_reader:
        return ""
    return stored if stored in schedule.offered_hours else schedule.times[0]


def _sections(offered: Sequence[str], chosen: Sequence[str]) -> tuple[SectionChoice, ...]:
    """Hers first, in her order, then the rest; one section alone is no choice."""
    if len(offered) < 2:
        return ()
    hers = [name for name in chosen if name in offered] or list(offered)
    rest = [name for name in offered if name not in hers]
    return (
        *(SectionChoice(name, True, str(place)) for place, name in enumerate(hers, 1)),
        *(SectionChoice(name, False, "") for name in rest),
    )


def _settings(
    fields: Fields,
    choice: NewsletterChoice,
    change: PreferenceChange,
    held: Subscription,
    known: Newsletter,
    now: datetime,
    zone_of: Callable[[str], ZoneInfo],
    words: Words,
) -> tuple[NewsletterChoice, PreferenceChange]:
    errors: dict[str, str] = {}
    before = choice.stream
    often = fields.one(f"stream:{choice.name}")
    if choice.streams and often is not None:
        if often not in [value for value, *_ in choice.streams]:
            errors["stream"] = words.gettext("Choose one of these.")
        elif often != before:
            choice, change = replace(choice, stream=often), replace(change, stream=Stream(often))
    if choice.sections:
        entered = _entered(fields, choice)
        if any(section.wrong for section in entered):
            errors["sections"] = words.gettext("A place is a whole number from 1 to %(last)s.", last=_LAST_PLACE)
        elif not any(section.chosen for section in entered):
            errors["sections"] = words.gettext("Choose at least one section, or switch the newsletter off.")
        else:
            change = replace(change, sections=_in_order(choice.sections, entered))
        choice = replace(choice, sections=entered)
    at, schedule = fields.one(f"hour:{choice.name}"), known.of(Stream(choice.stream)).schedule
    if choice.hours and at is not None:
        if at not in dict(choice.hours):
            errors["hour"] = words.gettext("Choose one of these times.")
        elif at != choice.hour and (choice.stream == before or at in schedule.offered_hours):
            # The stream's own hour is stored as no choice: another, if it is given one, then comes to her too.
            choice, change = replace(choice, hour=at), replace(change, hour="" if at in schedule.times else at)
    asked = fields.one(f"format:{choice.name}")
    if asked in set(MailFormat):
        choice = replace(choice, format=MailFormat(asked))
        change = replace(change, format=choice.format)
    elif asked is not None:
        errors["format"] = words.gettext("Choose pictures and layout, or plain text.")
    until = fields.one(f"pause:{choice.name}")
    if until is not None:
        shown, choice = choice.pause, replace(choice, pause=until.strip()[:20])
        pause, problem = _pause(choice, held, now, zone_of(choice.name), words)
        if choice.pause == shown:  # what she leaves as it is stays so, on whatever clock it was chosen
            pause, problem = None, ""
        if problem:
            errors["pause"] = problem
        change = replace(change, pause=pause)
    return replace(choice, errors=errors), change


def _entered(fields: Fields, choice: NewsletterChoice) -> tuple[SectionChoice, ...]:
    picked = set(fields.all(f"section:{choice.name}"))
    found = []
    for section in choice.sections:
        chosen = section.name in picked
        place = (fields.one(f"place:{choice.name}:{section.name}") or "").strip()[:10]
        found.append(SectionChoice(section.name, chosen, place, wrong=chosen and _place(place) is None))
    return tuple(found)


def _in_order(shown: Sequence[SectionChoice], entered: Sequence[SectionChoice]) -> tuple[str, ...]:
    """The chosen sections by place. Who writes 1 beside the third means it to come before the one that was first, so
    of two in one place the one that moved up comes first, and the one that moved down last."""

    def key(pair: tuple[SectionChoice, SectionChoice]) -> tuple[int, int]:
        before, after = (_place(section.place) or 0 for section in pair)
        return after, (after > before) - (after < before)

    moved = sorted(((old, new) for old, new in zip(shown, entered, strict=True) if new.chosen), key=key)
    return tuple(new.name for _, new in moved)


def _place(text: str) -> int | None:
    """The number in an order field; an empty one stands last. None where it is no place."""
    if not text:
        return _LAST_PLACE + 1
    number = int(text) if text.isascii() and text.isdigit() else 0
    return number if 1 <= number <= _LAST_PLACE else None


def _pause(
    choice: NewsletterChoice, held: Subscription, now: datetime, zone: ZoneInfo, words: Words
) -> tuple[Pause | None, str]:
    """Until the beginning of that day on her clock; without a zone of hers, on the newsletter's."""
    if not choice.pause:
        return (Pause(None) if paused(held, now) else None), ""
    try:
        day: date | None = date.fromisoformat(choice.pause)
    except ValueError:
        day = None
    if day is None or choice.pause != day.isoformat():
        return None, words.gettext("Write the day as year-month-day, for example %(day)s.", day=choice.first_pause)
    if not choice.first_pause <= choice.pause <= choice.last_pause:
        first, last = (long_date(date.fromisoformat(end), words) for end in (choice.first_pause, choice.last_pause))
        return None, words.gettext("Choose a day from %(first)s to %(last)s.", first=first, last=last)
    return Pause(datetime.combine(day, time(), zone).astimezone(UTC)), ""


def as_stored(changes: Sequence[PreferenceChange], schedules: Schedules) -> tuple[PreferenceChange, ...]:
    """Every section in the newsletter's own order is stored as no choice: a section added later then comes to her
    too."""

    def stored(change: PreferenceChange) -> PreferenceChange:
        known = schedules.newsletters.get(change.newsletter)
        if known is not None and change.sections == known.section_names:
            change = replace(change, sections=())
        return change

    return tuple(map(stored, changes))
