"""A saved e-mail (``.eml``) -> an article: what a correspondent or an agency sent in. Pure; runs in a worker.

Subject -> headline, From -> author, Date -> published_at; the text or HTML part -> body, without signature (RFC 3676
section 4.3), quoted replies and pictures. Of a message that only passes another one on, the other one is read.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr, parsedate_to_datetime

from newsletter.collect.dump_body import story_of
from newsletter.collect.dump_paragraphs import Paragraph, paragraphs_of
from newsletter.collect.dumps import as_html
from newsletter.collect.ignoring import without_ignored
from newsletter.collect.plain_text import one_line, paragraphs
from newsletter.collect.sanitising import sanitise
from newsletter.collect.source_facts import SourceFacts
from newsletter.collect.stated_times import read_time
from newsletter.collect.teaser import teaser_of
from newsletter.errors import SourceError
from newsletter.model import IncomingArticle

_FEW_WORDS = 40
_REPLY = re.compile(
    r"^\s*(?:(?:re|fwd?|aw|wg|tr|rv|enc|sv|vs|antw|ynt|回复|转发|答复)\s*(?:\[\d+\])?\s*[:：]\s*)+", re.IGNORECASE
)
_FORWARD = re.compile(r"\s*(?:fwd?|wg|tr|rv|enc|vs|i|转发)\s*[:：]", re.IGNORECASE)
_FORWARDED = re.compile(r"forward|weitergeleitet|transféré|reenviado|encaminhada|inoltrato|doorgestuurd", re.IGNORECASE)
_ATTRIBUTION = re.compile(
    r"^\s*(?:on\b.{4,200}\bwrote|am\b.{4,200}\bschrieb.{0,120}|le\b.{4,200}\ba écrit|el\b.{4,200}\bescribió|"
    r"em\b.{4,200}\bescreveu|"
    r"il\b.{4,200}\bha scritto|op\b.{4,200}\bschreef.{0,120}|.{4,120}\bпишет)\s?[:：]\s*$",
    re.IGNORECASE,
)
_OTHER_MESSAGE = re.compile(
    r"^\s*(?:[-_=]{2,}\s*(?:forwarded message|original message|weitergeleitete nachricht|ursprüngliche nachricht|"
    r"message transféré|message d'origine|"
    r"mensaje reenviado|mensaje original|mensagem encaminhada|mensagem original|messaggio inoltrato|"
    r"doorgestuurd bericht)\s*[-_=]{2,}|"
    r"begin forwarded message\s*:|_{20,})\s*$",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(r"^\s*\*?([^\W\d_][\w -]{1,16})\*?\s?:\*?\s*(.{1,400})$")
_SUBJECTS = {"subject", "betreff", "objet", "asunto", "assunto", "oggetto", "onderwerp"}
_SENDERS = {"from", "von", "de", "da", "van"}
_DATES = {"date", "sent", "datum", "gesendet", "envoyé", "fecha", "enviado", "data", "inviato", "verzonden"}
_QUOTED_PARTS = (
    "//*[contains(concat(' ', @class, ' '), ' gmail_quote ')] | //blockquote[@type='cite'] | "
    "//*[contains(@class, 'gmail_signature')] | //*[contains(@class, 'moz-signature')] | "
    "//*[contains(@class, 'moz-cite-prefix')] | //*[contains(@class, 'yahoo_quoted')] | "
    "//*[contains(@class, 'OutlookMessageHeader')] | //*[@id='divRplyFwdMsg'] |"
    " //*[@id='divRplyFwdMsg']/following-sibling::*"
)
_BLOCKS = {
    "p", "div", "ul", "ol", "li", "table", "tr", "td", "th", "tbody", "thead", "blockquote", "pre", "hr", "section",
    "article", "figure",
}  # fmt: skip
_BLOCKS |= {f"h{level}" for level in range(1, 7)}


def read_letter(
    body: bytes,
    facts: SourceFacts,
    *,
    name: str,
) -> IncomingArticle:
    """The article of an e-mail; ``name`` (its file's) is its guid. Raises SourceError if it has no subject or text."""
    message = message_from_bytes(body, policy=policy.default)
    assert isinstance(message, EmailMessage)
    subject, sender, sent = _header(message, "subject"), _header(message, "from"), _header(message, "date")
    text = _text_part(message)
    passed_on = _passed_on(text, sure=bool(_FORWARD.match(subject))) if text else None
    if not text and (within := _attached(message)) is not None:
        message, text = within, _text_part(within)
        subject, sender, sent = _header(message, "subject"), _header(message, "from"), _header(message, "date")
    if passed_on is not None:
        header, text = passed_on
        subject, sender, sent = header.get("subject", subject), header.get("from", sender), header.get("date", sent)
    headline = one_line(_REPLY.sub("", subject), 300)
    if text:
        found = [one for one in _paragraphs_written(text) if not facts.ignores(one.text)]
        body_html = as_html(story_of(found, about=(headline,), zone=facts.zone))
    else:
        body_html = without_ignored(_html_part(message), facts)
    body_text = paragraphs(body_html)[:100_000]
    if not body_text:
        raise SourceError("the message has no text", where=name, remedy="Save the whole message, not its headers alone")
    if not headline:
        raise SourceError("the message has no subject", where=name, remedy="Its subject is the article's headline")
    author = one_line(parseaddr(sender)[0], 120)
    return IncomingArticle(
        source=facts.source,
        url="",
        guid=name,
        headline=headline,
        authors=(author,) if author and "@" not in author else (),
        section=facts.section,
        language=facts.language,
        published_at=_time(sent, facts.zone),
        body_html=body_html,
        body_text=body_text,
        teaser=teaser_of("", body_text, facts.teaser_words),
    )


def _header(message: EmailMessage, name: str) -> str:
    """A header decoded (RFC 2047), '' where it is missing or cannot be read."""
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError, TypeError):  # what the standard library raises on broken headers
        return ""


