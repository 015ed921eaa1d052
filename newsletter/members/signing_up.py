"""Somebody asks for newsletters, and confirms: each one act in one transaction, together with the mail it sends.

    a form -> request_subscriptions -> one mail to confirm all of it -> confirm -> subscriptions and one welcome

Whoever is killed between a request and its mail loses neither: both are rows of one commit, and the sender takes the
second from the ledger. What came of a request is never told to who asked: the mail tells the owner of the address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_hex

from sqlalchemy import Connection

from newsletter.domain_groups import domain_group
from newsletter.members import consent
from newsletter.members.consent import Confirmed, Evidence, Renewal
from newsletter.members.signing_in import Limit, send_link
from newsletter.members.subscribing import new_secret
from newsletter.model import (
    ConsentAction,
    MailedPurpose,
    RenderedKey,
    Subscriber,
    Subscription,
    SubscriptionState,
    SystemMail,
)
from newsletter.store import (
    consents,
    mailed_links,
    request_rates,
    subscribers,
    subscriptions,
    suppressions,
    system_mails,
)
from newsletter.store.mailed_links import MailedLink
from newsletter.store.subscribers import NewSubscriber

_WELCOME_WITHIN = timedelta(days=1)
AWAITING = "awaits confirmation"

# The part before the @ by which nobody in particular is reached (RFC 2142), as written in several languages.
_ROLES = frozenset(
    (
        "abuse", "admin", "administrator", "all", "billing", "contact", "contacto", "desk", "editor", "editorial",
        "everyone", "help", "helpdesk", "hello", "hostmaster", "info", "information", "kontakt", "mail",
        "mailer-daemon", "marketing", "newsdesk", "newsroom", "no-reply", "noreply", "noc", "office", "postmaster",
        "presse", "press", "redaktion", "root", "sales", "security", "service", "staff", "support", "sysadmin", "team",
        "usenet", "uucp", "webmaster", "www",
    )
)  # fmt: skip


class Answer(StrEnum):
    """What came of a request. None but ``TOO_MANY`` is for who asked to see."""

    CONFIRMING = "confirming"
    SUBSCRIBED = "subscribed"
    ALREADY = "already"
    LIMITED = "limited"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. ``address`` is parsed, ``address_hashes`` are under every site key, the current first.

    ``single`` are those of ``newsletters`` for which the form alone is enough; ``language`` is of who asks ('' for
    none), ``page_language`` that of the mail where she has chosen none. ``of_address`` and ``of_client`` are what may
    be asked of each.
    """

    address: str
    address_hashes: tuple[str, ...]
    newsletters: tuple[str, ...]
    single: frozenset[str]
    language: str
    page_language: str
    confirm_within: timedelta
    of_address: Limit
    of_client: Limit


def is_role_address(address: str) -> bool:
    """Whether a parsed address is of an office rather than a person: info@, desk@ …; ``+tags`` do not hide it."""
    return address.rpartition("@")[0].partition("+")[0] in _ROLES


