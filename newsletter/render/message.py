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
from urllib.parse import urlsplit

from newsletter.config.models import Newsletter, Site
from newsletter.errors import AddressError, TemplateError
from newsletter.model import Edition, Kind, MailFormat
from newsletter.render.encoding import Slot, clean, slot_value
from newsletter.render.headers import header, mailbox_header, structured
from newsletter.render.joining import Text, Variant
from newsletter.render.slots import SLOTS, SlotKind

_KEPT_HEADINGS = 8
_ASCII_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,160}")
_NO_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\s|\s$")
_URL = re.compile(r"https?://[!-;=?-~]+|mailto:[!-;=?-~]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+@[!-;=?-~]+>")


@dataclass(frozen=True, slots=True)
class Heading:
    """The header fields that all messages of an edition share. ``date`` is zone-aware; '' leaves a field out."""

    from_: str
    reply_to: str
    list_id: str
    feedback_id: str
    date: datetime
    kind: Kind = Kind.EDITION


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The message of one variant, heading and format as alternating shared bytes and what is filled."""

    first: bytes
    subject: bytes | None
    after: bytes
    chunks: tuple[bytes, ...]
    holes: tuple[tuple[Slot, tuple[int, ...], tuple[int, ...]], ...]
    """Each slot with its places among the chunks: of the text part, of the HTML part."""


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
) -> bytes:
    """One subscriber's message. ``to`` is her address, or ``Name <address>``; ``slots`` holds her values by name.

    ``unsubscribe_url`` also fills the slot of that name. Raises AddressError for an address or value that no header
    can hold, TemplateError for a slot without a value.
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
        prepared.subject or header("Subject", _subject(variant.subject, values)),
        _unsubscribe(unsubscribe_url, unsubscribe_mailto),
        prepared.after,
    ]
    chunks = list(prepared.chunks)
    for slot, in_text, in_html in prepared.holes:
        value = _value(slot, values)
        if in_text:
            encoded = slot_value(value, in_html=False)
            for index in in_text:
                chunks[index] = encoded
        if in_html:
            encoded = slot_value(value, in_html=True)
            for index in in_html:
                chunks[index] = encoded
    return b"".join(head + chunks)


def _prepare(variant: Variant, heading: Heading, mail_format: MailFormat) -> _Prepared:
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
    if variant.language:
        after.append(structured("Content-Language", variant.language))
    after.append(structured("MIME-Version", "1.0"))
    chunks: list[bytes] = []
    holes: dict[Slot, tuple[list[int], list[int]]] = {}

    def put(part: tuple[bytes | Slot, ...], *, in_html: bool) -> None:
        for chunk in part:
            if isinstance(chunk, Slot):
                holes.setdefault(chunk, ([], []))[in_html].append(len(chunks))
                chunks.append(b"")
            else:
                chunks.append(chunk)

    if mail_format is MailFormat.TEXT:
        after.append(_part_head("plain"))
        put(variant.text, in_html=False)
    else:
        # RFC 2046 section 5.1.4: the plainest first. "=_" cannot stand in quoted-printable (RFC 2045 section 6.7).
        boundary = "=_" + hashlib.sha256(repr((variant.article_ids, heading.list_id)).encode()).hexdigest()[:24]
        after.append(b'Content-Type: multipart/alternative; boundary="%s"\r\n\r\n' % boundary.encode())
        delimiter = b"--%s\r\n" % boundary.encode()
        chunks.append(delimiter + _part_head("plain"))
        put(variant.text, in_html=False)
        chunks.append(b"\r\n" + delimiter + _part_head("html"))
        put(variant.html, in_html=True)
        chunks.append(b"\r\n--%s--\r\n" % boundary.encode())
    filled = tuple((slot, tuple(in_text), tuple(in_html)) for slot, (in_text, in_html) in holes.items())
    subject = None
    if not any(isinstance(part, Slot) for part in variant.subject):
        subject = header("Subject", "".join(str(part) for part in variant.subject))
    return _Prepared(b"".join(first), subject, b"".join(after), tuple(chunks), filled)


def _part_head(subtype: str) -> bytes:
    return (
        f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode("ascii")


def _to(to: str) -> bytes:
    if _ASCII_ADDRESS.fullmatch(to) and ".." not in to and "@-" not in to:
        return b"To: " + to.encode("ascii") + b"\r\n" if len(to) <= 74 else structured("To", to)
    return mailbox_header("To", to)


def _message_id(message_id: str) -> bytes:
    written = message_id if message_id.startswith("<") else f"<{message_id}>"
    if not _MESSAGE_ID.fullmatch(written):
        raise AddressError(f"{message_id!r} is not a Message-ID", remedy="Write <left@right>")
    return structured("Message-ID", written)


def _unsubscribe(url: str, mailto: str) -> bytes:
    """RFC 8058 section 3.1: an https link that a POST can use, beside it a mailto where we read that mailbox."""
    if not url:
        return b""
    for link in filter(None, (url, mailto)):
        if not _URL.fullmatch(link):
            raise AddressError(f"{link!r} cannot be an unsubscribe link", remedy="It is made by members.links")
    links = f"<{url}>, <{mailto}>" if mailto else f"<{url}>"
    return structured("List-Unsubscribe", links) + b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"


def _subject(subject: Text, values: Mapping[str, str]) -> str:
    """Her subject. Values come as they are: a line break in one is refused by ``header``, not dropped."""
    return "".join(part if isinstance(part, str) else values.get(part.name) or part.default or "" for part in subject)


def _value(slot: Slot, values: Mapping[str, str]) -> str:
    """Her value, else the slot's default. A missing link is an error: a mail whose links lead nowhere must not go."""
    value = values.get(slot.name) or slot.default or ""
    if SLOTS.get(slot.name) is SlotKind.URL:
        if not _URL.fullmatch(value):
            raise TemplateError(
                f"the slot '{slot.name}' was given no usable link ({value!r})",
                where=slot.name,
                remedy="Give assemble() a value for it",
            )
        return value
    if _NO_LINE.search(value):
        value = " ".join(clean(value).split()) or slot.default or ""
    return value
