"""The lines above a story's text -> headline, standfirst, when, where, by whom, and where the text begins. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from newsletter.collect.bylines import authors_of
from newsletter.collect.captions import captions_among, is_caption, is_credit
from newsletter.collect.dump_bylines import announces_author, is_person, is_role, read_byline
from newsletter.collect.dump_headline import SECTIONS, dated, find_headline, is_members_mark, repeats
from newsletter.collect.dump_page import tells_of
from newsletter.collect.dump_paragraphs import Paragraph, ends_sentence, is_numbered, words_in
from newsletter.collect.published_line import DateLine, guessed_letters, is_date_label, places_of
from newsletter.collect.site_voice import (
    addresses_reader,
    heads_comments,
    heads_other_stories,
    is_advertisement_mark,
    is_button,
    is_label,
    is_pointer,
    is_prose,
    voice_of,
)

_BELOW = 22  # lines below it that may still be of the header
_LONGEST_LABEL = 24
_MOST_BUTTONS = 12
_FEWEST_SCRAPS, _FEW_WORDS, _SENTENCE = 2, 5, 6
_MOST_BETWEEN = 3  # narrative lines between headline and date: a standfirst, perhaps a caption
_AGENCY_LETTERS = re.compile(r"[A-Z]{2,4}")
# "This article was published more than five years ago."
_OF_AGE = re.compile(
    r"(?:this|cet|dieser|este|esta|questo|dit) (?:\w+ )?(?:article|story|post|page|artikel|beitrag|art[íi]culo|"
    r"artigo|nota|articolo)\b.{0,50}?\b(?:\d+|one|two|three|five|ten) (?:\w+ )?(?:year|month|ans?\b|mois|jahr|monat|"
    r"años?\b|anos?\b|meses|ann[io]\b|mesi|jaar)",
    re.IGNORECASE,
)
_TITLE_TAIL = re.compile(r"\s+[|–—-]\s+[^|–—]{2,40}$")


@dataclass(frozen=True, slots=True)
class Header:
    """What the lines above a story say; ``begins`` is the position of its first paragraph;
    ``guessed`` are letters of its times that might mean another zone."""

    headline: str
    begins: int
    standfirst: str = ""
    authors: tuple[str, ...] = ()
    dateline: str = ""
    section: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    members: bool = False
    guessed: str = ""
    captions: tuple[int, ...] = ()  # where they stand


@dataclass(slots=True)
class _Found:
    """What has been read of a header so far."""

    authors: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)  # those of them that nothing but their place made authors
    announced: bool = False  # a line began with "By"
    complete: bool = False  # a line named several: it named all
    maybe: list[str] = field(default_factory=list)  # names of people or places
    places: list[str] = field(default_factory=list)
    published: datetime | None = None
    updated: datetime | None = None
    members: bool = False
    section: str = ""
    guessed: str = ""
    captions: list[int] = field(default_factory=list)


def read_header(paragraphs: Sequence[Paragraph], *, zone: str, language: str = "") -> Header:
    """The header of a page's text. The first line is the headline unless it is plainly the site's, or a section's."""
    position, section = find_headline(paragraphs, zone=zone, language=language)
    headline = paragraphs[position].text
    for other in paragraphs[position + 1 : position + 6]:
        tail = _TITLE_TAIL.search(headline)
        if tail and other.text.casefold() == headline[: tail.start()].casefold():
            headline = other.text
    found = _Found(section=section, members=any(is_members_mark(one.text) for one in paragraphs[:position]))
    dates = {
        at: line
        for at in range(position + 1, min(len(paragraphs), position + 1 + _BELOW))
        if (line := dated(paragraphs[at], zone, language)) is not None
    }
    last = _last_of_header(paragraphs, position, dates)
    captions = captions_among(
        [one.text for one in paragraphs[position + 1 : position + 1 + _BELOW]], within_story=False
    )
    # A byline over the photographer's is no caption over a credit.
    captions = {at for one in captions if read_byline(paragraphs[at := one + position + 1].text, sure=False) is None}
    standfirst: list[str] = []
    at = position + 1
    while at < len(paragraphs):
        one = paragraphs[at]
        if at > last and at > position + _BELOW:
            break
        if at in dates and at > last and not dates[at].labelled:
            break  # a heading of the text: chronicles date their entries
        if at in dates:
            _take_date(found, dates[at])
            found.guessed = found.guessed or guessed_letters(one.text, zone)
        elif repeats(one.text, headline):
            pass
        elif at in captions or is_credit(one.text):
            found.captions.append(at)
        elif one.text.casefold() in SECTIONS:
            found.section = found.section or one.text
        elif (byline := read_byline(one.text, sure=_beside(at, last, dates))) is not None:
            known = any(is_person(name) and not is_role(name) for name in found.authors)
            bare = read_byline(one.text, sure=False) is None
            if (known and one.text.isupper() and _among_buttons(paragraphs, at)) or (
                bare and (found.complete or _among_scraps(paragraphs, at))
            ):
                at += 1
                continue
            if not bare and announces_author(one.text) and not found.announced:
                found.authors = [name for name in found.authors if name not in found.bare]
                found.announced = True
            found.bare.extend(byline.names if bare else ())
            found.complete = len(byline.names) > 1
            found.authors.extend(name for name in byline.names if not (known and is_role(name)))
            found.places.extend(byline.places)
        elif _is_aside(one, found) or _between_asides(paragraphs, at):
            pass
        elif at > last:
            if standfirst or not _stands_first(paragraphs, at, captions):
                if (
                    (is_prose(one.text) and not _is_scrap(paragraphs, at, last))
                    or one.verse
                    or one.bullet
                    or is_numbered(one.text)
                    or not _is_scrap(paragraphs, at, last)
                ):
                    break
            else:
                standfirst.append(one.text)
        elif is_caption(one.text):
            found.captions.append(at)
        elif tells_of(one.text, found.authors):
            pass
        elif (words_in(one.text) >= 5 and (not standfirst or words_in(one.text) > 6)) or ends_sentence(one.text):
            standfirst.append(one.text)
        at += 1
    header = Header(
        headline, at, " ".join(standfirst[:2]), section=found.section, members=found.members, guessed=found.guessed
    )
    return _completed(header, found)


