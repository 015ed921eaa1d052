"""The address that a mail program's unsubscribe mail was sent to -> whom it means, and which newsletter of hers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlalchemy import Connection

from newsletter.members import links
from newsletter.model import Subscriber
from newsletter.store import subscribers, subscriptions

_MAILED = re.compile(r"(?:mailto:)?[^@+]+\+([1-9][0-9]{0,18})-([a-z2-7]{26})@[^@]+", re.IGNORECASE | re.ASCII)
_LARGEST_ID = 2**63 - 1


def is_mailed(address: str) -> bool:
    """Whether ``address`` has the form of one that ``Links.unsubscribe_mailto`` makes."""
    return _MAILED.fullmatch(address) is not None


def meant(connection: Connection, address: str, newsletters: Iterable[str]) -> tuple[Subscriber, str] | None:
    """The subscriber and newsletter (one of ``newsletters``, or of those she has or had); None where we did not make
    the address, or its reader was erased."""
    found = _MAILED.fullmatch(address)
    if found is None:
        return None
    person = subscribers.by_id(connection, min(int(found[1]), _LARGEST_ID))
    if person is None or person.erased_at is not None:
        return None
    hers = (one.newsletter for one in subscriptions.of(connection, person.id))
    for newsletter in dict.fromkeys((*newsletters, *hers)):
        if links.is_mailed_unsubscribe(found[2], person.secret, newsletter):
            return person, newsletter
    return None
