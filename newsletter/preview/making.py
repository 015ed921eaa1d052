"""Makes a preview: a newsletter, an edition and a reader -> the very bytes of a send, and their facts.

There is no second path: composing, rendering, joining and assembling are called as a send calls them. Nothing is
written and nothing is sent.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import EmailMessage

from newsletter.compose.explaining import in_words
from newsletter.compose.keys import rendered_keys
from newsletter.config.reading import Configuration
from newsletter.deliver.assembling import Reader, message_for
from newsletter.deliver.copies import parts_of
from newsletter.deliver.linting import lint_message
from newsletter.errors import NothingToSend, UsageError
from newsletter.members.links import Links
from newsletter.model import EditionName, JoinedKey, MailFormat, Picture, Reason
from newsletter.preview.choosing import NEXT, Facts, KeyFacts, Pool, Turns, choose_edition, choose_reader
from newsletter.render.fitting import Fitted
from newsletter.render.joining import Variant, Variants
from newsletter.render.lint import Finding
from newsletter.render.rendering import render_fitted, templates_of, web_base
from newsletter.store import Store, pieces

_RENDERED = "It is rendered already: what was changed since shows in the next edition."
Logo = Callable[[Configuration], Picture | None]
"""Our copy of the theme's logo, as a send has it."""


@dataclass(frozen=True, slots=True)
class Story:
    """One candidate. ``shown``: it stands in this reader's message; ``words`` say why it is, or is not, there."""

    headline: str
    section: str
    shown: bool
    words: str


@dataclass(frozen=True, slots=True)
class Preview:
    """One reader's message of one edition. ``sha256`` is of ``message``; ``size`` is of the decoded HTML, in bytes.

    ``due_at`` (UTC) is when the edition is due; ``notices`` say what would keep it from going out as shown.
    """

    edition: EditionName
    state: str
    due_at: datetime
    reader: str
    message: bytes = field(repr=False)
    sha256: str
    sender: str
    subject: str
    preheader: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    html: str = field(repr=False)
    text: str = field(repr=False)
    size: int
    findings: tuple[Finding, ...]
    stories: tuple[Story, ...] = field(repr=False)
    notices: tuple[str, ...]
    web_base: str


def make_preview(
    configuration: Configuration,
    store: Store,
    newsletter_name: str,
    *,
    reader: str | KeyFacts,
    edition: str = NEXT,
    now: datetime,
    turns: Turns | None = None,
    logo: Logo | None = None,
) -> Preview:
    """Preview ``newsletter_name`` for one reader. Blocking, up to a second: call it off the event loop.

    ``reader`` is a subscriber's address or a key put together by hand; ``edition`` is ``next`` or a composed one's
    name. ``turns`` are the schedule's (without it, what the store has planned), ``logo`` makes our copy of the logo.
    Raises NothingToSend, TemplateError at ``file:line``, UsageError, AddressError and StoreError.
    """
    configuration.newsletter(newsletter_name)
    pool = choose_edition(configuration, store, newsletter_name, edition, now, turns)
    facts = choose_reader(configuration, store, pool, reader, now)
    made, pool, notices = _pieces(configuration, store, pool, facts, logo)
    variant = Variants(made).variant(JoinedKey(facts.sections))
    if variant is None:
        raise NothingToSend(
            f"{pool.edition.name} holds no story in the sections {', '.join(facts.sections)}",
            remedy="Choose a reader of other sections: this one would get no message",
        )
    links = Links(web_base(configuration))
    message = message_for(
        configuration,
        pool.edition,
        variant,
        facts.reader,
        message_id=facts.message_id,
        mail_format=facts.format,
        links=links,
        now=facts.date,
    )
    html, text = parts_of(message)
    headers = _headers(message)
    unsubscribe = links.unsubscribe(facts.reader.subscriber_id, facts.reader.secret, newsletter_name)
    return Preview(
        edition=pool.edition.name,
        state=pool.state,
        due_at=pool.edition.due_at,
        reader=facts.words,
        message=message,
        sha256=hashlib.sha256(message).hexdigest(),
        sender=dict(headers).get("From", ""),
        subject=dict(headers).get("Subject", ""),
        preheader=_filled(variant, facts.reader),
        headers=headers,
        html=html,
        text=text,
        size=len(html.encode("utf-8")),
        findings=_findings(configuration, pool, made, facts, message, unsubscribe, logo),
        stories=_stories(pool, variant),
        notices=(*pool.notices, *facts.notices, *notices, *_about_web(configuration)),
        web_base=web_base(configuration),
    )


