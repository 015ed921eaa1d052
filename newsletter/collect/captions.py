"""Which lines of a page's text stood under a picture: credits, and captions that came twice. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from newsletter.collect.boilerplate import normalised
from newsletter.collect.dump_paragraphs import ends_sentence, words_in
from newsletter.model import Picture

_MOST_WORDS = 70
_AGENCY = (
    r"(?:AP|AFP|EPA|PTI|ANI|IANS|dpa|DPA|EFE|ANSA|TASS|Reuters|REUTERS|Xinhua|Bloomberg|Kyodo|Getty(?: Images)?|"
    r"GETTY(?: IMAGES)?|Shutterstock|Alamy|iStock|Unsplash|picture alliance|imago|PA(?: Wire)?|Folhapress|"
    r"Agência \w+|Anadolu)"
)
_WORD = (
    r"(?:(?:file |handout |ap |stock |main )?(?:photo(?:graph|graphy|s)?|pictures?|pics?|images?|illustrations?|"
    r"graphics?|video)(?: (?:credit|courtesy|source|file))?s?(?: by| courtesy| credit)?|"
    r"(?:photo |image |picture )?credits?|crédits?(?: photos?)?|foto(?:s|grafía|grafia|graf)?|bild(?:er|quelle|"
    r"nachweis)?|imagen|imagem|immagine|afbeelding|фото(?:графия)?|kuva|zdjęcie|fotoğraf|"
    r"फ[़]?ोटो(?: क्रेडिट| साभार)?|तस्वीर|الصورة|صورة|تصوير|تصویر|φωτ(?:ογραφίες|ογραφία|ο)?\.?|fotó|"
    r"写真(?:提供)?|撮影|画像|图片(?:来源)?|图|사진)"
)
_AT_START = re.compile(rf"[(\[]?\s?{_WORD}\s?(?:[:：|©=/…]|\.\.\.| by )", re.IGNORECASE)
_AT_END = re.compile(
    rf"(?:[.|)।。”\"]|\s[-–—]|\s{{2}})\s?[(\[]?\s?(?i:{_WORD})\s?(?:[:：©]|\s[|]\s?|\sby\s).{{2,90}}$"
    rf"|[(\[]\s?(?:AP Photo|Photo by|[Pp]hoto |foto |Courtesy|Handout|Provided by|Contributed|Foto|"
    rf"{_AGENCY}\s?[/)]).{{0,80}}[)\]]\.?$"
    rf"|[(\[][^()\[\]]{{2,60}}\s?(?:/|via|for|\|)\s?(?:{_AGENCY}|[A-Z][^()\[\]]{{2,50}})[)\]]\.?$"
    rf"|(?:\||/|via|VIA|©)\s?{_AGENCY}(?:\s?(?:/|via|VIA)\s?{_AGENCY})*\.?$"
    rf"|©\s?[^.]{{2,80}}$"
    rf"|[.!?”»\"]\s(?:Beeld|Foto|Photo|Bild)s? (?:[^\W\d_a-z][\w'’.-]+ ?){{1,4}}$",
)
_ONLY_NAMES = re.compile(
    rf"(?:[^\W\d_][\w.'’-]{{0,24}} ){{0,4}}[^\W\d_][\w.'’-]{{0,24}}\s?/\s?{_AGENCY}(?:\s?/\s?[\w ]{{2,30}})?\.?$|"
    rf"(?:AP|File|AFP|PTI) [Pp]hoto(?:/.{{2,60}})?$|"
    rf"(?:Getty Images|GETTY IMAGES|Shutterstock|Alamy|iStock|Unsplash|picture alliance|imago)(?: ?/ ?[\w ]{{2,40}})?$"
)
# A credit in capitals after the last sentence: "… on Thursday. PABLO LASAOSA".
_AFTER_SENTENCE = re.compile(r"[.!?”»\"] (?=([^\W\d_a-z][^.!?]{5,70})$)")
_SHORTEST = 4
_LABEL = 6  # words of a button between the two copies of a caption
_MOST_PICTURES = 10
_WHOSE = re.compile(
    rf"^\W*(?:{_WORD}\s?(?:[:：|©=/…]|\.\.\.|\sby\s)\W*)?(?P<whose>.*?)[\s)\]）|]*$",
    re.IGNORECASE,
)
# The last part of "In this photo … | File photo | Photo Credit: …".
_LAST_PART = re.compile(r"\s[|]\s(?=[^|]+$)")
# "（記者林佳慧攝）": what Chinese and Japanese papers put behind the caption.
_UNSPACED_CREDIT = re.compile(r"[（(](?:圖|图|照片)?[^（）()]{2,24}(?:攝影?|摄影?|撮影|提供|翻攝)[）)]$")
# "(Photo Maëlle Le Gall/Le Télégramme)", "(Fot. Jan Kos / PAP)"
_LABEL_BEFORE_NAME = re.compile(r"^(?:Photo|Foto|Fot\.) (?=[^\W\d_a-z][\w'’-]+ [^\W\d_a-z])")
_IN_BRACKETS = re.compile(r"[(\[][^()\[\]/]{2,60}(?:/| via | for )[^()\[\]]{2,60}[)\]]\.?$")
_FILE = re.compile(r"(?:\.|,)\s(?:File|FILE|File photo|file photo|Archivo|Archiv|Arquivo|Archives)\.?$")


def is_credit(text: str) -> bool:
    """Whether ``text`` only says whose a picture is: "Photo Credit: AP", "Jane Doe/Getty Images"."""
    if words_in(text) > 14 or len(text) > 120:
        return False
    if label := _AT_START.match(text):
        long = [word for word in text[label.end() :].split() if len(word) > 3]
        return sum(word[:1].islower() for word in long) * 2 <= len(long)  # names, not the title of a gallery
    in_capitals = (
        text.isupper() and text.count("/") == 1 and 2 <= words_in(text) <= 6 and not any(map(str.isdigit, text))
    )
    return in_capitals or bool(_ONLY_NAMES.match(text) or _IN_BRACKETS.match(text))


def is_caption(text: str) -> bool:
    """Whether ``text`` is a caption by what it ends with (a credit, "File") or begins with ("Photo: …")."""
    if words_in(text) > _MOST_WORDS or len(text) > 600:
        return False
    if _AT_START.match(text) and words_in(text) <= 45:
        return True
    tail = text[-160:]
    return bool(
        _AT_END.search(tail) or _UNSPACED_CREDIT.search(tail) or _FILE.search(text[-24:]) or _in_capitals(text) >= 0
    )


def _in_capitals(text: str) -> int:
    """Where a credit in capitals begins after the last sentence of ``text``, -1 if none does."""
    for match in _AFTER_SENTENCE.finditer(text, max(0, len(text) - 90)):
        tail = match[1]
        letters = sum(one.isalpha() for one in tail)
        if tail.isupper() and 2 <= words_in(tail) <= 9 and letters * 10 >= 7 * len(tail) and not ends_sentence(tail):
            return match.end()
    return -1


def pictures_of(texts: Sequence[str], positions: Collection[int]) -> tuple[Picture, ...]:
    """What ``captions_among`` found, in order, as pictures without an address: each caption once, at most ten.

    Short lines that stood twice, or between the two copies of a caption, are buttons and no captions.
    """
    found: list[Picture] = []
    told: set[int] = set()
    for at in sorted(positions):
        line = texts[at]
        if at in told:
            continue
        if _is_described(texts, at):
            told.update((at + 1, at + 2))
            caption = _tidy(texts[at + 2]) if at + 2 in positions else ""
            name = texts[at + 1]
            found.append(Picture(url="", caption=caption, credit=name, alt=line.removeprefix(name).strip()))
            continue
        if words_in(line) < _SHORTEST and not is_caption(line) and not is_credit(line):
            continue
        if 0 < at < len(texts) - 1 and words_in(line) <= _LABEL and _same_twice(texts[at - 1], texts[at + 1]):
            continue
        one = _picture(line)
        if not one.caption:  # a line that only says whose the picture above is
            if found and one.credit and not found[-1].credit:
                found[-1] = replace(found[-1], credit=one.credit)
            continue
        known = next((at for at, other in enumerate(found) if _same_caption(one.caption, other.caption)), None)
        if known is None:
            found.append(one)
        else:
            other = found[known]
            if not one.credit and not other.credit and (whose := _names_behind(one.caption, other.caption)):
                one = replace(one, credit=whose)
            shorter = min((one.caption, other.caption), key=len) if one.credit != other.credit else other.caption
            found[known] = replace(other, caption=shorter, credit=other.credit or one.credit)
    return tuple(found[:_MOST_PICTURES])


def _picture(line: str) -> Picture:
    if is_credit(line) and (whole := _WHOSE.match(line)):
        return Picture(url="", credit=_tidy(whole["whose"]))
    at = -1
    if not _AT_START.match(line):
        start = max(0, len(line) - 160)
        match = _last_credit(line, start) or _AT_END.search(line, start) or _UNSPACED_CREDIT.search(line, start)
        at = match.start() if match else _in_capitals(line)
        if match and line[at] in '.。।!?”»"':
            at += 1
    if at < 0:
        caption = line
        if label := _AT_START.match(line):
            caption = line[label.end() :]
        return Picture(url="", caption=_tidy(caption))
    whose = _WHOSE.match(line[at:])
    credit = _LABEL_BEFORE_NAME.sub("", _tidy(whose["whose"])) if whose else ""
    return Picture(url="", caption=_tidy(line[:at]), credit=credit)


def _last_credit(line: str, start: int) -> re.Match[str] | None:
    """Where the last part of ``line`` between bars begins, if that is a credit."""
    part = _LAST_PART.search(line, start)
    return part if part and _AT_START.match(line, part.end()) else None


def _tidy(text: str) -> str:
    return text.strip(" |–—-([（").strip()[:600]


def _names_behind(one: str, other: str) -> str:
    """What stands behind the same caption in its longer copy, if that is names: whose the picture is; else ''."""
    shorter, longer = sorted((one, other), key=len)
    rest = longer[len(shorter) :] if longer.startswith(shorter) else ""
    names = _tidy(rest).lstrip(".,;: ")
    long = [word for word in names.split() if len(word) > 3]
    named = 0 < words_in(names) <= _LABEL + 2 and not ends_sentence(names)
    return names if named and names[:1].isupper() and not any(word[:1].islower() for word in long) else ""


def _same_caption(one: str, other: str) -> bool:
    one, other = normalised(one), normalised(other)
    return one == other or (min(len(one), len(other)) >= 12 and (one.startswith(other) or other.startswith(one)))


def _is_described(texts: Sequence[str], at: int) -> bool:
    """Whether ``texts[at]`` is what a picture shows with its photographer's name before it, and that name stands alone
    below: "Huw Jones Nine children in front of a shop", "Huw Jones". A caption may follow."""
    name = texts[at + 1] if at + 1 < len(texts) else ""
    words = name.split()
    named = 1 < len(words) <= _SHORTEST and all(word[:1].isupper() for word in words) and not ends_sentence(name)
    return named and texts[at].startswith(f"{name} ") and not ends_sentence(texts[at])


def captions_among(texts: Sequence[str], *, within_story: bool) -> set[int]:
    """Positions of lines that are captions or credits, by what they say or because the same stands twice in a row.

    A sentence over a lone credit is taken for its caption above a story, and for the story's own ``within_story``.
    """
    found: set[int] = set()
    for position, text in enumerate(texts):
        after = texts[position + 1] if position + 1 < len(texts) else ""
        if is_credit(text):
            found.add(position)
            before = texts[position - 1] if position else ""
            # What stands over a lone credit is the caption, where it is short enough to be one.
            # One in brackets belongs to what stands before it, whether that is a sentence or not.
            own = within_story and not _IN_BRACKETS.match(text)
            if position - 1 not in found and before and _could_be_caption(before, own):
                found.add(position - 1)
        elif is_caption(text):
            found.add(position)
        if _is_described(texts, position):
            found.update((position, position + 1))
            below = texts[position + 2] if position + 2 < len(texts) else ""
            if below and not ends_sentence(below) and words_in(below) <= _MOST_WORDS:
                found.add(position + 2)
            continue
        if after and words_in(text) <= _MOST_WORDS and len(text) >= 2 and _same_twice(text, after):
            found.update((position, position + 1))
        beyond = texts[position + 2] if position + 2 < len(texts) else ""
        between = 0 < words_in(after) <= _LABEL and not ends_sentence(after)
        if between and _SHORTEST <= words_in(text) <= _MOST_WORDS and _same_twice(text, beyond):
            found.update((position, position + 1, position + 2))  # with a button between: "View image"
    return found


def _same_twice(text: str, after: str) -> bool:
    one, other = text.casefold().rstrip(". "), after.casefold().rstrip(". ")
    if one == other:
        return True
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < 12 or not longer.startswith(shorter):
        return False
    rest = (text if len(text) > len(after) else after)[len(shorter) :].lstrip(" .|–—-")
    return len(rest) <= 90 and (is_caption(rest) or is_credit(rest) or is_caption(f". {rest}") or words_in(rest) <= 4)


def _could_be_caption(text: str, within_story: bool) -> bool:
    words = words_in(text)
    if not ends_sentence(text):
        return words <= 40
    return not within_story and words <= 24 and text.count(". ") == 0 and text[-1:] not in '”»"'
