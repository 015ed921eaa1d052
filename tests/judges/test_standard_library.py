"""Python's e-mail parser on every message that the demo delivered and ours: no defect, and the same bytes again."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage

import pytest

from tests.judges.gallery import Gallery
from tests.judges.messages import MAILS, SENT, SYSTEM_MAILS, wire

ALL = sorted({*MAILS, *SENT})


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def defects(message: EmailMessage) -> list[str]:
    """Of every part, and of every header field (they are found when it is read)."""
    found = []
    for part in message.walk():
        found += [repr(defect) for defect in part.defects]
        for name, value in part.items():
            found += [f"{name}: {defect!r}" for defect in getattr(value, "defects", ())]
        if not part.is_multipart():
            part.get_payload(decode=True)
            found += [repr(defect) for defect in part.defects]
    return found


@pytest.mark.parametrize("name", ALL)
def test_the_parser_finds_no_defect(shown: Gallery, name: str) -> None:
    message = parsed(shown.mails[name].raw)
    assert not defects(message), f"{name}: {defects(message)}"
    once = ("From", "To", "Date", "Subject", "Message-ID", "MIME-Version")
    of_lists = ("List-Id", "List-Unsubscribe")  # which a mail that somebody asked for just now is not of
    wanted = dict.fromkeys(once, 1) | dict.fromkeys(of_lists, 0 if name in SYSTEM_MAILS else 1)
    assert {field: len(message.get_all(field, [])) for field in wanted} == wanted


@pytest.mark.parametrize("name", ALL)
def test_parsing_and_writing_again_gives_the_same_message(shown: Gallery, name: str) -> None:
    first = parsed(shown.mails[name].raw)
    again = parsed(first.as_bytes())
    assert [(key, str(value)) for key, value in again.items()] == [(key, str(value)) for key, value in first.items()]
    assert [part.get_content() for part in again.walk() if not part.is_multipart()] == [
        part.get_content() for part in first.walk() if not part.is_multipart()
    ]
    # Unrefolded (RFC 5322 section 2.1.1 is kept already), even the bytes are the same.
    untouched = email.message_from_bytes(shown.mails[name].raw, policy=email.policy.SMTP.clone(refold_source="none"))
    assert untouched.as_bytes() == shown.mails[name].raw


def test_every_message_of_the_demo_is_whole(shown: Gallery) -> None:
    delivered = sorted((shown.media.parent / "mailboxes").glob("*/new/*"))
    assert len(delivered) > 15
    for path in delivered:
        found = defects(parsed(wire(path.read_bytes())))
        assert not found, f"{path.parent.parent.name}: {found}"


@pytest.mark.parametrize("name", ALL)
def test_lines_are_as_short_as_the_standard_wants(shown: Gallery, name: str) -> None:
    head, _, body = shown.mails[name].raw.partition(b"\r\n\r\n")
    assert b"\n" not in shown.mails[name].raw.replace(b"\r\n", b"")
    assert max(map(len, head.split(b"\r\n"))) <= 998, "RFC 5322 section 2.1.1"
    assert max(map(len, body.split(b"\r\n"))) <= 76, "RFC 2045 section 6.7"
