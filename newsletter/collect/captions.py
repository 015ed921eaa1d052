"""Which lines of a page's text stood under a picture: credits, and captions that came twice. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.collect.dump_paragraphs import ends_sentence, words_in

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
    r"फ[़]?ोटो(?: क्रेडिट| साभार)?|तस्वीर|الصورة|صورة|تصوير|تصویر|写真(?:提供)?|撮影|画像|图片(?:来源)?|图|사진)"
)
_AT_START = re.compile(rf"[(\[]?\s?{_WORD}\s?(?:[:：|©=/…]|\.\.\.| by )", re.IGNORECASE)
_AT_END = re.compile(
    rf"(?:[.|)।。”\"]|\s[-–—]|\s{{2}})\s?[(\[]?\s?(?i:{_WORD})\s?(?:[:：©]|\s[|]\s?|\sby\s).{{2,90}}$"
    rf"|[(\[]\s?(?:AP Photo|Photo by|Courtesy|Handout|Provided by|Contributed|Foto|"
    rf"{_AGENCY}\s?[/)]).{{0,80}}[)\]]\.?$"
    rf"|[(\[][^()\[\]]{{2,60}}\s?(?:/|via|for|\|)\s?(?:{_AGENCY}|[A-Z][^()\[\]]{{2,50}})[)\]]\.?$"
    rf"|(?:\||/|via|VIA|©)\s?{_AGENCY}(?:\s?(?:/|via|VIA)\s?{_AGENCY})*\.?$"
    rf"|©\s?[^.]{{2,80}}$",
)
_ONLY_NAMES = re.compile(
    rf"(?:[^\W\d_][\w.'’-]{{0,24}} ){{0,4}}[^\W\d_][\w.'’-]{{0,24}}\s?/\s?{_AGENCY}(?:\s?/\s?[\w ]{{2,30}})?\.?$|"
    rf"(?:AP|File|AFP|PTI) [Pp]hoto(?:/.{{2,60}})?$|"
    rf"(?:Getty Images|GETTY IMAGES|Shutterstock|Alamy|iStock|Unsplash|picture alliance|imago)(?: ?/ ?[\w ]{{2,40}})?$"
)
_FILE = re.compile(r"(?:\.|,)\s(?:File|FILE|File photo|file photo|Archivo|Archiv|Arquivo|Archives)\.?$")


def is_credit(text: str) -> bool:
    """Whether ``text`` only says whose a picture is: "Photo Credit: AP", "Jane Doe/Getty Images"."""
    if words_in(text) > 14 or len(text) > 120:
        return False
    return bool(_AT_START.match(text) or _ONLY_NAMES.match(text))


def is_caption(text: str) -> bool:
    """Whether ``text`` is a caption by what it ends with (a credit, "File") or begins with ("Photo: …")."""
    if words_in(text) > _MOST_WORDS or len(text) > 600:
        return False
    if _AT_START.match(text) and words_in(text) <= 45:
        return True
    return bool(_AT_END.search(text[-160:]) or _FILE.search(text[-24:]))


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
            if position - 1 not in found and before and _could_be_caption(before, within_story):
                found.add(position - 1)
        elif is_caption(text):
            found.add(position)
        if after and words_in(text) <= _MOST_WORDS and len(text) >= 2 and _same_twice(text, after):
            found.update((position, position + 1))
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
    return not within_story and words <= 24 and text.count(". ") == 0
