"""Checks across keys, and against the machine: configuration -> faults with file:line, and warnings.

``contradictions`` need only the file, so ``load`` raises them. ``check`` adds what depends on the folder and on what is
to be done: files that must exist, relay and web for production. ``newsletter check`` prints both; ``send`` and ``run``
call ``check(configuration).require()``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from newsletter.config.configuration import Configuration
from newsletter.config.cron import Cron
from newsletter.config.document import dotted
from newsletter.config.faults import suggestion, together
from newsletter.config.models import Environment, Match, Newsletter, Ranking
from newsletter.config.site_key import open_to_others
from newsletter.errors import ConfigurationError, TargetError
from newsletter.model import SYSTEM, Stream, StreamName
from newsletter.target import AttributeIn, PlanIn, SectionChosen, TagIn, Target, Word, folded

MAX_RENDERED_KEYS = 16
_ANY_DAY = datetime.fromisoformat("2000-01-01")
_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})


@dataclass
class Findings:
    """What a check found: ``faults`` forbid sending, ``warnings`` do not."""

    faults: list[ConfigurationError] = field(default_factory=list)
    warnings: list[ConfigurationError] = field(default_factory=list)

    def require(self) -> None:
        """Raise ConfigurationError where there is a fault."""
        if self.faults:
            raise together(self.faults)


def contradictions(configuration: Configuration) -> list[ConfigurationError]:
    """Faults between keys of the file: names that nothing bears, numbers that cannot be met, secrets in the clear."""
    schedules = configuration.schedules
    found = [*_plans(configuration), *_languages(configuration)]
    for name, relay in schedules.relays.items():
        if relay.password is not None and relay.tls == "none" and relay.host not in _LOOPBACK:
            found.append(
                configuration.fault(
                    f"relay {name} would be sent its password in the clear",
                    "relays", name, "tls",
                    remedy="Write tls: starttls or tls: implicit",
                )
            )  # fmt: skip
    for name, newsletter in schedules.newsletters.items():
        found.extend(_newsletter(configuration, name, newsletter))
    if not found:  # what they inherit of the first newsletter is said of that
        found.extend(_system_mails(configuration))
    return found


def _system_mails(configuration: Configuration) -> Iterator[ConfigurationError]:
    """Faults of the mails that somebody asked for just now: a relay there is not, or none that takes their From."""
    relays = configuration.schedules.relays
    unknown = [relay for relay in configuration.newsletter(SYSTEM).named_relays if relay not in relays]
    for relay in unknown:
        yield configuration.fault(
            f"there is no relay '{relay}'", "system_mails", "relay", remedy=suggestion(relay, relays)
        )
    if relays and not unknown:
        try:
            configuration.relays_of(SYSTEM)
        except ConfigurationError as error:
            yield error


def check(configuration: Configuration) -> Findings:
    """Everything that can be known without the network."""
    findings = Findings(contradictions(configuration))
    findings.faults.extend(_missing_for_the_environment(configuration))
    findings.faults.extend(_missing_files(configuration))
    try:
        _ = configuration.site_keys
    except ConfigurationError as error:
        findings.faults.append(error)
    findings.warnings.extend(_warnings(configuration))
    return findings


def _newsletter(configuration: Configuration, name: str, newsletter: Newsletter) -> Iterator[ConfigurationError]:
    schedules = configuration.schedules
    here = ("newsletters", name)
    unknown = [relay for relay in newsletter.named_relays if relay not in schedules.relays]
    for relay in unknown:
        yield configuration.fault(
            f"there is no relay '{relay}'", *here, "relay", remedy=suggestion(relay, schedules.relays)
        )
    if schedules.relays and not unknown:
        try:
            through = configuration.relays_of(name)
        except ConfigurationError as unrelayed:
            yield unrelayed
        else:
            if not any(relay.weight != 0 for relay in through.values()):
                yield configuration.fault(
                    f"every relay of {name} has weight: 0, a spare for when no other is up", *here, "relay",
                    remedy="Give one of them another weight, or leave it out",
                )  # fmt: skip
    matches: list[tuple[Match | None, tuple[str | int, ...]]] = [
        (newsletter.only, ("only",)),
        (newsletter.fallback, ("fallback",)),
        *((section.match, ("sections", index, "match")) for index, section in enumerate(newsletter.sections)),
    ]
    for stream, settings in newsletter.streams.items():
        matches.append((settings.only, ("streams", stream, "only")))
        matches += [
            (section.match, ("streams", stream, "sections", index, "match"))
            for index, section in enumerate(settings.sections or ())
        ]
    for match, path in matches:
        if match is not None:
            yield from _sources_of(configuration, match, *here, *path, "source")
    for path, target in _targets(newsletter):
        for error in unknown_names(configuration, name, target):
            yield configuration.fault(f"{dotted((*here, *path))}: {error.what}", *here, *path, remedy=error.remedy)
    yield from _ranking(configuration, newsletter.ranking, here)
    for settings_of, own in newsletter.streams.items():
        if own.ranking is not None:
            yield from _ranking(configuration, own.ranking, (*here, "streams", settings_of))
    for offered in newsletter.offered_streams:
        yield from _limits(configuration, newsletter.of(offered), _place_of(StreamName(name, offered)))
    yield from _blocks(configuration, name, newsletter)


def _targets(newsletter: Newsletter) -> Iterator[tuple[tuple[str | int, ...], Target]]:
    if newsletter.parsed_target is not None:
        yield ("target",), newsletter.parsed_target
    for index, promotion in enumerate(newsletter.promotions):
        if promotion.parsed_target is not None:
            yield ("promotions", index, "target"), promotion.parsed_target


def unknown_names(configuration: Configuration, name: str, target: Target) -> Iterator[TargetError]:
    """What a target of the newsletter called ``name`` asks for that this file does not have: nobody would ever be in
    it, or everybody, and nobody would know."""
    schedules = configuration.schedules

    def missing(words: tuple[Word, ...], known: Iterable[str], what: str, key: str = "") -> Iterator[TargetError]:
        there = list(known)
        names = {folded(one) for one in there}
        for word in words:
            if word.folded not in names:
                remedy = suggestion(word.written, there) or (f"Add it to {key}" if key else "")
                yield TargetError(f"there is no {what} '{word.written}'", word.column, remedy=remedy)

    for test in target.tests():
        match test:
            case PlanIn(plans):
                yield from missing(plans, schedules.plans, "plan")
            case TagIn(tags):
                yield from missing(tags, schedules.tags, "tag", "tags: [] at the top of this file")
            case AttributeIn(attribute, _):
                yield from missing(
                    (attribute,), schedules.attributes, "attribute", "attributes: [] at the top of this file"
                )
            case SectionChosen(section):
                yield from missing((section,), configuration.newsletter(name).section_names, f"section of {name}")


def _sources_of(configuration: Configuration, match: Match, *path: str | int) -> Iterator[ConfigurationError]:
    sources = configuration.schedules.sources
    for source in _listed(match.source):
        if source not in sources:
            yield configuration.fault(f"there is no source '{source}'", *path, remedy=suggestion(source, sources))


def _ranking(configuration: Configuration, ranking: Ranking, here: tuple[str, ...]) -> Iterator[ConfigurationError]:
    """Faults of how stories are ranked: what counts that is not there."""
    sources = configuration.schedules.sources
    for source in ranking.sources:
        if source not in sources:
            yield configuration.fault(
                f"there is no source '{source}'", *here, "ranking", "sources", source,
                remedy=suggestion(source, sources),
            )  # fmt: skip
    seen: dict[str, str] = {}
    for section in ranking.sections:
        if _folded(section) in seen:
            yield configuration.fault(
                f"'{seen[_folded(section)]}' and '{section}' are one section: letter case is ignored",
                *here, "ranking", "sections", section,
                remedy="Leave one of them out",
            )  # fmt: skip
        seen.setdefault(_folded(section), section)


def _limits(
    configuration: Configuration, newsletter: Newsletter, here: tuple[str, ...]
) -> Iterator[ConfigurationError]:
    """Minimums that cannot be met."""
    room = sum(section.max for section in newsletter.sections)
    if room < newsletter.articles.min:
        yield configuration.fault(
            f"the sections hold at most {room} articles, so articles.min: {newsletter.articles.min} is never reached",
            *here, "articles", "min",
            remedy="Lower articles.min, or raise a section's max",
        )  # fmt: skip
    least, most = sum(section.min for section in newsletter.sections), newsletter.articles.max
    if least > most:
        index = next(index for index, section in enumerate(newsletter.sections) if section.min)
        yield configuration.fault(
            f"the sections' min add up to {least}, more than articles.max: {most}", *here, "sections", index, "min",
            remedy="Lower one of them, or raise articles.max",
        )  # fmt: skip


def _unknown_sections(configuration: Configuration, name: str, newsletter: Newsletter) -> Iterator[ConfigurationError]:
    """Weights of sections that look like a misspelt one: what a source says itself cannot be known from the file."""
    schedules = configuration.schedules
    known = {section for source in schedules.sources.values() if (section := source.section)}
    for other in schedules.newsletters.values():
        for match in (*(section.match for section in other.sections), other.fallback or Match()):
            known.update(_listed(match.section))
    folded = {_folded(section) for section in known}
    for section in newsletter.ranking.sections:
        remedy = suggestion(section, sorted(known))
        if _folded(section) not in folded and remedy.startswith("Did you mean"):
            yield configuration.fault(
                f"no source and no match in this file names a section '{section}'",
                "newsletters", name, "ranking", "sections", section, remedy=remedy,
            )  # fmt: skip


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else names or []


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _blocks(configuration: Configuration, name: str, newsletter: Newsletter) -> Iterator[ConfigurationError]:
    """What promotions and related newsletters name: a promotion that nobody can ever see is a slip of the pen."""
    schedules, here = configuration.schedules, ("newsletters", name)
    others = [other for other in schedules.newsletters if other != name]
    for index, related in enumerate(newsletter.related):
        if related not in others:
            what = "a newsletter is not related to itself" if related == name else f"there is no newsletter '{related}'"
            yield configuration.fault(what, *here, "related", index, remedy=suggestion(related, others))
    sections = {section.casefold() for section in newsletter.section_names}
    for index, promotion in enumerate(newsletter.promotions):
        if isinstance(promotion.after, str) and promotion.after.casefold() not in sections:
            yield configuration.fault(
                f"{name} has no section '{promotion.after}' for a promotion to follow",
                *here, "promotions", index, "after",
                remedy=suggestion(promotion.after, newsletter.section_names),
            )  # fmt: skip
        for plan in promotion.plans or ():
            if plan not in schedules.plans:
                yield configuration.fault(
                    f"there is no plan '{plan}'", *here, "promotions", index, "plans",
                    remedy=suggestion(plan, schedules.plans),
                )  # fmt: skip


def _plans(configuration: Configuration) -> Iterator[ConfigurationError]:
    plans = configuration.schedules.plans
    if "free" not in plans:
        yield configuration.fault(
            "there is no plan 'free', which every new subscriber has", "plans", remedy="Add free: [free]"
        )
    # A newsletter has one language, so the plans are all that multiplies its documents.
    if len(plans) > MAX_RENDERED_KEYS:
        yield configuration.fault(
            f"{len(plans)} plans would render each edition {len(plans)} times; at most {MAX_RENDERED_KEYS}",
            "plans",
            remedy="Join plans that read the same access",
        )


def _languages(configuration: Configuration) -> Iterator[ConfigurationError]:
    schedules = configuration.schedules
    places: list[tuple[str | None, tuple[str | int, ...]]] = [(schedules.site.language, ("site", "language"))]
    places += [(one.language, ("sources", name, "language")) for name, one in schedules.sources.items()]
    places += [(one.language, ("newsletters", name, "language")) for name, one in schedules.newsletters.items()]
    places += [
        (language, ("newsletters", name, "languages", index))
        for name, one in schedules.newsletters.items()
        for index, language in enumerate(one.languages)
    ]
    for language, path in places:
        if language is not None and not _is_language(language):
            yield configuration.fault(
                f"'{language}' is not a known language", *path, remedy="Write one like en, en-IN, hi or pt-BR"
            )


def _is_language(language: str) -> bool:
    from babel.core import Locale, UnknownLocaleError

    try:
        Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def _missing_for_the_environment(configuration: Configuration) -> Iterator[ConfigurationError]:
    schedules = configuration.schedules
    if schedules.environment is Environment.STAGING:
        if not schedules.staging_recipients:
            yield configuration.fault(
                "environment is staging, and staging_recipients names nobody who may be mailed",
                "environment",
                remedy="Add staging_recipients: [you@your-domain]",
            )
        return
    if not schedules.relays:
        yield configuration.fault(
            "production needs a relay to send through", "relays", remedy="Add relays: {main: {host: …}}"
        )
    if schedules.web is None:
        yield configuration.fault(
            "production needs web, where unsubscribe links and pictures point",
            "web",
            remedy="Add web: {url: https://…}",
        )


def _missing_files(configuration: Configuration) -> Iterator[ConfigurationError]:
    schedules = configuration.schedules
    logo = schedules.site.theme.logo
    if logo is not None and (reason := _not_a_picture(configuration.resolve(logo))):
        yield configuration.fault(f"the logo {logo} {reason}", "site", "theme", "logo", remedy="Give a PNG or JPEG")
    for name, relay in schedules.relays.items():
        if relay.ca_file is not None and not configuration.resolve(relay.ca_file).is_file():
            yield configuration.fault(f"there is no file {relay.ca_file}", "relays", name, "ca_file")
    for domain, dkim in schedules.dkim.items():
        for index, one in enumerate(dkim.keys):
            if not configuration.resolve(one.key).is_file():
                yield configuration.fault(
                    f"there is no file {one.key}", "dkim", domain, "keys", index, "key",
                    remedy=f"Run `newsletter dkim keygen {domain} --selector {one.selector} --out {one.key}`",
                )  # fmt: skip
    for name, source in schedules.sources.items():
        if source.folder is not None and not configuration.resolve(source.folder).is_dir():
            yield configuration.fault(
                f"there is no folder {source.folder}", "sources", name, "folder", remedy=f"Run mkdir {source.folder}"
            )
    designs = designs_in(configuration.template_folders)
    for of in configuration.streams:
        design = configuration.newsletter(*of).design
        if design not in designs:
            yield configuration.fault(
                f"there is no design '{design}' among the templates", *_place_of(of), "design",
                remedy=suggestion(design, designs),
            )  # fmt: skip
    for key, folder in (("store", _folder_of_store(configuration)), ("media", configuration.media_folder)):
        if folder is not None and (reason := _not_writable(folder)):
            yield configuration.fault(f"the folder {folder} {reason}", key)


def _place_of(of: StreamName) -> tuple[str, ...]:
    """Where the keys of a stream stand in the file; what it does not say itself is its newsletter's."""
    here = ("newsletters", of.newsletter)
    return here if of.stream is Stream.EACH else (*here, "streams", of.stream.value)


