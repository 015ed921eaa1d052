"""Makes a preview: a newsletter, an edition and a reader -> the very bytes of a send, and their facts.

There is no second path: composing, rendering, joining and assembling are called as a send calls them. Nothing is
written and nothing is sent.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import EmailMessage
from functools import cached_property

from newsletter.compose.explaining import in_words
from newsletter.compose.keys import gets_lead_alone, rendered_keys
from newsletter.config.models import Newsletter
from newsletter.config.reading import Configuration
from newsletter.deliver.addressed import Reader
from newsletter.deliver.assembling import from_address, message_for
from newsletter.deliver.copies import parts_of
from newsletter.deliver.linting import lint_message
from newsletter.errors import NothingToSend, UsageError
from newsletter.members.links import Links
from newsletter.model import EditionName, MailFormat, Picture, Reason, RenderedKey, StreamName
from newsletter.preview.choosing import NEXT, Facts, KeyFacts, Pool, Turns, choose_edition, choose_reader
from newsletter.render.fitting import Fitted, largest_html
from newsletter.render.joining import Variant, Variants
from newsletter.render.lint import Finding
from newsletter.render.pool import MANIFEST
from newsletter.render.rendering import render_edition, render_fitted, templates_of, web_base
from newsletter.render.templates import Templates
from newsletter.store import Store, pieces
from newsletter.store.subscriptions import encode_sections

_SURELY_FITS = 0.6
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


@dataclass(frozen=True)
class Preview:
    """One reader's message of one edition. ``sha256`` is of ``message``; ``size`` is of the decoded HTML, in bytes.

    ``due_at`` (UTC) is when the edition is due; ``notices`` say what would keep it from going out as shown; ``links``
    are headline and URL of its stories, in order. What takes as long as making it (``findings``, ``uninlined``) is
    made when it is asked for.
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
    stories: tuple[Story, ...] = field(repr=False)
    notices: tuple[str, ...]
    web_base: str
    key: RenderedKey
    format: MailFormat
    unsubscribe_url: str = field(repr=False)
    links: tuple[tuple[str, str], ...] = field(repr=False)
    _lint: Callable[[], tuple[Finding, ...]] = field(repr=False, compare=False)
    _uninlined: Callable[[], str] = field(repr=False, compare=False)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What the lint says of it. Blocking, up to 500 ms. Raises TemplateError."""
        return self._lint()

    @cached_property
    def uninlined(self) -> str:
        """The HTML before premailer: its styles still in their block. Blocking. Raises TemplateError."""
        return self._uninlined()


def make_preview(
    configuration: Configuration,
    store: Store,
    of: StreamName,
    *,
    reader: str | KeyFacts,
    edition: str = NEXT,
    now: datetime,
    turns: Turns | None = None,
    logo: Logo | None = None,
    templates: Templates | None = None,
    to: str = "",
) -> Preview:
    """Preview an edition of a stream for one reader. Blocking, up to a second: call it off the event loop.

    ``reader`` is a subscriber's address or a key put together by hand; ``edition`` is ``next``, a composed one's name
    or ``scenario:NAME``. ``turns`` are the schedule's (without it, what the store has planned), ``logo`` makes our copy
    of the logo, ``templates`` are those of the configuration, where the caller keeps them. ``to`` makes the same
    message for a test address: its links belong to nobody, so that trying them changes nobody's subscription.
    Raises NothingToSend, TemplateError at ``file:line``, UsageError, AddressError and StoreError.
    """
    configuration.named(of)
    pool = choose_edition(configuration, store, of, edition, now, turns)
    facts = choose_reader(configuration, store, pool, reader, now)
    if to:
        facts = _for_a_test(configuration, pool, facts, to)
    kept = templates or templates_of(configuration)
    made, pool, notices = _pieces(configuration, store, pool, facts, logo, kept)
    variants = Variants(made)
    variant = variants.variant(facts.joined(variants))
    if variant is None:
        wanted = f" in the sections {', '.join(facts.sections)}" if facts.sections else ""
        raise NothingToSend(
            f"{pool.edition.name} holds no story{wanted}",
            remedy="Choose a reader of other sections: this one would get no message"
            if wanted
            else "Choose another edition",
        )
    links = Links(web_base(configuration), configuration.schedules.unsubscribe_mailbox or "")
    message = message_for(
        configuration,
        pool.edition,
        variant,
        facts.reader,
        message_id=facts.message_id,
        mail_format=facts.format,
        links=links,
        now=facts.date,
        in_reply_to=facts.in_reply_to,
    )
    html, text = parts_of(message)
    headers = headers_of(message)
    unsubscribe = links.unsubscribe(facts.reader.subscriber_id, facts.reader.secret, of.newsletter)
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
        stories=_stories(pool, variant),
        notices=(
            *pool.notices,
            *facts.notices,
            *_about_her_sections(configuration.newsletter(*of), pool, facts),
            *notices,
            *_about_web(configuration),
        ),
        web_base=web_base(configuration),
        key=facts.rendered_key,
        format=facts.format,
        unsubscribe_url=unsubscribe,
        links=() if pool.edition.occurrence.correction else _links(made, variant),
        _lint=lambda: _findings(configuration, pool, made, facts, message, unsubscribe, logo),
        _uninlined=lambda: _before_inlining(configuration, pool, facts, logo),
    )


def _links(made: Mapping[str, bytes], variant: Variant) -> tuple[tuple[str, str], ...]:
    """Headline and URL of each story as they were rendered, in the order of the message."""
    stories = [story for section in json.loads(made[MANIFEST])["sections"] for story in section["stories"]]
    known = {story["id"]: (str(story["headline"]), str(story["url"])) for story in stories}
    return tuple(known[article] for article in variant.article_ids)


def _for_a_test(configuration: Configuration, pool: Pool, facts: Facts, to: str) -> Facts:
    """The same facts for a test address that is nobody's: fresh links, a Message-ID of its own."""
    nobody = Reader(0, to, facts.reader.first_name, facts.reader.last_name, secrets.token_bytes(32))
    domain = from_address(configuration, pool.edition.newsletter).rpartition("@")[2]
    return replace(facts, reader=nobody, message_id=f"<test.{secrets.token_hex(16)}@{domain}>")


