"""What a reader (or a person for her) decides -> subscriptions, suppressions, the ledger and word to the senders.

Each function is one act and runs in one transaction: ``await store.write_async(consent.unsubscribe, …)``. It locks the
subscriber first, so that a sender's claim comes before it or sees it; it writes its row in the consent ledger; and
where something is withdrawn its last statement is a revocation, which senders read just before they write a body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from newsletter.model import (
    ConsentAction,
    ConsentChannel,
    MailFormat,
    Reason,
    Stream,
    Subscription,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.store import Store, consents, deliveries_of, subscribers, subscriptions, suppressions
from newsletter.store.consents import Consent
from newsletter.store.suppressions import Withdrawal

WIRE_SECONDS = 1.0
_LOOK_EVERY = 0.02


@dataclass(frozen=True, slots=True)
class Evidence:
    """When and how somebody decided. ``client`` is her network address, truncated; ``wording`` what she was shown."""

    channel: ConsentChannel
    at: datetime
    client: str = ""
    wording: str = ""

    def of(self, subscriber_id: int, action: ConsentAction, newsletter: str = "", detail: str = "") -> Consent:
        """This as an entry of the ledger."""
        return Consent(subscriber_id, action, self.channel, self.at, newsletter, self.wording, self.client, detail)


class Renewal(StrEnum):
    """What came of asking to be subscribed again. ``refused``: no mail at all may go to this address."""

    DONE = "done"
    ALREADY = "already"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What came of a double opt-in. ``refused``: mail to this address came back, so nothing was begun."""

    subscribed: tuple[str, ...] = ()
    already: tuple[str, ...] = ()
    refused: bool = False


