"""A line that says when and where a story came out -> moments, places and names. Pure.

``Published - April 23, 2019 10:13 pm IST - Seoul/Moscow`` and its kin in some thirty languages, whose month and
weekday names are Babel's (CLDR). What letters such as IST mean is decided by the source's own zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from unicodedata import decimal
from zoneinfo import ZoneInfo

from newsletter.collect.stated_times import read_time

_LONGEST = 260
_LANGUAGES = (
    "en", "fr", "de", "es", "pt", "it", "nl", "sv", "da", "nb", "fi", "pl", "cs", "ru", "uk", "tr", "id", "ms",
    "ro", "hu", "el", "hi", "bn", "ta", "te", "mr", "ur", "ar", "fa", "he", "ja", "ko", "zh", "vi", "th", "sw",
)  # fmt: skip
_MONTH_FIRST = ("en-us", "en_us", "en-ph")

_UPDATED = re.compile(
    r"\b(?:updat|modif|revised|edited|mis[e]? à jour|maj\b|aktuali[sz]|geändert|stand:|actualiz|atualiz|aggiorn|"
    r"bijgewerkt|"
    r"uppdater|oppdater|opdater|güncelle|diperbarui|обновл|изменен)|अपडेट|अद्यतन|تحديث|اپ ?ڈیٹ|更新|最終更新|"
    r"수정|업데이트",
    re.IGNORECASE,
)
_PUBLISHED = re.compile(
    r"\b(?:publ|post(?:ed)?\b|issued|filed|released|first\b|created|veröffentlicht|erschienen|gepubliceerd|geplaatst|"
    r"diterbitkan|yayın|опубликован|data:|date:|dated?\b)|प्रकाशित|نشر|شائع|公開|配信|掲載|发布|發布|입력|등록|প্রকাশ",
    re.IGNORECASE,
)
# Small words that stand around a date in such lines and say nothing.
_AROUND = frozenset({
    "on", "at", "in", "the", "last", "le", "à", "a", "las", "el", "às", "as", "em", "de", "du", "del", "della",
    "il", "alle", "ore", "um", "uhr", "am", "den", "der", "vom", "kl", "klo", "kello", "op", "om", "pukul", "saat",
    "в", "la", "lúc", "heure", "hrs", "hours", "h", "date", "time", "local", "gmt", "utc", "day", "read", "min",
    "mins", "minute", "minutes", "minutos", "minuten", "lecture", "temps", "leitura", "lesezeit", "lettura",
    "leestijd", "views", "को", "पर", "बजे", "समय", "tarihinde", "tanggal", "stand", "في", "dia", "das", "vers", "o",
    "at:", "ist",
})  # fmt: skip
_WITHIN_NAMES = frozenset({
    "de", "da", "do", "dos", "das", "del", "la", "le", "van", "von", "and", "y", "e", "et", "und", "&", "of", "al",
    "bin", "el", "di", "in",
})  # fmt: skip
_READ_TIME = re.compile(
    r"\b\d{1,3}[\s-]?(?:min(?:s|ute|utes|utos|uten|uti|uut)?\b\.?|мин\w*|分钟|分)(?:[\s-]{1,2}(?:read|de lecture|"
    r"de leitura|"
    r"de lectura|lesezeit|di lettura|leestijd|okuma))?",
    re.IGNORECASE,
)
_WORD = r"[^\s\d.,;:|/()\-–—<>]{2,16}"
_DAY_FIRST = re.compile(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th|er|º|ª|°|\.)?\s{{0,2}}(?:de |d['’]|of |-)?\s?({_WORD})\.?(?:,|،| de| del|"
    rf"-)?\s{{0,2}}(\d{{4}})(?!\d)"
)
_MONTH_THEN_DAY = re.compile(rf"(?<!\w)({_WORD})\.?\s{{1,2}}(\d{{1,2}})(?:st|nd|rd|th)?,?\s{{1,2}}(\d{{4}})(?!\d)")
_YEAR_FIRST = re.compile(
    r"(?<!\d)(\d{4})(?:-|/|\. ?|\s?[年년]\s?)(\d{1,2})(?:-|/|\. ?|\s?[月월]\s?)(\d{1,2})(?:\s?[日일]|\.|(?!\d))"
)
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?!\d)")
_VIETNAMESE = re.compile(r"(?<!\d)(\d{1,2}) tháng (\d{1,2}),? (?:năm )?(\d{4})(?!\d)", re.IGNORECASE)

_CLOCK = re.compile(
    r"(?:(午前|午後|上午|下午|오전|오후)\s?)?(?<![\d:.,])([01]?\d|2[0-4])"
    r"(?:\s?(?::|\.|h|H|時|时|點|点|시)\s?([0-5]\d)(?:\s?(?:分|분))?(?::([0-5]\d)(?:[.,]\d{1,9})?)?|\s?(?:h|時|时|시|"
    r"Uhr)(?!\w)|(?=\s?[apAP]\.?[mM]\b))(?!\d)"
    r"(?:\s?([apAP])\.?\s?[mM]\b\.?|\s?(صباحا|صباحًا|مساء|مساءً|ص|م)(?!\w))?(?:\s?(?:hrs?|Uhr|uur|บาท|बजे|"
    r"น\.)(?!\w))?\.?"
)
_ZONE = re.compile(
    r"[\s,]{0,2}\(?(?:((?:UTC|GMT)?\s?[+\-−]\d{1,2}:?(?:\d{2})?(?!\d))|([A-Z]{1,5})(?!\w)(?!\s?[+]\d))\)?"
)
# What letters mean where the source's own zone does not use them.
_LETTERS: Mapping[str, str] = {
    "UT": "+00:00", "UTC": "+00:00", "GMT": "+00:00", "Z": "+00:00", "WET": "+00:00", "WEST": "+01:00", "BST": "+01:00",
    "CET": "+01:00", "CEST": "+02:00", "MEZ": "+01:00", "MESZ": "+02:00", "EET": "+02:00", "EEST": "+03:00",
    "MSK": "+03:00", "TRT": "+03:00", "WAT": "+01:00", "CAT": "+02:00", "SAST": "+02:00", "EAT": "+03:00",
    "IDT": "+03:00", "GST": "+04:00", "AFT": "+04:30", "PKT": "+05:00", "IST": "+05:30", "NPT": "+05:45",
    "MMT": "+06:30", "ICT": "+07:00", "WIB": "+07:00", "WITA": "+08:00", "SGT": "+08:00", "HKT": "+08:00",
    "MYT": "+08:00", "PHT": "+08:00", "PHST": "+08:00", "AWST": "+08:00", "WIT": "+09:00", "JST": "+09:00",
    "KST": "+09:00", "ACST": "+09:30", "AEST": "+10:00", "ACDT": "+10:30", "AEDT": "+11:00", "NZST": "+12:00",
    "NZDT": "+13:00", "NST": "-03:30", "BRT": "-03:00", "ART": "-03:00", "CLT": "-04:00", "AST": "-04:00",
    "ADT": "-03:00", "VET": "-04:00", "COT": "-05:00", "PET": "-05:00", "EST": "-05:00", "EDT": "-04:00",
    "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00",
    "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00",
}  # fmt: skip
# Of these the commonest meaning is taken where the source's zone uses none: its article says so.
_AMBIGUOUS = frozenset({"IST", "BST", "CST", "AST", "GST", "PST"})
# What Americans write all year round.
_SEASONLESS = {"ET": "America/New_York", "CT": "America/Chicago", "MT": "America/Denver", "PT": "America/Los_Angeles"}
_AGO = re.compile(
    r"\b\d{1,3}\s?(?:hours?|hrs?|minutes?|mins?|days?|weeks?|months?|years?) ago\b|\bil y a \d{1,3} \w{1,10}|"
    r"\bvor \d{1,3} "
    r"\w{1,10}$|\bhace \d{1,3} \w{1,10}|\bhá \d{1,3} \w{1,10}$|\d{1,3}\s?(?:時間|分|日|小时|小時|分钟|天)前|"
    r"\d{1,3} \S{1,8} पहले",
    re.IGNORECASE,
)
_IN_PRINT = re.compile(r"\s*(?:Published|Printed|Appeared) in (?=\S)", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*[|•·●‧]\s*|\s+[-–—/]\s*|\s*[-–—]\s+|\s{3,}|\t")
_HALVES = {"午前": "a", "上午": "a", "오전": "a", "午後": "p", "下午": "p", "오후": "p"}
_TWO_PLACES = re.compile(r"\W*[^\W\d_a-z][^\W\d_]+ / [^\W\d_a-z][^\W\d_]+\W*")
SITE_NAME = re.compile(r"[\w-]{1,30}(?:\.[a-z]{2,4}){1,2}")  # "KOMPAS.com": neither a person nor a place


@dataclass(frozen=True, slots=True)
class DateLine:
    """What such a line says. ``places`` stood after the date; ``names`` are those before or beside it, who may be
    people or places; ``labelled`` is whether a word such as "Published" made it sure."""

    published: datetime | None = None
    updated: datetime | None = None
    places: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    labelled: bool = False
    timed: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    moment: datetime | None
    timed: bool
    day: str


def is_date_label(text: str) -> bool:
    """Whether ``text`` begins with a word that announces a date: "Published", "Updated"."""
    return bool(_PUBLISHED.match(text) or _UPDATED.match(text))


def guessed_letters(text: str, zone: str) -> str:
    """Letters of a time that mean several zones, none of them ``zone``'s, so that one had to be taken; '' for none."""
    found = (match[0] for match in re.finditer(r"(?<!\w)[A-Z]{3}(?!\w)", text[:_LONGEST]))
    return next((letters for letters in found if letters in _AMBIGUOUS and letters not in _own_letters(zone)), "")


