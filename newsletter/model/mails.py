"""What sorts of mail there are, what each needs to be sent, and in which order they go."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class Kind(StrEnum):
    """What sort of mail a delivery is."""

    EDITION = "edition"
    ALERT = "alert"
    NOTICE = "notice"
    SYSTEM = "system"


class Root(StrEnum):
    """What a mail needs to be sent: the three kinds of consent, kept apart.

    ``system``: she asked for it just now (a confirmation, a sign-in link); nothing but an address that takes no mail
    stops it. ``service``: it belongs to what she uses (replies, saved stories, her quota); in by default.
    ``promotional``: newsletters and offers; only what she said yes to.
    """

    SYSTEM = "system"
    SERVICE = "service"
    PROMOTIONAL = "promotional"


ROOTS: Mapping[Kind, Root] = {
    Kind.EDITION: Root.PROMOTIONAL,
    Kind.ALERT: Root.PROMOTIONAL,
    Kind.NOTICE: Root.SERVICE,
    Kind.SYSTEM: Root.SYSTEM,
}
SYSTEM = "system"
"""What stands for the newsletter of a system mail in the ledger: no newsletter can be called so."""


class SystemMail(StrEnum):
    """The mails that somebody asked for just now. Each value is the name of its templates under ``system/``.

    ``already``: who asked to subscribe has all of it, and is told so, with a link to sign in.
    """

    CONFIRM = "confirm"
    SIGN_IN = "sign-in"
    WELCOME = "welcome"
    ALREADY = "already"


class MailedPurpose(StrEnum):
    """What a mailed link that can be spent once is for."""

    CONFIRM = "confirm"
    SIGN_IN = "sign-in"


class Priority(IntEnum):
    """Lower goes first. Notices and alerts overtake digests."""

    SYSTEM = 0
    NOTICE = 10
    ALERT = 20
    EDITION = 50


class MailFormat(StrEnum):
    """What a subscriber asked to receive: both parts, or plain text alone."""

    HTML = "html"
    TEXT = "text"
