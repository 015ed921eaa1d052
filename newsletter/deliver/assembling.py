"""A claimed delivery -> the bytes for the wire: its edition's pieces, joined for its key, its reader's slots filled."""

from __future__ import annotations

import base64
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.compose.keys import sections_for
from newsletter.config.reading import Configuration
from newsletter.deliver.sending import Clock, Post
from newsletter.errors import StoreError, TemplateError
from newsletter.members.links import Links
from newsletter.model import Edition, JoinedKey, MailFormat, RenderedKey
from newsletter.render.joining import Variant, Variants
from newsletter.render.message import assemble, edition_heading
from newsletter.render.rendering import web_base
from newsletter.store import Store, editions, pieces
from newsletter.store.claiming import Claimed

_KEPT_DOCUMENTS = 8
_MESSAGE_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Reader:
    """What one message is filled with."""

    subscriber_id: int
    address: str
    first_name: str
    last_name: str
    secret: bytes = field(repr=False)


def message_id(configuration: Configuration, newsletter: str, edition_key: str, subscriber_id: int) -> str:
    """The Message-ID of one subscriber's copy: an HMAC under the site key, so that a resend has the same one.

    ``edition_key`` is newsletter, stream and occurrence; the domain is that of the newsletter's From address.
    """
    signed = configuration.site_keys.sign("message-id", f"{edition_key}/{subscriber_id}".encode())
    left = base64.b32encode(signed[:_MESSAGE_ID_BYTES]).decode().rstrip("=").lower()
    domain = from_address(configuration, newsletter).rpartition("@")[2]
    return f"<{left}.{newsletter}@{domain}>"


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
) -> bytes:
    """One reader's message: what a send puts on the wire and a preview shows. ``now`` is its Date, to the minute."""
    newsletter = configuration.newsletter(edition.newsletter)
    heading = edition_heading(
        edition,
        newsletter,
        edition.newsletter,
        configuration.schedules.site,
        date=now.astimezone(configuration.schedules.site.zone).replace(second=0, microsecond=0),
    )
    return assemble(
        variant,
        heading,
        to=reader.address,
        message_id=message_id,
        unsubscribe_url=links.unsubscribe(reader.subscriber_id, reader.secret, edition.newsletter),
        slots={
            "first_name": reader.first_name,
            "last_name": reader.last_name,
            "address": reader.address,
            "preferences_url": links.preferences(reader.subscriber_id, reader.secret),
            "browser_url": links.browser(reader.subscriber_id, reader.secret, edition.newsletter, edition.occurrence),
        },
        format=mail_format,
    )


class Assembler:
    """Assembles claimed rows of any edition; remembers the documents of the last few rendered keys."""

    def __init__(self, configuration: Configuration, store: Store, clock: Clock) -> None:
        self._configuration, self._store, self._clock = configuration, store, clock
        self._links = Links(web_base(configuration))
        self._documents: OrderedDict[tuple[int, int, RenderedKey], tuple[Edition, Variants]] = OrderedDict()

    async def __call__(self, row: Claimed) -> Post:
        """The post for this row. Raises TemplateError or StoreError when it cannot be made."""
        edition, variants = await self._document(row.edition_id, row.revision, row.rendered_key)
        newsletter = self._configuration.newsletter(row.newsletter)
        variant = variants.variant(JoinedKey(sections_for(row.sections, newsletter)))
        if variant is None:
            raise TemplateError("the edition holds no story for this reader", where=str(edition.name))
        message = message_for(
            self._configuration,
            edition,
            variant,
            Reader(row.subscriber_id, row.address, row.first_name, row.last_name, row.secret),
            message_id=row.message_id,
            mail_format=row.format,
            links=self._links,
            now=self._clock(),
        )
        _, relay = self._configuration.relay(row.newsletter)
        return Post(relay.envelope_sender or from_address(self._configuration, row.newsletter), message)

    async def _document(self, edition_id: int, revision: int, key: RenderedKey) -> tuple[Edition, Variants]:
        wanted = (edition_id, revision, key)
        found = self._documents.get(wanted)
        if found is None:
            edition = await self._store.read_async(editions.load, edition_id)
            stored = await self._store.read_async(pieces.load, edition_id, revision, key)
            if not stored:
                raise StoreError(f"the edition was not rendered for {key}", where=str(edition.name))
            found = self._documents[wanted] = (edition, Variants(stored))
            while len(self._documents) > _KEPT_DOCUMENTS:
                self._documents.popitem(last=False)
        return found