def _part(message: EmailMessage, kind: str) -> str:
    """The content of the first part of ``kind`` that is no attachment, decoded as well as it can be."""
    for part in message.walk():
        if part.get_content_type() != f"text/{kind}" or part.get_content_disposition() == "attachment":
            continue
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes) or not payload.strip():
            continue
        charset = part.get_content_charset() or "utf-8"
        try:
            text = payload.decode(charset)
        except (LookupError, ValueError):  # a charset that is none, or not that of these bytes
            try:
                text = payload.decode("utf-8")
            except UnicodeDecodeError:
                text = payload.decode("cp1252", "replace")
        if str(part.get_param("format", "")).lower() == "flowed":
            text = _unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    return ""


def _text_part(message: EmailMessage) -> str:
    return _part(message, "plain")


def _attached(message: EmailMessage) -> EmailMessage | None:
    """The message that is attached to this one (message/rfc822), where there is one."""
    for part in message.walk():
        if part.get_content_type() == "message/rfc822":
            within = part.get_payload()
            if isinstance(within, list) and within and isinstance(within[0], EmailMessage):
                return within[0]
    return None


def _unflowed(text: str, *, delete_space: bool) -> str:
    """Lines that end with a space go on in the next one (RFC 3676 section 4.1)."""
    lines: list[str] = []
    open_line = False
    for raw in text.replace("\r\n", "\n").split("\n"):
        line = raw.removeprefix(" ") if not raw.startswith(">") else raw
        quoted = line.startswith(">")
        if open_line and not quoted and line != "-- ":
            lines[-1] = (lines[-1][:-1] if delete_space else lines[-1]) + line
        else:
            lines.append(line)
        open_line = line.endswith(" ") and line != "-- " and not quoted
    return "\n".join(lines)


def _paragraphs_written(text: str) -> list[Paragraph]:
    """What the sender wrote himself: up to signature or reply, quoted lines left out."""
    kept: list[str] = []
    for line in text.split("\n"):
        if line.rstrip(" ") == "--" or (_OTHER_MESSAGE.match(line) and kept):
            break
        if _ATTRIBUTION.match(line[:400]) and any(one.strip() for one in kept):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line)
    # The first line is a paragraph like the others here, so the place of a headline is filled.
    return paragraphs_of("\n".join(["-headline-", "", *kept]))[1:]


def _passed_on(text: str, *, sure: bool) -> tuple[dict[str, str], str] | None:
    """The headers and text of a forwarded message, where the sender wrote little above it.

    Some programs mark what they answer as others mark what they forward; then it must be ``sure`` from the subject.
    """
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if not _OTHER_MESSAGE.match(line):
            continue
        if len(" ".join(lines[:number]).split()) > _FEW_WORDS or not (sure or _FORWARDED.search(line)):
            return None
        facts: dict[str, str] = {}
        for at in range(number + 1, min(number + 14, len(lines))):
            match = _HEADER_LINE.match(lines[at])
            if match is None:
                if facts:
                    return (facts, "\n".join(lines[at:])) if "from" in facts or "subject" in facts else None
                continue
            key = match[1].strip().casefold()
            for kind, names in (("subject", _SUBJECTS), ("from", _SENDERS), ("date", _DATES)):
                if key in names:
                    facts.setdefault(kind, match[2].strip(" *"))
        return None
    return None


def _html_part(message: EmailMessage) -> str:
    """The HTML part, sanitised, without quoted replies, signature and pictures."""
    from lxml import html

    text = _part(message, "html")
    if not text.strip():
        return ""
    try:
        tree = html.document_fromstring(text.encode("utf-8", "replace"), parser=html.HTMLParser(encoding="utf-8"))
    except (ValueError, html.etree.LxmlError):
        return ""
    quoted = tree.xpath(_QUOTED_PARTS)
    for element in [*(quoted if isinstance(quoted, list) else ()), *tree.iter("img")]:
        if element.getparent() is not None:
            element.drop_tree()
    for element in tree.iter("div", "section", "article"):
        if not any(child.tag in _BLOCKS for child in element.iterdescendants()):
            element.tag = "p"
    return sanitise(html.tostring(tree, encoding="unicode"))


def _time(text: str, zone: str) -> datetime | None:
    """A Date header in UTC; "-0000" says that the zone is not known (RFC 5322 section 3.3) and is taken as UTC."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return read_time(text, zone=zone)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
