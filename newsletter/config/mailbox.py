"""A ``From`` line as somebody types it -> a display name and an address that may stand in a header."""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.errors import AddressError

_MAILBOX = re.compile(r"\s*(?:(?P<name>[^<>]*?)\s*<\s*(?P<address>[^<>\s]+)\s*>|(?P<bare>[^<>\s]+))\s*")
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,."]')


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox of RFC 5322 §3.4: ``name`` as plain text ('' where there is none) and ``address``."""

    name: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Mailbox:
        """Read ``The Daily Example <daily@news.example>`` or a bare address. Raises AddressError.

        A line break anywhere is refused: it would start another header (RFC 5322 §2.2).
        """
        if any(ord(character) < 32 or ord(character) == 127 for character in text):
            raise AddressError("a mailbox must be one line without control characters")
        match = _MAILBOX.fullmatch(text)
        if match is None:
            raise AddressError("this is not one mailbox; write it like The Daily Example <daily@news.example>")
        name = match["name"] or ""
        if len(name) > 1 and name[0] == name[-1] == '"':
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        return cls(name.strip(), checked_address(match["address"] or match["bare"]))

    def __str__(self) -> str:
        """As RFC 5322 writes it, the name quoted where it has specials (§3.2.3); not encoded for the wire."""
        if not self.name:
            return self.address
        name = self.name
        if _SPECIALS.search(name):
            name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
        return f"{name} <{self.address}>"


def checked_address(text: str, *, smtputf8: bool = False) -> str:
    """``text`` as an address, its domain in lower-case ASCII. Raises AddressError.

    The part before the @ is ASCII unless ``smtputf8`` lets it be more (RFC 6531 §3.3): a reader's may be, and goes only
    through relays that offer the extension; ours may not, or every mail would need it.
    """
    from email_validator import EmailNotValidError, validate_email  # imported late: it loads the IDNA tables

    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=smtputf8)
    except EmailNotValidError as error:
        reason = str(error)
        raise AddressError(f"this is not an e-mail address: {reason[:1].lower()}{reason[1:].rstrip('.')}") from None
    return found.ascii_email or f"{found.local_part}@{found.ascii_domain}"
