"""A claimed system mail -> its message: what somebody asked for, its document rendered from the templates as they are.

Documents are kept for one kind, language and plan, and made anew when a later edition was sent, which the welcome
shows. One way for sending, preview and lint.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial

from newsletter.config.configuration import Configuration
from newsletter.config.faults import suggestion
from newsletter.deliver.addressed import Addressed
from newsletter.errors import UsageError
from newsletter.members.links import Links
from newsletter.members.signing_in import SIGN_IN_WITHIN
from newsletter.model import (
    SYSTEM,
    Access,
    Article,
    Kind,
    MailFormat,
    OccurrenceState,
    Picture,
    RenderedKey,
    Stream,
    SystemMail,
)
from newsletter.render import facts
from newsletter.render.blocks import foreign_to
from newsletter.render.frequency import frequency_of
from newsletter.render.message import Heading, assemble
from newsletter.render.rendering import templates_of, web_base
from newsletter.render.system_mail import MOST_STORIES, ItemView, SystemDocument, system_document
from newsletter.render.templates import Templates
from newsletter.render.words import Words
from newsletter.store import Store, articles, editions, occurrences
from newsletter.store.claiming import Claimed
from newsletter.store.subscriptions import decode_sections
from newsletter.store.system_mails import mail_of

_KEPT = 32
_LOOK_EVERY = timedelta(minutes=1)
_GONE_OUT = (OccurrenceState.SENT, OccurrenceState.SENDING)

Latest = dict[str, tuple[date, tuple[int, ...]]]
"""The latest edition of each newsletter that has one: its local date and its articles in order."""


def kind_named(name: str, where: str) -> SystemMail:
    """The kind of mail called ``name``. Raises UsageError, at ``where``, with the one probably meant."""
    try:
        return SystemMail(name)
    except ValueError:
        raise UsageError(
            f"there is no mail '{name}' that somebody could ask for",
            where=where,
            remedy=suggestion(name, [one.value for one in SystemMail]),
        ) from None


class SystemMails:
    """Makes the messages of claimed rows. ``logo`` is our copy of the theme's."""

    def __init__(self, configuration: Configuration, store: Store, logo: Picture | None = None) -> None:
        self._configuration, self._store, self._logo = configuration, store, logo
        self._links = Links(web_base(configuration))
        self._documents: OrderedDict[tuple[SystemMail, RenderedKey], SystemDocument] = OrderedDict()
        self._latest: Latest = {}
        self._looked_at: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def envelope_sender(self) -> str:
        """MAIL FROM where the relay names none."""
        _, relay = self._configuration.relay(SYSTEM)
        return relay.envelope_sender or self._configuration.newsletter(SYSTEM).from_mailbox.address

    async def message(self, row: Claimed, now: datetime) -> bytes:
        """The message of this row, not signed. Raises TemplateError and StoreError."""
        mail, event = mail_of(row.occurrence)
        async with self._one_at_a_time:
            document = await asyncio.to_thread(self._document, mail, row.rendered_key, now)
            return system_message(
                self._configuration,
                document,
                mail,
                event,
                decode_sections(row.sections),
                row,
                message_id=row.message_id,
                mail_format=row.format,
                links=self._links,
                now=now,
            )

    def _document(self, mail: SystemMail, key: RenderedKey, now: datetime) -> SystemDocument:
        if mail is SystemMail.WELCOME and (self._looked_at is None or now - self._looked_at >= _LOOK_EVERY):
            latest = latest_editions(self._configuration, self._store)
            if latest != self._latest:
                self._documents.clear()
            self._latest, self._looked_at = latest, now
        if (mail, key) not in self._documents:
            made = document_of(
                self._configuration,
                self._store,
                mail,
                key,
                self._latest,
                templates_of(self._configuration),
                logo=self._logo,
            )
            self._documents[mail, key] = made
            while len(self._documents) > _KEPT:
                self._documents.popitem(last=False)
        return self._documents[mail, key]


