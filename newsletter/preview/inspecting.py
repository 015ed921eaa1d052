"""A message's bytes -> its headers with what is checked of them, and the tree of its MIME parts. Pure."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage, Message

_ONCE = ("From", "Date", "Message-ID", "To", "Subject")
_LINK = re.compile(r"<([^<>\s]+)>")
_ONE_CLICK = "List-Unsubscribe=One-Click"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule that the headers keep (``pass``), break (``fail``), or that cannot be decided here (``note``)."""

    state: str
    words: str
    rule: str


@dataclass(frozen=True, slots=True)
class MimePart:
    """One part of a message; ``depth`` is 0 for the whole. Sizes in bytes, as sent and decoded."""

    depth: int
    type: str
    charset: str
    encoding: str
    sent: int
    decoded: int


def check_headers(message: bytes, unsubscribe_url: str) -> tuple[Check, ...]:
    """What a mailbox provider asks of the headers. ``unsubscribe_url`` is the reader's own link, '' where the mail is
    of no list."""
    head = message.partition(b"\r\n\r\n")[0]
    parsed = _parsed(message)
    checks = tuple(_of_every_message(head, parsed))
    if not unsubscribe_url:
        return checks
    listed = _check("List-Id" in parsed, "List-Id names the newsletter", "there is none", "RFC 2919 section 3")
    return (*checks, listed, *_of_unsubscribing(parsed, unsubscribe_url))


def mime_tree(message: bytes) -> tuple[MimePart, ...]:
    """The parts in the order in which they stand, the whole first (RFC 2046 section 5.1)."""
    return tuple(_walk(_parsed(message), 0, len(message)))


def _of_every_message(head: bytes, parsed: EmailMessage) -> Iterator[Check]:
    counts: Mapping[str, int] = {name: len(parsed.get_all(name) or []) for name in _ONCE}
    odd = [f"{name} {count} times" for name, count in counts.items() if count != 1]
    yield _check(not odd, f"{', '.join(_ONCE)} stand once each", ", ".join(odd), "RFC 5322 section 3.6")
    longest = max((len(line) for line in head.split(b"\r\n")), default=0)
    yield _check(longest <= 78, "No line of the head is longer than 78", f"one has {longest}", "RFC 5322 section 2.1.1")
    yield _check(head.isascii(), "The head is ASCII; other letters stand as encoded words", "it is not", "RFC 2047")


def _of_unsubscribing(parsed: EmailMessage, unsubscribe_url: str) -> Iterator[Check]:
    links = _LINK.findall(str(parsed.get("List-Unsubscribe", "")))
    web = [link for link in links if link.startswith(("https:", "http:"))]
    secure = [link for link in web if link.startswith("https:")]
    section = "RFC 8058 section 3.1"
    if web and not secure:
        words = "The link of List-Unsubscribe is http here; mail programs ask for https: set web.url"
        yield Check("note", words, section)
    else:
        yield _check(bool(secure), "List-Unsubscribe has an https link", "it has none", section)
    posts = parsed.get_all("List-Unsubscribe-Post") or []
    good = [str(value).strip() for value in posts] == [_ONE_CLICK]
    yield _check(good, f"List-Unsubscribe-Post says {_ONE_CLICK}, once", "it does not", section)
    own = unsubscribe_url in web
    yield _check(own, "The link is this reader's own, and needs no cookie and no login", "it is not hers", section)
    if not any(link.startswith("mailto:") for link in links):
        yield Check("note", "There is no mailto beside it; Apple Mail's banner prefers one", "RFC 2369 section 2")
    yield Check(
        "note", "Both fields have to stand under the DKIM signature, which is made after this", "RFC 8058 section 4"
    )


def _check(good: bool, words: str, fault: str, rule: str) -> Check:
    return Check("pass", words, rule) if good else Check("fail", f"{words}: {fault}", rule)


def _walk(part: Message, depth: int, sent: int) -> Iterator[MimePart]:
    payload = part.get_payload(decode=True)
    decoded = len(payload) if isinstance(payload, bytes) else 0
    yield MimePart(
        depth,
        part.get_content_type(),
        str(part.get_content_charset() or ""),
        str(part.get("Content-Transfer-Encoding", "")),
        sent,
        decoded,
    )
    children: Sequence[Message] = part.get_payload() if part.is_multipart() else ()  # type: ignore[assignment]
    for child in children:
        yield from _walk(child, depth + 1, len(child.as_bytes(policy=email.policy.SMTP)))


def _parsed(message: bytes) -> EmailMessage:
    parsed = email.message_from_bytes(message, policy=email.policy.SMTP)
    assert isinstance(parsed, EmailMessage)
    return parsed