def _folder_of_store(configuration: Configuration) -> Path | None:
    return configuration.store_file.parent if configuration.store_file is not None else None


def _not_a_picture(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return "" if file.read(8).startswith(_PICTURES) else "is neither PNG nor JPEG"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _not_writable(folder: Path) -> str:
    """Why files cannot be made in ``folder``, which may itself still have to be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return "is not a folder"
    return "" if os.access(folder, os.W_OK | os.X_OK) else "is not writable"


def designs_in(folders: tuple[Path, ...]) -> list[str]:
    """The names of the designs in template folders: the folders that hold an ``edition.html``; ``shared`` is none."""
    found = {page.parent.name for folder in folders for page in folder.glob("*/edition.html")}
    return sorted(found - {"shared"})


def _leaving_out_nothing(configuration: Configuration) -> Iterator[ConfigurationError]:
    name, first = next(iter(configuration.schedules.newsletters.items()))
    if first.unless_sent is not None:  # of the others, something is left out
        yield configuration.fault(
            "no newsletter stands before this one, so there is nothing to leave out",
            *("newsletters", name, "unless_sent"),
            remedy="Move it below those whose stories it should not repeat",
        )


def _warnings(configuration: Configuration) -> Iterator[ConfigurationError]:
    yield from _leaving_out_nothing(configuration)
    schedules = configuration.schedules
    keys = [configuration.resolve(one.key) for dkim in schedules.dkim.values() for one in dkim.keys]
    for secret in (configuration.site_key_file, configuration.folder / ".env", *keys):
        if open_to_others(secret):
            yield ConfigurationError("other users can read this file", where=secret.name, remedy=f"chmod 600 {secret}")
    if not schedules.sources:
        yield configuration.fault("there are no sources, so there will be no articles", "sources")
    if schedules.environment is Environment.STAGING and not schedules.relays:
        yield configuration.fault("there is no relay: preview works, sending does not", "relays")
    for of in configuration.streams:
        newsletter = configuration.newsletter(*of)
        if newsletter.gates.readers == 0:
            yield configuration.fault(
                "one reader more or less holds an edition", *_place_of(of), "gates", "readers",
                remedy="Write 0.3 for 30 %, or null to switch this gate off",
            )  # fmt: skip
        cron = newsletter.schedule.cron
        if cron is not None and next(Cron.parse(cron).times(_ANY_DAY), None) is None:
            yield configuration.fault(f"no such date ever comes: '{cron}'", *_place_of(of), "schedule", "cron")
    for name, newsletter in schedules.newsletters.items():
        yield from _unknown_sections(configuration, name, newsletter)
    seen: dict[tuple[str, str], str] = {}
    for name, newsletter in schedules.newsletters.items():
        identity = (newsletter.from_.casefold(), newsletter.title.casefold())
        if identity in seen:
            yield configuration.fault(
                f"newsletters {seen[identity]} and {name} have the same title and from: readers cannot tell them apart",
                "newsletters", name, "title",
            )  # fmt: skip
        seen.setdefault(identity, name)
