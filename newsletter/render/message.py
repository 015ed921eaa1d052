"""A variant + one subscriber's values -> the bytes of her message, CRLF, ready for DATA.

The per-subscriber path: fills slots and joins bytes. Everything that many readers share is made once per variant and
heading. No line starts with a dot, so dot-stuffing never has anything to do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from newsletter.config.models import Newsletter, Site
from newsletter.errors import AddressError, TemplateError
from newsletter.model import Edition, Kind, MailFormat
from newsletter.render.encoding import Slot, clean, is_relaxed, slot_values
from newsletter.render.headers import header, mailbox_header, structured
from newsletter.render.joining import Variant
from newsletter.render.slots import SlotKind, kind_of
from newsletter.render.small_texts import Text

_KEPT_HEADINGS = 8
_LINE = 78  # RFC 5322 section 2.1.1
_LONGEST_LINK = 900
_ASCII_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,160}")
_UTF8_ADDRESS = re.compile(r"[^\x00-\x20\x7f-\x9f\s()<>\[\]:;@\\,\"\ud800-\udfff]{1,64}@[A-Za-z0-9.-]{1,160}")
_NO_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\s|\s$")
_URL = re.compile(r"https?://[!-;=?-~]+|mailto:[!-;=?-~]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")


@dataclass(frozen=True, slots=True, eq=False)
class Heading:
    """The header fields that all messages of an edition share. ``date`` is zone-aware; '' leaves a field out.

    What it gives is remembered under its identity: many messages should share one.
    """

    from_: str
    reply_to: str
    list_id: str
    feedback_id: str
    date: datetime
    kind: Kind = Kind.EDITION


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The message of one variant, heading and format: chunks, of which those in ``holes`` give way to her values."""

    first: bytes
    subject: bytes | None
    after: bytes
    chunks: tuple[bytes, ...]
    holes: tuple[tuple[Slot, bool, tuple[int, ...], tuple[int, ...]], ...]
    """Each slot, whether it is a link, and its places among the chunks: of the text part, of the HTML part."""
    relaxed: bool


class Assembled(NamedTuple):
    """A message; ``relaxed`` says that its body is as DKIM's relaxed form has it, but for empty lines at its end."""

    message: bytes
    relaxed: bool


def edition_heading(
    edition: Edition, newsletter: Newsletter, newsletter_name: str, site: Site, *, date: datetime
) -> Heading:
    """The heading of an edition: one List-Id per newsletter (RFC 2919 section 3), under the publisher's own domain."""
    host = urlsplit(str(site.url)).hostname or "localhost"
    return Heading(
        from_=newsletter.from_,
        reply_to=newsletter.reply_to or "",
        list_id=f"{newsletter_name}.{host}",
        feedback_id=f"{edition.occurrence}:{newsletter_name}:{Kind.EDITION}:{host}".replace("/", "-"),
        date=date,
    )


def assemble(
    variant: Variant,
    heading: Heading,
    *,
    to: str,
    message_id: str,
    unsubscribe_url: str,
    slots: Mapping[str, str],
    format: MailFormat,  # noqa: A002 - the word of the table's column
    unsubscribe_mailto: str = "",
    in_reply_to: str = "",
) -> Assembled:
    """One subscriber's message. ``to`` is her address, or ``Name <address>``; ``slots`` holds her values by name.

    ``unsubscribe_url`` also fills the slot of that name; ``in_reply_to`` is the Message-ID that this one follows up,
    where there is one. Raises AddressError for an address or value that no header can hold, TemplateError for a slot
    without a value.
    """
    prepared = variant.prepared.get((heading, format))
    if prepared is None:
        if len(variant.prepared) >= _KEPT_HEADINGS:
            variant.prepared.clear()
        prepared = variant.prepared[heading, format] = _prepare(variant, heading, format)
    values = {**slots, "unsubscribe_url": unsubscribe_url}
    head = [
        prepared.first,
        _to(to),
        _message_id(message_id),
        _follows_up(in_reply_to),
        prepared.subject or header("Subject", _subject(variant.subject, values)),
        _unsubscribe(unsubscribe_url, unsubscribe_mailto),
        prepared.after,
    ]
    chunks = list(prepared.chunks)
    for slot, is_link, in_text, in_html in prepared.holes:
        value = values.get(slot.name) or slot.default or ""
        text, html = slot_values(_link(slot, value) if is_link else _line(slot, value))
        for index in in_text:
            chunks[index] = text
        for index in in_html:
            chunks[index] = html
    return Assembled(b"".join(head + chunks), prepared.relaxed)


