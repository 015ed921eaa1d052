"""The preview of mails that somebody asked for: to confirm, to sign in, the welcome. ``system`` stands for a newsletter
whose editions are their kinds.

They are made as a sender makes them. What was asked for does not exist, so their button leads to nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from newsletter.config.configuration import Configuration
from newsletter.deliver.addressed import Reader
from newsletter.deliver.copies import parts_of
from newsletter.deliver.linting_on_request import lint_system_message
from newsletter.deliver.system_mails import document_of, kind_named, latest_editions, system_message
from newsletter.errors import UsageError
from newsletter.members.addresses import parse_address, parse_language
from newsletter.members.links import Links
from newsletter.model import (
    SYSTEM,
    EditionName,
    MailFormat,
    Occurrence,
    Picture,
    RenderedKey,
    SubscriptionState,
    SystemMail,
)
from newsletter.preview.choosing import NEXT, NOBODY, KeyFacts
from newsletter.preview.making import Preview, headers_of
from newsletter.render.lint import Finding
from newsletter.render.rendering import templates_of, web_base
from newsletter.render.system_mail import SystemDocument
from newsletter.render.templates import Templates
from newsletter.store import Store, subscribers, subscriptions

_NO_LINK = "0"
_Shown = tuple[Reader, RenderedKey, MailFormat, tuple[str, ...], str]


def make_system_preview(
    configuration: Configuration,
    store: Store,
    mail: str,
    *,
    reader: str | KeyFacts,
    now: datetime,
    logo: Callable[[Configuration], Picture | None] | None = None,
    templates: Templates | None = None,
    to: str = "",
) -> Preview:
    """Preview one kind for one reader; ``mail`` is its name, ``next`` the first. Blocking, up to 200 ms.

    Raises UsageError, AddressError, TemplateError at ``file:line`` and StoreError.
    """
    kind = SystemMail.CONFIRM if mail == NEXT else kind_named(mail, "edition")
    hers, key, mail_format, names, words = (
        _by_hand(configuration, reader) if isinstance(reader, KeyFacts) else _subscriber(configuration, store, reader)
    )
    if to:
        hers = Reader(0, to, hers.first_name, hers.last_name, bytes(32))
    latest = latest_editions(configuration, store)
    picture = logo(configuration) if logo is not None else None
    named = () if kind is SystemMail.SIGN_IN else names
    mark = hashlib.sha256(f"{kind} {hers.address}".encode()).hexdigest()[:32]

    def document(templates: Templates) -> SystemDocument:
        return document_of(configuration, store, kind, key, latest, templates, logo=picture)

    def make(made_of: SystemDocument) -> bytes:
        return system_message(
            configuration,
            made_of,
            kind,
            _NO_LINK,
            named,
            hers,
            message_id=f"<{mark}.preview@example.invalid>",
            mail_format=mail_format,
            links=Links(web_base(configuration)),
            now=now,
        )

    shown = document(templates or templates_of(configuration))
    message = make(shown)

    def findings() -> tuple[Finding, ...]:
        if mail_format is MailFormat.TEXT:
            return ()  # nearly every rule there is reads the HTML
        return lint_system_message(configuration, kind, key, lambda traced: make(document(traced)), message).findings

    html, text = parts_of(message)
    headers = dict(headers_of(message))
    preheader = "".join(part for part in shown.variant(named).preheader if isinstance(part, str))
    return Preview(
        edition=EditionName(SYSTEM, Occurrence(now.astimezone(configuration.schedules.site.zone).date(), 1)),
        state=kind.value,
        due_at=now,
        reader=words,
        message=message,
        sha256=hashlib.sha256(message).hexdigest(),
        sender=headers.get("From", ""),
        subject=headers.get("Subject", ""),
        preheader=preheader,
        headers=headers_of(message),
        html=html,
        text=text,
        size=len(html.encode("utf-8")),
        stories=(),
        notices=("What was asked for does not exist: the button leads to nothing.",),
        web_base=web_base(configuration),
        key=key,
        format=mail_format,
        unsubscribe_url="",
        links=(),
        _lint=findings,
        _uninlined=lambda: parts_of(make(document(Templates(configuration.template_folders, inlines=False))))[0],
    )


def _by_hand(configuration: Configuration, key: KeyFacts) -> _Shown:
    language = configuration.language_for(SYSTEM, parse_language(key.language))
    rendered = RenderedKey(language, configuration.plan_of(key.plan))
    return (
        Reader(0, NOBODY, "", "", bytes(32)),
        rendered,
        key.format,
        configuration.offered,
        f"somebody who reads {language}",
    )


def _subscriber(configuration: Configuration, store: Store, address: str) -> _Shown:
    person = store.read(subscribers.by_address, parse_address(address))
    if person is None:
        raise UsageError(f"{address} is not a subscriber", remedy="Name one that is, or leave the address out")
    held = store.read(subscriptions.of, person.id)
    published = configuration.schedules.newsletters
    names = tuple(
        one.newsletter for one in held if one.state is SubscriptionState.ACTIVE and one.newsletter in published
    )
    reader = Reader(person.id, person.address, person.first_name, person.last_name, person.secret)
    key = RenderedKey(configuration.language_for(SYSTEM, person.language), configuration.plan_of(person.plan))
    return reader, key, MailFormat.HTML, names or tuple(published), person.address
