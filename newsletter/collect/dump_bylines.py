"""A line that says by whom a story is -> names, and places that stand with them. Pure.

"By Meera Pillai in Kochi", "Anna Schmidt, Regensburg", "Staff Reporter | Siliguri", "PTI". A bare name is a byline only
where the caller says that one may stand there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from newsletter.collect.bylines import names_in_text
from newsletter.collect.dump_paragraphs import ends_sentence, words_in
from newsletter.collect.published_line import SITE_NAME
from newsletter.collect.site_voice import is_button

_LONGEST = 160
_SEVERAL = re.compile(r"\s*[|•·／]\s*|\s[-–—]\s|\s{3,}|\t")
_BYLINE = re.compile(
    r"(?:(?:written|words|reported|story|text|compiled|texte|texto|testo|report) )?(?:by|par|por|von|di|door|av|af|"
    r"przez|автор|текст|autor|autore|auteur|oleh|oleh:|yazan)"
    r"(?::\s?|\s)(?=\S)|(?:द्वारा|बक़लम|بقلم|كتب|تحریر|文|取材・文|記者|作者|撰文)\s?[:：=＝ ]?\s?(?=\S)",
    re.IGNORECASE,
)
_DESK = re.compile(
    r"(?:(?:the|our|from|a|by) )?(?:(?:\w+[ -]){0,3}(?:staff|correspondents?|reporters?|bureau|desk|editorial board|"
    r"newsroom|columnist|monitoring)\b.{0,40}"
    r"|(?:the )?(?:associated press|press trust of india|press association|agence france[- ]presse)|agencies|"
    r"agências?|agenturen|agences|redação|redacci[oó]n|redazione|redaktion|la rédaction|rédaction|"
    r"reuters|ap|afp|pti|ani|ians|uni|dpa|efe|ansa|tass|xinhua|kyodo|bloomberg|lusa|folhapress|app|pa media|belga|"
    r"ntb|tt|ritzau|"
    r".{1,20}(?:डेस्क|संवाददाता|ब्यूरो|एजेंसी)|भाषा|.{1,20}(?:特派員|編集部|支局|記者)|(?:共同|時事)(?:通信)?|"
    r".{2,12} 기자|新华社|"
    r".{0,20}(?:مراسل|وكالات|رپورٹر|ڈیسک).{0,20})",
    re.IGNORECASE,
)
_ROLE = re.compile(
    r"\b(?:staff|senior|chief|special)? ?(?:writer|correspondent|reporter|editor|columnist)s?$", re.IGNORECASE
)
_NO_FIRST_NAMES = frozenset({"the", "our", "a", "an", "from", "special", "staff", "chief", "senior", "political"})
_ASIDE = re.compile(r"\s*\([^()]{1,60}\)")
_PLACE_WORDS = frozenset({
    "new", "san", "los", "são", "saint", "port", "hong", "north", "south", "east", "west", "cape", "rio", "buenos",
    "kuala", "tel", "addis", "abu", "sri", "las", "el", "la", "le", "santa", "mexico", "fort", "mount", "lake",
    "st.", "st", "united", "navi", "panama", "guatemala", "ciudad", "belo", "porto",
})  # fmt: skip
_OF_DESK = re.compile(r"\b(?:service|news|team|unit|desk|bureau|politics|sports?)$", re.IGNORECASE)
_REPORTED_FROM = re.compile(r"(\S{2,6})(?:報導|报道|报导|電|电|特稿)")
_IN_PLACE = re.compile(r"\s+(?:in|at|à|aus|em)\s+([^\W\d_a-z][^,|]{2,40})$")

_WITHIN_NAMES = {
    "de",
    "da",
    "do",
    "dos",
    "das",
    "van",
    "von",
    "der",
    "den",
    "bin",
    "al",
    "el",
    "la",
    "le",
    "du",
    "di",
    "e",
    "y",
}


@dataclass(frozen=True, slots=True)
class Byline:
    """Who wrote a story, and the places named beside them."""

    names: tuple[str, ...]
    places: tuple[str, ...] = ()


def read_byline(text: str, *, sure: bool) -> Byline | None:
    """What a byline says, None if ``text`` is none; a bare name counts only where it is ``sure`` to stand as one."""
    if len(text) > _LONGEST or (ends_sentence(text) and words_in(text) > 4):
        return None
    names: list[str] = []
    places: list[str] = []
    for segment in _SEVERAL.split(text):
        reported = _REPORTED_FROM.fullmatch(segment.strip()) if names else None
        one = _segment(segment, sure=sure or bool(names)) if reported is None else None
        if reported is not None:
            places.append(reported[1])
        elif one is not None:
            names.extend(one.names)
            places.extend(one.places)
        elif _could_be_place(segment):
            places.append(segment)
        elif words_in(segment) > 3:
            return None
    names = [one for one in names if not is_role(one)] or names
    return Byline(tuple(names), tuple(places)) if names or (places and sure and _known_place(text)) else None


def announces_author(text: str) -> bool:
    """Whether ``text`` begins as a byline does, with "By" or its like in another language."""
    return bool(_BYLINE.match(text))


def is_role(text: str) -> bool:
    """Whether ``text`` says what somebody is, rather than who: "Political editor", "Staff Reporter"."""
    return bool(_ROLE.search(text) or _ROLE.search(text.partition(",")[0]))


def is_person(text: str) -> bool:
    """Whether ``text`` has the form of a person's name, rather than of a place's."""
    return _is_name(text) and text.split()[0].casefold() not in _PLACE_WORDS


def _segment(text: str, *, sure: bool) -> Byline | None:
    places: list[str] = []
    match = _BYLINE.match(text)
    bare = text.strip("()[]| ")
    if match is None and _DESK.fullmatch(bare) and words_in(bare) <= 8:
        desk, _, place = bare.partition(", ")
        return Byline((desk,), (place,)) if _could_be_place(place) else Byline((bare,))
    if match is None and (not sure or words_in(text) > 9 or is_button(text, frozenset())):
        return None
    if match is None and (described := _described(bare)):
        return Byline((described,))
    named = _ASIDE.sub("", text[match.end() :] if match else text)
    if (place_in := _IN_PLACE.search(named)) is not None:
        places.append(place_in[1])
        named = named[: place_in.start()]
    names: list[str] = []
    for one in names_in_text(named):
        name, comma, beside = one.partition(", ")
        if comma and _is_name(name):
            if not _ROLE.search(beside) and _could_be_place(beside):
                places.append(beside)
            one = name
        words = one.split()
        while match and len(words) > 2 and words[0].islower() and words[0] not in _WITHIN_NAMES:
            words.pop(0)  # "rural reporter Tess Calloway"
        one = " ".join(words)
        if _is_name(one) or _DESK.fullmatch(one):
            names.append(one)
        elif match is None:
            return None
    names = [one for one in names if not _ROLE.search(one)] or names
    lower = sum(1 for word in named.split() if word[:1].islower())
    if not names or lower > 4 or words_in(named) > 14:
        return None
    if match is None and not is_person(names[0]):
        return None
    return Byline(tuple(names), tuple(places))


def _described(text: str) -> str:
    """The name in "Amelia Hartwell East Anglia correspondent", where nothing parts it from what that person is."""
    words = text.split()
    name = " ".join(words[:2])
    plain = len(words) > 3 and "," not in text and words[0].casefold() not in _NO_FIRST_NAMES
    return name if plain and _ROLE.search(text) and is_person(name) and not _ROLE.search(name) else ""


def _is_name(text: str) -> bool:
    words = text.split()
    if (
        not text
        or len(words) > 5
        or any(map(SITE_NAME.fullmatch, words))
        or any(one.isdigit() or one in "+|<>#=/?!" for one in text)
    ):
        return False
    if not any(one.isupper() or one.islower() for one in text):
        return len(text) <= 30 and len(words) <= 4
    return len(words) >= 2 and all(word[:1].isupper() or word in _WITHIN_NAMES for word in words)


def _could_be_place(text: str) -> bool:
    words = text.split()
    if _OF_DESK.search(text):
        return False
    return 1 <= len(words) <= 3 and all(word[:1].isupper() for word in words) and not any(one.isdigit() for one in text)


def _known_place(text: str) -> bool:
    return text.split()[0].casefold() in _PLACE_WORDS
