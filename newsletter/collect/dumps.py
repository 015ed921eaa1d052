"""Plain-text page dumps -> articles: the text of a web page as a newsroom archives it. Pure; runs in a worker.

First the headline, then in any order standfirst, date line, byline and captions, then the text, then the rest of the
page. ``dump_paragraphs`` puts the lines together, ``dump_header`` reads what stands above the text, ``dump_body`` finds
where the text ends and what does not belong to it; a source's ``ignore`` patterns and what recurs on its other pages
(``boilerplate``) are taken out before.

Kept as the story's own: closing credits such as "(With inputs from agencies)", corrections, signatures of letters.
Captions are kept as pictures that have no address, and so are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from newsletter.collect.boilerplate import normalised
from newsletter.collect.captions import captions_among, pictures_of
from newsletter.collect.datelines import dateline_of
from newsletter.collect.dump_body import is_subheading, story_of
from newsletter.collect.dump_header import Header, dates_joined, read_header
from newsletter.collect.dump_page import repeated_boxes, repeated_labels
from newsletter.collect.dump_paragraphs import Paragraph, ends_sentence, paragraphs_of, words_in
from newsletter.collect.plain_text import one_line, paragraphs
from newsletter.collect.source_facts import SourceFacts
from newsletter.collect.teaser import teaser_of
from newsletter.errors import SourceError
from newsletter.model import Access, IncomingArticle, Picture

_MAX_BODY_TEXT = 100_000
_TAGS = re.compile(
    r"(?:(?:related )?(?:tags?|topics?)|keywords|filed under|temas|tópicos(?: relacionados)?|mots[- ]clés|"
    r"schlagw(?:ort|örter)|themen|argomenti|теги|etiketler|टैग्?स?|タグ|キーワード|الوسوم)"
    r"(?:\s?[:：|]\s?|$)",
    re.IGNORECASE,
)
_BETWEEN_TAGS = re.compile(r"\s*(?:[,،、;|•·]|\s/\s|(?<=\w)/(?=\w))\s*")
# A place in capitals with province and country behind it, which "datelines" leaves alone; the same in small letters.
_CAPITAL_PLACE = re.compile(
    r"((?:[A-Z][a-z]+ ?){1,3}, (?:[A-Z][a-z]+ ?){1,3})(?<! ) [—–] (?=[A-Z“‘])"
    r"|([A-Z][A-Z .'-]{2,40}(?:, [A-Z][\w .'-]{2,30}){1,2}) ?[—–-] "
)
_GUESSED = "{} of its time may mean several zones, none the source's: the commonest was taken (set timezone: there)"


def read_dump(
    text: str,
    facts: SourceFacts,
    *,
    name: str,
    repeated: frozenset[str] = frozenset(),
) -> IncomingArticle:
    """The article of a page's text; ``name`` (its file's) is its guid.

    ``repeated`` comes from ``repeated_paragraphs``. Raises SourceError where it has no headline.
    """
    zone, language = facts.zone, facts.language
    whole = [one for one in paragraphs_of(text) if not facts.ignores(one.text)]
    if not whole:
        raise SourceError("the file has no headline", where=name, remedy="Write it on the first line")
    whole = dates_joined(whole, zone, language)
    found, header, body = _parts(_of_this_page(whole, repeated), zone, language)
    if not body and repeated:  # a page on which everything recurs is a story all the same
        found, header, body = _parts(whole, zone, language)
    body_html = as_html(body)
    body_text = paragraphs(body_html)[:_MAX_BODY_TEXT]
    return IncomingArticle(
        source=facts.source,
        url="",
        guid=name,
        headline=one_line(header.headline, 300),
        standfirst=one_line(header.standfirst, 600),
        authors=header.authors,
        dateline=one_line(header.dateline or (_place_opening(body[0].text) if body else ""), 120),
        section=one_line(header.section, 80) or facts.section,
        tags=_tags(found[header.begins :]),
        language=language,
        published_at=header.published_at,
        updated_at=header.updated_at,
        images=_pictures(found, header, body),
        body_html=body_html,
        body_text=body_text,
        access=Access.MEMBERS if header.members else Access.FREE,
        warning=_GUESSED.format(header.guessed) if header.guessed else "",
        teaser=teaser_of(header.standfirst, body_text, facts.teaser_words),
    )


def _of_this_page(found: list[Paragraph], repeated: frozenset[str]) -> list[Paragraph]:
    buttons = repeated_labels(found) | repeated_boxes(found)
    return [
        one
        for number, one in enumerate(found)
        if number == 0 or (normalised(one.text) not in repeated and number not in buttons)
    ]


def _parts(found: list[Paragraph], zone: str, language: str) -> tuple[list[Paragraph], Header, list[Paragraph]]:
    """``found``, its header, and the paragraphs of its story."""
    header = read_header(found, zone=zone, language=language)
    body = story_of(
        found[header.begins :], about=(header.headline, header.standfirst), authors=header.authors, zone=zone
    )
    return found, header, body


def _pictures(found: Sequence[Paragraph], header: Header, body: Sequence[Paragraph]) -> tuple[Picture, ...]:
    """The captions above the story and within it."""
    own = {id(one) for one in body}
    end = max((at for at, one in enumerate(found) if id(one) in own), default=header.begins - 1) + 1
    texts = [one.text if not one.verse else "" for one in found[:end]]
    within = captions_among(texts[header.begins :], within_story=True)
    positions = {at + header.begins for at in within if id(found[at + header.begins]) not in own}
    return pictures_of(texts, positions | set(header.captions))


def _tags(found: Sequence[Paragraph]) -> tuple[str, ...]:
    """The tags that a page lists below its story: "Tags: rain, dams", or on the line below such a heading."""
    for position, one in enumerate(found):
        match = _TAGS.match(one.text)
        if match is None or len(one.text) > 400:
            continue
        listed = one.text[match.end() :].strip()
        if not listed and position + 1 < len(found) and len(found[position + 1].text) <= 300:
            listed = found[position + 1].text if _BETWEEN_TAGS.search(found[position + 1].text) else ""
        tags = [one_line(tag, 80) for tag in _BETWEEN_TAGS.split(listed) if tag.strip()]
        if tags and not ends_sentence(listed) and all(words_in(tag) <= 5 for tag in tags):
            return tuple(dict.fromkeys(tags))[:50]
    return ()


def _place_opening(paragraph: str) -> str:
    opening = paragraph[:200].replace("--", " — ", 1)
    match = _CAPITAL_PLACE.match(opening)
    return dateline_of(opening) or ((match[1] or match[2]) if match else "")


def as_html(body: Sequence[Paragraph]) -> str:
    """Paragraphs as HTML that needs no sanitising: lists, stanzas, subheadings."""
    parts: list[str] = []
    for position, one in enumerate(body):
        text = escape(one.text, quote=False)
        if one.bullet:
            opens = position == 0 or not body[position - 1].bullet
            closes = position + 1 == len(body) or not body[position + 1].bullet
            parts.append(f"{'<ul>' if opens else ''}<li>{text}</li>{'</ul>' if closes else ''}")
        elif one.verse:
            parts.append(f"<p>{'<br>'.join(escape(line, quote=False) for line in one.lines)}</p>")
        elif is_subheading(body, position):
            parts.append(f"<h3>{text}</h3>")
        else:
            parts.append(f"<p>{text}</p>")
    return "".join(parts)
