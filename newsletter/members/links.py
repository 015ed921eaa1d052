"""The links in a mail by which one reader acts for herself: made here for mails, checked here for pages.

A token is the HMAC-SHA256 of what it permits under the subscriber's own 32 random bytes, cut to 128 bits. It permits
one purpose, for one subscriber (and newsletter, or edition), and never expires: an unsubscribe link in a mail of three
years ago still works. Making one is on the path of every message, so it is one call into OpenSSL and little more.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from binascii import b2a_base64
from functools import lru_cache

from newsletter.model import Occurrence, StreamName

_TOKEN_BYTES = 16
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


# What a token permits, as it goes under the HMAC. Never to change: links already mailed hold it.
_UNSUBSCRIBE = "u"
_PREFERENCES = "p"
_BROWSER = "e"
_BY_MAIL = "m"
_CONFIRM = "c"
_SIGN_IN = "i"
_SUBSCRIBE = "s"


class Links:
    """Makes the links of one site. ``web_base`` is its public address without a trailing slash, ``mailbox`` the address
    that takes unsubscribes by mail ('' for none)."""

    __slots__ = ("_browser", "_mailbox", "_preferences", "_unsubscribe", "web_base")

    def __init__(self, web_base: str, mailbox: str = "") -> None:
        self.web_base = web_base
        self._mailbox = mailbox.rpartition("@")
        self._unsubscribe = f"{web_base}/u/"
        self._preferences = f"{web_base}/p/"
        self._browser = f"{web_base}/e/"

    def unsubscribe(self, subscriber_id: int, secret: bytes, newsletter: str) -> str:
        """Where one newsletter is unsubscribed from: a page on GET, the act on POST (RFC 8058 §3.1)."""
        token = _token(secret, _signed(_UNSUBSCRIBE, newsletter))
        return f"{self._unsubscribe}{subscriber_id}/{newsletter}/{token}"

    def unsubscribe_mailto(self, subscriber_id: int, secret: bytes, newsletter: str) -> str:
        """The same by mail (RFC 2369 §3.2, RFC 6068): whatever is sent there unsubscribes; '' where no mailbox is set.

        ``mailto:unsubscribe+7-o5z3…@news.example``: the token is in the address, which every client keeps, and says
        which newsletter of hers is meant. It is base32, for some servers change letter case.
        """
        local, _, domain = self._mailbox
        if not local:
            return ""
        return f"mailto:{local}+{subscriber_id}-{_mailed_token(secret, newsletter)}@{domain}"

    def preferences(self, subscriber_id: int, secret: bytes) -> str:
        """Where she changes what she gets."""
        return f"{self._preferences}{subscriber_id}/{_token(secret, _signed(_PREFERENCES))}"

    def subscribe(self, subscriber_id: int, secret: bytes, newsletter: str) -> str:
        """Where a member takes one more newsletter: a page on GET, the act on POST."""
        token = _token(secret, _signed(_SUBSCRIBE, newsletter))
        return f"{self.web_base}/s/{subscriber_id}/{newsletter}/{token}"

    def confirm(self, link_id: int, secret: bytes) -> str:
        """Where what somebody asked for in her name is confirmed, once; ``link_id`` is of ``mailed_links``."""
        return f"{self.web_base}/c/{link_id}/{_token(secret, _signed(_CONFIRM, str(link_id)))}"

    def sign_in(self, link_id: int, secret: bytes) -> str:
        """Where she signs in, once."""
        return f"{self.web_base}/i/{link_id}/{_token(secret, _signed(_SIGN_IN, str(link_id)))}"

    def browser(self, subscriber_id: int, secret: bytes, of: StreamName, occurrence: Occurrence) -> str:
        """Her copy of this edition as a page."""
        path, signed = _edition(of, occurrence)
        return f"{self._browser}{path}/{subscriber_id}/{_token(secret, signed)}"


def is_unsubscribe(token: str, secret: bytes, newsletter: str) -> bool:
    """Whether ``token`` permits unsubscribing the owner of ``secret`` from ``newsletter``."""
    return _matches(token, secret, _signed(_UNSUBSCRIBE, newsletter))


def is_mailed_unsubscribe(token: str, secret: bytes, newsletter: str) -> bool:
    """Whether ``token``, from the address that a mail was sent to, in any letter case, permits the same."""
    return hmac.compare_digest(_mailed_token(secret, newsletter).encode(), token.lower().encode())


def is_preferences(token: str, secret: bytes) -> bool:
    """Whether ``token`` permits changing the preferences of the owner of ``secret``."""
    return _matches(token, secret, _signed(_PREFERENCES))


def is_subscribe(token: str, secret: bytes, newsletter: str) -> bool:
    """Whether ``token`` permits subscribing the owner of ``secret`` to ``newsletter``."""
    return _matches(token, secret, _signed(_SUBSCRIBE, newsletter))


def is_confirm(token: str, secret: bytes, link_id: int) -> bool:
    """Whether ``token`` is that of the mailed link ``link_id`` to confirm, of the owner of ``secret``."""
    return _matches(token, secret, _signed(_CONFIRM, str(link_id)))


def is_sign_in(token: str, secret: bytes, link_id: int) -> bool:
    """The same of a link to sign in."""
    return _matches(token, secret, _signed(_SIGN_IN, str(link_id)))


def is_browser(token: str, secret: bytes, of: StreamName, occurrence: Occurrence) -> bool:
    """Whether ``token`` permits reading this edition as the owner of ``secret`` got it."""
    return _matches(token, secret, _edition(of, occurrence)[1])


def _matches(token: str, secret: bytes, signed: bytes) -> bool:
    # The text is compared, not the bytes it stands for: 22 characters hold 132 bits, so four would be free to alter.
    expected = _token(secret, signed)
    well_formed = _TOKEN.fullmatch(token) is not None
    return hmac.compare_digest(expected, token if well_formed else "*" * len(expected)) and well_formed


def _token(secret: bytes, signed: bytes) -> str:
    digest = hmac.digest(secret, signed, "sha256")
    return b2a_base64(digest[:_TOKEN_BYTES], newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def _mailed_token(secret: bytes, newsletter: str) -> str:
    digest = hmac.digest(secret, _signed(_BY_MAIL, newsletter), "sha256")
    return b32encode(digest[:_TOKEN_BYTES]).decode("ascii").rstrip("=").lower()


@lru_cache(1024)
def _signed(purpose: str, subject: str = "") -> bytes:
    return f"{purpose}\0{subject}".encode()


@lru_cache(1024)
def _edition(of: StreamName, occurrence: Occurrence) -> tuple[str, bytes]:
    return f"{of}/{occurrence}", _signed(_BROWSER, f"{of}@{occurrence}")