def _pieces(
    configuration: Configuration, store: Store, pool: Pool, facts: Facts, logo: Logo | None, templates: Templates
) -> tuple[Mapping[str, bytes], Pool, tuple[str, ...]]:
    """The pieces that a send would join, those that are stored, else rendered now; and the pool as it then is, without
    what gave way to the size budget."""
    if pool.stored is not None:
        stored = store.read(pieces.load, *pool.stored.pieces_at, facts.rendered_key)
        if stored:
            return stored, pool, (_RENDERED,) if pool.is_open else ()
        others = store.read(pieces.keys, *pool.stored.pieces_at)
        if others:
            raise UsageError(
                f"{pool.edition.name} was not rendered for {facts.rendered_key}",
                remedy=f"It was for {', '.join(str(key) for key in others)}",
            )
    newsletter = pool.edition.newsletter
    picture = logo(configuration) if logo is not None else None
    hers = render_edition(configuration, pool.edition, pool.articles, facts.rendered_key, templates, logo=picture)
    if largest_html(hers) <= _SURELY_FITS * configuration.of(pool.edition).size_budget:
        return hers, pool, ()  # no other plan or language makes so much more of it that stories would give way
    keys = rendered_keys(configuration.languages(newsletter), configuration.schedules.plans)
    made = render_fitted(
        configuration,
        pool.edition,
        pool.articles,
        keys if facts.rendered_key in keys else (*keys, facts.rendered_key),
        templates,
        logo=picture,
        there={facts.rendered_key: hers},
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


def _before_inlining(configuration: Configuration, pool: Pool, facts: Facts, logo: Logo | None) -> str:
    """The HTML of this message as its templates render it now, for a reader of all its sections; '' of a correction,
    of which only what was sent is kept."""
    if pool.edition.occurrence.correction:
        return ""
    made = render_edition(
        configuration,
        pool.edition,
        pool.articles,
        facts.rendered_key,
        Templates(configuration.template_folders, inlines=False),
        logo=logo(configuration) if logo is not None else None,
    )
    variants = Variants(made)
    variant = variants.variant(facts.joined(variants))
    if variant is None:
        return ""
    message = message_for(
        configuration,
        pool.edition,
        variant,
        facts.reader,
        message_id=facts.message_id,
        mail_format=MailFormat.HTML,
        links=Links(web_base(configuration), configuration.schedules.unsubscribe_mailbox or ""),
        now=facts.date,
    )
    return parts_of(message)[0]


def headers_of(message: bytes) -> tuple[tuple[str, str], ...]:
    """The header fields of a message, decoded, in order."""
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
    if facts.format is MailFormat.TEXT or pool.edition.occurrence.correction:
        return ()  # nearly every rule there is reads the HTML; of a correction, that of an edition
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


def _about_her_sections(newsletter: Newsletter, pool: Pool, facts: Facts) -> tuple[str, ...]:
    if not gets_lead_alone(encode_sections(facts.sections), newsletter, pool.edition):
        return ()
    return ("None of her sections holds a story today: she gets the lead alone.",)


def _about_web(configuration: Configuration) -> tuple[str, ...]:
    if configuration.schedules.web is not None:
        return ()
    return ("web is not configured: links and pictures point at this machine, where only you can open them.",)