class Lift(StrEnum):
    """What came of a person's wish to mail an address again."""

    DONE = "done"
    NOTHING = "nothing"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Pause:
    """No mail before ``until`` (UTC); None ends a pause."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class PreferenceChange:
    """What is to become of one subscription; None leaves that part as it is."""

    newsletter: str
    on: bool | None = None
    sections: tuple[str, ...] | None = None
    format: MailFormat | None = None
    pause: Pause | None = None
    hour: str | None = None
    stream: Stream | None = None


@dataclass(frozen=True, slots=True)
class Saved:
    """What ``change_preferences`` did, by newsletter. ``refused`` could not be switched on; ``language`` and
    ``timezone`` are new."""

    switched_on: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    language: bool = False
    timezone: bool = False


def unsubscribe(connection: Connection, subscriber_id: int, newsletter: str, evidence: Evidence) -> bool:
    """End one subscription; False where it had ended before. Without one, a row says that she does not want it."""
    subscribers.lock(connection, subscriber_id)
    if not _end(connection, subscriber_id, newsletter, evidence.at):
        return False
    consents.record(connection, [evidence.of(subscriber_id, ConsentAction.UNSUBSCRIBED, newsletter)])
    suppressions.revoke(connection, [Withdrawal(subscriber_id, newsletter, Reason.UNSUBSCRIBED)], evidence.at)
    return True


def subscribe_again(connection: Connection, subscriber_id: int, newsletter: str, evidence: Evidence) -> Renewal:
    """Her own act, behind her own signed link: begin or renew a subscription.

    A link that came to her mailbox proves that it is hers, as a confirmation would: it also lifts a suppression of
    scope ``marketing``, and nothing comes back with it but what she asked for.
    """
    subscribers.lock(connection, subscriber_id)
    entries: list[Consent] = []
    renewal = _renew(connection, subscriber_id, newsletter, evidence, entries)
    consents.record(connection, entries)
    return renewal


def confirm(
    connection: Connection,
    subscriber_id: int,
    newsletters: Sequence[str],
    evidence: Evidence,
    address_hashes: Sequence[str] = (),
) -> Confirmed:
    """A fresh double opt-in: she asked for ``newsletters``, and now followed the link that went to her mailbox.

    It lifts what an unsubscribe from everything, a complaint or an erasure left behind (``address_hashes`` are hers
    under every site key), and nothing comes back but what she confirmed. A bounce it does not lift.
    """
    subscribers.lock(connection, subscriber_id)
    hers = subscribers.address_hashes(connection, [subscriber_id])[subscriber_id]
    hashes = list(dict.fromkeys([hers, *address_hashes]))
    stands = {(found.scope, found.reason) for found in suppressions.entries_of(connection, hashes)}
    if any(scope is SuppressionScope.ALL and reason != Reason.ERASED for scope, reason in stands):
        return Confirmed(refused=True)
    entries: list[Consent] = []
    if stands:
        subscriptions.unsubscribe(connection, subscriber_id, None, evidence.at)
    for scope, reason in sorted(stands):
        for address_hash in hashes:
            suppressions.lift(connection, address_hash, scope)
        entries.append(evidence.of(subscriber_id, ConsentAction.LIFTED, detail=f"{scope}: {reason}"))
    begun, already = [], []
    for newsletter in dict.fromkeys(newsletters):
        if subscriptions.activate(connection, subscriber_id, newsletter, evidence.at):
            begun.append(newsletter)
            entries.append(evidence.of(subscriber_id, ConsentAction.CONFIRMED, newsletter))
        else:
            already.append(newsletter)
    consents.record(connection, entries)
    return Confirmed(tuple(begun), tuple(already))


def lift_bounce(
    connection: Connection, subscriber_id: int, evidence: Evidence, address_hashes: Sequence[str] = ()
) -> Lift:
    """A person's word that an address takes mail again: her subscriptions go on as they stood.

    It takes back what bounces left, and nothing else: an unsubscribe, a complaint and an erasure are the reader's own
    to take back. The caller writes down who did so.
    """
    subscribers.lock(connection, subscriber_id)
    hers = subscribers.address_hashes(connection, [subscriber_id])[subscriber_id]
    hashes = list(dict.fromkeys([hers, *address_hashes]))
    every = [one for one in suppressions.entries_of(connection, hashes) if one.scope is SuppressionScope.ALL]
    bounces = [one for one in every if one.reason != Reason.ERASED]
    for address_hash in hashes:
        suppressions.lift(connection, address_hash, SuppressionScope.ALL, but=Reason.ERASED)
    consents.record(
        connection,
        [evidence.of(subscriber_id, ConsentAction.LIFTED, detail=f"{one.scope}: {one.reason}") for one in bounces],
    )
    if len(bounces) < len(every):
        return Lift.ERASED
    return Lift.DONE if bounces else Lift.NOTHING


def unsubscribe_all(connection: Connection, subscriber_id: int, evidence: Evidence) -> tuple[str, ...]:
    """End every subscription and suppress ``marketing``; returns the newsletters that ended by this."""
    subscribers.lock(connection, subscriber_id)
    ended = subscriptions.unsubscribe(connection, subscriber_id, None, evidence.at)
    address_hash = subscribers.address_hashes(connection, [subscriber_id])[subscriber_id]
    scope = SuppressionScope.MARKETING
    suppressed = suppressions.suppress(connection, address_hash, scope, "unsubscribe_all", evidence.at)
    if not (ended or suppressed):
        return ()
    entries = [evidence.of(subscriber_id, ConsentAction.UNSUBSCRIBED, newsletter) for newsletter in ended]
    if suppressed:
        entries.append(evidence.of(subscriber_id, ConsentAction.SUPPRESSED, detail=f"{scope}: unsubscribe_all"))
    consents.record(connection, entries)
    suppressions.revoke(connection, [Withdrawal(subscriber_id, "", Reason.SUPPRESSED_MARKETING)], evidence.at)
    return tuple(ended)


def suppress(
    connection: Connection, subscriber_id: int, scope: SuppressionScope, reason: str, evidence: Evidence
) -> bool:
    """Mail her nothing of ``scope`` any more, subscriptions untouched (a bounce, say); False where that stood."""
    subscribers.lock(connection, subscriber_id)
    address_hash = subscribers.address_hashes(connection, [subscriber_id])[subscriber_id]
    if not suppressions.suppress(connection, address_hash, scope, reason, evidence.at):
        return False
    consents.record(connection, [evidence.of(subscriber_id, ConsentAction.SUPPRESSED, detail=f"{scope}: {reason}")])
    told = Reason.SUPPRESSED_ALL if scope is SuppressionScope.ALL else Reason.SUPPRESSED_MARKETING
    suppressions.revoke(connection, [Withdrawal(subscriber_id, "", told)], evidence.at)
    return True


def change_preferences(
    connection: Connection,
    subscriber_id: int,
    wanted: Sequence[PreferenceChange],
    evidence: Evidence,
    language: str | None = None,
    timezone: str | None = None,
) -> Saved:
    """Switch newsletters on and off and change how she gets them, in which language and on whose clock; one not named
    in ``wanted`` is not touched."""
    subscribers.lock(connection, subscriber_id)
    entries: list[Consent] = []
    withdrawals: list[Withdrawal] = []
    on, off, changed, paused, refused = [], [], [], [], []
    for change in wanted:
        newsletter = change.newsletter
        if change.on is False:
            if _end(connection, subscriber_id, newsletter, evidence.at):
                off.append(newsletter)
                entries.append(evidence.of(subscriber_id, ConsentAction.UNSUBSCRIBED, newsletter))
                withdrawals.append(Withdrawal(subscriber_id, newsletter, Reason.UNSUBSCRIBED))
            continue
        if change.on:
            renewal = _renew(connection, subscriber_id, newsletter, evidence, entries)
            if renewal is Renewal.REFUSED:
                refused.append(newsletter)
                continue
            if renewal is Renewal.DONE:
                on.append(newsletter)
        stands = subscriptions.one(connection, subscriber_id, newsletter)
        if stands is None:
            continue
        after, parts = _changed(stands, change)
        if not parts:
            continue
        subscriptions.change(connection, after, evidence.at)
        changed.append(newsletter)
        entries.append(evidence.of(subscriber_id, ConsentAction.CHANGED, newsletter, ", ".join(parts)))
        if "pause" in parts and after.paused_until is not None:
            paused.append(newsletter)
            withdrawals.append(Withdrawal(subscriber_id, newsletter, Reason.PAUSED))
    spoken = language is not None and subscribers.speak(connection, subscriber_id, language)
    if spoken:
        entries.append(evidence.of(subscriber_id, ConsentAction.CHANGED, detail="language"))
    lives = timezone is not None and subscribers.live_in(connection, subscriber_id, timezone, evidence.at)
    if lives:
        entries.append(evidence.of(subscriber_id, ConsentAction.CHANGED, detail="timezone"))
    consents.record(connection, entries)
    suppressions.revoke(connection, withdrawals, evidence.at)
    return Saved(tuple(on), tuple(off), tuple(changed), tuple(paused), tuple(refused), spoken, lives)


def erase(connection: Connection, subscriber_id: int, new_secret: bytes, evidence: Evidence) -> bool:
    """Delete what is personal about her (GDPR Art. 17) and keep a keyed hash, so that no import mails her again.

    ``new_secret`` is 32 random bytes. False where she was erased before.
    """
    subscribers.lock(connection, subscriber_id)
    subscriber = subscribers.by_id(connection, subscriber_id)
    if subscriber is None or subscriber.erased_at is not None:
        return False
    address_hash = subscribers.address_hashes(connection, [subscriber_id])[subscriber_id]
    suppressions.suppress(connection, address_hash, SuppressionScope.ALL, Reason.ERASED, evidence.at)
    subscribers.erase(connection, subscriber_id, new_secret, evidence.at)
    consents.record(connection, [Evidence(evidence.channel, evidence.at).of(subscriber_id, ConsentAction.ERASED)])
    suppressions.revoke(connection, [Withdrawal(subscriber_id, "", Reason.ERASED)], evidence.at)
    return True


async def await_wire(store: Store, subscriber_id: int, newsletter: str | None, seconds: float = WIRE_SECONDS) -> bool:
    """After a withdrawal has committed: wait until no message to her is on the wire, at most ``seconds``.

    What was claimed before the commit either leaves its row within that time or is stopped by the revocation, so the
    answer that follows is true: nothing goes to her any more. False where the time ran out. (Invariant 3)
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while await store.read_async(deliveries_of.on_the_wire, subscriber_id, newsletter):
        left = until - loop.time()
        if left <= 0:
            return False
        await asyncio.sleep(min(_LOOK_EVERY, left))
    return True


