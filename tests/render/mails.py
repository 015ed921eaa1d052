"""Builders of mails for this room's tests: a site, a newsletter, an edition, its pieces, a message and its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP
from pathlib import Path
from typing import Any

from newsletter.config.models import Images, Newsletter, Site
from newsletter.model import (
    Access,
    Article,
    Edition,
    EditionSection,
    JoinedKey,
    MailFormat,
    Occurrence,
    Picture,
    RenderedKey,
    Stream,
)
from newsletter.render.document import render_pieces
from newsletter.render.joining import Variant, Variants
from newsletter.render.message import assemble, edition_heading
from newsletter.render.templates import Templates
from tests.builders import NOW, an_article

WEB = "https://mail.news.example"
UNSUBSCRIBE = f"{WEB}/unsubscribe/abc?a=1&b=2"
PLANS: Mapping[str, list[Access]] = {
    "free": [Access.FREE, Access.METERED],
    "member": [Access.FREE, Access.METERED, Access.MEMBERS],
}
SLOTS = {
    "first_name": "Asha",
    "last_name": "Rao",
    "address": "asha@reader.example",
    "preferences_url": f"{WEB}/preferences/abc",
    "subscribe_url/weekend": f"{WEB}/s/7/weekend/abc",
    "browser_url": f"{WEB}/read/abc",
}
PICTURE = Picture(
    url="https://elsewhere.example/a.jpg",
    caption="The dam at dusk",
    credit="R. Iyer",
    alt="Water over a spillway",
    media="a.jpg",
    width=1440,
    height=960,
)


def a_site(**changes: Any) -> Site:
    values = {
        "name": "The Daily Example",
        "url": "https://news.example",
        "postal_address": "1 Press Lane, Chennai 600002, India",
        "timezone": "Asia/Kolkata",
        "language": "en",
        "theme": {"accent": "#0b5394"},
    }
    return Site.model_validate(values | changes)


def a_newsletter(sections: Sequence[str] = ("National", "World"), **changes: Any) -> Newsletter:
    values = {
        "title": "The Morning Edition",
        "from": "The Daily Example <daily@news.example>",
        "schedule": {"at": "07:00"},
        "sections": [{"name": name, "cards": 2} for name in sections],
    }
    return Newsletter.model_validate(values | changes)


def an_edition(sections: Mapping[str, Sequence[int]]) -> Edition:
    pool = tuple(EditionSection(name, tuple(ids)) for name, ids in sections.items())
    return Edition("daily", Stream.EACH, Occurrence(date(2026, 11, 23), 1), "", NOW, pool)


@dataclass(frozen=True)
class Mail:
    """One assembled message with its decoded parts."""

    raw: bytes
    message: EmailMessage
    html: str
    text: str


def pieces(
    sections: Mapping[str, Sequence[int]] | None = None,
    *,
    change: Callable[[Article], Article] = lambda article: article,
    newsletter: Newsletter | None = None,
    site: Site | None = None,
    key: RenderedKey = RenderedKey("en", "free"),
    folders: Sequence[Path] = (),
    logo: Picture | None = None,
    images: Mapping[str, Images] | None = None,
    edition: Edition | None = None,
    newsletters: Mapping[str, Newsletter] | None = None,
) -> dict[str, bytes]:
    """The pieces of ``edition``, or of one of ``{section: article ids}``."""
    sections = sections if sections is not None else {"National": [1, 2, 3, 4], "World": [5, 6]}
    edition = edition or an_edition(sections)
    articles = {number: change(an_article(number, images=(PICTURE,))) for number in edition.article_ids}
    return render_pieces(
        edition,
        articles,
        newsletter or a_newsletter(tuple(sections)),
        "daily",
        site or a_site(),
        PLANS,
        key,
        WEB,
        Templates(folders),
        logo=logo,
        images=images,
        newsletters=newsletters,
    )


def variant(rendered: Mapping[str, bytes], *sections: str) -> Variant:
    """The variant of a reader of ``sections``."""
    found = Variants(rendered).variant(JoinedKey(sections))
    assert found is not None
    return found


def mail(
    of: Variant,
    *,
    slots: Mapping[str, str] = SLOTS,
    format: MailFormat = MailFormat.HTML,  # noqa: A002
    newsletter: Newsletter | None = None,
    to: str = "asha@reader.example",
    unsubscribe_url: str = UNSUBSCRIBE,
    unsubscribe_mailto: str = "",
) -> Mail:
    """One reader's message, parsed by the standard library, which must find no defect in it."""
    newsletter = newsletter or a_newsletter()
    heading = edition_heading(an_edition({}), newsletter, "daily", a_site(), date=NOW)
    raw = assemble(
        of,
        heading,
        to=to,
        message_id="<1@news.example>",
        unsubscribe_url=unsubscribe_url,
        slots=slots,
        format=format,
        unsubscribe_mailto=unsubscribe_mailto,
    ).message
    message = BytesParser(EmailMessage, policy=SMTP).parsebytes(raw)
    assert [part.defects for part in message.walk() if part.defects] == []
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert isinstance(text, EmailMessage)
    return Mail(raw, message, html.get_content() if isinstance(html, EmailMessage) else "", text.get_content())


def a_design(folder: Path, **files: str) -> Path:
    """A folder of templates with the design ``mine``: ``edition_html='…'`` becomes ``mine/edition.html``."""
    (folder / "mine").mkdir(parents=True, exist_ok=True)
    files = {"edition_html": MINIMAL, "edition_txt": "{{ place('sections') }}\n", **files}
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / "mine" / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return folder


MINIMAL = """<!DOCTYPE html>
<html lang="en"><head><title>t</title></head><body>
<table role="presentation">
{{ place('sections') }}
</table>
</body></html>
"""