def read_date_line(line: str, zone: str, language: str = "") -> DateLine | None:
    """What ``line`` says of when and where, None if it is not such a line but prose (or anything else)."""
    if len(line) > _LONGEST or not any(character.isdecimal() for character in line):
        return None
    text = _plain_digits(line)
    if _AGO.search(text) and len(text.split()) <= 8:
        text = _AGO.sub(" ", text)  # a date may stand beside it: "23/04/2019 22h13 Atualizado há 5 anos"
        if not any(character.isdecimal() for character in text):
            return DateLine(labelled=True)
    labelled = bool(_PUBLISHED.search(text) or _UPDATED.search(text))
    found = list(_dates(text, zone, language))
    if not found:
        alone = _CLOCK.search(text)
        short = alone is not None and len(text.split()) <= 6 and _starts_with_label(text)
        return DateLine(labelled=True, timed=True) if short else None
    rest, last = [], 0
    for one in found:
        rest.append((text[last : one.start], one.start))
        last = one.end
    rest.append((text[last:], len(text)))
    timed = any(one.timed for one in found)
    unknown, places, names = 0, [], []
    for part, position in rest:
        part = _READ_TIME.sub(" ", part)
        for segment in [part] if _TWO_PLACES.fullmatch(part) else _SEPARATOR.split(part):
            left = _without_labels(segment, language)
            if not left or SITE_NAME.fullmatch(left):
                continue
            if not _is_named(left):
                unknown += len(left.split()) if left.isascii() or " " in left else len(left) // 3
            elif position > found[0].start:
                places.append(left)
            elif not _IN_PRINT.match(text):
                names.append(left)
    allowed = 3 if labelled and _starts_with_label(text) else 2 if timed else 0
    if unknown > allowed or (text.rstrip().endswith((".", "。", "।")) and not timed and unknown):
        return None
    if len(" ".join((*places, *names)).split()) > 12:
        return None
    published, updated = _assigned(text, found, zone)
    return DateLine(published, updated, tuple(places), tuple(names), labelled, timed)


