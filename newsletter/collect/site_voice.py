"""Whether a paragraph is the site speaking to its reader rather than the story. Pure.

What counts is which notions of sites it turns on (``site_words``), whether it addresses the reader, speaks as "we",
or begins with what to do; words within quotation marks are somebody else's. A notion the story itself is about
(``topics``) is no evidence. Where the paragraph stands is weighed in ``dump_body``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from newsletter.collect.dump_paragraphs import ends_sentence, words_in
from newsletter.collect.site_words import ASKS, CONCEPTS, OF_PERSON, OF_SITE, POINTER, POINTERS_HEAD, TO_READER

# The "topic" of a story that addresses its reader throughout.
READER = "reader"
# How surely a paragraph is the site's (``Voice.strength``).
PLAIN, LIKELY = 3, 2
# Characters of a paragraph that are looked at: it says early what it is, and time must not grow with its length.
_TELLING = 700
_SHORT = 160
_LABEL_WORDS = 14
_LONG_WORDS = 18
_FEW_SENTENCES = 300
_MOSTLY = 0.4  # of its letters: "Already a subscriber? Log in."
_INSISTED = frozenset({"account", "membership", "newsletter", "comments", "privacy"})

_QUOTED = re.compile(
    r"“[^”]{0,600}”|«[^»]{0,600}»|„[^“”]{0,600}[“”]|「[^」]{0,600}」|\"[^\"]{0,600}\"|‘[^’]{0,300}’(?!\w)"
)
_LINK = re.compile(r"https?://\S+|\bwww\.\S+")  # "t.me" is nobody's "me"
_FEW_LETTERS = re.compile(r"[\W\d_]+")
_CREDIT_CLOSING = re.compile(
    r"(?:\W{0,3})(?:(?:additional |further )?(?:reporting|writing|editing|compiled|translat\w+|research|edited|"
    r"reported)\b.{0,40}\b(?:by|from)\b|"
    r"with (?:in-?puts?|reporting|additional reporting|files|material|agenc\w+)\b|\(?avec (?:l['’])?(?:afp|reuters|"
    r"agences)|com informações|con informaci[oó]n|"
    r"mit material|\(?(?:dpa|afp|sda|apa)/|colaborou|colabor[oó])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Voice:
    """``concepts`` of sites that are spoken of, how much of the text they cover (0 to 1), and ``manner``: one point
    each for addressing the reader, speaking as the site, beginning with what to do; the first two together are
    ``to_reader_of_site``. ``personal`` is a sentence in which somebody says "I", or is spoken of."""

    concepts: frozenset[str]
    covered: float
    manner: int
    to_reader_of_site: bool = False
    personal: bool = False
    sentence: bool = False
    to_reader: bool = False
    insists: bool = False  # comes back to such a notion within a few sentences that address the reader

    def strength(self, topics: frozenset[str] = frozenset()) -> int:
        """How surely this is the site: 0 is no sign of it, 3 is plain."""
        telling = len(self.concepts - topics)
        # In a story that says "you" throughout, "you" is no sign of the site.
        manner = self.manner - (READER in topics and self.sentence and self.to_reader and not self.to_reader_of_site)
        if self.concepts and not telling and self.to_reader_of_site:
            telling = 1  # even where the story is about cookies, "we use cookies, please accept" is the site
        if not telling:
            return 0
        rights = "rights" in self.concepts - topics
        if self.sentence and not manner and not rights:
            return LIKELY if telling > 1 and self.covered >= _MOSTLY else 1  # else somebody reports on such things
        strength = telling + manner + 2 * rights + (self.insists and not self.personal)
        return max(0, strength - (1 if self.to_reader_of_site else 2)) if self.personal else strength


@lru_cache(maxsize=8_192)
def voice_of(text: str) -> Voice:
    """In what voice ``text`` is."""
    told = _QUOTED.sub(" ", text[:_TELLING])
    concepts, covered, insists = set(), 0, False
    for name, pattern in CONCEPTS.items():
        if pattern.search(told):
            concepts.add(name)
            insists = insists or (name in _INSISTED and len(pattern.findall(told)) > 1)
            if len(told) <= _SHORT:
                covered += sum(match.end() - match.start() for match in pattern.finditer(told))
    if not concepts:
        return Voice(frozenset(), 0.0, 0)
    to_reader, of_site = bool(TO_READER.search(told)), bool(OF_SITE.search(told))
    manner = to_reader + of_site + bool(ASKS.match(told.lstrip(" •*-–—")))
    letters = len(_FEW_LETTERS.sub("", told)) or 1
    sentence = ends_sentence(text)
    personal = sentence and bool(OF_PERSON.search(_LINK.sub(" ", told)))
    return Voice(
        frozenset(concepts),
        min(1.0, covered / letters),
        manner,
        to_reader and of_site,
        personal,
        sentence,
        to_reader,
        insists and to_reader and len(text) <= _FEW_SENTENCES,
    )


def topics_of(texts: Iterable[str]) -> frozenset[str]:
    """The notions of sites that a story is itself about: those its headline and standfirst name."""
    return frozenset().union(*(voice_of(text).concepts for text in texts if text)) - {"rights"}


def addresses_reader(text: str) -> bool:
    """Whether a sentence says "you", outside quotation marks."""
    return ends_sentence(text) and bool(TO_READER.search(_QUOTED.sub(" ", text[:_TELLING])))


def is_label(text: str) -> bool:
    """Whether ``text`` is a short piece that is no sentence: a heading, a button, the title of another story."""
    return not ends_sentence(text) and words_in(text) <= _LABEL_WORDS and not text.rstrip().endswith((":", "：", ","))


def is_prose(text: str) -> bool:
    """Whether ``text`` has the shape of a sentence or more, or of a closing credit."""
    words = words_in(text)
    if ends_sentence(text):
        return True
    if text.rstrip().endswith((":", "：")):
        return words >= 3
    if text.rstrip().endswith((",", ";", "—", "–", "-", "、", "،")):
        return words >= 6
    return words >= _LONG_WORDS or is_closing(text)


def is_closing(text: str) -> bool:
    """Whether ``text`` is a credit that closes a story: in brackets, or "Additional reporting by …"."""
    bracketed = text[:1] in "([（【" and text[-1:] in ")]）】" and 2 <= words_in(text) <= 30
    return bracketed or (words_in(text) <= 30 and bool(_CREDIT_CLOSING.match(text)))


def is_button(text: str, topics: frozenset[str]) -> bool:
    """Whether a label is one of the site's: "Sign in", "Share this article", "12 comments"."""
    voice = voice_of(text)
    if not voice.concepts - topics or not is_label(text.rstrip("!！:： ")):
        return False
    return voice.covered >= 0.5 or voice.strength(topics) >= 2


