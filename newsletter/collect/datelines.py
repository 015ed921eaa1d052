"""Where a story was written: the place that opens its first paragraph. Pure.

"CHENNAI: Rain …", "PARIS (Agency) — …", "नई दिल्ली (एजेंसी): …". What only might be a place (a speaker, a topic) is not
taken for one: in capitals, or with an agency or a date beside it, it is sure. The words stay in the body.
"""

from __future__ import annotations

import re

_MAX_PLACE = 60
# Not \w: that leaves out the vowel signs of Indic scripts.
_WORD = r"[^\s.,:;!?—–()（）/\[\]\"“”«»\d]"
_NAME = rf"{_WORD}+(?:\.(?=\s?{_WORD}))?(?:(?:\s|(?<=\.)){_WORD}+(?:\.(?=\s?{_WORD}))?){{0,4}}"
_OPENING = re.compile(
    rf"(?P<place>(?P<name>{_NAME})(?:/{_NAME}){{0,2}}(?:,\s(?:{_WORD}\.){{2,3}}|,\s{_WORD}+\.?(?:\s{_WORD}+){{0,2}}(?!\s?\d))?)"
    r"(?P<date>,?\s(?:\d{1,2}\.?\s[^\W\d_]{3,12}\.?|[^\W\d_]{3,12}\.?\s\d{1,2}))?"
    rf"(?:\s*[(（\[](?P<agency>{_WORD}[^()（）\[\]]{{1,50}})[)）\]]|,\s(?P<site>[^\W_][\w-]+(?:\.[a-z]{{2,4}}){{1,2}}))?"
    r"(?P<dash>\s*(?:[—–]|--?(?=\s)|[:\uff1a]))\s*(?=\S)"
)
_NO_PLACE = {
    "update", "updated", "watch", "breaking", "exclusive", "note", "opinion", "video", "live", "read", "listen",
    "correction", "analysis", "explained", "explainer", "fact check", "photos", "warning", "editor's note",
}  # fmt: skip


def dateline_of(paragraph: str) -> str:
    """The place that opens ``paragraph``, '' where none surely does."""
    match = _OPENING.match(paragraph[:300])
    if match is None or len(match["place"]) > _MAX_PLACE:
        return ""
    place, name, dash = match["place"].strip(), match["name"], match["dash"]
    letters = [character for character in name if character.isalpha()]
    cased = any(character.isupper() or character.islower() for character in letters)
    in_capitals = cased and len(letters) > 2 and not any(character.islower() for character in letters)
    beside = match["agency"] or match["site"] or match["date"]
    set_apart = dash.strip() in {":", "\uff1a"} or dash[:1].isspace() or bool(match["agency"])
    if not set_apart or place.casefold() in _NO_PLACE:
        return ""
    as_name = place[0].isupper() and all(word[0].isupper() or len(word) <= 3 for word in name.split())
    if not (in_capitals or (beside and (not cased or as_name))):
        return ""
    return place if re.search(r"(?:\.\w|,\s\w{1,5})\.$", place) else place.rstrip(".")
