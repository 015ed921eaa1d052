"""The words of docs/architecture.md as frozen types and enums. No I/O, nothing that changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple, Self

from newsletter.errors import UsageError


class Access(StrEnum):
    """What a reader needs to read an article in full."""

    FREE = "free"
    METERED = "metered"
    MEMBERS = "members"


class RevisionKind(StrEnum):
    """Why an article has a new revision."""

    FIRST = "first"
    UPDATE = "update"
    CORRECTION = "correction"
    RETRACTION = "retraction"


@dataclass(frozen=True, slots=True)
class Picture:
    """One image of an article. ``media`` is the name of our own copy under ``media/`` ('' while there is none) and
    ``small`` of the same for small places; ``width`` and ``height`` are that copy's pixels, without one what the
    source says they are (0: not known)."""

    url: str
    caption: str = ""
    credit: str = ""
    alt: str = ""
    media: str = ""
    width: int = 0
    height: int = 0
    small: str = ""


@dataclass(frozen=True, slots=True)
class IncomingArticle:
    """One article as a source gives it, before the store knows it. Times are UTC; text is already sanitised.

    ``teaser`` is what those may read who may not read the body; ``warning`` says what of it could not be as it came.
    """

    source: str
    url: str
    guid: str
    headline: str
    standfirst: str = ""
    authors: tuple[str, ...] = ()
    dateline: str = ""
    section: str = ""
    tags: tuple[str, ...] = ()
    language: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    images: tuple[Picture, ...] = ()
    body_html: str = ""
    body_text: str = ""
    access: Access = Access.FREE
    teaser: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """One stored story. ``eligible`` is False for what a source's first collection only remembered (backfill)."""

    id: int
    source: str
    url: str
    guid: str
    headline: str
    standfirst: str
    authors: tuple[str, ...]
    dateline: str
    section: str
    tags: tuple[str, ...]
    language: str
    published_at: datetime
    updated_at: datetime
    first_seen_at: datetime
    images: tuple[Picture, ...]
    body_html: str
    body_text: str
    access: Access
    revision: int = 1
    revision_kind: RevisionKind = RevisionKind.FIRST
    eligible: bool = True
    retracted_at: datetime | None = None
    teaser: str = ""
    warning: str = ""
    merged_into: int | None = None

    @property
    def words(self) -> int:
        """Number of words of the body, or of the standfirst where there is no body."""
        return len((self.body_text or self.standfirst).split())


class Stream(StrEnum):
    """A newsletter at one frequency."""

    EACH = "each"
    DAILY = "daily"
    WEEKLY = "weekly"
    BREAKING = "breaking"


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


class Role(StrEnum):
    """How a story stands in an edition."""

    LEAD = "lead"
    CARD = "card"
    BRIEF = "brief"


_OCCURRENCE = re.compile(r"(\d{4}-\d{2}-\d{2})/([1-9]\d{0,3})(?:/correction-([1-9]\d{0,3}))?")


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One turn of a stream: its local date and its ordinal on that date, written ``2026-11-01/1``.

    ``correction`` numbers, from 1, what was sent afterwards to those who have it: ``2026-11-01/1/correction-1``.
    """

    local_date: date
    ordinal: int
    correction: int = 0

    def __str__(self) -> str:
        turn = f"{self.local_date.isoformat()}/{self.ordinal}"
        return f"{turn}/correction-{self.correction}" if self.correction else turn

    @property
    def corrected(self) -> Self:
        """The turn that a correction is of; a turn's own is itself."""
        return replace(self, correction=0)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-11-01/1`` or ``2026-11-01/1/correction-1``. Raises UsageError."""
        match = _OCCURRENCE.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            return cls(date.fromisoformat(match[1]), int(match[2]), int(match[3] or 0))
        except ValueError:
            raise UsageError(
                f"'{text}' is not an occurrence", remedy="Write DATE/ORDINAL, as in 2026-11-01/1"
            ) from None


class StreamName(NamedTuple):
    """One stream of one newsletter, written ``daily``, or ``daily:weekly`` for another than each edition."""

    newsletter: str
    stream: Stream = Stream.EACH

    def __str__(self) -> str:
        return self.newsletter if self.stream is Stream.EACH else f"{self.newsletter}:{self.stream}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``daily`` or ``daily:weekly``. Raises UsageError for a stream there is not."""
        newsletter, colon, stream = text.partition(":")
        if colon and stream not in set(Stream):
            there = ", ".join(Stream)
            raise UsageError(f"'{text}' names no stream", remedy=f"After the colon stands one of {there}")
        return cls(newsletter, Stream(stream) if colon else Stream.EACH)


