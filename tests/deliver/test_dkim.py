"""DKIM signatures of ours, verified by dkimpy, which nobody here wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from newsletter.deliver.dkim import (
    DkimSigner,
    SigningKey,
    canonical_body,
    dns_record,
    load_key,
    new_key,
    pem,
    signer_for,
    zone_line,
)
from newsletter.errors import ConfigurationError
from newsletter.render.encoding import is_relaxed

NOON = 1_795_608_000


@cache
def key(kind: str, domain: str = "news.example") -> SigningKey:
    return SigningKey(domain, f"{kind}1", new_key(kind))


KEYS = (key("rsa"), key("ed25519"))
FIELDS = (
    "Date: Mon, 23 Nov 2026 07:00:00 +0530",
    "From: The Daily Example <daily@news.example>",
    "To: asha@readers.example",
    "Message-ID: <abc.daily@news.example>",
    "Subject: Dam opens its gates",
    "List-Id: <daily.news.example>",
    "List-Unsubscribe: <https://mail.news.example/u/1/daily/abc>,\r\n <mailto:off@news.example>",
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
)
BODY = "It rained.\r\n\r\nThen it stopped.\r\n"


def a_message(*, fields: Sequence[str] = FIELDS, body: str = BODY) -> bytes:
    return ("\r\n".join(fields) + "\r\n\r\n" + body).encode()


def signed(message: bytes, keys: tuple[SigningKey, ...] = KEYS, unsigned: frozenset[str] = frozenset()) -> bytes:
    return DkimSigner(keys, unsigned).sign(message, at=NOON) + message


def verdicts(message: bytes, keys: Sequence[SigningKey] = KEYS) -> list[bool]:
    """What dkimpy says of each signature, with our records in DNS."""
    records = {f"{one.selector}._domainkey.{one.domain}.": dns_record(one.private) for one in keys}

    def dns(name: bytes | str, timeout: int = 5) -> bytes:
        return records[name.decode() if isinstance(name, bytes) else name].encode()

    def verdict(index: int) -> bool:
        try:
            return bool(dkim.DKIM(message).verify(idx=index, dnsfunc=dns))
        except dkim.ValidationError:  # another body
            return False

    number = len(re.findall(rb"(?m)^DKIM-Signature:", message))
    return [verdict(index) for index in range(number)]


def test_both_signatures_of_a_message_verify() -> None:
    assert verdicts(signed(a_message())) == [True, True]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda m: m.replace(b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Two-Click"),
        lambda m: m.replace(b"/u/1/daily", b"/u/2/daily"),
        lambda m: m.replace(b"Subject: Dam opens", b"Subject: Dam shuts"),
        lambda m: m.replace(b"asha@", b"ravi@"),
        lambda m: m.replace(b"It rained.\r\n\r\n", b"It rained.\r\n"),
        lambda m: m.replace(b"It rained.", b"It  rained!"),
        lambda m: m + b"More.\r\n",
        lambda m: b"From: Someone Else <other@news.example>\r\n" + m,
        lambda m: b"Reply-To: thief@elsewhere.example\r\n" + m,
        lambda m: b"List-Unsubscribe: <https://elsewhere.example/>\r\n" + m,
        lambda m: b"Subject: You have won\r\n" + m,
        lambda m: b"Content-Type: text/html\r\n" + m,
    ],
)
def test_every_tampering_breaks_both(tamper: Callable[[bytes], bytes]) -> None:
    message = signed(a_message())
    changed = tamper(message)
    assert changed != message
    assert verdicts(changed) == [False, False]


@pytest.mark.parametrize("name", ["List-Unsubscribe", "List-Unsubscribe-Post", "From", "To", "Subject"])
def test_a_field_that_is_taken_out_breaks_both(name: str) -> None:
    message = signed(a_message())
    assert verdicts(re.sub(rb"(?m)^%s: .*\r\n(?: .*\r\n)*" % name.encode(), b"", message)) == [False, False]


def test_what_a_hop_may_change_in_the_relaxed_form_does_not_break_it() -> None:
    message = signed(a_message())
    message = message.replace(b"Subject: Dam opens its gates", b"subject:   Dam opens\r\n its gates  ")
    assert verdicts(message + b"\r\n\r\n") == [True, True]


def test_fields_that_a_relay_writes_anew_can_be_left_out() -> None:
    message = signed(a_message(), unsigned=frozenset({"date", "message-id"}))
    message = re.sub(rb"Message-ID: .*\r\n", b"Message-ID: <0100@amazonses.example>\r\n", message)
    assert verdicts(re.sub(rb"Date: .*\r\n", b"Date: Tue, 24 Nov 2026 00:00:00 +0000\r\n", message)) == [True, True]


blanks = st.sampled_from([" ", "  ", "\t", "x", "=", ".", "\r\n", "\r\n\r\n", " \r\n", "é"])


@given(st.lists(blanks).map(lambda parts: "".join(parts) + "\r\n"))
def test_any_body_has_the_canonical_form_that_dkimpy_gives_it(text: str) -> None:
    body = text.encode()
    assert canonical_body(body) == dkim.canonicalization.Relaxed.canonicalize_body(body)
    assert verdicts(signed(a_message(body=text))) == [True, True]


@given(st.lists(blanks).map(lambda parts: "".join(parts) + "\r\n"))
def test_a_body_in_canonical_form_is_signed_as_it_is(text: str) -> None:
    message = a_message(body=text)
    if is_relaxed(text.encode()):
        ed25519 = DkimSigner((key("ed25519"),))
        assert ed25519.sign_relaxed(message, at=NOON) == ed25519.sign(message, at=NOON)


def test_lines_are_folded_and_no_longer_than_seventy_eight() -> None:
    long = SigningKey("a-very-long-name-of-a-newspaper.with-a-long-domain.example", "s" * 60, KEYS[0].private)
    fields = DkimSigner((long, *KEYS)).sign(a_message(), at=NOON)
    assert all(len(line) <= 78 for line in fields.split(b"\r\n"))
    assert verdicts(fields + a_message(), (long, *KEYS)) == [True, True, True]


def test_a_domain_is_signed_by_its_own_keys_or_by_those_above_it() -> None:
    own, above = DkimSigner((KEYS[0],)), DkimSigner((KEYS[1],))
    signers = {"mail.news.example": own, "news.example": above}
    assert signer_for(signers, "mail.news.example") is own
    assert signer_for(signers, "a.mail.News.Example") is own
    assert signer_for(signers, "news.example") is above
    assert signer_for(signers, "othernews.example") is None
    assert signer_for({"example": own}, "news.example") is None, "a public suffix is nobody's"


def test_a_record_in_a_zone_file_is_cut_into_strings_that_dns_can_hold() -> None:
    line = zone_line("rsa1._domainkey.news.example", dns_record(KEYS[0].private))
    strings = re.findall(r'"([^"]*)"', line)
    assert max(map(len, strings)) <= 255
    assert "".join(strings) == dns_record(KEYS[0].private)


def test_keys_that_cannot_sign_are_refused_with_their_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("keys")
    made = {
        "curve.pem": pem(ec.generate_private_key(ec.SECP256R1())),  # type: ignore[arg-type]
        "text.pem": b"not a key",
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
        with pytest.raises(ConfigurationError, match=name):
            load_key(folder / name, domain="news.example", selector="s")
    with pytest.raises(ConfigurationError, match=r"missing\.pem.*keygen news\.example"):
        load_key(folder / "missing.pem", domain="news.example", selector="s")
    (folder / "good.pem").write_bytes(pem(KEYS[1].private))
    assert load_key(folder / "good.pem", domain="news.example", selector="s").algorithm == "ed25519-sha256"
