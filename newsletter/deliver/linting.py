"""Lints an edition as a reader would get it: its pieces, joined and filled for nobody in particular -> findings.

One way for the gate before a send, the preview and ``newsletter lint``. Where something is found, the edition is
rendered once more from traced templates, so that each finding names its file and line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

from newsletter.config.reading import Configuration
from newsletter.deliver.addressed import Reader
from newsletter.deliver.assembling import message_for
from newsletter.deliver.copies import parts_of
from newsletter.errors import TemplateError
from newsletter.members.links import Links
from newsletter.model import Article, Edition, JoinedKey, MailFormat, Picture, RenderedKey
from newsletter.render.joining import Variants
from newsletter.render.lint import Expected, Finding, Mail, Severity, lint_mail
from newsletter.render.lint.clients import allowed
from newsletter.render.lint.origins import Origins
from newsletter.render.pool import MANIFEST
from newsletter.render.rendering import render_edition, web_base
from newsletter.render.templates import SHARED, Templates

NOBODY = Reader(0, "reader@example.com", "", "", b"\0" * 32)
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
_ANY_SIZE = 10_000_000

Articles = Callable[[], Mapping[int, Article]]


@dataclass(frozen=True, slots=True)
class Linted:
    """The whole message of one rendered key and what was found in it; ``place`` names file and line of what is found
    otherwise (dead links). ``mail`` is None where nobody would get a message."""

    key: RenderedKey
    message: bytes
    mail: Mail | None
    findings: tuple[Finding, ...]
    place: Callable[[list[Finding]], list[Finding]]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)


def lint_edition(
    configuration: Configuration,
    edition: Edition,
    pieces: Mapping[str, bytes],
    key: RenderedKey,
    articles: Articles,
    *,
    logo: Picture | None = None,
    errors_only: bool = False,
) -> Linted:
    """Lint the message of a reader of all sections, both parts. Blocking: 50 to 300 ms, twice that with findings.

    ``articles`` are asked for only where something is found. ``errors_only``: without warnings. Raises TemplateError
    for an ``allowed_features.txt`` that cannot be read.
    """
    message = message_of(configuration, edition, pieces)
    if not message:
        return Linted(key, b"", None, (), list)
    unsubscribe = Links(web_base(configuration)).unsubscribe(0, NOBODY.secret, edition.newsletter)
    expected = expected_of(configuration, edition, pieces, unsubscribe)
    if errors_only:
        expected = replace(expected, clients={})  # of these there are only warnings
    return _lint(configuration, edition, key, message, expected, articles, logo, errors_only=errors_only)


def lint_message(
    configuration: Configuration,
    edition: Edition,
    pieces: Mapping[str, bytes],
    key: RenderedKey,
    message: bytes,
    unsubscribe_url: str,
    articles: Articles,
    *,
    logo: Picture | None = None,
) -> Linted:
    """The same for one reader's own ``message``, in which ``unsubscribe_url`` stands."""
    expected = expected_of(configuration, edition, pieces, unsubscribe_url)
    return _lint(configuration, edition, key, message, expected, articles, logo)


def _lint(
    configuration: Configuration,
    edition: Edition,
    key: RenderedKey,
    message: bytes,
    expected: Expected,
    articles: Articles,
    logo: Picture | None,
    *,
    errors_only: bool = False,
) -> Linted:
    def origins(mail: Mail) -> Origins:
        return _origins(configuration, edition, key, mail, articles, logo)

    return linted(key, message, expected, origins, errors_only=errors_only)


def linted(
    key: RenderedKey,
    message: bytes,
    expected: Expected,
    origins_of: Callable[[Mail], Origins],
    *,
    errors_only: bool = False,
) -> Linted:
    """What is found in a whole message; ``origins_of`` is asked once, and only where something is found."""
    mail = Mail(*parts_of(message), expected)
    origins = cache(lambda: origins_of(mail))

    def place(findings: list[Finding]) -> list[Finding]:
        return list(dict.fromkeys(origins().placed(findings))) if findings else []

    found = [one for one in lint_mail(mail) if one.severity is Severity.ERROR or not errors_only]
    return Linted(key, message, mail, tuple(place(found)), place)


def expected_of(
    configuration: Configuration, edition: Edition, pieces: Mapping[str, bytes], unsubscribe_url: str
) -> Expected:
    """What a message of this edition should hold."""
    newsletter = configuration.of(edition)
    sections = json.loads(pieces[MANIFEST])["sections"]
    return Expected(
        unsubscribe_url=unsubscribe_url,
        postal_address=configuration.schedules.site.postal_address,
        stories=tuple((story["headline"], story["url"]) for section in sections for story in section["stories"]),
        clients=newsletter.client_shares,
        allowed=allowed(configuration.template_folders, (newsletter.design, SHARED)),
        size_budget=newsletter.size_budget,
    )


def message_of(configuration: Configuration, edition: Edition, pieces: Mapping[str, bytes]) -> bytes:
    """The message of an unknown reader of all sections and promotions; b'' where the edition holds no story."""
    variants = Variants(pieces)
    variant = variants.variant(JoinedKey(targets=variants.targets))
    if variant is None:
        return b""
    return message_for(
        configuration,
        edition,
        variant,
        NOBODY,
        message_id="<check@newsletter.invalid>",
        mail_format=MailFormat.HTML,
        links=Links(web_base(configuration), configuration.schedules.unsubscribe_mailbox or ""),
        now=WHEN,
    )


def _origins(
    configuration: Configuration,
    edition: Edition,
    key: RenderedKey,
    mail: Mail,
    articles: Articles,
    logo: Picture | None,
) -> Origins:
    """Where the findings of ``mail`` come from; only the design's files where its templates do not work any more."""
    templates = Templates(configuration.template_folders, traced=True)
    name = edition.newsletter
    design = configuration.of(edition).design
    try:
        pieces = render_edition(_of_any_size(configuration, name), edition, articles(), key, templates, logo=logo)
        traced = Mail(*parts_of(message_of(configuration, edition, pieces)))
    except (TemplateError, KeyError):
        traced = Mail("", "")
    return Origins(
        mail,
        traced,
        templates.place,
        lambda setting: configuration.where("newsletters", name, setting),
        lambda file: f"{templates.source(design, file)[1]}:1",
    )


def _of_any_size(configuration: Configuration, name: str) -> Configuration:
    """The same, so that no story is left out because marks make the message larger."""
    schedules = configuration.schedules
    known = schedules.newsletters[name]
    streams = {one: settings.model_copy(update={"size_budget": None}) for one, settings in known.streams.items()}
    roomy = known.model_copy(update={"size_budget": _ANY_SIZE, "streams": streams})
    newsletters = {**schedules.newsletters, name: roomy}
    return replace(configuration, schedules=schedules.model_copy(update={"newsletters": newsletters}))