@dataclass(frozen=True, slots=True)
class EditionName:
    """``daily[:weekly]@2026-11-01/1[/cohort]``: an occurrence of a newsletter's stream, and with a cohort one edition
    of it."""

    newsletter: str
    occurrence: Occurrence
    cohort: str = ""
    stream: Stream = Stream.EACH

    @property
    def of(self) -> StreamName:
        """The newsletter and its stream."""
        return StreamName(self.newsletter, self.stream)

    def __str__(self) -> str:
        return f"{self.of}@{self.occurrence}" + (f"/{self.cohort}" if self.cohort else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``daily@2026-11-01/1`` or ``daily:weekly@…``, with ``/Asia/Kolkata@07:00`` or ``/correction-1`` after it
        where there is one.

        Raises UsageError.
        """
        of, at, rest = text.partition("@")
        parts = rest.split("/", 2)
        if not (of and at and len(parts) >= 2):
            raise UsageError(
                f"'{text}' is not an edition", remedy="Write NEWSLETTER@DATE/ORDINAL, as in daily@2026-11-01/1"
            )
        newsletter, stream = StreamName.parse(of)
        if len(parts) == 3 and parts[2].startswith("correction-"):
            return cls(newsletter, Occurrence.parse(rest), stream=stream)
        return cls(newsletter, Occurrence.parse("/".join(parts[:2])), parts[2] if len(parts) == 3 else "", stream)


class OccurrenceState(StrEnum):
    """Life of an occurrence; OCCURRENCE_TRANSITIONS says what may follow what."""

    PLANNED = "planned"
    COMPOSED = "composed"
    APPROVED = "approved"
    SENDING = "sending"
    SENT = "sent"
    HELD = "held"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


_S = OccurrenceState
OCCURRENCE_TRANSITIONS: Mapping[OccurrenceState, frozenset[OccurrenceState]] = {
    _S.PLANNED: frozenset({_S.COMPOSED, _S.HELD, _S.CANCELLED, _S.SKIPPED}),
    _S.COMPOSED: frozenset({_S.APPROVED, _S.HELD, _S.CANCELLED, _S.SKIPPED}),
    # Back to composed: edited after it was approved.
    _S.APPROVED: frozenset({_S.SENDING, _S.COMPOSED, _S.HELD, _S.CANCELLED, _S.SKIPPED}),
    _S.SENDING: frozenset({_S.SENT, _S.STOPPED, _S.HELD}),
    _S.SENT: frozenset({_S.SENDING}),
    _S.HELD: frozenset({_S.PLANNED, _S.COMPOSED, _S.APPROVED, _S.SENDING, _S.CANCELLED, _S.SKIPPED}),
    _S.STOPPED: frozenset({_S.SENDING, _S.CANCELLED}),
    _S.CANCELLED: frozenset(),
    _S.SKIPPED: frozenset(),
}


class DeliveryState(StrEnum):
    """Life of a delivery; DELIVERY_TRANSITIONS says what may follow what."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"


_D = DeliveryState
DELIVERY_TRANSITIONS: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    _D.QUEUED: frozenset({_D.SENDING, _D.SKIPPED}),
    _D.SENDING: frozenset({_D.QUEUED, _D.SENT, _D.FAILED}),
    _D.SENT: frozenset(),
    _D.FAILED: frozenset({_D.QUEUED}),
    _D.SKIPPED: frozenset(),
}


class Reason(StrEnum):
    """Why something was not sent, not chosen, or is where it is. '' (NONE) where the state says enough."""

    NONE = ""
    # an occurrence
    EMPTY = "empty"
    BELOW_MINIMUM = "below_minimum"
    MISSED = "missed"
    BY_HAND = "by_hand"
    TEMPLATE_ERROR = "template_error"
    GATE = "gate"
    AWAITING_APPROVAL = "awaiting_approval"
    DELIVERY_FAILING = "delivery_failing"
    SEED_FAILED = "seed_failed"
    # a delivery that was not made
    UNSUBSCRIBED = "unsubscribed"
    UNCONFIRMED = "unconfirmed"
    SUPPRESSED_MARKETING = "suppressed_marketing"
    SUPPRESSED_ALL = "suppressed_all"
    PAUSED = "paused"
    ERASED = "erased"
    PLAN_CHANGED = "plan_changed"
    STREAM_CHANGED = "stream_changed"
    PROFILE_CHANGED = "profile_changed"
    STAGING = "staging"
    NO_STORIES = "no_stories"
    ALL_HAD = "all_had"
    CANCELLED = "cancelled"
    NOT_SUBSCRIBED = "not_subscribed"
    WARM_UP = "warm_up"
    NOT_TARGETED = "not_targeted"
    # a delivery in the middle
    DEFERRED = "deferred"
    RELEASED = "released"
    DOMAIN_LIMIT = "domain_limit"
    IN_DOUBT = "in_doubt"
    CLOSED_IN_DOUBT = "closed_in_doubt"
    RESENT_IN_DOUBT = "resent_in_doubt"
    # a delivery that failed
    REFUSED_MAILBOX = "refused_mailbox"
    REFUSED_CONTENT = "refused_content"
    REFUSED_SENDER = "refused_sender"
    EXPIRED = "expired"
    UNDELIVERABLE_ADDRESS = "undeliverable_address"
    # an article in an edition's selection
    CHOSEN = "chosen"
    LEADS = "leads"
    OFFERED_AS_MISSED = "offered_as_missed"
    CARRIED_OVER = "carried_over"
    DROPPED_OVERFLOW = "dropped_overflow"
    TOO_OLD = "too_old"
    ALREADY_SENT = "already_sent"
    RESERVED_ELSEWHERE = "reserved_elsewhere"
    NO_SECTION = "no_section"
    RETRACTED = "retracted"
    NOT_YET = "not_yet"
    BACKFILL = "backfill"
    BLOCKED = "blocked"
    NEAR_DUPLICATE = "near_duplicate"
    TRIMMED = "trimmed"