def dates_joined(paragraphs: Sequence[Paragraph], zone: str, language: str) -> list[Paragraph]:
    """``paragraphs`` with a date put behind the word that stood on the line above it: "UPDATED", "Published"."""
    found: list[Paragraph] = []
    for one in paragraphs:
        label = found[-1].text if found else ""
        if 0 < len(label) <= _LONGEST_LABEL and words_in(label) <= 2 and is_date_label(label):
            line = dated(one, zone, language)
            if line is not None and not line.labelled:
                text = f"{label} {one.text}"
                found[-1] = replace(one, text=text, lines=(text,))
                continue
        found.append(one)
    return found


def _last_of_header(paragraphs: Sequence[Paragraph], headline: int, dates: dict[int, DateLine]) -> int:
    """Position of the last line that says when or by whom before the text begins; the headline's where none does."""
    last, between = headline, 0
    first: DateLine | None = None
    for at in range(headline + 1, min(len(paragraphs), headline + 1 + _BELOW)):
        text = paragraphs[at].text
        if at in dates:
            # Once there is a date, only a labelled one may follow a paragraph: live blogs date their entries.
            if first is None or dates[at].labelled or dates[at].published == first.published:
                last, first, between = at, first or dates[at], 0
            else:
                break
        elif read_byline(text, sure=False) is not None:
            last, between = at, between if first is None else 0
        elif is_prose(text) and not _is_aside(paragraphs[at], None) and not is_caption(text):
            between += 1
            if between > (_MOST_BETWEEN if first is None else 1):
                return _announced_below(paragraphs, at, last)
    return last


def _announced_below(paragraphs: Sequence[Paragraph], at: int, last: int) -> int:
    """Where a line "By …" stands soon below ``at``, under what sums the story up; ``last`` if none does."""
    for below in range(at + 1, min(len(paragraphs), at + 1 + _MOST_BETWEEN)):
        text = paragraphs[below].text
        if announces_author(text) and not ends_sentence(text) and read_byline(text, sure=False) is not None:
            return below
    return last


def _beside(at: int, last: int, dates: dict[int, DateLine]) -> bool:
    """Whether a line stands within two of a date, where a bare name is a byline."""
    return any(abs(at - one) <= 3 for one in dates if one <= last)


def _among_buttons(paragraphs: Sequence[Paragraph], at: int) -> bool:
    return any(is_button(one.text, frozenset()) for one in (*paragraphs[at - 1 : at], *paragraphs[at + 1 : at + 2]))


def _among_scraps(paragraphs: Sequence[Paragraph], at: int) -> bool:
    """Whether a line stands between single words, as the buttons of a page do: "+", "Text Size", "Small"."""
    beside = [one.text for one in (*paragraphs[at - 1 : at], *paragraphs[at + 1 : at + 2])]
    return len(beside) == 2 and all(
        words_in(text) == 1
        and not ends_sentence(text)
        and text.casefold() not in SECTIONS
        and read_byline(text, sure=False) is None
        for text in beside
    )


def _between_asides(paragraphs: Sequence[Paragraph], at: int) -> bool:
    """Whether a line that is no sentence stands between two that are the site's, as in one of its boxes."""
    if not is_label(paragraphs[at].text) or at + 1 >= len(paragraphs):
        return False
    return _is_aside(paragraphs[at - 1], None) and _is_aside(paragraphs[at + 1], None)