def _end(connection: Connection, subscriber_id: int, newsletter: str, at: datetime) -> bool:
    if subscriptions.unsubscribe(connection, subscriber_id, newsletter, at):
        return True
    if subscriptions.one(connection, subscriber_id, newsletter) is not None:
        return False
    unwanted = Subscription(subscriber_id, newsletter, SubscriptionState.UNSUBSCRIBED)
    subscriptions.add_many(connection, [unwanted], at)
    return True


def _renew(
    connection: Connection, subscriber_id: int, newsletter: str, evidence: Evidence, entries: list[Consent]
) -> Renewal:
    address_hash = subscribers.address_hashes(connection, [subscriber_id])[subscriber_id]
    scopes = suppressions.scopes_of(connection, [address_hash]).get(address_hash, frozenset())
    if SuppressionScope.ALL in scopes:
        return Renewal.REFUSED
    if SuppressionScope.MARKETING in scopes:
        subscriptions.unsubscribe(connection, subscriber_id, None, evidence.at)
        suppressions.lift(connection, address_hash, SuppressionScope.MARKETING)
        entries.append(evidence.of(subscriber_id, ConsentAction.LIFTED, detail=SuppressionScope.MARKETING))
    if not subscriptions.activate(connection, subscriber_id, newsletter, evidence.at):
        return Renewal.ALREADY
    entries.append(evidence.of(subscriber_id, ConsentAction.SUBSCRIBED, newsletter))
    return Renewal.DONE


def _changed(stands: Subscription, change: PreferenceChange) -> tuple[Subscription, list[str]]:
    sections = stands.sections if change.sections is None else change.sections
    mail_format = stands.format if change.format is None else change.format
    paused_until = stands.paused_until if change.pause is None else change.pause.until
    hour = stands.hour if change.hour is None else change.hour
    stream = stands.stream if change.stream is None else change.stream
    parts = [
        part
        for part, differs in (
            ("stream", stream is not stands.stream),
            ("sections", sections != stands.sections),
            ("format", mail_format is not stands.format),
            ("hour", hour != stands.hour),
            ("pause", paused_until != stands.paused_until),
        )
        if differs
    ]
    after = replace(stands, stream=stream, sections=sections, hour=hour, format=mail_format, paused_until=paused_until)
    return after, parts
