"""A claimed delivery -> the bytes for the wire: its edition's pieces, joined for its key, its reader's slots filled."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from types import MappingProxyType

from newsletter.compose.keys import sections_for
from newsletter.config.reading import Configuration
from newsletter.deliver.addressed import Addressed, Reader
from newsletter.deliver.dkim import DkimSigner, signer_for
from newsletter.deliver.sending import Clock, Post
from newsletter.deliver.system_mails import SystemMails
from newsletter.errors import StoreError, TemplateError
from newsletter.members.links import Links
from newsletter.model import SYSTEM, Edition, JoinedKey, Kind, MailFormat, Picture, RenderedKey
from newsletter.render.joining import KEPT_VARIANTS, Variant, Variants
from newsletter.render.message import Assembled, Heading, assemble, edition_heading
from newsletter.render.rendering import web_base
from newsletter.render.slots import SUBSCRIBE
from newsletter.store import Store, editions, pieces
from newsletter.store.claiming import Claimed
from newsletter.store.had import decode as decode_had
from newsletter.store.targeting import decode_digests

NO_SIGNERS: Mapping[str, DkimSigner] = MappingProxyType({})
_KEPT_DOCUMENTS = 16  # as many rendered keys as one edition may have
_KEPT_CHOICES = 256
_MINUTE = timedelta(minutes=1)
_MESSAGE_ID_BYTES = 16


def message_id(configuration: Configuration, newsletter: str, edition_key: str, subscriber_id: int) -> str:
    """The Message-ID of one subscriber's copy: an HMAC under the site key, so that a resend has the same one.

    ``edition_key`` is newsletter, stream and occurrence; the domain is that of the newsletter's From address.
    """
    signed = configuration.site_keys.sign("message-id", f"{edition_key}/{subscriber_id}".encode())
    domain = from_address(configuration, newsletter).rpartition("@")[2]
    return f"<{signed[:_MESSAGE_ID_BYTES].hex()}.{newsletter}@{domain}>"


def from_address(configuration: Configuration, newsletter: str) -> str:
    """The bare From address of a newsletter."""
    return configuration.newsletter(newsletter).from_mailbox.address


def message_for(
    configuration: Configuration,
    edition: Edition,
    variant: Variant,
    reader: Reader,
    *,
    message_id: str,
    mail_format: MailFormat,
    links: Links,
    now: datetime,
    in_reply_to: str = "",
) -> bytes:
    """One reader's message: what a send puts on the wire and a preview shows. ``now`` is its Date, to the minute;
    ``in_reply_to`` is the Message-ID that a correction follows up."""
    heading = _heading(configuration, edition, now)
    return _filled(
        heading,
        edition,
        variant,
        reader,
        message_id=message_id,
        mail_format=mail_format,
        links=links,
        in_reply_to=in_reply_to,
    ).message


def _heading(configuration: Configuration, edition: Edition, now: datetime) -> Heading:
    site = configuration.schedules.site
    return edition_heading(
        edition,
        configuration.of(edition),
        edition.newsletter,
        site,
        date=now.astimezone(site.zone).replace(second=0, microsecond=0),
    )


def _filled(
    heading: Heading,
    edition: Edition,
    variant: Variant,
    reader: Addressed,
    *,
    message_id: str,
    mail_format: MailFormat,
    links: Links,
    in_reply_to: str,
) -> Assembled:
    return assemble(
        variant,
        heading,
        to=reader.address,
        message_id=message_id,
        unsubscribe_url=links.unsubscribe(reader.subscriber_id, reader.secret, edition.newsletter),
        unsubscribe_mailto=links.unsubscribe_mailto(reader.subscriber_id, reader.secret, edition.newsletter),
        slots={
            "first_name": reader.first_name,
            "last_name": reader.last_name,
            "address": reader.address,
            "preferences_url": links.preferences(reader.subscriber_id, reader.secret),
            "browser_url": links.browser(reader.subscriber_id, reader.secret, edition.name.of, edition.occurrence),
            **{
                f"{SUBSCRIBE}/{name}": links.subscribe(reader.subscriber_id, reader.secret, name)
                for name in variant.offers
            },
        },
        format=mail_format,
        in_reply_to=in_reply_to,
    )


class _Document:
    """One rendered document of an edition, with what all its messages share."""

    def __init__(self, configuration: Configuration, edition: Edition, stored: Mapping[str, bytes]) -> None:
        newsletter = configuration.of(edition)
        _, relay = configuration.relay(edition.newsletter)
        self.edition = edition
        self.envelope_sender = relay.envelope_sender or from_address(configuration, edition.newsletter)
        self._configuration, self._variants = configuration, Variants(stored)
        self._sections_for = lru_cache(_KEPT_CHOICES)(partial(sections_for, newsletter=newsletter))
        self.variant = lru_cache(KEPT_VARIANTS)(self._variant)
        self._heading: Heading | None = None
        self._heading_from = self._heading_until = datetime.min.replace(tzinfo=UTC)

    def _variant(self, sections: str, targets: str, had: str) -> Variant:
        """What a reader with these stored sections and targets gets, without what she had.

        Raises TemplateError where that is nothing.
        """
        key = JoinedKey(self._sections_for(sections), decode_digests(targets), decode_had(had))
        variant = self._variants.variant(key)
        if variant is None:
            raise TemplateError("the edition holds no story for this reader", where=str(self.edition.name))
        return variant

    def heading(self, now: datetime) -> Heading:
        """The heading of this minute, one object for all its messages."""
        if self._heading is None or not self._heading_from <= now < self._heading_until:
            self._heading = _heading(self._configuration, self.edition, now)
            self._heading_from = self._heading.date.astimezone(UTC)
            self._heading_until = self._heading_from + _MINUTE
        return self._heading


class Assembler:
    """Assembles claimed rows of any edition, and system mails, which show ``logo``; remembers the documents of the last
    few rendered keys."""

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        clock: Clock,
        signers: Mapping[str, DkimSigner] = NO_SIGNERS,
        logo: Picture | None = None,
    ) -> None:
        self._configuration, self._store, self._clock = configuration, store, clock
        self._signers = {
            name: signer_for(signers, from_address(configuration, name).rpartition("@")[2])
            for name in (*configuration.schedules.newsletters, SYSTEM)
        }
        self._system = SystemMails(configuration, store, logo)
        self._links = Links(web_base(configuration), configuration.schedules.unsubscribe_mailbox or "")
        self._documents: OrderedDict[tuple[int, int, RenderedKey], _Document] = OrderedDict()
        self._loading = asyncio.Lock()

    async def __call__(self, row: Claimed) -> Post:
        """The post for this row. Raises TemplateError or StoreError when it cannot be made."""
        if row.kind is Kind.SYSTEM:
            message = await self._system.message(row, self._clock())
            return self._post(SYSTEM, self._system.envelope_sender, Assembled(message, relaxed=False))
        wanted = (row.pieces_of, row.pieces_revision, row.rendered_key)
        document = self._documents.get(wanted) or await self._load(*wanted)
        made = _filled(
            document.heading(self._clock()),
            document.edition,
            document.variant(row.sections, row.targets, row.had),
            row,
            message_id=row.message_id,
            mail_format=row.format,
            links=self._links,
            in_reply_to=row.in_reply_to,
        )
        return self._post(row.newsletter, document.envelope_sender, made)

    def _post(self, newsletter: str, envelope_sender: str, made: Assembled) -> Post:
        signer = self._signers[newsletter]
        if signer is None:
            return Post(envelope_sender, made.message)
        sign = signer.sign_relaxed if made.relaxed else signer.sign
        return Post(envelope_sender, made.message, partial(sign, made.message, at=int(self._clock().timestamp())))

    async def _load(self, edition_id: int, revision: int, key: RenderedKey) -> _Document:
        async with self._loading:  # several ask for the same at once
            if (there := self._documents.get((edition_id, revision, key))) is not None:
                return there
            edition = await self._store.read_async(editions.load, edition_id)
            stored = await self._store.read_async(pieces.load, edition_id, revision, key)
            if not stored:
                raise StoreError(f"the edition was not rendered for {key}", where=str(edition.name))
            return self.remember(edition_id, revision, key, edition, stored)

    def remember(
        self, edition_id: int, revision: int, key: RenderedKey, edition: Edition, stored: Mapping[str, bytes]
    ) -> _Document:
        """Take an edition and its pieces for one rendered key as given; the store is not asked for them."""
        document = self._documents[edition_id, revision, key] = _Document(self._configuration, edition, stored)
        while len(self._documents) > _KEPT_DOCUMENTS:
            self._documents.popitem(last=False)
        return document