def _is_aside(one: Paragraph, found: _Found | None) -> bool:
    """Whether a line of the header is the site's: buttons, reading times, access marks, addresses."""
    text = one.text
    if is_members_mark(text):
        if found is not None:
            found.members = True
        return True
    none = frozenset[str]()
    if _OF_AGE.match(text) and words_in(text) <= 30:
        return True
    if is_advertisement_mark(text) or is_pointer(text) or heads_comments(text, none) or heads_other_stories(text, none):
        return True
    if is_button(text, none) or voice_of(text).strength() >= (3 if is_prose(text) else 2):
        return True
    return words_in(text) <= 8 and bool(
        re.search(r"\S+@\S+|(?:^|\s)@\w+|^\W*\d[\d,.]*\s?\w{0,12}$|\b\d+[ -]min", text, re.IGNORECASE)
    )


def _stands_first(paragraphs: Sequence[Paragraph], at: int, captions: set[int]) -> bool:
    """Whether a line below the last date or byline is a standfirst: no sentence's end, narrative after it."""
    text = paragraphs[at].text
    if (
        at + 1 >= len(paragraphs)
        or at in captions
        or paragraphs[at].verse
        or paragraphs[at].bullet
        or is_numbered(text)
    ):
        return False
    after = paragraphs[at + 1]
    long_enough = words_in(text) >= 6
    return (
        long_enough
        and not ends_sentence(text)
        and not text.endswith((":", ",", "—", "："))
        and is_prose(after.text)
        and words_in(text) <= 60
    )


def _is_scrap(paragraphs: Sequence[Paragraph], at: int, last: int) -> bool:
    """Whether a short line just below the header is left over from it: a role, a place, a caption."""
    text = paragraphs[at].text
    after = paragraphs[at + 1].text if at + 1 < len(paragraphs) else ""
    if last <= 0:
        return False
    if is_prose(text):  # what a button does: "Add articles to your list", with buttons above and below
        beside = (paragraphs[at - 1].text, after)
        few = all(is_label(one) and words_in(one) <= _FEW_WORDS for one in beside)
        return few and at - 1 > last and addresses_reader(text)
    if not is_label(text) or text.endswith("?"):
        return False
    if (at - last <= 6 and is_prose(after)) or _in_run_of_scraps(paragraphs, at, last):
        return True
    # One of several buttons: the site's own stand among them, and the story follows.
    run = [one.text for one in paragraphs[max(0, at - 4) : at]]
    for one in paragraphs[at + 1 : at + _MOST_BUTTONS]:
        if is_prose(one.text) or one.verse:
            break
        run.append(one.text)
    else:
        return False
    return words_in(text) <= 5 and any(is_button(one, frozenset()) for one in run)


def _in_run_of_scraps(paragraphs: Sequence[Paragraph], at: int, last: int) -> bool:
    """Whether several lines of a few words stand together between the header and the story's first sentence, as no
    subheading does: buttons, in whatever language."""
    captions = captions_among([one.text for one in paragraphs[at : at + _MOST_BUTTONS]], within_story=False)
    run = at - last - 1
    for ahead, one in enumerate(paragraphs[at : at + _MOST_BUTTONS]):
        if ahead in captions:
            run += 1
        elif one.verse or one.bullet or is_numbered(one.text) or any(map(str.isdigit, one.text[:2])):
            return False
        elif is_prose(one.text):
            return run >= _FEWEST_SCRAPS and words_in(one.text) >= _SENTENCE
        elif sum(any(map(str.isalnum, word)) for word in one.text.split()) > _FEW_WORDS:
            return False
        else:
            run += 1
    return False


def _take_date(found: _Found, line: DateLine) -> None:
    found.published = found.published or line.published
    found.updated = found.updated or line.updated
    for words, otherwise in ((line.names, found.maybe), (line.places, found.places)):
        for word in words:
            byline = read_byline(word, sure=False)
            if byline is None:
                otherwise.append(word)
            else:
                found.authors.extend(byline.names)
                found.places.extend(byline.places)


def _completed(header: Header, found: _Found) -> Header:
    """``header`` with names told apart from places, and times put in order."""
    authors, places = list(found.authors), list(found.places)
    authors_known = bool(authors) or any(is_person(name) for name in found.maybe)
    for name in found.maybe:
        if authors_known and _AGENCY_LETTERS.fullmatch(name):
            continue
        if (is_person(name) or _AGENCY_LETTERS.fullmatch(name)) and not authors:
            authors.append(name)
        elif not is_person(name) or name.isupper() or "/" in name:
            places.append(name)
    published, updated = found.published or found.updated, found.updated
    return replace(
        header,
        authors=authors_of(authors, ()),
        dateline=places_of(places[0]) if places else "",
        published_at=published,
        updated_at=updated,
        captions=tuple(found.captions),
    )