def latest_editions(configuration: Configuration, store: Store) -> Latest:
    """What each newsletter sent last. Blocking."""
    found: Latest = {}
    for name in configuration.schedules.newsletters:
        each = partial(occurrences.listing, newsletter=name, stream=Stream.EACH, turns_only=True)
        for row in store.read(each, states=_GONE_OUT, limit=1):
            own = configuration.own_cohort(name)
            if (edition := store.read(editions.nearest, row.id, own)) is not None:
                found[name] = (row.occurrence.local_date, edition.edition.article_ids)
    return found


def document_of(
    configuration: Configuration,
    store: Store,
    mail: SystemMail,
    key: RenderedKey,
    latest: Latest,
    templates: Templates,
    *,
    logo: Picture | None = None,
) -> SystemDocument:
    """Render one kind for one language and plan. Blocking, up to 100 ms. Raises TemplateError."""
    schedules = configuration.schedules
    words = templates.words(key.language)
    shown = latest if mail is SystemMail.WELCOME else {}
    wanted = {article for _, ids in shown.values() for article in ids}
    known = store.read(articles.get_many, sorted(wanted)) if wanted else {}
    items = [
        _item(configuration, name, key, words, *_stories_of(shown.get(name), known)) for name in schedules.newsletters
    ]
    return system_document(
        mail,
        configuration.newsletter(SYSTEM),
        items,
        schedules.site,
        key,
        web_base(configuration),
        templates,
        confirm_within=schedules.sign_up.confirm_within,
        sign_in_within=SIGN_IN_WITHIN,
        logo=logo,
    )


def system_message(
    configuration: Configuration,
    document: SystemDocument,
    mail: SystemMail,
    event: str,
    newsletters: Sequence[str],
    reader: Addressed,
    *,
    message_id: str,
    mail_format: MailFormat,
    links: Links,
    now: datetime,
) -> bytes:
    """One person's message. ``now`` is its Date, to the minute."""
    newsletter, site = configuration.newsletter(SYSTEM), configuration.schedules.site
    return assemble(
        document.variant(newsletters),
        Heading(
            from_=newsletter.from_,
            reply_to=newsletter.reply_to or "",
            list_id="",
            feedback_id="",
            date=now.astimezone(site.zone).replace(second=0, microsecond=0),
            kind=Kind.SYSTEM,
        ),
        to=reader.address,
        message_id=message_id,
        unsubscribe_url="",
        slots={
            "first_name": reader.first_name,
            "last_name": reader.last_name,
            "address": reader.address,
            "preferences_url": links.preferences(reader.subscriber_id, reader.secret),
            "action_url": _action(mail, event, reader, links),
        },
        format=mail_format,
    ).message


def _action(mail: SystemMail, event: str, reader: Addressed, links: Links) -> str:
    """What the mail's one button does."""
    match mail:
        case SystemMail.CONFIRM:
            return links.confirm(int(event), reader.secret)
        case SystemMail.SIGN_IN | SystemMail.ALREADY:
            return links.sign_in(int(event), reader.secret)
        case SystemMail.WELCOME:
            return links.preferences(reader.subscriber_id, reader.secret)


def _stories_of(
    latest: tuple[date, tuple[int, ...]] | None, known: dict[int, Article]
) -> tuple[date | None, list[Article]]:
    if latest is None:
        return None, []
    day, ids = latest
    there = [known[one] for one in ids if one in known and known[one].retracted_at is None]
    return day, there[:MOST_STORIES]


def _item(
    configuration: Configuration,
    name: str,
    key: RenderedKey,
    words: Words,
    day: date | None,
    stories: Sequence[Article],
) -> ItemView:
    schedules = configuration.schedules
    newsletter, own = configuration.newsletter(name), configuration.language(name)
    reads = schedules.plans.get(key.plan, [Access.FREE])
    return ItemView(
        name,
        newsletter.title,
        newsletter.description,
        frequency_of(newsletter, words),
        *foreign_to(own, key.language),
        date=day if stories else None,
        stories=tuple(
            facts.story_view(
                article,
                language=key.language,
                own_language=own,
                reads=reads,
                web_base=web_base(configuration),
                fallback_url=str(schedules.site.url),
                images=schedules.sources[article.source].images if article.source in schedules.sources else None,
            )
            for article in stories
        ),
    )