def is_advertisement_mark(text: str) -> bool:
    """Whether ``text`` only says that an advertisement stands here, or that the story goes on after one."""
    return (
        words_in(text) <= 7
        and "advertising" in (voice := voice_of(text)).concepts
        and (voice.covered >= 0.5 or not ends_sentence(text))
    )


def is_pointer(text: str) -> bool:
    """Whether ``text`` points to another story in the middle of this one: "READ MORE: …", "Also read | …"."""
    if len(text) > 240:
        return False
    if match := POINTER.match(text):
        return not text.rstrip().endswith((".", "。", "।")) and words_in(text[match.end() :]) <= 24
    label, _, title = text.replace("：", ":").partition(":")
    if words_in(label) <= 4 and "others" in voice_of(label).concepts and 3 <= words_in(title) <= 24:
        return not ends_sentence(text)
    label, bar, title = text.partition("|")
    return bool(bar) and 1 <= len(label.split()) <= 3 and 3 <= words_in(title) <= 20 and not ends_sentence(text)


def heads_pointers(text: str) -> bool:
    """Whether ``text`` stands alone over what ``is_pointer`` has on one line: "Read more", "Lees ook"."""
    return len(text) <= 40 and bool(POINTERS_HEAD.match(text))


def heads_other_stories(text: str, topics: frozenset[str]) -> bool:
    """Whether ``text`` is the heading over a list of other stories: "Related Topics", "Most read"."""
    voice = voice_of(text)
    if "others" not in voice.concepts - topics or ends_sentence(text):
        return False
    return words_in(text) <= 6 or (voice.covered >= 0.5 and words_in(text) <= 9)


def heads_comments(text: str, topics: frozenset[str]) -> bool:
    """Whether ``text`` is the heading over readers' comments."""
    voice = voice_of(text)
    return (
        "comments" in voice.concepts - topics
        and voice.covered >= 0.4
        and words_in(text) <= 5
        and not ends_sentence(text)
    )