# An article that is decided so is in the edition; or is used up by it, with no place in it.
IN_EDITION = frozenset({Reason.CHOSEN, Reason.LEADS, Reason.OFFERED_AS_MISSED})
USED_UP = IN_EDITION | {Reason.DROPPED_OVERFLOW}


class Gate(StrEnum):
    """What is looked at before an occurrence goes out, and can hold it. Each value is its key under ``gates:``."""

    READERS = "readers"
    LINKS = "links"
    SAME_SUBJECT = "same_subject"
    STALE_AFTER = "stale_after"
    WEB = "web"
    LEAD_PICTURE = "lead_picture"
    LINT = "lint"


@dataclass(frozen=True, slots=True)
class FailedGate:
    """A gate that speaks against an occurrence: ``what``, with its numbers, and what to do about it (``remedy``)."""

    gate: Gate
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.gate.value}: {self.what}"


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


@dataclass(frozen=True, slots=True)
class EditionSection:
    """A section of an edition's pool: its article ids, in the order they stand. ``missed``: it is what had no place
    elsewhere.

    One without a name that is not missed holds the one story that leads for every reader; ``home`` is the section that
    it comes from. ``trimmed`` is how many of its stories gave way to the newsletter's size budget.
    """

    name: str
    article_ids: tuple[int, ...]
    missed: bool = False
    home: str = ""
    trimmed: int = 0

    @property
    def leads(self) -> bool:
        """Whether this is the story that leads for every reader."""
        return not self.name and not self.missed

    @property
    def reason(self) -> Reason:
        """Why a story that stands here is in the edition."""
        if self.missed:
            return Reason.OFFERED_AS_MISSED
        return Reason.CHOSEN if self.name else Reason.LEADS

    @property
    def label(self) -> str:
        """What it is called among editors; in the mail, only a name is a heading."""
        return "you may have missed" if self.missed else self.name or "lead"


@dataclass(frozen=True, slots=True)
class Decision:
    """Why one candidate is, or is not, in an edition. ``position`` counts from 1 where it stands, 0 outside; of what
    leads, or is offered as missed, ``section`` is the one that it comes from.

    ``detail`` says more in words: the factors of its rank, which story it doubles, who pinned it.
    """

    article_id: int
    reason: Reason
    section: str = ""
    position: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """An article that an editor put into an occurrence: at ``position`` (from 1) of ``section`` ('': its own).

    ``leads``: it leads for every reader, and ``section`` is the one that it comes from. ``by`` is the editor; the same
    pin by another one is the same pin.
    """

    article_id: int
    section: str = ""
    position: int = 1
    leads: bool = False
    by: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Edits:
    """What editors changed of one occurrence: a layer over what each of its cohorts is composed of.

    ``order`` names articles of a section in the order wanted, before the others; ``headlines`` are for this mail only;
    ``subject``, ``preheader`` and ``note`` (Markdown) stand in place of the newsletter's own, None: not changed.
    """

    dropped: tuple[int, ...] = ()
    pinned: tuple[Pin, ...] = ()
    order: tuple[EditionSection, ...] = ()
    headlines: tuple[tuple[int, str], ...] = ()
    subject: str | None = None
    preheader: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """What one cohort gets in one occurrence: its pool, by section. ``due_at`` is UTC."""

    newsletter: str
    stream: Stream
    occurrence: Occurrence
    cohort: str
    due_at: datetime
    sections: tuple[EditionSection, ...]
    revision: int = 1
    edits: Edits = field(default_factory=Edits)

    @property
    def name(self) -> EditionName:
        return EditionName(self.newsletter, self.occurrence, self.cohort, self.stream)

    @property
    def article_ids(self) -> tuple[int, ...]:
        """Every article of the pool, in section order."""
        return tuple(article for section in self.sections for article in section.article_ids)


@dataclass(frozen=True, slots=True, order=True)
class RenderedKey:
    """The rendered facts: all that a template may branch on. One document is rendered per distinct value."""

    language: str
    plan: str

    def __str__(self) -> str:
        return f"{self.language}/{self.plan}"

    @classmethod
    def parse(cls, text: str) -> Self:
        language, _, plan = text.partition("/")
        return cls(language, plan)


@dataclass(frozen=True, slots=True, order=True)
class JoinedKey:
    """The joined facts: they only choose and order pieces. ``sections`` empty means the newsletter's own; ``targets``
    are those of the edition's promotions that the reader is in, by their digests; ``had`` are the ids of stories that
    she had in another newsletter that day and gets no more."""

    sections: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    had: tuple[int, ...] = ()