def request_subscriptions(
    connection: Connection, asked: Asked, evidence: Evidence, make_secret: Callable[[], bytes] = new_secret
) -> Answer:
    """Take down what somebody asks for and queue one mail to the owner of the address. At most one of each kind.

    What needs no confirmation begins at once; what was ended before, or by who is suppressed, always needs one.
    """
    now = evidence.at
    if not request_rates.take(connection, asked.of_client.key, asked.of_client.per_hour, now):
        return Answer.TOO_MANY
    if not request_rates.take(connection, asked.of_address.key, asked.of_address.per_hour, now):
        return Answer.LIMITED
    person = subscribers.by_address(connection, asked.address) or _made(connection, asked, now, make_secret)
    subscribers.lock(connection, person.id)
    held = {one.newsletter: one.state for one in subscriptions.of(connection, person.id)}
    hashes = [*asked.address_hashes, *subscribers.address_hashes(connection, [person.id]).values()]
    quiet = bool(suppressions.scopes_of(connection, hashes))
    wanted = [one for one in asked.newsletters if quiet or held.get(one) is not SubscriptionState.ACTIVE]
    if not wanted:
        send_link(connection, person, SystemMail.ALREADY, asked.newsletters, language=asked.page_language, now=now)
        return Answer.ALREADY
    at_once = [one for one in wanted if one in asked.single and one not in held and not quiet]
    to_confirm = [one for one in wanted if one not in at_once]
    key = RenderedKey(person.language or asked.page_language, person.plan)
    if at_once:
        for newsletter in at_once:
            subscriptions.activate(connection, person.id, newsletter, now)
        consents.record(connection, [evidence.of(person.id, ConsentAction.SUBSCRIBED, one) for one in at_once])
        _welcome(connection, person, key, at_once, token_hex(8), now)
    if not to_confirm:
        return Answer.SUBSCRIBED
    pending = [Subscription(person.id, one, SubscriptionState.PENDING) for one in to_confirm]
    subscriptions.add_many(connection, pending, now)
    consents.record(connection, [evidence.of(person.id, ConsentAction.SUBSCRIBED, one, AWAITING) for one in to_confirm])
    until = now + asked.confirm_within
    link = mailed_links.add(connection, MailedPurpose.CONFIRM, person.id, to_confirm, now, until)
    system_mails.queue(connection, SystemMail.CONFIRM, str(link), person.id, key, to_confirm, now=now, expires_at=until)
    return Answer.CONFIRMING


def confirm(
    connection: Connection,
    link: MailedLink,
    person: Subscriber,
    published: frozenset[str],
    evidence: Evidence,
    address_hashes: tuple[str, ...],
    language: str,
) -> Confirmed | None:
    """Spend a link to confirm and begin what it is for, of what is still ``published``; None where it is spent already
    or too old. One welcome for all that begins."""
    if not mailed_links.spend(connection, link.id, evidence.at):
        return None
    wanted = [one for one in link.newsletters if one in published]
    confirmed = consent.confirm(connection, person.id, wanted, evidence, address_hashes)
    if confirmed.subscribed:
        key = RenderedKey(person.language or language, person.plan)
        _welcome(connection, person, key, confirmed.subscribed, str(link.id), evidence.at)
    return confirmed


def take_one_more(
    connection: Connection, person: Subscriber, newsletter: str, evidence: Evidence, language: str
) -> Renewal:
    """A member takes one more newsletter by the link in a mail of hers, which proves that it is her."""
    renewal = consent.subscribe_again(connection, person.id, newsletter, evidence)
    if renewal is Renewal.DONE:
        key = RenderedKey(person.language or language, person.plan)
        _welcome(connection, person, key, (newsletter,), token_hex(8), evidence.at)
    return renewal


def forget_unconfirmed(
    connection: Connection, before: datetime, now: datetime, make_secret: Callable[[], bytes] = new_secret
) -> int:
    """Erase those who were asked before ``before`` and never confirmed anything, and what no longer matters of
    requests; how many people. Some hundred at most: call it again where there are more."""
    request_rates.forget_past(connection, now)
    mailed_links.forget_expired(connection, before)
    people = subscriptions.never_confirmed(connection, before)
    for subscriber_id in people:
        subscribers.lock(connection, subscriber_id)
        if all(one.state is SubscriptionState.PENDING for one in subscriptions.of(connection, subscriber_id)):
            subscribers.erase(connection, subscriber_id, make_secret(), now)
    return len(people)


def _made(connection: Connection, asked: Asked, now: datetime, make_secret: Callable[[], bytes]) -> Subscriber:
    subscribers.add_many(
        connection,
        [
            NewSubscriber(
                address=asked.address,
                address_hash=asked.address_hashes[0],
                domain_group=domain_group(asked.address),
                secret=make_secret(),
                created_at=now,
                language=asked.language,
            )
        ],
    )
    made = subscribers.by_address(connection, asked.address)
    assert made is not None
    return made


def _welcome(
    connection: Connection,
    person: Subscriber,
    key: RenderedKey,
    newsletters: tuple[str, ...] | list[str],
    event: str,
    now: datetime,
) -> None:
    system_mails.queue(
        connection,
        SystemMail.WELCOME,
        event,
        person.id,
        key,
        newsletters,
        now=now,
        expires_at=now + _WELCOME_WITHIN,
    )