def places_of(text: str) -> str:
    """A dateline as an article keeps it: ``Seoul/Moscow`` as it stands, without what surrounds it."""
    return " ".join(text.strip(" -–—|,.:()[]").split())


def _assigned(text: str, found: list[_Found], zone: str) -> tuple[datetime | None, datetime | None]:
    """Which of the dates is of publication and which of the last change, by the label before each."""
    published = updated = later = None
    last = 0
    for one in found:
        before = text[last : one.start]
        last = one.end
        changes = [match.start() for match in _UPDATED.finditer(before)]
        appears = [match.start() for match in _PUBLISHED.finditer(before)]
        if changes and max(changes) > max(appears, default=-1):
            updated = updated or one.moment
        elif published is None:
            published = one.moment
        elif one.moment != published:
            later = later or one.moment
    updated = updated or later
    if found and updated is None and (label := _UPDATED.search(text, last)):
        updated = _same_day(text, label.end(), found[-1], zone)
    if published is not None and updated is not None and updated < published and not _UPDATED.search(text):
        published, updated = updated, published
    return published, updated


def _same_day(text: str, position: int, date: _Found, zone: str) -> datetime | None:
    """The moment of "Updated 10:32 pm IST", on the day of the date before it; None where no such time follows."""
    clock = _CLOCK.search(text, position, position + 24)
    if clock is None or date.moment is None:
        return None
    named = _zone_text(_ZONE.match(text, clock.end()), zone)
    offset, place = ("", _SEASONLESS[named]) if named in _SEASONLESS else (named.replace(zone, ""), zone)
    return read_time(f"{date.day}{_iso_clock(clock)}{offset}", zone=place)