def _prepare(variant: Variant, heading: Heading, mail_format: MailFormat) -> _Prepared:
    first, after = _shared_fields(heading, variant.language)
    if mail_format is MailFormat.TEXT:
        after += _part_head("plain")
        chunks = list(variant.text)
    else:
        # RFC 2046 section 5.1.4: the plainest first. "=_" cannot stand in quoted-printable (RFC 2045 section 6.7).
        boundary = (
            b"=_" + hashlib.sha256(repr((variant.article_ids, heading.list_id)).encode()).hexdigest()[:24].encode()
        )
        after += b'Content-Type: multipart/alternative; boundary="%s"\r\n\r\n' % boundary
        between = b"\r\n--%s\r\n%s" % (boundary, _part_head("html"))
        last = b"\r\n--%s--\r\n" % boundary
        chunks = [b"--%s\r\n%s" % (boundary, _part_head("plain")), *variant.text, between, *variant.html, last]
    html_starts = len(variant.text) + 1
    holes: dict[Slot, tuple[list[int], list[int]]] = {}
    filled: list[bytes] = []
    for at, chunk in enumerate(chunks):
        if isinstance(chunk, Slot):
            holes.setdefault(chunk, ([], []))[at > html_starts].append(at)
            chunk = b""
        filled.append(chunk)
    places = tuple(
        (slot, kind_of(slot.name) is SlotKind.URL, tuple(in_text), tuple(in_html))
        for slot, (in_text, in_html) in holes.items()
    )
    # Looked at once: a reader's values are encoded so that they change nothing of it.
    relaxed = is_relaxed(b"".join(filled))
    return _Prepared(first, _shared_subject(variant.subject), after, tuple(filled), places, relaxed)


@lru_cache(maxsize=64)
def _shared_fields(heading: Heading, language: str) -> tuple[bytes, bytes]:
    """The fields that all messages of a heading and language have: those before To, and those after the links."""
    first = [header("Date", format_datetime(heading.date)), mailbox_header("From", heading.from_)]
    if heading.reply_to:
        first.append(mailbox_header("Reply-To", heading.reply_to))
    after = []
    if heading.list_id:
        after.append(structured("List-Id", f"<{heading.list_id.strip('<>')}>"))
    if heading.feedback_id:
        after.append(structured("Feedback-ID", heading.feedback_id))
    if heading.kind in (Kind.NOTICE, Kind.SYSTEM):
        after.append(structured("Auto-Submitted", "auto-generated"))  # RFC 3834 section 5
    if language:
        after.append(structured("Content-Language", language))
    after.append(structured("MIME-Version", "1.0"))
    return b"".join(first), b"".join(after)


@lru_cache(maxsize=256)
def _shared_subject(subject: Text) -> bytes | None:
    """The field of a subject that is the same for all its readers; None where it prints a slot."""
    if any(isinstance(part, Slot) for part in subject):
        return None
    return header("Subject", "".join(map(str, subject)))


@cache
def _part_head(subtype: str) -> bytes:
    return (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode("ascii")


def _to(to: str) -> bytes:
    if _ASCII_ADDRESS.fullmatch(to) and ".." not in to and "@-" not in to:
        return b"To: " + to.encode("ascii") + b"\r\n" if len(to) <= 74 else structured("To", to)
    if not to.isascii() and _UTF8_ADDRESS.fullmatch(to):  # RFC 6532 §3.2; the sender asks the relay for SMTPUTF8
        return b"To: " + to.encode() + b"\r\n"
    return mailbox_header("To", to)


def _message_id(message_id: str) -> bytes:
    written = message_id if message_id.startswith("<") else f"<{message_id}>"
    if not _MESSAGE_ID.fullmatch(written):
        raise AddressError(f"{message_id!r} is not a Message-ID", remedy="Write <left@right>")
    if len(written) <= _LINE - len("Message-ID: "):
        return b"Message-ID: %s\r\n" % written.encode("ascii")
    return structured("Message-ID", written)


def _follows_up(message_id: str) -> bytes:
    """RFC 5322 section 3.6.4: a message with one parent names it in both fields."""
    if not message_id:
        return b""
    if not _MESSAGE_ID.fullmatch(message_id):
        raise AddressError(f"{message_id!r} is not a Message-ID", remedy="Write <left@right>")
    return structured("In-Reply-To", message_id) + structured("References", message_id)


def _unsubscribe(url: str, mailto: str) -> bytes:
    """RFC 8058 section 3.1: an https link that a POST can use, beside it a mailto where we read that mailbox."""
    if not url:
        return b""
    for link in filter(None, (url, mailto)):
        if not _URL.fullmatch(link):
            raise AddressError(f"{link!r} cannot be an unsubscribe link", remedy="It is made by members.links")
    if mailto or len(url) > _LONGEST_LINK:
        links = structured("List-Unsubscribe", f"<{url}>, <{mailto}>" if mailto else f"<{url}>")
    else:  # nothing to check any more, nowhere to fold
        links = b"List-Unsubscribe: <%s>\r\n" % url.encode("ascii")
    return links + b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def _subject(subject: Text, values: Mapping[str, str]) -> str:
    """Her subject. Values come as they are: a line break in one is refused by ``header``, not dropped."""
    return "".join(part if isinstance(part, str) else values.get(part.name) or part.default or "" for part in subject)


def _link(slot: Slot, value: str) -> str:
    """Her link. A missing one is an error: a mail whose links lead nowhere must not go."""
    if not _URL.fullmatch(value):
        raise TemplateError(
            f"the slot '{slot.name}' was given no usable link ({value!r})",
            where=slot.name,
            remedy="Give assemble() a value for it",
        )
    return value


def _line(slot: Slot, value: str) -> str:
    """Her value on one line, without what is not text; the slot's default where nothing is left."""
    if _NO_LINE.search(value):
        return " ".join(clean(value).split()) or slot.default or ""
    return value
