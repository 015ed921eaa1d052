"""A reader's copy of an edition, as a page: the ledger's facts -> the pieces she was sent, joined and filled again.

What the link "read it in the browser" shows, so it is made by the one function that made her mail.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
from email.message import EmailMessage

from newsletter.compose.keys import sections_for
from newsletter.config.reading import Configuration
from newsletter.deliver.addressed import Reader
from newsletter.deliver.assembling import message_for
from newsletter.members.links import Links
from newsletter.model import JoinedKey, MailFormat, Occurrence, StreamName
from newsletter.render.joining import Variants
from newsletter.render.rendering import web_base
from newsletter.store import Store, copies, editions, pieces, subscribers
from newsletter.store.had import decode as decode_had
from newsletter.store.targeting import decode_digests


async def browser_copy(
    configuration: Configuration, store: Store, subscriber_id: int, of: StreamName, occurrence: Occurrence
) -> str | None:
    """The HTML of this edition as this reader got it, her slots filled. Raises StoreError.

    None where she never got it, where its pieces are kept no longer, or the newsletter is gone. Who reads plain text
    gets the HTML too: she opened a browser.
    """
    return await asyncio.to_thread(_make, configuration, store, subscriber_id, of, occurrence)


def parts_of(message: bytes) -> tuple[str, str]:
    """The decoded HTML and text of a message; '' for a part it does not have."""
    parsed = email.message_from_bytes(message, policy=email.policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    html, text = parsed.get_body(("html",)), parsed.get_body(("plain",))
    return (html.get_content() if html else ""), (text.get_content() if text else "")


def _make(
    configuration: Configuration, store: Store, subscriber_id: int, of: StreamName, occurrence: Occurrence
) -> str | None:
    if of.newsletter not in configuration.schedules.newsletters:
        return None
    person = store.read(subscribers.by_id, subscriber_id)
    copy = store.read(copies.find, subscriber_id, of, occurrence)
    if person is None or person.erased_at is not None or copy is None:
        return None
    stored = store.read(pieces.load, *copy.pieces_at, copy.rendered_key)
    if not stored:
        return None
    sections = sections_for(copy.sections, configuration.newsletter(*of))
    variant = Variants(stored).variant(JoinedKey(sections, decode_digests(copy.targets), decode_had(copy.had)))
    if variant is None:
        return None
    message = message_for(
        configuration,
        store.read(editions.load, copy.edition_id),
        variant,
        Reader(person.id, person.address, person.first_name, person.last_name, person.secret),
        message_id=copy.message_id,
        in_reply_to=copy.in_reply_to,
        mail_format=MailFormat.HTML,
        links=Links(web_base(configuration), configuration.schedules.unsubscribe_mailbox or ""),
        now=copy.sent_at or person.created_at,  # the Date of a header that a page does not show
    )
    return parts_of(message)[0]