def _dates(text: str, zone: str, language: str) -> Iterator[_Found]:
    position = 0
    for _ in range(4):
        date = _next_date(text, position, language)
        if date is None:
            return
        (year, month, day), start, end = date
        clock, named, timed = "", "", False
        match = _CLOCK.search(text, end, end + 40)
        if match is not None and (match.start() > end + 14 or _UPDATED.search(text, end, match.start())):
            match = None
        if match is None:
            earlier = list(_CLOCK.finditer(text, max(position, start - 40), start))
            if earlier and len(text[earlier[-1].end() : start]) <= 26:
                match = earlier[-1]
                letters = _ZONE.match(text, match.end(), start)
                clock, timed, start = _iso_clock(match), True, match.start()
                named = _zone_text(letters, zone)
        else:
            letters = _ZONE.match(text, match.end())
            named = _zone_text(letters, zone)
            clock, timed = _iso_clock(match), True
            end = letters.end() if letters and named else match.end()
        offset, place = ("", _SEASONLESS[named]) if named in _SEASONLESS else (named.replace(zone, ""), zone)
        written = f"{year:04}-{month:02}-{day:02}"
        yield _Found(start, end, read_time(f"{written}{clock}{offset}", zone=place), timed, written)
        position = end


def _next_date(text: str, position: int, language: str) -> tuple[tuple[int, int, int], int, int] | None:
    """Year, month and day of the first date from ``position`` on, with where it stands."""
    found = []
    for pattern in (_YEAR_FIRST, _VIETNAMESE, _NUMERIC):
        if match := pattern.search(text, position):
            if pattern is _YEAR_FIRST:
                date = (int(match[1]), int(match[2]), int(match[3]))
            elif pattern is _VIETNAMESE:
                date = (int(match[3]), int(match[2]), int(match[1]))
            else:
                first, second = int(match[1]), int(match[3])
                american = match[2] == "/" and language.lower().startswith(_MONTH_FIRST)
                month_first = second > 12 or (american and first <= 12)
                date = (int(match[4]), first, second) if month_first else (int(match[4]), second, first)
            if 1900 <= date[0] <= 2200 and 1 <= date[1] <= 12 and 1 <= date[2] <= 31:
                found.append((match.start(), match.end(), date))
    for names in (_month_names((language[:2].lower(), "en")), _month_names(_LANGUAGES)):
        for pattern, day, month in ((_DAY_FIRST, 1, 2), (_MONTH_THEN_DAY, 2, 1)):
            for match in pattern.finditer(text, position):
                number = names.get(match[month].casefold())
                if number and 1 <= int(match[day]) <= 31:
                    found.append((match.start(), match.end(), (int(match[3]), number, int(match[day]))))
                    break
        if found:
            break
    if not found:
        return None
    start, end, date = min(found)
    return date, start, end


def _iso_clock(match: re.Match[str]) -> str:
    hour, minute = int(match[2]) % 24, int(match[3] or 0)
    half = (match[5] or "").lower() or _HALVES.get(match[1] or "", "")
    half = half or ("" if not match[6] else "a" if match[6].startswith("ص") else "p")
    if half and hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    return f" {hour:02}:{minute:02}:{match[4] or '00'}"


