"""One message as it goes over a connection: its envelope, what it needs of the relay, what may become of it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from newsletter.deliver.replies import Reply, Stage


@dataclass(frozen=True, slots=True)
class Offers:
    """What a relay offered in its last EHLO."""

    pipelining: bool = False
    smtputf8: bool = False
    eight_bit: bool = False


class Outgoing:
    """One message for one address. ``about`` is the caller's own, handed back with what became of it.

    ``message`` has CRLF line ends and no line that begins with a dot. Raises ValueError for an envelope that would not
    stay on its lines.
    """

    __slots__ = ("about", "address", "envelope_sender", "message", "plain")

    def __init__(self, about: Any, envelope_sender: str, address: str, message: bytes) -> None:
        envelope = envelope_sender + address
        if not envelope.isprintable() or "<" in envelope or ">" in envelope:
            raise ValueError(f"{address!r} or {envelope_sender!r} cannot stand in an envelope")
        self.about, self.envelope_sender, self.address = about, envelope_sender, address
        self.message = message if message.endswith(b"\r\n") else message + b"\r\n"
        self.plain = envelope.isascii() and message.isascii()

    @property
    def needs_smtputf8(self) -> bool:
        return not (self.envelope_sender + self.address).isascii()

    def lacks(self, offers: Offers) -> str:
        """The extension this message needs and a relay of these offers does not have; '' where it can be sent."""
        if self.plain:
            return ""
        if self.needs_smtputf8 and not offers.smtputf8:
            return "SMTPUTF8"  # RFC 6531 §3.2: not to be sent without it
        if not self.message.isascii() and not offers.eight_bit:
            return "8BITMIME"  # RFC 6152 §3
        return ""

    def commands(self) -> tuple[bytes, bytes]:
        """MAIL and RCPT. SMTPUTF8 (RFC 6531 §3.4) and BODY (RFC 6152 §2) only where the message needs them."""
        parameters = ""
        if not self.plain:
            parameters += " SMTPUTF8" if self.needs_smtputf8 else ""
            parameters += "" if self.message.isascii() else " BODY=8BITMIME"
        return (
            f"MAIL FROM:<{self.envelope_sender}>{parameters}\r\n".encode(),
            f"RCPT TO:<{self.address}>\r\n".encode(),
        )


class Answered(NamedTuple):
    """The relay answered: its reply, and the stage that it decided."""

    stage: Stage
    reply: Reply


@dataclass(frozen=True, slots=True)
class Withheld:
    """It must not go any more: said after the envelope was accepted; no byte of the body was written."""


@dataclass(frozen=True, slots=True)
class LostBeforeBody:
    """The connection broke before a byte of the body was written; the relay cannot have the message."""

    why: str


@dataclass(frozen=True, slots=True)
class LostInDoubt:
    """The connection broke after the body was begun and before its reply: nobody knows (RFC 5321 §4.5.3.2.6)."""

    why: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """The relay does not offer an extension that the message needs; nothing was written."""

    extension: str


Transmission = Answered | Lacking | Withheld | LostBeforeBody | LostInDoubt
