"""Signing in without a password: an address that asks -> a mail with a link that a POST spends once.

``request_sign_in`` is one act in one transaction, of the same work whether the address is known or not, so that
nobody learns from the answer, or from how long it takes, who is subscribed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from newsletter.model import MailedPurpose, RenderedKey, Subscriber, SystemMail
from newsletter.store import mailed_links, request_rates, subscribers, system_mails

SIGN_IN_WITHIN = timedelta(minutes=30)
"""So long a link to sign in works, from when it was asked for."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How often something may be asked: ``per_hour`` times under ``key``, which names nobody (a keyed hash)."""

    key: str
    per_hour: int


def request_sign_in(connection: Connection, address: str, *, limit: Limit, language: str, now: datetime) -> bool:
    """Queue a mail with a link to sign in, for whoever has this parsed ``address``; whether one was queued.

    None is where nobody has it, or where ``limit`` is used up. ``language`` is for who has not chosen one. Never tell
    the result to who asked.
    """
    allowed = request_rates.take(connection, limit.key, limit.per_hour, now)
    person = subscribers.by_address(connection, address)
    if person is None or not allowed or person.erased_at is not None:
        return False
    return send_link(connection, person, SystemMail.SIGN_IN, (), language=language, now=now)


def send_link(
    connection: Connection,
    person: Subscriber,
    mail: SystemMail,
    newsletters: tuple[str, ...],
    *,
    language: str,
    now: datetime,
) -> bool:
    """Queue ``mail``, which holds a link to sign in and names ``newsletters``."""
    until = now + SIGN_IN_WITHIN
    link = mailed_links.add(connection, MailedPurpose.SIGN_IN, person.id, newsletters, now, until)
    key = RenderedKey(person.language or language, person.plan)
    return system_mails.queue(connection, mail, str(link), person.id, key, newsletters, now=now, expires_at=until)


def sign_in(connection: Connection, link_id: int, now: datetime) -> bool:
    """Spend a link to sign in; False where that was done before, or it is too old."""
    return mailed_links.spend(connection, link_id, now)