def _zone_text(match: re.Match[str] | None, zone: str) -> str:
    """What follows a clock: an offset, letters of _SEASONLESS, ``zone`` for its own letters; '' if no zone."""
    if match is None:
        return ""
    if match[1]:
        sign, hours, minutes = re.findall(r"[+\-−]|\d{1,2}", match[1] + ":00")[:3]
        return f"{'+' if sign == '+' else '-'}{int(hours):02}:{minutes}"
    letters = match[2]
    if letters in _own_letters(zone):
        return zone
    return letters if letters in _SEASONLESS else _LETTERS.get(letters, "")


@lru_cache(maxsize=64)
def _own_letters(zone: str) -> frozenset[str]:
    """The letters that clocks of ``zone`` go by, winter and summer."""
    try:
        place = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return frozenset({"UTC"})
    return frozenset((datetime(2026, month, 1, tzinfo=place).tzname() or "").upper() for month in (1, 7))


@lru_cache(maxsize=64)
def _month_names(languages: tuple[str, ...]) -> Mapping[str, int]:
    """Names of months, casefolded and without full stops; earlier languages win where two disagree."""
    names: dict[str, int] = {"sept": 9}
    for kind, _, number, name in _calendar(languages):
        if kind == "months":
            names.setdefault(name, number)
    return names


@lru_cache(maxsize=8)
def _day_names(languages: tuple[str, ...]) -> frozenset[str]:
    return frozenset({"tues", "thurs", "weds"} | {name for kind, _, _, name in _calendar(languages) if kind == "days"})


def _calendar(languages: tuple[str, ...]) -> Iterator[tuple[str, str, int, str]]:
    from babel import Locale, UnknownLocaleError

    for language in languages:
        try:
            locale = Locale.parse(language) if language else None
        except (UnknownLocaleError, ValueError):
            locale = None
        if locale is None:
            continue
        for kind, contexts in (("months", locale.months), ("days", locale.days)):
            for context in ("format", "stand-alone"):
                for width in ("wide", "abbreviated"):
                    for number, name in contexts[context].get(width, {}).items():
                        plain = name.casefold().rstrip(".")
                        if not plain[:1].isdigit() and len(plain) > 1:
                            yield kind, width, number, plain


def _without_labels(segment: str, language: str) -> str:
    """``segment`` without labels, weekdays and the small words around dates; '' if nothing is left."""
    words: list[str] = []
    for word in segment.strip(" ,;:()[]|-–—.،。").split():
        bare = word.strip(" ,;:()[].،").casefold()
        label = len(word) <= 24 and (_PUBLISHED.match(bare) or _UPDATED.match(bare) or _UPDATED.search(bare))
        if not bare or label or _is_around(word, bare, len(words)) or bare in _day_names((language[:2].lower(), "en")):
            continue
        if (not bare.isascii() or len(bare) <= 4) and bare in _day_names(_LANGUAGES):
            continue
        if bare.upper() in _LETTERS or bare.upper() in _SEASONLESS or bare.isdigit():
            continue
        words.append(word)
    return " ".join(words).strip(" ,;:()[]|-–—.،。")


def _is_around(word: str, bare: str, number: int) -> bool:
    """Whether a word is one of those around dates: "le", "at", but not the "LE" of a name."""
    return bare in _AROUND and (number == 0 or word.islower() or not word.isascii())


def _is_named(text: str) -> bool:
    """Whether every word of ``text`` could be part of a name: no lower-case word but the small ones within names."""
    words = re.split(r"[\s/]+", text)
    if len(words) > 9:
        return False
    return all(not word[:1].islower() or word in _WITHIN_NAMES for word in words) and any(
        word[:1].isalpha() for word in words
    )


def _starts_with_label(text: str) -> bool:
    head = text.lstrip(" (*•-–—[")[:24]
    return bool(
        _PUBLISHED.match(head)
        or _UPDATED.match(head)
        or re.match(r"last\b|dernière|zuletzt|última|ultim|最終", head, re.IGNORECASE)
    )


def _plain_digits(text: str) -> str:
    """Digits of every script as 0-9, full-width colons and other signs as ASCII; the length stays the same."""
    if text.isascii():
        return text
    plain = "".join(str(decimal(one)) if one.isdecimal() and not one.isascii() else one for one in text)
    return plain.replace("：", ":").replace("\u00a0", " ").replace("\u202f", " ").replace("／", "/").replace("｜", "|")
