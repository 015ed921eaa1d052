"""The words of docs/architecture.md as frozen types and enums. No I/O, nothing that changes."""

from newsletter.model.articles import Access, Article, IncomingArticle, Picture, RevisionKind
from newsletter.model.editions import Decision, Edition, EditionSection, Edits, JoinedKey, Pin, RenderedKey, Role
from newsletter.model.mails import ROOTS, SYSTEM, Kind, MailedPurpose, MailFormat, Priority, Root, SystemMail
from newsletter.model.names import EditionName, Occurrence, Stream, StreamName
from newsletter.model.readers import (
    ConsentAction,
    ConsentChannel,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionScope,
)
from newsletter.model.states import (
    DELIVERY_TRANSITIONS,
    IN_EDITION,
    OCCURRENCE_TRANSITIONS,
    USED_UP,
    DeliveryState,
    FailedGate,
    Gate,
    OccurrenceState,
    Reason,
)

__all__ = [
    "DELIVERY_TRANSITIONS",
    "IN_EDITION",
    "OCCURRENCE_TRANSITIONS",
    "ROOTS",
    "SYSTEM",
    "USED_UP",
    "Access",
    "Article",
    "ConsentAction",
    "ConsentChannel",
    "Decision",
    "DeliveryState",
    "Edition",
    "EditionName",
    "EditionSection",
    "Edits",
    "FailedGate",
    "Gate",
    "IncomingArticle",
    "JoinedKey",
    "Kind",
    "MailFormat",
    "MailedPurpose",
    "Occurrence",
    "OccurrenceState",
    "Picture",
    "Pin",
    "Priority",
    "Reason",
    "RenderedKey",
    "RevisionKind",
    "Role",
    "Root",
    "Stream",
    "StreamName",
    "Subscriber",
    "Subscription",
    "SubscriptionState",
    "SuppressionScope",
    "SystemMail",
]
