"""Header lines: refused when they could forge another, folded, encoded; read back by the standard library."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import AddressError
from newsletter.render.headers import header, mailbox_header, parse_mailbox

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=300)


def parsed(lines: bytes) -> EmailMessage:
    assert all(len(line) <= 78 for line in lines.split(b"\r\n"))
    message = BytesParser(EmailMessage, policy=SMTP).parsebytes(lines + b"\r\n")
    assert not message.defects
    return message


@pytest.mark.parametrize("forged", ["a\r\nBcc: all@x", "a\nb", "a\rb", "a\0b", "a\x1bb", "a\u2028b"])
def test_a_line_break_or_control_character_is_refused(forged: str) -> None:
    with pytest.raises(AddressError):
        header("Subject", forged)
    with pytest.raises(AddressError):
        mailbox_header("To", f"{forged} <a@b.example>")
    with pytest.raises(AddressError):
        mailbox_header("To", f"{forged}@b.example")


@given(TEXT.map(lambda text: " ".join(text.split(" "))).filter(lambda text: not text.isascii()))
def test_a_subject_outside_ascii_reads_back_as_it_was(subject: str) -> None:
    assert str(parsed(header("Subject", subject))["Subject"]) == subject


def test_a_long_ascii_subject_is_folded_and_reads_back() -> None:
    subject = "Parliament returns to a short list and a long argument " * 3
    assert str(parsed(header("Subject", subject))["Subject"]).split() == subject.split()


def test_a_subject_that_looks_encoded_is_not_decoded_by_the_reader() -> None:
    subject = "=?utf-8?q?Bcc?= is not a header"
    assert str(parsed(header("Subject", subject))["Subject"]) == subject


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("daily@news.example", "", "daily@news.example"),
        ("The Daily <daily@news.example>", "The Daily", "daily@news.example"),
        ('"Rao, Asha" <a@b.example>', "Rao, Asha", "a@b.example"),
        ("Rao, Asha <a@b.example>", "Rao, Asha", "a@b.example"),
        ("दैनिक उदाहरण <a@b.example>", "दैनिक उदाहरण", "a@b.example"),
        ("Bücher <b@bücher.example>", "Bücher", "b@xn--bcher-kva.example"),
        (f"{'Long Name ' * 12}<a@b.example>", ("Long Name " * 12).strip(), "a@b.example"),
    ],
)
def test_a_mailbox_reads_back_with_its_name_and_ascii_address(text: str, name: str, address: str) -> None:
    assert parse_mailbox(text) == (name, address)
    (read,) = parsed(mailbox_header("From", text))["From"].addresses
    assert (" ".join(read.display_name.split()), read.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b", "a b@c.example", "a@b@c.example", "a@-b.example", "ä@b.example", "a..b@c.example"]
)
def test_what_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_mailbox(text)
