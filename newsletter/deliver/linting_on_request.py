"""Lints the mails readers ask for as ``linting`` lints editions: one kind, for nobody in particular -> findings."""

from __future__ import annotations

from collections.abc import Callable

from newsletter.config.configuration import Configuration
from newsletter.deliver.copies import parts_of
from newsletter.deliver.linting import NOBODY, WHEN, Linted, linted
from newsletter.deliver.system_mails import Latest, document_of, system_message
from newsletter.errors import TemplateError
from newsletter.members.links import Links
from newsletter.model import SYSTEM, MailFormat, Picture, RenderedKey, SystemMail
from newsletter.render.lint import Expected, Mail
from newsletter.render.lint.clients import allowed
from newsletter.render.lint.origins import Origins
from newsletter.render.rendering import templates_of, web_base
from newsletter.render.templates import SHARED, Templates
from newsletter.store import Store


def lint_system_mail(
    configuration: Configuration,
    store: Store,
    kind: SystemMail,
    key: RenderedKey,
    latest: Latest,
    *,
    logo: Picture | None = None,
) -> Linted:
    """Lint the message of one kind that names every newsletter offered, both parts. Blocking: 50 to 300 ms, twice that
    with findings. ``latest`` are the editions that a welcome shows.

    Raises TemplateError for templates that do not work, or an ``allowed_features.txt`` that cannot be read.
    """

    def make(templates: Templates) -> bytes:
        return system_message(
            configuration,
            document_of(configuration, store, kind, key, latest, templates, logo=logo),
            kind,
            "0",
            [] if kind is SystemMail.SIGN_IN else configuration.offered,
            NOBODY,
            message_id="<check@newsletter.invalid>",
            mail_format=MailFormat.HTML,
            links=Links(web_base(configuration)),
            now=WHEN,
        )

    return lint_system_message(configuration, kind, key, make, make(templates_of(configuration)))


def lint_system_message(
    configuration: Configuration,
    kind: SystemMail,
    key: RenderedKey,
    make: Callable[[Templates], bytes],
    message: bytes,
) -> Linted:
    """Lint one ``message``, which ``make`` makes again from traced templates where something is found. As long, and
    raises, as ``lint_system_mail``."""
    newsletter = configuration.newsletter(SYSTEM)
    expected = Expected(
        postal_address=configuration.schedules.site.postal_address,
        clients=newsletter.client_shares,
        allowed=allowed(configuration.template_folders, (SYSTEM, SHARED)),
        size_budget=newsletter.size_budget,
        can_be_left=False,
    )

    def origins(mail: Mail) -> Origins:
        templates = Templates(configuration.template_folders, traced=True)
        try:
            traced = Mail(*parts_of(make(templates)))
        except TemplateError:
            traced = Mail("", "")
        return Origins(
            mail,
            traced,
            templates.place,
            lambda setting: configuration.where("system_mails", setting),
            lambda file: f"{templates.source(SYSTEM, file.replace('edition', kind.value))[1]}:1",
        )

    return linted(key, message, expected, origins)
