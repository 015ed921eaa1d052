"""Whoever reads whatever: every assembled message is, part by part, what the standard library builds and parses."""

from __future__ import annotations

import html
import quopri
from dataclasses import replace
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.model import Access, Article, JoinedKey, MailFormat, RenderedKey
from newsletter.render.encoding import Slot, clean, is_relaxed
from newsletter.render.joining import Variant, Variants
from tests.render.mails import SLOTS, UNSUBSCRIBE, WEB, Mail, a_newsletter, mail, pieces

POOL = {"National": [1, 2, 3, 4], "World": [5, 6], "Sport & Games": [7], "संस्कृति": [8]}
NEWSLETTER = a_newsletter(
    tuple(POOL),
    preheader="{{ slot.first_name(default='Reader') }} {{ slot.last_name() }}: {{ articles[-1].headline }}",
)
_NO_CONTROLS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
LINES = (
    st.text(_NO_CONTROLS, max_size=120)
    | st.text(st.sampled_from("aZ .,\"'\\()<>@:;[]=?_é\u05d0\u0634\u202b\U0001f600ह"), max_size=200)
    | st.sampled_from(["=?utf-8?q?=41?=", "a" * 400, "ह" * 300, "a " * 300, '"', "\\", "From me", ".", "O’Brien, Zoë"])
).map(lambda text: " ".join(text.split()))
LOCAL = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\.[A-Za-z0-9_+-]{1,30})?", fullmatch=True)
DOMAIN = st.sampled_from(
    ["readers.example", "a.b-c.example", "bücher.example", "उदाहरण.example", f"{'x' * 60}.example"]
)


@settings(max_examples=120)
@given(
    sections=st.lists(st.sampled_from(list(POOL)), unique=True),
    plan=st.sampled_from(["free", "member"]),
    mail_format=st.sampled_from(MailFormat),
    first_name=LINES,
    last_name=LINES,
    subject=LINES.filter(bool),
    local=LOCAL,
    domain=DOMAIN,
)
@example(
    [], "free", MailFormat.HTML, "Reader" + " Reader" * 60, "\u202e" * 90, "\U0001f600" * 200, "a", "readers.example"
)
@example(["World"], "member", MailFormat.TEXT, '"<b>"', ".", "a" * 800, "x" * 64, "readers.example")
def test_a_message_is_what_the_standard_library_builds_and_parses(
    sections: list[str],
    plan: str,
    mail_format: MailFormat,
    first_name: str,
    last_name: str,
    subject: str,
    local: str,
    domain: str,
) -> None:
    of = replace(variant_of(plan, tuple(sections)), subject=(subject,), prepared={})
    values = {**SLOTS, "first_name": first_name, "last_name": last_name, "unsubscribe_url": UNSUBSCRIBE}
    to = f'"{first_name.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}" <{local}@{domain}>'
    received = mail(of, slots=values, format=mail_format, newsletter=NEWSLETTER, to=to)
    check_lines(received.raw)
    check_headers(received, subject, first_name, f"{local}@{domain.encode('idna').decode()}")
    built = EmailMessage(policy=SMTP)
    built.set_content(filled(of.text, values), cte="quoted-printable")
    if mail_format is MailFormat.HTML:
        built.add_alternative(filled(of.html, values, in_html=True), subtype="html", cte="quoted-printable")
    check_parts(received, BytesParser(EmailMessage, policy=SMTP).parsebytes(built.as_bytes()))


def check_lines(raw: bytes) -> None:
    """RFC 5322 section 2.1.1 and RFC 2045 section 6.7; nothing that an SMTP client would have to stuff."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()
    for line in head.split(b"\r\n"):
        assert len(line) <= 78 or (len(line) <= 998 and b" " not in line.partition(b": ")[2].strip())
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert b"\r\n." not in raw
    assert b"\r\nFrom " not in body
    assert is_relaxed(body)


def check_headers(received: Mail, subject: str, name: str, address: str) -> None:
    message = received.message
    assert message["Subject"] == subject
    (to,) = message["To"].addresses
    assert isinstance(to, Address)
    assert to.addr_spec.lower() == address.lower()
    assert to.display_name == name or phrase_of(received.raw) == name
    for field, value in message.items():
        assert not value.defects, field
        assert len(message.get_all(field, [])) == 1


def phrase_of(raw: bytes) -> str:
    """The name in To as the older parser reads it: the newer one keeps the space between encoded words in a name, which
    RFC 2047 section 6.2 tells readers to ignore (https://github.com/python/cpython/issues/92081).
    """
    field = raw.partition(b"\r\nTo: ")[2].replace(b"\r\n ", b" ").partition(b"\r\n")[0].decode()
    return str(make_header(decode_header(field.rpartition(" <")[0])))


def check_parts(received: Mail, expected: EmailMessage) -> None:
    ours, theirs = list(received.message.walk()), list(expected.walk())
    assert [part.get_content_type() for part in ours] == [part.get_content_type() for part in theirs]
    for part, same in zip(ours, theirs, strict=True):
        assert not part.defects
        if not part.is_multipart():
            assert part.get_content_charset() == same.get_content_charset() == "utf-8"
            assert part.get_content().splitlines() == same.get_content().splitlines()


def filled(chunks: tuple[bytes | Slot, ...], values: dict[str, str], *, in_html: bool = False) -> str:
    """A part as text: each chunk decoded on its own, each slot printed between."""
    text = ""
    for chunk in chunks:
        if isinstance(chunk, Slot):
            value = " ".join(clean(values.get(chunk.name) or chunk.default or "").split())
            text += html.escape(value) if in_html else value
        else:
            text += quopri.decodestring(chunk).decode()
    return text.replace("\r\n", "\n")


@cache
def variants_of(plan: str) -> Variants:
    def change(article: Article) -> Article:
        headlines = {2: "“Quoted”, बाँध के सभी फाटक खोले गए", 3: ". dots\u202b بعد أطول", 4: "From the dam & <below>"}
        access = Access.MEMBERS if article.id % 2 else Access.FREE
        return replace(article, headline=headlines.get(article.id, article.headline), access=access)

    return Variants(pieces(POOL, newsletter=NEWSLETTER, change=change, key=RenderedKey("en", plan)))


def variant_of(plan: str, sections: tuple[str, ...]) -> Variant:
    found = variants_of(plan).variant(JoinedKey(sections))
    assert found is not None
    return found


def test_the_links_of_a_message_come_out_as_they_went_in() -> None:
    long = f"{WEB}/u/" + "a1b2" * 50
    received = mail(variant_of("free", ()), newsletter=NEWSLETTER, unsubscribe_url=long)
    assert long in received.text.splitlines()
    assert f'href="{long}"' in received.html
    assert received.message["List-Unsubscribe"] == f"<{long}>"
