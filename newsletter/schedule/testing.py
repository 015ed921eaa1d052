"""One test message of what would be sent next, to one address, outside the ledger."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime

from newsletter.compose.keys import rendered_keys
from newsletter.config.reading import Configuration
from newsletter.deliver.addressed import Reader
from newsletter.deliver.assembling import from_address, message_for
from newsletter.deliver.configured import staging_addresses
from newsletter.deliver.outgoing import Answered, LostBeforeBody, LostInDoubt, Outgoing
from newsletter.deliver.smtp import RelayConnection
from newsletter.errors import RelayError, UsageError
from newsletter.members.links import Links
from newsletter.model import Edition, JoinedKey, MailFormat, RenderedKey, StreamName
from newsletter.render.joining import Variants
from newsletter.render.rendering import render_fitted, templates_of, web_base
from newsletter.schedule.logo import publish_logo
from newsletter.schedule.next_editions import next_edition
from newsletter.store import Store, subscribers


async def send_test(configuration: Configuration, store: Store, of: StreamName, address: str, now: datetime) -> str:
    """Send it; the name of the edition it showed. Raises NothingToSend, TemplateError, RelayError and UsageError.

    It is made as a send makes it, for the newsletter's own sections and the first plan. Where the address is a
    subscriber's, language and links are hers.
    """
    allowed = staging_addresses(configuration)
    if allowed is not None and address not in allowed:
        raise UsageError(f"staging may not mail {address}", where="--test", remedy="Add it to staging_recipients")
    edition, message = await asyncio.to_thread(_make, configuration, store, of, address, now)
    await transmit_test(configuration, of.newsletter, address, message)
    return str(edition.name)


async def transmit_test(configuration: Configuration, newsletter_name: str, address: str, message: bytes) -> None:
    """Give one message for ``address`` to the newsletter's relay, outside the ledger. Raises RelayError and
    ConfigurationError."""
    name, relay = configuration.relay(newsletter_name)
    connection = await RelayConnection.open(name, relay)
    sender = relay.envelope_sender or from_address(configuration, newsletter_name)
    outgoing = Outgoing(None, sender, address, message)
    if missing := outgoing.lacks(connection.offers):
        await connection.quit()
        raise RelayError(f"it lacks {missing}, which the test for {address} needs", where=f"relay {name}")
    result = await connection.transmit(outgoing)
    if isinstance(result, Answered) and result.reply.accepted:
        return
    match result:
        case Answered(_, reply):
            what = str(reply)
        case LostBeforeBody(why) | LostInDoubt(why):
            what = why
        case _:
            what = "withheld"
    raise RelayError(f"it did not take the test for {address}: {what}", where=f"relay {name}")


def _make(
    configuration: Configuration, store: Store, of: StreamName, address: str, now: datetime
) -> tuple[Edition, bytes]:
    newsletter_name = of.newsletter
    edition, known = next_edition(configuration, store, of, now)
    person = store.read(subscribers.by_address, address)
    language = configuration.language_for(newsletter_name, person.language if person is not None else "")
    keys = rendered_keys(configuration.languages(newsletter_name), configuration.schedules.plans)
    key = RenderedKey(language, next(iter(configuration.schedules.plans)))
    made = render_fitted(
        configuration, edition, known, keys, templates_of(configuration), logo=publish_logo(configuration)
    )
    variants = Variants(made.pieces[key])
    variant = variants.variant(JoinedKey(targets=variants.targets))
    assert variant is not None, "the pool has stories"
    reader = (
        Reader(person.id, person.address, person.first_name, person.last_name, person.secret)
        if person is not None
        else Reader(0, address, "", "", secrets.token_bytes(32))
    )
    domain = from_address(configuration, newsletter_name).rpartition("@")[2]
    message = message_for(
        configuration,
        edition,
        variant,
        reader,
        message_id=f"<test.{secrets.token_hex(16)}@{domain}>",
        mail_format=MailFormat.HTML,
        links=Links(web_base(configuration), configuration.schedules.unsubscribe_mailbox or ""),
        now=now,
    )
    return edition, message