def _pieces(
    configuration: Configuration, store: Store, pool: Pool, facts: Facts, logo: Logo | None
) -> tuple[Mapping[str, bytes], Pool, tuple[str, ...]]:
    """The pieces that a send would join, those that are stored, else rendered now; and the pool as it then is, without
    what gave way to the size budget."""
    if pool.stored is not None:
        stored = store.read(pieces.load, pool.stored.id, pool.stored.revision, facts.rendered_key)
        if stored:
            return stored, pool, (_RENDERED,) if pool.is_open else ()
        others = store.read(pieces.keys, pool.stored.id, pool.stored.revision)
        if others:
            raise UsageError(
                f"{pool.edition.name} was not rendered for {facts.rendered_key}",
                remedy=f"It was for {', '.join(str(key) for key in others)}",
            )
    newsletter = pool.edition.newsletter
    keys = rendered_keys(configuration.languages(newsletter), configuration.schedules.plans)
    made = render_fitted(
        configuration,
        pool.edition,
        pool.articles,
        keys if facts.rendered_key in keys else (*keys, facts.rendered_key),
        templates_of(configuration),
        logo=logo(configuration) if logo is not None else None,
    )
    return made.pieces[facts.rendered_key], _trimmed(pool, made), _about_trimming(made)


def _trimmed(pool: Pool, made: Fitted) -> Pool:
    """The pool with its stories where they are after some gave way."""
    why = tuple(
        replace(one, reason=Reason.TRIMMED, position=0, words=in_words(Reason.TRIMMED))
        if one.article_id in made.trimmed
        else one
        for one in pool.why
    )
    return replace(pool, edition=made.edition, why=why)


def _about_trimming(made: Fitted) -> tuple[str, ...]:
    if not made.trimmed:
        return ()
    stories = "1 story gives way" if len(made.trimmed) == 1 else f"{len(made.trimmed)} stories give way"
    return (f"{stories}: {made.words}.",)


def _headers(message: bytes) -> tuple[tuple[str, str], ...]:
    parsed = email.message_from_bytes(message, policy=email.policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    return tuple((name, str(value)) for name, value in parsed.items())


def _filled(variant: Variant, reader: Reader) -> str:
    values = {"first_name": reader.first_name, "last_name": reader.last_name, "address": reader.address}
    return "".join(
        part if isinstance(part, str) else values.get(part.name) or part.default or "" for part in variant.preheader
    )


def _findings(
    configuration: Configuration,
    pool: Pool,
    made: Mapping[str, bytes],
    facts: Facts,
    message: bytes,
    unsubscribe: str,
    logo: Logo | None,
) -> tuple[Finding, ...]:
    if facts.format is MailFormat.TEXT:
        return ()  # nearly every rule there is reads the HTML
    return lint_message(
        configuration,
        pool.edition,
        made,
        facts.rendered_key,
        message,
        unsubscribe,
        lambda: pool.articles,
        logo=logo(configuration) if logo is not None else None,
    ).findings


def _stories(pool: Pool, variant: Variant) -> tuple[Story, ...]:
    """Every candidate, those in this message first and in its order."""
    order = {article: place for place, article in enumerate(variant.article_ids)}
    in_edition = set(pool.edition.article_ids)
    found = []
    for one in sorted(pool.why, key=lambda one: order.get(one.article_id, len(order))):
        shown = one.article_id in order
        words = one.words if shown or one.article_id not in in_edition else "in the edition, not in her sections"
        found.append(Story(one.headline, one.section, shown, words))
    return tuple(found)


def _about_web(configuration: Configuration) -> tuple[str, ...]:
    if configuration.schedules.web is not None:
        return ()
    return ("web is not configured: links and pictures point at this machine, where only you can open them.",)
