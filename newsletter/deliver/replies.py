"""What a relay's reply means for one delivery (RFC 5321 §4.2, enhanced codes RFC 3463 §3)."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from newsletter.model import DeliveryState, Reason

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?:\s|$)")
# RFC 3463 §3.2, §3.3 and RFC 7505 §4.2, by subject and detail: no such mailbox, or one that takes no mail.
_OF_THE_MAILBOX = frozenset({(1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 0), (2, 1)})
_OF_THE_SENDER = frozenset({(1, 7), (1, 8)})
_FULL = (2, 2)
# RFC 5321 §4.2.3: what says, without an enhanced code, that a mailbox cannot be had, is not here or has no such name.
_MAILBOX_CODES = frozenset({550, 551, 553})


class Reply(NamedTuple):
    """One complete SMTP reply: its code and its text without the codes before each line."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()

    @property
    def accepted(self) -> bool:
        return 200 <= self.code < 300

    @property
    def enhanced(self) -> tuple[int, int, int] | None:
        """The enhanced status code, as in 5.1.1, where the reply has one."""
        match = _ENHANCED.match(self.text)
        return (int(match[1]), int(match[2]), int(match[3])) if match else None


class Stage(Enum):
    """Which command a reply answers."""

    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    BODY = "the message"


def judge(stage: Stage, reply: Reply) -> tuple[DeliveryState, Reason]:
    """The state and reason that a reply to this stage gives a delivery.

    Only a refusal of the mailbox itself speaks against the address. One of the sender or the content does not, and
    neither does one that blames the relay, the way there, the protocol, policy or authentication (X.3 to X.7), wherever
    it comes.
    """
    if stage is Stage.BODY and reply.accepted:
        return DeliveryState.SENT, Reason.NONE
    # 503 (bad sequence of commands) speaks of the connection; what is no 4yz and no 5yz either, of nothing.
    if not 500 <= reply.code < 600 or reply.code == 503:
        return DeliveryState.QUEUED, Reason.DEFERRED
    blamed = None if reply.enhanced is None else reply.enhanced[1:]
    if blamed in _OF_THE_MAILBOX:
        return DeliveryState.FAILED, Reason.REFUSED_MAILBOX
    if blamed in _OF_THE_SENDER:
        return DeliveryState.FAILED, Reason.REFUSED_SENDER
    if blamed is not None and blamed[0] in {7, 6}:  # security or policy; content or media
        return DeliveryState.FAILED, Reason.REFUSED_CONTENT
    if stage is Stage.MAIL:
        return DeliveryState.FAILED, Reason.REFUSED_SENDER
    if stage is Stage.RCPT and (blamed == _FULL or (blamed is None and reply.code in _MAILBOX_CODES)):
        return DeliveryState.FAILED, Reason.REFUSED_MAILBOX
    return DeliveryState.FAILED, Reason.REFUSED_CONTENT
