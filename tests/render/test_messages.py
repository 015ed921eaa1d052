"""What a subscriber receives, part by part, as the standard library reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from newsletter.errors import AddressError, TemplateError
from newsletter.model import JoinedKey, MailFormat, RenderedKey
from newsletter.render.joining import Variants
from newsletter.render.lint import lint
from tests.render.mails import SLOTS, UNSUBSCRIBE, WEB, a_newsletter, mail, pieces, variant


def test_the_message_has_each_header_once_and_both_parts_text_first() -> None:
    message = mail(variant(pieces())).message
    expected = {
        "Date": "Mon, 23 Nov 2026 06:00:00 +0000",
        "From": "The Daily Example <daily@news.example>",
        "To": "asha@reader.example",
        "Message-ID": "<1@news.example>",
        "Subject": "Headline of story 1",
        "List-Id": "<daily.news.example>",
        "List-Unsubscribe": f"<{UNSUBSCRIBE}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Feedback-ID": "2026-11-23-1:daily:edition:news.example",
        "MIME-Version": "1.0",
    }
    for name, value in expected.items():
        assert [str(found) for found in message.get_all(name) or []] == [value]
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    for part in message.iter_parts():
        assert part["Content-Transfer-Encoding"] == "quoted-printable"
        assert part.get_content_charset() == "utf-8"


@pytest.mark.parametrize("address", ["jörg@reader.example", "पाठक@reader.example", "李+新聞@reader.example"])
def test_an_address_of_any_script_stands_in_its_header_as_it_is(address: str) -> None:
    """RFC 6532 §3.2: such a message goes only where SMTPUTF8 is offered, and there no header needs more than UTF-8."""
    received = mail(variant(pieces()), to=address)
    assert f"\r\nTo: {address}\r\n".encode() in received.raw
    assert received.raw.replace(address.encode(), b"", 1).isascii()


def test_a_reader_of_plain_text_gets_one_part() -> None:
    message = mail(variant(pieces()), format=MailFormat.TEXT).message
    assert message.get_content_type() == "text/plain"
    assert not message.is_multipart()


def test_both_parts_say_the_same() -> None:
    received = mail(variant(pieces()))
    for part in (received.html, received.text):
        for number in range(1, 7):
            assert part.count(f"Headline of story {number}") >= 1
            assert f"https://news.example/national/story-{number}" in part
        assert "You receive this because you subscribed to The Morning Edition." in part
        assert "asha@reader.example" in part
        assert "1 Press Lane, Chennai 600002, India" in part
        assert SLOTS["preferences_url"] in part
        assert SLOTS["browser_url"] in part
    assert UNSUBSCRIBE in received.text
    assert f'href="{UNSUBSCRIBE.replace("&", "&amp;")}"' in received.html


def test_the_bytes_are_ready_for_the_wire() -> None:
    raw = mail(variant(pieces(change=lambda article: replace(article, headline="." * 300)))).raw
    assert raw.isascii()
    assert raw.endswith(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r\n." not in raw
    assert max(map(len, raw.split(b"\r\n"))) <= 78


def test_equal_input_gives_equal_bytes_also_from_another_rendering() -> None:
    assert pieces() == pieces()
    assert mail(variant(pieces())).raw == mail(variant(pieces())).raw


def test_a_shipped_mail_has_no_finding() -> None:
    received = mail(variant(pieces()))
    found = lint(
        received.html,
        received.text,
        unsubscribe_url=UNSUBSCRIBE,
        postal_address="1 Press Lane, Chennai 600002, India",
    )
    assert found == []


def test_a_hostile_value_is_escaped_in_html_and_plain_in_text() -> None:
    address = '"<script>x</script>"@reader.example'
    received = mail(variant(pieces()), slots={**SLOTS, "address": address})
    assert "<script>" not in received.html
    assert "&lt;script&gt;" in received.html
    assert address in received.text


def test_a_subject_may_print_a_slot_and_its_default() -> None:
    newsletter = a_newsletter(subject="{{ slot.first_name(default='Reader') }}: {{ lead.headline }}")
    rendered = variant(pieces(newsletter=newsletter))
    assert mail(rendered).message["Subject"] == "Asha: Headline of story 1"
    assert mail(rendered, slots={**SLOTS, "first_name": ""}).message["Subject"] == "Reader: Headline of story 1"


def test_a_name_with_a_line_break_forges_no_header() -> None:
    newsletter = a_newsletter(subject="{{ slot.first_name() }}: news")
    with pytest.raises(AddressError):
        mail(variant(pieces(newsletter=newsletter)), slots={**SLOTS, "first_name": "A\r\nBcc: all@x.example"})
    with pytest.raises(AddressError):
        mail(variant(pieces()), to="A\r\nBcc: all@x.example <a@b.example>")
    with pytest.raises(AddressError):
        mail(variant(pieces()), unsubscribe_url=f"{WEB}/u>\r\nBcc: <all@x.example")


def test_a_headline_with_a_line_break_is_one_line_in_the_subject() -> None:
    received = mail(variant(pieces(change=lambda article: replace(article, headline="One\r\nBcc: all@x.example"))))
    assert received.message["Subject"] == "One Bcc: all@x.example"
    assert received.message["Bcc"] is None


def test_a_link_without_a_value_is_an_error_not_an_empty_href() -> None:
    with pytest.raises(TemplateError, match="browser_url"):
        mail(variant(pieces()), slots={**SLOTS, "browser_url": ""})


def test_a_mailto_stands_beside_the_https_link() -> None:
    message = mail(variant(pieces()), unsubscribe_mailto="mailto:u+abc@news.example").message
    assert message["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>, <mailto:u+abc@news.example>"


def test_subject_preheader_and_summary_follow_the_readers_own_stories() -> None:
    rendered = pieces({"National": [1, 2, 3, 4], "World": [5, 6]})
    whole, world = mail(variant(rendered)), mail(variant(rendered, "World"))
    assert world.message["Subject"] == "Headline of story 5"
    assert "6 stories" in whole.html
    assert "2 stories" in world.html
    assert "2 stories" in world.text
    assert '<div class="preheader"' in world.html
    assert "Headline of story 6" in world.html.partition("</div>")[0]


def test_a_small_text_is_each_readers_own_although_it_is_remembered_by_what_it_reads() -> None:
    newsletter = a_newsletter(
        ("National", "World", "Sport"),
        subject="{{ lead.headline }}, {{ story_count }} in {{ reading_minutes }} min",
    )
    rendered = pieces(
        {"National": [1, 2], "World": [3], "Sport": [4]},
        newsletter=newsletter,
        change=lambda article: replace(article, body_text="word " * 230 * article.id),
    )
    every = Variants(rendered)
    said = {}
    for sections in [("National", "World"), ("National", "Sport"), ("World", "National"), ("National",)] * 2:
        found = every.variant(JoinedKey(sections))
        assert found is not None
        said[sections] = mail(found, newsletter=newsletter).message["Subject"]
    assert said == {
        ("National", "World"): "Headline of story 1, 3 in 6 min",
        ("National", "Sport"): "Headline of story 1, 3 in 7 min",
        ("World", "National"): "Headline of story 3, 3 in 6 min",
        ("National",): "Headline of story 1, 2 in 3 min",
    }


def test_an_edition_in_hindi_says_its_words_in_hindi() -> None:
    received = mail(variant(pieces(key=RenderedKey("hi", "free"))))
    assert received.message["Content-Language"] == "hi"
    assert "सदस्यता समाप्त करें" in received.html
    assert "सदस्यता समाप्त करें" in received.text
    assert "सोमवार, 23 नवंबर 2026" in received.html


@pytest.mark.parametrize("design", ["daily", "briefing", "weekly", "alert"])
def test_when_empty_send_makes_a_mail_that_says_there_is_nothing_new(design: str) -> None:
    newsletter = a_newsletter(design=design, when_empty="send")
    received = mail(variant(pieces({"National": []}, newsletter=newsletter)), newsletter=newsletter)
    assert "There is nothing new" in received.html
    assert "There is nothing new" in received.text
    assert received.message["Subject"] == newsletter.title
