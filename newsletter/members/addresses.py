"""Text somebody typed -> an address, name, attribute, language or zone that may be stored; what refuses them.

The part before the @ is stored lower-cased: RFC 5321 §2.4 lets a host tell ``Ann@`` from ``ann@``, no provider does,
and two subscribers who differ in case alone would get every mail twice. ``+tags`` are kept: they are hers.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from functools import cache
from zoneinfo import available_timezones

from newsletter.config.mailbox import checked_address
from newsletter.config.site_key import SiteKeys
from newsletter.errors import AddressError

_LONGEST_NAME = 200
_LONGEST_LOCAL_PART = 64
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def parse_address(text: str) -> str:
    """``text`` as the address we store: lower case, the domain in A-labels (RFC 5891 §4.4). No DNS is asked.

    Raises AddressError, which names the address with its control characters escaped.
    """
    typed = text.strip(" \t")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in typed):
        raise AddressError("an address is one line without control characters", where=shown(text))
    try:
        address = checked_address(typed, smtputf8=True).lower()
    except AddressError as error:
        raise AddressError(error.what, where=shown(text) or "''") from None
    if len(address.rpartition("@")[0].encode()) > _LONGEST_LOCAL_PART:
        raise AddressError(
            f"the part before the @ has more than {_LONGEST_LOCAL_PART} octets (RFC 5321 §4.5.3.1.1)",
            where=shown(text),
        )
    return address


def address_hash(address: str, site_keys: SiteKeys) -> str:
    """The parsed address as a keyed HMAC-SHA256 under the current site key, in hex."""
    return address_hashes(address, site_keys)[0]


def address_hashes(address: str, site_keys: SiteKeys) -> tuple[str, ...]:
    """The hashes under every site key, the current one first: a suppression may have been written under any."""
    return tuple(hmac.digest(key, address.encode(), "sha256").hex() for key in site_keys.derived("address"))


def parse_name(text: str) -> str:
    """A first or last name as one line of NFC text. It goes into headers (RFC 5322 §2.2). Raises AddressError."""
    name = unicodedata.normalize("NFC", text.strip(" \t\u00a0"))
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        raise AddressError("a name is one line without control characters", where=shown(text))
    if len(name) > _LONGEST_NAME:
        raise AddressError(f"a name has at most {_LONGEST_NAME} characters", where=shown(text))
    return name


def parse_attribute(text: str) -> str:
    """The value of an attribute as one line of NFC text. Raises AddressError."""
    value = unicodedata.normalize("NFC", " ".join(text.split(" ")).strip())
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise AddressError("the value of an attribute is one line without control characters", where=shown(text))
    if len(value) > _LONGEST_NAME:
        raise AddressError(f"the value of an attribute has at most {_LONGEST_NAME} characters", where=shown(text))
    return value


def parse_language(text: str) -> str:
    """'' or a language tag such as ``en`` or ``pt-BR`` (RFC 5646 §2.1). Raises AddressError."""
    if text and _LANGUAGE.fullmatch(text) is None:
        raise AddressError("a language is written like en or pt-BR", where=shown(text))
    return text


def parse_timezone(text: str) -> str:
    """'' or the name of an IANA zone. Raises AddressError."""
    if text and text not in _zones():
        raise AddressError("this is not an IANA time zone; write one like Asia/Kolkata", where=shown(text))
    return text


def shown(text: str) -> str:
    """``text`` for an error message: what cannot be printed escaped, and not endless."""
    escaped = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text[:120]
    )
    return escaped + ("…" if len(text) > 120 else "")


def masked(address: str) -> str:
    """``r…@example.com``: enough for its owner to know it, too little for anybody else."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
