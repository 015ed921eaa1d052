"""Subscribers, their subscriptions, and what the consent ledger records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from newsletter.model.mails import MailFormat
from newsletter.model.names import Stream


class SuppressionScope(StrEnum):
    """``marketing`` stops newsletters and offers; ``all`` stops every mail."""

    MARKETING = "marketing"
    ALL = "all"


class SubscriptionState(StrEnum):
    """Consent to one newsletter."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class ConsentAction(StrEnum):
    """What the consent ledger records."""

    SUBSCRIBED = "subscribed"
    CONFIRMED = "confirmed"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    LIFTED = "lifted"
    CHANGED = "changed"
    IMPORTED = "imported"
    ERASED = "erased"


class ConsentChannel(StrEnum):
    """How a consent was given or withdrawn."""

    CLI = "cli"
    IMPORT = "import"
    ONE_CLICK = "one_click"
    PAGE = "page"
    FORM = "form"
    API = "api"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person with an address. ``secret`` (32 random bytes) signs her links; never shown."""

    id: int
    address: str
    first_name: str
    last_name: str
    language: str
    timezone: str
    plan: str
    secret: bytes = field(repr=False)
    created_at: datetime
    erased_at: datetime | None = None
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Subscriber x newsletter with her preferences. ``sections`` empty means the newsletter's own, in its order."""

    subscriber_id: int
    newsletter: str
    state: SubscriptionState
    stream: Stream = Stream.EACH
    sections: tuple[str, ...] = ()
    hour: str = ""
    format: MailFormat = MailFormat.HTML
    paused_until: datetime | None = None
