"""``Configuration``: the validated ``schedules.yaml`` as all other rooms see it, with the place of everything in it.

Made by ``config.reading.load``; nothing in it changes afterwards.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Protocol

from newsletter.cohort import EVERYBODY, LONGEST_DATE, Cohort, known_zone
from newsletter.config import faults, variables
from newsletter.config.document import Document
from newsletter.config.languages import language_among
from newsletter.config.models import Newsletter, Relay, Schedules
from newsletter.config.site_key import FILE_NAME, SiteKeys
from newsletter.errors import ConfigurationError, UsageError
from newsletter.model import SYSTEM, Stream, StreamName
from newsletter.target import Target, Targeting, Targets


class InStream(Protocol):
    """An occurrence, an edition, or whatever else belongs to one stream of a newsletter."""

    @property
    def newsletter(self) -> str: ...
    @property
    def stream(self) -> str: ...


@dataclass(frozen=True)
class Configuration:
    """A valid ``schedules.yaml`` with the place of everything in it. Its repr shows the file alone."""

    file: Path
    schedules: Schedules = field(repr=False)
    document: Document = field(repr=False)
    filled: variables.Filled = field(repr=False)
    given_keys: SiteKeys | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """The file's folder, absolute; relative names in the file start there."""
        return self.file.parent

    @cached_property
    def site_keys(self) -> SiteKeys:
        """The site's keys, read when first asked for. Raises ConfigurationError where ``site.key`` is missing."""
        return self.given_keys or SiteKeys.load(self.site_key_file)

    @property
    def site_key_file(self) -> Path:
        return self.folder / FILE_NAME

    @property
    def store_url(self) -> str:
        """The store's URL, an SQLite file's path made absolute. It may hold a password: never print it."""
        url = self.schedules.store.get_secret_value()
        if not url.startswith("sqlite:///"):
            return url
        path, mark, query = url.removeprefix("sqlite:///").partition("?")
        return f"sqlite:///{self.resolve(path)}{mark}{query}"

    @property
    def store_file(self) -> Path | None:
        """The SQLite file; None on PostgreSQL."""
        url = self.store_url
        return Path(url.removeprefix("sqlite:///").partition("?")[0]) if url.startswith("sqlite:///") else None

    @property
    def media_folder(self) -> Path:
        return self.resolve(self.schedules.media)

    @property
    def template_folders(self) -> tuple[Path, ...]:
        """Where templates are looked up: ``templates/`` beside the file, then those that are shipped."""
        return tuple(dict.fromkeys((self.folder / "templates", shipped_templates())))

    def resolve(self, path: str | Path) -> Path:
        """``path`` as written in the file, made absolute."""
        return self.folder / path

    def where(self, *path: str | int) -> str:
        """``schedules.yaml:31`` for the key at ``path``, or for the nearest one above it that is in the file."""
        return self.document.where(*path)

    def fault(self, what: str, *path: str | int, remedy: str = "") -> ConfigurationError:
        """An error about the key at ``path``, with its line, and without any value from the environment."""
        return ConfigurationError(
            self.filled.hide(what, path), where=self.where(*path), remedy=self.filled.hide(remedy, path)
        )

    def newsletter(self, name: str, stream: Stream = Stream.EACH) -> Newsletter:
        """The newsletter called ``name``, as it is in ``stream``; that of system mails too. Raises UsageError with the
        name probably meant."""
        if name == SYSTEM:
            return self._system
        found = self.schedules.newsletters.get(name)
        if found is None:
            raise UsageError(
                f"there is no newsletter '{name}'", remedy=faults.suggestion(name, self.schedules.newsletters)
            )
        if stream is Stream.EACH:
            return found
        if (name, stream) not in self._in_streams:
            self._in_streams[name, stream] = found.of(stream)
        return self._in_streams[name, stream]

    @cached_property
    def _in_streams(self) -> dict[tuple[str, Stream], Newsletter]:
        """What was asked for of streams: it is asked at every tick, of every occurrence."""
        return {}

    def of(self, one: InStream) -> Newsletter:
        """The newsletter of an occurrence or edition, as it is in that stream. Raises UsageError."""
        return self.newsletter(one.newsletter, Stream(one.stream))

    def named(self, name: StreamName) -> Newsletter:
        """The same of a name that somebody wrote. Raises UsageError for a stream that this newsletter does not have."""
        offered = self.newsletter(name.newsletter).offered_streams
        if name.stream not in offered:
            there = ", ".join(str(StreamName(name.newsletter, one)) for one in offered)
            raise UsageError(f"{name.newsletter} has no stream '{name.stream}'", remedy=f"There is {there}")
        return self.newsletter(*name)

    @property
    def look_outs(self) -> tuple[StreamName, ...]:
        """Those that look for stories time and again: breaking news, and what comes several times a day by ``every``.
        Mostly there is nothing new."""
        found = ((name, self.named(name).schedule.every) for name in self.streams)
        return tuple(
            name
            for name, every in found
            if name.stream is Stream.BREAKING or (every is not None and every < timedelta(days=1))
        )

    @cached_property
    def streams(self) -> tuple[StreamName, ...]:
        """Every stream of every newsletter, in the order of the file."""
        newsletters = self.schedules.newsletters.items()
        return tuple(StreamName(name, stream) for name, one in newsletters for stream in one.offered_streams)

    def stream_of(self, name: str, wanted: Stream) -> Stream:
        """The stream that a reader gets who asked for ``wanted``: where there is none such any more, each edition."""
        known = self.schedules.newsletters.get(name)
        return wanted if known is not None and wanted in known.offered_streams else Stream.EACH

    def asked_for(self, name: str, stream: Stream) -> tuple[Stream, ...]:
        """What readers who get this stream may have asked for."""
        return tuple(one for one in Stream if self.stream_of(name, one) is stream)

    def targeting(self, name: str, target: Target) -> Targeting:
        """``target`` with what its names mean for the newsletter called ``name``; dates are the site's."""
        newsletter, schedules = self.newsletter(name), self.schedules
        return Targeting(target, tuple(schedules.plans), newsletter.section_names, schedules.site.zone)

    @cached_property
    def targets(self) -> Targets:
        """The targets of all newsletters and of their promotions."""
        newsletters = self.schedules.newsletters
        own = [(name, one.parsed_target) for name, one in newsletters.items()]
        promotions = [
            (name, dict.fromkeys(one.parsed_target for one in newsletter.promotions if one.parsed_target is not None))
            for name, newsletter in newsletters.items()
        ]
        return Targets(
            tuple((name, self.targeting(name, target)) for name, target in own if target is not None),
            tuple((name, tuple(self.targeting(name, one) for one in found)) for name, found in promotions if found),
        )

    @cached_property
    def _system(self) -> Newsletter:
        """What stands for a newsletter of the mails that somebody asked for just now: its From, relay and language."""
        wanted, site = self.schedules.system_mails, self.schedules.site
        first = next(iter(self.schedules.newsletters.values()))
        return Newsletter.model_validate(
            {
                "title": site.name,
                "from": wanted.from_ or first.from_,
                "reply_to": wanted.reply_to,
                "relay": wanted.relay or (None if wanted.from_ else first.relay),
                "design": SYSTEM,
                "languages": self._spoken,
                "schedule": {"every": "1d"},
            }
        )

    @property
    def _spoken(self) -> list[str]:
        """Every language that any newsletter is made in, the site's first."""
        spoken = [language for name in self.schedules.newsletters for language in self.languages(name)]
        return list(dict.fromkeys([self.schedules.site.language, *spoken]))

    def zone(self, name: str, stream: Stream = Stream.EACH) -> str:
        """The time zone of a schedule: its own, that of the newsletter's, or the site's."""
        known = self.newsletter(name)
        return known.of(stream).schedule.timezone or known.schedule.timezone or self.schedules.site.timezone

    def language(self, name: str) -> str:
        """The language of a newsletter: its own, or the site's."""
        return self.newsletter(name).language or self.schedules.site.language

    def languages(self, name: str) -> tuple[str, ...]:
        """The languages a newsletter is made in, its own first: each is a document of its own."""
        return tuple(dict.fromkeys((self.language(name), *self.newsletter(name).languages)))

    def language_for(self, name: str, wanted: str) -> str:
        """The language in which who asks for ``wanted`` ('' for nothing) gets a newsletter."""
        return language_among(wanted, self.languages(name))

    def site_language_for(self, wanted: str) -> str:
        """The same for what concerns no newsletter: among all that any is made in, else the site's."""
        return language_among(wanted, self._spoken)

    @property
    def offered(self) -> tuple[str, ...]:
        """The newsletters that anybody is offered, in the order of the file."""
        return tuple(name for name, one in self.schedules.newsletters.items() if one.listed)

    def not_repeated_by(self, name: str) -> tuple[str, ...]:
        """The newsletters whose stories of the day ``name`` leaves out: those before it, if it has ``unless_sent``."""
        names = list(self.schedules.newsletters)
        return tuple(names[: names.index(name)]) if self.newsletter(name).unless_sent is not None else ()

    def cohort_of(self, name: str, stream: Stream, zone: str, hour: str) -> Cohort:
        """The readers with whom one gets this stream of ``name`` who wrote down this zone and this hour ('' for
        nothing).

        What is not written, or is no zone, or an hour that the stream does not offer, is the newsletter's own.
        """
        schedule = self.newsletter(name, stream).schedule
        if not schedule.by_reader:
            return EVERYBODY
        place = zone if zone and known_zone(zone) is not None else self.zone(name, stream)
        return Cohort(place, hour if hour in schedule.offered_hours else schedule.times[0])

    def own_cohort(self, name: str, stream: Stream = Stream.EACH) -> Cohort:
        """Those who wrote down nothing: the newsletter's own zone and hour; everybody, where all have one time."""
        return self.cohort_of(name, stream, "", "")

    def clocks(self, name: str) -> str:
        """What of the file decides where readers of ``name`` stand, in 16 characters: files that say the same put those
        who wrote down one stream, zone and hour in one place."""
        told: list[object] = []
        for wanted in Stream:
            stream = self.stream_of(name, wanted)
            schedule = self.newsletter(name, stream).schedule
            hours = [self.zone(name, stream), schedule.times, schedule.offered_hours] if schedule.by_reader else []
            told.append([stream, *hours])
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def moves_count(self, name: str) -> timedelta | None:
        """How long a reader's change of stream, hour or zone bears on what she gets; None where she chooses none of
        these.

        No edition holds a story for longer after it was first seen, so what she had before lies within that time.
        """
        newsletter = self.newsletter(name)
        if len(newsletter.offered_streams) == 1 and not newsletter.schedule.by_reader:
            return None
        return self._longest_wait(name)

    @property
    def deliveries_kept(self) -> timedelta:
        """How long it is kept what each reader got: ``keep_deliveries``, and no shorter than a story may wait for an
        edition: until then it counts what readers had, and why it was in no edition."""
        return max(self.schedules.keep_deliveries, *(self._longest_wait(name) for name in self.schedules.newsletters))

    def _longest_wait(self, name: str) -> timedelta:
        newsletter = self.newsletter(name)
        ages = (newsletter.of(stream).articles.max_age for stream in newsletter.offered_streams)
        return max(ages) + LONGEST_DATE

    def plan_of(self, plan: str) -> str:
        """``plan``, or the first of the file where it names none such: that is what its readers then have."""
        plans = self.schedules.plans
        return plan if plan in plans else next(iter(plans), "free")

    def relay(self, name: str) -> tuple[str, Relay]:
        """The name and settings of the first relay that a newsletter goes through. Raises ConfigurationError."""
        return next(iter(self.relays_of(name).items()))

    def relays_of(self, name: str) -> dict[str, Relay]:
        """Every relay that a newsletter goes through. Raises ConfigurationError without one.

        Those it names; else those whose ``domains`` hold the domain of its From; else, of those that have no
        ``domains``, all with a ``weight``, and where none has one, the first.
        """
        if name not in self._relays_of:
            self._relays_of[name] = self._chosen_relays(name)
        return self._relays_of[name]

    @cached_property
    def _relays_of(self) -> dict[str, dict[str, Relay]]:
        """What ``relays_of`` found: it is asked for every message."""
        return {}

    def _chosen_relays(self, name: str) -> dict[str, Relay]:
        newsletter, relays = self.newsletter(name), self.schedules.relays
        domain = newsletter.from_mailbox.address.rpartition("@")[2]
        anyones = [relay for relay, settings in relays.items() if not settings.domains]
        chosen = (
            newsletter.named_relays
            or [relay for relay, settings in relays.items() if domain in settings.domains]
            or [relay for relay in anyones if relays[relay].weight is not None]
            or anyones[:1]
        )
        if not chosen:
            if relays:
                raise self.fault(
                    f"no relay takes mail from {domain}", *_place_of(name), "from",
                    remedy=f"Add {domain} to the domains of one, or name one with relay:",
                )  # fmt: skip
            raise self.fault("there is no relay to send through", "relays", remedy="Add relays: {main: {host: …}}")
        return {relay: self._placed(relays[relay]) for relay in chosen}

    @property
    def relays(self) -> dict[str, Relay]:
        """Every relay by name, its files resolved."""
        return {name: self._placed(relay) for name, relay in self.schedules.relays.items()}

    def _placed(self, relay: Relay) -> Relay:
        if relay.ca_file is None:
            return relay
        return relay.model_copy(update={"ca_file": self.resolve(relay.ca_file)})


def _place_of(newsletter: str) -> tuple[str, ...]:
    """Where the keys of a newsletter stand in the file."""
    return ("system_mails",) if newsletter == SYSTEM else ("newsletters", newsletter)


def shipped_templates() -> Path:
    """The templates of this package: in the wheel beside the code, in a clone at its top."""
    package = Path(__file__).parent.parent
    in_wheel = package / "shipped" / "templates"
    return in_wheel if in_wheel.is_dir() else package.parent / "templates"
